//! What is answered about VRFs, sub-interfaces and policers.

use super::core::Runtime;
use super::plane::Plane;
use crate::api::{ListQuery, PacketsBytes, PolicerState, Policers, PortCounters, VrfState, Vrfs};
use crate::config::{Policer, Vrf};
use pxtr_dataplane::launch::WorkerHandle;
use pxtr_dataplane::policer::{Rate, Unit};
use pxtr_dataplane::traffic::{Flow, Traffic, VrfTraffic};
use pxtr_dataplane::types::PortId;

/// `show vrfs`.
pub(super) fn vrfs(runtime: &Runtime, query: &ListQuery) -> Vrfs {
    let all = &runtime.config.vrfs;
    let wanted: Vec<_> = all.iter().filter(|vrf| query.accepts(vrf.iid.0)).collect();
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

/// `show policers`.
pub(super) fn policers(runtime: &Runtime, query: &ListQuery) -> Policers {
    let config = &runtime.config;
    let all = config
        .policers
        .iter()
        .filter_map(|policer| Some((policer, config.vrfs.get(usize::from(policer.vrf.0))?)));
    let wanted: Vec<_> = all.filter(|(_, vrf)| query.accepts(vrf.iid.0)).collect();
    Policers {
        policers_total: config.policers.len() as u64,
        truncated: wanted.len() > query.limit(),
        policers: wanted.into_iter().take(query.limit()).map(|each| policer(runtime, each)).collect(),
    }
}

fn policer(runtime: &Runtime, (policer, vrf): (&Policer, &Vrf)) -> PolicerState {
    let plane = runtime.plane.as_ref();
    let id = plane.and_then(|plane| plane.feeder.policer(&policer.name));
    let counters: Vec<_> = tables(plane).filter_map(|table| table.policer(id?)).collect();
    let Rate { per_second, burst, unit } = policer.rate;
    PolicerState {
        policer: policer.name.clone(),
        vrf: vrf.name.clone(),
        instance_id: vrf.iid.0,
        eid_prefixes: policer.eid_prefixes.clone(),
        rate: per_second,
        burst,
        unit: match unit {
            Unit::Bits => "bits",
            Unit::Packets => "packets",
        }
        .to_owned(),
        passed: sum(counters.iter().map(|counters| &counters.passed)),
        dropped: sum(counters.iter().map(|counters| &counters.dropped)),
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
