//! The ITR side, of a proxy or of a site: map-cache, lookups, RLOC states, and what connects them.

use super::accept::{Accepted, accept};
use super::counters::Counter;
use super::cx::Cx;
use super::event::{Action, EidPrefix, Iid, Time};
use super::map_cache::{MapCache, NewEntry};
use super::mapping::{Act, Origin};
use super::nat::NatEntries;
use super::resolve::{Asked, Cause, Resolver};
use super::rlocs::Rlocs;
use super::subscriptions::Subscriptions;
use crate::codec::{LocatorRecord, MapReply, MapRequest};
use crate::roles::limit::{Bucket, Rate};
use ipnet::IpNet;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// SMRs of all peers together that are looked at, per second.
const SMR_RATE: Rate = Rate { per_second: 500, burst: 500 };
/// Cached prefixes inside the prefix of one SMR that are asked for again.
const SMR_INSIDE: usize = 16;

/// State of the ITR side.
#[derive(Debug, Default)]
pub struct Itr {
    /// Mappings.
    pub cache: MapCache,
    /// RLOCs and locator-sets.
    pub rlocs: Rlocs,
    /// Lookups.
    pub resolver: Resolver,
    /// Subscriptions (RFC 9437).
    pub subscriptions: Subscriptions,
    smrs: Bucket,
    pub(super) acks: Bucket,
    /// Hosts of our own site that are at another one: asked for like everybody else's.
    pub(super) away: BTreeSet<EidPrefix>,
    /// The data plane is told versions of mappings, and the state of their locators.
    pub(super) marking: (bool, bool),
    pub(super) hints: Bucket,
    /// What NATs make of it.
    pub(super) nat: NatEntries,
}

impl Itr {
    /// A worker has a packet for an EID without a mapping.
    pub fn on_miss(&mut self, cx: &mut Cx<'_>, iid: Iid, eid: IpAddr, source: IpAddr) {
        cx.count(Counter::Misses);
        let host = EidPrefix { iid, prefix: IpNet::from(eid) };
        // A static mapping or a reply that the worker has not seen yet is no reason to ask.
        match self.cache.lookup(iid, eid).map(|entry| entry.act) {
            Some(Act::SendMapRequest) if self.away.contains(&host) || may_ask(cx, iid, eid) => {
                self.resolver.want(cx, host, Cause::Miss, Some(source));
            }
            Some(Act::SendMapRequest) | None => {
                cx.count(Counter::MissesOutsideEidSpace);
                cx.out.push(Action::Abandon { iid, eid });
            }
            Some(_) => cx.count(Counter::MissesAlreadyMapped),
        }
    }

    /// Packets were forwarded by these entries. One that we do not know is left from an engine
    /// before us, which the workers outlived: it is learnt again while they still use it.
    pub fn on_used(&mut self, cx: &mut Cx<'_>, eids: &[EidPrefix]) {
        for eid in eids {
            if self.cache.touch(cx.now, eid) {
                continue;
            }
            let around = self.cache.lookup_prefix(eid);
            if around.is_some_and(|entry| entry.origin == Origin::EidSpace) {
                // Refused: the next report names it again.
                let _ = self.resolver.want(cx, *eid, Cause::Refresh, None);
            }
        }
    }

    /// A Map-Reply.
    pub fn on_map_reply(&mut self, cx: &mut Cx<'_>, raw: &[u8], reply: &MapReply) {
        cx.count(Counter::MapRepliesReceived);
        let lookup = self.resolver.is_lookup_nonce(reply.nonce);
        if reply.probe && self.rlocs.keying.is_nonce(reply.nonce) {
            return self.rlocs.keying.on_reply(cx, reply);
        }
        let probe = self.rlocs.is_probe_nonce(reply.nonce);
        match (reply.probe, lookup, probe) {
            (_, false, false) => cx.count(Counter::MapRepliesUnsolicited),
            (true, _, true) => self.on_probe_reply(cx, reply),
            (false, true, _) => self.on_lookup_reply(cx, raw, reply),
            // The nonce stays valid: who guessed the wrong kind does not get to spend it.
            (true, true, false) | (false, false, true) => cx.count(Counter::MapRepliesWrongKind),
        }
    }

