//! Encapsulated Control Message (RFC 9301 section 5.8).

use super::read::Reader;
use super::write::Put;
use super::{DecodeError, EcmAd, EncodeError, InnerHeader};

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

const TYPE: u32 = 0x8000_0000;
const S: u32 = 0x0800_0000;
const D: u32 = 0x0400_0000;
// Bits 6 and 7 (E and M of RFC 9301's table 9, reserved in its figure) are sent 0 and ignored.
const FOR_RTR: u32 = 0x0040_0000;
const RELAYED_BY_RTR: u32 = 0x0020_0000;

impl Ecm {
    /// All bits clear, no LISP-SEC.
    #[must_use]
    pub const fn new(inner: InnerHeader, payload: Vec<u8>) -> Self {
        Self { ddt: false, for_rtr: false, relayed_by_rtr: false, security: None, inner, payload }
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let r = &mut Reader::new(bytes);
        let w0 = r.u32("ECM header")?;
        let security = if w0 & S != 0 { Some(EcmAd::decode(r)?) } else { None };
        let (inner, payload) = InnerHeader::decode(r.rest())?;
        if payload.first().is_some_and(|first| first >> 4 == 8) {
            return Err(DecodeError::NestedEcm);
        }
        Ok(Self {
            ddt: w0 & D != 0,
            for_rtr: w0 & FOR_RTR != 0,
            relayed_by_rtr: w0 & RELAYED_BY_RTR != 0,
            security,
            inner,
            payload: payload.to_vec(),
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut w0 = TYPE;
        for (on, bit) in [
            (self.security.is_some(), S),
            (self.ddt, D),
            (self.for_rtr, FOR_RTR),
            (self.relayed_by_rtr, RELAYED_BY_RTR),
        ] {
            w0 |= if on { bit } else { 0 };
        }
        out.put_u32(w0);
        if let Some(ad) = &self.security {
            ad.encode(out);
        }
        self.inner.encode(&self.payload, out)
    }
}
