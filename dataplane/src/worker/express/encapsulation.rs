//! The last step of the way out for packets with a mapping: headers in front, and counted.
//!
//! A packet touches two cache lines of tables here, that of its entry and that of its RLOC, each with what it
//! says and what it counts. Each loop asks for what the next one reads; what the headers have of the packets
//! is worked out by columns meanwhile.

use super::columns::{Column, FEW, mask, read, write};
use super::lanes::{Doing, Done, Row};
use super::outbound::{Lane, Lanes, Marks};
use crate::buffer::PacketBuf;
use crate::feed::{MapAction, Target};
use crate::io::{BURST, PacketBurst};
use crate::mapcache::{EntrySlot, RlocSlot};
use crate::path::outer::Parts;
use crate::path::pitr::{self, Inner};
use crate::replica::Replica;
use crate::types::{EntryId, PortId};
use crate::wire::{ethernet, lisp};
use std::num::NonZeroU32;

/// Bytes in front of the IP packet where the outer header is an IPv4 one, Ethernet included.
const IN_FRONT: u32 = RlocSlot::LENGTH_V4 as u32;

/// What the outer headers have of the packets, side by side: see [`Parts`].
#[derive(Debug)]
pub(super) struct Outer {
    first: Column,
    third: Column,
    udp: Column,
    /// Length of the packet in the upper half, the sum in the lower.
    sizes: Column,
}

impl Outer {
    pub(super) const fn new() -> Self {
        Self { first: [0; BURST], third: [0; BURST], udp: [0; BURST], sizes: [0; BURST] }
    }

    #[inline(always)]
    fn parts(&self, at: usize) -> Option<Parts<&u32>> {
        let (first, third) = (self.first.get(at)?, self.third.get(at)?);
        Some(Parts { first, third, udp: self.udp.get(at)?, sum: self.sizes.get(at)? })
    }

    #[inline(always)]
    fn len(&self, at: usize) -> u16 {
        (read(&self.sizes, at) >> 16) as u16
    }
}

impl Lanes {
    /// Works out what the outer headers have.
    #[inline(always)]
    fn fill<const N: usize>(&mut self) {
        let Self { hash, marks, outer: Outer { first, third, udp, sizes }, .. } = self;
        for at in 0..N {
            // Sent with a TTL that is less by one, and was above 1.
            let marks = read(marks, at);
            let parts = Parts::of(read(hash, at), marks.wrapping_sub(1));
            write(first, at, parts.first);
            write(third, at, parts.third);
            write(udp, at, parts.udp);
            write(sizes, at, u32::from(Marks(marks).len()) << 16 | parts.sum);
        }
    }
}

/// Packets of a row by number.
#[derive(Clone, Copy)]
struct Set(u32);

impl Set {
    #[inline(always)]
    fn first(count: usize) -> Self {
        Self(((1_u64 << count.min(BURST)) - 1) as u32)
    }

    #[inline(always)]
    fn remove(&mut self, at: usize) {
        self.0 &= !(1 << (at % BURST));
    }
}

impl Iterator for Set {
    type Item = usize;

    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        let at = NonZeroU32::new(self.0)?.trailing_zeros() as usize;
        self.0 &= self.0 - 1;
        Some(at)
    }
}

