//! Memory straight from the kernel: hugepages, and pages that one thread has made before another needs them.

use nix::libc;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// Bytes of a hugepage, as far as this module is concerned.
pub(crate) const HUGE: usize = 2 << 20;
/// Bytes of a page.
pub(crate) const PAGE: usize = 4096;

/// `MPOL_PREFERRED` of `mbind`: memory of this node as long as there is some.
const PREFERRED: libc::c_long = 1;

/// Zeroed memory of the calling thread's NUMA node, whichever thread touches it first; given back when this is
/// dropped. Begins at a hugepage.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: it owns its memory and gives out raw pointers only.
unsafe impl Send for Mapping {}
// SAFETY: as above; populating changes nothing that could be read.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// So many bytes, rounded up to pages, none of which takes memory yet. `None`: the kernel refuses.
    pub(crate) fn new(bytes: usize, node: Option<u32>) -> Option<Self> {
        let bytes = bytes.max(1).checked_next_multiple_of(PAGE)?;
        let room = bytes.checked_add(HUGE)?;
        let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping, wherever there is room.
        let whole = unsafe { libc::mmap(std::ptr::null_mut(), room, access, kind, -1, 0) };
        if whole == libc::MAP_FAILED {
            return None;
        }
        let skip = whole.addr().wrapping_neg() % HUGE;
        // SAFETY: less than a hugepage is skipped, for which there is room.
        let start = unsafe { whole.byte_add(skip) };
        // SAFETY: parts of the new mapping that nobody knows of, by whole pages.
        unsafe {
            if skip > 0 {
                libc::munmap(whole, skip);
            }
            if room > skip + bytes {
                libc::munmap(start.byte_add(bytes), room - skip - bytes);
            }
        }
        let mapping = Self { start: NonNull::new(start.cast())?, bytes };
        let _ = mapping.advise(0..bytes, libc::MADV_NOHUGEPAGE);
        if let Some(node) = node {
            mapping.prefer(node);
        }
        Some(mapping)
    }

    pub(crate) const fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// Makes these pages, so that touching them is no page fault; by hugepages if there are some. Whole pages are
    /// made of parts. What is there already stays as it is.
    pub(crate) fn populate(&self, range: std::ops::Range<usize>, huge: bool) {
        let (from, to) = (range.start / PAGE * PAGE, range.end.min(self.bytes).next_multiple_of(PAGE));
        if from >= to {
            return;
        }
        if huge {
            let _ = self.advise(from..to, libc::MADV_HUGEPAGE);
        }
        // Before Linux 5.14 there is no such advice; a kernel without memory is noticed by those who touch it.
        if self.advise(from..to, libc::MADV_POPULATE_WRITE) == Err(libc::EINVAL) {
            for page in (from..to).step_by(PAGE) {
                // SAFETY: inside the mapping. Atomic, and nothing changes: somebody may be at work there.
                unsafe { AtomicU8::from_ptr(self.start.as_ptr().add(page)) }.fetch_or(0, Relaxed);
            }
        }
    }

    /// Errors of other advice than populating say that hugepages can not be had; nothing depends on them.
    fn advise(&self, range: std::ops::Range<usize>, advice: libc::c_int) -> Result<(), i32> {
        // SAFETY: whole pages of our own, and the advice changes nothing that is there.
        let result = unsafe {
            libc::madvise(self.start.as_ptr().add(range.start).cast(), range.end - range.start, advice)
        };
        if result == 0 { Ok(()) } else { Err(std::io::Error::last_os_error().raw_os_error().unwrap_or(0)) }
    }

    fn prefer(&self, node: u32) {
        let mask = 1u64.checked_shl(node).unwrap_or(0);
        let bits = u64::from(u64::BITS);
        // SAFETY: of our own memory; the mask is read only. Where there is but one node it may fail.
        unsafe { libc::syscall(libc::SYS_mbind, self.start.as_ptr(), self.bytes, PREFERRED, &mask, bits, 0) };
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: ours, and nobody has a reference into it beyond its owner's life.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.bytes) };
    }
}

/// NUMA node of the CPU that the calling thread runs on.
pub(crate) fn node_here() -> Option<u32> {
    let (mut cpu, mut node) = (0u32, 0u32);
    // SAFETY: it writes these two words.
    let result =
        unsafe { libc::syscall(libc::SYS_getcpu, &mut cpu, &mut node, std::ptr::null_mut::<libc::c_void>()) };
    (result == 0).then_some(node)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Page faults of this thread so far.
    fn faults() -> i64 {
        // SAFETY: all zeros are a value of it.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        // SAFETY: it writes the structure.
        assert_eq!(unsafe { libc::getrusage(libc::RUSAGE_THREAD, &mut usage) }, 0);
        usage.ru_minflt
    }

    #[test]
    fn what_another_thread_populated_is_there() {
        let mapping = Mapping::new(2 * HUGE + 5, node_here()).expect("memory");
        assert_eq!((mapping.start().addr().get() % HUGE, mapping.bytes), (0, 2 * HUGE + PAGE));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                mapping.populate(0..100 * PAGE, false);
                mapping.populate(HUGE..2 * HUGE + 5, true);
            });
        });
        let touch = |range: std::ops::Range<usize>| {
            let before = faults();
            for at in range.step_by(PAGE) {
                // SAFETY: inside the mapping, and ours alone.
                unsafe {
                    assert_eq!(mapping.start().add(at).read(), 0);
                    mapping.start().add(at).write(7);
                }
            }
            faults() - before
        };
        assert_eq!(touch(0..100 * PAGE), 0);
        assert_eq!(touch(HUGE..2 * HUGE + PAGE), 0);
        assert!(touch(100 * PAGE..HUGE) > 0, "nothing was made there");
    }

    #[test]
    fn absurd_sizes_are_refused() {
        assert!(Mapping::new(usize::MAX, None).is_none());
        assert!(Mapping::new(1 << 60, None).is_none());
    }
}
