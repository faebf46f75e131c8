//! Map-cache entries: what each one does, and what it has done.

use super::action::{self, pack, unpack};
use crate::feed::MapAction;
use crate::slots::SharedSlots;
use crate::types::EntryId;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use zerocopy::FromZeros;

/// One entry: 32 bytes, so that two share a cache line and none straddles one.
///
/// Written by the worker that owns the replica, read by it and by control. The fields are
/// independent: a reader may see `packets` a moment before `bytes`.
#[derive(Debug, Default, FromZeros)]
#[repr(C, align(32))]
pub struct EntrySlot {
    action: AtomicU64,
    packets: AtomicU64,
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

    /// Counts packets of that many bytes in all. Only the worker that owns the table may.
    #[inline(always)]
    pub(crate) fn count(&self, packets: u64, bytes: u64) {
        self.packets.store(self.packets.load(Relaxed).wrapping_add(packets), Relaxed);
        self.bytes.store(self.bytes.load(Relaxed).wrapping_add(bytes), Relaxed);
    }

    /// Packets and inner bytes (IP header to end) since the slot was last bound to a prefix.
    #[must_use]
    pub fn counters(&self) -> (u64, u64) {
        (self.packets.load(Relaxed), self.bytes.load(Relaxed))
    }
}

/// Counters of all entries of one worker, for control.
pub type EntryCounters = Arc<SharedSlots<EntrySlot>>;

/// The entries of one replica, by [`EntryId`].
#[derive(Debug)]
pub struct EntryTable {
    slots: EntryCounters,
}

impl EntryTable {
    /// An empty table for slot numbers below `limit`.
    #[must_use]
    pub fn new(limit: u32) -> Self {
        Self { slots: SharedSlots::new(limit) }
    }

    /// Control's view. May be asked for once, at the start: the table grows inside it.
    #[must_use]
    pub fn counters(&self) -> EntryCounters {
        Arc::clone(&self.slots)
    }

    /// All slots by number, vacant ones included.
    #[inline(always)]
    #[must_use]
    pub fn slots(&self) -> &[EntrySlot] {
        self.slots.all()
    }

    /// What the entry does; a vacant slot has no locator.
    #[inline]
    #[must_use]
    pub fn action(&self, id: EntryId) -> MapAction {
        self.slots.get(id.0).map_or_else(|| unpack(0), EntrySlot::action)
    }

    /// Asks for the entry's cache line.
    #[inline]
    pub fn prefetch(&self, id: EntryId) {
        if let Some(slot) = self.slots.get(id.0) {
            dpdk_sys::prefetch(slot);
        }
    }

    /// Adds to the entry's counters: packets, and their inner bytes.
    ///
    /// A load and a store rather than a locked addition: there is one writer.
    #[inline]
    pub fn count(&self, id: EntryId, packets: u64, bytes: u64) {
        if let Some(slot) = self.slots.get(id.0) {
            slot.count(packets, bytes);
        }
    }

    /// Sets what the entry does. False: the slot number is beyond the limit.
    pub fn set(&mut self, id: EntryId, action: MapAction) -> bool {
        let slot = self.slots.reserve(id.0);
        slot.inspect(|slot| slot.action.store(pack(action), Relaxed)).is_some()
    }

    /// Starts the counters anew, for a slot that gets another prefix.
    pub fn reset_counters(&mut self, id: EntryId) {
        if let Some(slot) = self.slots.get(id.0) {
            slot.packets.store(0, Relaxed);
            slot.bytes.store(0, Relaxed);
        }
    }

    /// Empties a slot. Its counters stay until it is bound again, so that control can read the last
    /// values of an entry that has gone.
    pub fn vacate(&mut self, id: EntryId) {
        if let Some(slot) = self.slots.get(id.0) {
            slot.action.store(0, Relaxed);
        }
    }

    /// Bytes of memory.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.slots.memory_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::Target;
    use crate::types::RlocId;

    #[test]
    fn control_reads_what_the_worker_counts() {
        assert_eq!(size_of::<EntrySlot>(), 32);
        let mut table = EntryTable::new(2000);
        let view = table.counters();
        let action = MapAction::Encapsulate(Target::Rloc(RlocId(9)));
        assert!(table.set(EntryId(1999), action));
        table.count(EntryId(1999), 1, 100);
        table.count(EntryId(1999), 2, 60);
        assert_eq!(view.get(1999).map(EntrySlot::counters), Some((3, 160)));
        assert_eq!(table.action(EntryId(1999)), action);
        table.vacate(EntryId(1999));
        assert_eq!(table.action(EntryId(1999)), MapAction::NoLocator { unreachable: false });
        assert_eq!(view.get(1999).map(EntrySlot::counters), Some((3, 160)));
        table.reset_counters(EntryId(1999));
        assert_eq!(view.get(1999).map(EntrySlot::counters), Some((0, 0)));
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
