//! The last step of the way in: the outer headers taken off, and the inner ones mended.

use super::columns::{Column, read, write};
use super::lanes::{Doing, Done, Known, Row, Table, each};
use super::native::{Hop, Hops};
use super::plain;
use super::unwrapping::{INNER, LEN_V4, LEN_V6};
use crate::buffer::PacketBuf;
use crate::io::{BURST, PacketBurst};
use crate::path::flow::FlowKey;
use crate::wire::bytes::{be32, chunk};
use crate::wire::ethernet;

/// What is known of a plain packet besides its destination.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lane {
    /// Bytes of the inner packet.
    len: u32,
    /// The first word of the inner header and the one with TTL or Hop Limit, as they are to be, the hop taken off.
    first: u32,
    hop: u32,
    /// Its place in the burst.
    at: u8,
}

pub(super) const BLANK: Lane = Lane { len: 0, first: 0, hop: 0, at: 0 };

impl Known for Lane {
    type Table = Lanes;
}

/// What is known of the packets of a burst, side by side.
#[derive(Debug)]
pub(super) struct Lanes {
    pub(super) len: Column,
    pub(super) first: Column,
    pub(super) hop: Column,
    pub(super) at: [u8; BURST],
}

impl Lanes {
    /// Other words for the inner header of packet `at`, before it is settled which are plain.
    pub(super) fn amend(&mut self, at: usize, (first, hop): (u32, u32)) {
        write(&mut self.first, at, first);
        write(&mut self.hop, at, hop);
    }
}

impl Table<Lane> for Lanes {
    fn new(_: Lane) -> Self {
        Self { len: [0; BURST], first: [0; BURST], hop: [0; BURST], at: [0; BURST] }
    }

    #[inline(always)]
    fn lane(&self, at: usize) -> Option<Lane> {
        let (len, first, hop) = (*self.len.get(at)?, *self.first.get(at)?, *self.hop.get(at)?);
        Some(Lane { len, first, hop, at: *self.at.get(at)? })
    }

    #[inline(always)]
    fn lanes(&self, count: usize) -> impl Iterator<Item = Lane> {
        (0..count.min(BURST)).filter_map(|at| self.lane(at))
    }

    #[inline(always)]
    fn set_lane(&mut self, at: usize, lane: Lane) {
        write(&mut self.len, at, lane.len);
        self.amend(at, (lane.first, lane.hop));
        write(&mut self.at, at, lane.at);
    }
}

/// Takes the headers off a packet, if what is inside, `len` bytes, may leave by this next hop. `words`: those that
/// [`Lane`] has. Returns how long the frame is then.
#[inline(always)]
fn put<const V6: bool, B: PacketBuf>(
    buf: &mut B,
    hop: &Hop,
    len: u32,
    words: impl FnOnce() -> (u32, u32),
) -> Option<usize> {
    let framed = ethernet::LEN + len as usize;
    if len > u32::from(hop.mtu) {
        return None;
    }
    let data = buf.behead(INNER - ethernet::LEN, framed)?;
    let room = data.first_chunk_mut()?;
    let (first, word) = words();
    hop.write_with::<V6>(room, first, word);
    Some(framed)
}

impl Lane {
    #[inline(always)]
    fn put<const V6: bool, B: PacketBuf>(self, buf: &mut B, hop: &Hop) -> Option<usize> {
        put::<V6, _>(buf, hop, self.len, || (self.first, self.hop))
    }
}

/// Strips the headers of packets that have a next hop. Returns which those were, by their places.
#[inline(never)]
pub(super) fn strip<const V6: bool, K: Copy + Default, P: PacketBurst>(
    row: &Row<K, Lane>,
    (mut hops, key): (Hops<'_>, &FlowKey),
    burst: &mut P,
    done: &mut Done,
) -> u32 {
    if let Some(hop) = row.one_answer().and_then(|answer| hops.get(answer, || None)) {
        // Where the row has all of a burst each packet has its number.
        let (set, bytes) = if row.len() == burst.len() {
            strip_to::<V6, true, _>((row.table(), row.len()), burst, &hop)
        } else {
            strip_to::<V6, false, _>((row.table(), row.len()), burst, &hop)
        };
        done.add_all(set, hop.port, bytes);
        return set;
    }
    let mut doing = Doing::default();
    for (lane, answer) in row.answers() {
        let flow = || hash(burst.get(usize::from(lane.at))?.data(), key);
        let Some(hop) = hops.get(answer, flow) else { continue };
        let buf = burst.get_mut(usize::from(lane.at));
        if let Some(framed) = buf.and_then(|buf| lane.put::<V6, _>(buf, &hop)) {
            done.add(&mut doing, lane.at, hop.port, framed);
        }
    }
    done.take_over(doing);
    doing.set()
}

/// The same for packets that all have this one. A function of its own: so it has all registers.
#[inline(never)]
fn strip_to<const V6: bool, const ALL: bool, P: PacketBurst>(
    (lanes, count): (&Lanes, usize),
    burst: &mut P,
    hop: &Hop,
) -> (u32, u64) {
    let (mut set, mut bytes, mut chains, hop) = (0, 0, 0, *hop);
    for number in 0..count.min(BURST) {
        let at = if ALL { number } else { usize::from(read(&lanes.at, number)) };
        let Some(buf) = burst.get_mut(at) else { break };
        // Read when they are written: there are not so many registers.
        let words = || (read(&lanes.first, number), read(&lanes.hop, number));
        if buf.segments() != 1 {
            chains |= 1 << number;
        } else if let Some(framed) = put::<V6, _>(buf, &hop, read(&lanes.len, number), words) {
            bytes += framed as u64;
            set |= 1 << (at & 31);
        }
    }
    if chains != 0 {
        strip_chains::<V6, _>((lanes, chains), burst, &hop, (&mut set, &mut bytes));
    }
    (set, bytes)
}

/// Packets of several segments, which ask for more than the loop of all others has room for.
#[cold]
#[inline(never)]
fn strip_chains<const V6: bool, P: PacketBurst>(
    (lanes, chains): (&Lanes, u32),
    burst: &mut P,
    hop: &Hop,
    (set, bytes): (&mut u32, &mut u64),
) {
    for lane in each(chains).filter_map(|number| lanes.lane(number)) {
        let buf = burst.get_mut(usize::from(lane.at));
        if let Some(framed) = buf.and_then(|buf| lane.put::<V6, _>(buf, hop)) {
            *bytes += framed as u64;
            *set |= 1 << (lane.at & 31);
        }
    }
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
