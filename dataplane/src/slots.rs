//! Tables indexed by slot numbers that control hands out: made of chunks, so that growth neither
//! copies nor moves what is there, and bounded, so that an absurd number costs nothing.

use dpdk_sys::{List, Lone, Supply, Zeroed};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use zerocopy::FromZeros;

/// Slots in a chunk.
const CHUNK: usize = 1024;
const CHUNK_BITS: u32 = CHUNK.trailing_zeros();

/// Splits a slot number into chunk and place in it.
#[inline]
const fn split(index: u32) -> (usize, usize) {
    ((index >> CHUNK_BITS) as usize, index as usize & (CHUNK - 1))
}

/// Neighbouring slots. Of a size that the compiler knows, so that a lookup checks one bound.
type Chunk<T> = Lone<[T; CHUNK]>;

/// A worker's private table. Vacant slots hold `T::default()`.
#[derive(Debug)]
pub struct Slots<T> {
    chunks: List<Option<Chunk<T>>>,
    limit: u32,
    supply: Supply,
}

impl<T: Default> Slots<T> {
    /// An empty table that will take slot numbers below `limit`, and its memory from this supply.
    #[must_use]
    pub fn new(supply: &Supply, limit: u32) -> Self {
        Self { chunks: List::default(), limit, supply: supply.clone() }
    }

    /// The slot, if its chunk exists.
    #[inline]
    #[must_use]
    pub fn get(&self, index: u32) -> Option<&T> {
        let (chunk, place) = split(index);
        self.chunks.get(chunk)?.as_ref()?.get(place)
    }

    /// The slot, if its chunk exists.
    #[inline]
    pub fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        let (chunk, place) = split(index);
        self.chunks.get_mut(chunk)?.as_mut()?.get_mut(place)
    }

    /// The slot, its chunk made if need be. `None` at or beyond the limit.
    pub fn entry(&mut self, index: u32) -> Option<&mut T> {
        if index >= self.limit {
            return None;
        }
        let (chunk, place) = split(index);
        if chunk >= self.chunks.len() {
            self.chunks.resize_with(&self.supply, chunk + 1, || None);
        }
        let supply = &self.supply;
        let new = || Lone::array(supply, |_| T::default());
        self.chunks.get_mut(chunk)?.get_or_insert_with(new).get_mut(place)
    }

    /// All slots of chunks that exist, vacant ones included.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flatten().flat_map(|chunk| chunk.iter())
    }

    /// Bytes taken by chunks and their directory, without what slots own on the heap.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let chunks = self.chunks.iter().flatten().count();
        chunks * CHUNK * size_of::<T>() + self.chunks.memory_bytes()
    }
}

/// A table of atomics that one worker writes and control reads.
///
/// It has its final size from the start: a slot never moves, so that a reader needs no lock and the path
/// checks one bound. Of slots that nobody has prepared or written the kernel only keeps the promise.
#[derive(Debug)]
pub struct SharedSlots<T> {
    slots: Zeroed<T>,
    /// Chunks that were reserved: what the table is held to take.
    chunks: Box<[AtomicBool]>,
}

impl<T: FromZeros> SharedSlots<T> {
    /// An empty table that will take slot numbers below `limit`.
    #[must_use]
    pub fn new(limit: u32) -> Arc<Self> {
        let slots = Zeroed::new(limit as usize);
        let chunks = slots.len().div_ceil(CHUNK);
        Arc::new(Self { slots, chunks: std::iter::repeat_with(AtomicBool::default).take(chunks).collect() })
    }

    /// The slot, vacant or not. `None` at or beyond the limit.
    #[inline(always)]
    #[must_use]
    pub fn get(&self, index: u32) -> Option<&T> {
        self.slots.get(index as usize)
    }

    /// All slots by number, vacant or not.
    #[inline(always)]
    #[must_use]
    pub fn all(&self) -> &[T] {
        &self.slots
    }

    /// The slot, which is to be used. `None` at or beyond the limit.
    pub fn reserve(&self, index: u32) -> Option<&T> {
        let (chunk, _) = split(index);
        self.chunks.get(chunk)?.store(true, Relaxed);
        self.get(index)
    }

    /// The slot, if one of its chunk is in use.
    #[must_use]
    pub fn reserved(&self, index: u32) -> Option<&T> {
        let (chunk, _) = split(index);
        if self.chunks.get(chunk)?.load(Relaxed) { self.get(index) } else { None }
    }

    /// The slot, which somebody else is to use: makes its pages and its neighbours', so that the other one has no page
    /// fault. Called for a slot before its number is given away.
    pub fn prepare(&self, index: u32) {
        let (chunk, _) = split(index);
        if let Some(reserved) = self.chunks.get(chunk)
            && !reserved.load(Relaxed)
        {
            self.slots.populate(chunk * CHUNK..(chunk + 1) * CHUNK);
            reserved.store(true, Relaxed);
        }
    }

    /// Bytes taken by chunks in use and their directory.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let chunks = self.chunks.iter().filter(|chunk| chunk.load(Relaxed)).count();
        (chunks * CHUNK).min(self.slots.len()) * size_of::<T>() + size_of_val(&*self.chunks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_slots_grow_by_chunk_up_to_the_limit() {
        let mut slots = Slots::<u64>::new(&Supply::default(), 5000);
        assert_eq!(slots.get(0), None);
        *slots.entry(4999).unwrap() = 7;
        assert_eq!(slots.get(4999), Some(&7));
        assert_eq!(slots.get(4998), Some(&0));
        assert_eq!(slots.get(0), None, "chunks below were not made");
        assert!(slots.entry(5000).is_none());
        assert!(slots.get(u32::MAX).is_none());
        assert!(slots.memory_bytes() < 2 * CHUNK * 8);
    }

    #[test]
    fn shared_slots_are_there_from_the_start_and_bounded() {
        let slots = SharedSlots::<std::sync::atomic::AtomicU64>::new(3000);
        assert_eq!(slots.memory_bytes(), 3);
        slots.reserve(2999).unwrap().store(7, Relaxed);
        assert_eq!(slots.get(2999).unwrap().load(Relaxed), 7);
        assert_eq!(slots.get(1500).unwrap().load(Relaxed), 0);
        assert_eq!(slots.memory_bytes(), 3 + CHUNK * 8);
        assert!(slots.reserve(3000).is_none());
        assert!(slots.get(u32::MAX).is_none());
    }
}
