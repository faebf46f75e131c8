//! Tells subscribers what changed (RFC 9437 section 6): one Map-Notify at a time to each, sent again
//! until it is acknowledged, never faster than the limits allow.
//!
//! A subscription is entered, changed or ended only when its subscriber has acknowledged the
//! Map-Notify that answers its Map-Request: that carries no MAC, the Map-Notify-Ack does. Whoever
//! forges the former changes nothing.

use super::answer::proxy_record;
use super::store::Store;
use super::subscriptions::{Subscription, Subscriptions, XtrId};
use crate::codec::{Address, AuthData, CONTROL_PORT, EidRecord, MapAction, MapNotify, Message, auth};
use crate::engine::config::{EngineConfig, Subscriber};
use crate::engine::event::{EidPrefix, Time};
use crate::engine::{Counter, Cx, Slab, Timers};
use crate::roles::forward::is_reachable;
use crate::roles::limit::{Bucket, Rate};
use crate::roles::reply::{self, Records};
use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};

/// Waits after each transmission; then it is given up (RFC 9301 section 5.7, R-167).
const WAITS_MS: [u64; 7] = [3_000, 3_000, 3_000, 6_000, 12_000, 24_000, 24_000];
/// Answers that wait for their acknowledgement at once.
const ANSWERS_MAX: usize = 4_096;
/// EID-prefixes that changed and are not published yet, per subscription; with more it is ended, and
/// the subscriber asks anew.
const NEWS_MAX: usize = 256;
/// Publications of one subscription, and of all together (RFC 9437 section 7.2).
const PER_SUBSCRIPTION: Rate = Rate { per_second: 2, burst: 4 };
const TOTAL: Rate = Rate { per_second: 5_000, burst: 2_000 };
/// Wait of a publication that a limit put off.
const RATE_WAIT_MS: u64 = 500;
/// Subscriptions looked at in one step.
const ROWS_PER_STEP: usize = 2_048;
/// Acknowledgements with the nonce of several subscribers: MACs tried.
const SAME_NONCE: usize = 8;

/// What a subscription is to become once its answer is acknowledged.
#[derive(Debug)]
pub(super) struct Wish {
    pub(super) eid: EidPrefix,
    pub(super) xtr_id: XtrId,
    pub(super) itr_rlocs: Vec<IpAddr>,
    pub(super) nonce: u64,
    /// Life of the subscription; `None`: it is to end.
    pub(super) lease_ms: Option<u64>,
}

#[derive(Debug)]
enum Cargo {
    /// The answer to a Map-Request; and what changed since.
    Answer(Wish, BTreeSet<EidPrefix>),
    /// What changed.
    News(u32, Vec<EidPrefix>),
}

/// A Map-Notify that waits for its acknowledgement.
#[derive(Debug)]
struct Flight {
    xtr_id: XtrId,
    nonce: u64,
    to: SocketAddr,
    payload: Vec<u8>,
    /// Transmissions so far.
    sent: usize,
    cargo: Cargo,
}

/// Subscriptions and what is on its way to them.
#[derive(Debug, Default)]
pub(super) struct Publisher {
    pub(super) table: Subscriptions,
    subscribers: HashMap<XtrId, usize>,
    flights: Slab<Flight>,
    timers: Timers,
    by_nonce: HashMap<u64, Vec<u32>>,
    answers: BTreeSet<u32>,
    total: Bucket,
}

impl Publisher {
    /// Takes over the configured subscribers; the subscriptions of those that are gone end.
    pub(super) fn configure(&mut self, config: &EngineConfig) {
        let ids = config.subscribers.iter().enumerate();
        self.subscribers = ids.map(|(i, subscriber)| (subscriber.xtr_id, i)).collect();
        let gone: Vec<u32> = self
            .table
            .iter()
            .filter(|row| !self.subscribers.contains_key(&row.xtr_id))
            .filter_map(|row| self.table.slot(&row.xtr_id, &row.eid))
            .collect();
        gone.into_iter().for_each(|slot| self.remove(slot));
    }