    fn on_lookup_reply(&mut self, cx: &mut Cx<'_>, raw: &[u8], reply: &MapReply) {
        let Some(records) = self.authentic(cx, raw, reply) else { return };
        let subscribed = self.resolver.is_subscribe_nonce(reply.nonce);
        let Some(asked) = self.resolver.answered(cx, reply.nonce) else {
            cx.count(Counter::MapRepliesUnsolicited);
            return;
        };
        if subscribed {
            cx.count(Counter::SubscribesDeclined);
        }
        let accepted = accept(cx, &asked.eid, &records);
        if accepted.is_empty() {
            // Nothing in it for us: the lookup goes on, and ends by itself.
            return;
        }
        self.take_answer(cx, asked, accepted);
        if reply.echo_nonce && cx.config.trust.echo_nonce {
            // A Map-Server that answers for the site knows nothing of it: its silence says nothing.
            let rlocs = records.iter().flat_map(|record| &record.locators).filter_map(LocatorRecord::rloc);
            rlocs.for_each(|rloc| self.rlocs.note_echoing(cx, rloc, true));
        }
    }

    /// Puts the answer to a lookup into the map-cache, and ends the lookup.
    pub(super) fn take_answer(&mut self, cx: &mut Cx<'_>, asked: Asked, accepted: Vec<Accepted>) {
        self.apply(cx, &asked.eid, accepted);
        let found = self.cache.lookup_prefix(&asked.eid);
        let resolved = found.is_some_and(|entry| entry.act != Act::SendMapRequest);
        if let Some(set) = found.and_then(|entry| entry.set) {
            self.rlocs.forget_said_down(cx, set);
        }
        self.resolver.done(cx, asked, resolved);
    }

    /// The answer to a probe also confirms or changes the mapping that was asked for, if we still
    /// have it.
    fn on_probe_reply(&mut self, cx: &mut Cx<'_>, reply: &MapReply) {
        let Some(answered) = self.rlocs.on_probe_reply(cx, reply) else { return };
        let Some(eid) = answered.eid else { return };
        // a probe carries no LISP-SEC, so its answer says nothing of the mapping.
        if cx.config.lisp_sec.required {
            return;
        }
        let Some(entry) = self.cache.get(&eid).filter(|entry| entry.origin == Origin::MapReply) else {
            return;
        };
        // A router on the way to the ETR answers for itself, as a Proxy ETR does.
        let on_the_way = |set| self.rlocs.is_only_on_the_way(set, answered.rloc);
        if !entry.set.is_some_and(on_the_way) {
            let accepted = accept(cx, &eid, &reply.records);
            self.apply(cx, &eid, accepted);
        }
    }

    /// Puts what was accepted into the map-cache, then takes out what it replaces.
    pub(super) fn apply(&mut self, cx: &mut Cx<'_>, asked: &EidPrefix, accepted: Vec<Accepted>) {
        let names: Vec<EidPrefix> = accepted.iter().map(|a| a.eid).collect();
        let widest = names.iter().filter(|n| n.prefix.contains(&asked.prefix)).map(|n| n.prefix);
        let widest = widest.min_by_key(IpNet::prefix_len);
        for Accepted { eid, mapping, version } in accepted {
            match mapping {
                Some((act, locators, expires)) => {
                    let new = NewEntry { act, locators, origin: Origin::MapReply, expires, version };
                    if self.cache.put(cx, &mut self.rlocs, eid, new) {
                        cx.count(Counter::EntriesLearnt);
                    }
                }
                None if self.cache.get(&eid).is_some_and(|e| e.origin.is_learnt()) => {
                    cx.count(Counter::EntriesWithdrawn);
                    self.cache.retire(cx, &mut self.rlocs, &eid);
                }
                None => {}
            }
        }
        if let Some(widest) = widest {
            self.drop_replaced(cx, asked, widest, &names);
        }
    }

