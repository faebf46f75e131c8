//! Shortcuts: by some leading bits of an address straight to where a walk down the trie arrives.
//!
//! All prefixes that matter share their first bits more often than not (a site's block, 2000::/3):
//! the *region*. The bits that follow number 2^`bits` *blocks*, about one for each prefix or two.
//! For each there is a word that says what a walk finds after `depth` = `base` + `bits` bits:
//!
//! - the value of the longest prefix of up to `depth` bits that covers the whole block, and
//! - where to go on: one to three prefixes beyond that length, or a node, or nowhere.
//!
//! Shortcuts repeat what the trie says; `keep.rs` keeps them true. A short prefix that covers too
//! many blocks is left out: one that is not *spread* is found by a walk from the root.

use super::Key;

/// Fewest bits: a block is then never wider than a slot of the root node.
pub(super) const MIN_BITS: u8 = 6;
/// Most bits.
pub(super) const MAX_BITS: u8 = 24;
/// From so many bits on, words are asked for before they are read: 512 KiB.
const LARGE_BITS: u8 = if cfg!(test) { 7 } else { 16 };
/// Blocks, as a power of two, that one prefix may be spread over: the most words that one update
/// writes.
const SPREAD_BITS: u8 = if cfg!(test) { 4 } else { 10 };
/// Words in a chunk, as a power of two: small enough for a small table, of which there may be thousands;
/// large enough for the directory of a table of a million prefixes to stay in the first-level cache.
const CHUNK_BITS: u32 = 8;
const CHUNK: usize = 1 << CHUNK_BITS;
/// Words of neighbouring blocks. Of a size that the compiler knows, so that a lookup checks one bound.
pub(super) type Chunk = Box<[u64; CHUNK]>;

/// What is known of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shortcut {
    /// Value for the whole block, or [`super::NO_MATCH`].
    pub value: u32,
    /// Index of the first prefix or of the node; below 2^29.
    pub index: u32,
    /// Where to go on.
    pub next: Next,
}

/// Where to go on from a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// So many prefixes, 0 to 3, lie at the index.
    Bucket(u32),
    /// A node lies at the index.
    Node,
}

const INDEX_SHIFT: u32 = 32;
const INDEX_MASK: u64 = (1 << 29) - 1;
const COUNT_SHIFT: u32 = 61;
const NODE: u64 = 1 << 63;

/// The word that sends a lookup to the root.
pub(super) const ROOT: u64 = NODE | INDEX_MASK << INDEX_SHIFT | super::NO_MATCH as u64;

/// Where a word leads, for lookups in bursts, as a number: 0 nowhere, 1 to 3 so many prefixes, more: a
/// node.
#[inline(always)]
pub(super) const fn kind(word: u64) -> u32 {
    (word >> COUNT_SHIFT) as u32
}

/// Index of the first prefix or of the node.
#[inline(always)]
pub(super) const fn index(word: u64) -> u32 {
    (word >> INDEX_SHIFT & INDEX_MASK) as u32
}

impl Shortcut {
    #[inline]
    pub(super) const fn unpack(word: u64) -> Self {
        let next = if word & NODE != 0 { Next::Node } else { Next::Bucket((word >> COUNT_SHIFT) as u32 & 3) };
        Self { value: word as u32, index: index(word), next }
    }

    const fn pack(self) -> u64 {
        let next = match self.next {
            Next::Bucket(count) => (count as u64 & 3) << COUNT_SHIFT,
            Next::Node => NODE,
        };
        next | (self.index as u64 & INDEX_MASK) << INDEX_SHIFT | self.value as u64
    }

    /// Nowhere to go on.
    pub(super) const fn end(value: u32) -> Self {
        Self { value, index: 0, next: Next::Bucket(0) }
    }
}

/// A table of shortcuts.
#[derive(Clone, Debug, Default)]
pub(super) struct Shortcuts<K> {
    /// First `base` bits of the region, the others zero.
    region: K,
    base: u8,
    bits: u8,
    /// Blocks below this number have their word.
    filled: u32,
    chunks: Vec<Chunk>,
}

impl<K: Key> Shortcuts<K> {
    /// A table without words yet.
    pub(super) fn new(region: K, base: u8, bits: u8) -> Self {
        let bits = bits.clamp(MIN_BITS, MAX_BITS);
        let base = base.min(K::BITS - bits);
        let chunks = Vec::with_capacity(1usize << bits.saturating_sub(CHUNK_BITS as u8));
        Self { region: region.masked(base), base, bits, filled: 0, chunks }
    }

