//! Lines: what large tables have in place of shortcut words. A block takes a cache line, which tells up to twelve
//! prefixes with their values, so that most lookups read that line and nothing else.
//!
//! A prefix is told by its *tail*: its bits beyond the block's, then a one, then zeros, in 16 bits. The longest
//! come first, and behind the last one the value for the whole block. Values take 24 bits,
//! the highest of them the sign. A block that all this does not suit is *deep*: its line says where to go on, as
//! a shortcut word does.

use super::NO_MATCH;
use super::shortcuts::ROOT;

/// Prefixes in a line.
pub(super) const ENTRIES: usize = 12;
/// Values, one for the whole block included.
const VALUES: usize = ENTRIES + 1;
/// Bytes of a line's tails, and where its values begin.
const TAILS: usize = 2 * ENTRIES;
/// Where the word of a deep block lies.
const WORD: usize = 32;
/// Most bits of a prefix beyond its block's.
pub(super) const TAIL_BITS: u8 = 15;
/// The greatest value that a line tells.
const MAX_VALUE: u32 = (1 << 23) - 1;
/// Found in a deep block.
pub(super) const DEEP: u32 = 0xFF80_0000;

/// Lines in a chunk, as a power of two.
pub(super) const CHUNK_BITS: u32 = 9;
/// Lines of neighbouring blocks.
pub(super) type LineChunk = dpdk_sys::Lone<[Line; 1 << CHUNK_BITS]>;

/// What is known of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(64))]
pub(super) struct Line([u8; 64]);

/// Sends a lookup to the root.
pub(super) const TO_ROOT: Line = Line::deep(ROOT);

/// The tail of what covers the whole block.
const WHOLE: u16 = 1 << 15;

/// The tails of a line, four in each number.
pub(super) type Tails = [u64; 3];

const ONES: u64 = 0x0001_0001_0001_0001;
const HIGHS: u64 = ONES << 15;

/// The first prefix that covers a key of the block, of which `rest` are the bits beyond, as the lowest bit of a
/// number: sixteen times its place by threes, and the remainder. There is always one.
///
/// Four tails at a time, and lanes of a burst four at a time, too: there are no vector instructions for less.
#[inline(always)]
pub(super) const fn first_covering(tails: Tails, rest: u32) -> u64 {
    let rest = (rest >> 16) as u64;
    let rest = rest | rest << 16;
    let rest = rest | rest << 32;
    let [first, second, third] = tails;
    covering(first, rest) >> 15 | covering(second, rest) >> 14 | covering(third, rest) >> 13 | 1 << 51
}

/// The highest bit of the first of four tails that covers a key; bits above may be set as well.
#[inline(always)]
const fn covering(tails: u64, rest: u64) -> u64 {
    // The one and all behind it may differ. No tail is zero.
    let differ = (tails ^ rest) & !(tails ^ (tails - ONES));
    differ.wrapping_sub(ONES) & !differ & HIGHS
}

impl Line {
    /// A block without prefixes of its own. `None`: the value is too large.
    pub(super) fn whole(value: u32) -> Option<Self> {
        is_told(value).then(|| Entries { tails: [WHOLE; ENTRIES], values: [value; VALUES], count: 0 }.pack())
    }

    /// A block that a lookup has to go on from, by this word.
    pub(super) const fn deep(word: u64) -> Self {
        let (mut bytes, [low, middle, high, _]) = ([0; 64], DEEP.to_le_bytes());
        // Tails that cover everything.
        put(&mut bytes, 0, HIGHS.to_le_bytes());
        put(&mut bytes, 8, HIGHS.to_le_bytes());
        put(&mut bytes, 16, HIGHS.to_le_bytes());
        put(&mut bytes, TAILS, [low, middle, high]);
        put(&mut bytes, WORD, word.to_le_bytes());
        Self(bytes)
    }

