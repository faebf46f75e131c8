//! Native packets of a PITR whose mapping and RLOC are there: encapsulated; those without a mapping
//! whose next hop is there: forwarded.

use super::lanes::{Doing, Done, Row};
use super::native::Hops;
use super::plain::{self, OwnMac};
use crate::buffer::PacketBuf;
use crate::feed::{MapAction, PortSpec, Target, VrfSpec};
use crate::fib::RouteRef;
use crate::io::{BURST, PacketBurst, Stage};
use crate::lpm::{Key4, Key6, NO_MATCH};
use crate::mapcache::{EntrySlot, OuterTemplate, RlocWay};
use crate::path::flow::{self, FlowKey};
use crate::path::pitr::{self, Inner};
use crate::replica::Replica;
use crate::types::{EntryId, VrfId};
use crate::wire::bytes::{be32, chunk};
use crate::wire::{ethernet, ipv4, ipv6, lisp, proto};

/// Working memory.
#[derive(Debug)]
pub(in crate::worker) struct Outbound {
    v4: Row<Key4, Lane>,
    v6: Row<Key6, Lane>,
    /// Packets that would have to wait for a mapping.
    misses_v4: Row<Key4, Lane>,
    misses_v6: Row<Key6, Lane>,
}

/// What is known of a plain packet besides its destination.
#[derive(Clone, Copy, Debug)]
struct Lane {
    hash: u32,
    len: u16,
    tos: u8,
    ttl: u8,
    at: u8,
}

const BLANK: Lane = Lane { hash: 0, len: 0, tos: 0, ttl: 0, at: 0 };

/// Bytes that a plain frame has at least: to the ports.
const LEN_V4: usize = ethernet::LEN + ipv4::MIN_LEN + 4;
const LEN_V6: usize = ethernet::LEN + ipv6::LEN + 4;

/// What packets of a burst are compared with.
struct Door<'a> {
    tables: &'a Replica,
    key: &'a FlowKey,
    mac: OwnMac,
    own4: u32,
    own6: Key6,
    underlay: bool,
}

impl Outbound {
    pub(in crate::worker) fn new() -> Self {
        Self {
            v4: Row::new(BLANK),
            v6: Row::new(BLANK),
            misses_v4: Row::new(BLANK),
            misses_v6: Row::new(BLANK),
        }
    }

    /// Whether packets of this port may go this way: nothing is to be found out about their sources, and
    /// their outer headers are like the inner ones.
    #[inline]
    pub(in crate::worker) fn suits(port: &PortSpec, vrf: &VrfSpec) -> bool {
        let changed = vrf.encap_dscp.is_some() || vrf.clamp_mss_to_mtu.is_some();
        port.native && vrf.pitr && port.sources.is_none() && !changed
    }

