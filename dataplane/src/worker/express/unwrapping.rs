//! The first step of the way in: which packets are plain, and what is to be known of them.
//!
//! In a plain packet all headers lie at fixed places. Their words are copied as they are, and then
//! looked at in columns, those of eight packets at a time: nothing in that loop depends on what they
//! hold, so that the compiler makes one instruction of each step for all eight. A word is a number
//! whose lowest byte is the first one on the wire.

use super::columns::{bit, mask};
use super::decapsulation::Plain;
use super::plain::OwnMac;
use crate::buffer::PacketBuf;
use crate::io::{BURST, PacketBurst};
use crate::lpm::Key4;
use crate::types::InstanceId;
use crate::wire::bytes::{be16, chunk};
use crate::wire::{checksum, ethernet, ipv4, lisp, proto, udp};

/// Where UDP and the inner packet begin.
pub(super) const UDP: usize = ethernet::LEN + ipv4::MIN_LEN;
pub(super) const INNER: usize = UDP + udp::LEN + lisp::LEN;
/// Bytes that a plain frame has at least: to the ports.
pub(super) const LEN_V4: usize = INNER + ipv4::MIN_LEN + 4;

/// Packets that the compiler looks at together.
pub(super) const LANES: usize = 8;
const GROUPS: usize = BURST / LANES;
/// Pairs of words that are looked at: from the outer IPv4 header to the addresses of the inner one.
const PAIRS: usize = 6;
/// Where they are in the frame. The outer destination, which is between them, is alone: the ports behind
/// it are looked at while words are copied.
const AT: [usize; PAIRS] = [14, 22, 38, 46, 54, 62];
/// Something of all packets of a burst.
pub(super) type Column<T = u32> = [T; BURST];

/// What was found out: 0 where all is well.
#[derive(Debug)]
struct Told {
    /// The outer headers are not plain.
    outer: Column,
    /// Inside is no plain IPv4 packet.
    inner: Column,
    /// They are not like the others'; see [`Asked`].
    other: Column,
}

/// What packets are compared with, as words.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    /// The port's own address; no packet comes from 0.0.0.0.
    pub(super) own: u32,
    /// RLOCs of ours: neither plain sources nor plain inner destinations.
    pub(super) rlocs: [u32; 2],
    /// The RLOC of ours that packets most likely are for.
    pub(super) ours: u32,
    /// The Instance-ID that they most likely have.
    pub(super) instance: u32,
    /// The bits of the word with the outer UDP checksum in which that is.
    pub(super) checksum: u32,
}

/// Working memory.
#[derive(Debug)]
pub(super) struct Unwrapping {
    /// Words from the outer IPv4 header on, in pairs as they are copied.
    pairs: [Column<[u32; 2]>; PAIRS],
    destination: Column,
    /// Bytes of the frames behind the Ethernet header.
    available: Column,
    told: Told,
    /// Packets whose words were copied.
    present: u32,
}

impl Unwrapping {
    pub(super) const fn new() -> Self {
        let none = [0; BURST];
        let told = Told { outer: none, inner: none, other: none };
        Self { pairs: [[[0; 2]; BURST]; PAIRS], destination: none, available: none, told, present: 0 }
    }

    /// Copies the words of those frames of a burst that are for us alone, UDP to the port of LISP data, and not
    /// settled.
    #[inline(always)]
    #[allow(clippy::indexing_slicing, reason = "the loop ends where the arrays do")]
    pub(super) fn fill<P: PacketBurst>(&mut self, burst: &P, settled: u32, mac: OwnMac) {
        let mut present = 0u32;
        for at in 0..burst.len().min(BURST) {
            let Some(buf) = burst.get(at) else { break };
            let Some(h) = buf.data().first_chunk::<LEN_V4>() else { continue };
            if mac.ethertype(h) != ethernet::IPV4 || !is_lisp(h) {
                continue;
            }
            self.put::<0>(at, h);
            self.put::<1>(at, h);
            self.put::<2>(at, h);
            self.put::<3>(at, h);
            self.put::<4>(at, h);
            self.put::<5>(at, h);
            self.destination[at] = chunk(h, UDP - 4).map_or(0, |bytes| u32::from_le_bytes(*bytes));
            self.available[at] = buf.total_len().wrapping_sub(ethernet::LEN) as u32;
            present |= 1 << at;
        }
        self.present = present & !settled;
    }

