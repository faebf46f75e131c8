//! The file as a whole.

use super::{
    AdmissionTable, DaemonTable, DdtNodeTable, DpdkTable, HoldTable, LimitsTable, LispSecTable, LispTable,
    MapResolverTable, MapServerTable, PolicerTable, PortTable, RtrTable, TrustedTable, VrfTable,
    WorkersTable,
};
use crate::config::leaf::{At, Key};
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
    /// The policers, one table each: tenants and sites that are held to a rate. Without any: none is.
    pub policer: Key<Vec<At<PolicerTable>>>,
    /// The LISP roles and what they need.
    #[schemars(extend("x-required" = true))]
    pub lisp: Key<LispTable>,
    /// The senders whose LISP data is taken. Without it: all.
    pub admission: Key<AdmissionTable>,
    /// The routers whose LISP headers are believed. Without it: none.
    pub trusted: Key<TrustedTable>,
    /// The sites of role map-server.
    pub map_server: Key<MapServerTable>,
    /// The part of role map-resolver.
    pub map_resolver: Key<MapResolverTable>,
    /// The part of an RTR for sites behind NATs; for a router that is both pitr and petr.
    pub rtr: Key<RtrTable>,
    /// The part of role ddt-node.
    pub ddt_node: Key<DdtNodeTable>,
    /// The secrets of LISP-SEC (RFC 9303), which makes Map-Replies authentic.
    pub lisp_sec: Key<LispSecTable>,
    /// The limits and intervals of the control plane.
    pub limits: Key<LimitsTable>,
}
