//! What control does for a replica's memory.

use super::tables::Replica;
use crate::feed::Delta;
use crate::mapcache::{EntryCounters, RlocCounters};
use crate::traffic::Traffic;

/// Control's hand in the memory of a worker's replica: what a delta will need is there before the worker gets it, so
/// that it meets no page fault. One for each replica, on the side that feeds it.
#[derive(Debug)]
pub struct Supplier {
    entries: EntryCounters,
    rlocs: RlocCounters,
    traffic: Traffic,
}

impl Supplier {
    /// To be called before a delta is handed over. Asks the kernel for memory now and then: not for workers.
    pub fn before(&mut self, delta: &Delta) {
        match delta {
            Delta::MapSet { entry, .. } => self.entries.prepare(*entry),
            Delta::RlocSet(rloc, _) => self.rlocs.prepare(rloc.0),
            Delta::VrfSet(vrf, _) => self.traffic.prepare_vrf(*vrf),
            Delta::PortSet(port, _) => self.traffic.prepare_subinterface(*port),
            _ => {}
        }
    }
}

impl Replica {
    /// For control, which feeds it. Ask once, at the start.
    #[must_use]
    pub fn supplier(&self) -> Supplier {
        Supplier {
            entries: self.entry_counters(),
            rlocs: self.rloc_counters(),
            traffic: self.traffic().clone(),
        }
    }
}