    /// The word for a key. `None`: the key is outside the region, or there are no shortcuts.
    #[inline(always)]
    pub(super) fn word(&self, key: K) -> Option<u64> {
        let block = key.bits(self.base, self.bits);
        let word = self.chunks.get((block >> CHUNK_BITS) as usize)?.get(block as usize & (CHUNK - 1))?;
        (key.common_bits(self.region) >= self.base).then_some(*word)
    }

    /// There are more words than the nearer caches hold.
    #[inline(always)]
    pub(super) const fn is_large(&self) -> bool {
        self.bits >= LARGE_BITS
    }

    /// Asks for the word for a key.
    #[inline(always)]
    pub(super) fn prefetch(&self, key: K) {
        let block = key.bits(self.base, self.bits);
        let chunk = self.chunks.get((block >> CHUNK_BITS) as usize);
        if let Some(word) = chunk.and_then(|words| words.get(block as usize & (CHUNK - 1))) {
            dpdk_sys::prefetch(word);
        }
    }

    /// Number of bits after which a shortcut arrives; 0: there are none.
    #[inline]
    pub(super) const fn depth(&self) -> u8 {
        self.base + self.bits
    }

    /// Number of blocks; 0: there are no shortcuts.
    pub(super) const fn len(&self) -> u32 {
        if self.bits == 0 { 0 } else { 1 << self.bits }
    }

    /// Same region and size.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        (self.region, self.base, self.bits) == (other.region, other.base, other.bits)
    }

    /// The next block to be filled; `None`: all are.
    pub(super) const fn next_block(&self) -> Option<u32> {
        if self.filled < self.len() { Some(self.filled) } else { None }
    }

    /// Adds the word of the next block.
    pub(super) fn push(&mut self, shortcut: Shortcut) {
        if self.filled as usize & (CHUNK - 1) == 0 {
            self.chunks.push(Box::new([0; CHUNK]));
        }
        self.filled += 1;
        self.set(self.filled - 1, shortcut);
    }

    /// The shortcut of a block that has its word.
    pub(super) fn get(&self, block: u32) -> Option<Shortcut> {
        let words = self.chunks.get((block >> CHUNK_BITS) as usize)?;
        let word = words.get(block as usize & (CHUNK - 1))?;
        (block < self.filled).then_some(Shortcut::unpack(*word))
    }

    /// Changes a block that has its word already.
    pub(super) fn set(&mut self, block: u32, shortcut: Shortcut) {
        if block >= self.filled {
            return;
        }
        let words = self.chunks.get_mut((block >> CHUNK_BITS) as usize);
        if let Some(word) = words.and_then(|words| words.get_mut(block as usize & (CHUNK - 1))) {
            *word = shortcut.pack();
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
        if self.bits <= SPREAD_BITS { 1 } else { self.depth() - SPREAD_BITS }
    }

    /// The chunks, to be freed at leisure.
    pub(super) fn into_chunks(self) -> Vec<Chunk> {
        self.chunks
    }

    /// Bytes taken from the heap.
    pub(super) fn memory_bytes(&self) -> usize {
        self.chunks.len() * CHUNK * 8 + self.chunks.capacity() * size_of::<Chunk>()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Key4, NO_MATCH};
    use super::*;

    #[test]
    fn shortcuts_survive_packing() {
        for next in [Next::Bucket(0), Next::Bucket(3), Next::Node] {
            for (value, index) in [(NO_MATCH, 0), (0, (1 << 29) - 1)] {
                let shortcut = Shortcut { value, index, next };
                assert_eq!(Shortcut::unpack(shortcut.pack()), shortcut);
            }
        }
    }

    #[test]
    fn blocks_of_prefixes() {
        let ten = Shortcuts::new(Key4(0x0a12_3456), 8, 6);
        assert_eq!((ten.depth(), ten.len()), (14, 64));
        assert_eq!(ten.blocks(Key4(0x0a00_0000), 8), Some((0, 63)));
        assert_eq!(ten.blocks(Key4(0), 0), Some((0, 63)));
        assert_eq!(ten.blocks(Key4(0x0b00_0000), 8), None);
        assert_eq!(ten.blocks(Key4(0x0a04_0000), 14), Some((1, 1)));
        assert_eq!(ten.blocks(Key4(0x0a05_0607), 32), Some((1, 1)));
        assert_eq!(ten.blocks(Key4(0x0a10_0000), 12), Some((4, 7)));
        assert_eq!(ten.key_of(5), Key4(0x0a14_0000));
        assert_eq!(ten.word(Key4(0x0a00_0000)), None);
    }
}
