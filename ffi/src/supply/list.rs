//! Lists: what grows at its end.

use super::region::UNIT;
use super::run::{regrow, units};
use super::shared::{Supply, give_back};
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// Like a vector, in 16 bytes. An empty one that nothing was reserved for has no memory.
pub struct List<T> {
    start: NonNull<T>,
    len: u32,
    /// As many as fit in its units: a region has no more than so many bytes.
    capacity: u32,
    owns: PhantomData<T>,
}

// SAFETY: it owns its elements like a vector; supplies may be given back to from any thread.
unsafe impl<T: Send> Send for List<T> {}
// SAFETY: as above; shared, it gives out shared references only.
unsafe impl<T: Sync> Sync for List<T> {}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self { start: NonNull::dangling(), len: 0, capacity: 0, owns: PhantomData }
    }
}

impl<T> List<T> {
    /// An empty list with room for so many elements.
    #[must_use]
    pub fn with_capacity(supply: &Supply, elements: usize) -> Self {
        let mut list = Self::default();
        list.make_room(supply, elements);
        list
    }

    /// Puts an element at the end. Moves all of them if there is no room, which doubles then.
    pub fn push(&mut self, supply: &Supply, element: T) {
        if self.len == self.capacity {
            self.make_room(supply, 2 * self.capacity as usize + 1);
        }
        // SAFETY: there is room.
        unsafe { self.start.add(self.len as usize).write(element) };
        self.len += 1;
    }

    /// Takes the last element out.
    pub fn pop(&mut self) -> Option<T> {
        self.len = self.len.checked_sub(1)?;
        // SAFETY: it is there, and not looked at again.
        Some(unsafe { self.start.add(self.len as usize).read() })
    }

    /// Takes an element out and puts the last one in its place.
    pub fn swap_remove(&mut self, at: usize) -> Option<T> {
        let last = self.deref().len().checked_sub(1).filter(|last| at <= *last)?;
        self.swap(at, last);
        self.pop()
    }

    /// Makes it so long, if it is shorter.
    pub fn resize_with(&mut self, supply: &Supply, len: usize, mut make: impl FnMut() -> T) {
        if len > self.capacity as usize {
            self.make_room(supply, len);
        }
        while self.deref().len() < len {
            self.push(supply, make());
        }
    }

    /// Bytes that it takes, without what its elements own.
    #[must_use]
    pub const fn memory_bytes(&self) -> usize {
        units::<T>(self.capacity as usize) * UNIT
    }

    fn make_room(&mut self, supply: &Supply, elements: usize) {
        // What units have room for: an element may be larger than one.
        let capacity = units::<T>(elements) * UNIT / size_of::<T>();
        let (from, live) = (self.capacity as usize, self.len as usize);
        if capacity > from {
            // SAFETY: it has a piece for `capacity` elements, of which `len` may be read, or none.
            self.start = unsafe { regrow(supply, self.start, (from, live, capacity)) };
            self.capacity = capacity as u32;
        }
    }
}

impl<T> Deref for List<T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        // SAFETY: `len` elements lie there.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len as usize) }
    }
}

impl<T> DerefMut for List<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above, and they are ours alone.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len as usize) }
    }
}

impl<T> Drop for List<T> {
    fn drop(&mut self) {
        if self.capacity == 0 {
            return;
        }
        // SAFETY: the elements are ours, the piece is in use, and both are not looked at any more.
        unsafe {
            std::ptr::drop_in_place(&mut **self);
            give_back(self.start.cast(), units::<T>(self.capacity as usize));
        }
    }
}

impl<T: Clone> Clone for List<T> {
    /// Of the same supply.
    fn clone(&self) -> Self {
        if self.capacity == 0 {
            return Self::default();
        }
        // SAFETY: the piece is in use.
        let supply = unsafe { Supply::of(self.start.cast()) };
        let mut list = Self::with_capacity(&supply, self.capacity as usize);
        self.iter().for_each(|element| list.push(&supply, element.clone()));
        list
    }
}

impl<T: fmt::Debug> fmt::Debug for List<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
