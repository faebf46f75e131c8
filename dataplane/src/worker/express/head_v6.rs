//! IPv6 headers of a burst side by side: see `head_v4`.

use super::columns::mask;
use crate::lpm::Key6;
use crate::wire::{ipv6, lisp, proto};

/// The words of one packet. All methods are for loops over all packets: nothing of them branches.
#[derive(Clone, Copy)]
pub(super) struct Head6 {
    first: u32,
    second: u32,
    /// Source and destination.
    addresses: [u32; 8],
    ports: u32,
}

impl Head6 {
    /// Of the first two words, source and destination, and the word of the ports.
    #[inline(always)]
    pub(super) const fn of([first, second]: [u32; 2], addresses: [u32; 8], ports: u32) -> Self {
        Self { first, second, addresses, ports }
    }

    /// An IPv6 header without extension headers; the packet is no longer than `available` bytes, and has the
    /// four behind the header. What addresses these are is not looked at.
    #[inline(always)]
    pub(super) fn is_plain(self, available: u32) -> bool {
        const LEN: u32 = ipv6::LEN as u32;
        let fits = (self.len() >= LEN + 4) & (self.len() <= available.min(0xFFFF));
        (self.first & 0xF0 == 0x60) & fits & !self.is_extended()
    }

    /// An extension header follows: those of [`ipv6::is_extension`].
    #[inline(always)]
    fn is_extended(self) -> bool {
        use proto::*;
        let is = |number: u8| self.protocol() == u32::from(number);
        is(HOP_BY_HOP) | is(ROUTING) | is(FRAGMENT) | is(AUTHENTICATION) | is(DESTINATION_OPTIONS)
    }

    /// One of the addresses begins as some do that are not ordinary: with 00, fe or ff.
    #[inline(always)]
    pub(super) fn is_doubtful(self) -> bool {
        let [from, _, _, _, to, ..] = self.addresses;
        let above = |word: u32| (word << 24).wrapping_sub(0x0100_0000);
        above(from).max(above(to)) >= 0xFD00_0000
    }

    /// The source is this address.
    #[inline(always)]
    pub(super) fn is_from(self, own: [u32; 4]) -> bool {
        let ([a, b, c, d, ..], [e, f, g, h]) = (self.addresses, own);
        (a ^ e) | (b ^ f) | (c ^ g) | (d ^ h) == 0
    }

    /// The last words of source and destination, as they lie in memory.
    #[inline(always)]
    pub(super) const fn last_words(self) -> [u32; 2] {
        let [_, _, _, source, _, _, _, destination] = self.addresses;
        [source, destination]
    }

    #[inline(always)]
    pub(super) fn destination(self) -> Key6 {
        let half = |a: u32, b: u32| u64::from(a.swap_bytes()) << 32 | u64::from(b.swap_bytes());
        let [.., a, b, c, d] = self.addresses;
        Key6 { high: half(a, b), low: half(c, d) }
    }

    #[inline(always)]
    pub(super) fn len(self) -> u32 {
        ipv6::LEN as u32 + (self.second.swap_bytes() >> 16)
    }

    #[inline(always)]
    pub(super) fn protocol(self) -> u32 {
        self.second >> 16 & 0xFF
    }

    #[inline(always)]
    pub(super) fn ttl(self) -> u32 {
        self.second >> 24
    }

    /// The word with the Hop Limit, after that became smaller by 1: see [`super::outbound::Lanes`].
    #[inline(always)]
    pub(super) fn hop(self) -> u32 {
        self.second.wrapping_sub(1 << 24)
    }

    /// The word with the Hop Limit, after that became another.
    #[inline(always)]
    pub(super) const fn aged(self, ttl: u32) -> u32 {
        self.second & 0x00FF_FFFF | ttl << 24
    }

    /// Traffic Class, length and Hop Limit in one word: see [`super::outbound::Marks`].
    #[inline(always)]
    pub(super) fn marks(self) -> u32 {
        (self.first.swap_bytes() << 4 & 0xFF00_0000) | self.len() << 8 | self.ttl()
    }

    /// The words of source and destination, as numbers.
    #[inline(always)]
    pub(super) fn addresses(self) -> [u32; 8] {
        self.addresses.map(u32::swap_bytes)
    }