    /// The tails, for [`first_covering`].
    #[inline(always)]
    pub(super) fn tails(&self) -> Tails {
        let words = self.0.as_chunks().0.first_chunk();
        words.copied().map_or([HIGHS; 3], |words| words.map(u64::from_le_bytes))
    }

    /// The value for a key of the block, of which `rest` are the bits beyond, or [`DEEP`].
    #[inline(always)]
    pub(super) fn find(&self, rest: u32) -> u32 {
        self.value_of(first_covering(self.tails(), rest))
    }

    /// The value that belongs to what [`first_covering`] said.
    #[inline(always)]
    pub(super) fn value_of(&self, found: u64) -> u32 {
        let bit = found.trailing_zeros() as usize;
        self.value((bit >> 4 & 3) * 3 + (bit & 3))
    }

    #[inline(always)]
    fn value(&self, place: usize) -> u32 {
        let bytes = self.0.get(TAILS + 3 * place..).and_then(|bytes| bytes.first_chunk());
        let bytes = bytes.copied().map_or(0, u32::from_le_bytes);
        ((bytes << 8) as i32 >> 8) as u32
    }

    /// The block is deep.
    pub(super) fn is_deep(&self) -> bool {
        self.value(0) == DEEP
    }

    /// The word of a deep block.
    #[inline]
    pub(super) fn word(&self) -> u64 {
        let bytes = self.0.get(WORD..).and_then(|bytes| bytes.first_chunk());
        bytes.copied().map_or(ROOT, u64::from_le_bytes)
    }

    /// Another value for what none of the prefixes covers, in a block that is not deep. False: it is too large.
    pub(super) fn set_whole(&mut self, value: u32) -> bool {
        let (tails, values) = self.0.split_at_mut(TAILS);
        let count = tails.as_chunks().0.iter().filter(|tail| u16::from_le_bytes(**tail) != WHOLE).count();
        let [low, middle, high, _] = value.to_le_bytes();
        values.as_chunks_mut().0.iter_mut().skip(count).for_each(|place| *place = [low, middle, high]);
        is_told(value)
    }

    /// Tells a prefix in a block that is not deep. False: there is no room, or the value is too large.
    pub(super) fn put(&mut self, tail: u16, value: u32) -> bool {
        let mut entries = self.entries();
        let done = is_told(value) && entries.put(tail, value);
        if done {
            *self = entries.pack();
        }
        done
    }

    /// Forgets a prefix in a block that is not deep.
    pub(super) fn take(&mut self, tail: u16) {
        let mut entries = self.entries();
        entries.take(tail);
        *self = entries.pack();
    }

    fn entries(&self) -> Entries {
        let mut entries = Entries { tails: [WHOLE; ENTRIES], values: [NO_MATCH; VALUES], count: 0 };
        let words = self.tails();
        for (place, to) in entries.tails.iter_mut().enumerate() {
            let word = words.get(place % 3).copied().unwrap_or_default();
            *to = (word >> (place / 3 * 16)) as u16;
        }
        for (place, value) in entries.values.iter_mut().enumerate() {
            *value = self.value(place);
        }
        entries.count = entries.tails.iter().filter(|tail| **tail != WHOLE).count();
        entries
    }
}

/// Writes some of a line's bytes.
const fn put<const N: usize>(bytes: &mut [u8; 64], at: usize, what: [u8; N]) {
    if let Some((_, rest)) = bytes.split_at_mut_checked(at)
        && let Some(place) = rest.first_chunk_mut()
    {
        *place = what;
    }
}

/// A line tells this value.
const fn is_told(value: u32) -> bool {
    value <= MAX_VALUE || value == NO_MATCH
}

/// A line's contents, to be changed.
struct Entries {
    /// By length, longest first, and then by number. From `count` on those of the whole block.
    tails: [u16; ENTRIES],
    /// From `count` on that of the whole block.
    values: [u32; VALUES],
    count: usize,
}

