//! Room behind runs of records, so that one which grows or shrinks stays where it is.
//!
//! A run that moves takes another one's place in a free list, gives up its own, and all that lead to it have to follow:
//! some ten cache lines from all over a large table. So a run keeps what is removed from it, and gets more
//! than it needs when it has to move. What it keeps is neither in use nor free: the last record of it says that it is
//! the end of a free run of none, with which a neighbour that is freed is not joined.
//!
//! Arenas of one chunk, as small tables have them, give room to nobody: a run there takes what is free behind it.

use super::arena::{Arena, FreeRun, NONE, Record};

/// Longest run, with its room: what an [`Arena`] allocates.
const LONGEST: usize = 255;

/// A run and the records behind it that it keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    /// Index of the first record.
    pub index: u32,
    /// Records in use.
    pub length: usize,
    /// Records behind them.
    pub room: u16,
}

/// Room that a run of this length gets when it moves, or has left when it gives some back.
const fn usual(length: usize) -> usize {
    1 + length / 32
}

/// The most room that it keeps.
const fn most(length: usize) -> usize {
    2 + length / 8
}

impl<T: Record> Arena<T> {
    /// Replaces `remove` records by `insert` at place `at` of a run. Returns the run as it is now; with its room it
    /// takes at most 255 records.
    pub(super) fn splice_in_room(&mut self, run: Extent, at: usize, remove: usize, insert: &[T]) -> Extent {
        let Extent { index, length, room } = run;
        let room = usize::from(room);
        let (tail_from, tail_to) = (at + remove, at + insert.len());
        let tail = length - tail_from;
        let now = tail_to + tail;
        if self.is_small() && room == 0 {
            return Extent { index: self.splice(index, length, at, remove, insert), length: now, room: 0 };
        }
        if now == 0 || now > length + room {
            return self.splice_elsewhere(run, at, remove, insert);
        }
        self.copy(index + tail_from as u32, index + tail_to as u32, tail);
        self.write(index + at as u32, insert);
        if now > length {
            self.mark(index + length as u32, now - length, true);
            return Extent { index, length: now, room: (length + room - now) as u16 };
        }
        self.mark(index + now as u32, length - now, false);
        let (spare, usual) = (length + room - now, usual(now));
        if spare <= most(now) {
            if room == 0 && spare > 0 {
                self.reserve(index + now as u32, spare);
            }
            return Extent { index, length: now, room: spare as u16 };
        }
        self.reserve(index + now as u32, usual);
        self.free(index + (now + usual) as u32, spare - usual);
        Extent { index, length: now, room: usual as u16 }
    }

    /// The same for a run that has to move.
    fn splice_elsewhere(&mut self, run: Extent, at: usize, remove: usize, insert: &[T]) -> Extent {
        let Extent { index, length, room } = run;
        let (tail_from, tail_to) = (at + remove, at + insert.len());
        let now = tail_to + length - tail_from;
        let more = if now == 0 { 0 } else { usual(now).min(LONGEST.saturating_sub(now)) };
        let new = self.allocate(now + more);
        self.copy(index, new, at);
        self.write(new.wrapping_add(at as u32), insert);
        self.copy(index + tail_from as u32, new.wrapping_add(tail_to as u32), length - tail_from);
        self.free(index, length + usize::from(room));
        if more > 0 {
            self.mark(new.wrapping_add(now as u32), more, false);
            self.reserve(new.wrapping_add(now as u32), more);
        }
        Extent { index: new, length: now, room: more as u16 }
    }

    /// Says that so many records, 1 or more, are room.
    fn reserve(&mut self, index: u32, count: usize) {
        let last = index.wrapping_add(count as u32 - 1);
        self.set_free_run(last, FreeRun { length: 0, previous: NONE, next: NONE });
    }
}

#[cfg(test)]
mod tests {
    use super::super::Key6;
    use super::super::node::Leaf;
    use super::*;
    use dpdk_sys::Supply;
    use proptest::prelude::*;

    fn leaf(value: u32) -> Leaf<Key6> {
        Leaf { value, ..Leaf::default() }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Runs with room keep their contents, and all that they give back is one free run in the end.
        #[test]
        fn runs_with_room_keep_their_contents(
            steps in prop::collection::vec((0usize..48, 0usize..255, 0usize..5, 0usize..5), 1..600),
        ) {
            let mut arena = Arena::<Leaf<Key6>>::new(&Supply::default());
            // More than a chunk.
            let filling = (0..20).map(|_| arena.add(&[leaf(0); 200])).collect::<Vec<_>>();
            let nothing = Extent { index: 0, length: 0, room: 0 };
            let mut runs = vec![(nothing, Vec::new()); 48];
            let mut serial = 1;
            for (step, (which, at, remove, count)) in steps.into_iter().enumerate() {
                let (extent, leaves) = &mut runs[which];
                let at = at.min(leaves.len());
                let remove = remove.min(leaves.len() - at);
                let count = count.min(LONGEST - leaves.len());
                let insert: Vec<_> = (serial..serial + count as u32).map(leaf).collect();
                serial += count as u32;
                *extent = arena.splice_in_room(*extent, at, remove, &insert);
                leaves.splice(at..at + remove, insert);
                prop_assert_eq!(extent.length, leaves.len());
                prop_assert!(usize::from(extent.room) <= most(leaves.len()));
                if step % 8 > 0 {
                    continue;
                }
                for (extent, leaves) in &runs {
                    prop_assert_eq!(arena.run(extent.index, extent.length), &leaves[..]);
                }
                let used: usize = runs.iter().map(|(_, leaves)| leaves.len()).sum();
                prop_assert_eq!(arena.iter().count(), used + filling.len() * 200);
            }
            let capacity = arena.capacity();
            for (extent, _) in runs {
                arena.free(extent.index, extent.length + usize::from(extent.room));
            }
            for index in filling {
                arena.free(index, 200);
            }
            prop_assert_eq!(arena.free_at_starts().sum::<usize>(), capacity);
        }
    }

    /// What comes and goes leaves its neighbours where they are.
    #[test]
    fn a_run_stays_where_it_is() {
        let mut arena = Arena::<Leaf<Key6>>::new(&Supply::default());
        for _ in 0..20 {
            arena.add(&[leaf(0); 200]);
        }
        let mut run = Extent { index: 0, length: 0, room: 0 };
        for n in 0..40 {
            run = arena.splice_in_room(run, run.length, 0, &[leaf(n)]);
        }
        let at = run.index;
        for n in 0..40usize {
            run = arena.splice_in_room(run, n, 1, &[]);
            run = arena.splice_in_room(run, n, 0, &[leaf(n as u32)]);
            assert_eq!((run.index, run.length), (at, 40));
        }
    }
}