    /// The ports, of protocols that have them, else 0.
    #[inline(always)]
    pub(super) fn ports(self) -> u32 {
        let is = |number: u8| mask(self.protocol() == u32::from(number));
        self.ports.swap_bytes() & (is(proto::UDP) | is(proto::TCP) | is(proto::SCTP))
    }

    /// LISP data, perhaps nested.
    #[inline(always)]
    pub(super) fn is_lisp(self) -> bool {
        const LISP: u32 = (lisp::DATA_PORT.swap_bytes() as u32) << 16 | proto::UDP as u32;
        (self.ports & 0xFFFF_0000 | self.protocol()) == LISP
    }
}

/// The first two words with other Traffic Class and Hop Limit.
pub(super) fn marked((first, second): (u32, u32), tos: u8, ttl: u8) -> (u32, u32) {
    let class = u32::from(0x60 | tos >> 4) | u32::from(tos & 0x0F) << 12;
    (first & 0xFFFF_0F00 | class, second & 0x00FF_FFFF | u32::from(ttl) << 24)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::address::{self, Kind};
    use crate::worker::express::columns::word;

    const LEN: usize = ipv6::LEN + 4;

    fn head(bytes: &[u8; LEN]) -> Head6 {
        let addresses = [0, 4, 8, 12, 16, 20, 24, 28].map(|at| word(bytes, 8 + at));
        Head6::of([word(bytes, 0), word(bytes, 4)], addresses, word(bytes, 40))
    }

    fn packet(source: u128, destination: u128, next: u8) -> [u8; LEN] {
        let mut h = [0; LEN];
        h[..8].copy_from_slice(&[0x6A, 0xB1, 2, 3, 0, 100, next, 9]);
        h[8..24].copy_from_slice(&source.to_be_bytes());
        h[24..40].copy_from_slice(&destination.to_be_bytes());
        h[40..].copy_from_slice(&[0x12, 0x34, 0x10, 0xF5]);
        h
    }

    #[test]
    fn a_header_is_read_from_its_words() {
        let (from, to) =
            (0x2001_0db8_0000_0001_0203_0405_0607_0809, 0x2a00_0000_0000_0001_1112_1314_1516_1718);
        let one = head(&packet(from, to, proto::UDP));
        assert!(one.is_plain(140) && !one.is_plain(139) && one.is_lisp() && !one.is_doubtful());
        assert_eq!((one.len(), one.ttl(), one.protocol(), one.marks()), (140, 9, 17, 0xAB00_8C09));
        let words = [0x2001_0db8, 1, 0x0203_0405, 0x0607_0809, 0x2a00_0000, 1, 0x1112_1314, 0x1516_1718];
        assert_eq!((one.addresses(), one.ports()), (words, 0x1234_10F5));
        let [a, b, c, d, ..] = words.map(u32::swap_bytes);
        assert!(
            one.is_from([a, b, c, d]) && !one.is_from([a, b, c, d ^ 1]) && !one.is_from([a ^ 1, b, c, d])
        );
        let icmp = head(&packet(from, to, proto::ICMPV6));
        assert!(icmp.ports() == 0 && !icmp.is_lisp());
    }

    /// Whatever is no ordinary address is doubtful, and little else.
    #[test]
    fn addresses_and_protocols_are_judged_as_elsewhere_r150() {
        for first in 0..=0xFFFF_u128 {
            let (special, plain) = (first << 112 | 1, 0x2001_0db8_u128 << 96);
            let ordinary = address::kind_v6(Key6 { high: (special >> 64) as u64, low: 1 }) == Kind::Unicast;
            for one in [packet(special, plain, 6), packet(plain, special, 6)].map(|packet| head(&packet)) {
                assert!(ordinary || one.is_doubtful(), "{first:x}");
                assert_eq!(one.is_doubtful(), matches!(first >> 8, 0 | 0xFE | 0xFF), "{first:x}");
            }
        }
        for next in 0..=255 {
            assert_eq!(head(&packet(0, 0, next)).is_plain(140), !ipv6::is_extension(next), "{next}");
        }
    }
}