    /// A less-specific record replaces the more-specific entries that the request was about: those
    /// between it and what was asked for. Others inside it stay.
    fn drop_replaced(&mut self, cx: &mut Cx<'_>, asked: &EidPrefix, widest: IpNet, kept: &[EidPrefix]) {
        let replaced: Vec<EidPrefix> = self
            .cache
            .on_path(asked)
            .filter(|e| e.origin.is_learnt() && widest.contains(&e.eid.prefix) && !kept.contains(&e.eid))
            .map(|e| e.eid)
            .collect();
        for eid in replaced {
            self.cache.remove(cx, &mut self.rlocs, &eid);
        }
    }

    /// A Solicit-Map-Request: only a reason to ask, whoever sent it.
    pub fn on_smr(&mut self, cx: &mut Cx<'_>, smr: &MapRequest) {
        cx.count(Counter::SmrsReceived);
        if !self.smrs.take(cx.now, SMR_RATE) {
            cx.count(Counter::SmrsLimited);
            return;
        }
        let targets = self.smr_targets(smr);
        if targets.is_empty() {
            cx.count(Counter::SmrsWithoutEntry);
        }
        for eid in targets {
            self.resolver.want(cx, eid, Cause::Smr, None);
        }
    }

    /// What to ask for (wire.md TRAP 16): the Source-EID, as a host, if we have a mapping for it
    /// (it carries no mask, and a host may have moved out of the cached prefix); else the EID of
    /// the record, or the cached prefixes inside it.
    fn smr_targets(&self, smr: &MapRequest) -> Vec<EidPrefix> {
        let mapped = |eid: &EidPrefix| {
            self.cache.lookup_prefix(eid).is_some_and(|entry| entry.origin == Origin::MapReply)
        };
        if let Some((iid, addr)) = smr.source_eid.eid() {
            let host = EidPrefix { iid, prefix: IpNet::from(addr) };
            if mapped(&host) {
                return vec![host];
            }
        }
        let Some(eid) = smr.records.first().and_then(|record| record.eid_prefix()) else {
            return Vec::new();
        };
        if mapped(&eid) {
            return vec![eid];
        }
        let inside = self.cache.inside(&eid).filter(|entry| entry.origin == Origin::MapReply);
        inside.map(|entry| entry.eid).take(SMR_INSIDE).collect()
    }

    /// Forgets learnt mappings, and which lookups were in vain.
    pub fn clear(&mut self, cx: &mut Cx<'_>, inside: Option<&EidPrefix>) {
        self.cache.clear(cx, &mut self.rlocs, inside);
        self.resolver.clear(inside);
    }

    /// Does what is due.
    pub fn on_tick(&mut self, cx: &mut Cx<'_>) {
        let mut refresh = Vec::new();
        self.cache.on_tick(cx, &mut self.rlocs, &mut refresh);
        for eid in refresh {
            if self.resolver.want(cx, eid, Cause::Refresh, None) {
                cx.count(Counter::RefreshesStarted);
            } else {
                self.cache.put_off_refresh(cx, &eid);
            }
        }
        self.tend_subscriptions(cx);
        let cache = &self.cache;
        let prefix_of = |slot| {
            // A PETR is no authority for what is sent through it: no EID-prefix to ask it for.
            cache.by_slot(slot).filter(|e| e.act == Act::Encapsulate).map(|e| e.eid)
        };
        self.rlocs.tick_echoes(cx);
        self.rlocs.on_tick(cx, &prefix_of);
        self.rlocs.agree_on_keys(cx, &prefix_of);
        self.ask_for_stranded(cx);
        self.resolver.on_tick(cx);
    }

    /// When `on_tick` is wanted next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        let all = [
            self.cache.next_deadline(),
            self.rlocs.next_deadline(),
            self.rlocs.keying.next_deadline(),
            self.rlocs.echoes.next_deadline(),
            self.rlocs.stranded.next_deadline(),
            self.resolver.next_deadline(),
            self.subscriptions.next_deadline(),
        ];
        all.into_iter().flatten().min()
    }
}

/// Addresses that nobody can have, and our own site, are not asked for.
fn may_ask(cx: &Cx<'_>, iid: Iid, eid: IpAddr) -> bool {
    let ours = cx.config.database.iter().any(|m| m.eid.iid == iid && m.eid.prefix.contains(&eid));
    !(ours || crate::codec::is_martian(eid))
}
