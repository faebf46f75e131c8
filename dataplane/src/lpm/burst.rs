//! Many lookups at once, level by level: the memory accesses of one level depend on nothing but the
//! level above, so that the processor has those of all keys under way together.

use super::shortcuts::{self, ROOT};
use super::table::{Lpm, Step, select, step};
use super::{Key, NO_MATCH};

/// Keys in lockstep.
const LANES: usize = 32;

/// Numbers of lanes.
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

    #[inline(always)]
    fn lookup_lanes(&self, keys: &[K], values: &mut [u32]) {
        let mut words = [0u64; LANES];
        for (word, key) in words.iter_mut().zip(keys) {
            *word = self.kept.current.word(*key).unwrap_or(ROOT);
        }
        let (mut buckets, mut climbers) = (List::EMPTY, List::EMPTY);
        for (lane, (word, value)) in words.iter().zip(values.iter_mut()).take(keys.len()).enumerate() {
            *value = *word as u32;
            let kind = shortcuts::kind(*word);
            buckets.note(lane, kind.wrapping_sub(1) < 3);
            climbers.note(lane, kind > 3);
        }
        for lane in buckets.iter() {
            if let Some(leaf) = words.get(lane).and_then(|word| self.leaves.get(shortcuts::index(*word))) {
                dpdk_sys::prefetch(leaf);
            }
        }
        if climbers.count > 0 {
            self.climb(keys, &words, &climbers, values);
        }
        for lane in buckets.iter() {
            if let (Some(word), Some(key), Some(value)) =
                (words.get(lane), keys.get(lane), values.get_mut(lane))
            {
                let found = self.covering(shortcuts::index(*word), shortcuts::kind(*word), *key);
                *value = select(found != NO_MATCH, found, *value);
            }
        }
        if self.kept.hidden != 0 || self.kept.default != NO_MATCH {
            for (key, value) in keys.iter().zip(values).filter(|(_, value)| **value == NO_MATCH) {
                *value = self.otherwise(*key);
            }
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
