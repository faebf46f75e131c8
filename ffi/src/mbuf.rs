//! One packet buffer, owned.
//!
//! The accessors are Rust over the offsets of `struct rte_mbuf` that the shim asserts: no call into
//! C for what is done once per packet.

use crate::bindings as c;
use std::ptr::NonNull;

/// Bytes in front of a received frame, for headers to be prepended.
pub const HEADROOM: u16 = c::PXTR_HEADROOM as u16;

/// Most segments of a chain that is made here: what common NICs send at once.
const MAX_SEGMENTS: usize = 32;

/// Bytes of a cache line.
const LINE: usize = 64;

/// What the NIC says of a checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// Not looked at.
    Unknown,
    /// Right.
    Good,
    /// Wrong.
    Bad,
}

/// A packet. Owned by one: not `Clone`, moved when sent, freed to its pool when dropped.
///
/// The data is a chain of one or more segments; `data` is the first.
#[derive(Debug)]
#[repr(transparent)]
pub struct Mbuf {
    raw: NonNull<c::rte_mbuf>,
}

// SAFETY: an mbuf has one owner and its pool takes it back from any thread.
unsafe impl Send for Mbuf {}

impl Drop for Mbuf {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: we own it, and no one uses it after drop.
        unsafe { c::pxtr_mbuf_free(self.raw.as_ptr()) };
    }
}

impl Mbuf {
    /// # Safety
    /// `raw` is a valid mbuf with reference count 1 that nobody else uses.
    #[inline]
    pub(crate) unsafe fn from_raw(raw: NonNull<c::rte_mbuf>) -> Self {
        Self { raw }
    }

    /// Address of the field at `offset`.
    #[inline]
    fn field<T>(&self, offset: u32) -> *mut T {
        // SAFETY: every offset passed in is that of a field of type T inside struct rte_mbuf
        // (checked against the C compiler by layout::check and by assertions in csrc/mbuf.c).
        unsafe { self.raw.as_ptr().cast::<u8>().add(offset as usize).cast::<T>() }
    }

    #[inline]
    fn get<T: Copy>(&self, offset: u32) -> T {
        // SAFETY: see `field`; the mbuf is ours.
        unsafe { self.field::<T>(offset).read() }
    }

    #[inline]
    fn set<T: Copy>(&mut self, offset: u32, value: T) {
        // SAFETY: see `field`; the mbuf is ours alone.
        unsafe { self.field::<T>(offset).write(value) }
    }

    #[inline]
    fn data_off(&self) -> u16 {
        self.get(c::PXTR_MBUF_DATA_OFF)
    }

    #[inline]
    fn data_ptr(&self) -> *mut u8 {
        let start: *mut u8 = self.get(c::PXTR_MBUF_BUF_ADDR);
        // SAFETY: data_off is within the buffer (DPDK's invariant, kept by all setters here).
        unsafe { start.add(usize::from(self.data_off())) }
    }

    /// The first segment's bytes.
    #[inline]
    #[must_use]
    pub fn data(&self) -> &[u8] {
        // SAFETY: data_len bytes at data_ptr belong to this mbuf and were written by the device or
        // by append/prepend, which zero them.
        unsafe { std::slice::from_raw_parts(self.data_ptr(), self.data_len()) }
    }

