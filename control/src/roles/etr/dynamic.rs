//! Dynamic EIDs: hosts of ours that come, move and leave (R-185 to R-193; RFC 9301 section 5.6 for
//! the registration of a host prefix under a site's aggregate).

use super::batch::{Batch, map_register};
use super::registrar::Registrar;
use super::{answer, registrar};
use crate::codec::{EidRecord, MapAction, MapNotify};
use crate::engine::config::{DynamicEidRange, EngineConfig};
use crate::engine::event::{Action, EidPrefix, HostSeen, Place, Time};
use crate::engine::{Counter, Cx, Slab, Timers};
use crate::roles::limit::{Bucket, Rate};
use crate::roles::reply;
use pxtr_dataplane::punt::Seen;
use pxtr_dataplane::types::{MacAddr, PortId};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::IpAddr;

/// New hosts per second, all ports together: a flood of invented sources must not become a flood of
/// Map-Registers. Workers report a host again each second while it speaks.
const NEW_HOSTS: Rate = Rate { per_second: 500, burst: 500 };
/// The kernel has given up on a neighbour by then: 5 s of delay and 3 questions.
const PROBE_MS: u64 = 15_000;
/// What a First-Hop Router registered is over after that time, as at a Map-Server.
const REGISTRATION_MS: u64 = 180_000;
/// Longest wait between retransmissions of a Map-Register.
const RETRY_MAX_MS: u64 = 20_000;
/// Unsolicited Map-Notifies remembered by nonce: each moves a host once, retransmissions do not.
const NOTIFIES_KEPT: usize = 4096;

/// What became of a host, for the map-cache and the data plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostChange {
    /// The host's EID-prefix, of full length.
    pub eid: EidPrefix,
    /// Where it is now.
    pub place: Place,
    /// Its range: index in the configuration.
    pub range: usize,
    /// Its mapping, when it is away.
    pub record: Option<EidRecord>,
}

/// How we know of a host of our site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Found {
    /// A worker saw it.
    Seen {
        /// Where.
        port: PortId,
        /// Its Ethernet address.
        mac: MacAddr,
        /// By what.
        by: Seen,
    },
    /// A First-Hop Router registered it with us.
    FirstHop {
        /// The router.
        router: IpAddr,
    },
}

impl Found {
    fn place(self) -> Place {
        match self {
            Self::Seen { port, .. } => Place::Here { port },
            Self::FirstHop { router } => Place::Behind { router },
        }
    }

    /// The configuration lets the host be found there.
    fn is_allowed(self, config: &EngineConfig, range: &DynamicEidRange) -> bool {
        match self {
            Self::Seen { port, .. } => range.ports.contains(&port),
            Self::FirstHop { router } => {
                !range.first_hop_ports.is_empty()
                    && config.first_hop_routers.iter().any(|r| r.address == router)
            }
        }
    }
}

/// A host that a First-Hop Router no longer has, as far as we know: it is to be told.
#[derive(Clone, Debug)]
pub(super) struct Lost {
    pub(super) router: IpAddr,
    pub(super) eid: EidPrefix,
    /// The host's mapping now; Record TTL 0: none.
    pub(super) record: EidRecord,
}

/// A host at our site.
#[derive(Clone, Debug)]
pub(super) struct Live {
    pub(super) eid: EidPrefix,
    pub(super) range: usize,
    pub(super) found: Found,
    pub(super) since: Time,
    /// Last shown to be there.
    pub(super) confirmed: Time,
    /// Being asked whether it is there, since.
    asked: Option<Time>,
    /// Its registration with each Map-Server.
    pub(super) servers: Vec<Batch>,
    refresh: Time,
}

/// A host of ours at another site.
#[derive(Clone, Debug)]
pub(super) struct Away {
    pub(super) since: Time,
    /// The Map-Server that said so.
    pub(super) by: IpAddr,
    pub(super) range: usize,
    pub(super) until: Time,
    pub(super) hits: u64,
    pub(super) last_hit: Option<(Time, IpAddr)>,
}

