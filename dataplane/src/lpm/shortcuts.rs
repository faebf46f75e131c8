//! Shortcuts: by some leading bits of an address straight to where a walk down the trie arrives.
//!
//! All prefixes that matter share their first bits more often than not (a site's block, 2000::/3):
//! the *region*. The bits that follow number 2^`bits` *blocks*, about one for each prefix or two.
//! For each there is a word that says what a walk finds after `depth` = `base` + `bits` bits:
//!
//! - the value of the longest prefix of up to `depth` bits that covers the whole block, and
//! - where to go on: one to three prefixes beyond that length, or a node, or nowhere.
//!
//! A prefix that is alone in its block, without a value for the whole of it, is told in the word itself:
//! then, too, there is nowhere to go on, and a lookup reads but this one word.
//!
//! Large tables may have a line for each block in place of a word (`lines.rs`), of which there are fewer then.
//!
//! Shortcuts repeat what the trie says; `keep.rs` keeps them true. A short prefix that covers too
//! many blocks is left out: one that is not *spread* is found by a walk from the root.

use super::Key;
use super::lines::{self, Line, LineChunk};
use dpdk_sys::{List, Lone, Supply};

/// Fewest bits: a block is then never wider than a slot of the root node.
pub(super) const MIN_BITS: u8 = 6;
/// Most bits.
pub(super) const MAX_BITS: u8 = 24;
/// Blocks, as a power of two, that one prefix may be spread over: the most words that one update
/// writes.
const SPREAD_BITS: u8 = if cfg!(test) { 4 } else { 10 };
/// The same for blocks with lines.
const SPREAD_LINES: u8 = if cfg!(test) { 3 } else { 7 };
/// Lines that are asked for before a prefix is changed that is spread over them, as a power of two.
const ASKED_BITS: u8 = 4;
/// Words in a chunk, as a power of two: small enough for a small table, of which there may be thousands;
/// large enough for the directory of a table of a million prefixes to stay in the first-level cache.
const CHUNK_BITS: u32 = 8;
const CHUNK: usize = 1 << CHUNK_BITS;
/// Words of neighbouring blocks. Of a size that the compiler knows, so that a lookup checks one bound.
pub(super) type Chunk = Lone<[u64; CHUNK]>;

/// What is known of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shortcut {
    /// Value for the whole block, or [`super::NO_MATCH`]; with [`Next::Prefix`] for the keys it covers, and
    /// nothing is known of the others.
    pub value: u32,
    /// Where to go on.
    pub next: Next,
}

/// Where to go on from a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nowhere: all is said. Which keys of the block the value is for: the bits of the prefix beyond `depth`
    /// come first, then a one, then zeros.
    Prefix(u32),
    /// From this index on lie so many prefixes, 1 to 3.
    Bucket(u32, u32),
    /// A node lies at the index.
    Node(u32),
}

/// All keys of a block.
const WHOLE: u32 = 1 << 31;
/// Most bits beyond `depth` of a prefix that is told in a word.
const REST_BITS: u8 = 30;

// From the highest bit on: a one and a prefix, or a zero, two bits of kind and an index; then the value.
const HERE: u64 = 1 << 63;
const KIND_SHIFT: u32 = 61;
const INDEX_SHIFT: u32 = 32;
const INDEX_MASK: u64 = (1 << 29) - 1;
/// The kind of words that lead to a node; one less than so many prefixes is the kind of others.
pub(super) const NODE: u32 = 3;

/// The word that sends a lookup to the root.
pub(super) const ROOT: u64 = (NODE as u64) << KIND_SHIFT | INDEX_MASK << INDEX_SHIFT | super::NO_MATCH as u64;

/// Where a word leads that does not say all, for lookups in bursts: 0 to 2, to one prefix more than that, or
/// [`NODE`].
#[inline(always)]
pub(super) const fn kind(word: u64) -> u32 {
    (word >> KIND_SHIFT) as u32
}

/// Index of the first prefix or of the node.
#[inline(always)]
pub(super) const fn index(word: u64) -> u32 {
    (word >> INDEX_SHIFT & INDEX_MASK) as u32
}

/// The word says all.
#[inline(always)]
pub(super) const fn says_all(word: u64) -> bool {
    word & HERE != 0
}

