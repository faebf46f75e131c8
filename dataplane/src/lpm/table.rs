//! The table: its parts, single lookups, and what it costs.

use super::arena::{Arena, NONE};
use super::keep::Kept;
use super::lines::DEEP;
use super::node::{BUCKET, COVERING, Leaf, Node, Slot, below};
use super::shortcuts::{self, Next, Shortcut};
use super::{Key, NO_MATCH};
use dpdk_sys::Supply;

/// Longest-prefix match from addresses to 32-bit values. See the module for how it is built.
///
/// Values are below [`NO_MATCH`]. Keys given with a prefix length may have any host bits.
#[derive(Clone, Debug)]
pub struct Lpm<K> {
    /// The node at offset 0; always there, the only one that may have fewer than three prefixes and no child.
    pub(super) root: Node<K>,
    pub(super) nodes: Arena<Node<K>>,
    pub(super) leaves: Arena<Leaf<K>>,
    pub(super) kept: Kept<K>,
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
    /// An empty table with a supply of its own: no memory but this struct and that.
    #[must_use]
    pub fn new() -> Self {
        Self::supplied(&Supply::default())
    }

    /// An empty table that will take its memory from this supply.
    #[must_use]
    pub fn supplied(supply: &Supply) -> Self {
        Self::made(supply, false)
    }

    /// The same, but thrifty: for one of very many tables. As long as it is small it has no shortcuts, so that
    /// lookups read a node or two more, and little memory lies idle, so that updates copy more (`thrift.rs`).
    #[must_use]
    pub fn thrifty(supply: &Supply) -> Self {
        Self::made(supply, true)
    }

    fn made(supply: &Supply, thrifty: bool) -> Self {
        Self {
            root: Node::default(),
            nodes: Arena::new(supply),
            leaves: Arena::new(supply),
            kept: Kept::new(supply, thrifty),
            length: 0,
        }
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
        let mut at = self.start(key);
        while at.child {
            at = self.advance(&at, key);
        }
        let value = self.finish(&at, key);
        (value != NO_MATCH).then_some(value)
    }

    /// The first step of a lookup: by shortcut, else from the root.
    #[inline]
    pub(super) fn start(&self, key: K) -> Step {
        let (block, rest) = self.kept.current.place(key);
        let word = match self.kept.current.line(block) {
            Some(line) => match line.find(rest) {
                DEEP => Some(line.word()),
                value => return Step { value, ..Step::START },
            },
            None => self.kept.current.word(block),
        };
        let (word, rest) = match (word, &self.kept.top) {
            (Some(word), _) => (word, rest),
            (None, Some(_)) => self.outside(key),
            (None, None) => return step(&self.root, key, Step::START),
        };
        let Shortcut { value, next } = Shortcut::unpack(word);
        match next {
            Next::Prefix(_) => Step { value: shortcuts::value(word, rest), ..Step::START },
            Next::Bucket(next, count) => Step { value, next, count, ..Step::START },
            Next::Node(next) => Step { value, next, child: true, ..Step::START },
        }
    }

    /// The next step of a lookup that has come to a node.
    #[inline]
    pub(super) fn advance(&self, at: &Step, key: K) -> Step {
        // The only index without a node is that of the root.
        step(self.nodes.get(at.next).unwrap_or(&self.root), key, *at)
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
                Slot::Bucket(place, count) => return self.find(node, place, count, key, length),
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
        size_of::<Self>() + self.nodes.memory_bytes() + self.leaves.memory_bytes() + self.kept.memory_bytes()
    }

    fn find(&self, node: &Node<K>, place: usize, count: usize, key: K, length: u8) -> Option<u32> {
        let mut leaves = self.leaves.run(node.run() + place as u32, count).iter();
        leaves.find(|leaf| leaf.is(key, length)).map(|leaf| leaf.value)
    }

    /// The end of a lookup: the prefixes of a slot, else the best inner prefix, else what the
    /// shortcut said.
    #[inline]
    pub(super) fn finish(&self, at: &Step, key: K) -> u32 {
        match self.finish_step(at, key) {
            NO_MATCH => self.otherwise(key),
            value => value,
        }
    }

    /// The same without the prefixes that shortcuts do not know.
    #[inline]
    pub(super) fn finish_step(&self, at: &Step, key: K) -> u32 {
        let value = self.covering(at.next, at.count, key);
        if value != NO_MATCH {
            return value;
        }
        self.leaves.get(at.best).map_or(at.value, |leaf| leaf.value)
    }