    /// The first segment's bytes, to be changed.
    #[inline]
    #[must_use]
    pub fn data_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `data`; `&mut self` makes the access exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.data_ptr(), self.data_len()) }
    }

    /// Length of the first segment, bytes.
    #[inline]
    #[must_use]
    pub fn data_len(&self) -> usize {
        usize::from(self.get::<u16>(c::PXTR_MBUF_DATA_LEN))
    }

    /// Length of all segments, bytes.
    #[inline]
    #[must_use]
    pub fn pkt_len(&self) -> usize {
        self.get::<u32>(c::PXTR_MBUF_PKT_LEN) as usize
    }

    /// Number of segments, 1 or more.
    #[inline]
    #[must_use]
    pub fn segments(&self) -> usize {
        usize::from(self.get::<u16>(c::PXTR_MBUF_NB_SEGS))
    }

    /// Free bytes in front of the data.
    #[inline]
    #[must_use]
    pub fn headroom(&self) -> usize {
        usize::from(self.data_off())
    }

    /// Free bytes behind the data of the first segment.
    #[inline]
    #[must_use]
    pub fn tailroom(&self) -> usize {
        usize::from(self.get::<u16>(c::PXTR_MBUF_BUF_LEN)).saturating_sub(self.headroom() + self.data_len())
    }

    #[inline]
    fn set_lengths(&mut self, data_len: usize, pkt_len: usize) {
        // Both come from arithmetic on values that fit: data_len <= buf_len, pkt_len moves with it.
        self.set(c::PXTR_MBUF_DATA_LEN, data_len as u16);
        self.set(c::PXTR_MBUF_PKT_LEN, pkt_len as u32);
    }

    /// Grows the packet by `n` bytes in front and returns them, with whatever was there before: the
    /// caller writes them all. `None` (and no change) when the headroom is too small.
    #[inline]
    pub fn prepend(&mut self, n: usize) -> Option<&mut [u8]> {
        let offset = self.headroom().checked_sub(n)?;
        let data_len = u16::try_from(self.data_len() + n).ok()?;
        self.set(c::PXTR_MBUF_DATA_OFF, offset as u16);
        self.set_lengths(usize::from(data_len), self.pkt_len() + n);
        self.data_mut().get_mut(..n)
    }

    /// Cuts `n` bytes off the front of the first segment; `false` (and no change) when it is shorter.
    #[inline]
    #[must_use]
    pub fn adj(&mut self, n: usize) -> bool {
        let Some(data_len) = self.data_len().checked_sub(n) else { return false };
        self.set(c::PXTR_MBUF_DATA_OFF, (self.headroom() + n) as u16);
        self.set_lengths(data_len, self.pkt_len() - n);
        true
    }

    /// Cuts the packet to `len` bytes in all; `false` (and no change) when it is shorter.
    #[inline]
    #[must_use]
    pub fn trim_to(&mut self, len: usize) -> bool {
        if len > self.pkt_len() {
            return false;
        }
        if self.segments() == 1 {
            self.set_lengths(len, len);
        } else {
            // SAFETY: the chain is ours; `len` is no more than it has.
            unsafe { c::pxtr_mbuf_truncate_chain(self.raw.as_ptr(), len as u32) };
        }
        true
    }

    /// Moves the start of the packet, forwards or, by a negative number, into the headroom, and its end:
    /// `len` bytes in all are left behind the headroom that is taken, or from the new start on. Returns
    /// the first segment; what it has won in front holds whatever was there before. `None` (and no change)
    /// when there is not so much room, or the packet is shorter.
    ///
    /// The same as `trim_to` with `prepend`, or `adj` with `trim_to`, in one go.
    #[inline(always)]
    pub fn frame_from(&mut self, start: isize, len: usize) -> Option<&mut [u8]> {
        let (taken, won) = (start.max(0) as usize, start.min(0).unsigned_abs());
        if self.segments() != 1 {
            return self.frame_chain_from(taken, won, len);
        }
        let offset = usize::from(self.data_off());
        if taken + len > self.data_len() || won > offset {
            return None;
        }
        // Fits 16 bits: headroom and data lie in a buffer whose length does.
        self.set(c::PXTR_MBUF_DATA_OFF, (offset + taken - won) as u16);
        self.set_lengths(len + won, len + won);
        let start: NonNull<u8> = self.get(c::PXTR_MBUF_BUF_ADDR);
        // SAFETY: the `len + won` bytes from there on lie in this mbuf's headroom and data, see above;
        // `&mut self` makes the access exclusive. A buffer's address is never null.
        Some(unsafe { std::slice::from_raw_parts_mut(start.add(offset + taken - won).as_ptr(), len + won) })
    }

    #[cold]
    fn frame_chain_from(&mut self, taken: usize, won: usize, len: usize) -> Option<&mut [u8]> {
        let fits = taken <= self.data_len() && taken + len <= self.pkt_len() && won <= self.headroom();
        if !fits || self.data_len() + won > usize::from(u16::MAX) {
            return None;
        }
        let _ = self.adj(taken);
        let _ = self.trim_to(len);
        self.prepend(won)?;
        Some(self.data_mut())
    }

    /// Grows the packet by `n` zero bytes behind and returns them. `None` (and no change) when the
    /// tailroom is too small or the packet has more than one segment.
    #[inline]
    pub fn append(&mut self, n: usize) -> Option<&mut [u8]> {
        if self.segments() != 1 || n > self.tailroom() {
            return None;
        }
        let old = self.data_len();
        self.set_lengths(old + n, old + n);
        let new = self.data_mut().get_mut(old..)?;
        new.fill(0);
        Some(new)
    }

    /// Copies a chain into its first segment; `false` (and no change) when it does not fit.
    #[must_use]
    pub fn linearize(&mut self) -> bool {
        // SAFETY: the chain is ours.
        self.segments() == 1 || unsafe { c::pxtr_mbuf_linearize(self.raw.as_ptr()) } == 0
    }

    /// Adds the bytes of `tail` behind this packet's: copies them where there is room, else chains
    /// the buffers. Gives it back, and no change, when the chain would have too many segments.
    ///
    /// # Errors
    /// `tail`, unchanged.
    pub fn join(&mut self, tail: Self) -> Result<(), Self> {
        if tail.segments() == 1 && tail.data_len() <= self.tailroom() {
            let len = tail.data_len();
            if let Some(room) = self.append(len) {
                room.copy_from_slice(tail.data());
                return Ok(());
            }
        }
        if self.segments() + tail.segments() > MAX_SEGMENTS {
            return Err(tail);
        }
        // SAFETY: both chains are ours; the second becomes part of the first, which owns it then.
        unsafe { c::pxtr_mbuf_chain(self.raw.as_ptr(), tail.raw.as_ptr()) };
        std::mem::forget(tail);
        Ok(())
    }

    /// The Internet checksum's sum (RFC 1071, folded, not complemented, of big-endian words) of all bytes
    /// from `at` on, over all segments. `None` when the packet is shorter.
    #[must_use]
    pub fn sum_from(&self, at: usize) -> Option<u16> {
        let at = u32::try_from(at).ok().filter(|_| at <= self.pkt_len())?;
        // SAFETY: the chain is ours, and its segments say how long they are.
        Some(u16::from_be(unsafe { c::pxtr_mbuf_sum(self.raw.as_ptr(), at) }))
    }

    /// DPDK's number of the port it was received on.
    #[inline]
    #[must_use]
    pub fn port(&self) -> u16 {
        self.get(c::PXTR_MBUF_PORT)
    }

    #[inline]
    fn ol_flags(&self) -> u64 {
        self.get(c::PXTR_MBUF_OL_FLAGS)
    }

    /// What the NIC says of the (outer) IPv4 header checksum.
    #[inline]
    #[must_use]
    pub fn rx_ip_checksum(&self) -> Checksum {
        match self.ol_flags() & c::PXTR_RX_IP_CKSUM_MASK {
            c::PXTR_RX_IP_CKSUM_GOOD => Checksum::Good,
            c::PXTR_RX_IP_CKSUM_BAD => Checksum::Bad,
            _ => Checksum::Unknown,
        }
    }

    /// What the NIC says of the (outer) UDP or TCP checksum.
    #[inline]
    #[must_use]
    pub fn rx_l4_checksum(&self) -> Checksum {
        match self.ol_flags() & c::PXTR_RX_L4_CKSUM_MASK {
            c::PXTR_RX_L4_CKSUM_GOOD => Checksum::Good,
            c::PXTR_RX_L4_CKSUM_BAD => Checksum::Bad,
            _ => Checksum::Unknown,
        }
    }

    /// Asks the NIC to fill in the IPv4 header checksum: `l2` and `l3` are the lengths of the Ethernet
    /// and of the IPv4 header. Only for ports whose capabilities have it, else it stays as it is.
    #[inline]
    pub fn set_tx_ip_checksum(&mut self, l2: u8, l3: u8) {
        self.set(c::PXTR_MBUF_OL_FLAGS, self.ol_flags() | c::PXTR_TX_IPV4 | c::PXTR_TX_IP_CKSUM);
        let l2 = u64::from(l2) & ((1 << c::PXTR_TX_L2_BITS) - 1);
        let l3 = u64::from(l3) & ((1 << c::PXTR_TX_L3_BITS) - 1);
        self.set(c::PXTR_MBUF_TX_OFFLOAD, l2 | l3 << c::PXTR_TX_L2_BITS);
    }

    /// Takes back what [`Mbuf::set_tx_ip_checksum`] asked for.
    #[inline]
    pub fn clear_tx_offloads(&mut self) {
        self.set(c::PXTR_MBUF_OL_FLAGS, self.ol_flags() & !c::PXTR_TX_OFFLOAD_MASK);
    }

    /// Asks for the cache line in which the data begins, to be read and written soon.
    #[inline]
    pub fn prefetch(&self) {
        crate::clock::prefetch_address(self.data_ptr());
    }

    /// Asks for the cache line behind that.
    #[inline]
    pub fn prefetch_next(&self) {
        crate::clock::prefetch_address(self.data_ptr().wrapping_add(LINE));
    }

    /// Asks for the cache line before the start of the data, where headers will be prepended.
    #[inline]
    pub fn prefetch_headroom(&self) {
        crate::clock::prefetch_address(self.data_ptr().wrapping_sub(LINE));
    }
}