/// What is found out about the packets of a row, by number. Together, so that the last loop has one address for it.
struct Work<'a> {
    /// Where packets go: meaningless for those that go nowhere.
    entries: [&'a EntrySlot; BURST],
    rlocs: [&'a RlocSlot; BURST],
    /// Ports of those that were written.
    ports: [PortId; BURST],
    /// Those whose entries counted so many packets that the number began again.
    laps: u32,
}

impl<'a> Work<'a> {
    #[inline(always)]
    fn way(&self, at: usize) -> Option<(&'a EntrySlot, &'a RlocSlot)> {
        Some((self.entries.get(at)?, self.rlocs.get(at)?))
    }
}

/// Packets with a mapping. Returns how many there were, and which of the row have to wait for one.
#[inline(always)]
pub(super) fn encapsulate<const V6: bool, K: Copy + Default, P: PacketBurst>(
    row: &mut Row<K, Lane>,
    tables: &Replica,
    burst: &mut P,
    header: [u8; lisp::LEN],
    done: &mut Done,
) -> (u64, u32) {
    let (entries, rlocs) = tables.slots();
    let (Some(entry), Some(rloc)) = (entries.first(), rlocs.first()) else { return (0, 0) };
    for (_, entry) in row.found() {
        if let Some(entry) = entries.get(entry as usize) {
            dpdk_sys::prefetch(entry);
        }
    }
    if row.len() <= FEW {
        row.columns().1.fill::<FEW>();
    } else {
        row.columns().1.fill::<BURST>();
    }
    let (row, lanes) = (&*row, row.table());
    let mut work = Work { entries: [entry; BURST], rlocs: [rloc; BURST], ports: [PortId(0); BURST], laps: 0 };
    let (mut set, mut misses) = (Set::first(row.len()), 0_u32);
    let places = work.entries.iter_mut().zip(&mut work.rlocs);
    for ((at, entry), (to_entry, to_rloc)) in row.found().zip(places) {
        let Some(entry) = entries.get(entry as usize) else {
            set.remove(at);
            continue;
        };
        let rloc = match rlocs.get(entry.rloc_index()) {
            Some(rloc) => rloc,
            None if entry.is_unresolved() => {
                set.remove(at);
                misses |= 1 << at;
                continue;
            }
            None => match pick(entry, read(&lanes.hash, at), tables) {
                Some(rloc) => rloc,
                None => {
                    set.remove(at);
                    continue;
                }
            },
        };
        dpdk_sys::prefetch(rloc);
        (*to_entry, *to_rloc) = (entry, rloc);
    }
    let numbers = (row.len() != burst.len()).then_some(&lanes.at);
    let (sent, long) = if numbers.is_none() && set.0 == Set::first(row.len()).0 {
        put_all::<V6, _>(lanes, &mut work, burst, header)
    } else {
        put_some::<V6, _>((lanes, set), &mut work, burst, header)
    };
    let mut count = done.add_row(sent.0, numbers, &work.ports, bytes(&lanes.marks, sent.0));
    if long.0 != 0 {
        let mut doing = Doing::default();
        put_v6::<V6, _>((lanes, long), &mut work, burst, header, (done, &mut doing));
        count += done.take_over(doing);
    }
    if work.laps != 0 {
        for (_, entry) in row.found().filter(|(at, _)| work.laps >> (at % BURST) & 1 != 0) {
            tables.lap(EntryId(entry));
        }
    }
    (count, misses)
}

/// Whether a packet has its headers.
enum Put {
    Done,
    /// Not behind an IPv4 outer header: nothing is known of it yet.
    Long,
    /// It is left to others as it is.
    Left,
}

/// A packet whose RLOC is an IPv4 one, if it fits and can be written.
#[inline(always)]
fn put<const V6: bool, B: PacketBuf>(
    (lanes, at): (&Lanes, usize),
    work: &mut Work<'_>,
    buf: Option<&mut B>,
    header: [u8; lisp::LEN],
) -> Put {
    let (Some((entry, rloc)), Some(parts)) = (work.way(at), lanes.outer.parts(at)) else { return Put::Left };
    let len = lanes.outer.len(at);
    if len > rloc.room_v4() {
        rloc.prefetch_v6();
        return Put::Long;
    }
    // What Ethernet has padded goes. Can only fail for what is left to others as it is.
    let framed = ethernet::LEN + usize::from(len);
    let Some(data) = buf.and_then(|buf| buf.rehead(pitr::OVERHEAD_V4, framed)) else { return Put::Left };
    pitr::write_parts::<V6, _>(data, (parts, read(&lanes.hop, at)), header, rloc);
    if entry.count(1, u64::from(len)) {
        work.laps |= 1 << (at % BURST);
    }
    rloc.count(1, u64::from(len) + pitr::OVERHEAD_V4 as u64);
    write(&mut work.ports, at, rloc.port());
    Put::Done
}

/// All of a row that has all of a burst. Returns which were written, and of which nothing is known yet. A function of
/// its own: so it has all registers.
#[inline(never)]
fn put_all<const V6: bool, P: PacketBurst>(
    lanes: &Lanes,
    work: &mut Work<'_>,
    burst: &mut P,
    header: [u8; lisp::LEN],
) -> (Set, Set) {
    let count = burst.len().min(BURST);
    let (mut sent, mut long) = (Set::first(count), Set(0));
    for at in 0..count {
        match put::<V6, _>((lanes, at), work, burst.get_mut(at), header) {
            Put::Done => {}
            Put::Long => {
                sent.remove(at);
                long.0 |= 1 << at;
            }
            Put::Left => sent.remove(at),
        }
    }
    (sent, long)
}

/// The same for those of the set, wherever they are in the burst.
#[inline(never)]
fn put_some<const V6: bool, P: PacketBurst>(
    (lanes, set): (&Lanes, Set),
    work: &mut Work<'_>,
    burst: &mut P,
    header: [u8; lisp::LEN],
) -> (Set, Set) {
    let (mut sent, mut long) = (set, Set(0));
    for at in set {
        let buf = burst.get_mut(usize::from(read(&lanes.at, at)));
        match put::<V6, _>((lanes, at), work, buf, header) {
            Put::Done => {}
            Put::Long => {
                sent.remove(at);
                long.0 |= 1 << at;
            }
            Put::Left => sent.remove(at),
        }
    }
    (sent, long)
}

/// Bytes of these packets as they are sent behind IPv4 outer headers.
#[inline(always)]
fn bytes(marks: &Column, sent: u32) -> u64 {
    let mut bytes = 0;
    for at in 0..BURST {
        bytes += (u32::from(Marks(read(marks, at)).len()) + IN_FRONT) & mask(sent >> at & 1 != 0);
    }
    u64::from(bytes)
}

/// The RLOC of a flow, where the entry leads to several.
#[inline(never)]
fn pick<'a>(entry: &EntrySlot, hash: u32, tables: &'a Replica) -> Option<&'a RlocSlot> {
    let MapAction::Encapsulate(Target::Set(set)) = entry.action() else { return None };
    let rloc = tables.set_pick(set, hash)?;
    tables.slots().1.get(rloc.0 as usize)
}

