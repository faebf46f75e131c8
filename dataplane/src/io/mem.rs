//! Queues in memory: the backend of tests and benches without DPDK.
//!
//! Every queue is bounded and set up once; moving packets allocates nothing.

use super::{BURST, Io, PacketBurst};
use crate::buffer::{HeapBuf, HeapPool};
use crate::host::HostClass;
use crate::types::PortId;
use std::collections::VecDeque;

/// A row of heap packets.
#[derive(Debug)]
pub struct MemBurst(VecDeque<HeapBuf>);

impl MemBurst {
    /// Packets that fit.
    pub const CAPACITY: usize = 64;
}

impl Default for MemBurst {
    fn default() -> Self {
        Self(VecDeque::with_capacity(Self::CAPACITY))
    }
}

impl PacketBurst for MemBurst {
    type Buf = HeapBuf;

    fn len(&self) -> usize {
        self.0.len()
    }

    fn push(&mut self, buf: HeapBuf) -> Result<(), HeapBuf> {
        if self.0.len() >= Self::CAPACITY {
            return Err(buf);
        }
        self.0.push_back(buf);
        Ok(())
    }

    fn get(&self, index: usize) -> Option<&HeapBuf> {
        self.0.get(index)
    }

    fn get_mut(&mut self, index: usize) -> Option<&mut HeapBuf> {
        self.0.get_mut(index)
    }

    fn part(&mut self, leaving: u32, to: &mut Self) -> bool {
        let leaves = |at: usize| leaving.checked_shr(at as u32).unwrap_or(0) & 1 != 0;
        let fits = to.0.len() + (0..self.0.len()).filter(|at| leaves(*at)).count() <= Self::CAPACITY;
        if fits {
            for (at, buf) in std::mem::take(&mut self.0).into_iter().enumerate() {
                if leaves(at) { &mut to.0 } else { &mut self.0 }.push_back(buf);
            }
        }
        fits
    }

    fn drain(&mut self) -> impl Iterator<Item = HeapBuf> {
        self.0.drain(..)
    }
}

/// One port: what it will deliver and what it was given.
#[derive(Debug)]
struct MemPort {
    rx: VecDeque<HeapBuf>,
    tx: VecDeque<HeapBuf>,
    to_host: VecDeque<HeapBuf>,
    from_host: VecDeque<HeapBuf>,
}

/// Ports in memory. The test injects frames and collects what came out.
#[derive(Debug)]
pub struct MemIo {
    ports: Vec<MemPort>,
    pool: HeapPool,
    depth: usize,
}

impl MemIo {
    /// `ports` ports whose queues hold `depth` packets each, and a pool of `buffers` packets of up
    /// to `room` bytes.
    pub fn new(ports: usize, depth: usize, buffers: usize, room: usize) -> Self {
        let queue = || VecDeque::with_capacity(depth);
        let port = || MemPort { rx: queue(), tx: queue(), to_host: queue(), from_host: queue() };
        Self { ports: (0..ports).map(|_| port()).collect(), pool: HeapPool::new(buffers, room), depth }
    }

    /// The pool that injected and allocated packets come from.
    pub fn pool(&self) -> &HeapPool {
        &self.pool
    }

    /// Queues a frame for reception; `false` if pool or queue are exhausted.
    pub fn inject(&mut self, port: PortId, frame: &[u8]) -> bool {
        self.pool.copy_in(frame).is_some_and(|buf| self.inject_buf(port, buf))
    }

    /// Queues a buffer for reception; `false` (and the buffer freed) if the queue is full.
    pub fn inject_buf(&mut self, port: PortId, buf: HeapBuf) -> bool {
        let depth = self.depth;
        self.port(port).is_some_and(|p| put(&mut p.rx, depth, buf).is_ok())
    }

    /// Queues a frame that the kernel wants sent on `port`.
    pub fn inject_from_host(&mut self, port: PortId, frame: &[u8]) -> bool {
        let depth = self.depth;
        let Some(buf) = self.pool.copy_in(frame) else { return false };
        self.port(port).is_some_and(|p| put(&mut p.from_host, depth, buf).is_ok())
    }

    /// The oldest packet sent on `port`.
    pub fn sent(&mut self, port: PortId) -> Option<HeapBuf> {
        self.port(port)?.tx.pop_front()
    }

    /// The oldest packet handed to the kernel's face of `port`.
    pub fn to_host(&mut self, port: PortId) -> Option<HeapBuf> {
        self.port(port)?.to_host.pop_front()
    }

    fn port(&mut self, port: PortId) -> Option<&mut MemPort> {
        self.ports.get_mut(usize::from(port.0))
    }
}

fn put(queue: &mut VecDeque<HeapBuf>, depth: usize, buf: HeapBuf) -> Result<(), HeapBuf> {
    if queue.len() >= depth {
        return Err(buf);
    }
    queue.push_back(buf);
    Ok(())
}

/// Moves up to a burst from a queue into `out`.
fn take(queue: &mut VecDeque<HeapBuf>, out: &mut MemBurst) -> usize {
    let room = MemBurst::CAPACITY - out.len();
    let count = queue.len().min(BURST).min(room);
    out.0.extend(queue.drain(..count));
    count
}

impl Io for MemIo {
    type Buf = HeapBuf;
    type Burst = MemBurst;

    fn ports(&self) -> usize {
        self.ports.len()
    }

    fn rx(&mut self, port: PortId, out: &mut MemBurst) -> usize {
        self.port(port).map_or(0, |p| take(&mut p.rx, out))
    }

    fn tx(&mut self, port: PortId, burst: &mut MemBurst) -> usize {
        let depth = self.depth;
        let Some(p) = self.port(port) else { return 0 };
        let count = burst.len().min(depth.saturating_sub(p.tx.len()));
        p.tx.extend(burst.0.drain(..count));
        count
    }

    fn host_tx(&mut self, port: PortId, _class: HostClass, buf: HeapBuf) -> Result<(), HeapBuf> {
        let depth = self.depth;
        match self.port(port) {
            Some(p) => put(&mut p.to_host, depth, buf),
            None => Err(buf),
        }
    }

    fn host_rx(&mut self, port: PortId, out: &mut MemBurst) -> usize {
        self.port(port).map_or(0, |p| take(&mut p.from_host, out))
    }

    fn alloc(&mut self) -> Option<HeapBuf> {
        self.pool.alloc()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buffer::PacketBuf;

    #[test]
    fn what_does_not_fit_stays_with_the_caller_in_order() {
        let port = PortId(0);
        let mut io = MemIo::new(1, 2, 8, 64);
        let mut burst = MemBurst::default();
        for frame in [b"a", b"b", b"c"] {
            assert!(burst.push(io.pool().copy_in(frame).expect("pool")).is_ok());
        }
        assert_eq!(io.tx(port, &mut burst), 2);
        assert_eq!(burst.get(0).map(|b| b.data()), Some(&b"c"[..]));
        assert_eq!(io.sent(port).expect("sent").data(), b"a");
        assert!(io.inject(port, b"x") && io.inject(port, b"y") && !io.inject(port, b"z"));
        assert_eq!(io.rx(port, &mut burst), 2);
        assert_eq!(burst.drain().count(), 3);
        assert_eq!(io.tx(PortId(9), &mut burst), 0);
        io.sent(port);
        assert_eq!(io.pool().in_use(), 0);
    }
}
