//! LISP packets for one of our IPv4 RLOCs, of a PETR, whose native next hop is there: decapsulated.

use super::columns::word;
use super::decapsulation::{BLANK, Lane, strip};
use super::frames::OwnMac;
use super::lanes::{Done, Row, each};
use super::native::Hops;
use super::unwrapping::{
    Asked, Begun, First, INNER, LEN_V4, LEN_V6, Sets, UDP, Unwrapping, instance_of, is_lisp,
};
use super::{head_v4, head_v6, plain};
use crate::buffer::PacketBuf;
use crate::feed::{MapAction, PortSpec, VrfSpec};
use crate::io::{BURST, PacketBurst, Stage};
use crate::lpm::{Key4, Key6, NO_MATCH};
use crate::path::address::{self, Kind};
use crate::path::admission::{self, Known};
use crate::path::flow::FlowKey;
use crate::path::{ecn, petr};
use crate::replica::Replica;
use crate::types::{EntryId, InstanceId, VrfId};
use crate::wire::bytes::{be16, be32, chunk};
use crate::wire::{ethernet, lisp, udp};
use std::net::IpAddr;

/// Working memory.
#[derive(Debug)]
pub(in crate::worker) struct Inbound {
    unwrapping: Unwrapping,
    v4: Row<Key4, Lane>,
    v6: Row<Key6, Lane>,
    /// Packets with a combination of ECN bits that is to be counted.
    strange: u32,
    /// The VRF that was last asked for.
    last: VrfId,
}

/// The VRF of the packets of a burst that take this way: that of the first one.
#[derive(Clone, Copy)]
struct Tenant<'a> {
    instance: InstanceId,
    id: VrfId,
    spec: &'a VrfSpec,
}

/// What the outer packet hands down.
#[derive(Clone, Copy)]
struct Outer {
    /// Bytes of what is inside, at most.
    room: usize,
    tos: u8,
    ttl: u8,
    source: Key4,
    destination: Key4,
    /// There is a UDP checksum.
    summed: bool,
}

impl Inbound {
    pub(in crate::worker) fn new() -> Self {
        Self {
            unwrapping: Unwrapping::new(),
            v4: Row::new(BLANK),
            v6: Row::new(BLANK),
            strange: 0,
            last: VrfId::NONE,
        }
    }

    /// Whether packets of this port may go this way: nothing is to be found out about anybody, and nobody's
    /// LISP headers are heeded.
    #[inline]
    pub(in crate::worker) fn suits(port: &PortSpec, tables: &Replica) -> bool {
        port.underlay && port.sources.is_none() && !tables.any_away() && !tables.is_trusting()
    }

    /// Whether the first packet of a burst looks as if it were for this way.
    #[inline]
    pub(in crate::worker) fn begins<P: PacketBurst>(burst: &P) -> bool {
        let first = burst.get(0).and_then(|buf| buf.data().first_chunk());
        first.is_some_and(is_lisp)
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
        let tenant = self.look((tables, verify), burst, port, done);
        mark(Stage::Read);
        let Some(tenant) = tenant else { return (0, 0, port.vrf) };
        let Self { v4, v6, strange, .. } = self;
        let (id, mut sent) = (tenant.id, 0u32);
        let by_mapping = tenant.spec.pitr || tenant.spec.rtr;
        // A mapping must not lead out of here, unless it says that it does.
        let stays = |entry| may_leave(tables.entry(EntryId(entry)));
        if !v4.is_empty() {
            if by_mapping {
                v4.look_up(|keys, found| tables.map_lookup4_burst(id, keys, found));
                if v4.any_found() {
                    v4.keep(|entry| entry == NO_MATCH || stays(entry));
                }
            }
            v4.look_up(|keys, found| tables.fib_lookup4_burst(id, keys, found));
            mark(Stage::LookedUp);
            sent |= strip::<false, _, _>(v4, (Hops::new(tables, id), key), burst, done);
            mark(Stage::Rewritten);
        }
        if !v6.is_empty() {
            if by_mapping {
                v6.look_up(|keys, found| tables.map_lookup6_burst(id, keys, found));
                if v6.any_found() {
                    v6.keep(|entry| entry == NO_MATCH || stays(entry));
                }
            }
            v6.look_up(|keys, found| tables.fib_lookup6_burst(id, keys, found));
            mark(Stage::LookedUp);
            sent |= strip::<true, _, _>(v6, (Hops::new(tables, id), key), burst, done);
            mark(Stage::Rewritten);
        }
        (u64::from(sent.count_ones()), u64::from((sent & *strange).count_ones()), id)
    }

