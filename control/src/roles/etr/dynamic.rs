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
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::IpAddr;

/// New hosts per second, all ports together: a flood of invented sources must not become a flood of
/// Map-Registers. Workers report a host again each second while it speaks.
const NEW_HOSTS: Rate = Rate { per_second: 500, burst: 500 };
/// The kernel has given up on a neighbour by then: 5 s of delay and 3 questions.
const PROBE_MS: u64 = 15_000;
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

/// A host at our site.
#[derive(Clone, Debug)]
pub(super) struct Live {
    pub(super) eid: EidPrefix,
    pub(super) range: usize,
    pub(super) port: PortId,
    pub(super) mac: MacAddr,
    pub(super) seen: Seen,
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
        if seen.claim {
            cx.notice(
                Counter::HostsClaimed,
                format_args!("{} of a live host is used by {} too", eid.prefix.addr(), seen.mac),
            );
            // If the one who has it does not answer, the address is free.
            if let Some(&slot) = self.by_eid.get(&eid) {
                self.probe(cx, slot);
            }
            return;
        }
        if let Some(live) = self.by_eid.get(&eid).and_then(|slot| self.live.get_mut(*slot)) {
            if live.port != seen.port {
                (live.port, live.mac, live.confirmed) = (seen.port, seen.mac, cx.now);
                cx.notice(Counter::HostsMovedPort, format_args!("{}", eid.prefix.addr()));
                self.changes.push(here(&eid, range, seen.port));
            }
            return;
        }
        if !self.new_hosts.take(cx.now, NEW_HOSTS)
            || self.live.len() >= cx.config.limits.dynamic_eids as usize
        {
            return cx.count(Counter::HostsOverLimit);
        }
        self.forget_away(&eid);
        cx.notice(
            Counter::HostsAppeared,
            format_args!("{} at {} by {:?}", eid.prefix.addr(), seen.mac, seen.seen),
        );
        let servers = (0..cx.config.map_servers.len()).map(|peer| Batch::new(peer, 0..0)).collect();
        let slot = self.live.insert(Live {
            eid,
            range,
            port: seen.port,
            mac: seen.mac,
            seen: seen.seen,
            since: cx.now,
            confirmed: cx.now,
            asked: None,
            servers,
            refresh: cx.now,
        });
        self.by_eid.insert(eid, slot);
        self.changes.push(here(&eid, range, seen.port));
        self.due(cx, registrar, slot);
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
            let mut rlocs = record.locators.iter().filter_map(|l| l.rloc()).peekable();
            if rlocs.peek().is_none() || rlocs.any(ours) {
                continue;
            }
            let forward = config.forward_away;
            self.forget_live(&eid);
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
            match range_of(cx.config, &live.eid).filter(|(_, r)| r.ports.contains(&live.port)) {
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
        let silent = live.confirmed.plus_ms(idle_ms(cx.config)) <= cx.now;
        match live.asked {
            Some(asked) if asked.plus_ms(PROBE_MS) <= cx.now => return self.leave(cx, registrar, slot),
            None if silent => self.probe(cx, slot),
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

    fn probe(&mut self, cx: &mut Cx<'_>, slot: u32) {
        let Some(live) = self.live.get_mut(slot).filter(|live| live.asked.is_none()) else { return };
        live.asked = Some(cx.now);
        cx.count(Counter::HostsProbed);
        cx.out.push(Action::ProbeHost { eid: live.eid, port: live.port });
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

    fn forget_live(&mut self, eid: &EidPrefix) {
        let Some(slot) = self.by_eid.remove(eid) else { return };
        self.timers.cancel(slot);
        for batch in self.live.remove(slot).into_iter().flat_map(|live| live.servers) {
            batch.nonces().for_each(|nonce| {
                self.by_nonce.remove(&nonce);
            });
        }
    }

    fn forget_away(&mut self, eid: &EidPrefix) {
        if let Some(away) = self.away.remove(eid) {
            self.away_until.remove(&(away.until, *eid));
        }
    }

    fn arm(&mut self, config: &EngineConfig, slot: u32) {
        let Some(live) = self.live.get(slot) else { return };
        let probe =
            live.asked.map_or(live.confirmed.plus_ms(idle_ms(config)), |asked| asked.plus_ms(PROBE_MS));
        let retries = live.servers.iter().filter_map(Batch::retry_at);
        let at = retries.chain([probe, live.refresh]).min().unwrap_or(live.refresh);
        self.timers.set(slot, at);
    }
}

fn here(eid: &EidPrefix, range: usize, port: PortId) -> HostChange {
    HostChange { eid: *eid, place: Place::Here { port }, range, record: None }
}

fn gone(eid: &EidPrefix, range: usize) -> HostChange {
    HostChange { eid: *eid, place: Place::Gone, range, record: None }
}

fn idle_ms(config: &EngineConfig) -> u64 {
    u64::from(config.limits.dynamic_eid_timeout_s) * 1000
}

/// The most specific range that holds a host.
fn range_of<'c>(config: &'c EngineConfig, eid: &EidPrefix) -> Option<(usize, &'c DynamicEidRange)> {
    let host = eid.prefix.prefix_len() == eid.prefix.max_prefix_len();
    let holds =
        |r: &DynamicEidRange| r.mapping.eid.iid == eid.iid && r.mapping.eid.prefix.contains(&eid.prefix);
    let ranges = config.dynamic_eids.iter().enumerate().filter(|(_, r)| host && holds(r));
    ranges.max_by_key(|(_, r)| r.mapping.eid.prefix.prefix_len())
}
