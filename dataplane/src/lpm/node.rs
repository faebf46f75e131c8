//! What the trie is made of.

use super::Key;
use super::arena::{FreeRun, Record};

/// Bits of the address that one node looks at.
pub(super) const STRIDE: u8 = 6;

/// A prefix and its value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Leaf<K> {
    /// First bits, the others zero.
    pub key: K,
    /// Value.
    pub value: u32,
    /// Number of bits.
    pub length: u16,
}

impl<K: Key> Leaf<K> {
    /// The prefix covers the key.
    #[inline]
    pub(super) fn covers(&self, key: K) -> bool {
        u16::from(self.key.common_bits(key)) >= self.length
    }

    /// It is this very prefix.
    #[inline]
    pub(super) fn is(&self, key: K, length: u8) -> bool {
        self.length == u16::from(length) && self.key == key
    }

    /// Its length, which came from a `u8`.
    #[inline]
    pub(super) const fn bits(&self) -> u8 {
        self.length as u8
    }
}

impl<K: Key> Record for Leaf<K> {
    const CHUNK_BITS: u32 = if size_of::<Self>() > 16 { 11 } else { 12 };

    fn from_free(free: FreeRun) -> Self {
        Self { key: K::from_link(free.previous), value: free.next, length: free.length }
    }

    fn to_free(self) -> FreeRun {
        FreeRun { length: self.length, previous: self.key.to_link(), next: self.value }
    }
}

/// A node: 64 slots, by the six bits of the address from `offset` on. The first `offset` bits are
/// the same for all prefixes below it, and they are kept in `key`: a node may hang below another
/// one many bits further up (path compression), and then these bits were not looked at on the way.
///
/// Prefixes of `offset` to `offset + 5` bits are *inner* ones; each has a bit in `inner`, numbered
/// like a heap: 1 the shortest, 2 and 3 its halves, and so on. Longer ones hang in slots, up to
/// three of them directly, longest first: `low` and `high` have the two bits of their number. A
/// slot with more has a bit in `child`: its prefixes are in a node of their own.
///
/// The prefixes of a node lie in one run, first the inner ones by number, then those in slots by
/// slot; its child nodes in another run by slot. Found by counting bits.
///
/// One node takes one cache line.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(64))]
pub(super) struct Node<K> {
    pub inner: u64,
    pub low: u64,
    pub high: u64,
    pub child: u64,
    pub key: K,
    /// Index of the first prefix in a slot; the inner ones lie before it.
    pub leaves: u32,
    /// Index of the first child node.
    pub nodes: u32,
    /// A multiple of six.
    pub offset: u16,
}

/// Most prefixes that hang directly in a slot.
pub(super) const BUCKET: usize = 3;

/// What is in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// Prefixes: place in the node's run, and how many, 0 to 3.
    Bucket(usize, usize),
    /// Place in the run of child nodes.
    Node(usize),
}

impl<K: Key> Node<K> {
    #[inline]
    pub(super) const fn offset(&self) -> u8 {
        self.offset as u8
    }

    /// Number of prefixes in the node's run.
    #[inline]
    pub(super) const fn leaf_count(&self) -> usize {
        (self.inner.count_ones() + self.low.count_ones() + 2 * self.high.count_ones()) as usize
    }

    /// Number of child nodes.
    #[inline]
    pub(super) const fn node_count(&self) -> usize {
        self.child.count_ones() as usize
    }

    /// Index of the run of prefixes.
    #[inline]
    pub(super) const fn run(&self) -> u32 {
        self.leaves.wrapping_sub(self.inner.count_ones())
    }

    /// Sets where the run of prefixes is; to be called after `inner` has its new value.
    pub(super) const fn set_run(&mut self, run: u32) {
        self.leaves = run.wrapping_add(self.inner.count_ones());
    }

    /// A prefix of this length is an inner one.
    #[inline]
    pub(super) const fn is_inner(&self, length: u8) -> bool {
        length < self.offset() + STRIDE
    }

