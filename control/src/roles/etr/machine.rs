//! The ETR state machine: its parts and who is called for what.

use super::audience::Audience;
use super::dynamic::{DynamicEids, HostChange};
use super::first_hop::FirstHops;
use super::keys::Keys;
use super::nat::NatFinder;
use super::registrar::{Registrar, Taken};
use super::solicitor::Solicitor;
use super::versions::Versions;
use super::view::{self, AwayView, DatabaseView, DynamicEidView, NatView};
use super::withheld::Withheld;
use crate::codec::{DATA_PORT, Ecm, Info, MapNotify, MapRegister, MapRequest};
use crate::engine::config::{DatabaseMapping, EngineConfig};
use crate::engine::event::{EidPrefix, HostSeen, Place, Time};
use crate::engine::{Counter, Cx, Handled, Meta, NatChange, Role, Translated};
use crate::roles::forward;
use crate::roles::prefix_table::EidTable;
use crate::roles::reply::AnswerLimits;
use pxtr_dataplane::trust::Said;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Which mapping an EID-prefix of ours has: an index into the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owned {
    /// Of the database.
    Database(usize),
    /// Of the dynamic-EID prefixes: the prefix is a live host of it.
    Dynamic(usize),
}

impl Owned {
    /// The mapping; the prefix that it names is the range's, for a live host.
    pub(super) fn mapping(self, config: &EngineConfig) -> Option<&DatabaseMapping> {
        match self {
            Self::Database(index) => config.database.get(index),
            Self::Dynamic(index) => config.dynamic_eids.get(index).map(|range| &range.mapping),
        }
    }
}

/// ETR and, for RLOC-probes, PETR.
#[derive(Debug, Default)]
pub struct Etr {
    /// Our EID-prefixes.
    pub(super) database: EidTable<Owned>,
    pub(super) limits: AnswerLimits,
    pub(super) audience: Audience,
    pub(super) solicitor: Solicitor,
    withheld: Withheld,
    pub(super) versions: Versions,
    pub(super) keys: Keys,
    registrar: Registrar,
    dynamic: DynamicEids,
    first_hops: FirstHops,
    pub(super) nat: NatFinder,
    /// What the map-cache was told last of the RTRs in front of our NAT.
    way_out: Vec<IpAddr>,
}

impl Etr {
    /// Nothing is registered before it is configured.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Our EID-prefixes and how far their registration is, in the order of the configuration.
    pub fn database<'a>(&'a self, config: &'a EngineConfig) -> impl Iterator<Item = DatabaseView> + 'a {
        view::database(config, &self.registrar)
    }

    /// Hosts of dynamic-EID prefixes that are here, in no order.
    pub fn dynamic_eids<'a>(&'a self, config: &'a EngineConfig) -> impl Iterator<Item = DynamicEidView> + 'a {
        view::dynamic_eids(config, &self.dynamic)
    }

