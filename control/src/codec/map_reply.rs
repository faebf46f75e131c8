//! Map-Reply (RFC 9301 section 5.4).

use super::{EidRecord, ReplyAd};

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
