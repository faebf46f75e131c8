//! RLOC slots: each RLOC of a mapping in use, resolved through the underlay FIB to a next hop.
//!
//! RLOCs are reached by the underlay's routes only. One that lies in our own EID space, or
//! is ourselves, is not used: the packet would come back.

use super::echoes::Echoes;
use super::fib::{Fib, Rib};
use super::hops::{Context, HopState, Hops, Use};
use super::output::Output;
use super::path_mtu::PathMtus;
use super::seals::Seals;
use super::slots::SlotPool;
use super::spec::FeederSpec;
use crate::engine::Translated;
use crate::engine::event::{Event, Seal, Time};
use ipnet::IpNet;
use pxtr_dataplane::echo::{EchoMark, EchoNonce};
use pxtr_dataplane::feed::{Delta, OuterPorts, RlocOptions, RlocRewrite, RlocState};
use pxtr_dataplane::types::{AdjacencyId, LocatorSetId, RlocId, VrfId};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::IpAddr;

/// Why an RLOC is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DownReason {
    /// The engine's word: probes unanswered, or the like.
    Engine,
    /// No RLOC of our own in its family.
    NoSource,
    /// No underlay route, or one that rejects.
    NoRoute,
    /// The underlay's next hop does not answer.
    NextHop,
    /// The route leads out of a port that is not part of the underlay.
    NotUnderlay,
    /// It lies in our own EID space.
    EidSpace,
    /// It is an address of our own.
    Own,
    /// Not an address that a packet can be sent to.
    Invalid,
    /// Packets to it must be encrypted, and it gives no key.
    NoKey,
}

impl DownReason {
    /// For people and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Engine => "unreachable",
            Self::NoSource => "no-rloc-of-this-family",
            Self::NoRoute => "no-underlay-route",
            Self::NextHop => "next-hop-failed",
            Self::NotUnderlay => "route-leaves-underlay",
            Self::EidSpace => "in-eid-space",
            Self::Own => "own-address",
            Self::Invalid => "invalid-address",
            Self::NoKey => "no-encryption-key",
        }
    }
}

/// An RLOC in use.
#[derive(Debug)]
pub(super) struct RlocEntry {
    pub(super) slot: RlocId,
    users: u32,
    /// Next hops it may leave by: all legs of its route.
    legs: Box<[AdjacencyId]>,
    pub(super) sets: BTreeSet<LocatorSetId>,
    pub(super) state: RlocState,
    pub(super) down: Option<DownReason>,
    reachable: bool,
}

impl RlocEntry {
    /// Next hops it may leave by.
    pub(super) fn legs(&self) -> &[AdjacencyId] {
        &self.legs
    }
}

/// All RLOCs in use.
#[derive(Debug)]
pub(super) struct Rlocs {
    slots: SlotPool,
    entries: BTreeMap<IpAddr, RlocEntry>,
    by_slot: HashMap<RlocId, IpAddr>,
    /// RLOCs that the engine declared down.
    engine_down: HashSet<IpAddr>,
    pub(super) path_mtus: PathMtus,
    seals: Seals,
    echoes: Echoes,
    /// RLOCs that found no slot.
    pub(super) refused: u64,
}

/// What an RLOC is resolved with besides the hops.
#[derive(Clone, Copy)]
pub(super) struct Underlay<'a> {
    pub(super) spec: &'a FeederSpec,
    pub(super) fib: &'a Fib,
}

impl Rlocs {
    pub(super) fn new(limit: u32) -> Self {
        Self {
            slots: SlotPool::new(limit),
            entries: BTreeMap::new(),
            by_slot: HashMap::new(),
            engine_down: HashSet::new(),
            path_mtus: PathMtus::default(),
            seals: Seals::default(),
            echoes: Echoes::default(),
            refused: 0,
        }
    }

