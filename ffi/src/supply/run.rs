//! Runs: slices of a supply.

use super::region::UNIT;
use super::shared::{Supply, extend, give_back};
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// A slice that it owns, like a boxed one: a pointer and a length. An empty one has no memory.
pub struct Run<T> {
    start: NonNull<T>,
    len: usize,
    owns: PhantomData<T>,
}

// SAFETY: it owns its elements like a boxed slice; supplies may be given back to from any thread.
unsafe impl<T: Send> Send for Run<T> {}
// SAFETY: as above; shared, it gives out shared references only.
unsafe impl<T: Sync> Sync for Run<T> {}

/// Units that so many elements take.
pub(super) const fn units<T>(len: usize) -> usize {
    const { assert!(size_of::<T>() > 0 && align_of::<T>() <= UNIT) };
    // Lengths of runs are bounded by what a region holds.
    (len * size_of::<T>()).div_ceil(UNIT)
}

/// Makes room for `to` elements where there is some for `from`, of which `live` are moved along if need be.
///
/// # Safety
/// `start` is a piece in use for `from` elements, the first `live` of which may be read, or `from` is zero. `to` is
/// not less than `from`. What `start` was is gone if something else comes back.
pub(super) unsafe fn regrow<T>(
    supply: &Supply,
    start: NonNull<T>,
    (from, live, to): (usize, usize, usize),
) -> NonNull<T> {
    let (old, new) = (units::<T>(from), units::<T>(to));
    // SAFETY: as the caller says.
    if old == new || old > 0 && unsafe { extend(start.cast(), old, new - old) } {
        return start;
    }
    let moved = supply.take(new).cast::<T>();
    if old > 0 {
        // SAFETY: there is room for more, and the elements are not looked at where they were.
        unsafe {
            start.copy_to_nonoverlapping(moved, live);
            give_back(start.cast(), old);
        }
    }
    moved
}

impl<T> Default for Run<T> {
    fn default() -> Self {
        Self { start: NonNull::dangling(), len: 0, owns: PhantomData }
    }
}

impl<T> Run<T> {
    /// So many elements, each made by its number.
    pub fn from_fn(supply: &Supply, len: usize, mut make: impl FnMut(usize) -> T) -> Self {
        if len == 0 {
            return Self::default();
        }
        let start = supply.take(units::<T>(len)).cast::<T>();
        for at in 0..len {
            // SAFETY: there is room for so many. If `make` panics, the memory is lost, no more.
            unsafe { start.add(at).write(make(at)) };
        }
        Self { start, len, owns: PhantomData }
    }

    /// Bytes that it takes.
    #[must_use]
    pub const fn memory_bytes(&self) -> usize {
        units::<T>(self.len) * UNIT
    }
}

impl<T: Copy> Run<T> {
    /// So many elements, all alike.
    #[must_use]
    pub fn filled(supply: &Supply, len: usize, value: T) -> Self {
        Self::from_fn(supply, len, |_| value)
    }

    /// Makes it longer, if it is shorter. It may move.
    pub fn grow(&mut self, supply: &Supply, len: usize, value: T) {
        if len <= self.len {
            return;
        }
        // SAFETY: it has a piece for `len` elements, all of which may be read, or none.
        unsafe {
            self.start = regrow(supply, self.start, (self.len, self.len, len));
            for at in self.len..len {
                self.start.add(at).write(value);
            }
        }
        self.len = len;
    }
}

impl<T> Deref for Run<T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        // SAFETY: `len` elements lie there.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl<T> DerefMut for Run<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above, and they are ours alone.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl<T> Drop for Run<T> {
    fn drop(&mut self) {
        if self.len == 0 {
            return;
        }
        // SAFETY: the elements are ours, the piece is in use, and both are not looked at any more.
        unsafe {
            std::ptr::drop_in_place(&mut **self);
            give_back(self.start.cast(), units::<T>(self.len));
        }
    }
}

impl<T: Clone> Clone for Run<T> {
    /// Of the same supply.
    fn clone(&self) -> Self {
        if self.len == 0 {
            return Self::default();
        }
        // SAFETY: it is not empty, so the piece is in use.
        let supply = unsafe { Supply::of(self.start.cast()) };
        Self::from_fn(&supply, self.len, |at| self[at].clone())
    }
}

impl<T: fmt::Debug> fmt::Debug for Run<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