    /// Copies two words of a packet.
    #[inline(always)]
    #[allow(clippy::indexing_slicing, reason = "the caller's loop ends where the arrays do")]
    fn put<const PAIR: usize>(&mut self, at: usize, h: &[u8; LEN_V4]) {
        if let Some(bytes) = chunk::<8>(h, const { AT[PAIR] }) {
            let both = u64::from_le_bytes(*bytes);
            self.pairs[PAIR][at] = [both as u32, (both >> 32) as u32];
        }
    }

    /// Packets that were added.
    pub(super) const fn present(&self) -> u32 {
        self.present
    }

    /// Outer destination and Instance-ID of the first packet.
    pub(super) fn guess(&self) -> (u32, u32) {
        let first = self.present.trailing_zeros() as usize;
        let pair = |number: usize| self.pairs.get(number)?.get(first).copied();
        let destination = self.destination.get(first).copied().unwrap_or(0);
        let ([_, flags], [word, _]) = (pair(2).unwrap_or_default(), pair(3).unwrap_or_default());
        (destination, instance(flags, word))
    }

    /// The first five pairs of eight packets.
    #[inline(always)]
    pub(super) fn parts(&self, group: usize) -> [&[[u32; 2]; LANES]; 5] {
        let [pairs @ .., _] = &self.pairs;
        pairs.each_ref().map(|pairs| part(pairs, group))
    }

    /// Looks at all that were added. Returns those that are plain as far as could be asked here.
    pub(super) fn look(&mut self, asked: &Asked, plain: &mut Plain) -> u32 {
        let groups = (u32::BITS - self.present.leading_zeros()).div_ceil(LANES as u32);
        let Self { pairs, destination, available, told, .. } = self;
        let groups = 0..groups as usize;
        let plain = groups.fold(0, |set, group| {
            set | look(pairs, destination, available, group, asked, told, plain) << (LANES * group)
        });
        plain & self.present
    }

    /// Those whose outer headers are plain.
    pub(super) fn outer(&self) -> u32 {
        self.set([&self.told.outer])
    }

    /// Those that are like the others besides.
    pub(super) fn alike(&self) -> u32 {
        self.set([&self.told.outer, &self.told.other])
    }

    /// Those with an IPv6 packet inside.
    pub(super) fn inner_v6(&self) -> u32 {
        let [.., pairs, _, _] = &self.pairs;
        zeroes(&pairs.map(|[_, first]| (first ^ 0x60) & 0xF0)) & self.present
    }

    /// Those with a plain IPv4 packet inside.
    pub(super) fn inner(&self) -> u32 {
        self.set([&self.told.inner])
    }

    /// Those added of which these columns say that all is well.
    #[inline(always)]
    fn set<const N: usize>(&self, columns: [&Column; N]) -> u32 {
        let mut all = [0u32; BURST];
        for column in columns {
            all.iter_mut().zip(column).for_each(|(all, wrong)| *all |= wrong);
        }
        zeroes(&all) & self.present
    }
}

/// A packet that begins so is LISP data, if it is IPv4 without options.
#[inline(always)]
pub(super) fn is_lisp(h: &[u8; LEN_V4]) -> bool {
    h[ethernet::LEN + 9] == proto::UDP && be16(h, UDP + 2) == Some(lisp::DATA_PORT)
}

/// Where a column is 0. From memory: the compiler has a few wide instructions for that.
#[inline(never)]
pub(super) fn zeroes(column: &Column) -> u32 {
    column.iter().enumerate().fold(0, |set, (at, value)| set | u32::from(*value == 0) << at)
}

/// The Instance-ID in words 7 and 8, as a word.
#[inline(always)]
const fn instance(flags: u32, word: u32) -> u32 {
    if flags & lisp::FLAG_INSTANCE as u32 != 0 { word & 0x00FF_FFFF } else { 0 }
}

/// The Instance-ID of such a word.
pub(super) const fn instance_of(word: u32) -> InstanceId {
    InstanceId(word.swap_bytes() >> 8)
}

/// Negative numbers.
pub(super) const NEGATIVE: u32 = 1 << 31;

/// Not 0 if it is no ordinary unicast address: [`crate::path::address::kind_v4`] without a branch.
#[inline(always)]
fn is_strange(address: u32) -> u32 {
    let first = address & 0xFF;
    let beyond = first.wrapping_sub(1) | 223u32.wrapping_sub(first);
    beyond & NEGATIVE | mask(first == 127) | mask(address & 0xFFFF == 0xFEA9)
}

