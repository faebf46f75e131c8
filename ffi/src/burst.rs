//! A fixed array of owned mbufs: what queues fill and take from.

use crate::bindings as c;
use crate::mbuf::Mbuf;
use std::mem::MaybeUninit;
use std::ops::{Index, IndexMut};

/// Capacity of a [`Burst`].
pub const BURST: usize = 64;

/// Up to [`BURST`] mbufs, in order. Never allocates; what is left in it is freed when it is dropped.
pub struct Burst {
    /// The first `len` are initialised.
    slots: [MaybeUninit<Mbuf>; BURST],
    len: usize,
}

impl Default for Burst {
    fn default() -> Self {
        Self::new()
    }
}

impl Burst {
    /// An empty one.
    #[must_use]
    pub const fn new() -> Self {
        Self { slots: [const { MaybeUninit::uninit() }; BURST], len: 0 }
    }

    /// Mbufs in it.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many more fit.
    #[inline]
    #[must_use]
    pub fn room(&self) -> usize {
        BURST - self.len
    }

    /// Adds one at the end; gives it back when the burst is full.
    #[inline]
    pub fn push(&mut self, mbuf: Mbuf) -> Result<(), Mbuf> {
        match self.slots.get_mut(self.len) {
            Some(slot) => {
                slot.write(mbuf);
                self.len += 1;
                Ok(())
            }
            None => Err(mbuf),
        }
    }

    /// Takes the last one.
    #[inline]
    pub fn pop(&mut self) -> Option<Mbuf> {
        self.len = self.len.checked_sub(1)?;
        // SAFETY: slot `len` was initialised and is now outside the initialised part.
        Some(unsafe { self.slots[self.len].assume_init_read() })
    }

    /// As a slice.
    #[inline]
    #[must_use]
    pub fn as_slice(&self) -> &[Mbuf] {
        // SAFETY: the first `len` slots are initialised; MaybeUninit<Mbuf> has the layout of Mbuf.
        unsafe { std::slice::from_raw_parts(self.slots.as_ptr().cast::<Mbuf>(), self.len) }
    }

    /// As a slice, to change the packets in place.
    #[inline]
    pub fn as_mut_slice(&mut self) -> &mut [Mbuf] {
        // SAFETY: as in `as_slice`.
        unsafe { std::slice::from_raw_parts_mut(self.slots.as_mut_ptr().cast::<Mbuf>(), self.len) }
    }

    /// The one at `index`.
    #[inline]
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&Mbuf> {
        self.as_slice().get(index)
    }

    /// The one at `index`, to be changed.
    #[inline]
    pub fn get_mut(&mut self, index: usize) -> Option<&mut Mbuf> {
        self.as_mut_slice().get_mut(index)
    }

