//! Lookups in bursts whose way leads through nodes: several prefixes close together, such as hosts that each
//! have a mapping of their own.

use super::arena::NONE;
use super::burst::{LANES, List};
use super::node::{COVERING, Node, below};
use super::shortcuts;
use super::table::{Lpm, mask, select};
use super::{Key, NO_MATCH};

/// Prefixes in the slot where a lane's way ends: the first one's index, and how many.
#[derive(Clone, Copy)]
struct End {
    index: u32,
    count: u32,
}

impl<K: Key> Lpm<K> {
    /// Finds the values of these lanes, whose words lead to nodes, which were asked for.
    #[inline(never)]
    pub(super) fn climb(
        &self,
        keys: &[K; LANES],
        words: &[u64; LANES],
        climbers: &List,
        values: &mut [u32; LANES],
    ) {
        let mut nodes = [&self.root; LANES];
        for lane in climbers.iter() {
            if let (Some(word), Some(place)) = (words.get(lane), nodes.get_mut(lane)) {
                // The only index without a node is that of the root.
                *place = self.nodes.get(shortcuts::index(*word)).unwrap_or(&self.root);
            }
        }
        // Longest inner prefixes so far.
        let mut best = [NONE; LANES];
        self.descend(keys, climbers, &mut nodes, &mut best);
        let mut ends = [End { index: 0, count: 0 }; LANES];
        for lane in climbers.iter() {
            if let (Some(node), Some(key), Some(end), Some(best)) =
                (nodes.get(lane), keys.get(lane), ends.get_mut(lane), best.get(lane))
            {
                *end = end_at(node, *key);
                self.prefetch_end(*end, *best);
            }
        }
        for lane in climbers.iter() {
            if let (Some(end), Some(best), Some(word), Some(key), Some(value)) =
                (ends.get(lane), best.get(lane), words.get(lane), keys.get(lane), values.get_mut(lane))
            {
                let inner = || self.leaves.get(*best).map_or(*word as u32, |leaf| leaf.value);
                *value = match self.covering(end.index, end.count, *key) {
                    NO_MATCH => inner(),
                    found => found,
                };
            }
        }
    }

    /// Goes on as long as there are child nodes, all lanes level by level: the memory accesses of a level depend
    /// on nothing but the level above. Without branches: which way a key goes is as good as random.
    #[inline(always)]
    fn descend<'a>(
        &'a self,
        keys: &[K; LANES],
        climbers: &List,
        nodes: &mut [&'a Node<K>; LANES],
        best: &mut [u32; LANES],
    ) {
        let mut active = *climbers;
        while active.count > 0 {
            let mut left = List::EMPTY;
            for lane in active.iter() {
                let (Some(place), Some(best), Some(key)) =
                    (nodes.get_mut(lane), best.get_mut(lane), keys.get(lane))
                else {
                    continue;
                };
                let node: &'a Node<K> = place;
                let here = key.common_bits(node.key) >= node.offset();
                let slot = node.slot_number(*key);
                let covering =
                    COVERING.get((slot >> 1) as usize).copied().unwrap_or(0) & node.inner & mask(here);
                let number = 63 - (covering | 1).leading_zeros();
                let inner = node.run().wrapping_add((node.inner & below(number)).count_ones());
                *best = select(covering != 0, inner, *best);
                let child = here & (node.child >> slot & 1 != 0);
                let next = self.nodes.get(node.nodes.wrapping_add(node.nodes_below(slot)));
                if let (true, Some(next)) = (child, next) {
                    dpdk_sys::prefetch(next);
                    *place = next;
                }
                left.note(lane, child & next.is_some());
            }
            active = left;
        }
    }

    /// Asks for what the end of a lane's way reads.
    #[inline(always)]
    fn prefetch_end(&self, end: End, best: u32) {
        for index in [end.index, end.index.wrapping_add(end.count.saturating_sub(1)), best] {
            if let Some(leaf) = self.leaves.get(index) {
                dpdk_sys::prefetch(leaf);
            }
        }
    }
}

/// The prefixes in the slot of a node without a child there.
#[inline(always)]
fn end_at<K: Key>(node: &Node<K>, key: K) -> End {
    let here = mask(key.common_bits(node.key) >= node.offset());
    let slot = node.slot_number(key);
    End { index: node.leaves.wrapping_add(node.leaves_below(slot)), count: node.bucket(slot) & here as u32 }
}
