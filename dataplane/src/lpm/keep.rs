//! Keeping shortcuts true while the trie changes, and making them as large as the table asks for.
//!
//! What a single update changes in them: `follow.rs` and, of lines, `gather.rs`.

use super::arena::{Arena, NONE};
use super::crowd::Crowds;
use super::lines::LineChunk;
use super::node::{COVERING, Leaf, Node, STRIDE, Slot, below};
use super::sample::SAMPLES;
use super::shortcuts::{Chunk, MAX_BITS, MIN_BITS, Next, Shortcut, Shortcuts};
use super::table::Lpm;
use super::{Key, NO_MATCH, top};
use dpdk_sys::{List, Lone, Run, Supply};

/// Prefixes from which on there are shortcuts.
const FROM: usize = if cfg!(test) { 8 } else { 2 };
/// Blocks that one update fills while larger shortcuts are being made.
const FILL: usize = if cfg!(test) { 3 } else { 16 };
/// The same of lines, of which there are fewer.
const FILL_LINES: usize = 2;
/// Shortcuts of no more blocks are made at once: a table of few prefixes may see no further update.
const AT_ONCE: u32 = if cfg!(test) { 1 } else { 64 };
/// As much as so many updates fill is done at once when there are none.
const TIDY: usize = 4;
/// Prefixes from which on there are shortcuts in a thrifty table.
const THRIFTY_FROM: usize = 2048;
/// Below so many prefixes, shortcuts are four to eight times as many as prefixes rather than once or twice.
const SMALL: usize = 1 << 15;
/// And below so many two to four times as many.
const MIDDLE: usize = 1 << 18;
/// Prefixes from which on there are lines in place of words, and as a power of two how many for each line.
const LINED_FROM: usize = if cfg!(test) { 100 } else { 1 << 16 };
const IN_LINE: u8 = 2;
/// If more than this part of the blocks does not fit its line there are twice as many.
const OVERFULL: u32 = 32;
/// There are lines if at most this part of the prefixes is too long for them.
const TOO_LONG: usize = if cfg!(test) { 2 } else { 64 };
/// Of the prefixes that are looked at to find the region, so many must lie in it.
const IN_REGION: usize = 56;
/// So few prefixes are no crowd: their region is everything.
const FEW: usize = if cfg!(test) { 2 } else { 8 };

/// Shortcuts in use, and those in the making.
#[derive(Clone, Debug)]
pub(super) struct Kept<K> {
    pub current: Shortcuts<K>,
    next: Option<Lone<Shortcuts<K>>>,
    /// For keys outside of those in use.
    pub top: Option<Lone<Shortcuts<K>>>,
    /// Shortcuts of crowds.
    pub crowds: Crowds<K>,
    /// Chunks of former shortcuts; freed one with each update.
    pub garbage: List<Chunk>,
    /// The same of lines.
    old_lines: List<LineChunk>,
    /// Updates since the region was chosen.
    age: u32,
    /// Prefixes when shortcuts were planned last, as a power of two.
    planned: u8,
    /// Prefixes that came in outside of it since then.
    strays: u32,
    /// One of many tables: few shortcuts, or none.
    pub thrifty: bool,
    /// Prefixes by length; empty until there were shortcuts in the making.
    lengths: Run<u32>,
    /// Prefixes that are not spread, the default one apart. When there are some, a lookup that
    /// finds nothing by shortcut walks.
    pub hidden: u32,
    /// Value of the prefix of length 0.
    pub default: u32,
    /// Where all of it lies.
    pub supply: Supply,
}

impl<K: Key> Kept<K> {
    pub(super) fn new(supply: &Supply, thrifty: bool) -> Self {
        Self {
            current: Shortcuts::default(),
            next: None,
            top: None,
            crowds: Crowds::default(),
            garbage: List::default(),
            old_lines: List::default(),
            age: 0,
            planned: 0,
            strays: 0,
            thrifty,
            lengths: Run::default(),
            hidden: 0,
            default: NO_MATCH,
            supply: supply.clone(),
        }
    }

    pub(super) fn each(&mut self) -> impl Iterator<Item = &mut Shortcuts<K>> {
        let ours = std::iter::once(&mut self.current).chain(self.next.as_deref_mut());
        ours.chain(self.top.as_deref_mut()).chain(self.crowds.each()).filter(|kept| kept.len() > 0)
    }