    /// Value of the first of `count` prefixes from `index` on that covers the key, or [`NO_MATCH`].
    #[inline(always)]
    pub(super) fn covering(&self, index: u32, count: u32, key: K) -> u32 {
        match self.leaves.window(index) {
            Some(run) => first_covering(run, count, key, NO_MATCH),
            None => {
                let mut run = self.leaves.run(index, count as usize).iter();
                run.find(|leaf| leaf.covers(key)).map_or(NO_MATCH, |leaf| leaf.value)
            }
        }
    }

    /// What a lookup gives for which neither shortcut nor trie below it knew anything.
    #[inline]
    pub(super) fn otherwise(&self, key: K) -> u32 {
        if self.kept.hidden == 0 { self.kept.default } else { self.walk(key) }
    }

    /// A lookup that takes no shortcut.
    #[cold]
    fn walk(&self, key: K) -> u32 {
        let mut at = step(&self.root, key, Step::START);
        let mut found = NO_MATCH;
        loop {
            if let Some(leaf) = self.leaves.get(at.best) {
                found = leaf.value;
            }
            if !at.child {
                break;
            }
            at = self.advance(&at, key);
        }
        let mut bucket = self.leaves.run(at.next, at.count as usize).iter();
        bucket.find(|leaf| leaf.covers(key)).map_or(found, |leaf| leaf.value)
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

/// How far a lookup has come.
#[derive(Clone, Copy)]
pub(super) struct Step {
    /// What the shortcut said.
    pub value: u32,
    /// Longest inner prefix so far that covers the key.
    pub best: u32,
    /// Index of the node to look at next, or else of the first prefix in the key's slot.
    pub next: u32,
    /// Number of prefixes in the slot; whether they cover the key is still to be seen.
    pub count: u32,
    /// There is a node to look at next.
    pub child: bool,
}

impl Step {
    /// Before the first step.
    pub(super) const START: Self = Self { value: NO_MATCH, best: NONE, next: NONE, count: 0, child: false };
}

/// Looks at one node.
///
/// Without branches: which way a key goes is as good as random, and a mispredicted branch costs more
/// than all of this.
#[inline]
pub(super) fn step<K: Key>(node: &Node<K>, key: K, from: Step) -> Step {
    let here = mask(key.common_bits(node.key) >= node.offset());
    let slot = node.slot_number(key);

    let covering = COVERING.get((slot >> 1) as usize).copied().unwrap_or(0) & node.inner & here;
    let number = 63 - (covering | 1).leading_zeros();
    let inner = node.run().wrapping_add((node.inner & below(number)).count_ones());

    let child = node.child & here & 1 << slot != 0;
    let leaf = node.leaves.wrapping_add(node.leaves_below(slot));
    Step {
        value: from.value,
        best: select(covering != 0, inner, from.best),
        next: select(child, node.nodes.wrapping_add(node.nodes_below(slot)), leaf),
        count: node.bucket(slot) & here as u32,
        child,
    }
}

/// Value of the first of `count` prefixes, 0 to 3, that covers the key, or else `otherwise`.
///
/// Without branches: which of them it is, is as good as random.
#[inline(always)]
pub(super) fn first_covering<K: Key>(run: &[Leaf<K>; BUCKET], count: u32, key: K, otherwise: u32) -> u32 {
    let [first, second, third] = run;
    let covers = |leaf: &Leaf<K>, place: u32| u32::from(leaf.covers(key)) << place;
    let found = (covers(first, 0) | covers(second, 1) | covers(third, 2)) & !(u32::MAX << (count & 3));
    // By place rather than one comparison after the other, of which the compiler makes branches.
    let values = [first.value, second.value, third.value, otherwise];
    values.get((found | 8).trailing_zeros() as usize & 3).copied().unwrap_or(otherwise)
}

/// All ones or all zeros.
#[inline]
pub(super) const fn mask(condition: bool) -> u64 {
    (condition as u64).wrapping_neg()
}

/// One of two, without a branch.
#[inline]
pub(super) const fn select(condition: bool, yes: u32, no: u32) -> u32 {
    let mask = mask(condition) as u32;
    yes & mask | no & !mask
}
