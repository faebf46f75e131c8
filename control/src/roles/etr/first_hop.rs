//! First-Hop Routers of our site: they find hosts, and register them with us (Map-Register with the E
//! bit, RFC 9301 section 5.6); we register them with the Map-Servers under our own locators, and tell
//! the router when a host is there no more.

use super::dynamic::{DynamicEids, Found, range_of};
use super::registrar::Registrar;
use crate::codec::{AuthData, EidRecord, MapNotify, MapRegister, Message, auth};
use crate::engine::config::FirstHopRouter;
use crate::engine::event::Time;
use crate::engine::{Counter, Cx, Handled, Meta};
use crate::roles::limit::{Bucket, Rate};
use crate::roles::notifier::{Addressee, Notifier};
use crate::roles::reply;
use std::collections::HashMap;
use std::net::IpAddr;

/// Map-Registers per second of one router; it sends one for each host and minute.
const REGISTERS: Rate = Rate { per_second: 1000, burst: 1000 };

/// What is kept of all routers.
#[derive(Debug, Default)]
pub(super) struct FirstHops {
    /// Only those of the configuration that have registered something.
    routers: HashMap<IpAddr, Router>,
    notifier: Notifier,
}

#[derive(Debug)]
struct Router {
    key_id: u8,
    last_nonce: u64,
    /// The address of ours that it registers with.
    us: IpAddr,
    rate: Bucket,
}

impl FirstHops {
    /// Forgets routers that the configuration no longer has.
    pub(super) fn configure(&mut self, cx: &Cx<'_>) {
        self.routers.retain(|address, _| cx.config.first_hop_routers.iter().any(|r| r.address == *address));
    }

    /// A Map-Register with the E bit of a router of ours; others are for a Map-Server. (lispers.net
    /// uses that bit for something else.)
    pub(super) fn on_map_register(
        &mut self,
        cx: &mut Cx<'_>,
        meta: &Meta,
        (raw, register): (&[u8], &MapRegister),
        dynamic: &mut DynamicEids,
        registrar: &mut Registrar,
    ) -> Handled {
        let config = cx.config;
        let from = meta.from.ip();
        let router = config.first_hop_routers.iter().find(|r| r.address == from);
        let Some(router) = router.filter(|_| register.eid_notify) else { return Handled::No };
        cx.count(Counter::FirstHopRegisters);
        if self.admit(cx, meta, raw, register, router).is_none() {
            return Handled::Yes;
        }
        let mut taken = Vec::new();
        for record in &register.records {
            // A refresh that crossed our Map-Notify would take the host back from where it is now.
            let eid = record.eid_prefix();
            let knows = !eid.is_some_and(|eid| self.notifier.is_awaiting(router.address, eid));
            if knows && apply(cx, router, record, dynamic, registrar) {
                taken.push(record.clone());
            } else {
                cx.count(Counter::FirstHopRecordsRefused);
            }
        }
        if register.want_map_notify && !taken.is_empty() {
            confirm(cx, meta, register, router, taken);
        }
        Handled::Yes
    }

    /// MAC, nonce, rate, in this order; `None` after counting why not.
    fn admit(
        &mut self,
        cx: &mut Cx<'_>,
        meta: &Meta,
        raw: &[u8],
        register: &MapRegister,
        router: &FirstHopRouter,
    ) -> Option<()> {
        let known =
            auth::header(raw).is_ok_and(|h| h.algorithm == router.algorithm && h.key_id == router.key.id);
        if !known || auth::verify(raw, &router.key.secret).is_err() {
            cx.notice(Counter::FirstHopBadAuth, format_args!("Map-Register from {}", meta.from));
            return None;
        }
        let key_id = router.key.id;
        let state = self.routers.entry(router.address).or_insert_with(|| Router {
            key_id,
            last_nonce: 0,
            us: meta.to.ip(),
            rate: Bucket::default(),
        });
        if state.key_id == key_id && register.nonce <= state.last_nonce {
            let nonce = register.nonce;
            let detail = format_args!("Map-Register from {}, nonce {nonce:016x}", meta.from);
            cx.notice(Counter::FirstHopReplayed, detail);
            return None;
        }
        (state.key_id, state.last_nonce, state.us) = (key_id, register.nonce, meta.to.ip());
        if !state.rate.take(cx.now, REGISTERS) {
            cx.count(Counter::FirstHopOverRate);
            return None;
        }
        Some(())
    }

    /// Tells routers of the hosts that they no longer have, until they acknowledge it.
    pub(super) fn tell(&mut self, cx: &mut Cx<'_>, dynamic: &mut DynamicEids) {
        for lost in dynamic.lost.drain(..) {
            let router = cx.config.first_hop_routers.iter().find(|r| r.address == lost.router);
            let Some(FirstHopRouter { address, key, algorithm }) = router.cloned() else { continue };
            let us = self.routers.get(&address).map(|router| router.us).filter(|us| !us.is_unspecified());
            self.notifier.notify(cx, Addressee { address, us, key, algorithm }, lost.eid, lost.record);
        }
    }

    /// What a router acknowledges; anything else is for a Map-Server.
    pub(super) fn on_map_notify_ack(
        &mut self,
        cx: &mut Cx<'_>,
        meta: &Meta,
        raw: &[u8],
        ack: &MapNotify,
    ) -> Handled {
        if !self.notifier.acknowledged(meta.from.ip(), raw, ack.nonce) {
            return Handled::No;
        }
        cx.count(Counter::NotifyAcksReceived);
        Handled::Yes
    }

    /// Sends again what was not acknowledged.
    pub(super) fn on_tick(&mut self, cx: &mut Cx<'_>) {
        self.notifier.on_tick(cx);
    }

    /// When `on_tick` is wanted.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.notifier.next_deadline()
    }
}

/// One host: it is there, or (Record TTL 0) no longer. False: it is no host that the router may tell of.
fn apply(
    cx: &mut Cx<'_>,
    router: &FirstHopRouter,
    record: &EidRecord,
    dynamic: &mut DynamicEids,
    registrar: &mut Registrar,
) -> bool {
    let Some(eid) = record.eid_prefix() else { return false };
    let range = range_of(cx.config, &eid).filter(|(_, range)| !range.first_hop_ports.is_empty());
    let Some((range, _)) = range else { return false };
    if record.ttl_minutes == 0 {
        return dynamic.taken_back(cx, registrar, &eid, router.address);
    }
    dynamic.found(cx, registrar, eid, range, Found::FirstHop { router: router.address })
}

/// The Map-Notify that answers M=1: the records that were taken, from where the router knows us.
fn confirm(
    cx: &mut Cx<'_>,
    meta: &Meta,
    register: &MapRegister,
    router: &FirstHopRouter,
    records: Vec<EidRecord>,
) {
    let auth = AuthData::unsigned(register.auth.key_id, register.auth.algorithm_id, register.auth.tag.len());
    let notify = MapNotify { nonce: register.nonce, auth, records, xtr: None };
    if let Some(payload) = reply::encode_signed(cx, &Message::MapNotify(notify), &router.key.secret) {
        cx.count(Counter::NotifiesSent);
        let source = Some(meta.to.ip()).filter(|ip| !ip.is_unspecified());
        cx.send_from(source, meta.from, payload);
    }
}
