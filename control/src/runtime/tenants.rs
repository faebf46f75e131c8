//! What is answered about VRFs and sub-interfaces.

use super::core::Runtime;
use super::plane::Plane;
use crate::api::{ListQuery, PacketsBytes, PortCounters, VrfState, Vrfs};
use crate::config::Vrf;
use pxtr_dataplane::launch::WorkerHandle;
use pxtr_dataplane::traffic::{Flow, Traffic, VrfTraffic};
use pxtr_dataplane::types::PortId;

/// `show vrfs`.
pub(super) fn vrfs(runtime: &Runtime, query: &ListQuery) -> Vrfs {
    let all = &runtime.config.vrfs;
    let wanted: Vec<_> =
        all.iter().filter(|vrf| query.instance_id.is_none_or(|iid| iid == vrf.iid.0)).collect();
    Vrfs {
        vrfs_total: all.len() as u64,
        truncated: wanted.len() > query.limit(),
        vrfs: wanted.into_iter().take(query.limit()).map(|vrf| state(runtime, vrf)).collect(),
    }
}

fn state(runtime: &Runtime, vrf: &Vrf) -> VrfState {
    let counters: Vec<&VrfTraffic> =
        tables(runtime.plane.as_ref()).filter_map(|table| table.vrf(vrf.id)).collect();
    let sum = |of: fn(&VrfTraffic) -> &Flow| sum(counters.iter().map(|counters| of(counters)));
    let ports = runtime.config.ports.iter().filter(|port| port.vrf == vrf.id);
    VrfState {
        vrf: vrf.name.clone(),
        instance_id: vrf.iid.0,
        ports: ports.map(|port| port.name.clone()).collect(),
        received: sum(|counters| &counters.received),
        encapsulated: sum(|counters| &counters.encapsulated),
        decapsulated: sum(|counters| &counters.decapsulated),
        forwarded: sum(|counters| &counters.forwarded),
        dropped_packets: counters.iter().map(|counters| counters.dropped.get()).sum(),
    }
}

/// Counters of a sub-interface, which has no NIC of its own.
pub(super) fn subinterface(plane: Option<&Plane>, port: PortId) -> PortCounters {
    let counters: Vec<_> = tables(plane).filter_map(|table| table.subinterface(port)).collect();
    let received = sum(counters.iter().map(|counters| &counters.received));
    let sent = sum(counters.iter().map(|counters| &counters.sent));
    PortCounters {
        rx_packets: received.packets,
        rx_bytes: received.bytes,
        tx_packets: sent.packets,
        tx_bytes: sent.bytes,
        ..PortCounters::default()
    }
}

fn tables(plane: Option<&Plane>) -> impl Iterator<Item = &Traffic> {
    plane.into_iter().flat_map(|plane| plane.workers.links()).map(WorkerHandle::traffic)
}

fn sum<'a>(flows: impl Iterator<Item = &'a Flow>) -> PacketsBytes {
    let (packets, bytes) = flows.map(Flow::read).fold((0, 0), |(a, b), (c, d)| (a + c, b + d));
    PacketsBytes { packets, bytes }
}
