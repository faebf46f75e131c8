//! The shape of the configuration file as written. Each key's documentation is what an operator
//! reads: in `configs/reference.toml`, in the JSON Schema, and as the remedy in an error.
//!
//! Conventions of the documentation, held by a test: the first sentence is a noun phrase that can
//! follow "give"; then `Required.` or `Default: ...`; then `Change:` with `live` or `process restart`: what must happen until a changed value counts.
//!
//! Every key is a [`Key`], absent or given: what is missing is found by `x-required` together with
//! all other problems, instead of one at a time by serde.

mod daemon;
mod limits;
mod lisp;
mod map_server;
mod port;

pub use daemon::{DaemonTable, DpdkTable, HoldTable, WorkersTable};
pub use limits::LimitsTable;
pub use lisp::{DatabaseTable, LispTable, LocatorTable, MapServerPeerTable, StaticMappingTable};
pub use map_server::{KeyTable, MapResolverTable, MapServerTable, SitePrefixTable, SiteTable};
pub use port::{PortTable, VrfTable};

use super::leaf::{At, Key};
use schemars::JsonSchema;
use serde::Deserialize;

/// The configuration of one `pxtrd`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(title = "pxtrd")]
pub struct File {
    /// The process: its name, its sockets, its log.
    #[schemars(extend("x-required" = true))]
    pub daemon: Key<DaemonTable>,
    /// The memory and arguments of DPDK.
    pub dpdk: Key<DpdkTable>,
    /// The worker cores that forward packets.
    pub workers: Key<WorkersTable>,
    /// The first packets that wait for a mapping or a neighbour.
    pub hold: Key<HoldTable>,
    /// The NIC ports, one table each. Daemons that only have roles of the mapping system need none.
    pub port: Key<Vec<At<PortTable>>>,
    /// The VRFs, one table each: every VRF has its own Instance-ID, map-cache and routing table.
    /// Without any there is one: "default", Instance-ID 0, the kernel's main table.
    pub vrf: Key<Vec<At<VrfTable>>>,
    /// The LISP roles and what they need.
    #[schemars(extend("x-required" = true))]
    pub lisp: Key<LispTable>,
    /// The sites of role map-server.
    pub map_server: Key<MapServerTable>,
    /// The part of role map-resolver.
    pub map_resolver: Key<MapResolverTable>,
    /// The limits and intervals of the control plane.
    pub limits: Key<LimitsTable>,
}
