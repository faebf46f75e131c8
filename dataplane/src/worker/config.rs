//! What a worker is made of besides its I/O.

use crate::counters::WorkerStats;
use crate::feed::Delta;
use crate::hold::HoldLimits;
use crate::launch::Idle;
use crate::path::flow::FlowKey;
use crate::path::limit::IcmpLimits;
use crate::path::outer_id::Share;
use crate::punt::Punt;
use crate::reassembly::ReassemblyLimits;
use crate::replica::{ReplicaLimits, Retired};
use crate::ring::{Consumer, Producer};
use std::sync::Arc;

/// Settings of a worker.
#[derive(Clone, Copy, Debug)]
pub struct WorkerConfig {
    /// Bounds of the replica.
    pub replica: ReplicaLimits,
    /// Bounds of the packets that wait.
    pub hold: HoldLimits,
    /// Bounds of the outer fragments that wait for the rest of their packet.
    pub reassembly: ReassemblyLimits,
    /// Bounds of the ICMP errors that are originated.
    pub icmp: IcmpLimits,
    /// Secret of the flow hash, the same for all workers.
    pub flow_key: FlowKey,
    /// Verify non-zero UDP checksums on port 4341 that the NIC has not verified.
    pub verify_udp_checksum: bool,
    /// Plain packets take the express way. Off: every packet takes all stages, as a test needs that
    /// compares both, or who suspects the express way of an error.
    pub express: bool,
    /// Which share of the outer identifications is this worker's.
    pub share: Share,
    /// What to do when there is nothing to do.
    pub idle: Idle,
}

impl WorkerConfig {
    /// Defaults with this secret.
    pub fn new(flow_key: FlowKey) -> Self {
        Self {
            replica: ReplicaLimits::default(),
            hold: HoldLimits::default(),
            reassembly: ReassemblyLimits::default(),
            icmp: IcmpLimits::default(),
            flow_key,
            verify_udp_checksum: false,
            express: true,
            share: Share::default(),
            idle: Idle::default(),
        }
    }
}

/// The worker's ends of the rings to and from control.
#[derive(Debug)]
pub struct Links {
    /// Deltas from control.
    pub feed: Consumer<Delta>,
    /// Memory that goes back to control.
    pub retired: Producer<Retired>,
    /// Events for control.
    pub punts: Producer<Punt>,
    /// Counters, shared with control.
    pub stats: Arc<WorkerStats>,
}
