//! Large tables of zeros that take memory as they are touched.

use crate::mapping::{HUGE, Mapping, PAGE, node_here};
use std::alloc::{Layout, handle_alloc_error};
use std::ops::{Deref, Range};
use std::ptr::NonNull;
use zerocopy::FromZeros;

/// So many records, all zero at first, that never move. Pages that nobody has written or [populated](Self::populate)
/// take no memory. They are of the NUMA node of the thread that made the table, whoever touches them first.
#[derive(Debug)]
pub struct Zeroed<T> {
    /// `None`: there are no records.
    memory: Option<Mapping>,
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
        const { assert!(align_of::<T>() <= PAGE && size_of::<T>() > 0 && !std::mem::needs_drop::<T>()) };
        let layout =
            len.checked_mul(size_of::<T>()).and_then(|bytes| Layout::from_size_align(bytes, 64).ok());
        let Some(layout) = layout else { panic!("{len} records are more than there are addresses") };
        let memory = (len > 0)
            .then(|| Mapping::new(layout.size(), node_here()).unwrap_or_else(|| handle_alloc_error(layout)));
        let start = memory.as_ref().map_or(NonNull::dangling(), |memory| memory.start().cast());
        Self { memory, start, len }
    }

    /// Makes the pages of these records, so that whoever writes them first has no page fault. The first 2 MiB of a
    /// table are made as far as asked for; what is behind is made by 2 MiB at a time, as hugepages if there are some.
    pub fn populate(&self, records: Range<usize>) {
        let Some(memory) = &self.memory else { return };
        let (from, to) = (records.start * size_of::<T>(), records.end.min(self.len) * size_of::<T>());
        memory.populate(from..to.min(HUGE), false);
        if to > HUGE {
            memory.populate(from.max(HUGE) / HUGE * HUGE..to.next_multiple_of(HUGE), true);
        }
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
        // 2,048 records take 64 KiB; those from the third mebibyte on come with all beside them.
        table.populate(0..2048);
        assert!(resident() - before < 1024);
        table.populate(100_000..100_001);
        assert!(resident() - before >= 512 + 16);
        table.populate(0..usize::MAX / 64);
        assert!(resident() - before >= 32768);
    }
}
