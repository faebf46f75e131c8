//! What the trie is made of.

use super::Key;
use super::arena::{FreeRun, Record};
use super::gather::Change;
use super::room::Extent;

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

    /// It is there, with this value.
    pub(super) const fn now(&self) -> Change<K> {
        Change { key: self.key, length: self.bits(), value: Some(self.value) }
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
    /// Records behind the run of prefixes that it may grow into.
    pub room: u16,
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

    /// The run of prefixes, with its room.
    #[inline]
    pub(super) const fn extent(&self) -> Extent {
        Extent { index: self.run(), length: self.leaf_count(), room: self.room }
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

    /// Of groups of 2^`bits` slots, 2 to 32: the first slot of each that has other than up to three prefixes in a
    /// row: more, or an inner one that lies in the group, or a child node.
    pub(super) fn crowds(&self, bits: u8) -> u64 {
        // Slots as columns of a sum: the ones of each, its twos, and whether there is more.
        let (mut ones, mut twos, mut more) = (self.low, self.high, self.child);
        for width in (0..bits).map(|shift| 1 << shift) {
            let (other_ones, other_twos) = (ones >> width, twos >> width);
            let carry = ones & other_ones;
            more |= more >> width | twos & other_twos | (twos | other_twos) & carry;
            twos ^= other_twos ^ carry;
            ones ^= other_ones;
        }
        for level in 1..bits {
            let number = 1 << (STRIDE - level);
            let mut inner = self.inner >> number & below(number);
            while inner != 0 {
                more |= 1 << (inner.trailing_zeros() << level >> bits << bits);
                inner &= inner - 1;
            }
        }
        more & FIRST_SLOTS.get(usize::from(bits)).copied().unwrap_or(1)
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

/// By logarithm of a group's slots: the first one of each group.
const FIRST_SLOTS: [u64; 6] = [
    u64::MAX,
    0x5555_5555_5555_5555,
    0x1111_1111_1111_1111,
    0x0101_0101_0101_0101,
    0x0001_0001_0001_0001,
    0x0000_0001_0000_0001,
];

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
    fn crowded_groups_of_slots() {
        let mut node = Node::<Key4>::default();
        for (slot, count) in [(0, 3), (2, 2), (3, 1), (8, 2), (9, 2), (63, 3)] {
            node = node.with_bucket(slot, count);
        }
        assert_eq!((node.crowds(1), node.crowds(2), node.crowds(5)), (1 << 8, 1 | 1 << 8, 1));
        // 8 bits, in slots 16 to 31; 11 bits, in slots 62 and 63.
        node.inner = 1 << 0b101 | 1 << 0b11_1111;
        assert_eq!(node.crowds(1), 1 << 8);
        assert_eq!(node.crowds(2), 1 | 1 << 8 | 1 << 60);
        assert_eq!(node.crowds(5), 1 | 1 << 32);
        node.child = 1 << 34;
        assert_eq!(node.crowds(1), 1 << 8 | 1 << 34);
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
