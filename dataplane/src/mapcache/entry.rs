//! Map-cache entries: what each one does, and what it has done.

use super::action::{self, pack, unpack};
use crate::feed::MapAction;
use crate::slots::SharedSlots;
use crate::types::EntryId;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use zerocopy::FromZeros;

/// One entry: 16 bytes, so that four share a cache line and none straddles one.
///
/// Written by the worker that owns the replica, read by it and by control. The fields are
/// independent: a reader may see `packets` a moment before `bytes`.
#[derive(Debug, Default, FromZeros)]
#[repr(C, align(16))]
pub struct EntrySlot {
    action: AtomicU32,
    /// The lower half of the number: how often it began again is told by [`EntryTable`].
    packets: AtomicU32,
    bytes: AtomicU64,
}

impl EntrySlot {
    /// What the entry says.
    #[inline(always)]
    #[must_use]
    pub fn action(&self) -> MapAction {
        unpack(self.action.load(Relaxed))
    }

    /// The number of the RLOC that packets go to, if the entry says so: else a number that no slot has.
    #[inline(always)]
    pub(crate) fn rloc_index(&self) -> usize {
        action::rloc_index(self.action.load(Relaxed))
    }

    /// There is no mapping yet: [`MapAction::SendMapRequest`].
    #[inline(always)]
    pub(crate) fn is_unresolved(&self) -> bool {
        action::is_unresolved(self.action.load(Relaxed))
    }

    /// Counts packets of that many bytes in all. Only the worker that owns the table may. True: the number of
    /// packets began again, and the table is to be told, [`EntryTable::lap`].
    #[inline(always)]
    #[must_use]
    pub(crate) fn count(&self, packets: u32, bytes: u64) -> bool {
        // A load and a store rather than a locked addition: there is one writer.
        let sum = self.packets.load(Relaxed).wrapping_add(packets);
        self.packets.store(sum, Relaxed);
        self.bytes.store(self.bytes.load(Relaxed).wrapping_add(bytes), Relaxed);
        sum < packets
    }
}

/// Counters of all entries of one worker, for control.
#[derive(Clone, Debug)]
pub struct EntryCounters {
    slots: Arc<SharedSlots<EntrySlot>>,
    /// How often the number of packets of a slot began again. Of those that never did the kernel keeps no memory.
    laps: Arc<SharedSlots<AtomicU32>>,
}

impl EntryCounters {
    /// Packets and inner bytes (IP header to end) since the slot was last bound to a prefix; `None` beyond the
    /// limit. Once in 2^32 packets the number may be read a moment too early, with the lower half new alone.
    #[must_use]
    pub fn get(&self, id: EntryId) -> Option<(u64, u64)> {
        let (slot, laps) = (self.slots.get(id.0)?, self.laps.get(id.0)?);
        let packets = u64::from(laps.load(Relaxed)) << 32 | u64::from(slot.packets.load(Relaxed));
        Some((packets, slot.bytes.load(Relaxed)))
    }

    /// Makes the pages of a slot: see [`SharedSlots::prepare`].
    pub fn prepare(&self, id: EntryId) {
        self.slots.prepare(id.0);
    }
}

/// The entries of one replica, by [`EntryId`].
#[derive(Debug)]
pub struct EntryTable {
    counters: EntryCounters,
}

impl EntryTable {
    /// An empty table for slot numbers below `limit`.
    #[must_use]
    pub fn new(limit: u32) -> Self {
        Self { counters: EntryCounters { slots: SharedSlots::new(limit), laps: SharedSlots::new(limit) } }
    }

    /// Control's view. May be asked for once, at the start: the table grows inside it.
    #[must_use]
    pub fn counters(&self) -> EntryCounters {
        self.counters.clone()
    }

    #[inline(always)]
    fn slot(&self, id: EntryId) -> Option<&EntrySlot> {
        self.counters.slots.get(id.0)
    }

    /// All slots by number, vacant ones included.
    #[inline(always)]
    #[must_use]
    pub fn slots(&self) -> &[EntrySlot] {
        self.counters.slots.all()
    }

