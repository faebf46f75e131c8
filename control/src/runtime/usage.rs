//! Which map-cache entries carried packets: read from the workers' counters, a slice at a time.

use crate::engine::event::EidPrefix;
use crate::feeder::Feeder;
use pxtr_dataplane::types::EntryId;

/// Slots looked at per call: a million entries take four seconds of calls every 20 ms.
const SLOTS_PER_CALL: u32 = 5_000;
/// Pause between calls, milliseconds.
pub(super) const PAUSE_MS: u64 = 20;
/// A round over all slots takes at least this long, milliseconds.
pub(super) const ROUND_MS: u64 = 5_000;

/// Where the scan is, and what it saw last.
#[derive(Debug, Default)]
pub(super) struct UsageScan {
    next: u32,
    seen: Vec<u64>,
}

impl UsageScan {
    /// Looks at the next slots. `packets` sums an entry's packets over the workers. Returns the
    /// entries used since they were looked at last, and whether the round is complete.
    pub(super) fn step(
        &mut self,
        feeder: &Feeder,
        packets: impl Fn(EntryId) -> u64,
    ) -> (Vec<EidPrefix>, bool) {
        let range = feeder.entry_slot_range();
        self.seen.resize(range as usize, 0);
        let end = range.min(self.next.saturating_add(SLOTS_PER_CALL));
        let mut used = Vec::new();
        for slot in self.next..end {
            let Some(seen) = self.seen.get_mut(slot as usize) else { break };
            let now = packets(EntryId(slot));
            // Less than before: the slot was bound to another prefix, and has been used since.
            let active = now != *seen && now != 0;
            *seen = now;
            if active && let Some(eid) = feeder.eid_of_slot(EntryId(slot)) {
                used.push(eid);
            }
        }
        let complete = end >= range;
        self.next = if complete { 0 } else { end };
        (used, complete)
    }
}