/// All hosts that come and go.
#[derive(Debug, Default)]
pub(super) struct DynamicEids {
    pub(super) live: Slab<Live>,
    by_eid: HashMap<EidPrefix, u32>,
    by_nonce: HashMap<u64, (u32, usize)>,
    /// Slot of a live host.
    timers: Timers,
    pub(super) away: BTreeMap<EidPrefix, Away>,
    away_until: std::collections::BTreeSet<(Time, EidPrefix)>,
    notifies: VecDeque<u64>,
    new_hosts: Bucket,
    changes: Vec<HostChange>,
    /// Whom [`super::first_hop::FirstHops`] has to tell.
    pub(super) lost: Vec<Lost>,
}

impl DynamicEids {
    /// A worker saw a host.
    pub(super) fn on_host(&mut self, cx: &mut Cx<'_>, registrar: &mut Registrar, seen: &HostSeen) {
        let eid = seen.eid;
        let Some((range, config)) = range_of(cx.config, &eid).filter(|(_, r)| r.ports.contains(&seen.port))
        else {
            return cx.count(Counter::HostsOutsideRange);
        };
        if !seen.claim && !config.seen_by.contains(&seen.seen) {
            return cx.count(Counter::HostsSeenOtherwise);
        }
        let live = self.by_eid.get(&eid).and_then(|slot| Some((*slot, self.live.get(*slot)?.found)));
        // The data plane knows a host behind a First-Hop Router by the router's Ethernet address.
        let behind = matches!(live, Some((_, Found::FirstHop { .. })));
        if seen.claim && !behind {
            cx.notice(
                Counter::HostsClaimed,
                format_args!("{} of a live host is used by {} too", eid.prefix.addr(), seen.mac),
            );
            // If the one who has it does not answer, the address is free.
            if let Some((slot, _)) = live {
                self.probe(cx, slot);
            }
            return;
        }
        let found = Found::Seen { port: seen.port, mac: seen.mac, by: seen.seen };
        self.found(cx, registrar, eid, range, found);
    }

    /// A host was found: for the first time, elsewhere at our site, or where it was. False: not taken.
    pub(super) fn found(
        &mut self,
        cx: &mut Cx<'_>,
        registrar: &mut Registrar,
        eid: EidPrefix,
        range: usize,
        found: Found,
    ) -> bool {
        if let Some(slot) = self.by_eid.get(&eid).copied() {
            self.found_again(cx, slot, found);
            return true;
        }
        if !self.new_hosts.take(cx.now, NEW_HOSTS)
            || self.live.len() >= cx.config.limits.dynamic_eids as usize
        {
            cx.count(Counter::HostsOverLimit);
            return false;
        }
        self.forget_away(&eid);
        let addr = eid.prefix.addr();
        match found {
            Found::Seen { mac, by, .. } => {
                cx.notice(Counter::HostsAppeared, format_args!("{addr} at {mac} by {by:?}"));
            }
            Found::FirstHop { router } => {
                cx.notice(Counter::HostsAppeared, format_args!("{addr} behind {router}"));
            }
        }
        let servers = (0..cx.config.map_servers.len()).map(|peer| Batch::new(peer, 0..0)).collect();
        let slot = self.live.insert(Live {
            eid,
            range,
            found,
            since: cx.now,
            confirmed: cx.now,
            asked: None,
            servers,
            refresh: cx.now,
        });
        self.by_eid.insert(eid, slot);
        self.changes.push(HostChange { eid, place: found.place(), range, record: None });
        self.due(cx, registrar, slot);
        true
    }

    /// A live host: it may have moved within our site, and then its former First-Hop Router is told.
    fn found_again(&mut self, cx: &mut Cx<'_>, slot: u32, found: Found) {
        let Some(live) = self.live.get_mut(slot) else { return };
        let (eid, range, former) = (live.eid, live.range, live.found);
        // What a worker reports of a host that it has not been told of yet is no news.
        if former.place() == found.place() {
            if let Found::FirstHop { .. } = found {
                live.confirmed = cx.now;
            }
            return;
        }
        (live.found, live.confirmed, live.asked) = (found, cx.now, None);
        cx.notice(Counter::HostsMovedPort, format_args!("{}", eid.prefix.addr()));
        self.changes.push(HostChange { eid, place: found.place(), range, record: None });
        let mapping = cx.config.dynamic_eids.get(range).map(|range| &range.mapping);
        if let (Found::FirstHop { router }, Some(mapping)) = (former, mapping) {
            self.lost.push(Lost { router, eid, record: answer::record(cx.config, mapping, &eid, None) });
        }
        self.arm(cx.config, slot);
    }

