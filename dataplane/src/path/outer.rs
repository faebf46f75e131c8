//! What an IPv4 outer header has of the packet behind it, in three words: worked out without branches, so that a
//! plain loop over columns does it for eight packets at a time, and written by few moves.

use super::flow;
use crate::mapcache::RlocSlot;
use crate::wire::{bytes, ethernet, ipv4, lisp, proto};

/// Bytes in front of the IP packet, Ethernet included.
const LEN: usize = RlocSlot::LENGTH_V4;
/// Bytes of the outer packet in front of the inner one, and those of its UDP datagram.
const ADDED: u32 = (LEN - ethernet::LEN) as u32;
const UDP_ADDED: u32 = ADDED - ipv4::MIN_LEN as u32;
/// The flag DF in the half word of flags and fragment offset.
const DF: u32 = 0x4000;

/// The words, as they lie in memory, read as little-endian. Two by two: so they are made side by side and
/// copied at once.
#[derive(Clone, Copy, Debug, Default)]
pub struct Parts {
    /// TOS, total length, identification, flags and offset, TTL.
    pub middle: [u32; 2],
    /// The UDP header.
    pub udp: [u32; 2],
    /// Sum of that of the IPv4 header which depends on the packet, folded, not complemented: 16 bits.
    pub sum: u32,
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
        let first = (marks & 0xFFFF_FF00).wrapping_add(ADDED << 8);
        let second = DF << 8 | marks & 0xFF;
        let ports = (flow::source_port(hash) as u32) << 16 | lisp::DATA_PORT as u32;
        let length = (marks << 8 & 0xFFFF_0000).wrapping_add(UDP_ADDED << 16);
        // Less than twice what 16 bits hold.
        let sum = (first >> 8 & 0xFFFF) + (first >> 24) + (marks << 8 & 0xFF00);
        let sum = (sum & 0xFFFF) + (sum >> 16);
        Self {
            middle: [first.swap_bytes(), second.swap_bytes()],
            udp: [ports.swap_bytes(), length.swap_bytes()],
            sum: sum.swap_bytes() >> 16,
        }
    }

    /// Writes the headers: what differs by RLOC, what is always the same, and these. `header`: the LISP header
    /// without a nonce.
    #[inline(always)]
    pub fn write(self, h: &mut [u8; LEN], header: [u8; lisp::LEN], outer: &RlocSlot) {
        let [one, two] = outer.front();
        // Ones' complement sums know no byte order.
        let (sum, carry) = (self.sum as u16).overflowing_add(outer.checksum_partial());
        let checksum = !(sum + u16::from(carry));
        bytes::set::<0, _, _>(h, one.to_ne_bytes());
        bytes::set::<8, _, _>(h, two.to_ne_bytes());
        bytes::set::<15, _, _>(h, both(self.middle));
        bytes::set::<23, _, _>(h, [proto::UDP]);
        bytes::set::<24, _, _>(h, checksum.to_le_bytes());
        bytes::set::<26, _, _>(h, outer.addresses_v4().to_ne_bytes());
        bytes::set::<34, _, _>(h, both(self.udp));
        bytes::set::<42, _, _>(h, with_nonce(header, outer));
    }
}

/// Two words as they lie in memory.
#[inline(always)]
const fn both([one, two]: [u32; 2]) -> [u8; 8] {
    (one as u64 | (two as u64) << 32).to_le_bytes()
}

/// The LISP header, with the nonce that the way may have there.
#[inline(always)]
pub(super) fn with_nonce(header: [u8; lisp::LEN], outer: &RlocSlot) -> [u8; lisp::LEN] {
    (u64::from_ne_bytes(outer.lisp()) | u64::from_ne_bytes(header)).to_ne_bytes()
}
