//! The words the data plane and its feeders share: instances, VRFs, ports, slots.
//!
//! All of them are plain numbers with a name, `Copy`, and free of policy.

use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// An Instance-ID as carried in the LISP data header: 24 bits (RFC 9300 section 5.3).
///
/// `0` is the default instance: sent with I=0 (RFC 9300 section 8). `0xFF_FFFF` is reserved for
/// NAT traversal (Data-Map-Notify) and can not be configured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InstanceId(pub u32);

impl InstanceId {
    /// The largest value that fits the 24 bits of the data header.
    pub const MAX: u32 = 0x00FF_FFFF;
}

/// Index of a VRF in this process: each VRF has one Instance-ID, one map-cache and one FIB.
/// `0` is the default VRF, and the underlay is routed in it unless configured otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VrfId(pub u16);

impl VrfId {
    /// No VRF: what a packet belongs to that no VRF is known of.
    pub const NONE: Self = Self(u16::MAX);
}

/// Index of a NIC port in this process, in the order of the configuration, and behind all of them of a
/// sub-interface. Not DPDK's port number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PortId(pub u16);

/// The VLAN tags of a sub-interface's frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tags {
    /// Identifier of the outer, or only, tag: 1 to 4094.
    pub outer: u16,
    /// Identifier of the second tag (QinQ).
    pub inner: Option<u16>,
    /// The outer tag is sent as a service tag (802.1ad, 0x88a8), else as 802.1Q (0x8100). Received
    /// frames may have either.
    pub service: bool,
}

impl Tags {
    /// Bytes of the tags.
    #[must_use]
    pub const fn bytes(self) -> usize {
        if self.inner.is_some() { 8 } else { 4 }
    }
}

/// Slot of a map-cache entry. Handed out by control, the same number in every replica.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EntryId(pub u32);

/// Slot of an RLOC: holds the whole outer rewrite. Handed out by control.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RlocId(pub u32);

/// Slot of a locator-set's bucket table. Handed out by control, shared by equal locator-sets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LocatorSetId(pub u32);

/// Slot of an adjacency: a resolved (or not yet resolved) Ethernet next hop. Handed out by control.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AdjacencyId(pub u32);

/// Slot of a LISP site that may send to us. Handed out by control, the same number in every replica.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SiteId(pub u32);

/// Slot of an outer source that we have keys for. Handed out by control, the same number in every replica.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PeerId(pub u32);

/// Where a policer counts. Handed out by control, the same number in every worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PolicerId(pub u32);

/// An Ethernet address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MacAddr(pub [u8; 6]);

impl std::fmt::Display for MacAddr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let m = self.0;
        write!(f, "{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", m[0], m[1], m[2], m[3], m[4], m[5])
    }
}

/// An endpoint: who, in which VRF.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Eid {
    /// The VRF it lives in.
    pub vrf: VrfId,
    /// Its address.
    pub addr: IpAddr,
}