    /// A First-Hop Router takes back a host of its own; false: it is none.
    pub(super) fn taken_back(
        &mut self,
        cx: &mut Cx<'_>,
        registrar: &mut Registrar,
        eid: &EidPrefix,
        router: IpAddr,
    ) -> bool {
        let slot = self.by_eid.get(eid).copied();
        let its = |live: &Live| live.found == Found::FirstHop { router };
        let Some(slot) = slot.filter(|slot| self.live.get(*slot).is_some_and(its)) else { return false };
        self.leave(cx, registrar, slot);
        true
    }

    /// The runtime asked the kernel whether a host is there.
    pub(super) fn on_probed(
        &mut self,
        cx: &mut Cx<'_>,
        registrar: &mut Registrar,
        eid: &EidPrefix,
        alive: bool,
    ) {
        let Some(&slot) = self.by_eid.get(eid) else { return };
        let Some(live) = self.live.get_mut(slot).filter(|live| live.asked.is_some()) else { return };
        if alive {
            (live.asked, live.confirmed) = (None, cx.now);
            self.arm(cx.config, slot);
        } else {
            self.leave(cx, registrar, slot);
        }
    }

    /// An encapsulated packet came for a host that is away. True: its sender is to be told.
    pub(super) fn on_away_hit(&mut self, now: Time, eid: &EidPrefix, rloc: IpAddr) -> bool {
        let Some(away) = self.away.get_mut(eid) else { return false };
        away.hits += 1;
        away.last_hit = Some((now, rloc));
        true
    }

    /// The Map-Server of a Map-Register that this nonce answers.
    pub(super) fn peer_of_nonce(&self, nonce: u64) -> Option<usize> {
        self.by_nonce.get(&nonce).map(|(_, peer)| *peer)
    }

    /// The Map-Notify of a Map-Register came.
    pub(super) fn acknowledged(&mut self, cx: &mut Cx<'_>, nonce: u64) {
        let Some((slot, peer)) = self.by_nonce.remove(&nonce) else { return };
        let Some(batch) = self.live.get_mut(slot).and_then(|live| live.servers.get_mut(peer)) else { return };
        batch.acknowledged(cx.now);
        cx.count(Counter::RegistersAcknowledged);
        self.arm(cx.config, slot);
    }

    /// An unsolicited Map-Notify with a good MAC: hosts of ours whose locators are no longer ours
    /// moved away. Returns them.
    pub(super) fn on_notify(&mut self, cx: &mut Cx<'_>, by: IpAddr, notify: &MapNotify) -> Vec<EidPrefix> {
        // The same nonce is a retransmission, or somebody who plays back what he heard.
        if self.notifies.contains(&notify.nonce) {
            return Vec::new();
        }
        self.notifies.truncate(NOTIFIES_KEPT - 1);
        self.notifies.push_front(notify.nonce);
        let mut moved = Vec::new();
        for record in &notify.records {
            let Some(eid) = record.eid_prefix() else { continue };
            let Some((range, config)) = range_of(cx.config, &eid) else { continue };
            let ours = |rloc| {
                cx.config.rlocs.contains(&rloc) || config.mapping.locators.iter().any(|l| l.rloc == rloc)
            };
            let mut rlocs = record.locators.iter().filter_map(|l| l.etr()).peekable();
            let withdrawn = rlocs.peek().is_none();
            if rlocs.any(ours) || (withdrawn && !cx.config.roles.fhr) {
                continue;
            }
            // What still comes to a First-Hop Router is for the site's xTR.
            if cx.config.roles.fhr {
                if self.by_eid.contains_key(&eid) {
                    self.forget_live(&eid);
                    self.changes.push(gone(&eid, range));
                    cx.notice(Counter::HostsMovedAway, format_args!("{} says {by}", eid.prefix.addr()));
                }
                continue;
            }
            let forward = config.forward_away;
            if let Some(Found::FirstHop { router }) = self.forget_live(&eid) {
                self.lost.push(Lost { router, eid, record: record.clone() });
            }
            self.forget_away(&eid);
            let until = cx.now.plus_ms(u64::from(cx.config.limits.away_timeout_minutes) * 60_000);
            self.away.insert(eid, Away { since: cx.now, by, range, until, hits: 0, last_hit: None });
            self.away_until.insert((until, eid));
            let record = Some(record.clone());
            self.changes.push(HostChange { eid, place: Place::Away { forward }, range, record });
            cx.notice(Counter::HostsMovedAway, format_args!("{} says {by}", eid.prefix.addr()));
            moved.push(eid);
        }
        moved
    }

