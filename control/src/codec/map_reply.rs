//! Map-Reply (RFC 9301 section 5.4).

use super::read::Reader;
use super::write::{Put, count};
use super::{DecodeError, EidRecord, EncodeError, MAX_RECORDS, ReplyAd};

/// Type 2.
///
/// ```text
/// |Type=2 |P|E|S|          Reserved               | Record Count  |
/// |                         Nonce (8 bytes)                       |
/// |          EID-records, each with its RLOC-records              |
/// |          Authentication Data if S=1                           |
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapReply {
    /// P: answer to an RLOC-probe.
    pub probe: bool,
    /// E: the ETR does echo-nonce.
    pub echo_nonce: bool,
    /// That of the request.
    pub nonce: u64,
    /// Mappings.
    pub records: Vec<EidRecord>,
    /// LISP-SEC (S bit).
    pub security: Option<ReplyAd>,
}

const TYPE: u32 = 0x2000_0000;
const P: u32 = 0x0800_0000;
const E: u32 = 0x0400_0000;
const S: u32 = 0x0200_0000;

impl MapReply {
    /// An answer without LISP-SEC.
    #[must_use]
    pub const fn new(nonce: u64, records: Vec<EidRecord>) -> Self {
        Self { probe: false, echo_nonce: false, nonce, records, security: None }
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let r = &mut Reader::new(bytes);
        let w0 = r.u32("Map-Reply header")?;
        let nonce = r.u64("nonce")?;
        let records = EidRecord::decode_all(r, w0.to_be_bytes()[3])?;
        let security = if w0 & S != 0 { Some(ReplyAd::decode(r)?) } else { None };
        Ok(Self { probe: w0 & P != 0, echo_nonce: w0 & E != 0, nonce, records, security })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut w0 = TYPE | u32::from(count(self.records.len(), MAX_RECORDS, "records")?);
        for (on, bit) in [(self.probe, P), (self.echo_nonce, E), (self.security.is_some(), S)] {
            w0 |= if on { bit } else { 0 };
        }
        out.put_u32(w0);
        out.put_u64(self.nonce);
        self.records.iter().try_for_each(|record| record.encode(out))?;
        self.security.as_ref().map_or(Ok(()), |ad| ad.encode(out))
    }
}
