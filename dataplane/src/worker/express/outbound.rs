//! Native packets of a PITR whose mapping and RLOC are there: encapsulated; those without a mapping
//! whose next hop is there: forwarded.

use super::columns::{Column, write};
use super::encapsulation::{Outer, encapsulate};
use super::lanes::{Doing, Done, Known, Row, Table};
use super::misses::Misses;
use super::native::Hops;
use super::reading::Words;
use crate::buffer::PacketBuf;
use crate::feed::{PortSpec, VrfSpec};
use crate::io::{BURST, PacketBurst, Stage};
use crate::lpm::{Key4, Key6, NO_MATCH};
use crate::path::flow::FlowKey;
use crate::replica::Replica;
use crate::wire::{ethernet, lisp};

/// Working memory.
#[derive(Debug)]
pub(in crate::worker) struct Outbound {
    pub(super) v4: Row<Key4, Lane>,
    pub(super) v6: Row<Key6, Lane>,
    misses: Misses,
    pub(super) words: Words,
}

/// What is known of a plain packet besides its destination.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lane {
    pub(super) hash: u32,
    pub(super) marks: Marks,
    pub(super) hop: u32,
    pub(super) at: u8,
}

const BLANK: Lane = Lane { hash: 0, marks: Marks(0), hop: 0, at: 0 };

/// What else of an IP header is needed: TOS, length and TTL, of 8, 16 and 8 bits. In one word, so that loops
/// over a burst make many at a time, and calls take it in a register.
#[derive(Clone, Copy, Debug)]
pub(super) struct Marks(pub(super) u32);

impl Marks {
    #[inline(always)]
    pub(super) const fn tos(self) -> u8 {
        (self.0 >> 24) as u8
    }

    #[inline(always)]
    pub(super) const fn len(self) -> u16 {
        (self.0 >> 8) as u16
    }

    #[inline(always)]
    pub(super) const fn ttl(self) -> u8 {
        self.0 as u8
    }
}

impl Known for Lane {
    type Table = Lanes;
}

/// What is known of the packets of a burst, side by side.
#[derive(Debug)]
pub(super) struct Lanes {
    pub(super) hash: Column,
    /// [`Marks`].
    pub(super) marks: Column,
    /// The word of the IP header that has the TTL or Hop Limit, after that became smaller by 1: see
    /// [`hop_at`](crate::path::ip::hop_at). As it lies in memory, read as little-endian.
    pub(super) hop: Column,
    pub(super) at: [u8; BURST],
    pub(super) outer: Outer,
}

impl Table<Lane> for Lanes {
    fn new(_: Lane) -> Self {
        let none = [0; BURST];
        Self { hash: none, marks: none, hop: none, at: [0; BURST], outer: Outer::new() }
    }

    #[inline(always)]
    fn lane(&self, at: usize) -> Option<Lane> {
        let (hash, marks, hop) = (*self.hash.get(at)?, Marks(*self.marks.get(at)?), *self.hop.get(at)?);
        Some(Lane { hash, marks, hop, at: *self.at.get(at)? })
    }

    #[inline(always)]
    fn lanes(&self, count: usize) -> impl Iterator<Item = Lane> {
        (0..count.min(BURST)).filter_map(|at| self.lane(at))
    }

    #[inline(always)]
    fn set_lane(&mut self, at: usize, lane: Lane) {
        write(&mut self.hash, at, lane.hash);
        write(&mut self.marks, at, lane.marks.0);
        write(&mut self.hop, at, lane.hop);
        write(&mut self.at, at, lane.at);
    }
}

impl Outbound {
    pub(in crate::worker) fn new() -> Self {
        Self { v4: Row::new(BLANK), v6: Row::new(BLANK), misses: Misses::new(), words: Words::new() }
    }

    /// Whether packets of this port may go this way: nothing is to be found out about their sources, and
    /// their outer headers are like the inner ones.
    #[inline]
    pub(in crate::worker) fn suits(port: &PortSpec, vrf: &VrfSpec) -> bool {
        let changed = vrf.encap_dscp.is_some() || vrf.clamp_mss_to_mtu.is_some();
        port.native && vrf.pitr && port.sources.is_none() && !changed
    }