    /// All, first to last.
    #[inline]
    pub fn iter(&self) -> std::slice::Iter<'_, Mbuf> {
        self.as_slice().iter()
    }

    /// All, first to last, to be changed.
    #[inline]
    pub fn iter_mut(&mut self) -> std::slice::IterMut<'_, Mbuf> {
        self.as_mut_slice().iter_mut()
    }

    /// Takes all out, first to last. What the iterator does not yield is freed.
    #[inline]
    pub fn drain(&mut self) -> Drain<'_> {
        let end = std::mem::take(&mut self.len);
        Drain { burst: self, next: 0, end }
    }

    /// Moves those whose bit is set in `leaving` behind what `to` has; the others close up. Both keep their order. `false`,
    /// and no change: there is no room for them.
    #[inline]
    #[must_use]
    pub fn part(&mut self, leaving: u64, to: &mut Self) -> bool {
        let leaving = leaving & u64::MAX.checked_shr((BURST - self.len) as u32).unwrap_or(0);
        if leaving.count_ones() as usize > to.room() {
            return false;
        }
        let (from, into) = (self.head_ptr(), to.head_ptr());
        let (mut stayed, mut left) = (0, to.len);
        for at in 0..self.len {
            let leaves = leaving >> at & 1 != 0;
            // SAFETY: `at` is below our length, and `stayed` never beyond it; `left` is below BURST when this one
            // leaves, by the test above. Each pointer is kept in one place: where it stood is either written
            // over or beyond the length that is set below.
            unsafe {
                let mbuf = from.add(at).read();
                let place = if leaves { into.add(left) } else { from.add(stayed) };
                place.write(mbuf);
            }
            stayed += usize::from(!leaves);
            left += usize::from(leaves);
        }
        (self.len, to.len) = (stayed, left);
        true
    }

    /// Frees the first one; `false` when there is none.
    pub fn drop_first(&mut self) -> bool {
        if self.len == 0 {
            return false;
        }
        free(&mut self.slots[..1]);
        self.forget_front(1);
        true
    }

    /// Frees all at once, in one call.
    #[inline]
    pub fn clear(&mut self) {
        let count = std::mem::take(&mut self.len);
        free(&mut self.slots[..count]);
    }

    /// Where the next mbufs go, for a queue that fills them in.
    #[inline]
    pub(crate) fn tail_ptr(&mut self) -> *mut *mut c::rte_mbuf {
        self.slots[self.len..].as_mut_ptr().cast()
    }

    /// # Safety
    /// The `count` slots behind `tail_ptr` hold valid mbufs that are ours, and `count <= room()`.
    #[inline]
    pub(crate) unsafe fn grow(&mut self, count: usize) {
        debug_assert!(count <= self.room());
        self.len += count;
    }

    /// Where the mbufs are, for a queue that takes from the front.
    #[inline]
    pub(crate) fn head_ptr(&mut self) -> *mut *mut c::rte_mbuf {
        self.slots.as_mut_ptr().cast()
    }

    /// Forgets the first `count`, which belong to someone else now; the others move to the front.
    #[inline]
    pub(crate) fn forget_front(&mut self, count: usize) {
        let count = count.min(self.len);
        let left = self.len - count;
        if left > 0 && count > 0 {
            // SAFETY: source and destination lie inside `slots`; the moved ones are initialised, and
            // what they overwrite is not ours any more.
            unsafe {
                let base = self.slots.as_mut_ptr();
                std::ptr::copy(base.add(count), base, left);
            }
        }
        self.len = left;
    }
}

/// Frees initialised slots; they are not to be used afterwards.
fn free(slots: &mut [MaybeUninit<Mbuf>]) {
    if !slots.is_empty() {
        // SAFETY: Mbuf is a transparent pointer to an mbuf; the callers hand in initialised slots and
        // take them out of use.
        unsafe { c::pxtr_mbuf_free_bulk(slots.as_mut_ptr().cast(), slots.len() as u32) };
    }
}

impl Drop for Burst {
    fn drop(&mut self) {
        self.clear();
    }
}

impl Index<usize> for Burst {
    type Output = Mbuf;

    #[inline]
    fn index(&self, index: usize) -> &Mbuf {
        &self.as_slice()[index]
    }
}

impl IndexMut<usize> for Burst {
    #[inline]
    fn index_mut(&mut self, index: usize) -> &mut Mbuf {
        &mut self.as_mut_slice()[index]
    }
}

/// Takes the mbufs out of a burst, first to last.
pub struct Drain<'a> {
    burst: &'a mut Burst,
    next: usize,
    end: usize,
}

impl Iterator for Drain<'_> {
    type Item = Mbuf;

    #[inline]
    fn next(&mut self) -> Option<Mbuf> {
        if self.next == self.end {
            return None;
        }
        // SAFETY: slots next..end are initialised (the burst's length is 0 meanwhile, so nobody else
        // sees them), and this one leaves that range.
        let mbuf = unsafe { self.burst.slots[self.next].assume_init_read() };
        self.next += 1;
        Some(mbuf)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.end - self.next, Some(self.end - self.next))
    }
}

impl ExactSizeIterator for Drain<'_> {}

impl Drop for Drain<'_> {
    fn drop(&mut self) {
        free(&mut self.burst.slots[self.next..self.end]);
    }
}

// An mbuf in a burst is a bare pointer in an array that C reads and writes.
const _: () = assert!(size_of::<Mbuf>() == size_of::<*mut c::rte_mbuf>());
