//! Many lookups at once, level by level: the memory accesses of one level depend on nothing but the
//! level above, so that the processor has those of all keys under way together.

use super::node::{BUCKET, COVERING, Leaf};
use super::shortcuts::{self, ROOT};
use super::table::{Lpm, Step, select, step};
use super::{Key, NO_MATCH};

/// Keys in lockstep.
const LANES: usize = 32;

/// A set of lanes.
#[derive(Clone, Copy)]
struct Set(u32);

impl Set {
    /// Adds a lane if `wanted`; without a branch.
    #[inline(always)]
    const fn note(&mut self, lane: usize, wanted: bool) {
        self.0 |= (wanted as u32) << (lane & (LANES - 1));
    }

    #[inline(always)]
    fn iter(self) -> impl Iterator<Item = usize> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let lane = left.trailing_zeros() as usize;
            left &= left.wrapping_sub(1);
            (lane < LANES).then_some(lane)
        })
    }
}

/// Numbers of lanes, in a row.
struct List {
    lanes: [u8; LANES],
    count: usize,
}

impl List {
    const EMPTY: Self = Self { lanes: [0; LANES], count: 0 };

    /// Puts a lane on the list if `wanted`; without a branch.
    #[inline(always)]
    fn note(&mut self, lane: usize, wanted: bool) {
        if let Some(place) = self.lanes.get_mut(self.count) {
            *place = lane as u8;
        }
        self.count += usize::from(wanted);
    }

    #[inline(always)]
    fn iter(&self) -> impl Iterator<Item = usize> {
        self.lanes.iter().take(self.count).map(|lane| usize::from(*lane))
    }
}

impl<K: Key> Lpm<K> {
    /// Looks up many keys: `values[i]` becomes the value for `keys[i]`, or [`super::NO_MATCH`].
    /// Works on as many as the shorter slice has.
    pub fn lookup_burst(&self, keys: &[K], values: &mut [u32]) {
        for (keys, values) in keys.chunks(LANES).zip(values.chunks_mut(LANES)) {
            self.lookup_lanes(keys, values);
        }
    }

    /// Most lanes end at their shortcut, or at the first prefix there: no list is made of them, and
    /// nothing in their two loops depends on what was found.
    #[inline(always)]
    fn lookup_lanes(&self, keys: &[K], values: &mut [u32]) {
        // One number for all bounds: none of the checks below is left at run time.
        let count = keys.len().min(values.len()).min(LANES);
        let nothing = [Leaf::nothing(); BUCKET];
        let mut words = [0u64; LANES];
        let mut runs = [&nothing; LANES];
        let (mut more, mut others) = (Set(0), Set(0));
        if self.kept.current.is_large() {
            keys.iter().take(count).for_each(|key| self.kept.current.prefetch(*key));
        }
        for lane in 0..count {
            let (Some(key), Some(place), Some(run)) =
                (keys.get(lane), words.get_mut(lane), runs.get_mut(lane))
            else {
                break;
            };
            let word = self.kept.current.word(*key).unwrap_or_else(|| self.outside(*key));
            let kind = shortcuts::kind(word);
            *place = word;
            let found = self.leaves.window(shortcuts::index(word));
            if let Some(found) = found {
                *run = found;
                dpdk_sys::prefetch(found);
            }
            more.note(lane, kind & 6 == 2);
            others.note(lane, (kind > 3) | found.is_none());
        }
        for lane in 0..count {
            let (Some(key), Some(word), Some([first, ..]), Some(value)) =
                (keys.get(lane), words.get(lane), runs.get(lane), values.get_mut(lane))
            else {
                break;
            };
            let here = (shortcuts::kind(*word).wrapping_sub(1) < 3) & first.covers(*key);
            *value = select(here, first.value, *word as u32);
        }
        for lane in more.iter() {
            if let (Some([first, second, third]), Some(word), Some(key), Some(value)) =
                (runs.get(lane), words.get(lane), keys.get(lane), values.get_mut(lane))
            {
                let first = first.covers(*key);
                let second_here = !first & second.covers(*key);
                let third_here = !first & (shortcuts::kind(*word) == 3) & third.covers(*key);
                *value = select(third_here, third.value, *value);
                *value = select(second_here, second.value, *value);
            }
        }
        if others.0 != 0 {
            self.others(keys, &words, others, values);
        }
        if self.kept.hidden != 0 || self.kept.default != NO_MATCH {
            for (key, value) in keys.iter().zip(values).filter(|(_, value)| **value == NO_MATCH) {
                *value = self.otherwise(*key);
            }
        }
    }