    /// Hosts of ours that are at other sites.
    pub fn away(&self) -> impl Iterator<Item = AwayView> + '_ {
        view::away(&self.dynamic)
    }

    /// What is known of a NAT in front of us; `None`: nobody asked for that.
    #[must_use]
    pub fn nat(&self, config: &EngineConfig) -> Option<NatView> {
        let way = config.nat_traversal.then(|| self.nat.way(config))?;
        Some(view::nat(config, &way, self.registrar.live_rtrs(), &self.nat.asked))
    }

    /// Packets came with these keys.
    pub(crate) fn on_keys_used(&mut self, cx: &mut Cx<'_>, used: &[(IpAddr, IpAddr, u8)]) {
        self.keys.on_used(cx, used);
    }

    /// A worker saw a host.
    pub(crate) fn on_host_seen(&mut self, cx: &mut Cx<'_>, seen: &HostSeen) {
        self.dynamic.on_host(cx, &mut self.registrar, seen);
        self.first_hops.tell(cx, &mut self.dynamic);
    }

    /// The kernel was asked whether a host is there.
    pub(crate) fn on_host_probed(&mut self, cx: &mut Cx<'_>, eid: &EidPrefix, alive: bool) {
        self.dynamic.on_probed(cx, &mut self.registrar, eid, alive);
    }

    /// An encapsulated packet came for a host that is away: its sender is to ask anew.
    pub(crate) fn on_away_hit(&mut self, cx: &mut Cx<'_>, eid: EidPrefix, rloc: IpAddr) {
        if self.dynamic.on_away_hit(cx.now, &eid, rloc) && forward::can_forward(cx.config, rloc) {
            cx.count(Counter::AwayHits);
            self.solicitor.solicit_once(cx, rloc, eid);
        }
    }

    /// A trusted ITR sends to an EID of ours by another version of its mapping (RFC 9302 section 7.1).
    pub(crate) fn on_version(&mut self, cx: &mut Cx<'_>, eid: &EidPrefix, rloc: IpAddr, said: Said) {
        let Some((prefix, Owned::Database(_))) = self.database.lookup_prefix(eid) else { return };
        let own = EidPrefix { iid: eid.iid, prefix };
        match said {
            Said::DestinationOlder(version) if forward::can_forward(cx.config, rloc) => {
                self.versions.on_older(cx, &mut self.solicitor, (rloc, own), version);
            }
            Said::DestinationNewer(version) => cx.notice(
                Counter::MapVersionsUnknown,
                format_args!("{rloc} has version {} of {prefix}", version.get()),
            ),
            Said::DestinationOlder(_) | Said::SourceNewer(_) | Said::SourceStatus(_) => {}
        }
    }

    /// A locator of our site came up or went down.
    pub(crate) fn on_site_locator(&mut self, cx: &mut Cx<'_>, rloc: IpAddr, up: bool) {
        self.versions.on_site_locator(cx, rloc, up);
    }

    /// What became of hosts since this was asked last; the answers to Map-Requests follow it.
    pub(crate) fn host_changes(&mut self) -> Vec<HostChange> {
        let changes = self.dynamic.changes();
        for change in &changes {
            match change.place {
                Place::Here { .. } | Place::Behind { .. } => {
                    self.database.insert(change.eid, Owned::Dynamic(change.range));
                }
                Place::Away { .. } | Place::Gone => {
                    if let Some(Owned::Dynamic(_)) = self.database.get(&change.eid) {
                        self.database.remove(&change.eid);
                    }
                }
            }
        }
        changes
    }

    /// EID-prefixes of our database that, says a Map-Server, another router registers now, with locators
    /// of its own: a site that moved to a router that is not us. Those who have our mapping are to ask
    /// anew; what still comes here is delivered as before.
    fn taken_over(&self, cx: &mut Cx<'_>, by: IpAddr, notify: &MapNotify) -> Vec<EidPrefix> {
        let mut taken = Vec::new();
        for record in &notify.records {
            let Some(eid) = record.eid_prefix() else { continue };
            let Some(Owned::Database(index)) = self.database.get(&eid) else { continue };
            let Some(mapping) = cx.config.database.get(*index) else { continue };
            let mut rlocs = record.locators.iter().filter_map(|l| l.etr()).peekable();
            let ours = |rloc| mapping.locators.iter().any(|l| l.rloc == rloc);
            if rlocs.peek().is_some() && !rlocs.any(ours) {
                cx.notice(Counter::DatabaseTakenOver, format_args!("{} says {by}", eid.prefix));
                taken.push(eid);
            }
        }
        taken
    }

    fn solicit(&mut self, cx: &Cx<'_>, told: Vec<(IpAddr, EidPrefix)>) {
        for (itr, eid) in told {
            self.solicitor.solicit(cx, itr, eid);
        }
    }

    /// Those who got the mapping of a host from us are told that it moved, once: what they send here
    /// makes us tell them again. What is sent for a whole EID-prefix that moved is delivered and tells
    /// nobody, so they are told twice.
    fn tell_audience(&mut self, cx: &mut Cx<'_>, moved: Vec<EidPrefix>) {
        for eid in moved {
            let mapping = self.database.get(&eid).and_then(|owned| owned.mapping(cx.config));
            let ttl_ms = mapping.map_or(0, |mapping| u64::from(mapping.ttl_minutes) * 60_000);
            let whole = matches!(self.database.get(&eid), Some(Owned::Database(_)));
            for (itr, eid) in self.audience.of(cx.now, &BTreeSet::from([eid]), ttl_ms) {
                if whole {
                    self.solicitor.solicit_unseen(cx, itr, eid);
                } else {
                    self.solicitor.solicit_once(cx, itr, eid);
                }
            }
            self.audience.forget(&eid);
        }
    }
}

impl Role for Etr {
    fn configure(&mut self, cx: &mut Cx<'_>) {
        self.dynamic.configure(cx, &mut self.registrar);
        self.first_hops.configure(cx);
        self.database = index(cx.config);
        for (_, live) in self.dynamic.live.iter() {
            self.database.insert(live.eid, Owned::Dynamic(live.range));
        }
        self.versions.configure(cx);
        self.nat.configure(cx);
        let changes = self.registrar.configure(cx, self.nat.way(cx.config));
        // What is no longer ours has no mapping to ask us for, but the ITRs are to notice.
        if !changes.eids.is_empty() {
            let told = self.audience.of(cx.now, &changes.eids, changes.ttl_ms);
            let Self { withheld, registrar, database, .. } = self;
            let free = withheld.hold(cx.now, told, |eid| match database.get(eid) {
                Some(Owned::Database(index)) => registrar.awaited(Some(*index)),
                _ => registrar.awaited(None),
            });
            self.solicit(cx, free);
        }
        let gone = changes.eids.iter().filter(|eid| self.database.get(eid).is_none());
        gone.for_each(|eid| self.audience.forget(eid));
    }

