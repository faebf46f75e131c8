//! The feeder: kernel changes and engine actions in, deltas out.

use super::admission::Guard;
use super::entries::{Entries, Held};
use super::fib::{Fib, Rib};
use super::hops::{Context, Hops};
use super::hosts::Hosts;
use super::output::Output;
use super::places::Places;
use super::policers::Policers;
use super::ports::{PortChange, Ports};
use super::rlocs::{Rlocs, Underlay};
use super::seals::Peers;
use super::sets::Sets;
use super::site_locators::SiteLocators;
use super::spec::{FeederSpec, VrfFeed};
use crate::engine::Translated;
use crate::engine::event::{Action, EidPrefix, Forwarding, Locator, Time};
use crate::netlink::{Changed, KernelView};
use ipnet::IpNet;
use pxtr_dataplane::feed::{Delta, MapAction, Target};
use pxtr_dataplane::trust::{Marks, Outdated};
use pxtr_dataplane::types::{AdjacencyId, EntryId, PortId, RlocId, VrfId};
use std::net::IpAddr;

/// Why an action did not reach the data plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No VRF has this Instance-ID.
    #[error("no VRF has instance-id {0}")]
    Instance(u32),
    /// Every entry slot is in use.
    #[error("the map-cache of the data plane is full")]
    Entries,
    /// Every RLOC or locator-set slot is in use.
    #[error("the data plane has no slot left for an RLOC or locator-set")]
    Locators,
    /// Every number for a router that sends encrypted packets is in use.
    #[error("the data plane has no room for the keys of another router")]
    Peers,
}

/// Owns every slot number of the data plane and what stands behind it.
#[derive(Debug)]
pub struct Feeder {
    /// What the runtime is to carry away.
    pub out: Output,
    pub(super) spec: FeederSpec,
    pub(super) ports: Ports,
    pub(super) fib: Fib,
    pub(super) hops: Hops,
    pub(super) hosts: Hosts,
    pub(super) rlocs: Rlocs,
    pub(super) sets: Sets,
    pub(super) entries: Entries,
    pub(super) places: Places,
    pub(super) guard: Guard,
    pub(super) policers: Policers,
    peers: Peers,
    pub(super) site_locators: SiteLocators,
}

impl Feeder {
    /// A feeder whose output begins with everything that does not depend on the kernel: VRFs,
    /// ports, our RLOCs, local EID-prefixes.
    #[must_use]
    pub fn new(spec: FeederSpec) -> Self {
        let capacity = spec.capacity;
        let mut feeder = Self {
            out: Output::default(),
            ports: Ports::new(&spec),
            fib: Fib::default(),
            hops: Hops::new(capacity.adjacencies),
            hosts: Hosts::new(capacity.neighbour_misses),
            rlocs: Rlocs::new(capacity.rlocs),
            sets: Sets::new(capacity.locator_sets),
            entries: Entries::new(capacity.entries),
            places: Places::new(),
            guard: Guard::new(),
            policers: Policers::default(),
            peers: Peers::new(),
            site_locators: SiteLocators::default(),
            spec,
        };
        feeder.start();
        feeder
    }

    fn start(&mut self) {
        for vrf in &self.spec.vrfs {
            self.out.delta(Delta::VrfSet(vrf.id, vrf.spec));
        }
        // Before the ports: nobody slips in meanwhile.
        self.guard.set(&self.spec.admission, &mut self.out);
        self.policers.set(&self.spec.policers, &mut self.out);
        if self.spec.trust.any() {
            self.out.delta(Delta::Trust(Box::new(self.spec.trust.clone())));
        }
        let gpe_peers = self.spec.gpe_peers();
        if !gpe_peers.is_empty() {
            self.out.delta(Delta::GpePeers(gpe_peers));
        }
        self.ports.start(&mut self.out);
        self.out.delta(Delta::LocalRlocs(self.spec.local_rlocs()));
        let own: Vec<_> =
            self.spec.vrfs.iter().flat_map(|v| v.local_eids.iter().map(|prefix| (v.id, *prefix))).collect();
        // Nothing is held yet that a kernel view would matter for.
        let view = KernelView::default();
        own.into_iter().for_each(|key| self.add_site(Time::default(), &view, key));
    }

