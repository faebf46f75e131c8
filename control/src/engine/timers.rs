//! Timers by slot number: an indexed binary heap.
//!
//! Each slot has at most one timer. Setting, moving, cancelling and taking the earliest cost
//! O(log n) and a tick looks at due timers only: nothing scans the table, and no cancelled timer is
//! left behind. Memory: 20 bytes per slot.

use super::event::Time;

const NONE: u32 = u32::MAX;

/// One timer per slot `0..u32::MAX`.
#[derive(Clone, Debug, Default)]
pub struct Timers {
    heap: Vec<(Time, u32)>,
    /// Slot -> index into `heap`, or `NONE`.
    position: Vec<u32>,
}

impl Timers {
    /// No timers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Running timers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// No timer is running.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// The earliest deadline.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        self.heap.first().map(|&(at, _)| at)
    }

    /// Deadline of a slot's timer.
    #[must_use]
    pub fn deadline(&self, slot: u32) -> Option<Time> {
        self.index_of(slot).and_then(|i| self.heap.get(i)).map(|&(at, _)| at)
    }

    /// Starts or moves the timer of `slot`.
    pub fn set(&mut self, slot: u32, at: Time) {
        if let Some(i) = self.index_of(slot) {
            let before = self.heap[i].0;
            self.heap[i].0 = at;
            if at < before {
                self.sift_up(i);
            } else {
                self.sift_down(i);
            }
            return;
        }
        let wanted = slot as usize + 1;
        if self.position.len() < wanted {
            self.position.resize(wanted, NONE);
        }
        let i = self.heap.len();
        self.heap.push((at, slot));
        self.place(i);
        self.sift_up(i);
    }

    /// Stops the timer of `slot`, if it runs.
    pub fn cancel(&mut self, slot: u32) {
        if let Some(i) = self.index_of(slot) {
            self.remove_at(i);
        }
    }

    /// Takes the earliest timer that is due: its slot, whose timer no longer runs.
    pub fn pop_due(&mut self, now: Time) -> Option<u32> {
        let &(at, slot) = self.heap.first()?;
        if at > now {
            return None;
        }
        self.remove_at(0);
        Some(slot)
    }

    fn index_of(&self, slot: u32) -> Option<usize> {
        self.position.get(slot as usize).copied().filter(|&i| i != NONE).map(|i| i as usize)
    }

    fn remove_at(&mut self, i: usize) {
        let (_, slot) = self.heap.swap_remove(i);
        self.position[slot as usize] = NONE;
        if i < self.heap.len() {
            self.place(i);
            // The one that came from the end may belong further up or further down.
            self.sift_up(i);
            self.sift_down(i);
        }
    }

    /// Records where heap element `i` stands.
    fn place(&mut self, i: usize) {
        let slot = self.heap[i].1;
        self.position[slot as usize] = u32::try_from(i).unwrap_or(NONE);
    }

    fn sift_up(&mut self, mut i: usize) {
        while i > 0 {
            let parent = (i - 1) / 2;
            if self.heap[parent] <= self.heap[i] {
                break;
            }
            self.swap(parent, i);
            i = parent;
        }
    }

    fn sift_down(&mut self, mut i: usize) {
        loop {
            let left = 2 * i + 1;
            if left >= self.heap.len() {
                break;
            }
            let right = left + 1;
            let least =
                if right < self.heap.len() && self.heap[right] < self.heap[left] { right } else { left };
            if self.heap[i] <= self.heap[least] {
                break;
            }
            self.swap(least, i);
            i = least;
        }
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.heap.swap(a, b);
        self.place(a);
        self.place(b);
    }
}

#[cfg(test)]
mod tests {
    use super::{Time, Timers};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        /// Against an ordered set of (deadline, slot): the same earliest, the same order, nothing
        /// left over.
        #[test]
        fn behaves_like_an_ordered_set(
            ops in proptest::collection::vec((0u8..4, 0u32..40, 0u64..50), 0..400),
        ) {
            let mut timers = Timers::new();
            let mut model: BTreeSet<(u64, u32)> = BTreeSet::new();
            for (op, slot, at) in ops {
                match op {
                    0 | 1 => {
                        model.retain(|&(_, s)| s != slot);
                        model.insert((at, slot));
                        timers.set(slot, Time(at));
                    }
                    2 => {
                        model.retain(|&(_, s)| s != slot);
                        timers.cancel(slot);
                    }
                    _ => {
                        let due = model.first().copied().filter(|&(t, _)| t <= at);
                        if let Some(first) = due {
                            model.remove(&first);
                        }
                        prop_assert_eq!(timers.pop_due(Time(at)), due.map(|(_, s)| s));
                    }
                }
                prop_assert_eq!(timers.len(), model.len());
                prop_assert_eq!(timers.next_deadline(), model.first().map(|&(t, _)| Time(t)));
                let held = model.iter().find(|&&(_, s)| s == slot).map(|&(t, _)| Time(t));
                prop_assert_eq!(timers.deadline(slot), held);
            }
        }
    }
}
