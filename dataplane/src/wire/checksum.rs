//! The Internet checksum (RFC 1071), whole and incremental (RFC 1624).
//!
//! Sums are kept unfolded in 64 bits, in big-endian words: `fold` brings them to 16 bits.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Adds the 16-bit words of `data` to `sum`; an odd last byte counts as the high half of a word.
pub fn add(mut sum: u64, data: &[u8]) -> u64 {
    let mut words = data.chunks_exact(4);
    for word in &mut words {
        // Two 16-bit words at once: their sum folds to the same value.
        sum += word.first_chunk::<4>().map_or(0, |b| u64::from(u32::from_be_bytes(*b)));
    }
    match *words.remainder() {
        [a, b, c] => sum + u64::from(u16::from_be_bytes([a, b])) + (u64::from(c) << 8),
        [a, b] => sum + u64::from(u16::from_be_bytes([a, b])),
        [a] => sum + (u64::from(a) << 8),
        _ => sum,
    }
}

/// Folds the carries of a sum into 16 bits.
#[inline(always)]
pub const fn fold(sum: u64) -> u16 {
    let sum = (sum >> 32) + (sum & 0xFFFF_FFFF);
    let sum = (sum >> 16) + (sum & 0xFFFF);
    let sum = (sum >> 16) + (sum & 0xFFFF);
    ((sum >> 16) + (sum & 0xFFFF)) as u16
}

/// The checksum field for a sum.
#[inline(always)]
pub const fn finish(sum: u64) -> u16 {
    !fold(sum)
}

/// The same for a sum of few words: below 2^31.
#[inline(always)]
pub const fn finish_small(sum: u32) -> u16 {
    let sum = (sum >> 16) + (sum & 0xFFFF);
    !((sum >> 16) + sum) as u16
}

/// The checksum field for a sum of a UDP datagram: a computed zero is sent as all ones, because
/// zero means "no checksum" (RFC 768, RFC 8200 section 8.1).
pub const fn finish_udp(sum: u64) -> u16 {
    match finish(sum) {
        0 => 0xFFFF,
        value => value,
    }
}

/// The checksum field after one 16-bit word changed from `old` to `new` (RFC 1624 equation 3):
/// never turns a right checksum into a wrong one, whatever the values.
#[inline(always)]
pub const fn update(field: u16, old: u16, new: u16) -> u16 {
    finish(!field as u64 + !old as u64 + new as u64)
}

/// Sum of the IPv4 pseudo header of a transport segment of `len` bytes (RFC 768).
pub fn pseudo_v4(source: Ipv4Addr, destination: Ipv4Addr, protocol: u8, len: usize) -> u64 {
    let sum = add(0, &source.octets());
    add(sum, &destination.octets()) + u64::from(protocol) + len as u64
}

/// Sum of the IPv6 pseudo header of an upper-layer packet of `len` bytes (RFC 8200 section 8.1).
pub fn pseudo_v6(source: Ipv6Addr, destination: Ipv6Addr, protocol: u8, len: usize) -> u64 {
    let sum = add(0, &source.octets());
    add(sum, &destination.octets()) + u64::from(protocol) + len as u64
}

/// TTL, protocol and checksum of an IPv4 header, read as one little-endian word, after the TTL, which is not 0,
/// became smaller by 1: [`update`] with what is known of it. Ones' complement sums know no byte order, so the
/// checksum becomes larger by 1 there.
#[inline(always)]
pub const fn less_ttl(word: u32) -> u32 {
    // What would become all ones becomes zero, and all ones count as zero: update() never gives all ones.
    let carry = (word >= 0xFFFE_0000) as u32;
    word.wrapping_add(0xFFFF).wrapping_add(carry << 16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition, word by word.
    fn naive(data: &[u8]) -> u16 {
        let mut sum = 0u32;
        for pair in data.chunks(2) {
            sum += u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0));
            sum = (sum & 0xFFFF) + (sum >> 16);
        }
        !(sum as u16)
    }

    #[test]
    fn a_known_header_gives_its_known_checksum() {
        // Inner IPv4 header of the ECM vector in wire.md section 15: checksum ccb0.
        let header = [0x45, 0, 0, 0x38, 0, 0, 0, 0, 0x20, 0x11, 0, 0, 0xc0, 0, 2, 1, 0x0a, 1, 2, 3];
        assert_eq!(finish(add(0, &header)), 0xccb0);
        assert_eq!(finish_udp(0xFFFF), 0xFFFF);
    }

    #[test]
    fn a_smaller_ttl_is_an_update_like_any_other() {
        for (ttl, field) in [1, 2, 64, 255].into_iter().flat_map(|ttl| (0..=u16::MAX).map(move |f| (ttl, f)))
        {
            let [high, low] = field.to_be_bytes();
            let less = less_ttl(u32::from_le_bytes([ttl, 17, high, low])).to_le_bytes();
            let words = [u16::from_be_bytes([ttl, 17]), u16::from_be_bytes([ttl - 1, 17])];
            let [high, low] = update(field, words[0], words[1]).to_be_bytes();
            assert_eq!(less, [ttl - 1, 17, high, low], "{ttl} {field:#x}");
        }
    }

    #[test]
    fn a_small_sum_is_a_sum_like_any_other() {
        for sum in (0..1 << 21).chain([0x7FFF_FFFF, 0x7FFF_0001, 0x7FFF_8000, 0xFFFF_0000 >> 1]) {
            assert_eq!(finish_small(sum), finish(u64::from(sum)), "{sum:#x}");
        }
    }

    proptest! {
        #[test]
        fn the_sum_is_that_of_the_definition(data in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(finish(add(0, &data)), naive(&data));
        }

        #[test]
        fn an_incremental_update_is_as_good_as_a_new_sum(
            mut header in proptest::array::uniform20(any::<u8>()), at in 0usize..10, new: u16
        ) {
            // A real header is never all zero: keep its version byte, as equation 3 needs.
            header[0] = 0x45;
            header[10] = 0;
            header[11] = 0;
            prop_assume!(at != 5 && at != 0);
            let field = finish(add(0, &header));
            let old = u16::from_be_bytes([header[2 * at], header[2 * at + 1]]);
            header[2 * at..2 * at + 2].copy_from_slice(&new.to_be_bytes());
            let updated = update(field, old, new);
            header[10..12].copy_from_slice(&updated.to_be_bytes());
            prop_assert_eq!(fold(add(0, &header)), 0xFFFF);
        }
    }
}
