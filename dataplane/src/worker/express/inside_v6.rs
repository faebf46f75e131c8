//! IPv6 packets inside LISP packets, looked at in columns like those of IPv4.

use super::decapsulation::{LEN_V6, Lane};
use super::lanes::{Row, each};
use super::unwrapping::{Column, INNER, LANES, NEGATIVE, Unwrapping, lower, part, part_mut, zeroes};
use crate::buffer::PacketBuf;
use crate::io::{BURST, PacketBurst};
use crate::lpm::Key6;
use crate::wire::bytes::chunk;
use crate::wire::{ipv6, lisp, proto, udp};

/// Working memory.
#[derive(Debug)]
pub(super) struct InsideV6 {
    /// The last word of the source.
    source: Column,
    /// The destination's words.
    high: Column<[u32; 2]>,
    low: Column<[u32; 2]>,
    /// Not 0: not plain, or to be looked at closer.
    wrong: Column,
    /// Bytes of the packet, TOS and TTL as they are to be, the hop taken off: 16, 8 and 8 bits.
    known: Column,
    /// Packets whose words were copied.
    present: u32,
}

impl InsideV6 {
    pub(super) const fn new() -> Self {
        let none = [0; BURST];
        let pairs = [[0; 2]; BURST];
        Self { source: none, high: pairs, low: pairs, wrong: none, known: none, present: 0 }
    }

    /// Copies the words of these packets that [`Unwrapping`] does not.
    #[inline(always)]
    pub(super) fn fill<P: PacketBurst>(&mut self, burst: &P, set: u32) {
        const SOURCE_END: usize = INNER + 20;
        const DESTINATION: usize = INNER + 24;
        self.present = 0;
        for at in each(set) {
            let Some(h) = burst.get(at).and_then(|buf| buf.data().first_chunk::<LEN_V6>()) else { continue };
            let pair = |offset: usize| {
                let both = chunk(h, offset).map_or(0, |bytes| u64::from_le_bytes(*bytes));
                [both as u32, (both >> 32) as u32]
            };
            if let (Some(source), Some(high), Some(low)) =
                (self.source.get_mut(at), self.high.get_mut(at), self.low.get_mut(at))
            {
                (*source, *high, *low) = (pair(SOURCE_END)[0], pair(DESTINATION), pair(DESTINATION + 8));
                self.present |= 1 << (at % BURST);
            }
        }
    }

    /// Which packets of a burst have plain IPv6 inside, as far as can be asked here. `rlocs`: the
    /// last words of RLOCs of ours.
    #[inline(never)]
    pub(super) fn look<P: PacketBurst>(&mut self, burst: &P, outer: &Unwrapping, rlocs: [u32; 2]) -> u32 {
        self.fill(burst, outer.inner_v6());
        let groups = (u32::BITS - self.present.leading_zeros()).div_ceil(LANES as u32);
        for group in 0..groups as usize {
            self.look_group(outer, group, rlocs);
        }
        zeroes(&self.wrong) & self.present
    }

    #[inline(never)]
    #[allow(clippy::indexing_slicing, reason = "the loop ends where all columns do")]
    fn look_group(&mut self, outer: &Unwrapping, group: usize, rlocs: [u32; 2]) {
        const HEADERS: u32 = (udp::LEN + lisp::LEN) as u32;
        const LEN: u32 = ipv6::LEN as u32;
        const ECN: u32 = 3;
        let [pair0, pair1, pair2, pair3, pair4] = outer.parts(group);
        let (source_end, high, low) =
            (part(&self.source, group), part(&self.high, group), part(&self.low, group));
        let (wrongs, knowns) = (part_mut(&mut self.wrong, group), part_mut(&mut self.known, group));
        for at in 0..LANES {
            // Whole pairs: of single words the compiler makes less.
            let ([outer_first, _], [outer_third, _], [udp, _]) = (pair0[at], pair1[at], pair2[at]);
            let ([_, first], [second, source]) = (pair3[at], pair4[at]);
            let ([destination, _], [_, destination_end]) = (high[at], low[at]);
            let is_ours = |end: u32| u32::from(end == rlocs[0] || end == rlocs[1]);

            let (room, payload) = (lower(udp).wrapping_sub(HEADERS), lower(second));
            let mut wrong = (first & 0xF0) ^ 0x60;
            wrong |= (payload.wrapping_sub(4) | room.wrapping_sub(payload + LEN)) & NEGATIVE;
            let next = second >> 16 & 0xFF;
            let common =
                next == proto::UDP as u32 || next == proto::TCP as u32 || next == proto::ICMPV6 as u32;
            wrong |= u32::from(!common);
            wrong |= is_doubtful(source)
                | is_doubtful(destination)
                | is_ours(source_end[at])
                | is_ours(destination_end);
            let ttl = (second >> 24).min(outer_third & 0xFF);
            wrong |= ttl.wrapping_sub(2) & NEGATIVE;
            let (tos, outer_tos) = (first << 4 & 0xF0 | first >> 12 & 0x0F, outer_first >> 8);
            // As in `unwrapping`: else the bits inside change.
            wrongs[at] = wrong | ((tos ^ outer_tos) & ECN).min(outer_tos & ECN);
            knowns[at] = (payload + LEN) << 16 | tos << 8 | ttl.wrapping_sub(1) & 0xFF;
        }
    }

    /// Adds packets to those that are looked up.
    #[inline(never)]
    pub(super) fn add_to(&self, row: &mut Row<Key6, Lane>, set: u32) {
        for at in each(set) {
            let (Some(high), Some(low), Some(known)) =
                (self.high.get(at), self.low.get(at), self.known.get(at))
            else {
                break;
            };
            let half = |[a, b]: [u32; 2]| (u64::from(a) | u64::from(b) << 32).swap_bytes();
            let (len, tos, ttl) = ((known >> 16) as u16, (known >> 8) as u8, *known as u8);
            row.add(Key6 { high: half(*high), low: half(*low) }, Lane { len, tos, ttl, at: at as u8 });
        }
    }
}

/// Not 0 if an address that begins with this word may be no ordinary unicast one: see
/// [`crate::path::address::kind_v6`].
#[inline(always)]
const fn is_doubtful(word: u32) -> u32 {
    let first = word & 0xFF;
    (first.wrapping_sub(1) | 0xFDu32.wrapping_sub(first)) & NEGATIVE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::address::{Kind, kind_v6};

    #[test]
    fn only_ordinary_addresses_are_beyond_doubt_r150() {
        for high in 0..=u16::MAX {
            for (rest, low) in [(0, 1), (0, 0xFFFF_0102_0304), (1, 0), (u64::MAX >> 16, u64::MAX)] {
                let key = Key6 { high: u64::from(high) << 48 | rest, low };
                let word = ((key.high >> 32) as u32).swap_bytes();
                assert!(is_doubtful(word) != 0 || kind_v6(key) == Kind::Unicast, "{key:?}");
            }
        }
        assert_eq!(is_doubtful(u32::from_le_bytes([0x20, 1, 0x0d, 0xb8])), 0);
        assert_eq!(is_doubtful(u32::from_le_bytes([0xfd, 0, 0, 0])), 0);
    }
}
