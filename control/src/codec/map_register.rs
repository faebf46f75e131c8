//! Map-Register, Map-Notify and Map-Notify-Ack (RFC 9301 sections 5.6, 5.7).

use super::{EidRecord, XtrSiteId};

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
    /// xTR-ID and Site-ID: only from RFC 6830 Map-Servers (I bit).
    pub xtr: Option<XtrSiteId>,
}
