//! Unsolicited Map-Notifies: sent again until acknowledged (RFC 9301 section 5.7, R-167, R-187).

use super::store::Listener;
use crate::codec::{AuthData, CONTROL_PORT, EidRecord, MapNotify, Message, auth};
use crate::engine::config::{AuthAlgorithm, Secret, Site};
use crate::engine::event::{EidPrefix, Time};
use crate::engine::{Counter, Cx, Slab, Timers};
use crate::roles::reply;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

/// Waits after each transmission; then it is given up.
const WAITS_MS: [u64; 7] = [3_000, 3_000, 3_000, 6_000, 12_000, 24_000, 24_000];
/// Unacknowledged Map-Notifies at once; beyond that a change is not announced.
const PENDING_MAX: usize = 10_000;

/// Map-Notifies that wait for their acknowledgement.
#[derive(Debug, Default)]
pub(super) struct Notifier {
    pending: Slab<Pending>,
    timers: Timers,
    by_nonce: HashMap<u64, u32>,
    /// A newer change of the same prefix takes the place of the older one: what is sent again must
    /// not be stale.
    by_listener: HashMap<(IpAddr, EidPrefix), u32>,
}

#[derive(Debug)]
struct Pending {
    eid: EidPrefix,
    listener: IpAddr,
    site_name: String,
    key_id: u8,
    algorithm: AuthAlgorithm,
    nonce: u64,
    payload: Vec<u8>,
    /// Transmissions so far.
    sent: usize,
}

impl Notifier {
    /// Tells a listener of the new mapping of `eid`.
    pub(super) fn notify(
        &mut self,
        cx: &mut Cx<'_>,
        site: &Site,
        listener: &Listener,
        eid: EidPrefix,
        record: EidRecord,
    ) {
        if let Some(slot) = self.by_listener.get(&(listener.address, eid)).copied() {
            self.forget(slot);
        }
        let Some(secret) = secret(site, listener.key_id) else { return };
        if self.pending.len() >= PENDING_MAX {
            cx.count(Counter::NotifiesOverLimit);
            return;
        }
        let nonce = cx.rng.nonce();
        let algorithm = listener.algorithm;
        let auth =
            AuthData::unsigned(listener.key_id, auth::algorithm_id(algorithm), auth::tag_len(algorithm));
        let notify = MapNotify { nonce, auth, records: vec![record], xtr: None };
        let Some(payload) = reply::encode_signed(cx, &Message::MapNotify(notify), secret) else { return };
        let slot = self.pending.insert(Pending {
            eid,
            listener: listener.address,
            site_name: site.name.clone(),
            key_id: listener.key_id,
            algorithm,
            nonce,
            payload,
            sent: 0,
        });
        self.by_nonce.insert(nonce, slot);
        self.by_listener.insert((listener.address, eid), slot);
        self.send(cx, slot);
    }

    /// Takes an acknowledgement with our nonce and a good MAC; false when it is none of ours.
    pub(super) fn acknowledged(&mut self, cx: &mut Cx<'_>, from: IpAddr, raw: &[u8], nonce: u64) -> bool {
        let Some(&slot) = self.by_nonce.get(&nonce) else { return false };
        let Some(pending) = self.pending.get(slot) else { return false };
        let site = cx.config.sites.iter().find(|s| s.name == pending.site_name);
        let verified = pending.listener == from
            && auth::header(raw).is_ok_and(|h| h.algorithm == pending.algorithm)
            && site
                .and_then(|s| secret(s, pending.key_id))
                .is_some_and(|secret| auth::verify(raw, secret).is_ok());
        if verified {
            self.forget(slot);
        }
        verified
    }

    /// Sends again what was not acknowledged, or gives up on it.
    pub(super) fn on_tick(&mut self, cx: &mut Cx<'_>) {
        while let Some(slot) = self.timers.pop_due(cx.now) {
            if self.pending.get(slot).is_some_and(|p| p.sent >= WAITS_MS.len()) {
                cx.count(Counter::NotifiesUnanswered);
                self.forget(slot);
            } else {
                cx.count(Counter::NotifiesRetransmitted);
                self.send(cx, slot);
            }
        }
    }

    /// When something is to be sent again.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.timers.next_deadline()
    }

    fn send(&mut self, cx: &mut Cx<'_>, slot: u32) {
        let Some(pending) = self.pending.get_mut(slot) else { return };
        let wait = WAITS_MS.get(pending.sent).copied().unwrap_or_default();
        pending.sent += 1;
        cx.count(Counter::NotifiesSent);
        cx.send(SocketAddr::new(pending.listener, CONTROL_PORT), pending.payload.clone());
        self.timers.set(slot, cx.now.plus_ms(wait));
    }

    fn forget(&mut self, slot: u32) {
        self.timers.cancel(slot);
        if let Some(pending) = self.pending.remove(slot) {
            self.by_nonce.remove(&pending.nonce);
            self.by_listener.remove(&(pending.listener, pending.eid));
        }
    }
}

/// A site's secret by Key ID.
pub(super) fn secret(site: &Site, key_id: u8) -> Option<&Secret> {
    site.keys.iter().find(|k| k.id == key_id).map(|k| &k.secret)
}