    /// Finds the plain packets. Returns their VRF, if there are any.
    #[inline(never)]
    fn look<'a, P: PacketBurst>(
        &mut self,
        (tables, verify): (&'a Replica, bool),
        burst: &P,
        port: &PortSpec,
        done: &Done,
    ) -> Option<Tenant<'a>> {
        let Self { unwrapping, v4, v6, strange, .. } = self;
        v4.clear();
        v6.clear();
        *strange = 0;
        let count = burst.len().min(BURST);
        let all = ((1_u64 << count) - 1) as u32 & !done.settled();
        let first = First::of(burst, all)?;
        let Begun { for_us, whole, ours, instance } = unwrapping.begin(burst, first, OwnMac::new(port.mac.0));
        let all = all & for_us;
        let rlocs = tables.local_rlocs4();
        let rloc = |number: usize| rlocs.get(number).map_or(0, |rloc| rloc.0);
        let last_words = last_words(tables);
        let asked = Asked {
            own: port.ipv4.map_or(0, |own| own.to_bits()),
            rlocs: [rloc(0), rloc(1)],
            rlocs6: last_words.unwrap_or_default(),
            ours,
            instance,
            checksum: if verify { 0xFFFF_0000 } else { 0 },
        };
        let mut sets = unwrapping.look((burst, all, whole), &asked, (v4, v6));
        let guess =
            if is_ours(Key4(ours), tables) { self.tenant(tables, port, instance_of(instance)) } else { None };
        let guess = guess.filter(|tenant| {
            // Otherwise more is to be asked of each packet.
            rlocs.len() <= asked.rlocs.len() && !tables.is_guarded() && !tenant.spec.decap_copy_dscp
        });
        if guess.is_none() {
            (sets.v4, sets.v6) = (0, 0);
        } else if last_words.is_none() {
            sets.v6 = 0;
        }
        let tenant = if guess.is_some() && sets.v4 | sets.v6 == sets.outer {
            guess
        } else {
            self.look_closer((tables, verify), burst, port, &mut sets, guess)
        };
        self.v4.settle(sets.v4, count);
        self.v6.settle(sets.v6, count);
        tenant
    }

    /// The VRF of an Instance-ID, if its packets may go this way. It is looked up when it is another one than the last time.
    fn tenant<'a>(
        &mut self,
        tables: &'a Replica,
        port: &PortSpec,
        instance: InstanceId,
    ) -> Option<Tenant<'a>> {
        // An Instance-ID is that of one VRF alone.
        if tables.vrf(self.last).is_none_or(|spec| spec.instance_id != instance) {
            self.last = tables.vrf_by_iid(instance)?;
        }
        let (id, spec) = (self.last, tables.vrf(self.last)?);
        let plain = spec.petr && !spec.xtr && spec.clamp_mss_to_mtu.is_none() && port.admits(id);
        (plain && !tables.is_policed(id)).then_some(Tenant { instance, id, spec })
    }

    /// Looks at those packets that can not be settled together with others, and adds those that are plain to the sets.
    /// `guess`: the VRF of those that are like each other.
    #[inline(never)]
    fn look_closer<'a, P: PacketBurst>(
        &mut self,
        (tables, verify): (&'a Replica, bool),
        burst: &P,
        port: &PortSpec,
        sets: &mut Sets,
        guess: Option<Tenant<'a>>,
    ) -> Option<Tenant<'a>> {
        // The VRF of those that are like each other, or of the first one.
        let mut tenant = guess.filter(|_| sets.v4 | sets.v6 != 0);
        for at in each(sets.outer & !(sets.v4 | sets.v6)) {
            let Some(buf) = burst.get(at) else { break };
            let Some(h) = buf.data().first_chunk::<LEN_V4>() else { continue };
            let Some(outer) = Outer::read(h) else { continue };
            let Some(lisp) = outer.look(buf, h, verify, tables) else { continue };
            if tenant.is_none() {
                tenant = self.tenant(tables, port, lisp.instance);
            }
            let Some(tenant) = tenant.filter(|tenant| tenant.instance == lisp.instance) else { continue };
            if h[INNER] >> 4 == 6 {
                let is_plain = self.look_into_v6(at, buf, outer, &tenant, tables).is_some();
                sets.v6 |= u32::from(is_plain) << at;
            } else {
                let is_plain = self.look_into_v4(at, h, outer, &tenant, tables).is_some();
                sets.v4 |= u32::from(is_plain) << at;
            }
        }
        tenant
    }

    /// Looks at what could not be asked together of a packet with plain IPv4 inside, and changes its words where its marks
    /// change. `None`: it is not plain.
    fn look_into_v4(
        &mut self,
        at: usize,
        h: &[u8; LEN_V4],
        outer: Outer,
        tenant: &Tenant<'_>,
        tables: &Replica,
    ) -> Option<()> {
        let ip = plain::v4(chunk(h, INNER)?, outer.room, || false)?;
        let source = Key4(ip.source);
        if tables.is_local_rloc4(source) || tables.is_local_rloc4(Key4(ip.destination)) {
            return None;
        }
        if !goes_with(tenant, IpAddr::V4(source.into()), outer, tables) {
            return None;
        }
        let (tos, ttl) = self.marks(at, (ip.tos, ip.ttl), outer, tenant)?;
        let words = (word(h, INNER), word(h, INNER + 8));
        self.v4.columns().1.amend(at, head_v4::marked(words, tos, ttl));
        Some(())
    }

    /// The same for IPv6 inside.
    fn look_into_v6<B: PacketBuf>(
        &mut self,
        at: usize,
        buf: &B,
        outer: Outer,
        tenant: &Tenant<'_>,
        tables: &Replica,
    ) -> Option<()> {
        let h: &[u8; LEN_V6] = buf.data().first_chunk()?;
        let ip = plain::v6(chunk(h, INNER)?, outer.room)?;
        if tables.is_local_rloc6(ip.source) || tables.is_local_rloc6(ip.destination) {
            return None;
        }
        if !goes_with(tenant, IpAddr::V6(ip.source.into()), outer, tables) {
            return None;
        }
        let (tos, ttl) = self.marks(at, (ip.tos, ip.ttl), outer, tenant)?;
        let words = (word(h, INNER), word(h, INNER + 4));
        self.v6.columns().1.amend(at, head_v6::marked(words, tos, ttl));
        Some(())
    }

    /// TOS and TTL as they are to be, the hop taken off: what comes of those of the inner and the outer
    /// packet.
    #[inline(always)]
    fn marks(
        &mut self,
        at: usize,
        (tos, ttl): (u8, u8),
        outer: Outer,
        tenant: &Tenant<'_>,
    ) -> Option<(u8, u8)> {
        let copy_dscp = tenant.spec.decap_copy_dscp;
        // Equal ECN bits stay as they are, whatever they are: by far the most packets.
        let (tos, strange) = match (tos ^ outer.tos) & ecn::MASK == 0 && !copy_dscp {
            true => (tos, false),
            false => petr::merge_tos(tos, outer.tos, copy_dscp).ok()?,
        };
        self.strange |= u32::from(strange) << at;
        let ttl = ttl.min(outer.ttl);
        (ttl > 1).then(|| (tos, ttl - 1))
    }
}

