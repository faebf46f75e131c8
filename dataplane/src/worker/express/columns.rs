//! Headers of a burst side by side: one word of every packet in a column.
//!
//! What is to be known of each packet of a burst is the same: so it is found out by plain loops over arrays of
//! fixed length, without branches, which the compiler turns into instructions for eight packets at a time. The
//! words stand as they lie in memory; numbers of them are made where their order matters. Whatever does not
//! fit such a loop is left out of the set of plain packets, and so to the stages of `burst`.

use crate::io::BURST;
use crate::wire::bytes::chunk;
use crate::wire::{checksum, ipv4, lisp, proto};

/// A word of each packet.
pub(super) type Column = [u32; BURST];

/// Two words, one behind the other, of each packet: copied at once.
pub(super) type Pairs = [[u32; 2]; BURST];

/// Packets of a small burst: for these loops go no further. One instruction does for so many.
pub(super) const FEW: usize = 8;

/// A set of packets by number, as what a column says of each.
#[allow(clippy::indexing_slicing, reason = "worked out by the compiler")]
const BITS: Column = {
    let mut bits = [0; BURST];
    let mut at = 0;
    while at < BURST {
        bits[at] = 1 << at;
        at += 1;
    }
    bits
};

/// The bit of a packet in a set, if it belongs there.
#[inline(always)]
pub(super) fn bit(at: usize, belongs: bool) -> u32 {
    read(&BITS, at) & mask(belongs)
}

/// All ones or none.
#[inline(always)]
pub(super) fn mask(all: bool) -> u32 {
    u32::from(all).wrapping_neg()
}

/// What a column has for packet `at`: in a loop over all packets there is no check left.
#[inline(always)]
pub(super) fn read<T: Copy + Default>(column: &[T; BURST], at: usize) -> T {
    column.get(at).copied().unwrap_or_default()
}

/// The same, to be written.
#[inline(always)]
pub(super) fn write<T>(column: &mut [T; BURST], at: usize, value: T) {
    if let Some(place) = column.get_mut(at) {
        *place = value;
    }
}

/// Two words as they lie in memory.
#[inline(always)]
pub(super) fn pair<const N: usize>(bytes: &[u8; N], at: usize) -> [u32; 2] {
    chunk::<8>(bytes, at).map_or([0; 2], |&[a, b, c, d, e, f, g, h]| {
        [u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h])]
    })
}