/// Not 0 if the checksum of these words is wrong.
#[inline(always)]
fn is_wrong(words: [u32; 5]) -> u32 {
    let high = words.iter().map(|word| word >> 16).sum::<u32>();
    // The low halves by what the high ones leave of the words: they can not overflow.
    let low = words.iter().fold(0, |sum: u32, word| sum.wrapping_add(*word)).wrapping_sub(high << 16);
    let sum = high + low;
    ((sum & 0xFFFF) + (sum >> 16)) ^ 0xFFFF
}

/// A 16-bit field in the upper half of a word.
#[inline(always)]
const fn upper(word: u32) -> u32 {
    word >> 24 | word >> 8 & 0xFF00
}

/// One in the lower half.
#[inline(always)]
pub(super) const fn lower(word: u32) -> u32 {
    word >> 8 & 0xFF | (word & 0xFF) << 8
}

/// A group's part of a column.
#[inline(always)]
#[allow(clippy::indexing_slicing, reason = "there are so many groups")]
pub(super) fn part<T>(column: &Column<T>, group: usize) -> &[T; LANES] {
    &column.as_chunks().0[group % GROUPS]
}

#[inline(always)]
#[allow(clippy::indexing_slicing, reason = "there are so many groups")]
pub(super) fn part_mut<T>(column: &mut Column<T>, group: usize) -> &mut [T; LANES] {
    &mut column.as_chunks_mut().0[group % GROUPS]
}

/// Looks at eight packets. Returns which are plain.
#[inline(never)]
#[allow(clippy::indexing_slicing, reason = "the loop ends where all columns do")]
fn look(
    pairs: &[Column<[u32; 2]>; PAIRS],
    destination: &Column,
    available: &Column,
    group: usize,
    asked: &Asked,
    told: &mut Told,
    plain: &mut Plain,
) -> u32 {
    const VERSION: u32 = 0x45;
    const FRAGMENT: u32 = ((ipv4::MORE_FRAGMENTS | ipv4::OFFSET_MASK).swap_bytes() as u32) << 16;
    const SPECIAL: u32 = (lisp::MASK_KEY | lisp::FLAG_PROTOCOL) as u32;
    const HEADERS: u32 = (udp::LEN + lisp::LEN) as u32;
    const ECN: u32 = 0x0300;
    let [pair0, pair1, pair2, pair3, pair4, pair5] = pairs.each_ref().map(|pairs| part(pairs, group));
    let (destination, available) = (part(destination, group), part(available, group));
    let (outer, inner) = (part_mut(&mut told.outer, group), part_mut(&mut told.inner, group));
    let other = part_mut(&mut told.other, group);
    let (keys, len) = (part_mut(&mut plain.keys, group), part_mut(&mut plain.len, group));
    let (first, third) = (part_mut(&mut plain.first, group), part_mut(&mut plain.third, group));
    let mut set = 0;
    for at in 0..LANES {
        let is_ours = |address: u32| mask(address == asked.rlocs[0]) | mask(address == asked.rlocs[1]);
        // Whole pairs: of single words the compiler makes less.
        let (low, high, [udp, lisp]) = (pair0[at], pair1[at], pair2[at]);
        let ([instance, first_inside], middle, addresses) = (pair3[at], pair4[at], pair5[at]);
        let h = [low[0], low[1], high[0], high[1], destination[at]];
        let room = lower(udp).wrapping_sub(HEADERS);
        let mut wrong = (h[0] ^ VERSION) & 0xFF | h[1] & FRAGMENT | lisp & SPECIAL | is_wrong(h);
        let all = upper(h[0]);
        let beyond = available[at].wrapping_sub(all) | all.wrapping_sub(room.wrapping_add(HEADERS + 20));
        wrong |= (beyond | room) & NEGATIVE;
        wrong |= is_strange(h[3]) | is_ours(h[3]) | mask(h[3] == asked.own);
        outer[at] = wrong;
        let instance = self::instance(lisp, instance);
        let differs = udp & asked.checksum | h[4] ^ asked.ours | instance ^ asked.instance;
        other[at] = differs;
        let unlike = wrong | differs;
        let (tos, ttl) = (h[0], h[2] & 0xFF);

        let h = [first_inside, middle[0], middle[1], addresses[0], addresses[1]];
        let all = upper(h[0]);
        let mut wrong = (h[0] ^ VERSION) & 0xFF | h[1] & FRAGMENT | is_wrong(h);
        wrong |= (all.wrapping_sub(ipv4::MIN_LEN as u32 + 4) | room.wrapping_sub(all)) & NEGATIVE;
        wrong |= is_strange(h[3]) | is_ours(h[3]) | is_strange(h[4]) | is_ours(h[4]);
        let ttl = ttl.min(h[2] & 0xFF);
        wrong |= ttl.wrapping_sub(2) & NEGATIVE;
        inner[at] = wrong;
        // ECN bits stay as they are where they are equal, or the outer ones are Not-ECT (RFC 6040).
        let marks = ((h[0] ^ tos) & ECN).min(tos & ECN);
        set |= bit(at, unlike | wrong | marks == 0);

        keys[at] = Key4(h[4].swap_bytes());
        (len[at], first[at]) = (all, h[0]);
        third[at] = aged(h[2], ttl.wrapping_sub(1));
    }
    set
}

