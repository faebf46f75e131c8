//! What comes out of the feeder: deltas for every worker, events for the engine, wishes for netlink.

use crate::engine::event::{EidPrefix, Event};
use crate::netlink::HostRoute;
use pxtr_dataplane::feed::Delta;
use pxtr_dataplane::types::RlocId;
use std::net::IpAddr;

/// A neighbour that the kernel is to resolve or confirm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ask {
    /// Interface index.
    pub link: u32,
    /// Neighbour.
    pub addr: IpAddr,
}

/// A host that may have left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The host.
    pub eid: EidPrefix,
    /// Interface index.
    pub link: u32,
}

/// Collected by the feeder's methods, drained by the runtime.
#[derive(Debug, Default)]
pub struct Output {
    /// For every worker, in this order, each with its sequence number.
    pub deltas: Vec<(u64, Delta)>,
    /// For the engine.
    pub events: Vec<Event>,
    /// For netlink.
    pub asks: Vec<Ask>,
    /// RLOC slots that were given to another RLOC: their counters start anew from here.
    pub rebound_rlocs: Vec<RlocId>,
    /// Host routes that the kernel is to have or to lose.
    pub host_routes: Vec<HostRoute>,
    /// Hosts that the kernel is to be asked about, for [`Event::HostProbed`].
    pub probes: Vec<Probe>,
    sequence: u64,
}

impl Output {
    pub(super) fn delta(&mut self, delta: Delta) {
        self.sequence += 1;
        self.deltas.push((self.sequence, delta));
    }

    /// Sequence number of the last delta.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }
}
