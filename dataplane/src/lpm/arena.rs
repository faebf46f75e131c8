//! Memory for runs of records: chunks of fixed size, so that growth neither copies nor moves what is
//! there, and an allocator of neighbouring records in them that gives back what is freed.
//!
//! Free runs of equal length hang in a list that is kept in the free records themselves: the first
//! and the last record of a free run know its length, the first one its neighbours in the list. A
//! bit per record tells free from used, so that a freed run is joined with a free one before or
//! behind it at once (boundary tags). As long as there is one chunk it grows in small steps, and a run that
//! grows takes what is free behind it before it moves. All operations take bounded time; only growth
//! takes memory, of the table's supply.

use dpdk_sys::{List, Lone, Run, Supply};

/// Something that can be kept in an [`Arena`] and can stand for a free run of records.
pub(super) trait Record: Copy + Default {
    /// Logarithm of the number of records in a chunk: between 32 and 64 KiB are best. Smaller ones
    /// make the directory of chunks fall out of the first-level cache, larger ones take long to
    /// make.
    const CHUNK_BITS: u32;

    /// The mark of a free run.
    fn from_free(free: FreeRun) -> Self;
    /// What [`Record::from_free`] was given.
    fn to_free(self) -> FreeRun;
}

/// What the first and the last record of a free run say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FreeRun {
    /// Records.
    pub length: u16,
    /// Previous run in the list; [`NONE`]: this is the first.
    pub previous: u32,
    /// Next run in the list; [`NONE`]: this is the last.
    pub next: u32,
}

/// No index.
pub(super) const NONE: u32 = u32::MAX;

/// An arena begins with so many bytes of records.
const FIRST_BYTES: usize = 256;
/// It grows by this part of itself, at most by a chunk.
const GROWTH: usize = 16;
/// Records that are addressed: what the root index has bits for.
pub(super) const MAX_RECORDS: u32 = 1 << 29;
/// Runs of at least so many records hang in one list. Runs that are asked for are shorter.
const CLASSES: usize = 256;

/// Runs of records, addressed by the index of their first record.
#[derive(Clone, Debug)]
pub(super) struct Arena<T> {
    chunks: List<Run<T>>,
    lists: Option<Lone<FreeLists>>,
    /// Of the chunks but the first, as [`FreeLists::used`].
    used: List<Run<u64>>,
    supply: Supply,
}

#[derive(Clone, Debug)]
struct FreeLists {
    /// By class; as many as were needed.
    first: Run<u32>,
    /// Bit set: the list of this class is not empty.
    filled: [u64; CLASSES / 64],
    /// Of the first chunk, which most tables have alone: as large as that; bit set: record in use. Apart from the
    /// chunks, whose directory lookups read.
    used: Run<u64>,
}

impl<T: Record> Arena<T> {
    const CHUNK: usize = 1 << T::CHUNK_BITS;
    /// The directory is one piece of a supply, and moves when it doubles.
    const MAX_CHUNKS: usize = {
        let (chunks, directory) = ((MAX_RECORDS >> T::CHUNK_BITS) as usize, 1 << 16);
        if chunks < directory { chunks } else { directory }
    };

    /// An empty one, without memory.
    pub(super) fn new(supply: &Supply) -> Self {
        Self { chunks: List::default(), used: List::default(), lists: None, supply: supply.clone() }
    }

    /// Chunk, and place in it.
    #[inline]
    const fn split(index: u32) -> (usize, usize) {
        ((index >> T::CHUNK_BITS) as usize, index as usize & (Self::CHUNK - 1))
    }

    /// The record at `index`.
    #[inline]
    pub(super) fn get(&self, index: u32) -> Option<&T> {
        let (chunk, place) = Self::split(index);
        self.chunks.get(chunk)?.get(place)
    }

