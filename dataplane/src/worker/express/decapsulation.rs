//! The last step of the way in: the outer headers taken off, and the inner ones mended.

use super::lanes::{Doing, Done, Known, Row, each};
use super::native::{self, Hop, Hops};
use super::plain;
use super::unwrapping::{Column, INNER, LEN_V4};
use crate::buffer::PacketBuf;
use crate::io::{BURST, PacketBurst};
use crate::lpm::{Key4, Key6, NO_MATCH};
use crate::path::flow::FlowKey;
use crate::wire::bytes::{be32, chunk};
use crate::wire::{ethernet, ipv6};

/// Bytes that a plain frame with IPv6 inside has at least: to the ports.
pub(super) const LEN_V6: usize = INNER + ipv6::LEN + 4;

/// Plain IPv4 packets in the order in which they are looked up: what they are looked up by, what is to
/// be written, and the answers.
#[derive(Debug)]
pub(super) struct Plain {
    pub(super) keys: Column<Key4>,
    /// Bytes of the inner packet.
    pub(super) len: Column,
    /// Words 0 and 2 of the inner header as they are to be, the hop taken off.
    pub(super) first: Column,
    pub(super) third: Column,
    found: Column,
    /// Their places in the burst.
    at: Column<u8>,
    /// The same as a set.
    set: u32,
    count: usize,
}

/// What is known of a plain IPv6 packet besides its destination.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lane {
    pub(super) len: u16,
    /// As they are to be, the hop taken off.
    pub(super) tos: u8,
    pub(super) ttl: u8,
    pub(super) at: u8,
}

impl Known for Lane {
    type Table = [Self; BURST];
}

pub(super) const BLANK: Lane = Lane { len: 0, tos: 0, ttl: 0, at: 0 };

/// Each in its place.
#[allow(clippy::indexing_slicing, reason = "worked out by the compiler")]
const IN_PLACE: Column<u8> = {
    let mut places = [0; BURST];
    let mut at = 0;
    while at < BURST {
        places[at] = at as u8;
        at += 1;
    }
    places
};

impl Plain {
    pub(super) const fn new() -> Self {
        let blank = [0; BURST];
        Self {
            keys: [Key4(0); BURST],
            len: blank,
            first: blank,
            third: blank,
            found: [NO_MATCH; BURST],
            at: IN_PLACE,
            set: 0,
            count: 0,
        }
    }

    #[inline(always)]
    pub(super) const fn clear(&mut self) {
        self.count = 0;
    }

    #[inline(always)]
    pub(super) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Of all packets of the burst these are plain.
    #[inline(always)]
    pub(super) fn settle(&mut self, set: u32) {
        self.at = IN_PLACE;
        self.set = set;
        self.keep(set);
    }

    /// Keeps those of this set and closes the gaps.
    #[inline(always)]
    fn keep(&mut self, set: u32) {
        self.count = set.count_ones() as usize;
        if set & set.wrapping_add(1) != 0 {
            self.close_gaps(set);
        }
    }

    #[inline(never)]
    fn close_gaps(&mut self, set: u32) {
        close_gaps(&mut self.keys, set);
        for column in [&mut self.len, &mut self.first, &mut self.third] {
            close_gaps(column, set);
        }
        close_gaps(&mut self.at, set);
    }

    /// Other words for the inner header of packet `at` of the burst, before it is settled which are plain.
    pub(super) fn amend(&mut self, at: usize, (first, third): (u32, u32)) {
        if let (Some(to_first), Some(to_third)) = (self.first.get_mut(at), self.third.get_mut(at)) {
            (*to_first, *to_third) = (first, third);
        }
    }

    /// Looks all up.
    #[inline(always)]
    pub(super) fn look_up(&mut self, lookup: impl FnOnce(&[Key4], &mut [u32])) {
        let count = self.count;
        if let (Some(keys), Some(found)) = (self.keys.get(..count), self.found.get_mut(..count)) {
            lookup(keys, found);
        }
    }

    /// Keeps those whose answer meets a condition; that there is none always does.
    #[inline(always)]
    pub(super) fn keep_unless_found(&mut self, but: impl Fn(u32) -> bool) {
        let found = self.found.get(..self.count).unwrap_or(&[]);
        if found.iter().fold(false, |any, answer| any | (*answer != NO_MATCH)) {
            let wanted = found.iter().map(|answer| u32::from(*answer == NO_MATCH || but(*answer)));
            let set = wanted.enumerate().fold(0, |set, (at, wanted)| set | wanted << at);
            self.keep(set);
            self.set = self.at.iter().take(self.count).fold(0, |set, at| set | 1 << (at & 31));
        }
    }

    /// The answer that all have got.
    #[inline(always)]
    fn one_answer(&self) -> Option<u32> {
        let (first, rest) = self.found.get(..self.count)?.split_first()?;
        let mixed = rest.iter().fold(0, |mixed, answer| mixed | (answer ^ first));
        (mixed == 0).then_some(*first)
    }