    /// A prefix of this length came (`1`) or went (`-1`).
    fn count(&mut self, length: u8, change: i32) {
        if let Some(count) = self.lengths.get_mut(usize::from(length)) {
            *count = count.wrapping_add_signed(change);
        }
        if length > 0 && length < self.current.shortest_spread() {
            self.hidden = self.hidden.wrapping_add_signed(change);
        }
    }

    /// A prefix came in below two nodes.
    pub(super) fn note_deep(&mut self, key: K) {
        self.crowds.note_deep(&self.supply, key);
    }

    /// There are no shortcuts, nor any in the making.
    pub(super) fn is_empty(&self) -> bool {
        self.current.len() == 0 && self.next.is_none()
    }

    /// Takes the finished shortcuts into use.
    fn replace(&mut self, finished: Shortcuts<K>) {
        let former = std::mem::replace(&mut self.current, finished);
        (self.garbage, self.old_lines) = former.into_chunks();
        self.crowds.disperse(&self.supply, &mut self.garbage);
        if !self.thrifty {
            self.crowds.look_soon(&self.supply);
        }
        let shortest = usize::from(self.current.shortest_spread());
        self.hidden = self.lengths.get(1..shortest).unwrap_or_default().iter().sum();
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let next = self.next.as_ref().map_or(0, |next| next.memory_bytes() + Shortcuts::memory_bytes(next));
        let garbage: usize = self.garbage.iter().map(Lone::memory_bytes).sum();
        let old_lines: usize = self.old_lines.iter().map(Lone::memory_bytes).sum();
        self.current.memory_bytes()
            + next
            + top::memory_bytes(self.top.as_ref())
            + self.crowds.memory_bytes()
            + garbage
            + old_lines
            + self.old_lines.memory_bytes()
            + self.garbage.memory_bytes()
            + self.lengths.memory_bytes()
    }
}

/// The trie, to be read while shortcuts are written.
pub(super) struct Trie<'a, K> {
    pub root: &'a Node<K>,
    pub nodes: &'a Arena<Node<K>>,
    pub leaves: &'a Arena<Leaf<K>>,
}

/// How far a walk has come.
#[derive(Clone, Copy)]
pub(super) struct Way<'a, K> {
    node: &'a Node<K>,
    /// Where the node lies.
    index: u32,
    /// Value of the longest prefix above the node that covers all below it.
    value: u32,
}

impl<K: Key> Lpm<K> {
    /// To be called after each update, with the prefix and how many there are more of it now.
    pub(super) fn maintain(&mut self, key: K, length: u8, change: i32) {
        if change != 0 {
            self.kept.count(length, change);
        }
        let stray = change > 0 && length > 0 && !self.kept.current.has(key);
        self.kept.strays = self.kept.strays.saturating_add(u32::from(stray));
        if length == 0 {
            self.kept.default = self.get(K::default(), 0).unwrap_or(NO_MATCH);
        }
        self.kept.garbage.pop();
        self.kept.old_lines.pop();
        self.kept.age = self.kept.age.saturating_add(1);
        match self.kept.next.take() {
            Some(next) => self.fill(next),
            None => self.plan(),
        }
        if !self.kept.thrifty {
            self.tend_crowds();
        }
    }

    /// Goes on with shortcuts that are in the making while there are no updates: as much work as some of those. `false`:
    /// there was nothing to do.
    pub fn tidy(&mut self) -> bool {
        if !self.is_unfinished() {
            return false;
        }
        for _ in 0..TIDY {
            if let Some(next) = self.kept.next.take() {
                self.fill(next);
            }
        }
        self.tend_crowds();
        true
    }

    /// Something is left to do for faster lookups: see [`Lpm::tidy`].
    #[must_use]
    pub fn is_unfinished(&self) -> bool {
        self.kept.next.is_some() || self.kept.crowds.are_unfinished()
    }