    /// The record at `index`.
    #[inline]
    pub(super) fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        let (chunk, place) = Self::split(index);
        self.chunks.get_mut(chunk)?.get_mut(place)
    }

    /// The record at `index` and the ones behind it, if there are so many in the chunk.
    #[inline(always)]
    pub(super) fn window<const N: usize>(&self, index: u32) -> Option<&[T; N]> {
        let (chunk, place) = Self::split(index);
        self.chunks.get(chunk)?.get(place..)?.first_chunk()
    }

    /// The `length` records from `index` on.
    pub(super) fn run(&self, index: u32, length: usize) -> &[T] {
        let (chunk, place) = Self::split(index);
        let records = self.chunks.get(chunk).and_then(|chunk| chunk.get(place..place + length));
        records.unwrap_or(&[])
    }

    pub(super) fn write(&mut self, index: u32, records: &[T]) {
        let (chunk, place) = Self::split(index);
        let Some(chunk) = self.chunks.get_mut(chunk) else { return };
        if let Some(run) = chunk.get_mut(place..place + records.len()) {
            run.copy_from_slice(records);
        }
    }

    /// Another few runs can surely be allocated.
    pub(super) fn has_room(&self) -> bool {
        self.chunks.len() + 4 < Self::MAX_CHUNKS
    }

    /// Puts `records` somewhere; there are at most 255.
    pub(super) fn add(&mut self, records: &[T]) -> u32 {
        let index = self.allocate(records.len());
        self.write(index, records);
        index
    }

    /// The same, with so many records behind them that are not free until they are freed; all in all at most 255.
    pub(super) fn add_with_room(&mut self, records: &[T], room: usize) -> u32 {
        let index = self.allocate(records.len() + room);
        self.write(index, records);
        index
    }

    /// Replaces `remove` records by `insert` at place `at` of a run of `length` and returns where
    /// the run is now.
    pub(super) fn splice(
        &mut self,
        index: u32,
        length: usize,
        at: usize,
        remove: usize,
        insert: &[T],
    ) -> u32 {
        if remove == insert.len() {
            self.write(index + at as u32, insert);
            return index;
        }
        let (tail_from, tail_to) = (at + remove, at + insert.len());
        let tail = length - tail_from;
        if remove < insert.len() && self.extend(index, length, insert.len() - remove) {
            self.copy(index + tail_from as u32, index + tail_to as u32, tail);
            self.write(index + at as u32, insert);
            return index;
        }
        let new = self.allocate(tail_to + tail);
        self.copy(index, new, at);
        self.write(new.wrapping_add(at as u32), insert);
        self.copy(index + tail_from as u32, new.wrapping_add(tail_to as u32), tail);
        self.free(index, length);
        new
    }

    /// Takes `more` records right behind a run of `length`, if they are free. Small arenas only: large ones
    /// waste less when runs move to where they fit.
    fn extend(&mut self, index: u32, length: usize, more: usize) -> bool {
        let (chunk, place) = Self::split(index);
        let size = self.chunks.get(chunk).map_or(0, |chunk| chunk.len());
        let end = index.wrapping_add(length as u32);
        if self.chunks.len() != 1 || length == 0 || place + length + more > size || self.is_used(end) {
            return false;
        }
        if usize::from(self.free_run(end).length) < more {
            return false;
        }
        self.take(end, more);
        true
    }

    pub(super) fn copy(&mut self, from: u32, to: u32, length: usize) {
        if length == 0 {
            return;
        }
        let ((from_chunk, from_place), (to_chunk, to_place)) = (Self::split(from), Self::split(to));
        let from_range = from_place..from_place + length;
        if from_chunk == to_chunk {
            if let Some(chunk) = self.chunks.get_mut(from_chunk) {
                chunk.copy_within(from_range, to_place);
            }
        } else if let Ok([from, to]) = self.chunks.get_disjoint_mut([from_chunk, to_chunk])
            && let Some(from) = from.get(from_range)
            && let Some(to) = to.get_mut(to_place..to_place + length)
        {
            to.copy_from_slice(from);
        }
    }

    /// A run of `length` records; `length` is 0 to 255. An empty run is nowhere.
    pub(super) fn allocate(&mut self, length: usize) -> u32 {
        if length == 0 {
            return 0;
        }
        let index = loop {
            match self.find(length) {
                Some(index) => break index,
                None if self.grow() => {}
                // Only when `has_room` was not asked: what is done to index NONE comes to nothing.
                None => return NONE,
            }
        };
        self.take(index, length);
        index
    }

    /// Takes the first `length` records of the free run at `index`, which has so many.
    fn take(&mut self, index: u32, length: usize) {
        let found = self.free_run(index).length;
        self.unlink(index);
        self.mark(index, length, true);
        if usize::from(found) > length {
            self.link(index + length as u32, found - length as u16);
        }
    }

    /// Gives a run back.
    pub(super) fn free(&mut self, index: u32, length: usize) {
        if length == 0 {
            return;
        }
        self.mark(index, length, false);
        let (chunk, place) = Self::split(index);
        let (mut start, mut total) = (index, length as u16);
        // Zero: room of the run before it, which is neither in use nor free (`room.rs`).
        let before = if place > 0 && !self.is_used(index - 1) { self.free_run(index - 1).length } else { 0 };
        if before > 0 {
            start -= u32::from(before);
            total += before;
            self.unlink(start);
        }
        let end = index + length as u32;
        let size = self.chunks.get(chunk).map_or(0, |chunk| chunk.len());
        if place + length < size && !self.is_used(end) {
            total += self.free_run(end).length;
            self.unlink(end);
        }
        self.link(start, total);
    }

    /// First free run of at least `length` records, of the shortest length there is: others leave a large
    /// table half empty.
    fn find(&self, length: usize) -> Option<u32> {
        let lists = self.lists.as_ref()?;
        let (mut word, bit) = (length / 64, length % 64);
        let mut filled = lists.filled.get(word)? & (u64::MAX << bit);
        while filled == 0 {
            word += 1;
            match lists.filled.get(word) {
                Some(more) => filled = *more,
                // What is longest hangs in list 0.
                None => return lists.first.first().copied().filter(|index| *index != NONE),
            }
        }
        lists.first.get(word * 64 + filled.trailing_zeros() as usize).copied()
    }

    fn free_run(&self, index: u32) -> FreeRun {
        let nothing = FreeRun { length: 0, previous: NONE, next: NONE };
        self.get(index).map_or(nothing, |record| record.to_free())
    }

    pub(super) fn set_free_run(&mut self, index: u32, run: FreeRun) {
        if let Some(record) = self.get_mut(index) {
            *record = T::from_free(run);
        }
    }

    /// Writes the marks of a free run and puts it at the head of its list.
    fn link(&mut self, index: u32, length: u16) {
        let Some(lists) = &mut self.lists else { return };
        let next = lists.push(&self.supply, length, index);
        let run = FreeRun { length, previous: NONE, next };
        self.set_free_run(index, run);
        if length > 1 {
            self.set_free_run(index + u32::from(length) - 1, run);
        }
        if next != NONE {
            let run = FreeRun { previous: index, ..self.free_run(next) };
            self.set_free_run(next, run);
        }
    }

    /// Takes a free run out of its list.
    fn unlink(&mut self, index: u32) {
        let FreeRun { length, previous, next } = self.free_run(index);
        if previous == NONE {
            if let Some(lists) = &mut self.lists {
                lists.set_first(&self.supply, length, next);
            }
        } else {
            let run = FreeRun { next, ..self.free_run(previous) };
            self.set_free_run(previous, run);
        }
        if next != NONE {
            let run = FreeRun { previous, ..self.free_run(next) };
            self.set_free_run(next, run);
        }
    }

    fn is_used(&self, index: u32) -> bool {
        let (chunk, place) = Self::split(index);
        self.bits(chunk).is_some_and(|used| bit(used, place))
    }

    /// Which records of a chunk are in use.
    fn bits(&self, chunk: usize) -> Option<&Run<u64>> {
        match chunk.checked_sub(1) {
            None => self.lists.as_ref().map(|lists| &lists.used),
            Some(chunk) => self.used.get(chunk),
        }
    }

    /// The same of all chunks, in their order.
    fn all_bits(&self) -> impl Iterator<Item = &Run<u64>> {
        self.lists.iter().map(|lists| &lists.used).chain(self.used.iter())
    }

    pub(super) fn mark(&mut self, index: u32, length: usize, used: bool) {
        let (chunk, place) = Self::split(index);
        let map = match chunk.checked_sub(1) {
            None => self.lists.as_mut().map(|lists| &mut lists.used),
            Some(chunk) => self.used.get_mut(chunk),
        };
        let Some(map) = map else { return };
        let (mut from, end) = (place, place + length);
        while from < end {
            let until = end.min((from / 64 + 1) * 64);
            let bits = (u64::MAX >> (64 - (until - from))) << (from % 64);
            if let Some(word) = map.get_mut(from / 64) {
                *word = if used { *word | bits } else { *word & !bits };
            }
            from = until;
        }
    }

    /// An empty arena that has room for so many records, at most a chunk.
    pub(super) fn with_room(supply: &Supply, records: usize) -> Self {
        let mut arena = Self::new(supply);
        arena.grow_by(records);
        arena
    }

    /// There is one chunk at most.
    pub(super) fn is_small(&self) -> bool {
        if cfg!(test) { self.capacity() < 100 } else { self.chunks.len() < 2 }
    }

    /// Records, free ones included.
    pub(super) fn capacity(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.len()).sum()
    }

    /// Records in use.
    pub(super) fn used(&self) -> usize {
        self.all_bits().flat_map(|used| used.iter()).map(|word| word.count_ones() as usize).sum()
    }

    /// Adds free records: to the last chunk, or another one. False: the indices are used up.
    fn grow(&mut self) -> bool {
        self.grow_by((self.capacity() / GROWTH).max(FIRST_BYTES / size_of::<T>()))
    }

    fn grow_by(&mut self, records: usize) -> bool {
        if self.chunks.last().is_none_or(|chunk| chunk.len() == Self::CHUNK) {
            if self.chunks.len() == Self::MAX_CHUNKS {
                return false;
            }
            self.chunks.push(&self.supply, Run::default());
            if self.lists.is_none() {
                self.lists = Some(Lone::new(&self.supply, FreeLists::new()));
            } else {
                self.used.push(&self.supply, Run::default());
            }
        }
        let number = self.chunks.len() - 1;
        let first = self.lists.as_mut().map(|lists| &mut lists.used);
        let (Some(chunk), Some(used)) = (self.chunks.last_mut(), self.used.last_mut().or(first)) else {
            return false;
        };
        let from = chunk.len();
        let to = (from + records).min(Self::CHUNK);
        chunk.grow(&self.supply, to, T::default());
        used.grow(&self.supply, to.div_ceil(64), 0);
        self.free(((number << T::CHUNK_BITS) + from) as u32, to - from);
        true
    }

    /// All records in use, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().zip(self.all_bits()).flat_map(|(chunk, used)| {
            chunk.iter().enumerate().filter_map(|(place, record)| bit(used, place).then_some(record))
        })
    }

    /// Up to `count` records in use from all over the arena, the same ones for the same arena.
    pub(super) fn sample(&self, count: usize) -> impl Iterator<Item = &T> {
        (0..count).filter_map(move |nth| {
            // Golden ratio: evenly scattered places, whatever their number.
            let place = (nth as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let chunk = (u128::from(place) * self.chunks.len() as u128) >> 64;
            let (chunk, used) = (self.chunks.get(chunk as usize)?, self.bits(chunk as usize)?);
            // By words of the bitmap: a chunk may be all but empty, and the first one short.
            let words = chunk.len().div_ceil(64).min(used.len());
            let (start, turn) = (place as usize % words.max(1), (place >> 32) as u32 % 64);
            let found = (start..words).chain(0..start).find_map(|word| {
                let bits = used.get(word)?.rotate_right(turn);
                (bits != 0).then(|| word * 64 + ((bits.trailing_zeros() + turn) % 64) as usize)
            })?;
            chunk.get(found)
        })
    }

    /// Of each chunk the free run that it begins with: all of it when nothing is in use.
    #[cfg(test)]
    pub(super) fn free_at_starts(&self) -> impl Iterator<Item = usize> {
        let first = |number: usize| (number << T::CHUNK_BITS) as u32;
        (0..self.chunks.len()).map(move |number| match self.is_used(first(number)) {
            true => 0,
            false => usize::from(self.free_run(first(number)).length),
        })
    }

    /// Bytes taken from the supply.
    pub(super) fn memory_bytes(&self) -> usize {
        self.chunks.iter().map(Run::memory_bytes).sum::<usize>()
            + self.all_bits().map(Run::memory_bytes).sum::<usize>()
            + self.chunks.memory_bytes()
            + self.used.memory_bytes()
            + self.lists.as_ref().map_or(0, |lists| lists.memory_bytes() + lists.first.memory_bytes())
    }
}

