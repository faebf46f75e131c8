//! The first step of the way in: which LISP packets are plain, and what is to be known of what is inside.
//!
//! In a plain packet all headers lie at fixed places. Their words are copied as they are, and looked at in columns:
//! first the outer headers, then what is inside, by family.

use super::columns::{Column, Pairs, bit, group, groups, mask, pair, read, write};
use super::decapsulation::{Lane, Lanes};
use super::frames::{Frames, OwnMac};
use super::head_v4::Head;
use super::head_v6::Head6;
use super::lanes::{IN_PLACE, Row, each};
use crate::buffer::PacketBuf;
use crate::io::{BURST, PacketBurst};
use crate::lpm::{Key4, Key6};
use crate::path::ecn;
use crate::types::InstanceId;
use crate::wire::bytes::be16;
use crate::wire::{ethernet, ipv4, ipv6, lisp, proto, udp};

/// Where UDP and the inner packet begin.
pub(super) const UDP: usize = ethernet::LEN + ipv4::MIN_LEN;
pub(super) const INNER: usize = UDP + udp::LEN + lisp::LEN;
/// Bytes that a plain frame has at least: to the ports.
pub(super) const LEN_V4: usize = INNER + ipv4::MIN_LEN + 4;
pub(super) const LEN_V6: usize = INNER + ipv6::LEN + 4;

/// Bytes of the headers between the outer and the inner packet.
const BETWEEN: u32 = (udp::LEN + lisp::LEN) as u32;
/// Where the words are that [`Frames`] has not: from the length of UDP to the addresses of IPv4, and what IPv6 has
/// more.
const MORE: [usize; 4] = [UDP + 4, UDP + 12, INNER + 4, INNER + 12];
const MORE_V6: [usize; 3] = [INNER + 20, INNER + 28, INNER + 36];

/// What packets are compared with.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    pub(super) mac: OwnMac,
    /// The port's own address; no packet comes from 0.0.0.0.
    pub(super) own: u32,
    /// RLOCs of ours: neither plain sources nor plain inner destinations.
    pub(super) rlocs: [u32; 2],
    /// Last words of IPv6 ones, as they lie in memory.
    pub(super) rlocs6: [u32; 2],
    /// The RLOC of ours that packets most likely are for.
    pub(super) ours: u32,
    /// The Instance-ID that they most likely have, as a word.
    pub(super) instance: u32,
    /// The bits of the word with the outer UDP checksum in which that is.
    pub(super) checksum: u32,
}

impl Asked {
    #[inline(always)]
    fn is_ours(&self, address: u32) -> bool {
        let [one, other] = self.rlocs;
        (address == one) | (address == other)
    }

    #[inline(always)]
    fn may_be_ours(&self, last: u32) -> bool {
        let [one, other] = self.rlocs6;
        (last == one) | (last == other)
    }
}

/// Sets of packets by number.
#[derive(Clone, Copy)]
pub(super) struct Sets {
    /// Outer headers are plain, and for us but that it is open whose RLOC the destination is.
    pub(super) outer: u32,
    /// They are plain in all respects, and like what was asked for: by what is inside.
    pub(super) v4: u32,
    pub(super) v6: u32,
}

/// The first packet of those that may be for this way: what is expected of the others.
#[derive(Clone, Copy)]
pub(super) struct First {
    at: usize,
    v6: bool,
}

impl First {
    /// The first one that begins so, of those in the set.
    #[inline(always)]
    pub(super) fn of<P: PacketBurst>(burst: &P, set: u32) -> Option<Self> {
        each(set).find_map(|at| {
            let h = burst.get(at)?.data().first_chunk()?;
            is_lisp(h).then_some(Self { at, v6: h[INNER] >> 4 == 6 })
        })
    }
}

/// A packet that begins so is LISP data, if it is IPv4 without options.
#[inline(always)]
pub(super) fn is_lisp(h: &[u8; LEN_V4]) -> bool {
    h[ethernet::LEN + 9] == proto::UDP && be16(h, UDP + 2) == Some(lisp::DATA_PORT)
}

