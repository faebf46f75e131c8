//! Native packets of a PITR whose mapping and RLOC are there: encapsulated; those without a mapping
//! whose next hop is there: forwarded.

use super::lanes::{Done, Keys};
use super::{native, plain};
use crate::buffer::PacketBuf;
use crate::feed::{MapAction, PortSpec, Target, VrfSpec};
use crate::io::{BURST, PacketBurst};
use crate::lpm::{Key4, Key6, NO_MATCH};
use crate::mapcache::{EntrySlot, Rloc};
use crate::path::flow::{self, FlowKey};
use crate::path::pitr::{self, Inner};
use crate::replica::Replica;
use crate::types::{EntryId, RlocId, VrfId};
use crate::wire::{ethernet, ipv4, ipv6, lisp, proto};

/// Working memory.
#[derive(Debug)]
pub(in crate::worker) struct Outbound {
    lanes: [Lane; BURST],
    v4: Keys<Key4>,
    v6: Keys<Key6>,
    entries: [u32; BURST],
    routes: [u32; BURST],
}

/// What is known of a plain packet.
#[derive(Clone, Copy, Debug)]
struct Lane {
    inner: Inner,
    at: u8,
    rloc: RlocId,
}

impl Lane {
    const BLANK: Self = Self { inner: Inner::BLANK, at: 0, rloc: RlocId(0) };
}

/// Bytes that a plain frame has at least: to the ports.
const LEN_V4: usize = ethernet::LEN + ipv4::MIN_LEN + 4;
const LEN_V6: usize = ethernet::LEN + ipv6::LEN + 4;

impl Outbound {
    pub(in crate::worker) fn new() -> Self {
        Self {
            lanes: [Lane::BLANK; BURST],
            v4: Keys::new(),
            v6: Keys::new(),
            entries: [0; BURST],
            routes: [0; BURST],
        }
    }

    /// Whether packets of this port may go this way: nothing is to be found out about their sources, and
    /// their outer headers are like the inner ones.
    #[inline]
    pub(in crate::worker) fn suits(port: &PortSpec, vrf: &VrfSpec) -> bool {
        let changed = vrf.encap_dscp.is_some() || vrf.clamp_mss_to_mtu.is_some();
        port.native && vrf.pitr && port.sources.is_none() && !changed
    }

    /// Encapsulates or forwards what is plain. Returns how many packets went which way.
    #[inline(never)] // Once a burst; perf/budget.sh counts its instructions.
    pub(in crate::worker) fn run<P: PacketBurst>(
        &mut self,
        (tables, key): (&Replica, &FlowKey),
        burst: &mut P,
        (port, vrf): (&PortSpec, &VrfSpec),
        done: &mut Done,
    ) -> (u64, u64) {
        let count = self.look((tables, key), burst, port);
        self.look_up(tables, port.vrf);
        let missing = self.entries.iter().take(count).any(|entry| *entry == NO_MATCH);
        let forwarded = if missing { self.forward(tables, burst, (port.vrf, count), done) } else { 0 };
        let encapsulated = self.encapsulate(tables, burst, (vrf, count), done);
        (encapsulated, forwarded)
    }

    /// Packets with a mapping.
    #[inline(always)]
    fn encapsulate<P: PacketBurst>(
        &mut self,
        tables: &Replica,
        burst: &mut P,
        (vrf, count): (&VrfSpec, usize),
        done: &mut Done,
    ) -> u64 {
        let mut slots: [Option<&EntrySlot>; BURST] = [None; BURST];
        for (slot, entry) in slots.iter_mut().zip(&self.entries).take(count) {
            if *entry != NO_MATCH {
                *slot = tables.entry_slot(EntryId(*entry));
                if let Some(slot) = slot {
                    dpdk_sys::prefetch(*slot);
                }
            }
        }
        for (lane, slot) in self.lanes.iter_mut().zip(&mut slots).take(count) {
            let target = slot.and_then(|slot| match slot.action() {
                MapAction::Encapsulate(Target::Rloc(rloc)) => Some(rloc),
                MapAction::Encapsulate(Target::Set(set)) => tables.set_pick(set, lane.inner.hash),
                _ => None,
            });
            match target {
                Some(rloc) => {
                    lane.rloc = rloc;
                    tables.prefetch_rloc(rloc);
                }
                None => *slot = None,
            }
        }
        let mut packets = 0;
        let header = lisp::Lisp::header(vrf.instance_id);
        for (lane, slot) in self.lanes.iter().zip(slots).take(count) {
            let (Some(slot), Some(buf)) = (slot, burst.get_mut(usize::from(lane.at))) else { continue };
            let Rloc::Ready(outer) = tables.rloc(lane.rloc) else { continue };
            let Inner { len, .. } = lane.inner;
            let overhead = pitr::overhead(outer);
            if len as usize + overhead > usize::from(outer.plain_mtu()) {
                continue;
            }
            // What Ethernet has padded goes; both can only fail for what is left to others as it is.
            let framed = ethernet::LEN + len as usize;
            if (buf.total_len() != framed && !buf.truncate(framed)) || buf.prepend(overhead).is_none() {
                continue;
            }
            pitr::write(buf.data_mut(), &lane.inner, header, outer);
            slot.count(1, u64::from(len));
            tables.count_rloc(lane.rloc, u64::from(len) + overhead as u64);
            done.add(lane.at, outer.port(), framed + overhead);
            packets += 1;
        }
        packets
    }

