//! What the host thread counts.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of one host port. Written by the host thread alone, read by control.
#[derive(Debug, Default)]
pub struct HostStats {
    to_kernel: AtomicU64,
    to_kernel_refused: AtomicU64,
    from_kernel: AtomicU64,
    from_kernel_full: AtomicU64,
}

/// A reading of [`HostStats`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostCounts {
    /// Packets handed to the kernel.
    pub to_kernel: u64,
    /// Packets the kernel did not take: its interface is down, or the frame is larger than its MTU.
    pub to_kernel_refused: u64,
    /// Packets of the kernel handed to the worker.
    pub from_kernel: u64,
    /// Packets of the kernel dropped because the worker did not keep up.
    pub from_kernel_full: u64,
}

impl HostStats {
    /// The counters now.
    #[must_use]
    pub fn read(&self) -> HostCounts {
        HostCounts {
            to_kernel: self.to_kernel.load(Ordering::Relaxed),
            to_kernel_refused: self.to_kernel_refused.load(Ordering::Relaxed),
            from_kernel: self.from_kernel.load(Ordering::Relaxed),
            from_kernel_full: self.from_kernel_full.load(Ordering::Relaxed),
        }
    }

    pub(super) fn add_to_kernel(&self, sent: u64, refused: u64) {
        add(&self.to_kernel, sent);
        add(&self.to_kernel_refused, refused);
    }

    pub(super) fn add_from_kernel(&self, handed: u64, full: u64) {
        add(&self.from_kernel, handed);
        add(&self.from_kernel_full, full);
    }
}

/// One writer: load and store, no locked instruction.
fn add(counter: &AtomicU64, n: u64) {
    if n > 0 {
        counter.store(counter.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }
}