    /// Encapsulates or forwards what is plain and not done yet. Returns how many packets went which way, and the bytes of those
    /// that were encapsulated. `openings`: so many packets may begin to wait for a mapping now at most.
    #[inline(never)] // Once a burst; perf/budget.sh counts its instructions.
    pub(in crate::worker) fn run<P: PacketBurst>(
        &mut self,
        (tables, key, openings): (&Replica, &FlowKey, u64),
        burst: &mut P,
        (port, vrf): (&PortSpec, &VrfSpec),
        done: &mut Done,
        mark: impl Fn(Stage),
    ) -> (u64, u64, u64) {
        self.look((tables, key), burst, port, done.settled());
        mark(Stage::Read);
        let Self { v4, v6, misses, .. } = self;
        let (id, header) = (port.vrf, lisp::Lisp::header(vrf.instance_id));
        // Most of the time all may, and it is none of our business.
        let few = openings < BURST as u64;
        let (mut encapsulated, mut forwarded, mut bytes) = (0, 0, 0);
        if !v4.is_empty() {
            v4.look_up(|keys, found| tables.map_lookup4_burst(id, keys, found));
            mark(Stage::LookedUp);
            let before = done.bytes;
            let (done_now, missing) = encapsulate::<false, _, _>(v4, tables, burst, header, done);
            mark(Stage::Rewritten);
            encapsulated += done_now;
            bytes += done.bytes - before;
            if few && missing != 0 {
                let fib = tables.fib(id);
                let is_own = |key| tables.is_local_rloc4(key) || fib.is_some_and(|fib| fib.is_own4(key));
                misses.take(v4, missing, is_own);
            }
            if v4.any_missing() {
                v4.keep(|entry| entry == NO_MATCH);
                v4.look_up(|keys, found| tables.fib_lookup4_burst(id, keys, found));
                forwarded += forward::<false, _, _>(v4, Hops::new(tables, id), burst, done);
            }
        }
        if !v6.is_empty() {
            v6.look_up(|keys, found| tables.map_lookup6_burst(id, keys, found));
            mark(Stage::LookedUp);
            let before = done.bytes;
            let (done_now, missing) = encapsulate::<true, _, _>(v6, tables, burst, header, done);
            mark(Stage::Rewritten);
            encapsulated += done_now;
            bytes += done.bytes - before;
            if few && missing != 0 {
                let fib = tables.fib(id);
                let is_own = |key| tables.is_local_rloc6(key) || fib.is_some_and(|fib| fib.is_own6(key));
                misses.take(v6, missing, is_own);
            }
            if v6.any_missing() {
                v6.keep(|entry| entry == NO_MATCH);
                v6.look_up(|keys, found| tables.fib_lookup6_burst(id, keys, found));
                forwarded += forward::<true, _, _>(v6, Hops::new(tables, id), burst, done);
            }
        }
        if few {
            misses.turn_away(openings, tables, done);
        }
        (encapsulated, forwarded, bytes)
    }
}

/// Packets without a mapping.
#[inline(never)]
fn forward<const V6: bool, K: Copy + Default, P: PacketBurst>(
    row: &Row<K, Lane>,
    mut hops: Hops<'_>,
    burst: &mut P,
    done: &mut Done,
) -> u64 {
    let mut doing = Doing::default();
    for (lane, route) in row.answers() {
        let Some(hop) = hops.get(route, || Some(lane.hash)) else { continue };
        let Some(buf) = burst.get_mut(usize::from(lane.at)) else { continue };
        let framed = ethernet::LEN + usize::from(lane.marks.len());
        if lane.marks.len() > hop.mtu {
            continue;
        }
        let Some(data) = buf.rehead(0, framed) else { continue };
        let Some((room, packet)) = data.split_first_chunk_mut() else { continue };
        hop.write::<V6>(room);
        crate::path::ip::decrement_ttl(packet, V6);
        done.add(&mut doing, lane.at, hop.port, framed);
    }
    done.take_over(doing)
}