/// Word 2 of an IPv4 header with another TTL, and its checksum mended (RFC 1624 equation 3, which is the
/// same in either byte order).
#[inline(always)]
const fn aged(word: u32, ttl: u32) -> u32 {
    let low = word & 0xFF00 | ttl & 0xFF;
    let sum = (!word >> 16) + (!word & 0xFFFF) + low;
    low | (checksum::finish_small(sum) as u32) << 16
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
    use crate::path::address::{Kind, kind_v4};
    use crate::path::petr;

    /// A header as words, and its checksum made right.
    fn header(mut bytes: [u8; 20]) -> ([u8; 20], [u32; 5]) {
        bytes[10..12].fill(0);
        let sum = checksum::finish(checksum::add(0, &bytes));
        bytes[10..12].copy_from_slice(&sum.to_be_bytes());
        (bytes, words(&bytes))
    }

    fn words(bytes: &[u8; 20]) -> [u32; 5] {
        let (words, _) = bytes.as_chunks();
        std::array::from_fn(|at| u32::from_le_bytes(words[at]))
    }

    #[test]
    fn strange_addresses_are_those_that_are_not_unicast_r150() {
        for high in 0..=u16::MAX {
            for low in [0, 1, 0x7F00, u16::MAX] {
                let address = u32::from(high) << 16 | u32::from(low);
                let strange = kind_v4(address) != Kind::Unicast;
                assert_eq!(is_strange(address.swap_bytes()) != 0, strange, "{address:#x}");
            }
        }
    }

    #[test]
    fn a_wrong_bit_is_seen_and_a_mended_checksum_is_right_r112() {
        let mut bytes = [0x45, 0, 0, 60, 0, 0, 0x40, 0, 64, 17, 0, 0, 192, 0, 2, 1, 8, 8, 8, 8];
        // Identification 0 to 65,535: the checksum takes every value.
        for id in 0..=u16::MAX {
            bytes[4..6].copy_from_slice(&id.to_be_bytes());
            let (right, h) = header(bytes);
            assert_eq!(is_wrong(h), 0);
            assert_ne!(is_wrong([h[0], h[1] ^ 1 << (id & 31), h[2], h[3], h[4]]), 0);
            for (tos, ttl) in [(0, 63), (3, 1), (0xFF, 0)] {
                let mut expected = right;
                petr::rewrite(&mut expected, 0, false, tos, ttl);
                let e = words(&expected);
                let (first, third) = marked((h[0], h[2]), tos, ttl);
                assert_eq!((first, is_wrong([first, h[1], third, h[3], h[4]])), (e[0], 0));
                assert_eq!(third, e[2], "{id:#x}");
                if tos == 0 {
                    assert_eq!(aged(h[2], u32::from(ttl)), e[2]);
                }
            }
        }
    }

    #[test]
    fn fields_and_instances_are_read_from_words() {
        let word = u32::from_le_bytes([0x12, 0x34, 0x56, 0x78]);
        assert_eq!((lower(word), upper(word)), (0x1234, 0x5678));
        assert_eq!(instance_of(instance(0x08, u32::from_le_bytes([0, 1, 2, 0xFF]))), InstanceId(0x0102));
        assert_eq!(instance_of(instance(0xF7, word)), InstanceId(0));
    }
}