    /// The kernel's tables changed.
    pub fn on_kernel(&mut self, now: Time, view: &KernelView, changes: &[Changed]) {
        let concerns_ports = |c: &Changed| matches!(c, Changed::Link(_) | Changed::Addresses(_));
        if changes.iter().any(concerns_ports) {
            let changes = self.ports.update(view, &mut self.out);
            changes.into_iter().for_each(|change| self.on_port(now, view, change));
        }
        for change in changes {
            match *change {
                Changed::Link(_) | Changed::Addresses(_) => {}
                Changed::Route { table, prefix } => self.on_route(now, view, (table, prefix)),
                Changed::Neighbour { link, addr } => self.on_neighbour(now, view, link, addr),
            }
        }
        self.watch_site(view);
    }

    /// The device of a port says whether its cable is in. The kernel hears of it, too, but takes up to
    /// a second to draw its conclusions: what is behind the port is out of reach from now on.
    pub fn on_cable(&mut self, now: Time, view: &KernelView, port: PortId, cable: bool) {
        if self.ports.set_cable(port, cable) {
            for hop in self.hops.on_port(port) {
                self.update_hop(now, view, hop, false);
            }
            self.watch_site(view);
        }
    }

    fn on_port(&mut self, now: Time, view: &KernelView, change: PortChange) {
        match change {
            PortChange::Link => self.refresh(now, view),
            PortChange::Rewrite(port) => {
                for hop in self.hops.on_port(port) {
                    self.update_hop(now, view, hop, true);
                }
            }
            // Of our RLOCs one that the egress interface has is the better source.
            PortChange::Addresses => self.resolve_all(now, view),
        }
    }

    /// Every route and neighbour counts anew.
    pub(super) fn refresh(&mut self, now: Time, view: &KernelView) {
        for destination in view.destinations().collect::<Vec<_>>() {
            self.on_route(now, view, destination);
        }
        for n in view.neighbours().copied().collect::<Vec<_>>() {
            self.on_neighbour(now, view, n.link, n.addr);
        }
    }

    /// Works out anew how to reach every RLOC.
    pub(super) fn resolve_all(&mut self, now: Time, view: &KernelView) {
        for rloc in self.rlocs.iter().map(|(addr, _)| addr).collect::<Vec<_>>() {
            self.resolve_rloc(now, view, rloc);
        }
    }

    fn on_route(&mut self, now: Time, view: &KernelView, destination: (u64, IpNet)) {
        let Self { spec, ports, fib, hops, out, .. } = self;
        let mut cx = Context { now, view, ports, out };
        let prefix = destination.1;
        for vrf in fib.update(spec, destination, hops, &mut cx) {
            self.on_fib(now, view, vrf, prefix);
        }
    }

    /// The resolved route for `prefix` changed: so may every host and RLOC inside.
    fn on_fib(&mut self, now: Time, view: &KernelView, vrf: VrfId, prefix: IpNet) {
        let Self { spec, ports, fib, hops, hosts, out, rlocs, .. } = self;
        hosts.resync(vrf, prefix, fib, hops, &mut Context { now, view, ports, out });
        if spec.underlay().is_some_and(|u| u.id == vrf) {
            for rloc in rlocs.inside(prefix) {
                self.resolve_rloc(now, view, rloc);
            }
        }
    }

    fn on_neighbour(&mut self, now: Time, view: &KernelView, link: u32, addr: IpAddr) {
        let Some((port, vrf)) = self.ports.of_link(link).map(|p| (p.id, p.vrf)) else { return };
        if let Some(hop) = self.hops.find(port, addr) {
            self.update_hop(now, view, hop, false);
        }
        let Self { ports, fib, hops, hosts, out, .. } = self;
        let mut cx = Context { now, view, ports, out };
        hosts.on_neighbour((port, vrf), addr, view.neighbour(link, addr), (fib, hops), &mut cx);
    }

    fn update_hop(&mut self, now: Time, view: &KernelView, hop: AdjacencyId, force: bool) {
        let Self { ports, hops, out, .. } = self;
        let changed = hops.update(hop, force, &mut Context { now, view, ports, out });
        if changed || force {
            let rlocs: Vec<_> = self.hops.get(hop).into_iter().flat_map(|h| h.rlocs.clone()).collect();
            for rloc in rlocs {
                self.resolve_rloc(now, view, rloc);
            }
        }
    }

    fn resolve_rloc(&mut self, now: Time, view: &KernelView, rloc: IpAddr) {
        let Self { spec, ports, fib, hops, out, rlocs, .. } = self;
        let mut cx = Context { now, view, ports, out };
        if rlocs.resolve(rloc, Underlay { spec, fib }, hops, &mut cx) {
            self.rebuild_sets(now, view, rloc);
        }
    }

