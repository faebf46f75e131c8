//! Map-Notifies for subscriptions of ours (RFC 9437 sections 5, 6): confirmations and publications.

use super::accept::accept;
use super::counters::Counter;
use super::cx::{Cx, Handled, Meta};
use super::event::EidPrefix;
use super::itr::Itr;
use super::mapping::Origin;
use super::resolve::Cause;
use super::send;
use super::subscriptions::Due;
use crate::codec::{AuthData, EidRecord, MapAction, MapNotify, Message, auth};
use crate::engine::config::Subscribing;
use crate::roles::limit::Rate;

/// Longest life of a subscription, minutes: a week.
const LEASE_MAX_MINUTES: u32 = 7 * 24 * 60;
/// Acknowledgements sent: a replayed Map-Notify must not make us a reflector.
const ACKS: Rate = Rate { per_second: 2_000, burst: 5_000 };
/// Subscriptions looked at in one step.
const PER_STEP: usize = 1_024;
/// Entries of a subscription looked at to see whether one is in use.
const ENTRIES: usize = 64;
/// A publication's nonce is the last one plus one, or a little more when some were lost. What lies
/// further ahead is the answer to a Map-Request that somebody forged in our name: to acknowledge it
/// would make it ours.
const NONCE_WINDOW: u64 = 1 << 16;

impl Itr {
    /// Takes a Map-Notify about a subscription, wanted or held. `Handled::No`: it is about something
    /// else.
    pub fn on_map_notify(&mut self, cx: &mut Cx<'_>, meta: &Meta, raw: &[u8], notify: &MapNotify) -> Handled {
        let config = cx.config;
        let Some(subscribing) = &config.subscribing else { return Handled::No };
        let answers = self.resolver.is_subscribe_nonce(notify.nonce);
        let about = notify.records.first().and_then(EidRecord::eid_prefix);
        let held = about.and_then(|eid| self.subscriptions.covering(&eid).map(|held| held.eid));
        if !answers && held.is_none() {
            return Handled::No;
        }
        if !is_authentic(subscribing, raw) {
            // At a site router it may be for the ETR, under the key of its registration.
            if !config.map_servers.is_empty() {
                return Handled::No;
            }
            cx.notice(Counter::PublicationsBadAuth, format_args!("Map-Notify from {}", meta.from));
            return Handled::Yes;
        }
        let taken = match (answers, held) {
            (true, _) => self.on_subscribed(cx, meta, notify),
            (false, Some(held)) => self.on_publication(cx, meta, &held, notify),
            (false, None) => false,
        };
        if taken {
            self.acknowledge(cx, meta, subscribing, notify);
        }
        Handled::Yes
    }

    /// The Map-Notify that answers a Map-Request (RFC 9437 section 5): the mapping, and the word
    /// that its changes will be told.
    fn on_subscribed(&mut self, cx: &mut Cx<'_>, meta: &Meta, notify: &MapNotify) -> bool {
        let Some(asked) = self.resolver.answered(cx, notify.nonce) else { return false };
        let accepted = accept(cx, &asked.eid, &notify.records);
        if accepted.is_empty() {
            return false;
        }
        self.take_answer(cx, asked, accepted);
        let covers = |r: &&EidRecord| {
            r.eid_prefix().is_some_and(|e| e.iid == asked.eid.iid && e.prefix.contains(&asked.eid.prefix))
        };
        let best = notify.records.iter().filter(covers).max_by_key(|r| r.mask_len).or(notify.records.first());
        let minutes = best.map_or(1, |r| r.ttl_minutes).clamp(1, LEASE_MAX_MINUTES);
        let eid = best.filter(covers).and_then(EidRecord::eid_prefix).unwrap_or(asked.eid);
        self.resolver.subscribe_nonces.seen(notify.nonce);
        // Without room it is not acknowledged, and so not entered at the Map-Server either.
        self.subscriptions.confirmed(cx, eid, meta.from, notify.nonce, u64::from(minutes) * 60_000)
    }

