//! VRFs.

use serde::{Deserialize, Serialize};

/// VRFs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vrfs {
    /// VRFs in all.
    pub vrfs_total: u64,
    /// The reply ends at its limit.
    pub truncated: bool,
    /// In the order of the configuration.
    pub vrfs: Vec<VrfState>,
}

/// A VRF, and what its packets came to since the start of the daemon, all workers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VrfState {
    /// Name.
    pub vrf: String,
    /// Instance-ID.
    pub instance_id: u32,
    /// Its ports and sub-interfaces.
    pub ports: Vec<String>,
    /// Received on these, whatever it was: on an underlay port also the LISP packets of other VRFs.
    pub received: PacketsBytes,
    /// Got LISP headers, as it left.
    pub encapsulated: PacketsBytes,
    /// Came out of LISP headers, without these.
    pub decapsulated: PacketsBytes,
    /// Went to an Ethernet next hop without LISP headers, what came out of some included.
    pub forwarded: PacketsBytes,
    /// Packets received and dropped. What is dropped before its VRF is known counts with that of the port;
    /// what a transmit queue has no room for with none.
    pub dropped_packets: u64,
}

/// Packets, and their bytes as frames: Ethernet header included, VLAN tags not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PacketsBytes {
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
}

impl From<(u64, u64)> for PacketsBytes {
    fn from((packets, bytes): (u64, u64)) -> Self {
        Self { packets, bytes }
    }
}
