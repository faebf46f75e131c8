//! LISP packets for one of our IPv4 RLOCs, of a PETR, whose native next hop is there: decapsulated.

use super::lanes::{Doing, Done, Row};
use super::native::{self, Hops};
use super::plain::{self, OwnMac};
use crate::buffer::PacketBuf;
use crate::feed::{MapAction, PortSpec, VrfSpec};
use crate::io::{BURST, PacketBurst, Stage};
use crate::lpm::{Key4, Key6, NO_MATCH};
use crate::path::admission::{self, Known};
use crate::path::flow::{self, FlowKey};
use crate::path::{ecn, petr};
use crate::replica::Replica;
use crate::types::{EntryId, InstanceId, VrfId};
use crate::wire::bytes::{be16, be32, chunk};
use crate::wire::{ethernet, ipv4, ipv6, lisp, proto, udp};
use std::net::IpAddr;

/// Where UDP and the inner packet begin.
const UDP: usize = ethernet::LEN + ipv4::MIN_LEN;
const INNER: usize = UDP + udp::LEN + lisp::LEN;
const LEN_V4: usize = INNER + ipv4::MIN_LEN + 4;
const LEN_V6: usize = INNER + ipv6::LEN + 4;

/// Working memory.
#[derive(Debug)]
pub(in crate::worker) struct Inbound {
    v4: Row<Key4, Lane>,
    v6: Row<Key6, Lane>,
}

/// What is known of a plain packet besides its destination.
#[derive(Clone, Copy, Debug)]
struct Lane {
    len: u16,
    /// As they are to be, the hop taken off.
    tos: u8,
    ttl: u8,
    at: u8,
    ecn_strange: bool,
}

const BLANK: Lane = Lane { len: 0, tos: 0, ttl: 0, at: 0, ecn_strange: false };

/// The VRF of the packets of a burst that take this way: that of the first one.
#[derive(Clone, Copy)]
struct Tenant<'a> {
    instance: InstanceId,
    id: VrfId,
    spec: &'a VrfSpec,
}

/// What packets of a burst are compared with.
struct Door<'a> {
    tables: &'a Replica,
    mac: OwnMac,
    own: u32,
    verify: bool,
    /// The RLOC of ours that the last packet was for; no packet is for 0.0.0.0.
    ours: u32,
}

/// Room for the inner packet, and what the outer one hands down.
#[derive(Clone, Copy)]
struct Room {
    bytes: usize,
    tos: u8,
    ttl: u8,
    /// Who sent it.
    source: Key4,
}

/// What is counted.
#[derive(Clone, Copy, Default)]
struct Count {
    packets: u64,
    ecn_strange: u64,
}

impl Inbound {
    pub(in crate::worker) fn new() -> Self {
        Self { v4: Row::new(BLANK), v6: Row::new(BLANK) }
    }

    /// Whether packets of this port may go this way: nothing is to be found out about anybody, and nobody's
    /// LISP headers are heeded.
    #[inline]
    pub(in crate::worker) fn suits(port: &PortSpec, tables: &Replica) -> bool {
        port.underlay && port.sources.is_none() && !tables.any_away() && !tables.is_trusting()
    }

    /// Decapsulates and forwards what is plain and not done yet. Returns how many packets it did,
    /// how many of them had a combination of ECN bits that is to be counted, and their VRF.
    #[inline(never)] // Once a burst; perf/budget.sh counts its instructions.
    pub(in crate::worker) fn run<P: PacketBurst>(
        &mut self,
        (tables, key, verify): (&Replica, &FlowKey, bool),
        burst: &mut P,
        port: &PortSpec,
        done: &mut Done,
        mark: impl Fn(Stage),
    ) -> (u64, u64, VrfId) {
        let tenant = match tables.is_guarded() {
            false => self.look::<P, false>((tables, verify), burst, port, done),
            true => self.look::<P, true>((tables, verify), burst, port, done),
        };
        mark(Stage::Read);
        let Some(tenant) = tenant else { return (0, 0, port.vrf) };
        let Self { v4, v6 } = self;
        let (id, mut count) = (tenant.id, Count::default());
        let by_mapping = tenant.spec.pitr || tenant.spec.rtr;
        // A mapping must not lead out of here, unless it says that it does.
        let stays = |entry| entry == NO_MATCH || may_leave(tables.entry(EntryId(entry)));
        if !v4.is_empty() {
            if by_mapping {
                v4.look_up(|keys, found| tables.map_lookup4_burst(id, keys, found));
                if v4.any_found() {
                    v4.keep(stays);
                }
            }
            v4.look_up(|keys, found| tables.fib_lookup4_burst(id, keys, found));
            mark(Stage::LookedUp);
            strip::<false, _, _>(v4, (Hops::new(tables, id), key), burst, done, &mut count);
            mark(Stage::Rewritten);
        }
        if !v6.is_empty() {
            if by_mapping {
                v6.look_up(|keys, found| tables.map_lookup6_burst(id, keys, found));
                if v6.any_found() {
                    v6.keep(stays);
                }
            }
            v6.look_up(|keys, found| tables.fib_lookup6_burst(id, keys, found));
            mark(Stage::LookedUp);
            strip::<true, _, _>(v6, (Hops::new(tables, id), key), burst, done, &mut count);
            mark(Stage::Rewritten);
        }
        (count.packets, count.ecn_strange, id)
    }

