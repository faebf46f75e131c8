//! What control holds of a running worker: the other ends of its rings, and its counters.

use crate::counters::{Snapshot, WorkerStats};
use crate::feed::Delta;
use crate::mapcache::{EntryCounters, RlocCounters};
use crate::punt::Punt;
use crate::replica::{Retired, Supplier};
use crate::ring::{Consumer, Producer, ring};
use crate::traffic::Traffic;
use crate::types::{EntryId, RlocId};
use crate::watch::{Watch, WatchDesk, WatchLink, watch_link};
use crate::worker::Links;
use std::sync::Arc;

/// Deltas that wait for a worker. Control keeps what does not fit and tries again.
const FEED_DEPTH: usize = 4096;
/// Retired memory that waits for control. A worker whose ring is full stops taking deltas.
const RETIRED_DEPTH: usize = 4096;
/// Events that wait for control. Those that do not fit are lost and counted: they recur.
const PUNT_DEPTH: usize = 4096;

/// Control's hold of one worker.
#[derive(Debug)]
pub struct WorkerHandle {
    core: usize,
    feed: Producer<Delta>,
    retired: Consumer<Retired>,
    punts: Consumer<Punt>,
    stats: Arc<WorkerStats>,
    entries: EntryCounters,
    rlocs: RlocCounters,
    traffic: Traffic,
    supplier: Supplier,
    watches: WatchDesk,
}

/// Where a replica counts: entries, RLOCs, and VRFs with sub-interfaces; and where it gets its memory.
pub(super) type Tables = (EntryCounters, RlocCounters, Traffic, Supplier);

/// Control's ends of the rings of a worker that is about to start.
#[derive(Debug)]
pub(super) struct Ends {
    core: usize,
    feed: Producer<Delta>,
    retired: Consumer<Retired>,
    punts: Consumer<Punt>,
    stats: Arc<WorkerStats>,
    watches: WatchDesk,
}

/// The rings of a worker on `core`: its ends and control's.
pub(super) fn links(core: usize) -> (Links, WatchLink, Ends) {
    let (feed, worker_feed) = ring(FEED_DEPTH);
    let (worker_retired, retired) = ring(RETIRED_DEPTH);
    let (worker_punts, punts) = ring(PUNT_DEPTH);
    let stats = Arc::new(WorkerStats::default());
    let links =
        Links { feed: worker_feed, retired: worker_retired, punts: worker_punts, stats: stats.clone() };
    let (watch_link, watches) = watch_link();
    (links, watch_link, Ends { core, feed, retired, punts, stats, watches })
}

impl Ends {
    /// With the counters of the replica that the worker made on its own core.
    pub(super) fn handle(self, (entries, rlocs, traffic, supplier): Tables) -> WorkerHandle {
        let Self { core, feed, retired, punts, stats, watches } = self;
        WorkerHandle { core, feed, retired, punts, stats, entries, rlocs, traffic, supplier, watches }
    }
}

impl WorkerHandle {
    /// CPU it is pinned to.
    #[must_use]
    pub fn core(&self) -> usize {
        self.core
    }

    /// Hands a delta over, and before it the memory that it needs; gives it back when the ring is full.
    pub fn feed(&mut self, delta: Delta) -> Result<(), Delta> {
        self.supplier.before(&delta, || self.feed.len());
        self.feed.push(delta)
    }

    /// Deltas that it has not taken yet.
    #[must_use]
    pub fn feed_backlog(&self) -> usize {
        self.feed.len()
    }

    /// Deltas that it has taken since its start: the sequence number of the last one.
    #[must_use]
    pub fn applied_seq(&self) -> u64 {
        self.stats.applied.get()
    }

    /// The oldest event that it sent.
    pub fn punt(&mut self) -> Option<Punt> {
        self.punts.pop()
    }

    /// Frees the memory that it no longer needs, and prepares more for its tables; returns how many pieces were freed. To be called often enough
    /// that the ring never fills: with each batch of deltas.
    pub fn free_retired(&mut self) -> usize {
        self.supplier.top_up(self.feed.len());
        self.watches.free();
        std::iter::from_fn(|| self.retired.pop()).count()
    }

    /// Hands a watch over, which begins within a few milliseconds; gives it back when too many wait.
    pub fn watch(&mut self, watch: Box<Watch>) -> Result<(), Box<Watch>> {
        self.watches.put(watch)
    }

    /// Its counters, shared: to be read from another thread.
    #[must_use]
    pub fn stats(&self) -> Arc<WorkerStats> {
        Arc::clone(&self.stats)
    }

    /// Its counters now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.stats.snapshot()
    }

    /// Packets and bytes that a map-cache entry took.
    #[must_use]
    pub fn entry(&self, id: EntryId) -> (u64, u64) {
        self.entries.get(id).unwrap_or_default()
    }

    /// Its counters by VRF and by sub-interface.
    #[must_use]
    pub const fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// Packets and bytes sent to an RLOC.
    #[must_use]
    pub fn rloc(&self, id: RlocId) -> (u64, u64) {
        self.rlocs.get(id.0).map_or((0, 0), |slot| slot.counters())
    }
}