    /// Encapsulates or forwards what is plain. Returns how many packets went which way, and the bytes of those
    /// that were encapsulated. `closed`: no packet can wait for a mapping now.
    #[inline(never)] // Once a burst; perf/budget.sh counts its instructions.
    pub(in crate::worker) fn run<P: PacketBurst>(
        &mut self,
        (tables, key, closed): (&Replica, &FlowKey, bool),
        burst: &mut P,
        (port, vrf): (&PortSpec, &VrfSpec),
        done: &mut Done,
        mark: impl Fn(Stage),
    ) -> (u64, u64, u64) {
        self.look((tables, key), burst, port);
        mark(Stage::Read);
        let Self { v4, v6, misses_v4, misses_v6 } = self;
        let (id, header) = (port.vrf, lisp::Lisp::header(vrf.instance_id));
        let (mut encapsulated, mut forwarded, mut bytes) = (0, 0, 0);
        if !v4.is_empty() {
            v4.look_up(|keys, found| tables.map_lookup4_burst(id, keys, found));
            mark(Stage::LookedUp);
            let (done_now, misses) = encapsulate::<false, _, _>(v4, tables, burst, header, done);
            mark(Stage::Rewritten);
            encapsulated += done_now;
            bytes += done.bytes;
            if closed && misses != 0 {
                let entries = misses_v4.take_from(v4, misses);
                misses_v4.look_up(|keys, found| tables.fib_lookup4_burst(id, keys, found));
                let ours = |key| tables.is_local_rloc4(key);
                turn_away(misses_v4, &entries, (tables, id), ours, done);
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
            let (done_now, misses) = encapsulate::<true, _, _>(v6, tables, burst, header, done);
            mark(Stage::Rewritten);
            encapsulated += done_now;
            bytes += done.bytes - before;
            if closed && misses != 0 {
                let entries = misses_v6.take_from(v6, misses);
                misses_v6.look_up(|keys, found| tables.fib_lookup6_burst(id, keys, found));
                let ours = |key| tables.is_local_rloc6(key);
                turn_away(misses_v6, &entries, (tables, id), ours, done);
            }
            if v6.any_missing() {
                v6.keep(|entry| entry == NO_MATCH);
                v6.look_up(|keys, found| tables.fib_lookup6_burst(id, keys, found));
                forwarded += forward::<true, _, _>(v6, Hops::new(tables, id), burst, done);
            }
        }
        (encapsulated, forwarded, bytes)
    }

    /// Finds the plain packets and gathers their keys.
    #[inline(never)]
    fn look<P: PacketBurst>(&mut self, (tables, key): (&Replica, &FlowKey), burst: &P, port: &PortSpec) {
        self.v4.clear();
        self.v6.clear();
        let door = Door {
            tables,
            key,
            mac: OwnMac::new(port.mac.0),
            own4: port.ipv4.map_or(0, |own| own.to_bits()),
            own6: port.ipv6.map_or(Key6::default(), Key6::from),
            underlay: port.underlay,
        };
        for at in 0..burst.len().min(BURST) {
            let Some(buf) = burst.get(at) else { break };
            let data = buf.data();
            let Some(h) = data.first_chunk::<LEN_V4>() else { continue };
            match door.mac.ethertype(h) {
                ethernet::IPV4 => {
                    if let Some((destination, lane)) = door.look_v4(buf, h) {
                        self.v4.add(destination, Lane { at: at as u8, ..lane });
                    }
                }
                ethernet::IPV6 => {
                    if let Some(h) = data.first_chunk()
                        && let Some((destination, lane)) = door.look_v6(buf, h)
                    {
                        self.v6.add(destination, Lane { at: at as u8, ..lane });
                    }
                }
                _ => {}
            }
        }
    }
}

impl Door<'_> {
    #[inline(always)]
    fn look_v4<B: PacketBuf>(&self, buf: &B, h: &[u8; LEN_V4]) -> Option<(Key4, Lane)> {
        let available = buf.total_len().wrapping_sub(ethernet::LEN);
        let ip = plain::v4(chunk(h, ethernet::LEN)?, available, || buf.ip_checksum_known_good())?;
        let ports = plain::ports(ip.protocol, be32(h, LEN_V4 - 4)?, self.key)?;
        let destination = Key4(ip.destination);
        if ip.source == self.own4 || ip.ttl <= 1 || is_lisp(ip.protocol, ports) {
            return None;
        }
        if self.underlay && self.tables.is_local_rloc4(destination) {
            return None;
        }
        let hash = self.key.ipv4(ip.source, ip.destination, flow::input(ip.protocol, ports, false));
        Some((destination, Lane { hash, len: ip.len, tos: ip.tos, ttl: ip.ttl, at: 0 }))
    }

    #[inline(always)]
    fn look_v6<B: PacketBuf>(&self, buf: &B, h: &[u8; LEN_V6]) -> Option<(Key6, Lane)> {
        let available = buf.total_len().wrapping_sub(ethernet::LEN);
        let ip = plain::v6(chunk(h, ethernet::LEN)?, available)?;
        let ports = plain::ports(ip.protocol, be32(h, LEN_V6 - 4)?, self.key)?;
        if ip.source == self.own6 || ip.ttl <= 1 || is_lisp(ip.protocol, ports) {
            return None;
        }
        if self.underlay && self.tables.is_local_rloc6(ip.destination) {
            return None;
        }
        let hash = self.key.ipv6(ip.source, ip.destination, flow::input(ip.protocol, ports, false));
        Some((ip.destination, Lane { hash, len: ip.len, tos: ip.tos, ttl: ip.ttl, at: 0 }))
    }
}

/// LISP data, perhaps nested: not plain.
#[inline(always)]
fn is_lisp(protocol: u8, ports: u32) -> bool {
    ports as u16 == lisp::DATA_PORT && protocol == proto::UDP
}

/// Packets with a mapping. Returns how many there were, and which of the row have to wait for one.
#[inline(always)]
fn encapsulate<const V6: bool, K: Copy + Default, P: PacketBurst>(
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

/// Packets that would have to wait for a mapping, and can not: what `path/route.rs` does with them, but
/// that they are dropped together. Those for ourselves are left to it.
#[inline(never)]
fn turn_away<K: Copy + Default>(
    misses: &Row<K, Lane>,
    entries: &[u32; BURST],
    (tables, vrf): (&Replica, VrfId),
    is_local_rloc: impl Fn(K) -> bool,
    done: &mut Done,
) {
    for (((lane, route), key), entry) in misses.answers().zip(misses.keys()).zip(entries) {
        let local = || tables.route(vrf, route).is_some_and(|hit| hit.route == RouteRef::Local);
        if is_local_rloc(*key) || local() {
            continue;
        }
        tables.count(EntryId(*entry), u64::from(lane.len));
        done.doom(lane.at);
    }
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
        let framed = ethernet::LEN + usize::from(lane.len);
        if lane.len > hop.mtu {
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
