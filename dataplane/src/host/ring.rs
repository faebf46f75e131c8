//! The rings between workers and the host thread.

use super::class::HostClass;
use crossbeam::queue::ArrayQueue;
use dpdk_sys::{Burst, Mbuf};
use std::sync::Arc;

/// Packets of the kernel that wait, at most.
const DEPTH: usize = 256;

/// A ring for each class.
type Classes = [Arc<ArrayQueue<Mbuf>>; HostClass::ALL.len()];

/// A worker's end: its way to the kernel, and, at the one worker that sends for the kernel, back.
#[derive(Debug)]
pub struct WorkerEnd {
    /// Written by this worker, read by the host thread.
    to_kernel: Classes,
    /// Written by the host thread, read by this worker.
    from_kernel: Option<Arc<ArrayQueue<Mbuf>>>,
}

impl WorkerEnd {
    /// Hands a packet over; gives it back when the ring of its class is full.
    #[inline]
    pub fn to_kernel(&mut self, class: HostClass, mbuf: Mbuf) -> Result<(), Mbuf> {
        match self.to_kernel.get(class.index()) {
            Some(ring) => ring.push(mbuf),
            None => Err(mbuf),
        }
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
    to_kernel: Vec<Classes>,
    from_kernel: Arc<ArrayQueue<Mbuf>>,
}

impl HostEnd {
    /// Number of workers.
    pub(super) fn workers(&self) -> usize {
        self.to_kernel.len()
    }

    /// Takes up to `most` packets of one worker: of each class its share, then what else there is, the
    /// most urgent first.
    pub(super) fn take(&mut self, worker: usize, out: &mut Burst, most: usize) -> usize {
        let Some(classes) = self.to_kernel.get(worker) else { return 0 };
        let mut count = 0;
        for (ring, class) in classes.iter().zip(HostClass::ALL) {
            count += take(ring, out, class.weight().min(most - count));
        }
        for ring in classes {
            count += take(ring, out, most - count);
        }
        count
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
    let from_kernel = Arc::new(ArrayQueue::new(DEPTH));
    let classes = || HostClass::ALL.map(|class| Arc::new(ArrayQueue::new(class.depth())));
    let to_kernel: Vec<Classes> = (0..workers).map(|_| classes()).collect();
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
pub(crate) fn mbufs_in_rings(workers: usize) -> usize {
    let of_one: usize = HostClass::ALL.map(HostClass::depth).iter().sum();
    DEPTH + of_one * workers
}