    /// Packets without a mapping.
    fn forward<P: PacketBurst>(
        &mut self,
        tables: &Replica,
        burst: &mut P,
        (vrf, count): (VrfId, usize),
        done: &mut Done,
    ) -> u64 {
        let Self { v4, v6, entries, routes, lanes } = self;
        v4.resolve_missing(entries, routes, |keys, found| tables.fib_lookup4_burst(vrf, keys, found));
        v6.resolve_missing(entries, routes, |keys, found| tables.fib_lookup6_burst(vrf, keys, found));
        let mut packets = 0;
        for ((lane, entry), route) in lanes.iter().zip(entries).zip(routes).take(count) {
            if *entry != NO_MATCH {
                continue;
            }
            let Inner { len, v6, hash, .. } = lane.inner;
            let Some(hop) = native::next_hop(tables, vrf, *route, hash) else { continue };
            let Some(buf) = burst.get_mut(usize::from(lane.at)) else { continue };
            let framed = ethernet::LEN + len as usize;
            if len > u32::from(hop.mtu) || (buf.total_len() != framed && !buf.truncate(framed)) {
                continue;
            }
            hop.write(buf, v6);
            done.add(lane.at, hop.port, framed);
            packets += 1;
        }
        packets
    }

    /// Finds the plain packets and gathers their keys. Returns how many there are.
    #[inline(never)]
    fn look<P: PacketBurst>(
        &mut self,
        (tables, key): (&Replica, &FlowKey),
        burst: &P,
        port: &PortSpec,
    ) -> usize {
        self.v4.clear();
        self.v6.clear();
        let own4 = port.ipv4.map_or(0, |own| own.to_bits());
        let own6 = port.ipv6.map_or(Key6::default(), Key6::from);
        let mut count = 0;
        for at in 0..burst.len().min(BURST) {
            let (Some(buf), Some(lane)) = (burst.get(at), self.lanes.get_mut(count)) else { break };
            let data = buf.data();
            let available = buf.total_len().wrapping_sub(ethernet::LEN);
            let Some((ethernet, _)) = data.split_first_chunk() else { continue };
            match plain::addressed(ethernet, port.mac.0) {
                Some(ethernet::IPV4) => {
                    let Some(h) = data.first_chunk::<LEN_V4>() else { continue };
                    let ([.., p0, p1, p2, p3], Some((_, header))) =
                        (h, h.split_first_chunk::<{ ethernet::LEN }>())
                    else {
                        continue;
                    };
                    let Some(header) = header.first_chunk() else { continue };
                    let Some(ip) = plain::v4(header, available, buf.ip_checksum_known_good()) else {
                        continue;
                    };
                    let Some(ports) = plain::ports(ip.protocol, [*p0, *p1, *p2, *p3], key) else { continue };
                    let for_us = port.underlay && tables.is_local_rloc4(Key4(ip.destination));
                    if ip.source == own4 || ip.ttl <= 1 || is_lisp(ip.protocol, ports) || for_us {
                        continue;
                    }
                    let hash = key.ipv4(ip.source, ip.destination, flow::input(ip.protocol, ports, false));
                    let (len, tos, ttl) = (u32::from(ip.len), ip.tos, ip.ttl);
                    lane.inner = Inner { len, hash, tos, ttl, v6: false, forwarded: true };
                    self.v4.add(Key4(ip.destination), count);
                }
                Some(ethernet::IPV6) => {
                    let Some(h) = data.first_chunk::<LEN_V6>() else { continue };
                    let ([.., p0, p1, p2, p3], Some((_, header))) =
                        (h, h.split_first_chunk::<{ ethernet::LEN }>())
                    else {
                        continue;
                    };
                    let Some(header) = header.first_chunk() else { continue };
                    let Some(ip) = plain::v6(header, available) else { continue };
                    let Some(ports) = plain::ports(ip.protocol, [*p0, *p1, *p2, *p3], key) else { continue };
                    let for_us = port.underlay && tables.is_local_rloc6(ip.destination);
                    if ip.source == own6 || ip.ttl <= 1 || is_lisp(ip.protocol, ports) || for_us {
                        continue;
                    }
                    let hash = key.ipv6(ip.source, ip.destination, flow::input(ip.protocol, ports, false));
                    let (len, tos, ttl) = (u32::from(ip.len), ip.tos, ip.ttl);
                    lane.inner = Inner { len, hash, tos, ttl, v6: true, forwarded: true };
                    self.v6.add(ip.destination, count);
                }
                _ => continue,
            }
            lane.at = at as u8;
            count += 1;
        }
        count
    }

    #[inline(always)]
    fn look_up(&mut self, tables: &Replica, vrf: VrfId) {
        self.v4.resolve(&mut self.entries, |keys, found| tables.map_lookup4_burst(vrf, keys, found));
        self.v6.resolve(&mut self.entries, |keys, found| tables.map_lookup6_burst(vrf, keys, found));
    }
}

/// LISP data, perhaps nested: not plain.
#[inline(always)]
fn is_lisp(protocol: u8, ports: u32) -> bool {
    protocol == proto::UDP && ports as u16 == lisp::DATA_PORT
}