impl Entries {
    fn put(&mut self, tail: u16, value: u32) -> bool {
        let order = |tail: u16| (tail.trailing_zeros(), tail);
        let before = |other: &&u16| order(**other) < order(tail);
        let place = self.tails.iter().take(self.count).take_while(before).count();
        if self.tails.get(place) != Some(&tail) {
            if self.count == ENTRIES {
                return false;
            }
            self.tails.copy_within(place..ENTRIES - 1, place + 1);
            self.values.copy_within(place..ENTRIES, place + 1);
            self.count += 1;
        }
        if let (Some(at), Some(of)) = (self.tails.get_mut(place), self.values.get_mut(place)) {
            (*at, *of) = (tail, value);
        }
        true
    }

    fn take(&mut self, tail: u16) {
        let Some(place) = self.tails.iter().take(self.count).position(|other| *other == tail) else { return };
        self.tails.copy_within(place + 1.., place);
        self.values.copy_within(place + 1.., place);
        self.count -= 1;
        if let Some(last) = self.tails.last_mut() {
            *last = WHOLE;
        }
    }

    fn pack(&self) -> Line {
        let mut bytes = [0; 64];
        let mut words = [0; 3];
        for (place, tail) in self.tails.into_iter().enumerate() {
            if let Some(word) = words.get_mut(place % 3) {
                *word |= u64::from(tail) << (place / 3 * 16);
            }
        }
        for (to, from) in bytes.as_chunks_mut().0.iter_mut().zip(words) {
            *to = from.to_le_bytes();
        }
        let values = bytes.get_mut(TAILS..).unwrap_or_default().as_chunks_mut().0;
        for (to, from) in values.iter_mut().zip(self.values) {
            let [low, middle, high, _] = from.to_le_bytes();
            *to = [low, middle, high];
        }
        Line(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_cache_line() {
        assert_eq!((size_of::<Line>(), align_of::<Line>()), (64, 64));
        assert_eq!(TO_ROOT.find(0), DEEP);
        assert!(TO_ROOT.is_deep());
        assert_eq!(TO_ROOT.word(), ROOT);
        assert_eq!(Line::whole(MAX_VALUE + 1), None);
    }

    #[test]
    fn the_longest_of_the_prefixes_that_cover_a_key() {
        let Some(mut line) = Line::whole(NO_MATCH) else { unreachable!("it is told") };
        // 0/1, 01/2, 15 bits, in no order.
        assert!(line.put(0b0110_0000_0000_0000, 2) && line.put(0b0100_0000_0000_0000, 1));
        assert!(line.put(0b0101_0000_0000_0011, MAX_VALUE));
        let found =
            |line: &Line| [0, 0x4000_0000, 0x5002_0000, 0x5003_FFFF, 0x8000_0000].map(|rest| line.find(rest));
        assert_eq!(found(&line), [1, 2, MAX_VALUE, MAX_VALUE, NO_MATCH]);
        assert!(line.set_whole(7) && line.put(0b0110_0000_0000_0000, 3) && !line.put(1, MAX_VALUE + 1));
        assert_eq!(found(&line), [1, 3, MAX_VALUE, MAX_VALUE, 7]);
        line.take(0b0100_0000_0000_0000);
        line.take(0b0100_0000_0000_0000);
        assert_eq!(found(&line), [7, 3, MAX_VALUE, MAX_VALUE, 7]);
    }

    #[test]
    fn as_many_as_there_is_room_for() {
        let Some(mut line) = Line::whole(99) else { unreachable!("it is told") };
        let empty = line;
        let tail = |n: u32| ((n * 5 % 13) << 12 | 1 << 11) as u16;
        for n in 0..12 {
            assert!(line.put(tail(n), n));
        }
        assert!(!line.put(tail(12), 12) && line.put(tail(11), 11));
        for n in 0..13 {
            assert_eq!(line.find(u32::from(tail(n)) << 16), if n < 12 { n } else { 99 });
        }
        for n in 0..12 {
            assert!(!line.is_deep());
            line.take(tail(n));
        }
        assert_eq!(line, empty);
    }
}
