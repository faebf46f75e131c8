//! Addresses as numbers whose most significant bit comes first on the wire.

use std::fmt::Debug;
use std::net::{Ipv4Addr, Ipv6Addr};

/// An address: a string of [`Key::BITS`] bits, the first one most significant.
pub trait Key: Copy + Debug + Default + Eq + Ord + std::hash::Hash {
    /// Bits of an address.
    const BITS: u8;

    /// Number of leading bits in which the two agree: 0 to `BITS`.
    #[must_use]
    fn common_bits(self, other: Self) -> u8;

    /// The same address with all but the first `length` bits zero.
    #[must_use]
    fn masked(self, length: u8) -> Self;

    /// The six bits from bit `offset` on, as a number below 64; bits beyond the end are zero.
    /// `offset` is below `BITS`.
    #[must_use]
    fn six_bits(self, offset: u8) -> u32;

    /// The `count` bits from bit `offset` on, as a number. `offset` + `count` is at most `BITS`,
    /// `count` 0 to 31; no bits make no sense and any number.
    #[must_use]
    fn bits(self, offset: u8, count: u8) -> u32;

    /// By which block of a region the key lies, and the bits that follow, for lookups in bursts: the region is
    /// the first `base` bits of `region`, whose others are zero; the bits up to `depth` number the block, at most
    /// 24 of them. A key outside of the region gets a number of 2^(`depth` - `base`) or more. The bits that
    /// follow come first in the second number, as far as they are among the first [`Key::NEAR`] ones.
    #[must_use]
    fn place(self, region: Self, base: u8, depth: u8) -> (u32, u32);

    /// So many leading bits are at hand for [`Key::place`].
    const NEAR: u8;

    /// The same address with these bits set as in `bits`; they were zero before.
    #[must_use]
    fn with_bits(self, offset: u8, count: u8, bits: u32) -> Self;

    /// A key that carries a number, for records that are not in use.
    #[must_use]
    fn from_link(link: u32) -> Self;

    /// The number that [`Key::from_link`] was given.
    #[must_use]
    fn to_link(self) -> u32;
}

/// An IPv4 address as a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key4(pub u32);

/// An IPv6 address as two numbers. Not a `u128`, which would be aligned to 16 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key6 {
    /// Bits 0 to 63.
    pub high: u64,
    /// Bits 64 to 127.
    pub low: u64,
}

impl Key for Key4 {
    const BITS: u8 = 32;

    #[inline]
    fn common_bits(self, other: Self) -> u8 {
        (self.0 ^ other.0).leading_zeros() as u8
    }

    #[inline]
    fn masked(self, length: u8) -> Self {
        Self(self.0 & !u32::MAX.checked_shr(u32::from(length)).unwrap_or(0))
    }

    #[inline]
    fn six_bits(self, offset: u8) -> u32 {
        ((u64::from(self.0) << 32 << (offset & 31)) >> 58) as u32
    }

    #[inline]
    fn bits(self, offset: u8, count: u8) -> u32 {
        (self.0 << (offset & 31)) >> ((32 - u32::from(count)) & 31)
    }

    const NEAR: u8 = 32;

    #[inline(always)]
    fn place(self, region: Self, _base: u8, depth: u8) -> (u32, u32) {
        // Where the region differs, a bit above the number does.
        let block = (self.0 ^ region.0) >> (32u32.wrapping_sub(u32::from(depth)) & 31);
        (block, self.0 << (depth & 31))
    }

    fn with_bits(self, offset: u8, count: u8, bits: u32) -> Self {
        Self(self.0 | bits << (32 - offset - count))
    }

    fn from_link(link: u32) -> Self {
        Self(link)
    }

    fn to_link(self) -> u32 {
        self.0
    }
}

impl Key for Key6 {
    const BITS: u8 = 128;

    #[inline]
    fn common_bits(self, other: Self) -> u8 {
        let (high, low) = (self.high ^ other.high, self.low ^ other.low);
        // Without a branch: zero has 64 leading zeros.
        let more = low.leading_zeros() & u32::from(high == 0).wrapping_neg();
        (high.leading_zeros() + more) as u8
    }

    #[inline]
    fn masked(self, length: u8) -> Self {
        let mask = !u128::MAX.checked_shr(u32::from(length)).unwrap_or(0);
        Self::from(u128::from(self) & mask)
    }

    #[inline]
    fn six_bits(self, offset: u8) -> u32 {
        ((u128::from(self) << (offset & 127)) >> 122) as u32
    }

    #[inline]
    fn bits(self, offset: u8, count: u8) -> u32 {
        let first = (u128::from(self) << (offset & 127)) >> 64;
        ((first as u64) >> ((64 - u32::from(count)) & 63)) as u32
    }

    const NEAR: u8 = 64;

