//! VRFs and policers.

use ipnet::IpNet;
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

/// Policers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policers {
    /// Policers in all.
    pub policers_total: u64,
    /// The reply ends at its limit.
    pub truncated: bool,
    /// In the order of the configuration.
    pub policers: Vec<PolicerState>,
}

/// A policer, and what came to it since it is there, all workers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicerState {
    /// Name.
    pub policer: String,
    /// VRF.
    pub vrf: String,
    /// Instance-ID.
    pub instance_id: u32,
    /// EID-prefixes of the sites whose packets it holds; `null`: all of the VRF.
    pub eid_prefixes: Option<Vec<IpNet>>,
    /// Units a second.
    pub rate: u64,
    /// Units at once.
    pub burst: u64,
    /// `bits` or `packets`.
    pub unit: String,
    /// Let through: inner IP packets, bytes from the IP header on.
    pub passed: PacketsBytes,
    /// Dropped; the same.
    pub dropped: PacketsBytes,
}
