//! Many lookups at once, level by level: the memory accesses of one level depend on nothing but the
//! level above, so that the processor has those of all keys under way together.

use super::Key;
use super::arena::NONE;
use super::node::Node;
use super::table::{Lpm, step};

/// Keys in lockstep.
const LANES: usize = 32;

/// How far a key has come.
#[derive(Clone, Copy)]
struct Lane<K> {
    key: K,
    /// Node to look at next, or at the end the first prefix in the last slot.
    next: u32,
    /// Best inner prefix so far.
    best: u32,
    /// Prefixes in the last slot.
    count: u32,
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
        let nothing = Lane { key: K::default(), next: NONE, best: NONE, count: 0 };
        let mut lanes = [nothing; LANES];
        let mut active = [0u8; LANES];
        let mut count = 0;
        for (number, (lane, key)) in lanes.iter_mut().zip(keys).enumerate() {
            lane.key = *key;
            count = lane.advance(&self.root, number as u8, &mut active, count);
        }
        while count > 0 {
            let mut left = 0;
            for turn in 0..count {
                let number = active.get(turn).copied().unwrap_or(0);
                let Some(lane) = lanes.get_mut(usize::from(number)) else { continue };
                let Some(node) = self.nodes.get(lane.next) else { continue };
                left = lane.advance(node, number, &mut active, left);
            }
            count = left;
        }
        for (lane, value) in lanes.iter().zip(values) {
            *value = self.finish(lane.next, lane.count, lane.best, lane.key);
        }
    }
}

impl<K: Key> Lane<K> {
    /// Takes a step and puts itself on the list of lanes that have another one to take.
    #[inline]
    fn advance(&mut self, node: &Node<K>, number: u8, active: &mut [u8; LANES], count: usize) -> usize {
        let step = step(node, self.key, self.best);
        self.best = step.best;
        self.next = step.next;
        self.count = step.count;
        if let Some(place) = active.get_mut(count) {
            *place = number;
        }
        count + usize::from(step.child)
    }
}