/// Value of a word that says all, for a key of its block, of which `rest` are the bits beyond `depth`.
#[inline(always)]
pub(super) const fn value(word: u64, rest: u32) -> u32 {
    let prefix = (word >> 31) as u32 & !1;
    // The one and all behind it may differ.
    let free = prefix ^ prefix.wrapping_sub(1);
    if prefix ^ rest <= free { word as u32 } else { super::NO_MATCH }
}

impl Shortcut {
    #[inline]
    pub(super) const fn unpack(word: u64) -> Self {
        let next = match kind(word) {
            NODE => Next::Node(index(word)),
            kind @ ..NODE => Next::Bucket(index(word), kind + 1),
            _ => Next::Prefix((word >> 31) as u32 & !1),
        };
        Self { value: word as u32, next }
    }

    pub(super) const fn pack(self) -> u64 {
        let (index, kind) = match self.next {
            Next::Prefix(rest) => return HERE | (rest as u64) << 31 | self.value as u64,
            Next::Bucket(index, count) => (index, count.wrapping_sub(1) & 3),
            Next::Node(index) => (index, NODE),
        };
        (kind as u64) << KIND_SHIFT | (index as u64 & INDEX_MASK) << INDEX_SHIFT | self.value as u64
    }

    /// A value for the whole block, and nowhere to go on.
    pub(super) const fn end(value: u32) -> Self {
        Self { value, next: Next::Prefix(WHOLE) }
    }
}

/// A table of shortcuts.
#[derive(Clone, Debug)]
pub(super) struct Shortcuts<K> {
    /// First `base` bits of the region, the others zero.
    region: K,
    base: u8,
    bits: u8,
    /// Every prefix is spread over all blocks that it covers.
    complete: bool,
    /// Blocks below this number have their word.
    filled: u32,
    chunks: List<Chunk>,
    /// There are lines rather than words.
    lined: bool,
    lines: List<LineChunk>,
    /// Blocks whose lines are deep.
    deep: u32,
}

impl<K: Key> Default for Shortcuts<K> {
    fn default() -> Self {
        Self {
            region: K::default(),
            base: 0,
            bits: 0,
            complete: false,
            filled: 0,
            chunks: List::default(),
            lined: false,
            lines: List::default(),
            deep: 0,
        }
    }
}

impl<K: Key> Shortcuts<K> {
    /// A table without words yet.
    pub(super) fn new(supply: &Supply, region: K, base: u8, bits: u8) -> Self {
        let bits = bits.clamp(MIN_BITS, MAX_BITS);
        let base = base.min(K::BITS - bits);
        let chunks = List::with_capacity(supply, 1usize << bits.saturating_sub(CHUNK_BITS as u8));
        Self { region: region.masked(base), base, bits, chunks, ..Self::default() }
    }

    /// The same with lines in place of words.
    pub(super) fn lined(supply: &Supply, region: K, base: u8, bits: u8) -> Self {
        let lines = List::with_capacity(supply, 1usize << bits.saturating_sub(lines::CHUNK_BITS as u8));
        let words = Self::new(supply, region, base, bits);
        Self { lined: true, lines, chunks: List::default(), ..words }
    }

    /// The same, that knows the shortest prefixes, too: not for many blocks.
    pub(super) fn complete(supply: &Supply, region: K, base: u8, bits: u8) -> Self {
        Self { complete: true, ..Self::new(supply, region, base, bits) }
    }

    /// The key lies in the region.
    pub(super) fn has(&self, key: K) -> bool {
        self.bits > 0 && key.common_bits(self.region) >= self.base
    }

    /// All keys lie in the region.
    #[inline(always)]
    pub(super) fn has_all<const N: usize>(&self, keys: &[K; N]) -> bool {
        keys.iter().fold(0, |highest, key| self.place(*key).0.max(highest)) < self.len()
    }

    /// Number of a key's block, and its bits beyond `depth`, for [`value`].
    #[inline(always)]
    pub(super) fn place(&self, key: K) -> (u32, u32) {
        key.place(self.region, self.base, self.depth())
    }

    /// The word of a block. `None`: that is outside the region, or there are no shortcuts.
    #[inline(always)]
    pub(super) fn word(&self, block: u32) -> Option<u64> {
        let words = self.chunks.get((block >> CHUNK_BITS) as usize)?;
        words.get(block as usize & (CHUNK - 1)).copied()
    }

