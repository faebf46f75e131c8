//! Packet buffers as the path sees them: a small trait, and a twin on the heap for tests.
//!
//! The path is generic over [`PacketBuf`], so that every rule can be tested on [`HeapBuf`] without
//! DPDK; with `dpdk_sys::Mbuf` it is monomorphised and nothing of the trait is left at run time.

use crate::wire::checksum;
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes kept free in front of a packet that was just received: room for the outer headers
/// (Ethernet 14 + IPv6 40 + UDP 8 + LISP 8 = 70). The same as DPDK's default headroom.
pub const HEADROOM: usize = 128;

/// One packet, beginning with its Ethernet header.
///
/// A packet may be a chain of segments; only the first is reachable as bytes. All headers that the
/// path reads or writes must lie in it, and the path checks that they do.
pub trait PacketBuf {
    /// Bytes of the first segment.
    fn data(&self) -> &[u8];
    /// The same, writable.
    fn data_mut(&mut self) -> &mut [u8];
    /// Bytes of all segments together.
    fn total_len(&self) -> usize;
    /// Number of segments, 1 for a packet in one piece.
    fn segments(&self) -> usize;
    /// Grows the packet by `n` bytes at its front and returns these bytes (their content is
    /// arbitrary). `None` and no change if there is no room.
    fn prepend(&mut self, n: usize) -> Option<&mut [u8]>;
    /// Takes `n` bytes off the front. `false` and no change if the first segment is shorter.
    fn trim_front(&mut self, n: usize) -> bool;
    /// Cuts the packet to `len` bytes in total. `false` and no change if it is shorter, or if the
    /// cut would need a segment to be given back and the implementation can not.
    fn truncate(&mut self, len: usize) -> bool;
    /// Grows the first segment of a single-segment packet by `n` bytes at its end and returns
    /// these bytes (their content is arbitrary). `None` and no change if there is no room.
    fn append(&mut self, n: usize) -> Option<&mut [u8]>;
    /// Adds the bytes of `tail` behind this packet's. Gives it back, and no change, if there is no
    /// room and the implementation can not chain buffers.
    fn join(&mut self, tail: Self) -> Result<(), Self>
    where
        Self: Sized;
    /// Copies a chain into its first segment. `false` and no change if it does not fit.
    fn linearize(&mut self) -> bool {
        self.segments() == 1
    }
    /// Internet checksum of all bytes from `at` on, in whatever segments they are: their 16-bit words
    /// added up (RFC 1071), not complemented. `None`: the packet is shorter.
    fn sum_from(&self, at: usize) -> Option<u64> {
        self.data().get(at..).filter(|_| self.segments() == 1).map(|bytes| checksum::add(0, bytes))
    }
    /// [`PacketBuf::truncate`] and then [`PacketBuf::prepend`]: cuts to `len` bytes in total, grows by
    /// `front` bytes at the front. Returns the first segment. `None` if either fails: then what was behind
    /// `len` may be gone, and nothing else has changed.
    #[inline(always)]
    fn rehead(&mut self, front: usize, len: usize) -> Option<&mut [u8]> {
        if self.total_len() != len && !self.truncate(len) {
            return None;
        }
        self.prepend(front)?;
        Some(self.data_mut())
    }
    /// [`PacketBuf::trim_front`] and then [`PacketBuf::truncate`]: takes `front` bytes off the front and
    /// cuts to `len` bytes in total. Returns the first segment. `None` if it is shorter.
    #[inline(always)]
    fn behead(&mut self, front: usize, len: usize) -> Option<&mut [u8]> {
        (self.trim_front(front) && self.truncate(len)).then(|| self.data_mut())
    }
    /// The NIC verified the IPv4 header checksum of the (outer) packet and found it right.
    fn ip_checksum_known_good(&self) -> bool {
        false
    }
    /// The NIC verified the UDP/TCP checksum of the (outer) packet and found it right.
    fn l4_checksum_known_good(&self) -> bool {
        false
    }
    /// Hints the CPU to fetch the first bytes of the packet: those of one cache line, where the headers of native
    /// packets are. No effect but speed.
    fn prefetch(&self) {}
    /// The same for the cache line behind it, to which headers of LISP packets go on.
    fn prefetch_next(&self) {}
    /// The same for the bytes before it, where headers will be prepended.
    fn prefetch_headroom(&self) {}
}

/// A packet on the heap: tests, the `mem` backend.
///
/// Bytes live in a fixed block with room at both ends; from a [`HeapPool`] the block goes back to
/// its pool on drop.
#[derive(Debug)]
pub struct HeapBuf {
    block: Vec<u8>,
    start: usize,
    end: usize,
    ip_good: bool,
    l4_good: bool,
    pool: Option<HeapPool>,
}