    #[inline(always)]
    fn place(self, region: Self, base: u8, depth: u8) -> (u32, u32) {
        if depth > Self::NEAR {
            let inside = self.common_bits(region) >= base;
            return (if inside { self.bits(base, depth - base) } else { u32::MAX }, 0);
        }
        let block = (self.high ^ region.high) >> (64u32.wrapping_sub(u32::from(depth)) & 63);
        let rest = self.high << (depth & 63) >> 32;
        (block.min(u64::from(u32::MAX)) as u32, rest as u32)
    }

    fn with_bits(self, offset: u8, count: u8, bits: u32) -> Self {
        Self::from(u128::from(self) | u128::from(bits) << (128 - offset - count))
    }

    fn from_link(link: u32) -> Self {
        Self { high: 0, low: u64::from(link) }
    }

    fn to_link(self) -> u32 {
        self.low as u32
    }
}

impl From<Ipv4Addr> for Key4 {
    #[inline]
    fn from(addr: Ipv4Addr) -> Self {
        Self(addr.to_bits())
    }
}

impl From<Key4> for Ipv4Addr {
    fn from(key: Key4) -> Self {
        Self::from_bits(key.0)
    }
}

impl From<u128> for Key6 {
    #[inline]
    fn from(bits: u128) -> Self {
        Self { high: (bits >> 64) as u64, low: bits as u64 }
    }
}

impl From<Key6> for u128 {
    #[inline]
    fn from(key: Key6) -> Self {
        Self::from(key.high) << 64 | Self::from(key.low)
    }
}

impl From<Ipv6Addr> for Key6 {
    #[inline]
    fn from(addr: Ipv6Addr) -> Self {
        Self::from(addr.to_bits())
    }
}

impl From<Key6> for Ipv6Addr {
    fn from(key: Key6) -> Self {
        Self::from_bits(key.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_bits_spans_both_halves() {
        let a = Key6 { high: 5, low: 1 << 63 };
        assert_eq!(a.common_bits(a), 128);
        assert_eq!(a.common_bits(Key6 { high: 5, low: 0 }), 64);
        assert_eq!(a.common_bits(Key6 { high: 4, low: 1 << 63 }), 63);
        assert_eq!(Key4(0x8000_0000).common_bits(Key4(0)), 0);
        assert_eq!(Key4(7).common_bits(Key4(7)), 32);
    }

    #[test]
    fn masked_at_the_ends() {
        assert_eq!(Key4(u32::MAX).masked(0), Key4(0));
        assert_eq!(Key4(u32::MAX).masked(32), Key4(u32::MAX));
        assert_eq!(Key4(u32::MAX).masked(9), Key4(0xff80_0000));
        let ones = Key6 { high: u64::MAX, low: u64::MAX };
        assert_eq!(ones.masked(0), Key6::default());
        assert_eq!(ones.masked(65), Key6 { high: u64::MAX, low: 1 << 63 });
        assert_eq!(ones.masked(128), ones);
    }

    #[test]
    fn places_inside_and_outside_of_a_region() {
        let region = Key4(0x0a00_0000);
        assert_eq!(Key4(0x0a12_3456).place(region, 8, 16), (0x12, 0x3456_0000));
        assert!(Key4(0x0b12_3456).place(region, 8, 16).0 >= 1 << 8);
        assert_eq!(Key4(0x0a12_3456).place(region, 8, 32).0, 0x12_3456);
        let region = Key6 { high: 0x2001 << 48, low: 0 };
        let key = Key6 { high: 0x2001_1234_5678_9abc, low: 5 };
        assert_eq!(key.place(region, 16, 32), (0x1234, 0x5678_9abc));
        assert_eq!(key.place(region, 16, 24), (0x12, 0x3456_789a));
        assert!(Key6 { high: 0, low: 0 }.place(region, 16, 32).0 >= 1 << 16);
        let region = Key6 { high: key.high, low: 0 };
        assert_eq!(key.place(region, 64, 70).0, 0);
        assert_eq!(Key6 { low: 5 << 58, ..key }.place(region, 64, 70).0, 5);
        assert_eq!(Key6 { high: 0, low: 0 }.place(region, 64, 70).0, u32::MAX);
        let region = Key6 { high: key.high & !0xff, low: 0 };
        assert_eq!(key.place(region, 56, 64).0, 0xbc);
    }

    #[test]
    fn six_bits_pads_with_zeros() {
        assert_eq!(Key4(0xfc00_0000).six_bits(0), 63);
        assert_eq!(Key4(3).six_bits(30), 0b11_0000);
        let key = Key6 { high: 0b1111, low: 0b10 << 62 };
        assert_eq!(key.six_bits(60), 0b11_1110);
        assert_eq!(Key6 { high: 0, low: 3 }.six_bits(126), 0b11_0000);
    }
}
