//! What can be an RLOC at all.

use std::net::IpAddr;

/// Not an address to send encapsulated packets or answers to, whoever claims it: "this network",
/// loopback, link-local, multicast, broadcast and reserved ones (RFC 9301 section 5.4, R-150).
///
/// Subnet broadcasts and this router's own addresses are for the caller to know.
#[must_use]
pub fn is_martian(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => {
            let [first, ..] = v4.octets();
            first == 0 || v4.is_loopback() || v4.is_link_local() || first >= 224
        }
        IpAddr::V6(v6) => {
            v6.is_unspecified()
                || v6.is_loopback()
                || v6.is_unicast_link_local()
                || v6.is_multicast()
                || v6.to_ipv4_mapped().is_some()
        }
    }
}