    /// The words of many blocks; [`ROOT`] for those outside the region.
    #[inline(always)]
    pub(super) fn words<const N: usize>(&self, blocks: &[u32; N]) -> [u64; N] {
        let mut words = [ROOT; N];
        match &*self.chunks {
            // In a small table no block has to be looked for, and what is outside is said by `len`.
            [chunk] => {
                for (word, block) in words.iter_mut().zip(blocks) {
                    *word = chunk.get(*block as usize & (CHUNK - 1)).copied().unwrap_or(ROOT);
                }
            }
            _ => {
                for (word, block) in words.iter_mut().zip(blocks) {
                    *word = self.word(*block).unwrap_or(ROOT);
                }
            }
        }
        words
    }

    /// There are lines rather than words.
    #[inline(always)]
    pub(super) const fn is_lined(&self) -> bool {
        self.lined
    }

    /// The line of a block. `None`: that is outside the region, or there are no lines.
    #[inline(always)]
    pub(super) fn line(&self, block: u32) -> Option<&Line> {
        let lines = self.lines.get((block >> lines::CHUNK_BITS) as usize)?;
        lines.get(block as usize & ((1 << lines::CHUNK_BITS) - 1))
    }

    /// Number of blocks whose lines do not tell their prefixes.
    pub(super) const fn deep(&self) -> u32 {
        self.deep
    }

    /// The line of a block that has it already. It is not to become deep, or shallow: see [`Self::set_line`].
    pub(super) fn line_mut(&mut self, block: u32) -> Option<&mut Line> {
        let lines =
            self.lines.get_mut((block >> lines::CHUNK_BITS) as usize).filter(|_| block < self.filled)?;
        lines.get_mut(block as usize & ((1 << lines::CHUNK_BITS) - 1))
    }

    /// The word of a key; one that says all if its line does.
    #[cfg(test)]
    pub(super) fn said(&self, key: K) -> u64 {
        let block = self.place(key).0;
        let of = |line: &Line| if line.is_deep() { line.word() } else { Shortcut::end(0).pack() };
        self.line(block).map(of).or_else(|| self.word(block)).unwrap_or(ROOT)
    }

    /// Adds the line of the next block.
    pub(super) fn push_line(&mut self, supply: &Supply, line: Line) {
        if self.filled & ((1 << lines::CHUNK_BITS) - 1) == 0 {
            self.lines.push(supply, Lone::array(supply, |_| lines::TO_ROOT));
        }
        self.filled += 1;
        self.deep += 1;
        self.set_line(self.filled - 1, line);
    }

    /// Changes a block that has its line already.
    pub(super) fn set_line(&mut self, block: u32, line: Line) {
        if let Some(place) = self.line_mut(block) {
            let (former, deep) = (place.is_deep(), line.is_deep());
            *place = line;
            self.deep = self.deep + u32::from(deep) - u32::from(former);
        }
    }

    /// How a line tells a prefix, which is longer than `depth`.
    pub(super) fn tail(&self, key: K, length: u8) -> Option<u16> {
        let fits = length <= self.longest_told();
        self.rest(key, length).filter(|_| fits).map(|rest| (rest >> 16) as u16)
    }

    /// The longest prefixes that lines tell.
    pub(super) const fn longest_told(&self) -> u8 {
        let longest = self.depth() + lines::TAIL_BITS;
        if longest < K::NEAR { longest } else { K::NEAR }
    }

    /// What of a prefix a word can say: for [`Next::Prefix`]. It is longer than `depth`.
    pub(super) fn rest(&self, key: K, length: u8) -> Option<u32> {
        let bits = length.checked_sub(self.depth())?;
        (bits <= REST_BITS && length <= K::NEAR).then(|| self.place(key).1 | WHOLE >> bits)
    }

    /// Number of bits after which a shortcut arrives; 0: there are none.
    #[inline]
    pub(super) const fn depth(&self) -> u8 {
        self.base + self.bits
    }

    /// There are shortcuts, but not for all keys.
    pub(super) const fn is_partial(&self) -> bool {
        self.bits > 0 && self.base > 0
    }

