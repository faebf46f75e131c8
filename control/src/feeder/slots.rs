//! Slot numbers: handed out once, reused only when every worker has let go of the old meaning.

use std::collections::VecDeque;

/// Hands out numbers below a limit, lowest unused first at the start, then what came back.
#[derive(Debug)]
pub(super) struct SlotPool {
    next: u32,
    limit: u32,
    free: Vec<u32>,
    /// Returned numbers with the sequence number of the last delta that could name them.
    quarantine: VecDeque<(u64, u32)>,
}

impl SlotPool {
    pub(super) fn new(limit: u32) -> Self {
        Self { next: 0, limit, free: Vec::new(), quarantine: VecDeque::new() }
    }

    /// A number nobody uses; `None`: all are in use or in quarantine.
    pub(super) fn take(&mut self) -> Option<u32> {
        if let Some(slot) = self.free.pop() {
            return Some(slot);
        }
        let slot = self.next;
        (slot < self.limit).then(|| {
            self.next += 1;
            slot
        })
    }

    /// Would `take` give one?
    pub(super) fn has_room(&self) -> bool {
        !self.free.is_empty() || self.next < self.limit
    }

    /// Gives a number back. `fence`: sequence number of the last delta sent so far.
    pub(super) fn give_back(&mut self, slot: u32, fence: u64) {
        self.quarantine.push_back((fence, slot));
    }

    /// All workers have applied every delta up to `applied`.
    pub(super) fn settle(&mut self, applied: u64) {
        while let Some(&(fence, slot)) = self.quarantine.front()
            && fence <= applied
        {
            self.quarantine.pop_front();
            self.free.push(slot);
        }
    }

    /// Numbers in use, quarantine included.
    pub(super) fn in_use(&self) -> u32 {
        self.next - self.free.len() as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_reused_only_behind_its_fence() {
        let mut pool = SlotPool::new(2);
        assert_eq!((pool.take(), pool.take(), pool.take()), (Some(0), Some(1), None));
        pool.give_back(0, 7);
        pool.give_back(1, 9);
        pool.settle(6);
        assert_eq!(pool.take(), None);
        pool.settle(8);
        assert_eq!((pool.take(), pool.take()), (Some(0), None));
        assert_eq!(pool.in_use(), 2);
    }
}
