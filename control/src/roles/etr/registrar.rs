//! Keeps our EID-prefixes registered with every Map-Server (RFC 9301 sections 5.6, 5.7, 8.2).

use super::batch::{Batch, map_register};
use super::dynamic::DynamicEids;
use super::nat::Way;
use super::withheld::Awaited;
use crate::codec::{
    AuthData, CONTROL_PORT, Ecm, EidRecord, InnerHeader, MapAction, MapNotify, MapRegister, Message, auth,
};
use crate::engine::config::{DatabaseMapping, EngineConfig, MapServerPeer};
use crate::engine::event::{Action, EidPrefix, LocalPort, Time};
use crate::engine::{Counter, Cx, Meta, Timers};
use crate::roles::limit::{Bucket, Rate};
use crate::roles::reply;
use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

/// Longest wait between retransmissions; shorter while registering quickly.
const RETRY_MAX_MS: u64 = 60_000;
const RETRY_MAX_QUICK_MS: u64 = 20_000;
/// How long after start or change every Map-Register asks for a Map-Notify.
const QUICK_PERIOD_MS: u64 = 5 * 60_000;
/// Unsolicited Map-Notifies acknowledged: a replayed one must not make us a reflector.
const ACKS: Rate = Rate { per_second: 100, burst: 1000 };
/// Map-Registers unanswered in a row after which an RTR counts as gone.
const RTR_LOST: u32 = 3;
/// Records per deregistration; they are small without locators.
const WITHDRAWN_PER_MESSAGE: usize = 12;

/// What registration depends on; kept to see what a reload changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Basis {
    database: Vec<DatabaseMapping>,
    servers: Vec<MapServerPeer>,
    rlocs: Vec<IpAddr>,
    xtr_id: Option<([u8; 16], u64)>,
    way: Way,
}

/// Mappings of ours that a reload changed or took away.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) eids: BTreeSet<EidPrefix>,
    /// Longest TTL under which they were given out.
    pub(super) ttl_ms: u64,
}

/// What a Map-Notify was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// We register nowhere.
    NotOurs,
    /// An answer, or dropped.
    Done,
    /// The first answer to a registration of these mappings, by their place in the database.
    Acknowledged(Range<usize>),
    /// Authentic and not asked for: what this Map-Server has to say.
    News(IpAddr),
}

/// Registration with all Map-Servers.
#[derive(Debug, Default)]
pub(super) struct Registrar {
    basis: Basis,
    /// Batches of all Map-Servers; a batch's index is its timer slot.
    batches: Vec<Batch>,
    timers: Timers,
    quick_until: Time,
    /// RTRs that bring answers back, or all.
    live: Vec<IpAddr>,
    last_nonce: u64,
    acks: Bucket,
}

impl Registrar {
    /// All batches, for listings.
    pub(super) fn batches(&self) -> &[Batch] {
        &self.batches
    }