    pub(super) fn trie(&self) -> Trie<'_, K> {
        Trie { root: &self.root, nodes: &self.nodes, leaves: &self.leaves }
    }

    /// Goes on with shortcuts that are in the making.
    fn fill(&mut self, mut next: Lone<Shortcuts<K>>) {
        let trie = Trie { root: &self.root, nodes: &self.nodes, leaves: &self.leaves };
        let blocks = match next.len() {
            ..=AT_ONCE => next.len() as usize + 1,
            _ if next.is_lined() => FILL_LINES,
            _ => FILL,
        };
        for _ in 0..blocks {
            let Some(block) = next.next_block() else {
                self.kept.replace(next.into_inner());
                return self.set_top();
            };
            if next.is_lined() {
                let line = trie.line(&next, block, trie.top());
                next.push_line(&self.kept.supply, line);
                continue;
            }
            let shortcut = trie.derive(&next, block, trie.top());
            next.push(&self.kept.supply, shortcut);
        }
        self.kept.next = Some(next);
    }

    /// Begins to make other shortcuts if the table has outgrown, or left, those it has.
    fn plan(&mut self) {
        let blocks = self.kept.current.len() as usize;
        if blocks > 0 && self.length == 0 {
            self.kept.replace(Shortcuts::default());
            return self.set_top();
        }
        let (lined, much) = (self.kept.current.is_lined(), self.length >= LINED_FROM);
        let (bits, magnitude) = (self.fitting_bits(lined), self.length.max(1).ilog2() as u8);
        let from = if self.kept.thrifty { THRIFTY_FROM } else { FROM };
        let unlined = much && !lined && magnitude > self.kept.planned;
        let too_few = self.length >= from && blocks < 1 << bits || unlined;
        let too_many = blocks > 1 << MIN_BITS && self.length < if lined { blocks } else { blocks / 16 };
        // The prefixes may all be others by now, or many may lie elsewhere.
        let old = blocks > 0 && self.kept.age as usize > 8 * blocks;
        let astray =
            blocks > 0 && self.kept.strays as usize > FEW + self.length * (SAMPLES - IN_REGION) / SAMPLES;
        if !too_few && !too_many && !old && !astray
            || !self.kept.garbage.is_empty()
            || !self.kept.old_lines.is_empty()
        {
            return;
        }
        (self.kept.age, self.kept.strays, self.kept.planned) = (0, 0, magnitude);
        if self.kept.lengths.is_empty() {
            self.count_lengths();
        }
        let (region, base) = self.region();
        // Fewer blocks might not do: that there were too many prefixes in them is not seen any more.
        let least = if lined && !too_many { blocks.ilog2() as u8 } else { 0 };
        let next = Shortcuts::lined(&self.kept.supply, region, base, self.fitting_bits(true).max(least));
        let suits = much && self.lines_suit(&next);
        let next = match suits {
            true => next,
            false => Shortcuts::new(&self.kept.supply, region, base, self.fitting_bits(false)),
        };
        if !next.is_like(&self.kept.current) {
            let at_once = next.len() <= AT_ONCE;
            let next = Lone::new(&self.kept.supply, next);
            match at_once {
                true => self.fill(next),
                false => self.kept.next = Some(next),
            }
        }
    }

    /// Begins to count prefixes by length: there are few as yet.
    fn count_lengths(&mut self) {
        let mut lengths = Run::filled(&self.kept.supply, usize::from(K::BITS) + 1, 0);
        for leaf in self.leaves.iter() {
            if let Some(count) = lengths.get_mut(usize::from(leaf.length)) {
                *count += 1;
            }
        }
        self.kept.lengths = lengths;
    }

    /// Blocks that suit the table, as a power of two: mostly not more than one prefix in each.
    fn fitting_bits(&self, lined: bool) -> u8 {
        let magnitude = self.length.max(1).ilog2() as u8;
        if lined {
            let current = &self.kept.current;
            let overfull = current.deep() > current.len() / OVERFULL;
            return (magnitude - IN_LINE.min(magnitude) + u8::from(overfull)).clamp(MIN_BITS, MAX_BITS);
        }
        let more = match self.length {
            ..SMALL if !self.kept.thrifty => 3,
            ..MIDDLE if !self.kept.thrifty => 2,
            _ => 1,
        };
        (magnitude + more).clamp(MIN_BITS, MAX_BITS)
    }

    /// Lines tell nearly all of the prefixes.
    fn lines_suit(&self, lines: &Shortcuts<K>) -> bool {
        let longer = self.kept.lengths.get(usize::from(lines.longest_told()) + 1..).unwrap_or_default();
        longer.iter().map(|count| *count as usize).sum::<usize>() <= self.length / TOO_LONG
    }

    /// The longest prefix under which nearly all of a sample of prefixes lie.
    fn region(&self) -> (K, u8) {
        let sample = self.sample();
        if sample.len() < FEW {
            return (K::default(), 0);
        }
        let many = sample.len() * IN_REGION / SAMPLES;
        let windows = sample.windows(many.max(1));
        let regions = windows.filter_map(|window| {
            let (first, last) = (window.first()?, window.last()?);
            Some((first.common_bits(*last), *first))
        });
        regions.max_by_key(|(bits, _)| *bits).map_or((K::default(), 0), |(bits, key)| (key, bits))
    }

    /// Every shortcut says what the trie says.
    #[cfg(test)]
    pub(super) fn shortcuts_are_true(&mut self) -> bool {
        let trie = Trie { root: &self.root, nodes: &self.nodes, leaves: &self.leaves };
        self.kept.each().all(|kept| {
            (0..kept.next_block().unwrap_or(kept.len())).all(|block| match kept.line(block) {
                Some(line) => *line == trie.line(kept, block, trie.top()),
                None => kept.get(block) == Some(trie.derive(kept, block, trie.top())),
            })
        })
    }
}