    /// Finds the plain packets. Returns their VRF, if there are any. `GUARDED`: something is asked of
    /// their senders, and those that do not answer to it are not plain.
    #[inline(never)]
    fn look<'a, P: PacketBurst, const GUARDED: bool>(
        &mut self,
        (tables, verify): (&'a Replica, bool),
        burst: &P,
        port: &PortSpec,
        done: &Done,
    ) -> Option<Tenant<'a>> {
        self.v4.clear();
        self.v6.clear();
        let own = port.ipv4.map_or(0, |own| own.to_bits());
        let mut door = Door { tables, mac: OwnMac::new(port.mac.0), own, verify, ours: 0 };
        let mut tenant: Option<Tenant<'a>> = None;
        let some_done = !done.is_empty();
        for at in 0..burst.len().min(BURST) {
            let Some(buf) = burst.get(at) else { break };
            if some_done && done.is_settled(at) {
                continue;
            }
            let data = buf.data();
            let Some(h) = data.first_chunk::<LEN_V4>() else { continue };
            let Some(room) = door.outer(buf, h) else { continue };
            let Some(lisp) = lisp::Lisp::parse(h, INNER - lisp::LEN) else { continue };
            if lisp.is_special() {
                continue;
            }
            if tenant.is_none() {
                tenant = self::tenant(tables, port, lisp.instance);
            }
            let Some(tenant) = tenant.filter(|tenant| tenant.instance == lisp.instance) else { continue };
            if GUARDED && !admitted(room, lisp, tables) {
                continue;
            }
            let at = at as u8;
            if h[INNER] >> 4 == 4 {
                if let Some((destination, lane)) = door.inner_v4::<GUARDED>(h, room, &tenant) {
                    self.v4.add(destination, Lane { at, ..lane });
                }
            } else if let Some(h) = data.first_chunk()
                && let Some((destination, lane)) = door.inner_v6::<GUARDED>(h, room, &tenant)
            {
                self.v6.add(destination, Lane { at, ..lane });
            }
        }
        tenant
    }
}

impl Door<'_> {
    /// The outer headers, up to the end of UDP, of LISP data for one of our RLOCs.
    #[inline(always)]
    fn outer<B: PacketBuf>(&mut self, buf: &B, h: &[u8; LEN_V4]) -> Option<Room> {
        if self.mac.ethertype(h) != ethernet::IPV4 {
            return None;
        }
        let available = buf.total_len().wrapping_sub(ethernet::LEN);
        let ip = plain::v4(chunk(h, ethernet::LEN)?, available, || buf.ip_checksum_known_good())?;
        let (destination, length) = (be16(h, UDP + 2)?, usize::from(be16(h, UDP + 4)?));
        if ip.protocol != proto::UDP || destination != lisp::DATA_PORT || ip.source == self.own {
            return None;
        }
        if ip.destination != self.ours {
            if !self.tables.is_local_rloc4(Key4(ip.destination)) {
                return None;
            }
            self.ours = ip.destination;
        }
        if self.tables.is_local_rloc4(Key4(ip.source)) {
            return None;
        }
        let bytes = length.checked_sub(udp::LEN + lisp::LEN)?;
        let checked = !self.verify || be16(h, UDP + 6) == Some(0) || buf.l4_checksum_known_good();
        let fits = length + ipv4::MIN_LEN <= usize::from(ip.len);
        (fits && checked).then_some(Room { bytes, tos: ip.tos, ttl: ip.ttl, source: Key4(ip.source) })
    }

    /// Reads the inner packet, of at most `room.bytes`.
    #[inline(always)]
    fn inner_v4<const GUARDED: bool>(
        &self,
        h: &[u8; LEN_V4],
        room: Room,
        tenant: &Tenant<'_>,
    ) -> Option<(Key4, Lane)> {
        let ip = plain::v4(chunk(h, INNER)?, room.bytes, || false)?;
        let destination = Key4(ip.destination);
        if self.tables.is_local_rloc4(Key4(ip.source)) || self.tables.is_local_rloc4(destination) {
            return None;
        }
        if GUARDED && !goes_with(tenant, IpAddr::V4(Key4(ip.source).into()), room, self.tables) {
            return None;
        }
        Some((destination, lane(ip.len, (ip.tos, ip.ttl), room, tenant)?))
    }

    #[inline(always)]
    fn inner_v6<const GUARDED: bool>(
        &self,
        h: &[u8; LEN_V6],
        room: Room,
        tenant: &Tenant<'_>,
    ) -> Option<(Key6, Lane)> {
        let ip = plain::v6(chunk(h, INNER)?, room.bytes)?;
        if self.tables.is_local_rloc6(ip.source) || self.tables.is_local_rloc6(ip.destination) {
            return None;
        }
        if GUARDED && !goes_with(tenant, IpAddr::V6(ip.source.into()), room, self.tables) {
            return None;
        }
        Some((ip.destination, lane(ip.len, (ip.tos, ip.ttl), room, tenant)?))
    }
}

