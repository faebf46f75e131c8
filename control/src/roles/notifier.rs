//! Unsolicited Map-Notifies: sent again until acknowledged (RFC 9301 section 5.7, R-167, R-187): a
//! Map-Server's to former registrants, and a site router's to its First-Hop Routers.

use super::reply;
use crate::codec::{AuthData, CONTROL_PORT, EidRecord, MapNotify, Message, auth};
use crate::engine::config::{AuthAlgorithm, Key};
use crate::engine::event::{EidPrefix, Time};
use crate::engine::{Counter, Cx, Slab, Timers};
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

/// Who is told, and how he knows that it is us.
#[derive(Debug)]
pub(super) struct Addressee {
    pub(super) address: IpAddr,
    /// The address of ours that he knows; `None`: our RLOC of his family.
    pub(super) us: Option<IpAddr>,
    pub(super) key: Key,
    pub(super) algorithm: AuthAlgorithm,
}

#[derive(Debug)]
struct Pending {
    eid: EidPrefix,
    to: Addressee,
    nonce: u64,
    payload: Vec<u8>,
    /// Transmissions so far.
    sent: usize,
}

impl Notifier {
    /// Tells somebody of the new mapping of `eid`.
    pub(super) fn notify(&mut self, cx: &mut Cx<'_>, to: Addressee, eid: EidPrefix, record: EidRecord) {
        if let Some(slot) = self.by_listener.get(&(to.address, eid)).copied() {
            self.forget(slot);
        }
        if self.pending.len() >= PENDING_MAX {
            cx.count(Counter::NotifiesOverLimit);
            return;
        }
        let nonce = cx.rng.nonce();
        let algorithm = to.algorithm;
        let auth = AuthData::unsigned(to.key.id, auth::algorithm_id(algorithm), auth::tag_len(algorithm));
        let notify = MapNotify { nonce, auth, records: vec![record], xtr: None };
        let Some(payload) = reply::encode_signed(cx, &Message::MapNotify(notify), &to.key.secret) else {
            return;
        };
        let address = to.address;
        let slot = self.pending.insert(Pending { eid, to, nonce, payload, sent: 0 });
        self.by_nonce.insert(nonce, slot);
        self.by_listener.insert((address, eid), slot);
        self.send(cx, slot);
    }

    /// Somebody was told of `eid` and has not said that he knows.
    pub(super) fn is_awaiting(&self, address: IpAddr, eid: EidPrefix) -> bool {
        self.by_listener.contains_key(&(address, eid))
    }

    /// Takes an acknowledgement with our nonce and a good MAC; false when it is none of ours.
    pub(super) fn acknowledged(&mut self, from: IpAddr, raw: &[u8], nonce: u64) -> bool {
        let Some(&slot) = self.by_nonce.get(&nonce) else { return false };
        let Some(Pending { to, .. }) = self.pending.get(slot) else { return false };
        let verified = to.address == from
            && auth::header(raw).is_ok_and(|h| h.algorithm == to.algorithm)
            && auth::verify(raw, &to.key.secret).is_ok();
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
        let to = SocketAddr::new(pending.to.address, CONTROL_PORT);
        let source = pending.to.us.or_else(|| cx.rloc_like(to.ip()));
        cx.send_from(source, to, pending.payload.clone());
        self.timers.set(slot, cx.now.plus_ms(wait));
    }

    fn forget(&mut self, slot: u32) {
        self.timers.cancel(slot);
        if let Some(pending) = self.pending.remove(slot) {
            self.by_nonce.remove(&pending.nonce);
            self.by_listener.remove(&(pending.to.address, pending.eid));
        }
    }
}