/// Working memory.
#[derive(Debug)]
pub(super) struct Unwrapping {
    frames: Frames,
    more: [Pairs; 4],
    more_v6: [Pairs; 3],
    /// Of the outer packet: as [`Marks`](super::outbound::Marks), but with how much room is inside for its length.
    outer: Column,
    /// All ones: the outer headers are plain; they are like those that were asked for, besides.
    plain: Column,
    alike: Column,
}

impl Unwrapping {
    pub(super) const fn new() -> Self {
        let none = [[0; 2]; BURST];
        Self {
            frames: Frames::new(),
            more: [none; 4],
            more_v6: [none; 3],
            outer: [0; BURST],
            plain: [0; BURST],
            alike: [0; BURST],
        }
    }

    /// Takes the words of `count` packets.
    #[inline(always)]
    fn take<const V6: bool, P: PacketBurst>(&mut self, burst: &P, count: usize) -> u32 {
        let mut whole = 0;
        for at in 0..count {
            let Some(buf) = burst.get(at) else { break };
            if V6 && let Some(h) = buf.data().first_chunk::<LEN_V6>() {
                self.put(at, h, buf.total_len());
                self.put_v6(at, h);
                whole |= 1 << at;
                continue;
            }
            match buf.data().first_chunk::<LEN_V4>() {
                Some(h) => self.put(at, h, buf.total_len()),
                None => self.frames.heads.blank(at),
            }
        }
        whole
    }

    #[inline(always)]
    fn put<const N: usize>(&mut self, at: usize, h: &[u8; N], total: usize) {
        self.frames.put(at, h, total);
        let Self { more: [a, b, c, d], .. } = self;
        write(a, at, pair(h, MORE[0]));
        write(b, at, pair(h, MORE[1]));
        write(c, at, pair(h, MORE[2]));
        write(d, at, pair(h, MORE[3]));
    }

    #[inline(always)]
    fn put_v6(&mut self, at: usize, h: &[u8; LEN_V6]) {
        let Self { more_v6: [a, b, c], .. } = self;
        write(a, at, pair(h, MORE_V6[0]));
        write(b, at, pair(h, MORE_V6[1]));
        write(c, at, pair(h, MORE_V6[2]));
    }

    /// Takes what IPv6 has more, of packets in the set. Returns which are long enough.
    #[inline(never)]
    fn take_v6<P: PacketBurst>(&mut self, burst: &P, set: u32) -> u32 {
        let mut whole = 0;
        for at in each(set) {
            if let Some(h) = burst.get(at).and_then(|buf| buf.data().first_chunk()) {
                self.put_v6(at, h);
                whole |= 1 << (at % BURST);
            }
        }
        whole
    }

    /// Takes the words of a burst. Returns outer destination and Instance-ID of the first packet, and which were
    /// taken with what IPv6 has more.
    #[inline(always)]
    pub(super) fn begin<P: PacketBurst>(&mut self, burst: &P, first: First) -> (u32, u32, u32) {
        let count = burst.len().min(BURST);
        let whole =
            if first.v6 { self.take::<true, _>(burst, count) } else { self.take::<false, _>(burst, count) };
        let (_, flags, word) = self.lisp(first.at);
        (self.frames.heads.get(first.at).destination(), instance(flags, word), whole)
    }

    /// Looks at all packets of a burst that are not settled. `whole`: see [`Unwrapping::begin`].
    #[inline(always)]
    pub(super) fn look<P: PacketBurst>(
        &mut self,
        (burst, set, whole): (&P, u32, u32),
        asked: &Asked,
        (v4, v6): (&mut Row<Key4, Lane>, &mut Row<Key6, Lane>),
    ) -> Sets {
        let count = burst.len();
        let mut sets = Sets { outer: set, v4: 0, v6: 0 };
        if whole == 0 {
            sets.v4 = groups(count).fold(0, |found, first| found | self.look_v4(first, asked, v4)) & set;
        } else {
            groups(count).for_each(|first| self.look_outer(first, asked));
            sets.v6 =
                groups(count).fold(0, |found, first| found | self.look_v6(first, asked, v6)) & set & whole;
        }
        if sets.v4 | sets.v6 != set {
            self.look_at_rest((burst, whole), asked, (v4, v6), &mut sets);
        }
        sets
    }