/// One bit of a bitmap.
fn bit(map: &[u64], place: usize) -> bool {
    map.get(place / 64).is_some_and(|word| word >> (place % 64) & 1 != 0)
}

impl FreeLists {
    fn new() -> Self {
        Self { first: Run::default(), filled: [0; CLASSES / 64], used: Run::default() }
    }

    /// One for each length, and list 0 for all beyond.
    fn class(length: u16) -> usize {
        if usize::from(length) < CLASSES { usize::from(length) } else { 0 }
    }

    /// Makes `index` the first of its list and returns the former first.
    fn push(&mut self, supply: &Supply, length: u16, index: u32) -> u32 {
        let former = self.first.get(Self::class(length)).copied().unwrap_or(NONE);
        self.set_first(supply, length, index);
        former
    }

    fn set_first(&mut self, supply: &Supply, length: u16, index: u32) {
        let class = Self::class(length);
        self.first.grow(supply, class + 1, NONE);
        if let Some(first) = self.first.get_mut(class) {
            *first = index;
        }
        if let (Some(word), true) = (self.filled.get_mut(class / 64), class > 0) {
            let bit = 1 << (class % 64);
            *word = if index == NONE { *word & !bit } else { *word | bit };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Copy, Debug, Default, PartialEq)]
    struct Item(u16, u32, u32);

