//! The table: its parts, single lookups, and what it costs.

use super::arena::{Arena, NONE};
use super::node::{COVERING, Leaf, Node, Slot, below};
use super::{Key, NO_MATCH};

/// Longest-prefix match from addresses to 32-bit values. See the module for how it is built.
///
/// Values are below [`NO_MATCH`]. Keys given with a prefix length may have any host bits.
#[derive(Clone, Debug)]
pub struct Lpm<K> {
    /// The node at offset 0; always there, the only one that may have fewer than three prefixes.
    pub(super) root: Node<K>,
    pub(super) nodes: Arena<Node<K>>,
    pub(super) leaves: Arena<Leaf<K>>,
    pub(super) length: usize,
}

/// Where a node lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    Root,
    Index(u32),
}

impl<K: Key> Default for Lpm<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Key> Lpm<K> {
    /// An empty table: no memory but this struct.
    #[must_use]
    pub fn new() -> Self {
        Self { root: Node::default(), nodes: Arena::default(), leaves: Arena::default(), length: 0 }
    }

    /// Number of prefixes.
    #[inline]
    #[must_use]
    pub const fn len(&self) -> usize {
        self.length
    }

    /// No prefixes.
    #[inline]
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The value of the longest prefix that covers `key`.
    #[inline]
    #[must_use]
    pub fn lookup(&self, key: K) -> Option<u32> {
        let mut best = NONE;
        let mut node = &self.root;
        loop {
            let step = step(node, key);
            if step.inner != NONE {
                best = step.inner;
            }
            if step.child != NONE {
                node = self.nodes.get(step.child)?;
                continue;
            }
            let value = self.value_of(step.leaf, step.pair, best, key);
            return (value != NO_MATCH).then_some(value);
        }
    }

    /// The value of exactly this prefix.
    #[must_use]
    pub fn get(&self, key: K, length: u8) -> Option<u32> {
        if length > K::BITS {
            return None;
        }
        let key = key.masked(length);
        let mut node = &self.root;
        while !node.is_inner(length) {
            match node.slot(node.slot_number(key)) {
                Slot::Empty => return None,
                Slot::One(place) => return self.find(node, place, 1, key, length),
                Slot::Two(place) => return self.find(node, place, 2, key, length),
                Slot::Node(place) => node = self.nodes.get(node.nodes + place as u32)?,
            }
            if length < node.offset() || key.common_bits(node.key) < node.offset() {
                return None;
            }
        }
        let number = node.inner_number(key, length);
        if node.inner >> number & 1 == 0 {
            return None;
        }
        self.find(node, node.inner_place(number), 1, key, length)
    }

    /// All prefixes as (key, length, value), in no order.
    pub fn iter(&self) -> impl Iterator<Item = (K, u8, u32)> {
        self.leaves.iter().map(|leaf| (leaf.key, leaf.bits(), leaf.value))
    }

    /// Bytes of memory, this struct included.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.nodes.memory_bytes() + self.leaves.memory_bytes()
    }

    fn find(&self, node: &Node<K>, place: usize, count: usize, key: K, length: u8) -> Option<u32> {
        let mut leaves = self.leaves.run(node.run() + place as u32, count).iter();
        leaves.find(|leaf| leaf.is(key, length)).map(|leaf| leaf.value)
    }

    /// The end of a lookup: the one or two prefixes of a slot, else the best inner prefix.
    #[inline]
    pub(super) fn value_of(&self, leaf: u32, pair: u32, best: u32, key: K) -> u32 {
        for index in [leaf, leaf.wrapping_add(pair)] {
            if let Some(leaf) = self.leaves.get(index)
                && leaf.covers(key)
            {
                return leaf.value;
            }
        }
        self.leaves.get(best).map_or(NO_MATCH, |leaf| leaf.value)
    }

    #[inline]
    pub(super) fn node(&self, at: At) -> Node<K> {
        match at {
            At::Root => self.root,
            At::Index(index) => self.nodes.get(index).copied().unwrap_or_default(),
        }
    }

    pub(super) fn set_node(&mut self, at: At, node: Node<K>) {
        let place = match at {
            At::Root => Some(&mut self.root),
            At::Index(index) => self.nodes.get_mut(index),
        };
        if let Some(place) = place {
            *place = node;
        }
    }
}

/// What a node says of a key. Indices are [`NONE`] where there is nothing.
#[derive(Clone, Copy)]
pub(super) struct Step {
    /// Longest inner prefix that covers the key.
    pub inner: u32,
    /// First prefix in the key's slot; whether it covers the key is still to be seen.
    pub leaf: u32,
    /// 1: there is a second prefix behind it.
    pub pair: u32,
    /// Child node in the key's slot.
    pub child: u32,
}

/// Looks at one node.
#[inline]
pub(super) fn step<K: Key>(node: &Node<K>, key: K) -> Step {
    let mut step = Step { inner: NONE, leaf: NONE, pair: 0, child: NONE };
    if key.common_bits(node.key) < node.offset() {
        return step;
    }
    let slot = node.slot_number(key);
    let covering = COVERING.get((slot >> 1) as usize).copied().unwrap_or(0) & node.inner;
    if covering != 0 {
        let number = 63 - covering.leading_zeros();
        step.inner = node.run().wrapping_add((node.inner & below(number)).count_ones());
    }
    let before = below(slot);
    let (leaf, more) = (node.leaf >> slot & 1, node.more >> slot & 1);
    if leaf != 0 {
        let place = (node.leaf & before).count_ones() + (node.leaf & node.more & before).count_ones();
        step.leaf = node.leaves.wrapping_add(place);
        step.pair = more as u32;
    } else if more != 0 {
        step.child = node.nodes.wrapping_add(node.node_place(slot) as u32);
    }
    step
}