impl Outer {
    /// What plain outer headers say.
    #[inline(always)]
    fn read(h: &[u8; LEN_V4]) -> Option<Self> {
        let room = usize::from(be16(h, UDP + 4)?).checked_sub(udp::LEN + lisp::LEN)?;
        let (source, destination) = (Key4(be32(h, UDP - 8)?), Key4(be32(h, UDP - 4)?));
        let summed = be16(h, UDP + 6)? != 0;
        let (tos, ttl) = (h[ethernet::LEN + 1], h[ethernet::LEN + 8]);
        Some(Self { room, tos, ttl, source, destination, summed })
    }

    /// What could not be asked of all together. Returns the LISP header.
    fn look<B: PacketBuf>(
        &self,
        buf: &B,
        h: &[u8; LEN_V4],
        verify: bool,
        tables: &Replica,
    ) -> Option<lisp::Lisp> {
        let checked = !verify || !self.summed || buf.l4_checksum_known_good();
        if !checked || !is_ours(self.destination, tables) || tables.is_local_rloc4(self.source) {
            return None;
        }
        let lisp = lisp::Lisp::parse(h, INNER - lisp::LEN)?;
        (!tables.is_guarded() || admitted(*self, lisp, tables)).then_some(lisp)
    }
}

/// The last words of our IPv6 RLOCs. `None`: there are too many.
fn last_words(tables: &Replica) -> Option<[u32; 2]> {
    let word = |rloc: &Key6| (rloc.low as u32).swap_bytes();
    match tables.local_rlocs6() {
        // No plain packet is refused for an address that ends so: it is only looked at closer.
        [] => Some([0; 2]),
        [one] => Some([word(one); 2]),
        [one, other] => Some([word(one), word(other)]),
        _ => None,
    }
}

/// Packets for this address may be for us.
fn is_ours(address: Key4, tables: &Replica) -> bool {
    address::kind_v4(address.0) == Kind::Unicast && tables.is_local_rloc4(address)
}

/// What a mapping says of a packet that may be forwarded natively all the same.
#[inline(always)]
const fn may_leave(action: MapAction) -> bool {
    matches!(action, MapAction::LocalSite | MapAction::NativelyForward)
}

/// The outer source may send to us, with this header.
#[inline(never)]
fn admitted(outer: Outer, lisp: lisp::Lisp, tables: &Replica) -> bool {
    let source = IpAddr::V4(outer.source.into());
    let clear = admission::clear_text(source, tables).is_ok();
    clear && admission::outer(source, tables).is_ok() && admission::header(lisp, tables).is_ok()
}

/// The inner source may be behind the outer one.
#[inline(never)]
fn goes_with(tenant: &Tenant<'_>, source: IpAddr, outer: Outer, tables: &Replica) -> bool {
    !tables.is_guarded()
        || admission::inner(tenant.id, source, IpAddr::V4(outer.source.into()), tables) == Ok(Known::Yes)
}