/// What comes of the inner and the outer packet's marks.
#[inline(always)]
fn lane(len: u16, (tos, ttl): (u8, u8), room: Room, tenant: &Tenant<'_>) -> Option<Lane> {
    let copy_dscp = tenant.spec.decap_copy_dscp;
    // Equal ECN bits stay as they are, whatever they are: by far the most packets.
    let (tos, ecn_strange) = match (tos ^ room.tos) & ecn::MASK == 0 && !copy_dscp {
        true => (tos, false),
        false => petr::merge_tos(tos, room.tos, copy_dscp).ok()?,
    };
    let ttl = ttl.min(room.ttl);
    (ttl > 1).then(|| Lane { len, tos, ttl: ttl - 1, at: 0, ecn_strange })
}

/// Strips the headers of packets that have a next hop.
#[inline(always)]
fn strip<const V6: bool, K: Copy + Default, P: PacketBurst>(
    row: &Row<K, Lane>,
    (mut hops, key): (Hops<'_>, &FlowKey),
    burst: &mut P,
    done: &mut Done,
    count: &mut Count,
) {
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
        hop.write::<V6>(room);
        native::mark::<V6>(packet, lane.tos, lane.ttl);
        count.ecn_strange += u64::from(lane.ecn_strange);
        done.add(&mut doing, lane.at, hop.port, framed);
    }
    count.packets += done.take_over(doing);
}

/// Flow hash of the inner packet: of those that have several next hops. `None`: not for us to say.
#[cold]
fn hash(data: &[u8], key: &FlowKey) -> Option<u32> {
    let v4 = || {
        let h: &[u8; LEN_V4] = data.first_chunk()?;
        let ip = plain::v4(chunk(h, INNER)?, usize::MAX, || true)?;
        let ports = plain::ports(ip.protocol, be32(h, LEN_V4 - 4)?, key)?;
        Some(key.ipv4(ip.source, ip.destination, flow::input(ip.protocol, ports, false)))
    };
    let v6 = || {
        let h: &[u8; LEN_V6] = data.first_chunk()?;
        let ip = plain::v6(chunk(h, INNER)?, usize::MAX)?;
        let ports = plain::ports(ip.protocol, be32(h, LEN_V6 - 4)?, key)?;
        Some(key.ipv6(ip.source, ip.destination, flow::input(ip.protocol, ports, false)))
    };
    v4().or_else(v6)
}

/// What a mapping says of a packet that may be forwarded natively all the same.
#[inline(always)]
const fn may_leave(action: MapAction) -> bool {
    matches!(action, MapAction::LocalSite | MapAction::NativelyForward)
}

/// The outer source may send to us, with this header.
#[inline(never)]
fn admitted(room: Room, lisp: lisp::Lisp, tables: &Replica) -> bool {
    let source = IpAddr::V4(room.source.into());
    let clear = admission::clear_text(source, tables).is_ok();
    clear && admission::outer(source, tables).is_ok() && admission::header(lisp, tables).is_ok()
}

/// The inner source may be behind the outer one.
#[inline(never)]
fn goes_with(tenant: &Tenant<'_>, source: IpAddr, room: Room, tables: &Replica) -> bool {
    admission::inner(tenant.id, source, IpAddr::V4(room.source.into()), tables) == Ok(Known::Yes)
}

/// The VRF of an Instance-ID, if its packets may go this way.
fn tenant<'a>(tables: &'a Replica, port: &PortSpec, instance: InstanceId) -> Option<Tenant<'a>> {
    let id = tables.vrf_by_iid(instance)?;
    let spec = tables.vrf(id)?;
    let plain = spec.petr && !spec.xtr && spec.clamp_mss_to_mtu.is_none() && port.admits(id);
    (plain && !tables.is_policed(id)).then_some(Tenant { instance, id, spec })
}