impl<'a, K: Key> Trie<'a, K> {
    /// A block's shortcut.
    pub(super) fn shortcut(&self, kept: &Shortcuts<K>, block: u32) -> Shortcut {
        self.derive(kept, block, self.top())
    }

    /// Where all walks begin.
    pub(super) fn top(&self) -> Way<'a, K> {
        Way { node: self.root, index: NONE, value: NO_MATCH }
    }

    /// How far the walks to all blocks below a prefix have the same way.
    pub(super) fn above(&self, kept: &Shortcuts<K>, key: K, length: u8) -> Way<'a, K> {
        let (mut way, common) = (self.top(), length.min(kept.depth() - 1));
        while let Slot::Node(place) = way.node.slot(way.node.slot_number(key)) {
            let index = way.node.nodes + place as u32;
            let Some(node) = self.nodes.get(index) else { break };
            if node.offset() > common || key.common_bits(node.key) < node.offset() {
                break;
            }
            way = Way { node, index, value: self.value(kept, &way, key) };
        }
        way
    }

    /// Value of the longest prefix on the way to a block, that of its last node included.
    fn value(&self, kept: &Shortcuts<K>, way: &Way<'_, K>, key: K) -> u32 {
        let inner = self.inner(way.node, key, kept.depth());
        inner.filter(|leaf| leaf.bits() >= kept.shortest_spread()).map_or(way.value, |leaf| leaf.value)
    }

    /// Works out a block's shortcut: a walk of `depth` bits.
    pub(super) fn derive(&self, kept: &Shortcuts<K>, block: u32, mut way: Way<'a, K>) -> Shortcut {
        let depth = kept.depth();
        let key = kept.key_of(block);
        loop {
            let Way { node, index, .. } = way;
            let offset = node.offset();
            if key.common_bits(node.key) < offset.min(depth) {
                return Shortcut::end(way.value);
            }
            if offset >= depth {
                return Shortcut { value: way.value, next: Next::Node(index) };
            }
            let value = self.value(kept, &way, key);
            if offset + STRIDE > depth {
                return self.inside(kept, node, index, key, value);
            }
            let index = match node.slot(node.slot_number(key)) {
                Slot::Bucket(place, count) => {
                    return self.bucket(kept, node.run() + place as u32, count, key, value);
                }
                Slot::Node(place) => node.nodes + place as u32,
            };
            let Some(node) = self.nodes.get(index) else { return Shortcut::end(value) };
            way = Way { node, index, value };
        }
    }

    /// The longest inner prefix of a node of up to `depth` bits that covers the key.
    fn inner(&self, node: &Node<K>, key: K, depth: u8) -> Option<&Leaf<K>> {
        let half = (node.slot_number(key) >> 1) as usize;
        let short = match depth - node.offset() {
            bits @ ..5 => below(2 << bits),
            _ => u64::MAX,
        };
        let covering = COVERING.get(half).copied().unwrap_or(0) & node.inner & short;
        let number = 63u32.checked_sub(covering.leading_zeros())?;
        self.leaves.get(node.run() + node.inner_place(number) as u32)
    }

    /// A block that is one of several in a slot, or the only one.
    fn bucket(&self, kept: &Shortcuts<K>, run: u32, count: usize, key: K, value: u32) -> Shortcut {
        let (depth, spread) = (kept.depth(), kept.shortest_spread());
        let leaves = self.leaves.run(run, count);
        let short = leaves.iter().find(|leaf| leaf.bits() <= depth && leaf.covers(key));
        let value = short.filter(|leaf| leaf.bits() >= spread).map_or(value, |leaf| leaf.value);
        let longer = |leaf: &Leaf<K>| leaf.bits() > depth && leaf.key.common_bits(key) >= depth;
        match (leaves.iter().position(longer), leaves.iter().rposition(longer)) {
            (Some(first), Some(last)) => {
                self.prefixes(kept, run + first as u32, (last - first + 1) as u32, value)
            }
            _ => Shortcut::end(value),
        }
    }

    /// A block that takes several slots of a node.
    fn inside(&self, kept: &Shortcuts<K>, node: &Node<K>, index: u32, key: K, value: u32) -> Shortcut {
        let first = node.slot_number(key);
        let bits = node.offset() + STRIDE - kept.depth();
        if node.crowds(bits) >> first & 1 != 0 {
            return Shortcut { value, next: Next::Node(index) };
        }
        let slots = below(1 << bits) << first;
        let count = (node.low & slots).count_ones() + 2 * (node.high & slots).count_ones();
        self.prefixes(kept, node.leaves + node.leaves_below(first), count, value)
    }

    /// A block with so many prefixes from an index on, 0 to 3.
    fn prefixes(&self, kept: &Shortcuts<K>, index: u32, count: u32, value: u32) -> Shortcut {
        if count == 0 {
            return Shortcut::end(value);
        }
        if (count, value) == (1, NO_MATCH)
            && let Some(leaf) = self.leaves.get(index)
            && let Some(rest) = kept.rest(leaf.key, leaf.bits())
        {
            return Shortcut { value: leaf.value, next: Next::Prefix(rest) };
        }
        Shortcut { value, next: Next::Bucket(index, count) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::shortcuts;
    use super::super::{Key4, Lpm4};

    /// Where prefixes lie unevenly there are more lines, and so it stays.
    #[test]
    fn lines_that_do_not_suffice_become_more_for_good() {
        let mut table = Lpm4::new();
        let mut random = 1u64;
        for n in 0..20_000u32 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let key = if n < 4_000 { (random >> 34) as u32 } else { 1 << 24 };
            assert!(table.insert(Key4(key), 24, n).is_ok());
            if n > 8_000 {
                let current = &table.kept.current;
                assert!(current.is_lined() && current.len() == 1024, "{} blocks after {n}", current.len());
                assert!(current.deep() < 10, "{} deep ones", current.deep());
            }
        }
    }

    /// Most lookups in a table of scattered prefixes end at their word, nearly all others at a prefix there.
    #[test]
    fn shortcuts_suit_scattered_prefixes() {
        for count in [1_000u32, 3_000] {
            let mut table = Lpm4::new();
            let key = |n: u32| Key4(0x0100_0000 + ((n.wrapping_mul(2_654_435_761) & 0x003F_FFFF) << 8));
            for n in 0..count {
                assert!(table.insert(key(n), 24, n).is_ok());
            }
            for _ in 0..4 * count {
                assert!(table.insert(key(0), 24, 0).is_ok());
            }
            let current = &table.kept.current;
            let word = |n: u32| current.said(key(n));
            let here = (0..count).filter(|n| shortcuts::says_all(word(*n))).count();
            let there = (0..count).filter(|n| shortcuts::kind(word(*n)) < shortcuts::NODE).count();
            let depth = current.depth();
            assert!(here * 10 > count as usize * 5, "{here} of {count}, {depth} bits");
            assert!((here + there) * 10 > count as usize * 9, "{here} and {there} of {count}, {depth} bits");
        }
    }
}
