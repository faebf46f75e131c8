//! The Map-Server state machine: its parts and who is called for what.

use super::info::InfoDesk;
use super::publisher::Publisher;
use super::sites::Sites;
use super::store::Store;
use super::view::{self, RegistrationView};
use crate::codec::{Ecm, Info, MapNotify, MapRegister, MapRequest};
use crate::engine::config::EngineConfig;
use crate::engine::event::{EidPrefix, Time};
use crate::engine::{Counter, Cx, Handled, Meta, Role};
use crate::roles::notifier::Notifier;
use crate::roles::reply::AnswerLimits;

/// Registrations that end in one step; the rest follow in the next one, which is due at once. A
/// large site that falls silent must not hold up everybody else's messages.
const EXPIRIES_PER_STEP: usize = 2048;

/// Map-Server.
#[derive(Debug, Default)]
pub struct MapServer {
    pub(super) sites: Sites,
    pub(super) store: Store,
    pub(super) notifier: Notifier,
    pub(super) publisher: Publisher,
    pub(super) limits: AnswerLimits,
    pub(super) info: InfoDesk,
}

impl MapServer {
    /// Without sites until it is configured.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// EID-prefixes registered now.
    #[must_use]
    pub fn len(&self) -> usize {
        self.store.len()
    }

    /// Nothing is registered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.store.len() == 0
    }

    /// Who registers what, by instance and EID-prefix; `now` gives the ages.
    pub fn registrations<'a>(
        &'a self,
        config: &'a EngineConfig,
        now: Time,
    ) -> impl Iterator<Item = RegistrationView> + 'a {
        self.store.iter().flat_map(move |row| view::rows(row, &self.sites, config, now))
    }
}

impl Role for MapServer {
    /// Sites come and go; a registration stays if the site that made it may still make it.
    fn configure(&mut self, cx: &mut Cx<'_>) {
        self.sites.configure(cx.config);
        self.publisher.configure(cx.config);
        let gone: Vec<EidPrefix> = self
            .store
            .iter()
            .filter(|row| self.sites.owner(&row.eid) != Some(row.site))
            .map(|row| row.eid)
            .collect();
        for eid in gone {
            if let Some(state) = self.store.get(&eid).and_then(|row| self.sites.state_mut(row.site)) {
                state.registered = state.registered.saturating_sub(1);
            }
            self.store.remove(&eid);
            self.publisher.changed(cx, &self.store, &eid);
        }
        for eid in self.store.policies.configure(cx.config) {
            self.publisher.policy_changed(cx, &self.store, &eid);
        }
    }

    fn on_encapsulated_map_request(
        &mut self,
        cx: &mut Cx<'_>,
        meta: &Meta,
        ecm: &Ecm,
        request: &MapRequest,
    ) -> Handled {
        self.request(cx, meta, ecm, request)
    }

    fn on_map_register(
        &mut self,
        cx: &mut Cx<'_>,
        meta: &Meta,
        raw: &[u8],
        register: &MapRegister,
    ) -> Handled {
        self.register(cx, meta, raw, register)
    }

    /// Of a router behind a NAT, by way of an RTR: like any other, but that it is answered the same
    /// way back.
    fn on_encapsulated_map_register(
        &mut self,
        cx: &mut Cx<'_>,
        meta: &Meta,
        ecm: &Ecm,
        register: &MapRegister,
    ) -> Handled {
        if cx.config.rlocs.contains(&ecm.inner.destination) {
            self.register(cx, meta, &ecm.payload, register)
        } else {
            Handled::No
        }
    }

    fn on_info_request(&mut self, cx: &mut Cx<'_>, meta: &Meta, raw: &[u8], info: &Info) -> Handled {
        self.info(cx, meta, raw, info)
    }

    fn on_map_notify_ack(&mut self, cx: &mut Cx<'_>, meta: &Meta, raw: &[u8], ack: &MapNotify) -> Handled {
        // An Ack that was not waited for is tolerated: some ETRs acknowledge every Map-Notify.
        let awaited = self.notifier.acknowledged(meta.from.ip(), raw, ack.nonce)
            || self.publisher.acknowledged(cx, &self.store, raw, ack.nonce);
        cx.count(if awaited { Counter::NotifyAcksReceived } else { Counter::NotifyAcksUnexpected });
        Handled::Yes
    }

    fn on_tick(&mut self, cx: &mut Cx<'_>) {
        for _ in 0..EXPIRIES_PER_STEP {
            let Some((eid, site, change)) = self.store.expire_one(cx.now) else { break };
            if change.removed {
                cx.count(Counter::RegistrationsExpired);
            }
            self.changed(cx, eid, site, &change);
        }
        self.notifier.on_tick(cx);
        self.publisher.on_tick(cx, &self.store);
    }

    fn next_deadline(&self) -> Option<Time> {
        let all = [self.store.next_deadline(), self.notifier.next_deadline(), self.publisher.next_deadline()];
        all.into_iter().flatten().min()
    }
}
