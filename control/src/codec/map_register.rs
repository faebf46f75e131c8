//! Map-Register, Map-Notify and Map-Notify-Ack (RFC 9301 sections 5.6, 5.7).

use super::read::Reader;
use super::write::{Put, count, length};
use super::{DecodeError, EidRecord, EncodeError, MAX_RECORDS, XtrSiteId};

/// Key ID, algorithm and MAC. RFC 6830 peers use Key ID 0 and the same algorithm numbers (TRAP 18).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AuthData {
    /// Which secret.
    pub key_id: u8,
    /// Which algorithm, as on the wire: 0 none, 1 HMAC-SHA-1-96, 2 HMAC-SHA-256-128, 3 the same
    /// with HKDF-SHA256.
    pub algorithm_id: u8,
    /// The MAC; when a message is built: zeros of the final length, filled by `auth::sign`.
    pub tag: Vec<u8>,
}

/// Type 3.
///
/// ```text
/// |Type=3 |P|S|I|       Reserved        |E|T|a|R|M| Record Count  |
/// |                         Nonce (8 bytes)                       |
/// |    Key ID     | Algorithm ID  |  Authentication Data Length   |
/// |                  Authentication Data ...                      |
/// |          EID-records, each with its RLOC-records              |
/// |          xTR-ID (16), Site-ID (8) if I=1                      |
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MapRegister {
    /// P: the Map-Server shall answer Map-Requests itself.
    pub proxy_reply: bool,
    /// S: the ETR does LISP-SEC.
    pub lisp_sec: bool,
    /// E: EID-notify, from a first-hop router.
    pub eid_notify: bool,
    /// T: the registration times out by the Record TTL.
    pub use_ttl: bool,
    /// a: merge with what others registered.
    pub merge: bool,
    /// M: a Map-Notify is wanted.
    pub want_map_notify: bool,
    /// Grows with each Map-Register.
    pub nonce: u64,
    /// Authentication.
    pub auth: AuthData,
    /// Mappings.
    pub records: Vec<EidRecord>,
    /// xTR-ID and Site-ID (I bit).
    pub xtr: Option<XtrSiteId>,
}

/// Types 4 and 5: as a Map-Register without its bits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MapNotify {
    /// Of the Map-Register or, in an Ack, of the Map-Notify; growing per subscription otherwise.
    pub nonce: u64,
    /// Authentication.
    pub auth: AuthData,
    /// Mappings.
    pub records: Vec<EidRecord>,
    /// xTR-ID and Site-ID (I bit): only from RFC 6830 Map-Servers.
    pub xtr: Option<XtrSiteId>,
}

const TYPE_REGISTER: u32 = 0x3000_0000;
const TYPE_NOTIFY: u32 = 0x4000_0000;
const TYPE_NOTIFY_ACK: u32 = 0x5000_0000;
const P: u32 = 0x0800_0000;
const S: u32 = 0x0400_0000;
const I: u32 = 0x0200_0000;
const E: u32 = 0x0000_1000;
const T: u32 = 0x0000_0800;
const MERGE: u32 = 0x0000_0400;
const M: u32 = 0x0000_0100;
/// I of a Map-Notify as RFC 6830-era Map-Servers set it.
const NOTIFY_I: u32 = 0x0800_0000;

/// Nonce, authentication and records: the part that all three messages share.
struct Body {
    nonce: u64,
    auth: AuthData,
    records: Vec<EidRecord>,
    xtr: Option<XtrSiteId>,
}

impl Body {
    fn decode(r: &mut Reader<'_>, record_count: u8, has_xtr: bool) -> Result<Self, DecodeError> {
        let nonce = r.u64("nonce")?;
        let auth = AuthData::decode(r)?;
        let records = EidRecord::decode_all(r, record_count)?;
        let xtr = if has_xtr { Some(XtrSiteId::decode_at_end(r)?) } else { None };
        Ok(Self { nonce, auth, records, xtr })
    }
}

/// Writes what [`Body::decode`] reads, behind the first word.
fn encode_body(
    out: &mut Vec<u8>,
    nonce: u64,
    auth: &AuthData,
    records: &[EidRecord],
    xtr: Option<XtrSiteId>,
) -> Result<(), EncodeError> {
    out.put_u64(nonce);
    auth.encode(out)?;
    records.iter().try_for_each(|record| record.encode(out))?;
    if let Some(xtr) = xtr {
        xtr.encode(out);
    }
    Ok(())
}

impl AuthData {
    /// To be signed: the tag is zeros of the length it will have.
    #[must_use]
    pub fn unsigned(key_id: u8, algorithm_id: u8, tag_len: usize) -> Self {
        Self { key_id, algorithm_id, tag: vec![0; tag_len] }
    }

    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let [key_id, algorithm_id] = r.array("Key ID")?;
        let len = usize::from(r.u16("Authentication Data Length")?);
        Ok(Self { key_id, algorithm_id, tag: r.take(len, "Authentication Data")?.to_vec() })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.put(&[self.key_id, self.algorithm_id]);
        out.put_u16(length(self.tag.len(), "Authentication Data Length")?);
        out.put(&self.tag);
        Ok(())
    }
}

impl MapRegister {
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let r = &mut Reader::new(bytes);
        let w0 = r.u32("Map-Register header")?;
        let Body { nonce, auth, records, xtr } = Body::decode(r, w0.to_be_bytes()[3], w0 & I != 0)?;
        Ok(Self {
            proxy_reply: w0 & P != 0,
            lisp_sec: w0 & S != 0,
            eid_notify: w0 & E != 0,
            use_ttl: w0 & T != 0,
            merge: w0 & MERGE != 0,
            want_map_notify: w0 & M != 0,
            nonce,
            auth,
            records,
            xtr,
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut w0 = TYPE_REGISTER | u32::from(count(self.records.len(), MAX_RECORDS, "records")?);
        for (on, bit) in [
            (self.proxy_reply, P),
            (self.lisp_sec, S),
            (self.xtr.is_some(), I),
            (self.eid_notify, E),
            (self.use_ttl, T),
            (self.merge, MERGE),
            (self.want_map_notify, M),
        ] {
            w0 |= if on { bit } else { 0 };
        }
        out.put_u32(w0);
        encode_body(out, self.nonce, &self.auth, &self.records, self.xtr)
    }
}

impl MapNotify {
    /// Map-Notify or Map-Notify-Ack.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let r = &mut Reader::new(bytes);
        let w0 = r.u32("Map-Notify header")?;
        let Body { nonce, auth, records, xtr } = Body::decode(r, w0.to_be_bytes()[3], w0 & NOTIFY_I != 0)?;
        Ok(Self { nonce, auth, records, xtr })
    }

    pub(super) fn encode(&self, ack: bool, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut w0 = if ack { TYPE_NOTIFY_ACK } else { TYPE_NOTIFY };
        w0 |= u32::from(count(self.records.len(), MAX_RECORDS, "records")?);
        w0 |= if self.xtr.is_some() { NOTIFY_I } else { 0 };
        out.put_u32(w0);
        encode_body(out, self.nonce, &self.auth, &self.records, self.xtr)
    }
}