    /// Packets of both families, or some that are not plain.
    #[inline(never)]
    fn look_at_rest<P: PacketBurst>(
        &mut self,
        (burst, whole): (&P, u32),
        asked: &Asked,
        (v4, v6): (&mut Row<Key4, Lane>, &mut Row<Key6, Lane>),
        sets: &mut Sets,
    ) {
        let (count, set) = (burst.len(), sets.outer);
        let (mut outer, mut six) = (0, 0);
        for at in 0..BURST {
            outer |= bit(at, read(&self.plain, at) != 0);
            six |= bit(at, self.first(at) & 0xF0 == 0x60);
        }
        sets.outer &= outer;
        six &= sets.outer;
        if whole != 0 && six != sets.outer {
            sets.v4 = groups(count).fold(0, |found, first| found | self.look_v4(first, asked, v4)) & set;
        }
        if six & !whole != 0 {
            let whole = whole | self.take_v6(burst, six & !whole);
            sets.v6 =
                groups(count).fold(0, |found, first| found | self.look_v6(first, asked, v6)) & six & whole;
        }
    }

    /// Looks at the outer headers of a group.
    #[inline(never)]
    fn look_outer(&mut self, first: usize, asked: &Asked) {
        let asked = *asked;
        for at in group(first) {
            let _ = self.look_outside(at, &asked);
        }
    }

    /// Looks at the outer headers of a group, and at IPv4 headers inside. Returns which packets are plain.
    #[inline(never)]
    fn look_v4(&mut self, first: usize, asked: &Asked, row: &mut Row<Key4, Lane>) -> u32 {
        let (mut set, asked) = (0, *asked);
        let (keys, lanes) = row.columns();
        for at in group(first) {
            let (outer, alike) = self.look_outside(at, &asked);
            let head = self.inside_v4(at);
            let ours = asked.is_ours(head.source()) | asked.is_ours(head.destination());
            let ttl = head.ttl().min(outer & 0xFF);
            let plain = head.is_plain(outer >> 8 & 0xFFFF) & !ours & (ttl > 1);
            set |= bit(at, alike & plain & keeps_ecn(head.marks(), outer));
            write(keys, at, Key4(head.destination()));
            lanes.put(at, head.len(), (self.first(at), head.aged(ttl.wrapping_sub(1))));
        }
        lanes.at = IN_PLACE;
        set
    }

    /// Looks at the IPv6 headers inside a group, after [`Unwrapping::look_outer`]. What addresses are is left open where there is a
    /// doubt.
    #[inline(never)]
    fn look_v6(&self, first: usize, asked: &Asked, row: &mut Row<Key6, Lane>) -> u32 {
        let (mut set, asked) = (0, *asked);
        let (keys, lanes) = row.columns();
        for at in group(first) {
            let (head, outer) = (self.inside_v6(at), read(&self.outer, at));
            let [source, destination] = head.last_words();
            let doubt = head.is_doubtful() | asked.may_be_ours(source) | asked.may_be_ours(destination);
            let ttl = head.ttl().min(outer & 0xFF);
            let plain = head.is_plain(outer >> 8 & 0xFFFF) & !doubt & (ttl > 1);
            let keeps = keeps_ecn(head.marks(), outer) & (read(&self.alike, at) != 0);
            set |= bit(at, plain & keeps);
            lanes.put(at, head.len(), (self.first(at), head.aged(ttl.wrapping_sub(1))));
        }
        for at in group(first) {
            write(keys, at, self.inside_v6(at).destination());
        }
        lanes.at = IN_PLACE;
        set
    }

