//! Map-Requests that subscribe (RFC 9437 section 5).

use super::MapServer;
use super::answer::Decision;
use super::publisher::Wish;
use crate::codec::{Address, EidRecord, MapRequest};
use crate::engine::config::Subscriber;
use crate::engine::event::{EidPrefix, Time};
use crate::engine::{Counter, Cx};
use crate::roles::forward::is_reachable;
use serde::Serialize;
use std::net::IpAddr;

/// Life of a subscription to what nobody has registered, minutes (RFC 9437 section 5).
const TEMPORARY_MINUTES: u32 = 15;
/// Longest life of a subscription, minutes: a week.
const LEASE_MAX_MINUTES: u32 = 7 * 24 * 60;
/// ITR-RLOCs kept of a subscriber.
const ITR_RLOCS: usize = 4;

/// What `pxtr show subscriptions` lists of a Map-Server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SubscriptionView {
    /// The subscriber's name.
    pub subscriber: String,
    /// Its xTR-ID.
    pub xtr_id: [u8; 16],
    /// EID-prefix.
    pub eid: EidPrefix,
    /// Where publications go.
    pub itr_rlocs: Vec<IpAddr>,
    /// Milliseconds since it began.
    pub since_ms_ago: u64,
    /// Milliseconds until it ends, if it is not renewed.
    pub expires_in_ms: u64,
    /// Publications.
    pub published: u64,
    /// The last publication is not acknowledged yet, or there is more to tell.
    pub behind: bool,
}

impl MapServer {
    /// The subscriptions, by instance and EID-prefix.
    pub fn subscriptions<'a>(
        &'a self,
        config: &'a crate::engine::config::EngineConfig,
        now: Time,
    ) -> impl Iterator<Item = SubscriptionView> + 'a {
        self.publisher.table.iter().map(move |row| SubscriptionView {
            subscriber: self
                .publisher
                .subscriber(config, &row.xtr_id)
                .map(|subscriber| subscriber.name.clone())
                .unwrap_or_default(),
            xtr_id: row.xtr_id,
            eid: row.eid,
            itr_rlocs: row.itr_rlocs.clone(),
            since_ms_ago: now.since(row.since),
            expires_in_ms: row.expires.since(now),
            published: row.published,
            behind: row.flight.is_some() || !row.news.is_empty(),
        })
    }

    /// How many subscriptions there are.
    #[must_use]
    pub fn subscription_count(&self) -> usize {
        self.publisher.table.len()
    }

    /// Takes a Map-Request that subscribes. False: it does not, or may not, and is to be answered as
    /// any other (RFC 9437 section 5: the subscriber then pulls).
    pub(super) fn subscribe(&mut self, cx: &mut Cx<'_>, request: &MapRequest) -> bool {
        // A sender puts one record.
        let [asked] = request.records.as_slice() else { return false };
        let Some(eid) = asked.eid_prefix().filter(|_| asked.subscribe) else { return false };
        cx.count(Counter::SubscribesReceived);
        let config = cx.config;
        let subscriber = request.xtr.and_then(|xtr| self.publisher.subscriber(config, &xtr.xtr_id));
        let Some(subscriber) = subscriber else {
            cx.count(Counter::SubscribesRefused);
            return false;
        };
        let ends = request.itr_rlocs == [Address::None];
        let Some((key, records)) = self.mapping_to_subscribe(cx, &eid, request) else { return false };
        let slot = self.publisher.table.slot(&subscriber.xtr_id, &key);
        let held = slot.and_then(|slot| self.publisher.table.get(slot));
        if held.is_some_and(|row| request.nonce <= row.nonce) {
            cx.notice(Counter::SubscribesReplayed, format_args!("of {} for {}", subscriber.name, key.prefix));
            return true;
        }
        let itr_rlocs = match held {
            Some(row) if ends => row.itr_rlocs.clone(),
            None if ends => return true,
            _ => allowed_rlocs(cx, subscriber, request),
        };
        let Some(&to) = itr_rlocs.first() else {
            cx.count(Counter::SubscribesRefused);
            return false;
        };
        if request.no_reply || !self.limits.admit_repeat(cx, to, (true, &request.records)) {
            return true;
        }
        let minutes = records.first().map_or(1, |r| r.ttl_minutes).clamp(1, LEASE_MAX_MINUTES);
        let wish = Wish {
            eid: key,
            xtr_id: subscriber.xtr_id,
            itr_rlocs,
            nonce: request.nonce,
            lease_ms: (!ends).then_some(u64::from(minutes) * 60_000),
        };
        self.publisher.answer(cx, wish, to, records);
        true
    }

    /// What the subscription is about: the best match (or the hole) that the EID lies in; and the
    /// records that say what it is mapped to now.
    fn mapping_to_subscribe(
        &self,
        cx: &Cx<'_>,
        eid: &EidPrefix,
        request: &MapRequest,
    ) -> Option<(EidPrefix, Vec<EidRecord>)> {
        let Decision::Answer(mut list) = self.decide(cx.config, eid, request, true) else { return None };
        let mut records = crate::roles::reply::Records::default();
        for record in &mut list {
            if record.locators.is_empty() {
                record.ttl_minutes = record.ttl_minutes.max(TEMPORARY_MINUTES);
            }
        }
        records.extend(list);
        let records = records.into_non_empty()?;
        let best = records.first().and_then(EidRecord::eid_prefix);
        let key = best.filter(|best| best.prefix.contains(&eid.prefix)).unwrap_or(*eid);
        Some((key, records))
    }
}

/// The ITR-RLOCs that publications may go to.
fn allowed_rlocs(cx: &Cx<'_>, subscriber: &Subscriber, request: &MapRequest) -> Vec<IpAddr> {
    let named = request.itr_rlocs.iter().filter_map(Address::rloc);
    let allowed = |ip: &IpAddr| subscriber.rlocs.is_empty() || subscriber.rlocs.contains(ip);
    named.filter(|ip| allowed(ip) && is_reachable(cx.config, *ip)).take(ITR_RLOCS).collect()
}