/// Those whose RLOC is an IPv6 one, if they fit. Others are left as they are.
#[inline(never)]
fn put_v6<const V6: bool, P: PacketBurst>(
    (lanes, set): (&Lanes, Set),
    work: &mut Work<'_>,
    burst: &mut P,
    header: [u8; lisp::LEN],
    (done, doing): (&mut Done, &mut Doing),
) {
    for place in set {
        let Some((entry, rloc)) = work.way(place) else { continue };
        let (hash, marks) = (read(&lanes.hash, place), Marks(read(&lanes.marks, place)));
        let at = read(&lanes.at, place);
        let (len, tos, ttl) = (usize::from(marks.len()), marks.tos(), marks.ttl());
        if len > usize::from(rloc.room_v6()) {
            continue;
        }
        let Some(buf) = burst.get_mut(usize::from(at)) else { continue };
        let Some(data) = buf.rehead(pitr::OVERHEAD_V6, ethernet::LEN + len) else { continue };
        let inner = Inner { len: len as u32, hash, tos, ttl, v6: V6, forwarded: true };
        pitr::write_v6(data, &inner, header, rloc);
        let outer_len = len + pitr::OVERHEAD_V6;
        if entry.count(1, len as u64) {
            work.laps |= 1 << place;
        }
        rloc.count(1, outer_len as u64);
        done.add(doing, at, rloc.port(), ethernet::LEN + outer_len);
    }
}
