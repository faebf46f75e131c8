//! LISP-SEC Authentication Data (RFC 9303 sections 6.1 to 6.3).

/// Authentication Data of an ECM.
#[derive(Clone, PartialEq, Eq)]
pub struct EcmAd {
    /// Requested HMAC ID: 0 no preference, 1 HMAC-SHA-1-96, 2 HMAC-SHA-256-128.
    pub requested_hmac_id: u16,
    /// Which secret wraps the OTK.
    pub key_id: u8,
    /// OTK wrap ID: 1 none, 2 AES-KEY-WRAP-128+HKDF-SHA256.
    pub wrap_id: u8,
    /// Preamble: high 64 bits of the wrap's output, zero when not wrapped.
    pub preamble: [u8; 8],
    /// One-time key, wrapped or plain.
    pub otk: [u8; 16],
    /// EID Authentication Data.
    pub eid_ad: EidAd,
}

impl std::fmt::Debug for EcmAd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EcmAd")
            .field("requested_hmac_id", &self.requested_hmac_id)
            .field("key_id", &self.key_id)
            .field("wrap_id", &self.wrap_id)
            .field("eid_ad", &self.eid_ad)
            .finish_non_exhaustive()
    }
}

/// EID Authentication Data as it stands on the wire, its length field included, already checked.
///
/// Kept as bytes, because every node must pass on exactly what its HMAC covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EidAd {
    pub(super) wire: Vec<u8>,
}

/// Authentication Data of a Map-Reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplyAd {
    /// EID Authentication Data, as the Map-Server made it.
    pub eid_ad: EidAd,
    /// PKT HMAC ID.
    pub pkt_hmac_id: u16,
    /// PKT HMAC over the whole Map-Reply.
    pub pkt_hmac: Vec<u8>,
}