    /// An RLOC became usable or ceased to be: every locator-set that holds it shares out anew.
    fn rebuild_sets(&mut self, now: Time, view: &KernelView, rloc: IpAddr) {
        let Self { ports, out, rlocs, sets, .. } = self;
        let mut cx = Context { now, view, ports, out };
        for set in rlocs.get(rloc).into_iter().flat_map(|e| &e.sets) {
            sets.rebuild(*set, rlocs, &mut cx);
        }
    }

    /// Carries out what the engine wants of the data plane. Other actions are not for the feeder.
    ///
    /// # Errors
    /// The data plane has no room, or no VRF has this Instance-ID: it forwards as before.
    pub fn on_action(&mut self, now: Time, view: &KernelView, action: &Action) -> Result<(), Refused> {
        match action {
            Action::Install { eid, forwarding } => self.install(now, view, *eid, forwarding),
            Action::Withdraw(eid) => {
                let vrf = self.vrf(eid.iid.0)?.id;
                self.remove(now, view, (vrf, eid.prefix));
                Ok(())
            }
            Action::LocatorState { rloc, up } => {
                self.rlocs.set_engine_state(*rloc, *up);
                self.resolve_rloc(now, view, *rloc);
                Ok(())
            }
            Action::Abandon { iid, eid } => {
                let vrf = self.vrf(iid.0)?.id;
                self.out.delta(Delta::Abandon { vrf, eid: *eid });
                Ok(())
            }
            Action::Marks { eid, marks } => {
                let vrf = self.vrf(eid.iid.0)?.id;
                if let Some(slot) = self.entries.get((vrf, eid.prefix)).map(|entry| entry.slot) {
                    self.out.delta(Delta::EntryMarks(slot, *marks));
                }
                Ok(())
            }
            Action::Outdated(list) => {
                let outdated = |&(rloc, eid): &(IpAddr, EidPrefix)| {
                    let vrf = self.vrf(eid.iid.0).ok()?.id;
                    Some(Outdated { rloc, vrf, prefix: eid.prefix })
                };
                let list = list.iter().filter_map(outdated).collect();
                self.out.delta(Delta::Outdated(list));
                Ok(())
            }
            Action::Host { eid, place } => self.on_host(now, view, *eid, *place),
            Action::ProbeHost { eid, port } => {
                self.on_probe(*eid, *port);
                Ok(())
            }
            Action::Seal { rloc, seal } => {
                self.rlocs.set_seal(*rloc, seal, &mut self.out);
                self.resolve_rloc(now, view, *rloc);
                Ok(())
            }
            Action::Echo { rloc, mark, awaited } => {
                self.rlocs.set_echo(*rloc, *mark, *awaited, &mut self.out);
                self.resolve_rloc(now, view, *rloc);
                Ok(())
            }
            Action::OpenKeys { source, keys } => match self.peers.set(*source, keys, &mut self.out) {
                true => Ok(()),
                false => Err(Refused::Peers),
            },
            Action::Send { .. } | Action::Notice(_) => Ok(()),
        }
    }

    pub(super) fn vrf(&self, iid: u32) -> Result<&VrfFeed, Refused> {
        self.spec.vrf_of_iid(crate::engine::event::Iid(iid)).ok_or(Refused::Instance(iid))
    }

    pub(super) fn install(
        &mut self,
        now: Time,
        view: &KernelView,
        eid: EidPrefix,
        forwarding: &Forwarding,
    ) -> Result<(), Refused> {
        let vrf = self.vrf(eid.iid.0)?.id;
        let key = (vrf, eid.prefix);
        if self.entries.shadow(key, Some(forwarding.clone())) {
            return Ok(());
        }
        if !self.entries.has_room(key) {
            return Err(Refused::Entries);
        }
        let (action, held) = match forwarding {
            Forwarding::Encapsulate(locators) => self.hold(now, view, locators, self.table(key))?,
            Forwarding::NoAction => (MapAction::NoLocator { unreachable: false }, Held::Nothing),
            Forwarding::NativelyForward => (MapAction::NativelyForward, Held::Nothing),
            Forwarding::SendMapRequest => (MapAction::SendMapRequest, Held::Nothing),
            Forwarding::DropNoReason => (MapAction::DropNoReason, Held::Nothing),
            Forwarding::DropPolicyDenied => (MapAction::DropPolicyDenied, Held::Nothing),
            Forwarding::DropAuthFailure => (MapAction::DropAuthFailure, Held::Nothing),
        };
        let Some((entry, before)) = self.bind(key, held, false) else {
            self.let_go(now, view, held);
            return Err(Refused::Entries);
        };
        self.tell_rlocs(entry, held);
        self.out.delta(Delta::MapSet { vrf, prefix: eid.prefix, entry, action });
        self.let_go(now, view, before);
        Ok(())
    }