    /// A Map-Notify that we did not ask for (RFC 9437 section 6). True: to be acknowledged.
    fn on_publication(&mut self, cx: &mut Cx<'_>, meta: &Meta, held: &EidPrefix, notify: &MapNotify) -> bool {
        let Some(row) = self.subscriptions.get_mut(held) else { return false };
        if row.leaving == Some(notify.nonce) {
            self.subscriptions.forget(held);
            return true;
        }
        if notify.nonce <= row.nonce || notify.nonce - row.nonce > NONCE_WINDOW {
            let again = notify.nonce == row.nonce;
            if again {
                // Our acknowledgement was lost.
                cx.count(Counter::PublicationsRepeated);
            } else {
                cx.notice(
                    Counter::PublicationsReplayed,
                    format_args!("Map-Notify from {} for {}", meta.from, held.prefix),
                );
            }
            return again;
        }
        row.nonce = notify.nonce;
        row.publications += 1;
        row.server = meta.from;
        self.resolver.subscribe_nonces.seen(notify.nonce);
        cx.count(Counter::PublicationsReceived);
        let inside = |r: &&EidRecord| {
            r.eid_prefix().is_some_and(|e| e.iid == held.iid && held.prefix.contains(&e.prefix))
        };
        let records: Vec<EidRecord> = notify.records.iter().filter(inside).cloned().collect();
        let ended = |r: &EidRecord| {
            r.locators.is_empty()
                && r.action == MapAction::DropAuthFailure
                && r.eid_prefix().as_ref() == Some(held)
        };
        if records.iter().any(ended) {
            // The mapping may still be right; it is asked for, and subscribed to, anew.
            cx.count(Counter::SubscriptionsLost);
            self.subscriptions.forget(held);
            self.resolver.want(cx, *held, Cause::Refresh, None);
            return true;
        }
        let accepted = accept(cx, held, &records);
        self.apply(cx, held, accepted);
        true
    }

    /// Renews subscriptions, gives up those that nothing uses.
    pub(super) fn tend_subscriptions(&mut self, cx: &mut Cx<'_>) {
        for _ in 0..PER_STEP {
            let Some(due) = self.subscriptions.pop_due(cx.now) else { break };
            match due {
                Due::Lost(_) => cx.count(Counter::SubscriptionsLost),
                Due::Renew { eid, age_ms } if self.is_used(cx, &eid, age_ms) => {
                    self.resolver.want(cx, eid, Cause::Refresh, None);
                }
                Due::Renew { eid, .. } => self.unsubscribe(cx, &eid),
            }
        }
    }

    /// Packets used a mapping of the subscription since it was confirmed.
    fn is_used(&self, cx: &Cx<'_>, eid: &EidPrefix, age_ms: u64) -> bool {
        let mut inside = self.cache.inside(eid).filter(|e| e.origin == Origin::MapReply).take(ENTRIES);
        inside.any(|entry| cx.now.since(entry.used) < age_ms)
    }

    fn unsubscribe(&mut self, cx: &mut Cx<'_>, eid: &EidPrefix) {
        let nonce = self.resolver.subscribe_nonces.next(cx);
        if let Some(resolver) = self.resolver.resolvers.choose(cx, &[], true)
            && send::unsubscribe(cx, resolver, nonce, *eid)
        {
            cx.count(Counter::UnsubscribesSent);
        }
        self.subscriptions.leave(cx.now, eid, nonce);
    }

    /// Map-Notify-Ack: nonce and records as they came, under the same key.
    fn acknowledge(&mut self, cx: &mut Cx<'_>, meta: &Meta, subscribing: &Subscribing, notify: &MapNotify) {
        if !self.acks.take(cx.now, ACKS) {
            return;
        }
        let auth = AuthData::unsigned(notify.auth.key_id, notify.auth.algorithm_id, notify.auth.tag.len());
        let ack = MapNotify { nonce: notify.nonce, auth, records: notify.records.clone(), xtr: None };
        let Some(mut payload) = send::encode(cx, &Message::MapNotifyAck(ack)) else { return };
        if auth::sign(&mut payload, &subscribing.key.secret).is_ok() {
            cx.count(Counter::NotifyAcksSent);
            cx.send(meta.from, payload);
        }
    }
}

fn is_authentic(subscribing: &Subscribing, raw: &[u8]) -> bool {
    auth::header(raw).is_ok_and(|h| h.algorithm == subscribing.algorithm && h.key_id == subscribing.key.id)
        && auth::verify(raw, &subscribing.key.secret).is_ok()
}