/// A word as it lies in memory.
#[inline(always)]
pub(super) fn word<const N: usize>(bytes: &[u8; N], at: usize) -> u32 {
    chunk(bytes, at).map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

/// Bytes that a column of headers has of each: an IPv4 header without options, and the ports.
pub(super) const HEAD: usize = ipv4::MIN_LEN + 4;

/// The first bytes of the IP packets of a burst.
#[derive(Debug)]
pub(super) struct Heads([Pairs; 3]);

impl Heads {
    pub(super) const fn new() -> Self {
        Self([[[0; 2]; BURST]; 3])
    }

    /// Those of packet `at`, which are at `offset` of `frame`.
    #[inline(always)]
    pub(super) fn put<const N: usize>(&mut self, at: usize, frame: &[u8; N], offset: usize) {
        let Self([a, b, c]) = self;
        write(a, at, pair(frame, offset));
        write(b, at, pair(frame, offset + 8));
        write(c, at, pair(frame, offset + 16));
    }

    /// There is no packet `at`, or not so much of it.
    #[cold]
    #[inline(never)]
    pub(super) fn blank(&mut self, at: usize) {
        let Self([a, ..]) = self;
        write(a, at, [0; 2]);
    }

    #[inline(always)]
    pub(super) fn get(&self, at: usize) -> Head {
        Head(self.words(at))
    }

    #[inline(always)]
    pub(super) fn words(&self, at: usize) -> [u32; 6] {
        let Self([a, b, c]) = self;
        let ([first, second], [third, fourth], [fifth, sixth]) = (read(a, at), read(b, at), read(c, at));
        [first, second, third, fourth, fifth, sixth]
    }
}

/// The words of one packet. All methods are for loops over all packets: nothing of them branches.
#[derive(Clone, Copy)]
pub(super) struct Head([u32; 6]);

impl Head {
    /// An IPv4 header without options, of no fragment, with a right checksum and ordinary addresses; the packet is
    /// no longer than `available` bytes, and has the four behind the header.
    #[inline(always)]
    pub(super) fn is_plain(self, available: u32) -> bool {
        const SHAPE: u32 = 0xFF;
        const FRAGMENT: u32 = ((ipv4::MORE_FRAGMENTS | ipv4::OFFSET_MASK) as u32).swap_bytes();
        let Self([first, second, ..]) = self;
        let fits = (self.len() >= HEAD as u32) & (self.len() <= available);
        ((first & SHAPE | second & FRAGMENT) == 0x45) & fits & self.sum_is_right() & self.is_unicast()
    }

    /// The sum of a right header, of words in any order, is all ones when folded, and never zero. Ten halves need
    /// folding once: what is all ones only after a second time would have to be more than there is.
    #[inline(always)]
    fn sum_is_right(self) -> bool {
        let Self([a, b, c, d, e, _]) = self;
        let halves = |word: u32| (word & 0xFFFF) + (word >> 16);
        halves(halves(a) + halves(b) + halves(c) + halves(d) + halves(e)) == 0xFFFF
    }

    /// Both addresses are ordinary, as `path/address.rs` has it.
    #[inline(always)]
    fn is_unicast(self) -> bool {
        const LOOPBACK: u32 = 127;
        const LINK_LOCAL: u32 = u32::from_le_bytes([169, 254, 0, 0]);
        let Self([.., from, to, _]) = self;
        // 1.0.0.0 to 223.255.255.255.
        let above = |number: u32| number.wrapping_sub(0x0100_0000);
        let classes = above(self.source()).max(above(self.destination())) < 0xDF00_0000;
        let loops = (from & 0xFF == LOOPBACK) | (to & 0xFF == LOOPBACK);
        let local = (from & 0xFFFF == LINK_LOCAL) | (to & 0xFFFF == LINK_LOCAL);
        classes & !loops & !local
    }

    /// Length of the IPv4 packet.
    #[inline(always)]
    pub(super) fn len(self) -> u32 {
        self.first() & 0xFFFF
    }

    /// The first word as a number.
    #[inline(always)]
    fn first(self) -> u32 {
        let Self([first, ..]) = self;
        first.swap_bytes()
    }

    #[inline(always)]
    pub(super) fn source(self) -> u32 {
        let Self([_, _, _, source, ..]) = self;
        source.swap_bytes()
    }

    #[inline(always)]
    pub(super) fn destination(self) -> u32 {
        let Self([.., destination, _]) = self;
        destination.swap_bytes()
    }

    #[inline(always)]
    pub(super) fn ttl(self) -> u32 {
        let Self([_, _, third, ..]) = self;
        third & 0xFF
    }

    #[inline(always)]
    pub(super) fn protocol(self) -> u32 {
        let Self([_, _, third, ..]) = self;
        third >> 8 & 0xFF
    }

    /// TOS, length and TTL in one word: see [`super::outbound::Marks`].
    #[inline(always)]
    pub(super) fn marks(self) -> u32 {
        self.first() << 8 | self.ttl()
    }

    /// The word with the TTL, after that became smaller by 1: see [`super::outbound::Lanes`].
    #[inline(always)]
    pub(super) fn hop(self) -> u32 {
        let Self([_, _, third, ..]) = self;
        checksum::less_ttl(third)
    }

    /// The ports, of protocols that have them, else 0.
    #[inline(always)]
    pub(super) fn ports(self) -> u32 {
        let Self([.., ports]) = self;
        let protocol = self.protocol();
        let is = |number: u8| mask(protocol == u32::from(number));
        ports.swap_bytes() & (is(proto::UDP) | is(proto::TCP) | is(proto::SCTP))
    }

    /// LISP data, perhaps nested.
    #[inline(always)]
    pub(super) fn is_lisp(self) -> bool {
        const LISP: u32 = (lisp::DATA_PORT.swap_bytes() as u32) << 16 | (proto::UDP as u32) << 8;
        let Self([_, _, third, .., ports]) = self;
        (third & 0xFF00 | ports & 0xFFFF_0000) == LISP
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::address::{self, Kind};
    use crate::wire::checksum;

    /// A UDP packet's first bytes, with a right checksum.
    fn udp(source: u32, destination: u32) -> [u8; HEAD] {
        let mut h = [0; HEAD];
        h[..12].copy_from_slice(&[0x45, 0x2E, 0x05, 0xDC, 1, 2, 0x40, 0, 63, proto::UDP, 0, 0]);
        h[12..16].copy_from_slice(&source.to_be_bytes());
        h[16..20].copy_from_slice(&destination.to_be_bytes());
        h[20..].copy_from_slice(&[0x12, 0x34, 0x10, 0xF5]);
        let sum = checksum::finish(checksum::add(0, &h[..20]));
        h[10..12].copy_from_slice(&sum.to_be_bytes());
        h
    }

    fn head(bytes: &[u8; HEAD]) -> Head {
        let mut heads = Heads::new();
        heads.put(7, bytes, 0);
        heads.get(7)
    }

    #[test]
    fn a_header_is_read_from_its_words() {
        let one = head(&udp(0x0A00_0001, 0xC633_6402));
        assert!(one.is_plain(1500) && !one.is_plain(1499));
        assert_eq!((one.source(), one.destination()), (0x0A00_0001, 0xC633_6402));
        assert_eq!((one.len(), one.ttl(), one.protocol()), (1500, 63, 17));
        assert_eq!((one.marks(), one.ports()), (0x2E05_DC3F, 0x1234_10F5));
        assert!(one.is_lisp());
    }

    /// One by one they are what `path/address.rs` says; R-150.
    #[test]
    fn addresses_are_judged_as_elsewhere_r150() {
        let edges =
            [0x0000_0000, 0x00FF_FFFF, 0x0100_0000, 0x7EFF_FFFF, 0x7F00_0000, 0x7FFF_FFFF, 0x8000_0000];
        let local = [0xA9FD_FFFF, 0xA9FE_0000, 0xA9FE_FFFF, 0xA9FF_0000, 0xDFFF_FFFF, 0xE000_0000, u32::MAX];
        let all = || (0..=255).map(|first: u32| first << 24 | 0x0A_0B0C).chain(edges).chain(local);
        for addr in all() {
            let ordinary = address::kind_v4(addr) == Kind::Unicast;
            assert_eq!(head(&udp(addr, 0x0808_0808)).is_plain(1500), ordinary, "from {addr:x}");
            assert_eq!(head(&udp(0x0808_0808, addr)).is_plain(1500), ordinary, "to {addr:x}");
        }
    }

    #[test]
    fn checksums_are_right_or_wrong_as_elsewhere() {
        for id in 0..=u16::MAX {
            let mut h = udp(0xDF12_FFFF, u32::from(id) << 12 | 0x0100_0000);
            h[4..6].copy_from_slice(&id.to_be_bytes());
            let right = checksum::finish(checksum::add(0, &h[..20])) == 0;
            assert_eq!(head(&h).is_plain(1500), right, "{id:x}");
        }
    }

    #[test]
    fn bits_are_set_for_what_belongs() {
        assert_eq!((bit(31, true), bit(0, true), bit(5, false)), (1 << 31, 1, 0));
        assert_eq!((mask(true), mask(false)), (u32::MAX, 0));
    }
}