    /// Sets what an entry holds, as [`Entries::set`] does. A slot that gets a prefix begins without marks.
    pub(super) fn bind(&mut self, key: (VrfId, IpNet), held: Held, site: bool) -> Option<(EntryId, Held)> {
        let new = self.entries.get(key).is_none();
        let bound = self.entries.set(key, held, site)?;
        if new && self.spec.trust.any() {
            self.out.delta(Delta::EntryMarks(bound.0, Marks::default()));
        }
        Some(bound)
    }

    /// Tells the RLOCs of a mapping, where inner sources are held to mappings.
    pub(super) fn tell_rlocs(&mut self, entry: EntryId, held: Held) {
        if !self.spec.admission.is_strict() {
            return;
        }
        let rlocs = match held {
            Held::Nothing => Box::default(),
            Held::Rloc(rloc) => Box::new([Translated::real(rloc)]) as Box<[IpAddr]>,
            Held::Set(id) => {
                // The ETR at the end of a path sends by itself, too.
                let senders =
                    |l: &Locator| [Some(Translated::real(l.rloc)), l.etr.filter(|_| l.is_on_the_way())];
                self.sets.locators(id).iter().flat_map(senders).flatten().collect()
            }
        };
        self.out.delta(Delta::EntryRlocs(entry, rlocs));
    }

    /// How an entry shares out its flows now.
    fn table(&self, key: (VrfId, IpNet)) -> Vec<RlocId> {
        match self.entries.get(key).map(|e| e.held) {
            Some(Held::Set(id)) => self.sets.table(id).to_vec(),
            Some(Held::Rloc(addr)) => self.rlocs.get(addr).map(|e| e.slot).into_iter().collect(),
            Some(Held::Nothing) | None => Vec::new(),
        }
    }

    /// Takes hold of the slots that a mapping needs.
    fn hold(
        &mut self,
        now: Time,
        view: &KernelView,
        locators: &[Locator],
        previous: Vec<RlocId>,
    ) -> Result<(MapAction, Held), Refused> {
        let Self { spec, ports, fib, hops, out, rlocs, sets, .. } = self;
        let mut cx = Context { now, view, ports, out };
        let underlay = Underlay { spec, fib };
        match locators {
            [] => Ok((MapAction::NoLocator { unreachable: true }, Held::Nothing)),
            // A path is a set even if it is alone: the set knows its ETR.
            [one] if one.etr.is_none() => {
                let slot = rlocs.acquire(one.rloc, underlay, hops, &mut cx).ok_or(Refused::Locators)?;
                Ok((MapAction::Encapsulate(Target::Rloc(slot)), Held::Rloc(one.rloc)))
            }
            several => {
                let id = sets
                    .acquire(several, previous, rlocs, underlay, hops, &mut cx)
                    .ok_or(Refused::Locators)?;
                Ok((MapAction::Encapsulate(Target::Set(id)), Held::Set(id)))
            }
        }
    }

    pub(super) fn let_go(&mut self, now: Time, view: &KernelView, held: Held) {
        let Self { ports, hops, out, rlocs, sets, .. } = self;
        let mut cx = Context { now, view, ports, out };
        match held {
            Held::Nothing => {}
            Held::Rloc(rloc) => rlocs.release(rloc, hops, &mut cx),
            Held::Set(id) => sets.release(id, rlocs, hops, &mut cx),
        }
    }

    pub(super) fn remove(&mut self, now: Time, view: &KernelView, key: (VrfId, IpNet)) {
        if self.entries.shadow(key, None) || self.entries.get(key).is_none() {
            return;
        }
        self.out.delta(Delta::MapDel { vrf: key.0, prefix: key.1 });
        if let Some(held) = self.entries.remove(key, self.out.sequence()) {
            self.let_go(now, view, held);
        }
    }

