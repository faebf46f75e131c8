//! Both ends of a watch: control's, which makes records and reads them, and the worker's.

use super::filter::Filter;
use super::record::{Event, Record};
use super::watchers::MAX_WATCHES;
use crate::io::BURST;
use crate::ring::{Consumer, Producer, ring};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// Frames that are sent on behalf of one packet at most and then told in order: fragments, and an ICMP
/// error. Further ones are told before it.
pub(super) const AFTER: usize = 8;

/// The worker's end of a watch.
#[derive(Debug)]
pub struct Watch {
    pub(super) filter: Filter,
    /// Received packets that it still wants.
    pub(super) left: u64,
    /// Received packets that it wanted.
    pub(super) number: u64,
    /// Packets of those that wait: it is not over before it has told what became of them.
    pub(super) owed: u64,
    pub(super) empty: Consumer<Record>,
    pub(super) full: Producer<Record>,
    /// By position in the present burst: records that have the bytes and wait for the story.
    pub(super) begun: [Option<Record>; BURST],
    /// That of the packet at hand.
    pub(super) now: Option<Record>,
    /// What was sent on behalf of the packet at hand: told after it.
    pub(super) after: Vec<(Record, Event)>,
    /// Records that were not told after all.
    pub(super) spare: Vec<Record>,
    missed: Arc<AtomicU64>,
    ended: Arc<AtomicBool>,
}

/// Control's end. Dropped, the watch ends.
#[derive(Debug)]
pub struct WatchHandle {
    empty: Producer<Record>,
    full: Consumer<Record>,
    missed: Arc<AtomicU64>,
    ended: Arc<AtomicBool>,
}

/// A watch for `packets` received packets, with `records` records of `snap` bytes each.
#[must_use]
pub fn watch(filter: Filter, packets: u64, records: usize, snap: usize) -> (Box<Watch>, WatchHandle) {
    let (mut empty, worker_empty) = ring(records);
    let (worker_full, full) = ring(records);
    while empty.push(Record::empty(snap)).is_ok() {}
    let (missed, ended) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let watch = Watch {
        filter,
        left: packets,
        number: 0,
        owed: 0,
        empty: worker_empty,
        full: worker_full,
        begun: [const { None }; BURST],
        now: None,
        after: Vec::with_capacity(AFTER),
        spare: Vec::with_capacity(BURST + AFTER + 2),
        missed: missed.clone(),
        ended: ended.clone(),
    };
    (Box::new(watch), WatchHandle { empty, full, missed, ended })
}

impl Watch {
    /// Nobody reads it any more, or it has seen enough.
    pub(super) fn is_over(&self) -> bool {
        self.ended.load(Relaxed)
    }

    /// It has seen enough.
    pub(super) fn end(&self) {
        self.ended.store(true, Relaxed);
    }

    /// A packet that it wanted and had no record for.
    pub(super) fn miss(&self) {
        self.missed.store(self.missed.load(Relaxed).wrapping_add(1), Relaxed);
    }
}

impl WatchHandle {
    /// Reads the oldest record, if there is one; it is used again afterwards.
    pub fn read<R>(&mut self, read: impl FnOnce(&Record) -> R) -> Option<R> {
        let record = self.full.pop()?;
        let result = read(&record);
        // There is room: the record came out of this ring.
        let _ = self.empty.push(record);
        Some(result)
    }

    /// Packets that were wanted and not told, because no record was empty.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.missed.load(Relaxed)
    }

    /// It has told everything that it was to tell.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.ended.load(Relaxed) && self.full.is_empty()
    }
}

impl Drop for WatchHandle {
    fn drop(&mut self) {
        self.ended.store(true, Relaxed);
    }
}

/// The worker's ends of the rings that watches come and go by.
#[derive(Debug)]
pub struct WatchLink {
    pub(super) new: Consumer<Box<Watch>>,
    pub(super) old: Producer<Box<Watch>>,
}

/// Control's ends of the same.
#[derive(Debug)]
pub struct WatchDesk {
    put: Producer<Box<Watch>>,
    back: Consumer<Box<Watch>>,
}

impl WatchDesk {
    /// Hands a watch to the worker, which begins within a few milliseconds; gives it back when too many
    /// wait.
    pub fn put(&mut self, watch: Box<Watch>) -> Result<(), Box<Watch>> {
        self.put.push(watch)
    }

    /// Frees watches that are over; returns how many.
    pub fn free(&mut self) -> usize {
        std::iter::from_fn(|| self.back.pop()).count()
    }
}

/// Both ends.
#[must_use]
pub fn watch_link() -> (WatchLink, WatchDesk) {
    let (put, new) = ring(MAX_WATCHES);
    // As many as there can be: the worker's places, and those that wait for one.
    let (old, back) = ring(2 * MAX_WATCHES);
    (WatchLink { new, old }, WatchDesk { put, back })
}