    /// All with their answers.
    #[inline(always)]
    #[allow(clippy::indexing_slicing, reason = "the loop ends where all columns do")]
    fn packets(&self) -> impl Iterator<Item = (Packet, u32)> {
        (0..self.count.min(BURST)).map(|number| {
            let (at, len) = (self.at[number], self.len[number] as usize);
            let (first, third) = (self.first[number], self.third[number]);
            (Packet { at, len, first, third }, self.found[number])
        })
    }
}

/// Moves the items of the set to the front.
#[inline(always)]
fn close_gaps<T: Copy>(items: &mut [T], set: u32) {
    for (to, from) in each(set).enumerate() {
        if let Some(item) = items.get(from).copied()
            && let Some(place) = items.get_mut(to)
        {
            *place = item;
        }
    }
}

/// A plain IPv4 packet that is to be written.
#[derive(Clone, Copy)]
struct Packet {
    at: u8,
    len: usize,
    first: u32,
    third: u32,
}

impl Packet {
    /// Takes the headers off, if what is inside may leave by this next hop. Returns how long the frame is
    /// then.
    #[inline(always)]
    fn put<P: PacketBurst>(self, burst: &mut P, hop: &Hop) -> Option<usize> {
        if self.len > usize::from(hop.mtu) {
            return None;
        }
        let buf = burst.get_mut(usize::from(self.at))?;
        if buf.segments() == 1 { self.write(buf, hop) } else { self.write_chain(buf, hop) }
    }

    #[inline(always)]
    fn write<B: PacketBuf>(self, buf: &mut B, hop: &Hop) -> Option<usize> {
        let framed = ethernet::LEN + self.len;
        let data = buf.behead(INNER - ethernet::LEN, framed)?;
        hop.write_v4(data.first_chunk_mut()?, self.first, self.third);
        Some(framed)
    }

    /// The same out of line, that the loop of all others is short.
    #[cold]
    #[inline(never)]
    fn write_chain<B: PacketBuf>(self, buf: &mut B, hop: &Hop) -> Option<usize> {
        self.write(buf, hop)
    }
}

/// Strips the headers of IPv4 packets that have a next hop. Returns which those were, by their places.
#[inline(never)]
pub(super) fn strip_v4<P: PacketBurst>(
    plain: &Plain,
    (mut hops, key): (Hops<'_>, &FlowKey),
    burst: &mut P,
    done: &mut Done,
) -> u32 {
    if let Some(hop) = plain.one_answer().and_then(|answer| hops.get(answer, || None)) {
        let (mut missed, mut bytes) = (0u32, 0);
        for (packet, _) in plain.packets() {
            match packet.put(burst, &hop) {
                Some(framed) => bytes += framed as u64,
                None => missed |= 1 << (packet.at & 31),
            }
        }
        let set = plain.set & !missed;
        done.add_all(set, hop.port, bytes);
        return set;
    }
    let mut doing = Doing::default();
    for (packet, answer) in plain.packets() {
        let flow = || hash(burst.get(usize::from(packet.at))?.data(), key);
        let Some(hop) = hops.get(answer, flow) else { continue };
        if let Some(framed) = packet.put(burst, &hop) {
            done.add(&mut doing, packet.at, hop.port, framed);
        }
    }
    done.take_over(doing);
    doing.set()
}

/// The same for IPv6 packets.
#[inline(never)]
pub(super) fn strip_v6<P: PacketBurst>(
    row: &Row<Key6, Lane>,
    (mut hops, key): (Hops<'_>, &FlowKey),
    burst: &mut P,
    done: &mut Done,
) -> u32 {
    let mut doing = Doing::default();
    for (lane, route) in row.answers() {
        let Some(buf) = burst.get_mut(usize::from(lane.at)) else { continue };
        let Some(hop) = hops.get(route, || hash(buf.data(), key)) else { continue };
        if lane.len > hop.mtu {
            continue;
        }
        let framed = ethernet::LEN + usize::from(lane.len);
        let Some(data) = buf.behead(INNER - ethernet::LEN, framed) else { continue };
        let Some((room, packet)) = data.split_first_chunk_mut() else { continue };
        hop.write::<true>(room);
        native::mark_v6(packet, lane.tos, lane.ttl);
        done.add(&mut doing, lane.at, hop.port, framed);
    }
    done.take_over(doing);
    doing.set()
}

/// Flow hash of the inner packet: of those that have several next hops. `None`: not for us to say.
#[cold]
fn hash(data: &[u8], key: &FlowKey) -> Option<u32> {
    let v4 = || {
        let h: &[u8; LEN_V4] = data.first_chunk()?;
        let ip = plain::v4(chunk(h, INNER)?, usize::MAX, || true)?;
        let ports = plain::ports(ip.protocol, be32(h, LEN_V4 - 4)?, key)?;
        Some(key.flow_v4(ip.source, ip.destination, u32::from(ip.protocol), ports))
    };
    let v6 = || {
        let h: &[u8; LEN_V6] = data.first_chunk()?;
        let ip = plain::v6(chunk(h, INNER)?, usize::MAX)?;
        let ports = plain::ports(ip.protocol, be32(h, LEN_V6 - 4)?, key)?;
        Some(key.flow_v6(ip.source, ip.destination, u32::from(ip.protocol), ports))
    };
    v4().or_else(v6)
}
