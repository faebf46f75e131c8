//! EID-records and RLOC-records: the mapping itself (RFC 9301 section 5.4).

use super::Address;

/// What to do with packets for an EID-prefix without locators: ACT (RFC 9301 section 5.4, RFC
/// 9437 for Map-Notify). The unassigned values 6 and 7 are taken as 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MapAction {
    /// 0: entry is kept, nothing is encapsulated.
    #[default]
    NoAction = 0,
    /// 1: forward natively.
    NativelyForward = 1,
    /// 2: packets that match trigger a Map-Request.
    SendMapRequest = 2,
    /// 3: drop, no reason given.
    DropNoReason = 3,
    /// 4: drop, policy denied.
    DropPolicyDenied = 4,
    /// 5: drop, authentication failure.
    DropAuthFailure = 5,
}

/// An EID-prefix and its locator-set.
///
/// ```text
/// |                          Record TTL                           |
/// | Locator Count | EID mask-len  | ACT |A|      Reserved         |
/// | Rsvd  |  Map-Version Number   |       EID-Prefix-AFI          |
/// |                          EID-Prefix ...                       |
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EidRecord {
    /// Life of the mapping in minutes. 0: remove at once; `u32::MAX`: the receiver decides.
    pub ttl_minutes: u32,
    /// Bits of the (inner) address that count (TRAP 10).
    pub mask_len: u8,
    /// ACT; [`MapAction::NoAction`] whenever a locator counts.
    pub action: MapAction,
    /// A: from an ETR of the site. A proxy must send 0.
    pub authoritative: bool,
    /// Map-Version, 12 bits; 0 = none (RFC 9302).
    pub map_version: u16,
    /// EID, host bits zero.
    pub eid: Address,
    /// Locators in wire order: the ordinal numbers the Locator-Status-Bits.
    pub locators: Vec<LocatorRecord>,
}

/// A locator of a mapping.
///
/// ```text
/// |  Priority     |    Weight     |  M Priority   |   M Weight    |
/// |        Unused Flags     |L|p|R|           Loc-AFI             |
/// |                             Locator ...                       |
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LocatorRecord {
    /// Lower is better; 255 = not for unicast.
    pub priority: u8,
    /// Relative share among equal priority, no percentage (TRAP 13).
    pub weight: u8,
    /// Multicast priority; 255 = not for multicast.
    pub m_priority: u8,
    /// Multicast weight.
    pub m_weight: u8,
    /// L: it is the replying ETR's own.
    pub local: bool,
    /// p: it is the locator that was probed.
    pub probed: bool,
    /// R: the sender has a route to it. R=0 in a Map-Reply: must not be encapsulated to.
    pub reachable: bool,
    /// The locator.
    pub address: Address,
}
