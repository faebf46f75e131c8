//! What comes out of the feeder: deltas for every worker, events for the engine, wishes for netlink.

use crate::engine::event::Event;
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