    pub(super) fn get(&self, addr: IpAddr) -> Option<&RlocEntry> {
        self.entries.get(&addr)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (IpAddr, &RlocEntry)> {
        self.entries.iter().map(|(addr, entry)| (*addr, entry))
    }

    pub(super) fn of_slot(&self, slot: RlocId) -> Option<IpAddr> {
        self.by_slot.get(&slot).copied()
    }

    /// May it carry traffic?
    pub(super) fn is_up(&self, addr: IpAddr) -> bool {
        self.entries.get(&addr).is_some_and(|e| e.down.is_none())
    }

    pub(super) fn in_use(&self) -> u32 {
        self.slots.in_use()
    }

    pub(super) fn settle(&mut self, applied: u64) {
        self.slots.settle(applied);
    }

    /// The RLOCs that packets go to addresses inside a prefix for.
    pub(super) fn inside(&self, prefix: IpNet) -> Vec<IpAddr> {
        let plain = self.entries.range(prefix.network()..=prefix.broadcast());
        let through_nat = match prefix {
            IpNet::V4(prefix) => Some(self.entries.range(Translated::inside(prefix))),
            IpNet::V6(_) => None,
        };
        plain.chain(through_nat.into_iter().flatten()).map(|(addr, _)| *addr).collect()
    }

    /// The RLOC's slot, made if need be, with one more user. `None`: no slot left.
    pub(super) fn acquire(
        &mut self,
        addr: IpAddr,
        underlay: Underlay<'_>,
        hops: &mut Hops,
        cx: &mut Context<'_>,
    ) -> Option<RlocId> {
        if let Some(entry) = self.entries.get_mut(&addr) {
            entry.users += 1;
            return Some(entry.slot);
        }
        let Some(slot) = self.slots.take().map(RlocId) else {
            self.refused += 1;
            return None;
        };
        let entry = RlocEntry {
            slot,
            users: 1,
            legs: Box::default(),
            sets: BTreeSet::new(),
            state: RlocState::Down,
            down: None,
            reachable: true,
        };
        self.entries.insert(addr, entry);
        self.by_slot.insert(slot, addr);
        cx.out.rebound_rlocs.push(slot);
        self.seals.tell(addr, slot, cx.out);
        self.resolve_with(addr, true, underlay, hops, cx);
        Some(slot)
    }

    /// One user less; the slot goes when it was the last.
    pub(super) fn release(&mut self, addr: IpAddr, hops: &mut Hops, cx: &mut Context<'_>) {
        let Some(entry) = self.entries.get_mut(&addr) else { return };
        entry.users -= 1;
        if entry.users > 0 {
            return;
        }
        if let Some(entry) = self.entries.remove(&addr) {
            self.by_slot.remove(&entry.slot);
            self.path_mtus.forget(addr);
            self.seals.take_back(addr, entry.slot, cx.out);
            self.slots.give_back(entry.slot.0, cx.out.sequence());
            for leg in &entry.legs {
                hops.release(*leg, Use::Rloc(addr), cx.out);
            }
        }
    }

    /// Notes that a locator-set holds the RLOC, or no longer does.
    pub(super) fn note_set(&mut self, addr: IpAddr, set: LocatorSetId, member: bool) {
        if let Some(entry) = self.entries.get_mut(&addr) {
            if member {
                entry.sets.insert(set);
            } else {
                entry.sets.remove(&set);
            }
        }
    }

    /// The engine declared an RLOC down or up. To be resolved again.
    pub(super) fn set_engine_state(&mut self, addr: IpAddr, up: bool) {
        if up {
            self.engine_down.remove(&addr);
        } else {
            self.engine_down.insert(addr);
        }
    }

    /// How far the key exchange with an RLOC is. To be resolved again.
    pub(super) fn set_seal(&mut self, addr: IpAddr, seal: &Seal, out: &mut Output) {
        let slot = self.entries.get(&addr).map(|entry| entry.slot);
        if let (Seal::Forget, Some(slot)) = (seal, slot) {
            self.seals.take_back(addr, slot, out);
        }
        self.seals.set(addr, seal);
        if let Some(slot) = slot {
            self.seals.tell(addr, slot, out);
        }
    }

    /// What echoes are asked of an RLOC or given to it. To be resolved again.
    pub(super) fn set_echo(
        &mut self,
        addr: IpAddr,
        mark: Option<EchoMark>,
        awaited: Option<EchoNonce>,
        out: &mut Output,
    ) {
        self.echoes.set(addr, mark, awaited, out);
    }

    /// The engine starts anew and will say again which RLOCs are down, and what is to be echoed: all are up
    /// until then, and nothing is.
    pub(super) fn forget_engine_states(&mut self, out: &mut Output) -> Vec<IpAddr> {
        self.engine_down.drain().chain(self.echoes.forget(out)).collect()
    }

    /// The core says what the path to an RLOC lets through. True: that is news.
    pub(super) fn learn_path_mtu(&mut self, addr: IpAddr, mtu: u16, now: Time) -> bool {
        match self.entries.get(&addr).map(|entry| &entry.state) {
            Some(RlocState::Ready(rewrite)) => self.path_mtus.learn(addr, mtu, rewrite.mtu, now),
            _ => false,
        }
    }

    /// Works out anew how to reach an RLOC. True: its usability changed.
    pub(super) fn resolve(
        &mut self,
        addr: IpAddr,
        underlay: Underlay<'_>,
        hops: &mut Hops,
        cx: &mut Context<'_>,
    ) -> bool {
        self.resolve_with(addr, false, underlay, hops, cx)
    }

    fn resolve_with(
        &mut self,
        addr: IpAddr,
        first: bool,
        underlay: Underlay<'_>,
        hops: &mut Hops,
        cx: &mut Context<'_>,
    ) -> bool {
        let Some(entry) = self.entries.get_mut(&addr) else { return false };
        // The way to a router behind a NAT is the way to the NAT.
        let real = Translated::real(addr);
        let path = path(real, underlay, cx);
        let (wanted, mtu) = match &path {
            Ok(path) => (path.legs(real, underlay.fib, hops), path.mtu),
            Err(_) => (Vec::new(), None),
        };
        let legs: Box<[_]> =
            wanted.iter().filter_map(|key| hops.acquire(*key, Use::Rloc(addr), cx)).collect();
        for old in entry.legs.iter().filter(|old| !legs.contains(old)) {
            hops.release(*old, Use::Rloc(addr), cx.out);
        }
        entry.legs = legs;
        // The least of route, port and what the core let through.
        let learnt = self.path_mtus.of(addr).map(u32::from);
        let mtu = mtu.into_iter().chain(learnt).min();
        let underlay_state = path.and_then(|_| ready(addr, underlay.spec, &entry.legs, mtu, hops, cx));
        let reachable = underlay_state.is_ok();
        let sealed = underlay_state
            .map(|state| self.echoes.mark(addr, state))
            .and_then(|state| self.seals.seal(addr, state, underlay.spec));
        if first || reachable != entry.reachable {
            entry.reachable = reachable;
            cx.out.events.push(Event::UnderlayChanged { rloc: addr, reachable });
        }
        let (state, down) = match sealed {
            Err(why) => (RlocState::Down, Some(why)),
            Ok(_) if self.engine_down.contains(&addr) => (RlocState::Down, Some(DownReason::Engine)),
            Ok(state) => (state, None),
        };
        let changed = entry.down.is_some() != down.is_some();
        entry.down = down;
        if first || state != entry.state {
            entry.state = state.clone();
            cx.out.delta(Delta::RlocSet(entry.slot, state));
        }
        changed
    }
}

/// A way to an RLOC, before its next hops have slots.
struct Path {
    vrf: VrfId,
    mtu: Option<u32>,
}

impl Path {
    /// Next hops it may leave by, without repetition.
    fn legs(&self, addr: IpAddr, fib: &Fib, hops: &Hops) -> Vec<(pxtr_dataplane::types::PortId, IpAddr)> {
        let ids = match fib.lookup(self.vrf, addr) {
            Some((_, Rib::Connected(port))) => return vec![(*port, addr)],
            Some((_, Rib::Via(id))) => std::slice::from_ref(id),
            Some((_, Rib::Multi(ids))) => &ids[..],
            _ => &[],
        };
        let mut out: Vec<_> = ids.iter().filter_map(|id| hops.get(*id)).map(|h| (h.port, h.addr)).collect();
        out.sort_unstable();
        out.dedup();
        out
    }
}

/// Whether there is a route to an RLOC that may be used, and from which source.
fn path(addr: IpAddr, underlay: Underlay<'_>, cx: &Context<'_>) -> Result<Path, DownReason> {
    if !is_rloc(addr) {
        return Err(DownReason::Invalid);
    }
    let spec = underlay.spec;
    let vrf = spec.underlay().ok_or(DownReason::NoRoute)?;
    if spec.is_local_rloc(addr) {
        return Err(DownReason::Own);
    }
    if vrf.eid_space.iter().chain(&vrf.local_eids).any(|p| p.contains(&addr)) {
        return Err(DownReason::EidSpace);
    }
    own_rlocs(spec, addr).next().ok_or(DownReason::NoSource)?;
    let (prefix, rib) = underlay.fib.lookup(vrf.id, addr).ok_or(DownReason::NoRoute)?;
    match rib {
        Rib::Local => return Err(DownReason::Own),
        Rib::Reject(_) => return Err(DownReason::NoRoute),
        Rib::Connected(_) | Rib::Via(_) | Rib::Multi(_) => {}
    }
    let mtu = cx.view.routes(vrf.table, prefix).next().and_then(|r| r.mtu);
    Ok(Path { vrf: vrf.id, mtu })
}

/// Our RLOCs of the family of `addr`, in order of preference as sources: shared ones are there to be
/// the source, so that packets of a flow look the same whichever proxy they take.
fn own_rlocs(spec: &FeederSpec, addr: IpAddr) -> impl Iterator<Item = IpAddr> {
    let family = move |own: &IpAddr| own.is_ipv4() == addr.is_ipv4();
    let shared = spec.anycast_rlocs.iter().copied().filter(family);
    let unique = spec.rlocs.iter().copied().filter(family);
    let none_shared = !spec.anycast_rlocs.iter().any(family);
    shared.chain(unique.filter(move |_| none_shared))
}

/// The slot's state from that of its next hops: of several, those that did not fail count. Of our
/// RLOCs one that the egress interface has is the better source.
fn ready(
    addr: IpAddr,
    spec: &FeederSpec,
    legs: &[AdjacencyId],
    mtu: Option<u32>,
    hops: &Hops,
    cx: &Context<'_>,
) -> Result<RlocState, DownReason> {
    let on_underlay: Vec<_> =
        legs.iter().filter_map(|id| hops.get(*id)).filter(|h| cx.ports.is_underlay(h.port)).collect();
    if on_underlay.is_empty() {
        return Err(if legs.is_empty() { DownReason::NoRoute } else { DownReason::NotUnderlay });
    }
    let alive: Vec<_> = on_underlay.iter().filter(|h| h.state != HopState::Failed).collect();
    // RLOCs spread over the legs of an ECMP route; each keeps its leg while the route stays.
    let Some(hop) = alive.get(spread(addr) % alive.len().max(1)) else {
        return Err(DownReason::NextHop);
    };
    let HopState::Ready(mac) = hop.state else { return Ok(RlocState::Resolving) };
    let port_mtu = cx.ports.mtu(hop.port);
    let mtu = mtu.and_then(|m| u16::try_from(m).ok()).map_or(port_mtu, |m| m.min(port_mtu));
    let through = Translated::of(addr);
    let real = Translated::real(addr);
    // Keys belong to the first of our RLOCs, which the key exchange knows.
    let any = spec.encryption(real).is_none();
    let source = cx.ports.link(hop.port).filter(|_| any).and_then(|link| {
        let mut own = own_rlocs(spec, real);
        own.find(|rloc| cx.view.addresses(link).any(|a| a.addr == *rloc))
    });
    Ok(RlocState::Ready(Box::new(RlocRewrite {
        source: source.or_else(|| own_rlocs(spec, real).next()).ok_or(DownReason::NoSource)?,
        destination: real,
        port: hop.port,
        source_mac: cx.ports.mac(hop.port),
        next_hop_mac: mac,
        mtu,
        options: RlocOptions {
            ports: through.map(|nat| OuterPorts { source: nat.from, destination: nat.port }),
            ..spec.options(real)
        },
        nonce: spec.nonces.get(&real).copied(),
    })))
}

/// A small hash of an address (FNV-1a): only has to spread, and to stay the same.
fn spread(addr: IpAddr) -> usize {
    let step = |h: u64, b: &u8| (h ^ u64::from(*b)).wrapping_mul(0x0000_0100_0000_01b3);
    let hash = match addr {
        IpAddr::V4(a) => a.octets().iter().fold(0xcbf2_9ce4_8422_2325, step),
        IpAddr::V6(a) => a.octets().iter().fold(0xcbf2_9ce4_8422_2325, step),
    };
    (hash >> 33) as usize
}

/// Can an outer packet be sent to this address?
fn is_rloc(addr: IpAddr) -> bool {
    match addr {
        IpAddr::V4(a) => {
            let martian = a.octets()[0] == 0 || a.octets()[0] >= 240;
            !(martian || a.is_loopback() || a.is_multicast() || a.is_link_local())
        }
        IpAddr::V6(a) => {
            let special = a.is_loopback() || a.is_unspecified() || a.is_multicast();
            !(special || a.is_unicast_link_local() || a.to_ipv4_mapped().is_some())
        }
    }
}
