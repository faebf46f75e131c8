//! LISP packets for one of our IPv4 RLOCs, of a PETR, whose native next hop is there: decapsulated.

use super::lanes::{Done, Keys};
use super::{native, plain};
use crate::buffer::PacketBuf;
use crate::feed::{MapAction, PortSpec, VrfSpec};
use crate::io::{BURST, PacketBurst};
use crate::lpm::{Key4, Key6, NO_MATCH};
use crate::path::admission::{self, Known};
use crate::path::flow::{self, FlowKey};
use crate::path::petr;
use crate::replica::Replica;
use crate::types::{EntryId, InstanceId, VrfId};
use crate::wire::{ethernet, ipv4, ipv6, lisp, proto, udp};
use std::net::IpAddr;

/// Where the inner packet begins.
const INNER: usize = ethernet::LEN + ipv4::MIN_LEN + udp::LEN + lisp::LEN;
const LEN_V4: usize = INNER + ipv4::MIN_LEN + 4;
const LEN_V6: usize = INNER + ipv6::LEN + 4;

/// Working memory.
#[derive(Debug)]
pub(in crate::worker) struct Inbound {
    lanes: [Lane; BURST],
    v4: Keys<Key4>,
    v6: Keys<Key6>,
    entries: [u32; BURST],
    routes: [u32; BURST],
}

/// What is known of a plain packet.
#[derive(Clone, Copy, Debug)]
struct Lane {
    hash: u32,
    len: u16,
    at: u8,
    v6: bool,
    /// TOS and TTL as they are, and as they are to be before the hop.
    was: (u8, u8),
    is: (u8, u8),
    ecn_strange: bool,
}

const BLANK: Lane = Lane { hash: 0, len: 0, at: 0, v6: false, was: (0, 0), is: (0, 0), ecn_strange: false };

/// The VRF of the packets of a burst that take this way: that of the first one.
#[derive(Clone, Copy)]
struct Tenant<'a> {
    instance: InstanceId,
    id: VrfId,
    spec: &'a VrfSpec,
}

impl Inbound {
    pub(in crate::worker) fn new() -> Self {
        let words = [0; BURST];
        Self { lanes: [BLANK; BURST], v4: Keys::new(), v6: Keys::new(), entries: words, routes: words }
    }

    /// Whether packets of this port may go this way: nothing is to be found out about anybody.
    #[inline]
    pub(in crate::worker) fn suits(port: &PortSpec, tables: &Replica) -> bool {
        port.underlay && port.sources.is_none() && !tables.any_away()
    }

    /// Decapsulates and forwards what is plain and not done yet. Returns how many packets it did, and
    /// how many of them had a combination of ECN bits that is to be counted.
    #[inline(never)] // Once a burst; perf/budget.sh counts its instructions.
    pub(in crate::worker) fn run<P: PacketBurst>(
        &mut self,
        (tables, key, verify): (&Replica, &FlowKey, bool),
        burst: &mut P,
        port: &PortSpec,
        done: &mut Done,
    ) -> (u64, u64) {
        let (mut packets, mut ecn_strange) = (0, 0);
        let how = (tables, key, verify);
        let (count, tenant) = match tables.is_guarded() {
            false => self.look::<P, false>(how, burst, port, done),
            true => self.look::<P, true>(how, burst, port, done),
        };
        let Some(tenant) = tenant else { return (0, 0) };
        self.look_up(tables, &tenant);
        for ((lane, entry), route) in self.lanes.iter().zip(&self.entries).zip(&self.routes).take(count) {
            // A mapping must not lead out of here, unless it says that it does.
            let stays = |entry| matches!(entry, MapAction::LocalSite | MapAction::NativelyForward);
            if *entry != NO_MATCH && !stays(tables.entry(EntryId(*entry))) {
                continue;
            }
            let Some(hop) = native::next_hop(tables, tenant.id, *route, lane.hash) else { continue };
            let Some(buf) = burst.get_mut(usize::from(lane.at)) else { continue };
            if lane.len > hop.mtu {
                continue;
            }
            if lane.was != lane.is {
                petr::rewrite(buf.data_mut(), INNER, lane.v6, lane.is.0, lane.is.1);
            }
            let framed = ethernet::LEN + usize::from(lane.len);
            buf.trim_front(INNER - ethernet::LEN);
            buf.truncate(framed);
            hop.write(buf, lane.v6);
            packets += 1;
            ecn_strange += u64::from(lane.ecn_strange);
            done.add(lane.at, hop.port, framed);
        }
        (packets, ecn_strange)
    }

    /// Finds the plain packets. Returns how many there are, and their VRF. `GUARDED`: something is asked of
    /// their senders, and those that do not answer to it are not plain.
    #[inline(never)]
    fn look<'a, P: PacketBurst, const GUARDED: bool>(
        &mut self,
        (tables, key, verify): (&'a Replica, &FlowKey, bool),
        burst: &P,
        port: &PortSpec,
        done: &Done,
    ) -> (usize, Option<Tenant<'a>>) {
        self.v4.clear();
        self.v6.clear();
        let own = port.ipv4.map_or(0, |own| own.to_bits());
        let (mut count, mut tenant) = (0, None);
        for at in 0..burst.len().min(BURST) {
            let Some(buf) = burst.get(at) else { break };
            if done.port(at).is_some() {
                continue;
            }
            let Some(room) = outer(buf, port, own, verify, tables) else { continue };
            let Some(lisp) = lisp::Lisp::parse(buf.data(), INNER - lisp::LEN) else { continue };
            if lisp.key != 0 {
                continue;
            }
            if tenant.is_none() {
                tenant = self::tenant(tables, port, lisp.instance);
            }
            let Some(tenant) = tenant.filter(|tenant| tenant.instance == lisp.instance) else { continue };
            if GUARDED && !admitted(room, lisp, tables) {
                continue;
            }
            if self.inner::<_, GUARDED>(buf, room, &tenant, (tables, key), (count, at)).is_some() {
                count += 1;
            }
        }
        (count, tenant)
    }