    /// Sends what is due, asks for hosts that were not heard of for long, forgets what is over.
    pub(super) fn on_tick(&mut self, cx: &mut Cx<'_>, registrar: &mut Registrar) {
        while let Some(slot) = self.timers.pop_due(cx.now) {
            self.due(cx, registrar, slot);
        }
        while let Some((until, eid)) = self.away_until.first().copied().filter(|(until, _)| *until <= cx.now)
        {
            self.away_until.remove(&(until, eid));
            if let Some(away) = self.away.remove(&eid) {
                self.changes.push(gone(&eid, away.range));
            }
        }
    }

    /// When `on_tick` is wanted.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        let away = self.away_until.first().map(|(until, _)| *until);
        [self.timers.next_deadline(), away].into_iter().flatten().min()
    }

    /// What changed since this was asked last, in order.
    pub(super) fn changes(&mut self) -> Vec<HostChange> {
        std::mem::take(&mut self.changes)
    }

    /// A new configuration: hosts that it no longer allows are forgotten, the others register anew.
    pub(super) fn configure(&mut self, cx: &mut Cx<'_>, registrar: &mut Registrar) {
        let slots: Vec<u32> = self.live.iter().map(|(slot, _)| slot).collect();
        for slot in slots {
            let Some(live) = self.live.get_mut(slot) else { continue };
            match range_of(cx.config, &live.eid).filter(|(_, r)| live.found.is_allowed(cx.config, r)) {
                Some((range, _)) => {
                    live.range = range;
                    live.refresh = cx.now;
                    live.servers =
                        (0..cx.config.map_servers.len()).map(|peer| Batch::new(peer, 0..0)).collect();
                    self.timers.set(slot, cx.now);
                }
                None => self.leave(cx, registrar, slot),
            }
        }
    }

    /// Everything that may be due for one host.
    fn due(&mut self, cx: &mut Cx<'_>, registrar: &mut Registrar, slot: u32) {
        let Some(live) = self.live.get(slot) else { return };
        let silent = live.confirmed.plus_ms(patience_ms(cx.config, live.found)) <= cx.now;
        match (live.found, live.asked) {
            (Found::FirstHop { router }, _) if silent => {
                let eid = live.eid;
                let record = reply::negative(&eid, MapAction::NoAction, 0);
                self.lost.push(Lost { router, eid, record });
                return self.leave(cx, registrar, slot);
            }
            (_, Some(asked)) if asked.plus_ms(PROBE_MS) <= cx.now => {
                return self.leave(cx, registrar, slot);
            }
            (_, None) if silent => self.probe(cx, slot),
            _ => {}
        }
        let Some(live) = self.live.get_mut(slot) else { return };
        let refresh = live.refresh <= cx.now;
        if refresh {
            let interval = u64::from(cx.config.limits.register_interval_ms);
            live.refresh = cx.now.plus_ms(interval - cx.rng.below(interval / 10 + 1));
        }
        for peer in 0..cx.config.map_servers.len() {
            let batch = self.live.get(slot).and_then(|live| live.servers.get(peer));
            if batch.is_some_and(|b| refresh || b.retry_at().is_some_and(|at| at <= cx.now)) {
                self.register(cx, registrar, slot, peer);
            }
        }
        self.arm(cx.config, slot);
    }

    /// One Map-Register for one host, M=1 always: its Map-Notify shows that it was taken, and later
    /// ones where the host went.
    fn register(&mut self, cx: &mut Cx<'_>, registrar: &mut Registrar, slot: u32, peer: usize) {
        let config = cx.config;
        let (Some(server), Some(live)) = (config.map_servers.get(peer), self.live.get_mut(slot)) else {
            return;
        };
        let (Some(range), Some(batch)) = (config.dynamic_eids.get(live.range), live.servers.get_mut(peer))
        else {
            return;
        };
        if batch.is_awaiting() {
            cx.counters.add(Counter::RegistersRetransmitted, 1);
            batch.back_off(RETRY_MAX_MS);
        }
        let record = answer::record(config, &range.mapping, &live.eid, None);
        let nonce = registrar.next_nonce(config);
        let dropped = batch.sent(cx.now, nonce, true);
        self.by_nonce.remove(&dropped);
        self.by_nonce.insert(nonce, (slot, peer));
        registrar::send(cx, server, map_register(config, server, nonce, true, vec![record]));
    }

    /// Asks the kernel; a host behind a First-Hop Router is for that router to ask.
    fn probe(&mut self, cx: &mut Cx<'_>, slot: u32) {
        let Some(live) = self.live.get_mut(slot).filter(|live| live.asked.is_none()) else { return };
        let Found::Seen { port, .. } = live.found else { return };
        live.asked = Some(cx.now);
        cx.count(Counter::HostsProbed);
        cx.out.push(Action::ProbeHost { eid: live.eid, port });
        self.arm(cx.config, slot);
    }

    /// A host did not answer: takes its registration back.
    fn leave(&mut self, cx: &mut Cx<'_>, registrar: &mut Registrar, slot: u32) {
        let Some((eid, range)) = self.live.get(slot).map(|live| (live.eid, live.range)) else { return };
        self.forget_live(&eid);
        cx.notice(Counter::HostsLeft, format_args!("{}", eid.prefix.addr()));
        let config = cx.config;
        for server in &config.map_servers {
            let nonce = registrar.next_nonce(config);
            let record = reply::negative(&eid, MapAction::NoAction, 0);
            registrar::send(cx, server, map_register(config, server, nonce, false, vec![record]));
        }
        self.changes.push(gone(&eid, range));
    }

    /// Forgets a host; how we knew of it.
    fn forget_live(&mut self, eid: &EidPrefix) -> Option<Found> {
        let slot = self.by_eid.remove(eid)?;
        self.timers.cancel(slot);
        let live = self.live.remove(slot)?;
        for batch in &live.servers {
            batch.nonces().for_each(|nonce| {
                self.by_nonce.remove(&nonce);
            });
        }
        Some(live.found)
    }

    fn forget_away(&mut self, eid: &EidPrefix) {
        if let Some(away) = self.away.remove(eid) {
            self.away_until.remove(&(away.until, *eid));
        }
    }

    fn arm(&mut self, config: &EngineConfig, slot: u32) {
        let Some(live) = self.live.get(slot) else { return };
        let silent = live.confirmed.plus_ms(patience_ms(config, live.found));
        let probe = live.asked.map_or(silent, |asked| asked.plus_ms(PROBE_MS));
        let retries = live.servers.iter().filter_map(Batch::retry_at);
        let at = retries.chain([probe, live.refresh]).min().unwrap_or(live.refresh);
        self.timers.set(slot, at);
    }
}

fn gone(eid: &EidPrefix, range: usize) -> HostChange {
    HostChange { eid: *eid, place: Place::Gone, range, record: None }
}

/// How long a host may be silent.
fn patience_ms(config: &EngineConfig, found: Found) -> u64 {
    match found {
        Found::Seen { .. } => u64::from(config.limits.dynamic_eid_timeout_s) * 1000,
        Found::FirstHop { .. } => REGISTRATION_MS,
    }
}

/// The most specific range that holds a host.
pub(super) fn range_of<'c>(
    config: &'c EngineConfig,
    eid: &EidPrefix,
) -> Option<(usize, &'c DynamicEidRange)> {
    let host = eid.prefix.prefix_len() == eid.prefix.max_prefix_len();
    let holds =
        |r: &DynamicEidRange| r.mapping.eid.iid == eid.iid && r.mapping.eid.prefix.contains(&eid.prefix);
    let ranges = config.dynamic_eids.iter().enumerate().filter(|(_, r)| host && holds(r));
    ranges.max_by_key(|(_, r)| r.mapping.eid.prefix.prefix_len())
}