    /// When `on_tick` is needed.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.timers.next_deadline()
    }

    /// At start: registers everything. After a change: takes back what is no longer ours (TTL 0)
    /// and registers the rest anew.
    pub(super) fn configure(&mut self, cx: &mut Cx<'_>, way: Way) -> Changes {
        let config = cx.config;
        let mut basis = Basis::default();
        if config.roles.xtr {
            basis = Basis {
                database: config.database.clone(),
                servers: config.map_servers.clone(),
                rlocs: config.rlocs.clone(),
                xtr_id: config.xtr_id,
                way,
            };
        }
        if basis == self.basis {
            return Changes::default();
        }
        let former = std::mem::replace(&mut self.basis, basis);
        self.withdraw(cx, &former);
        let peers = 0..self.basis.servers.len();
        self.batches = peers.flat_map(|peer| Batch::cut(config, &self.basis.way, peer)).collect();
        self.timers = Timers::new();
        self.quick_until = cx.now.plus_ms(QUICK_PERIOD_MS);
        self.live = self.basis.way.rtrs().to_vec();
        self.send_all_soon(cx.now);
        self.changes(&former)
    }

    /// Everything is registered again at once: the NAT may have lost what it knew of us.
    pub(super) fn send_all_soon(&mut self, now: Time) {
        for slot in 0..u32::try_from(self.batches.len()).unwrap_or(u32::MAX) {
            self.timers.set(slot, now);
        }
    }

    /// The RTRs in use.
    pub(super) fn live_rtrs(&self) -> &[IpAddr] {
        &self.live
    }

    /// Looks which RTRs still bring answers back. When that is not what it was, everything is registered
    /// anew, with those as locators; when none does, with all of them as before.
    fn judge_rtrs(&mut self, cx: &mut Cx<'_>) {
        let silent = |rtr: &IpAddr| {
            let mut through = self.batches.iter().filter(|batch| batch.via == Some(*rtr));
            through.any(|batch| batch.retries >= RTR_LOST)
        };
        let all = self.basis.way.rtrs();
        let mut live: Vec<IpAddr> = all.iter().copied().filter(|rtr| !silent(rtr)).collect();
        if live.is_empty() {
            live = all.to_vec();
        }
        if live != self.live {
            cx.notice(Counter::NatRtrChanges, format_args!("in use: {live:?}"));
            self.live = live;
            self.send_all_soon(cx.now);
        }
    }

    /// The time between two Map-Registers of a batch: behind a NAT it keeps the NAT's way to our data port
    /// open, and finds out that the RTR forgot us.
    fn interval(config: &EngineConfig, via: Option<IpAddr>) -> u64 {
        let interval = config.limits.register_interval_ms;
        u64::from(if via.is_some() { interval.min(config.limits.nat_keepalive_ms) } else { interval })
    }

    fn changes(&self, former: &Basis) -> Changes {
        let now: HashMap<EidPrefix, &DatabaseMapping> =
            self.basis.database.iter().map(|m| (m.eid, m)).collect();
        let mut changes = Changes::default();
        for mapping in former.database.iter().filter(|m| now.get(&m.eid) != Some(m)) {
            changes.eids.insert(mapping.eid);
            changes.ttl_ms = changes.ttl_ms.max(u64::from(mapping.ttl_minutes).saturating_mul(60_000));
        }
        changes
    }

    /// The Map-Notifies that must come until all Map-Servers know a mapping of the database, or that one is
    /// no longer in it, which has just changed.
    pub(super) fn awaited(&self, index: Option<usize>) -> Awaited {
        let of = |batch: &&Batch| index.is_none_or(|index| batch.members.contains(&index));
        Awaited { index, notifies: self.batches.iter().filter(of).count() }
    }

    /// Sends what is due.
    pub(super) fn on_tick(&mut self, cx: &mut Cx<'_>) {
        while let Some(slot) = self.timers.pop_due(cx.now) {
            self.send(cx, slot);
        }
        self.judge_rtrs(cx);
    }

    /// Sends a batch, for the first time, again because no Map-Notify came, or because the interval
    /// is over. A retransmission has a nonce of its own: the first one may have arrived, and its
    /// nonce would then be refused.
    fn send(&mut self, cx: &mut Cx<'_>, slot: u32) {
        let config = cx.config;
        let quick = cx.now < self.quick_until;
        let nonce = self.next_nonce(cx.config);
        let Some(batch) = self.batches.get_mut(slot as usize) else { return };
        let Some(server) = cx.config.map_servers.get(batch.peer) else { return };
        if batch.is_awaiting() {
            cx.counters.add(Counter::RegistersRetransmitted, 1);
            batch.back_off(if quick { RETRY_MAX_QUICK_MS } else { RETRY_MAX_MS });
        }
        let want_map_notify = quick || server.want_map_notify || batch.via.is_some();
        let records = batch.records(cx.config, &self.live);
        batch.sent(cx.now, nonce, want_map_notify);
        let via = batch.via;
        let interval = Self::interval(cx.config, via);
        // Up to a tenth early, so that many prefixes and many sites do not come at once.
        let early = cx.rng.below(interval / 10 + 1);
        let next = batch.retry_at().unwrap_or_else(|| cx.now.plus_ms(interval - early));
        self.timers.set(slot, next);
        let message = map_register(config, server, nonce, want_map_notify, records);
        match via {
            None => send(cx, server, message),
            Some(rtr) => send_through(cx, server, rtr, message),
        }
    }

    /// grows with every message, over restarts too.
    pub(super) fn next_nonce(&mut self, config: &EngineConfig) -> u64 {
        let floor = u64::from(config.register_nonce_epoch) << 32;
        self.last_nonce = self.last_nonce.saturating_add(1).max(floor + 1);
        self.last_nonce
    }

    /// Deregisters, with Record TTL 0, what a Map-Server holds of us and should no longer. Sent
    /// once: what is lost expires by itself within three minutes.
    fn withdraw(&mut self, cx: &mut Cx<'_>, former: &Basis) {
        let ours: BTreeSet<EidPrefix> = self.basis.database.iter().map(|m| m.eid).collect();
        for server in &former.servers {
            let stays = self.basis.servers.iter().any(|s| s.address == server.address && s.key == server.key);
            let still_ours = |eid: &EidPrefix| stays && ours.contains(eid);
            let gone: Vec<EidRecord> = former
                .database
                .iter()
                .filter(|m| !still_ours(&m.eid))
                .map(|m| reply::negative(&m.eid, MapAction::NoAction, 0))
                .collect();
            for records in gone.chunks(WITHDRAWN_PER_MESSAGE) {
                let nonce = self.next_nonce(cx.config);
                send(cx, server, map_register(cx.config, server, nonce, false, records.to_vec()));
            }
        }
    }

    /// Takes a Map-Notify whose MAC is that of one of our Map-Servers.
    pub(super) fn on_map_notify(
        &mut self,
        cx: &mut Cx<'_>,
        meta: &Meta,
        raw: &[u8],
        notify: &MapNotify,
        dynamic: &mut DynamicEids,
    ) -> Taken {
        if self.batches.is_empty() && cx.config.dynamic_eids.is_empty() {
            return Taken::NotOurs;
        }
        cx.count(Counter::NotifiesReceived);
        let answered = self.batches.iter().position(|b| b.is_nonce(notify.nonce));
        let by_nonce = answered.and_then(|i| self.batches.get(i)).map(|b| b.peer);
        let of_host = dynamic.peer_of_nonce(notify.nonce);
        let by_address = cx.config.map_servers.iter().position(|s| s.address == meta.from.ip());
        let config = cx.config;
        let Some(server) = by_nonce.or(of_host).or(by_address).and_then(|i| config.map_servers.get(i)) else {
            cx.count(Counter::NotifiesUnknownServer);
            return Taken::Done;
        };
        let expected = auth::header(raw).is_ok_and(|h| h.algorithm == server.algorithm);
        if !expected || auth::verify(raw, &server.key.secret).is_err() {
            cx.notice(
                Counter::NotifiesBadAuth,
                format_args!("Map-Notify from {} for {}", meta.from, server.address),
            );
            return Taken::Done;
        }
        match answered.and_then(|i| Some((u32::try_from(i).ok()?, self.batches.get_mut(i)?))) {
            Some((slot, batch)) => {
                // A Map-Notify that answers a Map-Register is not acknowledged (TRAP 26).
                if batch.is_awaiting() {
                    let sent = batch.last_sent.unwrap_or(cx.now);
                    self.timers.set(slot, sent.plus_ms(Self::interval(config, batch.via)));
                }
                cx.count(Counter::RegistersAcknowledged);
                let first = batch.last_notify.is_none();
                batch.acknowledged(cx.now);
                let members = batch.members.clone();
                self.judge_rtrs(cx);
                if first {
                    return Taken::Acknowledged(members);
                }
            }
            None if of_host.is_some() => dynamic.acknowledged(cx, notify.nonce),
            None => {
                self.acknowledge(cx, meta.from, server, notify);
                return Taken::News(server.address);
            }
        }
        Taken::Done
    }

    /// Map-Notify-Ack for an unsolicited Map-Notify: nonce and records as they came.
    fn acknowledge(&mut self, cx: &mut Cx<'_>, to: SocketAddr, server: &MapServerPeer, notify: &MapNotify) {
        cx.count(Counter::NotifiesUnsolicited);
        if !self.acks.take(cx.now, ACKS) {
            return;
        }
        let auth = AuthData::unsigned(notify.auth.key_id, notify.auth.algorithm_id, notify.auth.tag.len());
        let ack = MapNotify { nonce: notify.nonce, auth, records: notify.records.clone(), xtr: None };
        if let Some(payload) = reply::encode_signed(cx, &Message::MapNotifyAck(ack), &server.key.secret) {
            cx.count(Counter::NotifyAcksSent);
            cx.send(to, payload);
        }
    }
}