    /// Looks at outer headers. Returns what `outer` and `alike` have of them.
    #[inline(always)]
    fn look_outside(&mut self, at: usize, asked: &Asked) -> (u32, bool) {
        const SPECIAL: u32 = (lisp::MASK_KEY | lisp::FLAG_PROTOCOL) as u32;
        let [mac, v4] = asked.mac.frames(ethernet::IPV4);
        let (head, (to, kind)) = (self.frames.heads.get(at), self.frames.kind(at));
        let (udp, flags, word) = self.lisp(at);
        let len = lower(udp);
        let fits = (len >= BETWEEN) & (len + ipv4::MIN_LEN as u32 <= head.len());
        let (source, for_us) = (head.source(), (to == mac) & (kind == v4) & head.is_lisp());
        let comes = !asked.is_ours(source) & (source != asked.own);
        let right = head.is_plain_from(self.frames.available(at)) & (flags & SPECIAL == 0);
        let plain = for_us & fits & comes & right;
        let differs =
            udp & asked.checksum | head.destination() ^ asked.ours | instance(flags, word) ^ asked.instance;
        let outer = head.marks() & 0xFF00_00FF | (len.wrapping_sub(BETWEEN) & 0xFFFF) << 8;
        let alike = plain & (differs == 0);
        write(&mut self.outer, at, outer);
        write(&mut self.plain, at, mask(plain));
        write(&mut self.alike, at, mask(alike));
        (outer, alike)
    }

    /// The word with length and checksum of UDP, and the two of LISP.
    #[inline(always)]
    fn lisp(&self, at: usize) -> (u32, u32, u32) {
        let Self { more: [a, b, ..], .. } = self;
        let ([udp, flags], [word, _]) = (read(a, at), read(b, at));
        (udp, flags, word)
    }

    /// The first word of what is inside.
    #[inline(always)]
    fn first(&self, at: usize) -> u32 {
        let Self { more: [_, b, ..], .. } = self;
        let [_, first] = read(b, at);
        first
    }

    #[inline(always)]
    fn inside_v4(&self, at: usize) -> Head {
        let Self { more: [_, _, c, d], .. } = self;
        let ([second, third], [source, destination]) = (read(c, at), read(d, at));
        Head::of([self.first(at), second, third, source, destination, 0])
    }

    #[inline(always)]
    fn inside_v6(&self, at: usize) -> Head6 {
        let Self { more: [_, _, c, d], more_v6: [e, f, g], .. } = self;
        let ([second, s0], [s1, s2], [s3, d0]) = (read(c, at), read(d, at), read(e, at));
        let ([d1, d2], [d3, ports]) = (read(f, at), read(g, at));
        Head6::of([self.first(at), second], [s0, s1, s2, s3, d0, d1, d2, d3], ports)
    }
}

impl Lanes {
    #[inline(always)]
    fn put(&mut self, at: usize, len: u32, (first, hop): (u32, u32)) {
        write(&mut self.len, at, len);
        write(&mut self.first, at, first);
        write(&mut self.hop, at, hop);
    }
}

/// The inner ECN bits stay as they are: they are equal to the outer ones, or those are Not-ECT (RFC 6040). Both as
/// [`Marks`](super::outbound::Marks).
#[inline(always)]
fn keeps_ecn(inner: u32, outer: u32) -> bool {
    const ECN: u32 = (ecn::MASK as u32) << 24;
    ((inner ^ outer) & ECN).min(outer & ECN) == 0
}

/// The Instance-ID in the words of a LISP header, as a word.
#[inline(always)]
fn instance(flags: u32, word: u32) -> u32 {
    word & 0x00FF_FFFF & mask(flags & lisp::FLAG_INSTANCE as u32 != 0)
}

/// The Instance-ID of such a word.
pub(super) const fn instance_of(word: u32) -> InstanceId {
    InstanceId(word.swap_bytes() >> 8)
}

/// A 16-bit field in the lower half of a word.
#[inline(always)]
const fn lower(word: u32) -> u32 {
    word.swap_bytes() >> 16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_instances_are_read_from_words() {
        let word = u32::from_le_bytes([0x12, 0x34, 0x56, 0x78]);
        assert_eq!(lower(word), 0x1234);
        assert_eq!(instance_of(instance(0x08, u32::from_le_bytes([0, 1, 2, 0xFF]))), InstanceId(0x0102));
        assert_eq!(instance_of(instance(0xF7, word)), InstanceId(0));
    }

    /// By the table of RFC 6040; R-111.
    #[test]
    fn ecn_bits_stay_where_nothing_comes_of_the_outer_ones_r111() {
        for (inner, outer) in (0..4).flat_map(|inner| (0..4).map(move |outer| (inner, outer))) {
            let stays = inner == outer || outer == 0;
            assert_eq!(keeps_ecn(inner << 24 | 0x00AB_CDEF, outer << 24 | 0xFC12_3456), stays);
        }
    }
}