    /// The engine starts anew. Its entries stay until it installs them again or
    /// [`Self::withdraw_stale`] removes them; RLOCs it had declared down are up until it says so, and nobody
    /// has old versions of our mappings.
    pub fn on_engine_restart(&mut self, now: Time, view: &KernelView) {
        self.forget_places(now, view);
        self.entries.epoch = self.entries.epoch.wrapping_add(1);
        if self.spec.trust.any() {
            self.out.delta(Delta::Outdated(Box::default()));
        }
        for rloc in self.rlocs.forget_engine_states(&mut self.out) {
            self.resolve_rloc(now, view, rloc);
        }
        self.site_locators = SiteLocators::default();
        self.watch_site(view);
    }

    /// Removes entries that a restarted engine did not install again, among the `count` slots from
    /// `from` on. Returns where to go on; `None`: all were looked at.
    pub fn withdraw_stale(&mut self, now: Time, view: &KernelView, from: u32, count: u32) -> Option<u32> {
        for key in self.entries.stale(from, count) {
            self.remove(now, view, key);
        }
        let next = from.saturating_add(count);
        (next < self.entries.slot_range()).then_some(next)
    }

    /// A worker holds a packet for a neighbour that is not resolved.
    pub fn on_neighbour_miss(&mut self, now: Time, view: &KernelView, port: PortId, addr: IpAddr) {
        let Self { ports, fib, hops, hosts, out, .. } = self;
        let mut cx = Context { now, view, ports, out };
        let Some(vrf) = cx.ports.vrf(port) else { return };
        let on_link = matches!(fib.lookup(vrf, addr), Some((_, Rib::Connected(p))) if *p == port);
        match (hops.find(port, addr), on_link) {
            (Some(hop), false) => hops.wanted(hop, &mut cx),
            // A host on a connected link; that it may be a gateway too changes nothing.
            (_, true) => hosts.on_miss(port, addr, &mut cx),
            (None, false) => {}
        }
    }

    /// A worker holds a packet for an RLOC whose next hop is not resolved.
    pub fn on_rloc_wanted(&mut self, now: Time, view: &KernelView, slot: RlocId) {
        let Self { ports, hops, out, rlocs, .. } = self;
        let mut cx = Context { now, view, ports, out };
        let legs = rlocs.of_slot(slot).and_then(|addr| rlocs.get(addr)).map(|e| e.legs());
        for hop in legs.unwrap_or_default() {
            hops.wanted(*hop, &mut cx);
        }
    }

    /// Does what is due: questions to the kernel, rejections that end.
    pub fn on_tick(&mut self, now: Time, view: &KernelView) {
        let Self { ports, fib, hops, hosts, out, .. } = self;
        let mut cx = Context { now, view, ports, out };
        hosts.due(fib, hops, &mut cx);
        hops.due(&mut cx);
        for rloc in self.rlocs.path_mtus.expire(now) {
            self.resolve_rloc(now, view, rloc);
        }
    }

    /// The core says that a packet of more than `mtu` bytes to this RLOC did not get through. An RLOC
    /// that is not in use is none of ours. True: something was learnt.
    pub fn on_path_mtu(&mut self, now: Time, view: &KernelView, rloc: IpAddr, mtu: u16) -> bool {
        let learnt = self.rlocs.learn_path_mtu(rloc, mtu, now);
        if learnt {
            self.resolve_rloc(now, view, rloc);
        }
        learnt
    }

    /// Keys that packets came with since this was asked last: outer source, RLOC of ours, key-id.
    #[must_use]
    pub fn keys_used(&self) -> Vec<(IpAddr, IpAddr, u8)> {
        self.peers.used()
    }

    /// An RLOC that packets are sent to.
    #[must_use]
    pub fn has_rloc(&self, rloc: IpAddr) -> bool {
        self.rlocs.get(rloc).is_some()
    }

    /// When [`Self::on_tick`] has something to do.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        let path_mtu = self.rlocs.path_mtus.next_deadline();
        [self.hosts.next_deadline(), self.hops.next_deadline(), path_mtu].into_iter().flatten().min()
    }

    /// Every worker has applied the deltas up to this sequence number: slots given back before it
    /// may be used again.
    pub fn acknowledge(&mut self, sequence: u64) {
        self.hops.settle(sequence);
        self.rlocs.settle(sequence);
        self.sets.settle(sequence);
        self.entries.settle(sequence);
        self.guard.settle(sequence);
        self.peers.settle(sequence);
    }
}