impl HeapBuf {
    /// A packet of these bytes with [`HEADROOM`] in front and as much room behind.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut block = vec![0u8; HEADROOM + bytes.len() + HEADROOM];
        let end = HEADROOM + bytes.len();
        if let Some(room) = block.get_mut(HEADROOM..end) {
            room.copy_from_slice(bytes);
        }
        Self { block, start: HEADROOM, end, ip_good: false, l4_good: false, pool: None }
    }

    /// Sets what a NIC would report of the checksums.
    pub fn with_nic_verdict(mut self, ip_good: bool, l4_good: bool) -> Self {
        self.ip_good = ip_good;
        self.l4_good = l4_good;
        self
    }

    /// Bytes free in front of the packet.
    pub fn headroom(&self) -> usize {
        self.start
    }
}

impl PacketBuf for HeapBuf {
    fn data(&self) -> &[u8] {
        self.block.get(self.start..self.end).unwrap_or(&[])
    }

    fn data_mut(&mut self) -> &mut [u8] {
        self.block.get_mut(self.start..self.end).unwrap_or(&mut [])
    }

    fn total_len(&self) -> usize {
        self.end - self.start
    }

    fn segments(&self) -> usize {
        1
    }

    fn prepend(&mut self, n: usize) -> Option<&mut [u8]> {
        let start = self.start.checked_sub(n)?;
        self.start = start;
        self.block.get_mut(start..start + n)
    }

    fn trim_front(&mut self, n: usize) -> bool {
        let fits = n <= self.total_len();
        if fits {
            self.start += n;
        }
        fits
    }

    fn truncate(&mut self, len: usize) -> bool {
        let fits = len <= self.total_len();
        if fits {
            self.end = self.start + len;
        }
        fits
    }

    fn append(&mut self, n: usize) -> Option<&mut [u8]> {
        let old = self.end;
        let end = old.checked_add(n).filter(|end| *end <= self.block.len())?;
        self.end = end;
        self.block.get_mut(old..end)
    }

    fn join(&mut self, tail: Self) -> Result<(), Self> {
        match self.append(tail.total_len()) {
            Some(room) => room.copy_from_slice(tail.data()),
            None => return Err(tail),
        }
        Ok(())
    }

    fn ip_checksum_known_good(&self) -> bool {
        self.ip_good
    }

    fn l4_checksum_known_good(&self) -> bool {
        self.l4_good
    }
}

impl Drop for HeapBuf {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.take() {
            pool.give_back(std::mem::take(&mut self.block));
        }
    }
}

/// A bounded supply of [`HeapBuf`]s that all come back: the twin of a DPDK mempool, so that tests
/// can hold that no packet is lost or leaked. Cloning gives another handle to the same pool.
#[derive(Clone, Debug)]
pub struct HeapPool {
    free: Arc<Mutex<Vec<Vec<u8>>>>,
    capacity: usize,
    room: usize,
}

impl HeapPool {
    /// A pool of `capacity` buffers with `room` bytes each behind the headroom.
    pub fn new(capacity: usize, room: usize) -> Self {
        let blocks = (0..capacity).map(|_| vec![0u8; HEADROOM + room]).collect();
        Self { free: Arc::new(Mutex::new(blocks)), capacity, room }
    }

    /// An empty buffer, or `None` when all are in use.
    pub fn alloc(&self) -> Option<HeapBuf> {
        let block = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
        let pool = Some(self.clone());
        Some(HeapBuf { block, start: HEADROOM, end: HEADROOM, ip_good: false, l4_good: false, pool })
    }

    /// A buffer that holds a copy of these bytes; `None` when all are in use or it does not fit.
    pub fn copy_in(&self, bytes: &[u8]) -> Option<HeapBuf> {
        if bytes.len() > self.room {
            return None;
        }
        let mut buf = self.alloc()?;
        buf.append(bytes.len())?.copy_from_slice(bytes);
        Some(buf)
    }

    /// Buffers that are out.
    pub fn in_use(&self) -> usize {
        self.capacity - self.free.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn give_back(&self, block: Vec<u8>) {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(block);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_grows_and_shrinks_at_both_ends_and_refuses_what_does_not_fit() {
        let mut buf = HeapBuf::from_bytes(b"packet");
        assert_eq!(buf.headroom(), HEADROOM);
        buf.prepend(2).expect("headroom").copy_from_slice(b"a ");
        assert_eq!(buf.data(), b"a packet");
        assert!(buf.prepend(HEADROOM).is_none());
        assert!(buf.trim_front(2) && !buf.trim_front(7) && !buf.truncate(7));
        assert!(buf.truncate(4));
        buf.append(2).expect("tailroom").copy_from_slice(b"et");
        assert_eq!(buf.data(), b"packet");
        assert!(buf.append(1000).is_none());
        assert_eq!((buf.total_len(), buf.segments()), (6, 1));
    }

    #[test]
    fn a_pool_counts_what_is_out_and_never_grows() {
        let pool = HeapPool::new(2, 64);
        let one = pool.copy_in(b"one").expect("first");
        let two = pool.alloc().expect("second");
        assert!(pool.alloc().is_none());
        assert_eq!((one.data(), pool.in_use()), (&b"one"[..], 2));
        drop((one, two));
        assert_eq!(pool.in_use(), 0);
        assert!(pool.copy_in(&[0; 65]).is_none());
        assert_eq!(pool.in_use(), 0);
    }
}
