//! The rings between workers and the host thread.

use crossbeam::queue::ArrayQueue;
use dpdk_sys::{Burst, Mbuf};
use std::sync::Arc;

/// Packets that wait in one ring, at most.
const DEPTH: usize = 256;

/// A worker's end: its way to the kernel, and, at the one worker that sends for the kernel, back.
#[derive(Debug)]
pub struct WorkerEnd {
    /// Written by this worker, read by the host thread.
    to_kernel: Arc<ArrayQueue<Mbuf>>,
    /// Written by the host thread, read by this worker.
    from_kernel: Option<Arc<ArrayQueue<Mbuf>>>,
}

impl WorkerEnd {
    /// Hands a packet over; gives it back when the ring is full.
    #[inline]
    pub fn to_kernel(&mut self, mbuf: Mbuf) -> Result<(), Mbuf> {
        self.to_kernel.push(mbuf)
    }

    /// Adds up to `most` packets that the kernel wants sent.
    #[inline]
    pub fn from_kernel(&mut self, out: &mut Burst, most: usize) -> usize {
        let Some(ring) = &self.from_kernel else { return 0 };
        // Nearly always empty: this look costs two loads, a failed pop a memory fence.
        if ring.is_empty() {
            return 0;
        }
        take(ring, out, most)
    }
}

/// The host thread's end of one port.
#[derive(Debug)]
pub struct HostEnd {
    to_kernel: Vec<Arc<ArrayQueue<Mbuf>>>,
    from_kernel: Arc<ArrayQueue<Mbuf>>,
}

impl HostEnd {
    /// Number of workers.
    pub(super) fn workers(&self) -> usize {
        self.to_kernel.len()
    }

    /// Takes up to `most` packets of one worker.
    pub(super) fn take(&mut self, worker: usize, out: &mut Burst, most: usize) -> usize {
        self.to_kernel.get(worker).map_or(0, |ring| take(ring, out, most))
    }

    /// Hands a packet to the worker that sends; gives it back when the ring is full.
    pub(super) fn put(&mut self, mbuf: Mbuf) -> Result<(), Mbuf> {
        self.from_kernel.push(mbuf)
    }
}

fn take(ring: &ArrayQueue<Mbuf>, out: &mut Burst, most: usize) -> usize {
    let room = out.room().min(most);
    let mut count = 0;
    while count < room {
        let Some(mbuf) = ring.pop() else { break };
        if out.push(mbuf).is_err() {
            break;
        }
        count += 1;
    }
    count
}

/// The rings of one port with `workers` workers: their ends, the first of which also sends for the
/// kernel, and the host thread's.
#[must_use]
pub fn ends(workers: usize) -> (Vec<WorkerEnd>, HostEnd) {
    let ring = || Arc::new(ArrayQueue::new(DEPTH));
    let from_kernel = ring();
    let to_kernel: Vec<_> = (0..workers).map(|_| ring()).collect();
    let worker_ends = to_kernel
        .iter()
        .enumerate()
        .map(|(worker, to_kernel)| WorkerEnd {
            to_kernel: to_kernel.clone(),
            from_kernel: (worker == 0).then(|| from_kernel.clone()),
        })
        .collect();
    (worker_ends, HostEnd { to_kernel, from_kernel })
}

/// Mbufs that the rings of one port can hold.
pub(crate) const fn mbufs_in_rings(workers: usize) -> usize {
    DEPTH * (workers + 1)
}
