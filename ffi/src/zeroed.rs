//! Large tables of zeros that take memory as they are touched.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ops::Deref;
use std::ptr::NonNull;
use zerocopy::FromZeros;

/// Alignment of a table: a cache line. Asked of the allocator it would cost the laziness, for memory that
/// is aligned beyond 16 bytes is zeroed by hand.
const LINE: usize = 64;
const EASY: usize = 16;

/// So many records, all zero at first, that never move. Pages that nobody has written take no memory.
#[derive(Debug)]
pub struct Zeroed<T> {
    raw: NonNull<u8>,
    layout: Layout,
    start: NonNull<T>,
    len: usize,
}

// SAFETY: it owns its records like a boxed slice.
unsafe impl<T: Send> Send for Zeroed<T> {}
// SAFETY: as above; shared, it gives out shared references only.
unsafe impl<T: Sync> Sync for Zeroed<T> {}

impl<T: FromZeros> Zeroed<T> {
    /// A table of `len` records. Ends the process, as any allocation does, when there is no such memory.
    #[must_use]
    pub fn new(len: usize) -> Self {
        const { assert!(align_of::<T>() <= LINE && size_of::<T>() > 0 && !std::mem::needs_drop::<T>()) };
        let bytes = len.checked_mul(size_of::<T>()).and_then(|bytes| bytes.checked_add(LINE));
        let layout = bytes.and_then(|bytes| Layout::from_size_align(bytes, EASY).ok());
        let Some(layout) = layout else { panic!("{len} records are more than there are addresses") };
        // SAFETY: the size is not zero.
        let Some(raw) = NonNull::new(unsafe { alloc_zeroed(layout) }) else { handle_alloc_error(layout) };
        let skip = (LINE - raw.as_ptr() as usize % LINE) % LINE;
        // SAFETY: less than a line is skipped, for which there is room.
        let start = unsafe { raw.add(skip) }.cast();
        Self { raw, layout, start, len }
    }
}

impl<T> Deref for Zeroed<T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        // SAFETY: `len` records lie there, aligned, and zeros are a value of T (`FromZeros`, in `new`).
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl<T> Drop for Zeroed<T> {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout; the records need no drop (asserted in `new`).
        unsafe { dealloc(self.raw.as_ptr(), self.layout) };
    }
}

#[cfg(test)]
mod tests {
    use super::Zeroed;
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    #[test]
    fn records_are_zero_aligned_and_shared() {
        let table = Zeroed::<[AtomicU64; 4]>::new(1000);
        assert_eq!(table.as_ptr() as usize % 64, 0);
        assert!(table.iter().flatten().all(|word| word.load(Relaxed) == 0));
        std::thread::scope(|scope| {
            scope.spawn(|| table[999][3].store(7, Relaxed));
        });
        assert_eq!((table.len(), table[999][3].load(Relaxed)), (1000, 7));
        assert!(Zeroed::<u64>::new(0).is_empty());
    }

    #[test]
    fn untouched_pages_take_no_memory() {
        let resident = || {
            let statm = std::fs::read_to_string("/proc/self/statm").expect("proc");
            statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<usize>().ok()).expect("a number")
        };
        let before = resident();
        let table = Zeroed::<[AtomicU64; 4]>::new(4 << 20);
        table[3 << 20][0].store(1, Relaxed);
        assert!(resident() - before < 1024, "pages of 128 MiB");
    }
}
