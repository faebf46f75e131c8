//! Many lookups at once, level by level: the memory accesses of one level depend on nothing but the
//! level above, so that the processor has those of all keys under way together.

use super::arena::NONE;
use super::table::{Lpm, step};
use super::{Key, NO_MATCH};

/// Keys in lockstep.
const LANES: usize = 32;

/// How far a key has come.
#[derive(Clone, Copy)]
struct Lane<K> {
    key: K,
    /// Node to look at next.
    node: u32,
    /// Best inner prefix so far.
    best: u32,
    /// Prefix in the last slot, and 1 if another lies behind it.
    leaf: u32,
    pair: u32,
}

impl<K: Key> Lpm<K> {
    /// Looks up many keys: `values[i]` becomes the value for `keys[i]`, or [`NO_MATCH`]. Works on
    /// as many as the shorter slice has.
    pub fn lookup_burst(&self, keys: &[K], values: &mut [u32]) {
        for (keys, values) in keys.chunks(LANES).zip(values.chunks_mut(LANES)) {
            self.lookup_lanes(keys, values);
        }
    }

    fn lookup_lanes(&self, keys: &[K], values: &mut [u32]) {
        let nothing = Lane { key: K::default(), node: NONE, best: NONE, leaf: NONE, pair: 0 };
        let mut lanes = [nothing; LANES];
        let mut active = [0u8; LANES];
        let mut count = 0;
        for (number, (lane, key)) in lanes.iter_mut().zip(keys).enumerate() {
            let step = step(&self.root, *key);
            *lane = Lane { key: *key, node: step.child, best: step.inner, leaf: step.leaf, pair: step.pair };
            if let Some(place) = active.get_mut(count) {
                *place = number as u8;
            }
            count += usize::from(step.child != NONE);
        }
        while count > 0 {
            let mut left = 0;
            for turn in 0..count {
                let number = active.get(turn).copied().unwrap_or(0);
                let Some(lane) = lanes.get_mut(usize::from(number)) else { continue };
                let Some(node) = self.nodes.get(lane.node) else { continue };
                let step = step(node, lane.key);
                lane.best = if step.inner == NONE { lane.best } else { step.inner };
                lane.leaf = step.leaf;
                lane.pair = step.pair;
                lane.node = step.child;
                if let Some(place) = active.get_mut(left) {
                    *place = number;
                }
                left += usize::from(step.child != NONE);
            }
            count = left;
        }
        for (lane, value) in lanes.iter().zip(values) {
            *value = if lane.leaf == NONE && lane.best == NONE {
                NO_MATCH
            } else {
                self.value_of(lane.leaf, lane.pair, lane.best, lane.key)
            };
        }
    }
}
