//! IPv4 headers of a burst side by side: what native packets, LISP packets and the packets inside these are asked alike.

use super::columns::mask;
use crate::wire::{checksum, ipv4, lisp, proto};

/// Bytes that a plain packet has at least: an IPv4 header without options, and the ports.
pub(super) const HEAD: usize = ipv4::MIN_LEN + 4;

/// The words of one packet. All methods are for loops over all packets: nothing of them branches.
#[derive(Clone, Copy)]
pub(super) struct Head([u32; 6]);

impl Head {
    /// Of the five words of the header, and that of the ports.
    #[inline(always)]
    pub(super) const fn of(words: [u32; 6]) -> Self {
        Self(words)
    }

    /// An IPv4 header without options, of no fragment, with a right checksum and ordinary addresses; the packet is
    /// no longer than `available` bytes, and has the four behind the header.
    #[inline(always)]
    pub(super) fn is_plain(self, available: u32) -> bool {
        self.is_right(available) & are_unicast(self.source(), self.destination())
    }

    /// The same of a header whose destination is known to be an ordinary one.
    #[inline(always)]
    pub(super) fn is_plain_from(self, available: u32) -> bool {
        self.is_right(available) & are_unicast(self.source(), self.source())
    }

    #[inline(always)]
    fn is_right(self, available: u32) -> bool {
        const SHAPE: u32 = 0xFF;
        const FRAGMENT: u32 = ((ipv4::MORE_FRAGMENTS | ipv4::OFFSET_MASK) as u32).swap_bytes();
        let Self([first, second, ..]) = self;
        let fits = (self.len() >= HEAD as u32) & (self.len() <= available);
        ((first & SHAPE | second & FRAGMENT) == 0x45) & fits & self.sum_is_right()
    }

    /// The sum of a right header, of words in any order, is all ones when folded, and never zero. Ten halves need
    /// folding once: what is all ones only after a second time would have to be more than there is.
    #[inline(always)]
    fn sum_is_right(self) -> bool {
        let Self([a, b, c, d, e, _]) = self;
        let high = (a >> 16) + (b >> 16) + (c >> 16) + (d >> 16) + (e >> 16);
        // The low halves are what the high ones leave of the words: they can not overflow.
        let words = a.wrapping_add(b).wrapping_add(c).wrapping_add(d).wrapping_add(e);
        let sum = words.wrapping_sub(high << 16) + high;
        (sum & 0xFFFF) + (sum >> 16) == 0xFFFF
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

    /// The word with the TTL, after that became another (RFC 1624 equation 3, which is the same in either byte order).
    #[inline(always)]
    pub(super) const fn aged(self, ttl: u32) -> u32 {
        let Self([_, _, third, ..]) = self;
        let low = third & 0xFF00 | ttl & 0xFF;
        let sum = (!third >> 16) + (!third & 0xFFFF) + low;
        low | (checksum::finish_small(sum) as u32) << 16
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

/// Both addresses are ordinary, as `path/address.rs` has it.
#[inline(always)]
fn are_unicast(source: u32, destination: u32) -> bool {
    // 1.0.0.0 to 223.255.255.255.
    let above = |number: u32| number.wrapping_sub(0x0100_0000);
    let classes = above(source).max(above(destination)) < 0xDF00_0000;
    let loops = (source >> 24 == 127) | (destination >> 24 == 127);
    let local = (source >> 16 == 0xA9FE) | (destination >> 16 == 0xA9FE);
    classes & !loops & !local
}

/// Words 0 and 2 of an IPv4 header with other TOS and TTL, and its checksum mended.
pub(super) fn marked((first, third): (u32, u32), tos: u8, ttl: u8) -> (u32, u32) {
    let marked = first & 0xFFFF_00FF | u32::from(tos) << 8;
    let low = third & 0xFF00 | u32::from(ttl);
    let sum = (!third >> 16) + (!third & 0xFFFF) + low + (!first & 0xFFFF) + (marked & 0xFFFF);
    (marked, low | u32::from(checksum::finish_small(sum)) << 16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::address::{self, Kind};
    use crate::path::petr;
    use crate::wire::checksum;
    use crate::worker::express::columns::word;

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
        Head::of([0, 4, 8, 12, 16, 20].map(|at| word(bytes, at)))
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

    #[test]
    fn a_mended_checksum_is_right_r112() {
        // Identification 0 to 65,535: the checksum takes every value.
        for id in 0..=u16::MAX {
            let mut bytes = udp(0xC000_0201, 0x0808_0808);
            bytes[4..6].copy_from_slice(&id.to_be_bytes());
            bytes[10..12].fill(0);
            let sum = checksum::finish(checksum::add(0, &bytes[..20]));
            bytes[10..12].copy_from_slice(&sum.to_be_bytes());
            let words = |bytes: &[u8; HEAD]| {
                [0, 8].map(|at| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()))
            };
            let [first, third] = words(&bytes);
            for (tos, ttl) in [(0x2E, 62), (3, 1), (0xFF, 0)] {
                let mut expected = bytes;
                petr::rewrite(&mut expected[..20], 0, false, tos, ttl);
                let [e, f] = words(&expected);
                assert_eq!(marked((first, third), tos, ttl), (e, f), "{id:#x}");
                assert!(tos != 0x2E || head(&bytes).aged(u32::from(ttl)) == f, "{id:#x}");
                assert!(head(&expected).sum_is_right(), "{id:#x}");
            }
        }
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
}
