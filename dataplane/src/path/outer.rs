//! What an IPv4 outer header has of the packet behind it, in four words: worked out without branches, so that a
//! plain loop over columns does it for eight packets at a time, and written by few moves.

use super::flow;
use crate::mapcache::RlocSlot;
use crate::wire::{bytes, ethernet, ipv4, lisp, proto};
use std::borrow::Borrow;

/// Bytes in front of the IP packet, Ethernet included.
const LEN: usize = RlocSlot::LENGTH_V4;
/// Bytes of the outer packet in front of the inner one, and those of its UDP datagram.
const ADDED: u32 = (LEN - ethernet::LEN) as u32;
const UDP_ADDED: u32 = ADDED - ipv4::MIN_LEN as u32;
/// The flag DF in the half word of flags and fragment offset.
const DF: u32 = 0x4000;
/// EtherType, as it lies in memory.
const ETHERTYPE: u64 = ethernet::IPV4.swap_bytes() as u64;
/// The port that the packet goes to, as it lies in memory.
const DATA_PORT: u32 = lisp::DATA_PORT.swap_bytes() as u32;

/// The words, as they lie in memory, read as little-endian. Or where they are: then each is read when it is written, so
/// that a loop does not need registers for all of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Parts<W = u32> {
    /// Version, TOS, total length.
    pub first: W,
    /// Flags and offset, TTL, protocol.
    pub third: W,
    /// Source port and length of the UDP header, which have another port between them.
    pub udp: W,
    /// In the lower half the sum of that of the IPv4 header which depends on the packet, folded, not complemented.
    pub sum: W,
}

/// TOS, length and TTL of a packet in one word: 8, 16 and 8 bits.
#[inline(always)]
pub const fn marks(tos: u8, len: u16, ttl: u8) -> u32 {
    (tos as u32) << 24 | (len as u32) << 8 | ttl as u32
}

impl Parts {
    /// Those for a packet of this flow hash; `marks`: see [`marks`], with the TTL that it is sent with. Means
    /// nothing for packets that do not fit an outer packet of 65,535 bytes.
    #[inline(always)]
    #[must_use]
    pub const fn of(hash: u32, marks: u32) -> Self {
        let first = (marks >> 8).wrapping_add(ADDED);
        let second = DF << 16 | (marks & 0xFF) << 8 | proto::UDP as u32;
        let port = flow::source_port(hash) as u32;
        let length = (marks >> 8).wrapping_add(UDP_ADDED) & 0xFFFF;
        // Less than twice what 16 bits hold.
        let sum = (first & 0xFFFF) + (first >> 16) + (marks << 8 & 0xFF00);
        let sum = (sum & 0xFFFF) + (sum >> 16);
        Self {
            first: (0x4500_0000 | first).swap_bytes(),
            third: second.swap_bytes(),
            udp: (port << 16 | length).swap_bytes(),
            sum: sum.swap_bytes() >> 16,
        }
    }
}

impl<W: Borrow<u32>> Parts<W> {
    /// Writes the headers: what differs by RLOC, what is always the same, and these. `header`: the LISP header
    /// without a nonce. A packet mostly begins where a cache line does: no write reaches across the beginning of the line
    /// or half of a line that the headers then have, which takes twice as long.
    #[inline(always)]
    pub fn write(self, h: &mut [u8; LEN], header: [u8; lisp::LEN], outer: &RlocSlot) {
        let (one, two) = outer.addresses_mac();
        bytes::set::<0, _, _>(h, one.to_ne_bytes());
        bytes::set::<4, _, _>(h, two.to_ne_bytes());
        // With an identification of zero.
        bytes::set::<12, _, _>(h, (u64::from(*self.first.borrow()) << 16 | ETHERTYPE).to_le_bytes());
        bytes::set::<20, _, _>(h, self.third.borrow().to_le_bytes());
        // Ones' complement sums know no byte order.
        let (sum, carry) = (*self.sum.borrow() as u16).overflowing_add(outer.checksum_partial());
        bytes::set::<24, _, _>(h, (!(sum + u16::from(carry))).to_le_bytes());
        bytes::set::<26, _, _>(h, outer.addresses_v4().to_ne_bytes());
        let udp = *self.udp.borrow();
        bytes::set::<34, _, _>(h, (udp as u16).to_le_bytes());
        // With a checksum of zero, and what is written over at once.
        bytes::set::<36, _, _>(h, u64::from(udp & 0xFFFF_0000 | DATA_PORT).to_le_bytes());
        bytes::set::<42, _, _>(h, with_nonce(header, outer));
    }
}

/// The LISP header, with the nonce that the way may have there.
#[inline(always)]
pub(super) fn with_nonce(header: [u8; lisp::LEN], outer: &RlocSlot) -> [u8; lisp::LEN] {
    (u64::from_ne_bytes(outer.lisp()) | u64::from_ne_bytes(header)).to_ne_bytes()
}
