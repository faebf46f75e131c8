//! The last step of the way out for packets with a mapping: headers in front, and counted.
//!
//! A packet touches two cache lines of tables here, that of its entry and that of its RLOC, each with what it
//! says and what it counts. Each loop asks for what the next one reads.

use super::lanes::{Doing, Done, Row};
use super::outbound::{Lane, Marks};
use crate::buffer::PacketBuf;
use crate::feed::{MapAction, Target};
use crate::io::{BURST, PacketBurst};
use crate::mapcache::{EntrySlot, RlocSlot};
use crate::path::pitr::{self, Inner};
use crate::replica::Replica;
use crate::wire::{ethernet, lisp};

/// Where a packet goes.
#[derive(Clone, Copy)]
struct Way<'a> {
    entry: &'a EntrySlot,
    rloc: &'a RlocSlot,
}

/// Packets with a mapping. Returns how many there were, and which of the row have to wait for one.
#[inline(always)]
pub(super) fn encapsulate<const V6: bool, K: Copy + Default, P: PacketBurst>(
    row: &Row<K, Lane>,
    tables: &Replica,
    burst: &mut P,
    header: [u8; lisp::LEN],
    done: &mut Done,
) -> (u64, u32) {
    let (entries, rlocs) = tables.slots();
    for (_, entry) in row.found() {
        if let Some(entry) = entries.get(entry as usize) {
            dpdk_sys::prefetch(entry);
        }
    }
    let mut ways: [Option<Way<'_>>; BURST] = [None; BURST];
    let mut misses = 0u32;
    for ((at, (lane, entry)), way) in row.answers().enumerate().zip(&mut ways) {
        let Some(entry) = entries.get(entry as usize) else { continue };
        let rloc = match rlocs.get(entry.rloc_index()) {
            Some(rloc) => rloc,
            None if entry.is_unresolved() => {
                misses |= 1 << at;
                continue;
            }
            None => match pick(entry, lane.hash, tables) {
                Some(rloc) => rloc,
                None => continue,
            },
        };
        dpdk_sys::prefetch(rloc);
        *way = Some(Way { entry, rloc });
    }
    let mut doing = Doing::default();
    for ((_, lane), way) in row.lanes().zip(&ways) {
        let (Some(Way { entry, rloc }), Some(buf)) = (way, burst.get_mut(usize::from(lane.at))) else {
            continue;
        };
        let overhead = if lane.marks.len() <= rloc.room_v4() {
            if !put_v4::<V6, _>(buf, (lane.hash, lane.marks), header, rloc) {
                continue;
            }
            pitr::OVERHEAD_V4
        } else {
            if !put_v6::<V6, _>(buf, (lane.hash, lane.marks), header, rloc) {
                continue;
            }
            pitr::OVERHEAD_V6
        };
        let outer_len = usize::from(lane.marks.len()) + overhead;
        entry.count(1, u64::from(lane.marks.len()));
        rloc.count(1, outer_len as u64);
        done.add(&mut doing, lane.at, rloc.port(), ethernet::LEN + outer_len);
    }
    (done.take_over(doing), misses)
}

/// The RLOC of a flow, where the entry leads to several.
#[inline(never)]
fn pick<'a>(entry: &EntrySlot, hash: u32, tables: &'a Replica) -> Option<&'a RlocSlot> {
    let MapAction::Encapsulate(Target::Set(set)) = entry.action() else { return None };
    let rloc = tables.set_pick(set, hash)?;
    tables.slots().1.get(rloc.0 as usize)
}

#[inline(always)]
fn inner<const V6: bool>(hash: u32, marks: Marks) -> Inner {
    Inner { len: u32::from(marks.len()), hash, tos: marks.tos(), ttl: marks.ttl(), v6: V6, forwarded: true }
}

/// Encapsulates a packet that fits for an IPv4 RLOC.
#[inline(always)]
fn put_v4<const V6: bool, B: PacketBuf>(
    buf: &mut B,
    (hash, marks): (u32, Marks),
    header: [u8; lisp::LEN],
    outer: &RlocSlot,
) -> bool {
    // What Ethernet has padded goes. Can only fail for what is left to others as it is.
    let framed = ethernet::LEN + usize::from(marks.len());
    let Some(data) = buf.rehead(pitr::OVERHEAD_V4, framed) else { return false };
    pitr::write_v4(data, &inner::<V6>(hash, marks), header, outer);
    true
}

/// Encapsulates a packet for an IPv6 RLOC, if it fits; for others none do.
#[inline(never)]
fn put_v6<const V6: bool, B: PacketBuf>(
    buf: &mut B,
    (hash, marks): (u32, Marks),
    header: [u8; lisp::LEN],
    outer: &RlocSlot,
) -> bool {
    if marks.len() > outer.room_v6() {
        return false;
    }
    let framed = ethernet::LEN + usize::from(marks.len());
    let Some(data) = buf.rehead(pitr::OVERHEAD_V6, framed) else { return false };
    pitr::write_v6(data, &inner::<V6>(hash, marks), header, outer);
    true
}
