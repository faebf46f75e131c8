//! Map-Request (RFC 9301 section 5.2, RFC 9437 section 4).

use super::{Address, EidRecord};

/// Type 1.
///
/// ```text
/// |Type=1 |A|M|P|S|p|s|R|I|  Rsvd   |L|D|   IRC   | Record Count  |
/// |                         Nonce (8 bytes)                       |
/// |         Source-EID-AFI        |   Source EID Address  ...     |
/// |         ITR-RLOC-AFI 1        |    ITR-RLOC Address 1  ...    |
/// |N|  Reserved   | EID mask-len  |        EID-Prefix-AFI         |
/// |                       EID-Prefix  ...                         |
/// |          EID-record with RLOC-records if M=1                  |
/// |          xTR-ID (16), Site-ID (8) if I=1                      |
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MapRequest {
    /// A: the site itself must answer.
    pub authoritative: bool,
    /// P: RLOC-probe.
    pub probe: bool,
    /// S: Solicit-Map-Request.
    pub smr: bool,
    /// p: the sender is a PITR (R-014).
    pub pitr: bool,
    /// s: invoked by an SMR.
    pub smr_invoked: bool,
    /// L: the sender is in the locator-set of its site.
    pub local_xtr: bool,
    /// D: do not send a Map-Reply.
    pub no_reply: bool,
    /// Random.
    pub nonce: u64,
    /// EID of the packet's source, or none.
    pub source_eid: Address,
    /// Where the answer may go: 1..=32. `Address::None` alone: unsubscribe.
    pub itr_rlocs: Vec<Address>,
    /// What is asked for: senders put exactly one (R-052).
    pub records: Vec<MapRequestRecord>,
    /// Mapping of the source EID (M bit), to be verified before use (R-049).
    pub map_data: Option<EidRecord>,
    /// xTR-ID and Site-ID (I bit).
    pub xtr: Option<XtrSiteId>,
}

/// An EID-prefix asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MapRequestRecord {
    /// N: subscribe (RFC 9437).
    pub subscribe: bool,
    /// Bits of the (inner) address that count.
    pub mask_len: u8,
    /// EID, host bits zero.
    pub eid: Address,
}

/// Who an xTR is: the 24 bytes behind the records when I=1 (RFC 9301 section 5.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct XtrSiteId {
    /// xTR-ID, unique within the site.
    pub xtr_id: [u8; 16],
    /// Site-ID.
    pub site_id: u64,
}