    /// Reads the inner packet, of at most `room.bytes`.
    #[inline(always)]
    fn inner<B: PacketBuf, const GUARDED: bool>(
        &mut self,
        buf: &B,
        room: Room,
        tenant: &Tenant<'_>,
        (tables, key): (&Replica, &FlowKey),
        (count, at): (usize, usize),
    ) -> Option<()> {
        let data = buf.data();
        let lane = self.lanes.get_mut(count)?;
        let first = *data.get(INNER)?;
        let (ttl, tos, destination);
        if first >> 4 == 4 {
            let [.., p0, p1, p2, p3] = *data.first_chunk::<LEN_V4>()?;
            let ip = plain::v4(data.get(INNER..)?.first_chunk()?, room.bytes, false)?;
            if tables.is_local_rloc4(Key4(ip.source)) || tables.is_local_rloc4(Key4(ip.destination)) {
                return None;
            }
            if GUARDED && !goes_with(tenant, IpAddr::V4(Key4(ip.source).into()), room, tables) {
                return None;
            }
            let ports = plain::ports(ip.protocol, [p0, p1, p2, p3], key)?;
            lane.hash = key.ipv4(ip.source, ip.destination, flow::input(ip.protocol, ports, false));
            (lane.len, lane.v6, ttl, tos) = (ip.len, false, ip.ttl, ip.tos);
            destination = Destination::V4(Key4(ip.destination));
        } else {
            let [.., p0, p1, p2, p3] = *data.first_chunk::<LEN_V6>()?;
            let ip = plain::v6(data.get(INNER..)?.first_chunk()?, room.bytes)?;
            if tables.is_local_rloc6(ip.source) || tables.is_local_rloc6(ip.destination) {
                return None;
            }
            if GUARDED && !goes_with(tenant, IpAddr::V6(ip.source.into()), room, tables) {
                return None;
            }
            let ports = plain::ports(ip.protocol, [p0, p1, p2, p3], key)?;
            lane.hash = key.ipv6(ip.source, ip.destination, flow::input(ip.protocol, ports, false));
            (lane.len, lane.v6, ttl, tos) = (ip.len, true, ip.ttl, ip.tos);
            destination = Destination::V6(ip.destination);
        }
        let (merged, strange) = petr::merge_tos(tos, room.tos, tenant.spec.decap_copy_dscp).ok()?;
        let least = ttl.min(room.ttl);
        (lane.was, lane.is, lane.ecn_strange) = ((tos, ttl), (merged, least), strange);
        lane.at = at as u8;
        if least <= 1 {
            return None;
        }
        match destination {
            Destination::V4(key) => self.v4.add(key, count),
            Destination::V6(key) => self.v6.add(key, count),
        }
        Some(())
    }

    #[inline(always)]
    fn look_up(&mut self, tables: &Replica, tenant: &Tenant<'_>) {
        let vrf = tenant.id;
        if tenant.spec.pitr || tenant.spec.rtr {
            self.v4.resolve(&mut self.entries, |keys, found| tables.map_lookup4_burst(vrf, keys, found));
            self.v6.resolve(&mut self.entries, |keys, found| tables.map_lookup6_burst(vrf, keys, found));
        } else {
            self.entries = [NO_MATCH; BURST];
        }
        self.v4.resolve(&mut self.routes, |keys, found| tables.fib_lookup4_burst(vrf, keys, found));
        self.v6.resolve(&mut self.routes, |keys, found| tables.fib_lookup6_burst(vrf, keys, found));
    }
}

/// Where the inner packet goes.
enum Destination {
    V4(Key4),
    V6(Key6),
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

/// The outer headers, up to the end of UDP, of LISP data for one of our RLOCs.
#[inline(always)]
fn outer<B: PacketBuf>(buf: &B, port: &PortSpec, own: u32, verify: bool, tables: &Replica) -> Option<Room> {
    let h = buf.data().first_chunk::<{ INNER - lisp::LEN }>()?;
    let (ethernet, rest) = h.split_first_chunk()?;
    let (header, udp) = rest.split_first_chunk()?;
    if plain::addressed(ethernet, port.mac.0) != Some(ethernet::IPV4) {
        return None;
    }
    let available = buf.total_len().wrapping_sub(ethernet::LEN);
    let ip = plain::v4(header, available, buf.ip_checksum_known_good())?;
    let udp = udp::Udp::parse(udp, 0)?;
    let ours = tables.is_local_rloc4(Key4(ip.destination)) && !tables.is_local_rloc4(Key4(ip.source));
    let bytes = usize::from(udp.length).checked_sub(udp::LEN + lisp::LEN)?;
    let fits = usize::from(udp.length) + ipv4::MIN_LEN <= usize::from(ip.len);
    let checked = udp.checksum == 0 || !verify || buf.l4_checksum_known_good();
    let lisp = ip.protocol == proto::UDP && udp.destination == lisp::DATA_PORT;
    let plain = ours && fits && checked && lisp && ip.source != own;
    plain.then_some(Room { bytes, tos: ip.tos, ttl: ip.ttl, source: Key4(ip.source) })
}

/// The outer source may send to us, with this header.
#[inline(never)]
fn admitted(room: Room, lisp: lisp::Lisp, tables: &Replica) -> bool {
    let source = IpAddr::V4(room.source.into());
    admission::outer(source, tables).is_ok() && admission::header(lisp, tables).is_ok()
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
    plain.then_some(Tenant { instance, id, spec })
}