    /// The word of a key that shortcuts have none for: to the root, or what that says when nothing hangs in
    /// the key's slot.
    #[inline(never)]
    fn outside(&self, key: K) -> u64 {
        let root = &self.root;
        let slot = root.slot_number(key);
        if (root.low | root.high | root.child) >> slot & 1 != 0 {
            return ROOT;
        }
        let covering = COVERING.get((slot >> 1) as usize).copied().unwrap_or(0) & root.inner;
        let longest = 63u32.checked_sub(covering.leading_zeros());
        let leaf = longest.and_then(|number| self.leaves.get(root.run() + root.inner_place(number) as u32));
        u64::from(leaf.map_or(NO_MATCH, |leaf| leaf.value))
    }

    /// Lanes whose way leads through nodes, or whose prefixes are the last ones of a chunk.
    #[inline(never)]
    fn others(&self, keys: &[K], words: &[u64; LANES], others: Set, values: &mut [u32]) {
        let mut climbers = List::EMPTY;
        for lane in others.iter() {
            let (Some(word), Some(key), Some(value)) =
                (words.get(lane), keys.get(lane), values.get_mut(lane))
            else {
                continue;
            };
            let kind = shortcuts::kind(*word);
            climbers.note(lane, kind > 3);
            if kind <= 3 {
                let found = self.covering(shortcuts::index(*word), kind, *key);
                *value = select(found != NO_MATCH, found, *word as u32);
            }
        }
        if climbers.count > 0 {
            self.climb(keys, words, &climbers, values);
        }
    }

    /// Lanes whose way leads through nodes.
    fn climb(&self, keys: &[K], words: &[u64; LANES], climbers: &List, values: &mut [u32]) {
        let mut steps = [Step::START; LANES];
        let mut active = List::EMPTY;
        for lane in climbers.iter() {
            let (Some(at), Some(word)) = (steps.get_mut(lane), words.get(lane)) else { continue };
            *at = Step { value: *word as u32, next: shortcuts::index(*word), child: true, ..Step::START };
            self.prefetch(at);
            active.note(lane, true);
        }
        while active.count > 0 {
            let mut left = List::EMPTY;
            for lane in active.iter() {
                let (Some(at), Some(key)) = (steps.get_mut(lane), keys.get(lane)) else { continue };
                // The only index without a node is that of the root.
                *at = step(self.nodes.get(at.next).unwrap_or(&self.root), *key, *at);
                self.prefetch(at);
                left.note(lane, at.child);
            }
            active = left;
        }
        for lane in climbers.iter() {
            if let (Some(at), Some(key), Some(value)) =
                (steps.get(lane), keys.get(lane), values.get_mut(lane))
            {
                *value = self.finish_step(at, *key);
            }
        }
    }

    /// Asks for what the next step reads: a node, or the first and last record that a slot can have.
    /// Index 0 stands for the other one: it is no branch, and mostly in the cache.
    #[inline]
    fn prefetch(&self, lane: &Step) {
        if let Some(node) = self.nodes.get(select(lane.child, lane.next, 0)) {
            dpdk_sys::prefetch(node);
        }
        let leaf = select(lane.child, 0, lane.next);
        for index in [leaf, leaf.wrapping_add(lane.count.saturating_sub(1))] {
            if let Some(leaf) = self.leaves.get(index) {
                dpdk_sys::prefetch(leaf);
            }
        }
    }
}