/// Signs a Map-Register and sends it.
pub(super) fn send(cx: &mut Cx<'_>, server: &MapServerPeer, message: MapRegister) {
    if let Some(payload) = reply::encode_signed(cx, &Message::MapRegister(message), &server.key.secret) {
        cx.count(Counter::RegistersSent);
        cx.send(SocketAddr::new(server.address, CONTROL_PORT), payload);
    }
}

/// The same through an RTR (draft-ermagan-lisp-nat-traversal-19 section 5.1): in an ECM, from our data port,
/// so that the NAT and the RTR learn by which port packets get to that. The Map-Server is to answer
/// Map-Requests for us, for none would reach us.
fn send_through(cx: &mut Cx<'_>, server: &MapServerPeer, rtr: IpAddr, message: MapRegister) {
    let message = Message::MapRegister(MapRegister { proxy_reply: true, ..message });
    let Some(source) = cx.rloc_like(server.address) else { return };
    let Some(payload) = reply::encode_signed(cx, &message, &server.key.secret) else { return };
    let inner = InnerHeader::new(source, CONTROL_PORT, server.address);
    let ecm = Message::Ecm(Ecm { for_rtr: true, ..Ecm::new(inner, payload) });
    if let Some(payload) = reply::encode(cx, &ecm) {
        cx.count(Counter::RegistersSent);
        let (to, source) = (SocketAddr::new(rtr, CONTROL_PORT), cx.rloc_like(rtr));
        cx.out.push(Action::Send { port: LocalPort::Data, source, to, payload });
    }
}