    /// What the entry does; a vacant slot has no locator.
    #[inline]
    #[must_use]
    pub fn action(&self, id: EntryId) -> MapAction {
        self.slot(id).map_or_else(|| unpack(0), EntrySlot::action)
    }

    /// Asks for the entry's cache line.
    #[inline]
    pub fn prefetch(&self, id: EntryId) {
        if let Some(slot) = self.slot(id) {
            dpdk_sys::prefetch(slot);
        }
    }

    /// Adds to the entry's counters: packets, and their inner bytes.
    #[inline]
    pub fn count(&self, id: EntryId, packets: u32, bytes: u64) {
        if self.slot(id).is_some_and(|slot| slot.count(packets, bytes)) {
            self.lap(id);
        }
    }

    /// The number of packets of the slot began again.
    #[cold]
    pub fn lap(&self, id: EntryId) {
        if let Some(laps) = self.counters.laps.reserve(id.0) {
            laps.store(laps.load(Relaxed).wrapping_add(1), Relaxed);
        }
    }

    /// Sets what the entry does. False: the slot number is beyond the limit.
    pub fn set(&mut self, id: EntryId, action: MapAction) -> bool {
        let slot = self.counters.slots.reserve(id.0);
        slot.inspect(|slot| slot.action.store(pack(action), Relaxed)).is_some()
    }

    /// Starts the counters anew, for a slot that gets another prefix.
    pub fn reset_counters(&mut self, id: EntryId) {
        if let Some(slot) = self.slot(id) {
            slot.packets.store(0, Relaxed);
            slot.bytes.store(0, Relaxed);
        }
        // Only where there were laps: a page that nobody wrote takes no memory, and reading it is a page fault.
        if let Some(laps) = self.counters.laps.reserved(id.0) {
            laps.store(0, Relaxed);
        }
    }

    /// Empties a slot. Its counters stay until it is bound again, so that control can read the last
    /// values of an entry that has gone.
    pub fn vacate(&mut self, id: EntryId) {
        if let Some(slot) = self.slot(id) {
            slot.action.store(0, Relaxed);
        }
    }

    /// Bytes of memory.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.counters.slots.memory_bytes() + self.counters.laps.memory_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::Target;
    use crate::types::RlocId;

    #[test]
    fn control_reads_what_the_worker_counts() {
        assert_eq!(size_of::<EntrySlot>(), 16);
        let mut table = EntryTable::new(2000);
        let view = table.counters();
        let action = MapAction::Encapsulate(Target::Rloc(RlocId(9)));
        assert!(table.set(EntryId(1999), action));
        table.count(EntryId(1999), 1, 100);
        table.count(EntryId(1999), 2, 60);
        assert_eq!(view.get(EntryId(1999)), Some((3, 160)));
        assert_eq!(table.action(EntryId(1999)), action);
        table.vacate(EntryId(1999));
        assert_eq!(table.action(EntryId(1999)), MapAction::NoLocator { unreachable: false });
        assert_eq!(view.get(EntryId(1999)), Some((3, 160)));
        table.reset_counters(EntryId(1999));
        assert_eq!(view.get(EntryId(1999)), Some((0, 0)));
    }

    #[test]
    fn packets_are_counted_beyond_32_bits() {
        let mut table = EntryTable::new(2000);
        let (view, id) = (table.counters(), EntryId(7));
        assert!(table.set(id, MapAction::LocalSite));
        for _ in 0..3 {
            table.count(id, u32::MAX, 1 << 40);
        }
        assert_eq!(view.get(id), Some((3 * u64::from(u32::MAX), 3 << 40)));
        assert_eq!(table.action(id), MapAction::LocalSite);
        table.reset_counters(id);
        assert_eq!(view.get(id), Some((0, 0)));
    }

    #[test]
    fn absurd_slots_are_refused() {
        let mut table = EntryTable::new(10);
        assert!(!table.set(EntryId(10), MapAction::LocalSite));
        assert!(!table.set(EntryId(u32::MAX), MapAction::LocalSite));
        table.count(EntryId(u32::MAX), 1, 1);
        assert_eq!(table.action(EntryId(u32::MAX)), MapAction::NoLocator { unreachable: false });
    }
}
