//! Many lookups at once, level by level: the memory accesses of one level depend on nothing but the
//! level above, so that the processor has those of all keys under way together.

use super::Key;
use super::table::{Lpm, Step, select};

/// Keys in lockstep.
const LANES: usize = 32;

impl<K: Key> Lpm<K> {
    /// Looks up many keys: `values[i]` becomes the value for `keys[i]`, or [`super::NO_MATCH`].
    /// Works on as many as the shorter slice has.
    pub fn lookup_burst(&self, keys: &[K], values: &mut [u32]) {
        for (keys, values) in keys.chunks(LANES).zip(values.chunks_mut(LANES)) {
            self.lookup_lanes(keys, values);
        }
    }

    fn lookup_lanes(&self, keys: &[K], values: &mut [u32]) {
        let mut words = [None; LANES];
        for (word, key) in words.iter_mut().zip(keys) {
            *word = self.kept.current.word(*key);
        }
        let mut lanes = [Step::START; LANES];
        // Lanes that have a node to look at.
        let mut active = [0u8; LANES];
        let mut count = 0;
        for (number, ((lane, key), word)) in lanes.iter_mut().zip(keys).zip(words).enumerate() {
            *lane = self.start(*key, word);
            self.prefetch(lane);
            count = note(&mut active, count, number as u8, lane.child);
        }
        while count > 0 {
            let mut left = 0;
            for turn in 0..count {
                let number = active.get(turn).copied().unwrap_or(0);
                let place = usize::from(number);
                let (Some(lane), Some(key)) = (lanes.get_mut(place), keys.get(place)) else { continue };
                let Some(next) = self.advance(*lane, *key) else { continue };
                self.prefetch(&next);
                *lane = next;
                left = note(&mut active, left, number, next.child);
            }
            count = left;
        }
        for ((lane, key), value) in lanes.iter().zip(keys).zip(values) {
            *value = self.finish(lane, *key);
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

/// Puts a lane on the list if it goes on; without a branch.
#[inline]
fn note(active: &mut [u8; LANES], count: usize, lane: u8, goes_on: bool) -> usize {
    if let Some(place) = active.get_mut(count) {
        *place = lane;
    }
    count + usize::from(goes_on)
}