    fn on_map_request(&mut self, cx: &mut Cx<'_>, meta: &Meta, request: &MapRequest) -> Handled {
        if request.probe {
            self.on_probe(cx, meta, request)
        } else {
            self.on_request(cx, meta, None, request)
        }
    }

    fn on_encapsulated_map_request(
        &mut self,
        cx: &mut Cx<'_>,
        meta: &Meta,
        ecm: &Ecm,
        request: &MapRequest,
    ) -> Handled {
        self.on_request(cx, meta, Some(ecm), request)
    }

    fn on_map_register(
        &mut self,
        cx: &mut Cx<'_>,
        meta: &Meta,
        raw: &[u8],
        register: &MapRegister,
    ) -> Handled {
        let Self { first_hops, dynamic, registrar, .. } = self;
        let handled = first_hops.on_map_register(cx, meta, (raw, register), dynamic, registrar);
        first_hops.tell(cx, dynamic);
        handled
    }

    fn on_map_notify_ack(&mut self, cx: &mut Cx<'_>, meta: &Meta, raw: &[u8], ack: &MapNotify) -> Handled {
        self.first_hops.on_map_notify_ack(cx, meta, raw, ack)
    }

    fn on_map_notify(&mut self, cx: &mut Cx<'_>, meta: &Meta, raw: &[u8], notify: &MapNotify) -> Handled {
        match self.registrar.on_map_notify(cx, meta, raw, notify, &mut self.dynamic) {
            Taken::NotOurs => return Handled::No,
            Taken::Done => {}
            Taken::Acknowledged(members) => {
                let free = self.withheld.acknowledged(&members);
                self.solicit(cx, free);
            }
            Taken::News(server) => {
                let mut moved = self.dynamic.on_notify(cx, server, notify);
                moved.extend(self.taken_over(cx, server, notify));
                self.tell_audience(cx, moved);
                self.first_hops.tell(cx, &mut self.dynamic);
            }
        }
        Handled::Yes
    }

    /// A NAT that came or went changes how everything is registered; one that changed its mind about us may
    /// have forgotten our data port, too.
    fn on_info_reply(&mut self, cx: &mut Cx<'_>, meta: &Meta, raw: &[u8], info: &Info) -> Handled {
        let (handled, changed) = self.nat.on_reply(cx, meta, raw, info);
        if changed {
            self.registrar.configure(cx, self.nat.way(cx.config));
            self.registrar.send_all_soon(cx.now);
        }
        handled
    }

    fn nat_changes(&mut self) -> Vec<NatChange> {
        let wanted: Vec<IpAddr> = self.registrar.live_rtrs().iter().filter_map(way_to).collect();
        if wanted == self.way_out {
            return Vec::new();
        }
        self.way_out.clone_from(&wanted);
        vec![NatChange::WayOut(wanted)]
    }

    fn on_tick(&mut self, cx: &mut Cx<'_>) {
        self.nat.on_tick(cx);
        self.registrar.on_tick(cx);
        self.dynamic.on_tick(cx, &mut self.registrar);
        self.first_hops.tell(cx, &mut self.dynamic);
        self.first_hops.on_tick(cx);
        let free = self.withheld.on_tick(cx.now);
        self.solicit(cx, free);
        self.versions.on_tick(cx);
        self.solicitor.on_tick(cx);
    }

    fn next_deadline(&self) -> Option<Time> {
        let all = [
            self.registrar.next_deadline(),
            self.dynamic.next_deadline(),
            self.withheld.next_deadline(),
            self.solicitor.next_deadline(),
            self.first_hops.next_deadline(),
            self.versions.next_deadline(),
            self.nat.next_deadline(),
        ];
        all.into_iter().flatten().min()
    }
}

/// How packets go to an RTR: from and to the data port, so that the NAT has one flow of ours to remember in
/// place of thousands.
fn way_to(rtr: &IpAddr) -> Option<IpAddr> {
    match rtr {
        IpAddr::V4(address) => {
            Some(Translated { address: *address, port: DATA_PORT, from: DATA_PORT }.rloc())
        }
        IpAddr::V6(_) => None,
    }
}

fn index(config: &EngineConfig) -> EidTable<Owned> {
    let mut table = EidTable::default();
    if config.roles.xtr {
        for (i, mapping) in config.database.iter().enumerate() {
            table.insert(mapping.eid, Owned::Database(i));
        }
    }
    table
}
