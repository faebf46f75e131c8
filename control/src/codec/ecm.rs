//! Encapsulated Control Message (RFC 9301 section 5.8).

use super::EcmAd;
use std::net::IpAddr;

/// Type 8.
///
/// ```text
/// |Type=8 |S|D|R|R|            Reserved                           |
/// |          LISP-SEC Authentication Data if S=1                  |
/// |          IPv4 or IPv6 header, UDP header, control message     |
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ecm {
    /// D: from a DDT client, answer with a Map-Referral (RFC 8111).
    pub ddt: bool,
    /// NAT draft, bit 9: for an RTR.
    pub for_rtr: bool,
    /// NAT draft, bit 10: relayed by an RTR.
    pub relayed_by_rtr: bool,
    /// LISP-SEC (S bit).
    pub security: Option<EcmAd>,
    /// Inner headers.
    pub inner: InnerHeader,
    /// The control message inside, as received: to be decoded with `Message::decode`, or forwarded
    /// unchanged. Never an ECM (TRAP 21).
    pub payload: Vec<u8>,
}

/// The inner IP and UDP headers of an ECM. Both addresses are of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct InnerHeader {
    /// Inner source: an address of the ITR; of the EID's family.
    pub source: IpAddr,
    /// Inner destination: the EID asked for.
    pub destination: IpAddr,
    /// Inner source port: where the Map-Reply goes (TRAP 17).
    pub source_port: u16,
    /// Inner destination port: 4342.
    pub destination_port: u16,
    /// TTL or Hop Limit, 1..=255.
    pub ttl: u8,
    /// The UDP checksum is there (and right, if received). lispers.net sends none (TRAP 20).
    pub checksum: bool,
}
