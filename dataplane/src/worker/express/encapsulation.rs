//! The last step of the way out for packets with a mapping: headers in front, and counted.

use super::lanes::{Doing, Done, Row};
use super::outbound::Lane;
use crate::buffer::PacketBuf;
use crate::feed::{MapAction, Target};
use crate::io::{BURST, PacketBurst};
use crate::mapcache::{EntrySlot, OuterTemplate, RlocWay};
use crate::path::pitr::{self, Inner};
use crate::replica::Replica;
use crate::types::EntryId;
use crate::wire::{ethernet, lisp};

/// Packets with a mapping. Returns how many there were, and which of the row have to wait for one.
#[inline(always)]
pub(super) fn encapsulate<const V6: bool, K: Copy + Default, P: PacketBurst>(
    row: &Row<K, Lane>,
    tables: &Replica,
    burst: &mut P,
    header: [u8; lisp::LEN],
    done: &mut Done,
) -> (u64, u32) {
    let mut slots: [Option<&EntrySlot>; BURST] = [None; BURST];
    for (at, entry) in row.found() {
        if let (Some(found), Some(slot)) = (tables.entry_slot(EntryId(entry)), slots.get_mut(at)) {
            dpdk_sys::prefetch(found);
            *slot = Some(found);
        }
    }
    let mut ways: [Option<RlocWay<'_>>; BURST] = [None; BURST];
    let mut misses = 0u32;
    for (at, lane) in row.lanes() {
        let (Some(Some(slot)), Some(place)) = (slots.get(at), ways.get_mut(at)) else { continue };
        let rloc = match slot.action() {
            MapAction::Encapsulate(Target::Rloc(rloc)) => Some(rloc),
            MapAction::Encapsulate(Target::Set(set)) => tables.set_pick(set, lane.hash),
            MapAction::SendMapRequest => {
                misses |= 1 << at;
                None
            }
            _ => None,
        };
        if let Some(way) = rloc.and_then(|rloc| tables.rloc_way(rloc)) {
            way.prefetch();
            *place = Some(way);
        }
    }
    // Writing headers and counting are two loops: one with both has more on its hands than there are
    // registers.
    let (mut sent, mut doing) = (0u32, Doing::default());
    for (at, lane) in row.lanes() {
        let (Some(Some(way)), Some(buf)) = (ways.get(at), burst.get_mut(usize::from(lane.at))) else {
            continue;
        };
        let Some(outer) = way.ready() else { continue };
        let ready = if outer.is_ipv6() {
            put_v6::<V6, _>(buf, lane, header, outer)
        } else {
            put_v4::<V6, _>(buf, lane, header, outer)
        };
        sent |= u32::from(ready) << at;
    }
    for (at, lane) in row.lanes() {
        if let (true, Some(Some(slot)), Some(Some(way))) = (sent >> at & 1 != 0, slots.get(at), ways.get(at))
            && let Some(outer) = way.ready()
        {
            let len = usize::from(lane.len);
            let outer_len = len + pitr::overhead(outer);
            slot.count(1, len as u64);
            way.count(1, outer_len as u64);
            done.add(&mut doing, lane.at, outer.port(), ethernet::LEN + outer_len);
        }
    }
    (done.take_over(doing), misses)
}

impl Lane {
    #[inline(always)]
    fn inner(&self, v6: bool) -> Inner {
        let Self { hash, len, tos, ttl, .. } = *self;
        Inner { len: u32::from(len), hash, tos, ttl, v6, forwarded: true }
    }
}

/// Encapsulates a packet for an IPv4 RLOC, if it fits.
#[inline(always)]
fn put_v4<const V6: bool, B: PacketBuf>(
    buf: &mut B,
    lane: &Lane,
    header: [u8; lisp::LEN],
    outer: &OuterTemplate,
) -> bool {
    let len = usize::from(lane.len);
    if len + pitr::OVERHEAD_V4 > usize::from(outer.plain_mtu()) {
        return false;
    }
    // What Ethernet has padded goes. Can only fail for what is left to others as it is.
    let Some(data) = buf.rehead(pitr::OVERHEAD_V4, ethernet::LEN + len) else { return false };
    pitr::write_v4(data, &lane.inner(V6), header, outer);
    true
}

/// The same for an IPv6 RLOC.
#[inline(never)]
fn put_v6<const V6: bool, B: PacketBuf>(
    buf: &mut B,
    lane: &Lane,
    header: [u8; lisp::LEN],
    outer: &OuterTemplate,
) -> bool {
    let len = usize::from(lane.len);
    if len + pitr::OVERHEAD_V6 > usize::from(outer.plain_mtu()) {
        return false;
    }
    let Some(data) = buf.rehead(pitr::OVERHEAD_V6, ethernet::LEN + len) else { return false };
    pitr::write_v6(data, &lane.inner(V6), header, outer);
    true
}
