//! What the daemon is in the mapping system: its RLOCs, and whom it asks and registers with.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// The answer to `show lisp`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lisp {
    /// Roles in force, as in `lisp.roles`.
    pub roles: Vec<String>,
    /// Our RLOCs; the first of each family is the ITR-RLOC of Map-Requests.
    pub rlocs: Vec<IpAddr>,
    /// Map-Resolvers, in order of preference.
    pub map_resolvers: Vec<MapResolverState>,
    /// Map-Servers that we register with.
    pub map_servers: Vec<IpAddr>,
    /// VRFs.
    pub instances: Vec<LispInstance>,
}

/// A Map-Resolver as we know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MapResolverState {
    /// Its address.
    pub address: IpAddr,
    /// It stopped answering; others are asked first.
    pub suspect: bool,
    /// Map-Requests without an answer since the last answer.
    pub unanswered: u32,
    /// Time that the last answer took, milliseconds; `null`: none yet.
    pub rtt_ms: Option<u64>,
}

/// A VRF as LISP sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LispInstance {
    /// Name of the VRF.
    pub vrf: String,
    /// Instance-ID.
    pub instance_id: u32,
    /// EID space that the proxy attracts.
    pub eid_space: Vec<IpNet>,
}