    /// The subscriber with this xTR-ID.
    pub(super) fn subscriber<'a>(&self, config: &'a EngineConfig, xtr_id: &XtrId) -> Option<&'a Subscriber> {
        config.subscribers.get(*self.subscribers.get(xtr_id)?)
    }

    /// Answers a Map-Request that subscribes, or ends a subscription, with `records`. What it wishes
    /// comes true with the acknowledgement.
    pub(super) fn answer(&mut self, cx: &mut Cx<'_>, wish: Wish, to: IpAddr, records: Vec<EidRecord>) {
        if self.answers.len() >= ANSWERS_MAX {
            cx.count(Counter::NotifiesOverLimit);
            return;
        }
        let (xtr_id, nonce) = (wish.xtr_id, wish.nonce);
        let Some(payload) = self.notify(cx, &xtr_id, nonce, records) else { return };
        let cargo = Cargo::Answer(wish, BTreeSet::new());
        let to = SocketAddr::new(to, CONTROL_PORT);
        let flight = self.launch(cx, Flight { xtr_id, nonce, to, payload, sent: 0, cargo });
        self.answers.insert(flight);
    }

    /// The mapping of an EID-prefix changed, came or went.
    pub(super) fn changed(&mut self, cx: &mut Cx<'_>, store: &Store, eid: &EidPrefix) {
        for flight in &self.answers {
            if let Some(Cargo::Answer(wish, news)) = self.flights.get_mut(*flight).map(|f| &mut f.cargo)
                && wish.eid.iid == eid.iid
                && (wish.eid.prefix.contains(&eid.prefix) || eid.prefix.contains(&wish.eid.prefix))
                && news.len() < NEWS_MAX
            {
                news.insert(*eid);
            }
        }
        if self.table.is_empty() {
            return;
        }
        let mapped_by = |inner: &EidPrefix| {
            let best = store.prefixes().lookup_prefix(inner);
            best.is_none_or(|(prefix, _)| eid.prefix.contains(&inner.prefix) && prefix == eid.prefix)
        };
        self.tell(cx, store, eid, mapped_by);
    }

    /// A policy came or went, which counts for whatever is registered inside of it.
    pub(super) fn policy_changed(&mut self, cx: &mut Cx<'_>, store: &Store, eid: &EidPrefix) {
        self.tell(cx, store, eid, |_| true);
    }

    fn tell(
        &mut self,
        cx: &mut Cx<'_>,
        store: &Store,
        eid: &EidPrefix,
        mapped_by: impl Fn(&EidPrefix) -> bool,
    ) {
        for (slot, about) in self.table.concerned(eid, mapped_by) {
            let Some(row) = self.table.get_mut(slot) else { continue };
            row.news.insert(about);
            if row.news.len() > NEWS_MAX {
                self.drop_subscription(cx, slot);
            } else {
                self.publish(cx, store, slot);
            }
        }
    }

    /// Sends what is new, together with what is not acknowledged yet.
    fn publish(&mut self, cx: &mut Cx<'_>, store: &Store, slot: u32) {
        let now = cx.now;
        let Some(row) = self.table.get_mut(slot).filter(|row| !row.news.is_empty()) else { return };
        if !row.rate.take(now, PER_SUBSCRIPTION) || !self.total.take(now, TOTAL) {
            cx.count(Counter::PublicationsDelayed);
            let wait = cx.rng.jitter(RATE_WAIT_MS, 20);
            self.table.wake(slot, Some(now.plus_ms(wait)));
            return;
        }
        if let Some(flight) = row.flight.take()
            && let Some(Flight { cargo: Cargo::News(_, unheard), .. }) = self.land(flight)
            && let Some(row) = self.table.get_mut(slot)
        {
            row.news.extend(unheard);
        }
        let Some(row) = self.table.get_mut(slot) else { return };
        let mut records = Records::default();
        let told: Vec<EidPrefix> =
            row.news.iter().take_while(|eid| records.push(record_of(store, eid))).copied().collect();
        told.iter().for_each(|eid| {
            row.news.remove(eid);
        });
        row.nonce = row.nonce.saturating_add(1);
        row.published += 1;
        let (xtr_id, nonce) = (row.xtr_id, row.nonce);
        let to = row.itr_rlocs.iter().copied().find(|ip| is_reachable(cx.config, *ip));
        let payload = records.into_non_empty().and_then(|list| self.notify(cx, &xtr_id, nonce, list));
        let (Some(to), Some(payload)) = (to, payload) else { return };
        cx.count(Counter::PublicationsSent);
        let to = SocketAddr::new(to, CONTROL_PORT);
        let cargo = Cargo::News(slot, told);
        let flight = self.launch(cx, Flight { xtr_id, nonce, to, payload, sent: 0, cargo });
        if let Some(row) = self.table.get_mut(slot) {
            row.flight = Some(flight);
        }
        self.table.wake(slot, None);
    }

    /// Takes an acknowledgement; false when it is none of ours.
    pub(super) fn acknowledged(&mut self, cx: &mut Cx<'_>, store: &Store, raw: &[u8], nonce: u64) -> bool {
        let config = cx.config;
        let authentic = |flight: &Flight| {
            self.subscriber(config, &flight.xtr_id).is_some_and(|subscriber| {
                auth::header(raw).is_ok_and(|header| header.algorithm == subscriber.algorithm)
                    && auth::verify(raw, &subscriber.key.secret).is_ok()
            })
        };
        let mut waiting = self.by_nonce.get(&nonce).into_iter().flatten().take(SAME_NONCE).copied();
        let found = waiting.find(|f| self.flights.get(*f).is_some_and(authentic));
        let Some(flight) = found.and_then(|flight| self.land(flight)) else { return false };
        match flight.cargo {
            Cargo::Answer(wish, news) => self.fulfil(cx, store, &wish, news),
            Cargo::News(slot, _) => {
                if let Some(row) = self.table.get_mut(slot) {
                    row.flight = None;
                }
                self.publish(cx, store, slot);
            }
        }
        true
    }

    /// The subscriber showed that the Map-Request was its own.
    fn fulfil(&mut self, cx: &mut Cx<'_>, store: &Store, wish: &Wish, news: BTreeSet<EidPrefix>) {
        let slot = self.table.slot(&wish.xtr_id, &wish.eid);
        // Acknowledgements may come in another order than the wishes did.
        if slot.and_then(|slot| self.table.get(slot)).is_some_and(|row| row.nonce > wish.nonce) {
            return;
        }
        let Some(lease_ms) = wish.lease_ms else {
            cx.count(Counter::SubscriptionsEnded);
            slot.into_iter().for_each(|slot| self.remove(slot));
            return;
        };
        let expires = cx.now.plus_ms(lease_ms);
        let slot = match slot {
            Some(slot) => slot,
            None => {
                let max = self.subscriber(cx.config, &wish.xtr_id).map_or(0, |s| s.max_subscriptions);
                let full = self.table.len() >= cx.config.limits.subscriptions as usize;
                if full || self.table.held_by(&wish.xtr_id) >= max {
                    cx.count(Counter::SubscriptionsOverLimit);
                    return;
                }
                cx.count(Counter::SubscriptionsNew);
                self.table.insert(Subscription {
                    eid: wish.eid,
                    xtr_id: wish.xtr_id,
                    itr_rlocs: Vec::new(),
                    nonce: wish.nonce,
                    since: cx.now,
                    expires,
                    news: BTreeSet::new(),
                    flight: None,
                    published: 0,
                    rate: Bucket::default(),
                })
            }
        };
        let Some(row) = self.table.get_mut(slot) else { return };
        row.itr_rlocs.clone_from(&wish.itr_rlocs);
        row.nonce = row.nonce.max(wish.nonce);
        row.expires = expires;
        row.news.extend(news);
        // What is under way has a nonce that the subscriber takes for an old one by now.
        if let Some(flight) = row.flight.take()
            && let Some(Flight { cargo: Cargo::News(_, unheard), .. }) = self.land(flight)
            && let Some(row) = self.table.get_mut(slot)
        {
            row.news.extend(unheard);
        }
        self.table.wake(slot, None);
        self.publish(cx, store, slot);
    }

    /// Sends again, gives up, lets expire what is due.
    pub(super) fn on_tick(&mut self, cx: &mut Cx<'_>, store: &Store) {
        while let Some(slot) = self.timers.pop_due(cx.now) {
            if self.flights.get(slot).is_some_and(|flight| flight.sent < WAITS_MS.len()) {
                cx.count(Counter::NotifiesRetransmitted);
                self.send(cx, slot);
                continue;
            }
            cx.count(Counter::NotifiesUnanswered);
            if let Some(Flight { cargo: Cargo::News(row, _), .. }) = self.land(slot) {
                self.drop_subscription(cx, row);
            }
        }
        for _ in 0..ROWS_PER_STEP {
            let Some(slot) = self.table.pop_due(cx.now) else { break };
            if self.table.get(slot).is_some_and(|row| row.expires > cx.now) {
                self.publish(cx, store, slot);
            } else {
                cx.count(Counter::SubscriptionsExpired);
                self.remove(slot);
            }
        }
    }

    /// When `on_tick` is wanted next.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        [self.timers.next_deadline(), self.table.next_deadline()].into_iter().flatten().min()
    }

    /// Ends a subscription that can not be served, and says so once (RFC 9437 section 6: no
    /// locators, ACT 5).
    fn drop_subscription(&mut self, cx: &mut Cx<'_>, slot: u32) {
        let Some(row) = self.table.get(slot) else { return };
        let (xtr_id, nonce, eid) = (row.xtr_id, row.nonce.saturating_add(1), row.eid);
        let to = row.itr_rlocs.iter().copied().find(|ip| is_reachable(cx.config, *ip));
        self.remove(slot);
        cx.count(Counter::SubscriptionsDropped);
        let lost = vec![reply::negative(&eid, MapAction::DropAuthFailure, 1)];
        if let (Some(to), Some(payload)) = (to, self.notify(cx, &xtr_id, nonce, lost)) {
            cx.send(SocketAddr::new(to, CONTROL_PORT), payload);
        }
    }

    fn remove(&mut self, slot: u32) {
        if let Some(flight) = self.table.remove(slot).and_then(|row| row.flight) {
            self.land(flight);
        }
    }

    /// A Map-Notify under the subscriber's PubSubKey.
    fn notify(
        &self,
        cx: &mut Cx<'_>,
        xtr_id: &XtrId,
        nonce: u64,
        records: Vec<EidRecord>,
    ) -> Option<Vec<u8>> {
        let subscriber = self.subscriber(cx.config, xtr_id)?;
        let algorithm = subscriber.algorithm;
        let auth =
            AuthData::unsigned(subscriber.key.id, auth::algorithm_id(algorithm), auth::tag_len(algorithm));
        let notify = MapNotify { nonce, auth, records, xtr: None };
        reply::encode_signed(cx, &Message::MapNotify(notify), &subscriber.key.secret)
    }

    fn launch(&mut self, cx: &mut Cx<'_>, flight: Flight) -> u32 {
        let nonce = flight.nonce;
        let slot = self.flights.insert(flight);
        self.by_nonce.entry(nonce).or_default().push(slot);
        self.send(cx, slot);
        slot
    }

    fn send(&mut self, cx: &mut Cx<'_>, slot: u32) {
        let Some(flight) = self.flights.get_mut(slot) else { return };
        let wait = WAITS_MS.get(flight.sent).copied().unwrap_or_default();
        flight.sent += 1;
        cx.count(Counter::NotifiesSent);
        cx.send(flight.to, flight.payload.clone());
        self.timers.set(slot, cx.now.plus_ms(wait));
    }

    /// Takes back a Map-Notify: nothing is waited for any more.
    fn land(&mut self, slot: u32) -> Option<Flight> {
        let flight = self.flights.remove(slot)?;
        self.timers.cancel(slot);
        self.answers.remove(&slot);
        if let Some(slots) = self.by_nonce.get_mut(&flight.nonce) {
            slots.retain(|s| *s != slot);
            if slots.is_empty() {
                self.by_nonce.remove(&flight.nonce);
            }
        }
        Some(flight)
    }
}

/// What policy says of this EID-prefix, its mapping, or what the one around it says of it; with TTL 0 when
/// there is none (RFC 9437 section 6: withdrawn).
fn record_of(store: &Store, eid: &EidPrefix) -> EidRecord {
    if let Some(said) = store.policies.answer(eid) {
        return EidRecord {
            eid: Address::from_eid(eid.iid, eid.prefix.network()),
            mask_len: eid.prefix.prefix_len(),
            ..said
        };
    }
    let row = store.prefixes().lookup_prefix(eid).and_then(|(_, slot)| store.row(*slot));
    row.map_or_else(|| reply::negative(eid, MapAction::NoAction, 0), |row| proxy_record(row, eid.prefix))
}
