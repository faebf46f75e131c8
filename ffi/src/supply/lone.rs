//! Single values.

use super::region::UNIT;
use super::run::units;
use super::shared::{Supply, give_back};
use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// A value that it owns, like a box: a pointer.
pub struct Lone<T> {
    place: NonNull<T>,
    owns: PhantomData<T>,
}

// SAFETY: it owns its value like a box; supplies may be given back to from any thread.
unsafe impl<T: Send> Send for Lone<T> {}
// SAFETY: as above; shared, it gives out shared references only.
unsafe impl<T: Sync> Sync for Lone<T> {}

impl<T> Lone<T> {
    /// A value in a place of its own.
    pub fn new(supply: &Supply, value: T) -> Self {
        let place = supply.take(units::<T>(1)).cast::<T>();
        // SAFETY: there is room for it.
        unsafe { place.write(value) };
        Self { place, owns: PhantomData }
    }

    /// The value; its place is given back.
    pub fn into_inner(self) -> T {
        let lone = ManuallyDrop::new(self);
        // SAFETY: the value is moved out, and the piece, which is in use, not looked at any more.
        unsafe {
            let value = lone.place.read();
            give_back(lone.place.cast(), units::<T>(1));
            value
        }
    }

    /// Bytes that it takes, without what the value owns.
    #[must_use]
    pub const fn memory_bytes(&self) -> usize {
        units::<T>(1) * UNIT
    }
}

impl<T, const N: usize> Lone<[T; N]> {
    /// Each element made where it will lie: for arrays that are too large for the stack.
    pub fn array(supply: &Supply, mut make: impl FnMut(usize) -> T) -> Self {
        const { assert!(N > 0) };
        let place = supply.take(units::<[T; N]>(1)).cast::<[T; N]>();
        for at in 0..N {
            // SAFETY: there is room for so many. If `make` panics, the memory is lost, no more.
            unsafe { place.cast::<T>().add(at).write(make(at)) };
        }
        Self { place, owns: PhantomData }
    }
}

impl<T> Deref for Lone<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: the value lies there.
        unsafe { self.place.as_ref() }
    }
}

impl<T> DerefMut for Lone<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above, and it is ours alone.
        unsafe { self.place.as_mut() }
    }
}

impl<T> Drop for Lone<T> {
    fn drop(&mut self) {
        // SAFETY: the value is ours, the piece is in use, and both are not looked at any more.
        unsafe {
            std::ptr::drop_in_place(self.place.as_ptr());
            give_back(self.place.cast(), units::<T>(1));
        }
    }
}

impl<T: Clone> Clone for Lone<T> {
    /// Of the same supply.
    fn clone(&self) -> Self {
        // SAFETY: the piece is in use.
        Self::new(&unsafe { Supply::of(self.place.cast()) }, (**self).clone())
    }
}

impl<T: fmt::Debug> fmt::Debug for Lone<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