    /// Number of blocks; 0: there are no shortcuts.
    #[inline(always)]
    pub(super) const fn len(&self) -> u32 {
        if self.bits == 0 { 0 } else { 1 << self.bits }
    }

    /// Same region and size.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        (self.region, self.base, self.bits, self.lined) == (other.region, other.base, other.bits, other.lined)
    }

    /// The next block to be filled; `None`: all are.
    pub(super) const fn next_block(&self) -> Option<u32> {
        if self.filled < self.len() { Some(self.filled) } else { None }
    }

    /// Adds the word of the next block.
    pub(super) fn push(&mut self, supply: &Supply, shortcut: Shortcut) {
        if self.filled as usize & (CHUNK - 1) == 0 {
            // Blocks beyond the last one are outside the region, too.
            self.chunks.push(supply, Lone::array(supply, |_| ROOT));
        }
        self.filled += 1;
        self.set(self.filled - 1, shortcut);
    }

    /// The shortcut of a block that has its word; of lines, one that is deep.
    pub(super) fn get(&self, block: u32) -> Option<Shortcut> {
        if self.lined {
            // What other lines say is theirs.
            let line = self.line(block).filter(|line| block < self.filled && line.is_deep())?;
            return Some(Shortcut::unpack(line.word()));
        }
        self.word(block).filter(|_| block < self.filled).map(Shortcut::unpack)
    }

    /// Changes a block that has its word already.
    pub(super) fn set(&mut self, block: u32, shortcut: Shortcut) {
        if block >= self.filled {
            return;
        }
        if let Some(line) = self.line_mut(block) {
            *line = Line::deep(shortcut.pack());
        }
        let words = self.chunks.get_mut((block >> CHUNK_BITS) as usize);
        if let Some(word) = words.and_then(|words| words.get_mut(block as usize & (CHUNK - 1))) {
            *word = shortcut.pack();
        }
    }

    /// Words of these blocks, first and last, that lead to one of `count` prefixes from the index `from` on, lead so
    /// much further (or, wrapping, less far) now. For words, not for lines.
    pub(super) fn shift(&mut self, (first, last): (u32, u32), from: u32, count: u32, further: u32) {
        let (mut at, end) = (first as usize, last as usize + 1);
        let (from, count) = (u64::from(from), u64::from(count));
        let further = (further as i32 as u64) << INDEX_SHIFT;
        while count > 0 && at < end {
            let until = end.min((at | (CHUNK - 1)) + 1);
            let place = at & (CHUNK - 1);
            let words = self.chunks.get_mut(at >> CHUNK_BITS);
            let words = words.and_then(|words| words.get_mut(place..place + until - at));
            // Without a branch: vector instructions.
            for word in words.unwrap_or_default() {
                let nth = (*word >> INDEX_SHIFT & INDEX_MASK).wrapping_sub(from);
                let ours = (*word < u64::from(NODE) << KIND_SHIFT) & (nth < count);
                *word = word.wrapping_add(if ours { further } else { 0 });
            }
            at = until;
        }
    }

    /// Asks for what is known of the blocks of a prefix, the first ones of many.
    #[inline]
    pub(super) fn prefetch(&self, key: K, length: u8) {
        let block = self.place(key).0;
        if !self.lined {
            let words = self.chunks.get((block >> CHUNK_BITS) as usize);
            if let Some(word) = words.and_then(|words| words.get(block as usize & (CHUNK - 1))) {
                dpdk_sys::prefetch(word);
            }
            return;
        }
        let more = self.depth().saturating_sub(length).min(ASKED_BITS);
        for block in block..block.saturating_add(1 << more) {
            if let Some(line) = self.line(block) {
                dpdk_sys::prefetch(line);
            }
        }
    }

    /// Blocks that a prefix covers or that cover it, as first and last.
    pub(super) fn blocks(&self, key: K, length: u8) -> Option<(u32, u32)> {
        if self.bits == 0 || key.common_bits(self.region) < self.base.min(length) {
            return None;
        }
        if length <= self.base {
            return Some((0, self.len() - 1));
        }
        let first = key.masked(length).bits(self.base, self.bits);
        Some((first, first + ((1 << self.depth().saturating_sub(length)) - 1)))
    }

    /// The block of a prefix that is longer than `depth`.
    pub(super) fn block_of(&self, key: K, length: u8) -> Option<u32> {
        if length <= self.depth() || self.bits == 0 || key.common_bits(self.region) < self.base {
            return None;
        }
        Some(key.bits(self.base, self.bits))
    }

    /// First address of a block.
    pub(super) fn key_of(&self, block: u32) -> K {
        self.region.with_bits(self.base, self.bits, block)
    }

    /// Shortest length of prefixes that are spread over the blocks they cover; at least 1.
    pub(super) fn shortest_spread(&self) -> u8 {
        let spread = if self.lined { SPREAD_LINES } else { SPREAD_BITS };
        if self.complete || self.bits <= spread { 1 } else { self.depth() - spread }
    }

    /// The chunks, to be freed at leisure.
    pub(super) fn into_chunks(self) -> (List<Chunk>, List<LineChunk>) {
        (self.chunks, self.lines)
    }

    /// Bytes taken from the supply.
    pub(super) fn memory_bytes(&self) -> usize {
        let lines: usize = self.lines.iter().map(Lone::memory_bytes).sum();
        self.chunks.len() * CHUNK * 8 + self.chunks.memory_bytes() + lines + self.lines.memory_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Key4, Key6, NO_MATCH};
    use super::*;

    #[test]
    fn shortcuts_survive_packing() {
        let last = (1 << 29) - 1;
        let nexts = [Next::Bucket(0, 1), Next::Bucket(last, 3), Next::Node(0), Next::Node(last)];
        for next in nexts.into_iter().chain([WHOLE, 2, u32::MAX - 1].map(Next::Prefix)) {
            for value in [NO_MATCH, 0] {
                let shortcut = Shortcut { value, next };
                assert_eq!(Shortcut::unpack(shortcut.pack()), shortcut);
                assert_eq!(says_all(shortcut.pack()), matches!(next, Next::Prefix(_)));
            }
        }
        assert_eq!(Shortcut::unpack(ROOT), Shortcut { value: NO_MATCH, next: Next::Node(last) });
    }

    #[test]
    fn words_that_say_all() {
        let all = Shortcut::end(7).pack();
        assert_eq!((value(all, 0), value(all, u32::MAX)), (7, 7));
        let ten = Shortcuts::new(&Supply::default(), Key4(0x0a12_3456), 8, 6);
        let prefix = |key, length| {
            let next = ten.rest(Key4(key), length).map(Next::Prefix);
            next.map(|next| Shortcut { value: 7, next }.pack())
        };
        let rest = |key| ten.place(Key4(key)).1;
        let word = prefix(0x0a05_0600, 24).unwrap();
        assert_eq!(value(word, rest(0x0a05_06ff)), 7);
        assert_eq!(value(word, rest(0x0a05_07ff)), NO_MATCH);
        assert_eq!(value(word, rest(0x0a04_06ff)), NO_MATCH);
        let word = prefix(0x0a05_0600, 32).unwrap();
        assert_eq!(value(word, rest(0x0a05_0600)), 7);
        assert_eq!(value(word, rest(0x0a05_0601)), NO_MATCH);
        let six = Shortcuts::new(&Supply::default(), Key6::default(), 0, 24);
        assert!(six.rest(Key6 { high: 1, low: 0 }, 64).is_none());
        assert!(six.rest(Key6 { high: 1 << 10, low: 0 }, 54).is_some());
    }

    #[test]
    fn blocks_of_prefixes() {
        let ten = Shortcuts::new(&Supply::default(), Key4(0x0a12_3456), 8, 6);
        assert_eq!((ten.depth(), ten.len()), (14, 64));
        assert_eq!(ten.blocks(Key4(0x0a00_0000), 8), Some((0, 63)));
        assert_eq!(ten.blocks(Key4(0), 0), Some((0, 63)));
        assert_eq!(ten.blocks(Key4(0x0b00_0000), 8), None);
        assert_eq!(ten.blocks(Key4(0x0a04_0000), 14), Some((1, 1)));
        assert_eq!(ten.blocks(Key4(0x0a05_0607), 32), Some((1, 1)));
        assert_eq!(ten.blocks(Key4(0x0a10_0000), 12), Some((4, 7)));
        assert_eq!(ten.key_of(5), Key4(0x0a14_0000));
        assert_eq!(ten.word(ten.place(Key4(0x0a00_0000)).0), None);
    }
}
