//! What the ITR side subscribes to (RFC 9437): which subscriptions it holds, under which nonce each
//! stands, when it is renewed and when it ends.

use super::config::EngineConfig;
use super::counters::Counter;
use super::cx::Cx;
use super::event::{EidPrefix, Time};
use super::slab::Slab;
use super::timers::Timers;
use crate::codec::XtrSiteId;
use crate::roles::prefix_table::EidTable;
use std::net::SocketAddr;

/// Random part of the distance between two nonces: a forger must guess it.
const NONCE_STEP: u64 = 1 << 20;
/// A subscription that was given up waits that long for the Map-Server to say so.
const LEAVING_MS: u64 = 30_000;

/// Whether lookups subscribe.
#[must_use]
pub fn identity(config: &EngineConfig) -> Option<XtrSiteId> {
    config.subscribing.as_ref()?;
    config.xtr_id.map(|(xtr_id, site_id)| XtrSiteId { xtr_id, site_id })
}

/// The nonces of Map-Requests that subscribe. They grow, over restarts too (RFC 9437 section 5: a
/// Map-Server drops one that is not above the last): the high half starts at the time of the start,
/// and each is above all that was seen of any subscription.
#[derive(Clone, Copy, Debug, Default)]
pub struct SubscribeNonces {
    last: u64,
}

impl SubscribeNonces {
    /// The next one.
    pub fn next(&mut self, cx: &mut Cx<'_>) -> u64 {
        if self.last == 0 {
            self.last = u64::from(cx.config.register_nonce_epoch) << 32 | cx.rng.below(1 << 31);
        }
        self.last = self.last.saturating_add(1 + cx.rng.below(NONCE_STEP));
        self.last
    }

    /// A Map-Server used this one.
    pub fn seen(&mut self, nonce: u64) {
        self.last = self.last.max(nonce);
    }
}

/// A subscription of ours.
#[derive(Debug)]
pub struct Subscription {
    /// EID-prefix as the Map-Server has it.
    pub eid: EidPrefix,
    /// Where its Map-Notifies come from.
    pub server: SocketAddr,
    /// Last nonce seen.
    pub nonce: u64,
    /// Confirmed first.
    pub since: Time,
    /// The Map-Server forgets it then.
    pub expires: Time,
    /// Publications taken.
    pub publications: u64,
    /// It was given up by the Map-Request with this nonce.
    pub leaving: Option<u64>,
    lease_ms: u64,
}

/// What is due with a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Half of its life is over: it is renewed, or given up when nothing uses it.
    Renew {
        /// EID-prefix.
        eid: EidPrefix,
        /// Milliseconds since it was confirmed.
        age_ms: u64,
    },
    /// It was not confirmed again.
    Lost(EidPrefix),
}

/// All subscriptions of ours.
#[derive(Debug, Default)]
pub struct Subscriptions {
    rows: Slab<Subscription>,
    by_eid: EidTable<u32>,
    timers: Timers,
}

impl Subscriptions {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// By instance and EID-prefix.
    pub fn iter(&self) -> impl Iterator<Item = &Subscription> {
        self.by_eid.iter().filter_map(|(_, slot)| self.rows.get(*slot))
    }

    /// The subscription that covers an EID-prefix: the nearest one.
    pub fn covering(&mut self, eid: &EidPrefix) -> Option<&mut Subscription> {
        let (_, &slot) = self.by_eid.lookup_prefix(eid)?;
        self.rows.get_mut(slot)
    }

    /// The subscription to exactly this EID-prefix.
    pub fn get_mut(&mut self, eid: &EidPrefix) -> Option<&mut Subscription> {
        self.rows.get_mut(*self.by_eid.get(eid)?)
    }

    /// A Map-Server confirmed a subscription, for the first time or again. False: there is no room.
    pub fn confirmed(
        &mut self,
        cx: &mut Cx<'_>,
        eid: EidPrefix,
        server: SocketAddr,
        nonce: u64,
        lease_ms: u64,
    ) -> bool {
        let expires = cx.now.plus_ms(lease_ms);
        let slot = match self.by_eid.get(&eid).copied() {
            Some(slot) => slot,
            None if self.rows.len() >= cx.config.limits.subscriptions as usize => {
                cx.count(Counter::SubscriptionsOverLimit);
                return false;
            }
            None => {
                let row = Subscription {
                    eid,
                    server,
                    nonce,
                    since: cx.now,
                    expires,
                    publications: 0,
                    leaving: None,
                    lease_ms,
                };
                let slot = self.rows.insert(row);
                self.by_eid.insert(eid, slot);
                slot
            }
        };
        cx.count(Counter::SubscribesConfirmed);
        if let Some(row) = self.rows.get_mut(slot) {
            row.server = server;
            row.nonce = row.nonce.max(nonce);
            row.expires = expires;
            row.lease_ms = lease_ms;
            row.leaving = None;
        }
        // Not all of those confirmed together are renewed together.
        let half = lease_ms / 2;
        self.timers.set(slot, cx.now.plus_ms(half - cx.rng.below(half / 10 + 1)));
        true
    }

    /// It was given up by a Map-Request with this nonce.
    pub fn leave(&mut self, now: Time, eid: &EidPrefix, nonce: u64) {
        let Some(&slot) = self.by_eid.get(eid) else { return };
        if let Some(row) = self.rows.get_mut(slot) {
            row.leaving = Some(nonce);
            row.expires = now.plus_ms(LEAVING_MS);
            self.timers.set(slot, row.expires);
        }
    }

    /// It is no more.
    pub fn forget(&mut self, eid: &EidPrefix) {
        if let Some(slot) = self.by_eid.remove(eid) {
            self.rows.remove(slot);
            self.timers.cancel(slot);
        }
    }

    /// All of them are no more.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The next thing that is due.
    pub fn pop_due(&mut self, now: Time) -> Option<Due> {
        let slot = self.timers.pop_due(now)?;
        let row = self.rows.get(slot)?;
        let eid = row.eid;
        if row.expires <= now {
            self.forget(&eid);
            return Some(Due::Lost(eid));
        }
        self.timers.set(slot, row.expires);
        let age_ms = row.lease_ms.saturating_sub(row.expires.since(now));
        Some(Due::Renew { eid, age_ms })
    }

    /// When `pop_due` is wanted next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        self.timers.next_deadline()
    }
}
