//! The first step of the way in: which LISP packets are plain, and what is to be known of what is inside.
//!
//! In a plain packet all headers lie at fixed places. Their words are copied as they are, and looked at in columns:
//! first the outer headers, then what is inside, by family.

use super::columns::{Column, NO_ROWS, Rows, bit, group, groups, mask, read, write};
use super::decapsulation::{Lane, Lanes};
use super::frames::{Frames, OwnMac, ethertype, take_rows};
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
use dpdk_sys::ROW;

/// Where UDP and the inner packet begin.
pub(super) const UDP: usize = ethernet::LEN + ipv4::MIN_LEN;
pub(super) const INNER: usize = UDP + udp::LEN + lisp::LEN;
/// Bytes that a plain frame has at least: to the ports.
pub(super) const LEN_V4: usize = INNER + ipv4::MIN_LEN + 4;
pub(super) const LEN_V6: usize = INNER + ipv6::LEN + 4;

/// Bytes of the headers between the outer and the inner packet.
const BETWEEN: u32 = (udp::LEN + lisp::LEN) as u32;
/// Where the rows are that [`Frames`] has not: from the LISP header on, and the one that ends with the ports of IPv6.
const MORE: usize = LEN_V4 - ROW;
const MORE_V6: usize = LEN_V6 - ROW;

/// What packets are compared with.
#[derive(Clone, Copy)]
pub(super) struct Asked {
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

/// What was found when the words were taken.
#[derive(Clone, Copy)]
pub(super) struct Begun {
    /// Packets for the port.
    pub(super) for_us: u32,
    /// Those that were taken with what IPv6 has more.
    pub(super) whole: u32,
    /// Outer destination and Instance-ID of the first packet.
    pub(super) ours: u32,
    pub(super) instance: u32,
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
    more: Rows,
    more_v6: Rows,
    /// Of the outer packet: as [`Marks`](super::outbound::Marks), but with how much room is inside for its length.
    outer: Column,
    /// All ones: the outer headers are plain; they are like those that were asked for, besides.
    plain: Column,
    alike: Column,
}

impl Unwrapping {
    pub(super) const fn new() -> Self {
        Self {
            frames: Frames::new(),
            more: NO_ROWS,
            more_v6: NO_ROWS,
            outer: [0; BURST],
            plain: [0; BURST],
            alike: [0; BURST],
        }
    }

    /// Takes the words of `count` packets. Returns what [`Frames::take`] says, and which were taken with what IPv6 has
    /// more.
    #[inline(always)]
    fn take<const V6: bool, P: PacketBurst>(&mut self, burst: &P, count: usize, mac: OwnMac) -> (u64, u32) {
        let (blank, blank_v6, mut differs, mut whole) = (mac.blank::<LEN_V4>(), mac.blank::<LEN_V6>(), 0, 0);
        for first in groups(count) {
            if V6 {
                let (heads, long) = self.frames.heads::<LEN_V6, false, _>(burst, first, &blank_v6);
                if long >> first == 0xFF {
                    differs |= self.frames.take(&heads, first, &blank_v6);
                    take_rows::<MORE, LEN_V6>(&heads, &mut self.more, first);
                    take_rows::<MORE_V6, LEN_V6>(&heads, &mut self.more_v6, first);
                    whole |= long;
                    continue;
                }
                whole |= self.take_v6(burst, first);
            }
            let (heads, _) = self.frames.heads::<LEN_V4, false, _>(burst, first, &blank);
            differs |= self.frames.take(&heads, first, &blank);
            take_rows::<MORE, LEN_V4>(&heads, &mut self.more, first);
        }
        (differs, whole)
    }

    /// Takes what IPv6 has more, of the eight packets from `first` on. Returns which are long enough.
    #[inline(never)]
    fn take_v6<P: PacketBurst>(&mut self, burst: &P, first: usize) -> u32 {
        let (heads, whole) = self.frames.heads::<LEN_V6, false, _>(burst, first, &[0; LEN_V6]);
        take_rows::<MORE_V6, LEN_V6>(&heads, &mut self.more_v6, first);
        whole
    }

    /// The same for all packets, where they were not taken with the others.
    fn take_all_v6<P: PacketBurst>(&mut self, burst: &P) -> u32 {
        groups(burst.len()).fold(0, |whole, first| whole | self.take_v6(burst, first))
    }

    /// Takes the words of a burst.
    #[inline(always)]
    pub(super) fn begin<P: PacketBurst>(&mut self, burst: &P, first: First, mac: OwnMac) -> Begun {
        let count = burst.len().min(BURST);
        let (differs, whole) = if first.v6 {
            self.take::<true, _>(burst, count, mac)
        } else {
            self.take::<false, _>(burst, count, mac)
        };
        let (_, flags, word) = self.lisp(first.at);
        let (ours, instance) = (self.frames.head(first.at).destination(), instance(flags, word));
        Begun { for_us: mac.set(burst, differs), whole, ours, instance }
    }

    /// Looks at all packets of a burst that are not settled. `whole`: see [`Begun`].
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
            let whole = self.take_all_v6(burst);
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
        let (head, kind) = (self.frames.head(at), self.frames.kind(at));
        let (udp, flags, word) = self.lisp(at);
        let len = lower(udp);
        let fits = (len >= BETWEEN) & (len + ipv4::MIN_LEN as u32 <= head.len());
        let (source, is_lisp) = (head.source(), (kind == ethertype(ethernet::IPV4)) & head.is_lisp());
        let comes = !asked.is_ours(source) & (source != asked.own);
        let right = head.is_plain_from(self.frames.available(at)) & (flags & SPECIAL == 0);
        let plain = is_lisp & fits & comes & right;
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
        let Self { more: [flags, word, ..], frames, .. } = self;
        (frames.next(at), read(flags, at), read(word, at))
    }

    /// The first word of what is inside.
    #[inline(always)]
    fn first(&self, at: usize) -> u32 {
        let Self { more: [_, _, first, ..], .. } = self;
        read(first, at)
    }

    #[inline(always)]
    fn inside_v4(&self, at: usize) -> Head {
        let Self { more: [_, _, a, b, c, d, e, _], .. } = self;
        Head::of([read(a, at), read(b, at), read(c, at), read(d, at), read(e, at), 0])
    }

    #[inline(always)]
    fn inside_v6(&self, at: usize) -> Head6 {
        let Self { more: [_, _, first, second, a, b, c, d], .. } = self;
        let Self { more_v6: [.., e, f, g, h, ports], .. } = self;
        let [a, b, c, d, e, f, g, h] = [a, b, c, d, e, f, g, h].map(|word| read(word, at));
        Head6::of([read(first, at), read(second, at)], [a, b, c, d, e, f, g, h], read(ports, at))
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