    /// Number of an inner prefix.
    #[inline]
    pub(super) fn inner_number(&self, key: K, length: u8) -> u32 {
        let bits = length - self.offset();
        (64 | key.six_bits(self.offset())) >> (STRIDE - bits)
    }

    /// Place in the run at which an inner prefix of this number is or would be.
    #[inline]
    pub(super) const fn inner_place(&self, number: u32) -> usize {
        (self.inner & below(number)).count_ones() as usize
    }

    /// Slot of the key.
    #[inline]
    pub(super) fn slot_number(&self, key: K) -> u32 {
        key.six_bits(self.offset())
    }

    /// Number of prefixes in slots below this one.
    #[inline]
    pub(super) const fn leaves_below(&self, slot: u32) -> u32 {
        let below = below(slot);
        (self.low & below).count_ones() + 2 * (self.high & below).count_ones()
    }

    /// Number of child nodes in slots below this one.
    #[inline]
    pub(super) const fn nodes_below(&self, slot: u32) -> u32 {
        (self.child & below(slot)).count_ones()
    }

    /// Number of prefixes in a slot.
    #[inline]
    pub(super) const fn bucket(&self, slot: u32) -> u32 {
        (self.low >> slot & 1) as u32 | ((self.high >> slot & 1) << 1) as u32
    }

    /// The same node with this number of prefixes in a slot.
    pub(super) const fn with_bucket(mut self, slot: u32, count: usize) -> Self {
        let bit = 1 << slot;
        self.low = self.low & !bit | (count as u64 & 1) << slot;
        self.high = self.high & !bit | (count as u64 >> 1) << slot;
        self
    }

    /// What is in a slot.
    #[inline]
    pub(super) const fn slot(&self, slot: u32) -> Slot {
        if self.child >> slot & 1 != 0 {
            return Slot::Node(self.nodes_below(slot) as usize);
        }
        let place = self.inner.count_ones() + self.leaves_below(slot);
        Slot::Bucket(place as usize, self.bucket(slot) as usize)
    }
}

impl<K: Key> Record for Node<K> {
    const CHUNK_BITS: u32 = 10;

    fn from_free(free: FreeRun) -> Self {
        Self { leaves: free.previous, nodes: free.next, offset: free.length, ..Self::default() }
    }

    fn to_free(self) -> FreeRun {
        FreeRun { length: self.offset, previous: self.leaves, next: self.nodes }
    }
}

/// Bits below this one.
#[inline]
pub(super) const fn below(bit: u32) -> u64 {
    (1 << bit) - 1
}

/// By slot number halved: the inner prefixes that cover the slot, one bit for each length.
#[allow(clippy::indexing_slicing, reason = "worked out by the compiler")]
pub(super) const COVERING: [u64; 32] = {
    let mut table = [0; 32];
    let mut half = 0;
    while half < 32 {
        let mut number = 32 | half;
        while number > 0 {
            table[half] |= 1 << number;
            number >>= 1;
        }
        half += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::super::{Key4, Key6};
    use super::*;

    #[test]
    fn nodes_and_leaves_are_as_small_as_said() {
        assert_eq!(size_of::<Node<Key4>>(), 64);
        assert_eq!(size_of::<Node<Key6>>(), 64);
        assert_eq!(size_of::<Leaf<Key4>>(), 12);
        assert_eq!(size_of::<Leaf<Key6>>(), 24);
    }

    #[test]
    fn covering_prefixes_of_a_slot() {
        assert_eq!(COVERING[0], 1 << 1 | 1 << 2 | 1 << 4 | 1 << 8 | 1 << 16 | 1 << 32);
        assert_eq!(COVERING[31], 1 << 1 | 1 << 3 | 1 << 7 | 1 << 15 | 1 << 31 | 1 << 63);
        let node = Node::<Key4> { offset: 30, ..Node::default() };
        assert_eq!(node.inner_number(Key4(0xffff_fffd), 32), 0b101);
        assert_eq!(node.inner_number(Key4(0xffff_fffd), 30), 1);
        assert!(node.is_inner(32) && !Node::<Key4>::default().is_inner(6));
    }
}