    impl Record for Item {
        const CHUNK_BITS: u32 = 11;

        fn from_free(free: FreeRun) -> Self {
            Self(free.length, free.previous, free.next)
        }
        fn to_free(self) -> FreeRun {
            FreeRun { length: self.0, previous: self.1, next: self.2 }
        }
    }

    fn item(n: u32) -> Item {
        Item(n as u16, n, n)
    }

    proptest! {
        #[test]
        fn runs_keep_their_contents(steps in prop::collection::vec((0usize..256, 0usize..200, 0usize..8, 0usize..8), 1..400)) {
            let mut arena = Arena::<Item>::new(&Supply::default());
            let mut runs: Vec<(u32, Vec<Item>)> = Vec::new();
            let mut serial = 0;
            for (which, size, at, count) in steps {
                if which < 40 || runs.is_empty() {
                    let items: Vec<_> = (0..size as u32).map(|n| item(serial + n)).collect();
                    serial += 1000;
                    runs.push((arena.add(&items), items));
                } else if which < 80 {
                    let (index, items) = runs.swap_remove(which % runs.len());
                    arena.free(index, items.len());
                } else {
                    let run = which % runs.len();
                    let (index, items) = &mut runs[run];
                    let at = at.min(items.len());
                    let remove = (count / 2).min(items.len() - at);
                    let insert: Vec<_> = (0..count as u32).map(|n| item(serial + n)).collect();
                    serial += 1000;
                    if items.len() - remove + insert.len() < 256 {
                        *index = arena.splice(*index, items.len(), at, remove, &insert);
                        items.splice(at..at + remove, insert);
                    }
                }
                for (index, items) in &runs {
                    prop_assert_eq!(arena.run(*index, items.len()), &items[..]);
                }
                let used: usize = runs.iter().map(|(_, items)| items.len()).sum();
                prop_assert_eq!(arena.iter().count(), used);
            }
            // All given back: every chunk is one free run again.
            for (index, items) in runs.drain(..) {
                arena.free(index, items.len());
            }
            prop_assert_eq!(arena.free_at_starts().sum::<usize>(), arena.capacity());
        }
    }

    #[test]
    fn a_run_that_grows_stays_where_it_is_if_it_can() {
        let mut arena = Arena::<Item>::new(&Supply::default());
        let mut index = arena.add(&[item(1)]);
        for n in 1..200 {
            index = arena.splice(index, n, n, 0, &[item(1)]);
        }
        assert_eq!(index, 0);
        assert!(arena.memory_bytes() < 200 * size_of::<Item>() * 5 / 4 + 400, "{}", arena.memory_bytes());
    }

    #[test]
    fn memory_is_used_again_and_small_arenas_are_small() {
        let mut arena = Arena::<Item>::new(&Supply::default());
        assert_eq!(arena.memory_bytes(), 0);
        let first = arena.add(&[item(1); 10]);
        assert!(arena.memory_bytes() < 2048);
        arena.free(first, 10);
        let before = arena.memory_bytes();
        for _ in 0..10_000 {
            let index = arena.add(&[item(1); 13]);
            arena.free(index, 13);
        }
        assert_eq!(arena.memory_bytes(), before);
    }
}
