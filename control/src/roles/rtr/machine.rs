//! The RTR state machine.

use super::behind::Behind;
use super::pending::{Pending, Pendings};
use super::view::{self, BehindView};
use crate::codec::{Ecm, InnerHeader, MapNotify, MapRegister, Message, encode_in_data};
use crate::engine::config::EngineConfig;
use crate::engine::event::{EidPrefix, Time};
use crate::engine::{CONTROL_PORT, Counter, Cx, Handled, Meta, NatChange, Role};
use crate::roles::limit::{HashedBuckets, Rate, sender};
use crate::roles::{forward, reply};
use std::net::{IpAddr, SocketAddr};

/// Map-Registers of one address: many routers may be behind one NAT.
const PER_SENDER: Rate = Rate { per_second: 100, burst: 500 };
/// Buckets for that; 8 bytes each.
const SENDER_SLOTS: usize = 4096;

/// RTR for routers behind NATs.
#[derive(Debug, Default)]
pub struct Rtr {
    pendings: Pendings,
    behind: Behind,
    senders: Option<HashedBuckets>,
}

impl Rtr {
    /// Knows nobody yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Routers behind NATs, by xTR-ID.
    pub fn behind(&self) -> impl Iterator<Item = BehindView> + '_ {
        self.behind.routers.iter().map(view::view)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.behind.routers.len()
    }

    /// There are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.behind.routers.is_empty()
    }

    fn admit(&mut self, cx: &mut Cx<'_>, from: IpAddr) -> bool {
        let key = cx.rng.nonce();
        let senders = self.senders.get_or_insert_with(|| HashedBuckets::new(SENDER_SLOTS, key));
        senders.take(cx.now, sender(from), PER_SENDER)
    }

    /// What is remembered of a Map-Register until it is confirmed; an error: why it is not passed on.
    fn pending(cx: &Cx<'_>, meta: &Meta, ecm: &Ecm, register: &MapRegister) -> Result<Pending, &'static str> {
        let SocketAddr::V4(from) = meta.from else { return Err("not over IPv4") };
        let xtr = register.xtr.ok_or("without xTR-ID")?;
        if !register.want_map_notify {
            return Err("without M, nothing would confirm it");
        }
        let to_map_server = ecm.inner.destination_port == CONTROL_PORT;
        if !to_map_server || !is_map_server(cx.config, ecm.inner.destination) {
            return Err("for no Map-Server of ours");
        }
        if !forward::can_forward(cx.config, ecm.inner.destination) {
            return Err("for a Map-Server out of reach");
        }
        Ok(Pending::new(cx.now, (from, meta.to.ip()), ecm.inner, xtr.xtr_id, register))
    }

    /// A Map-Notify of one of our Map-Servers. The router checks its MAC; here it counts that it has the
    /// nonce of what was sent there, and comes from there.
    fn on_answer(&mut self, cx: &mut Cx<'_>, meta: &Meta, raw: &[u8], notify: &MapNotify) -> Handled {
        let server = meta.from.ip();
        let pending = match is_map_server(cx.config, server) {
            true => self.pendings.take(cx.now, notify.nonce, server),
            false => None,
        };
        let Some(pending) = pending else {
            cx.count(Counter::RtrNotifiesUnexpected);
            return Handled::Yes;
        };
        let named: Vec<EidPrefix> = notify.records.iter().filter_map(|r| r.eid_prefix()).collect();
        let mut confirmed = pending.eids.clone();
        confirmed.retain(|(eid, _)| named.contains(eid));
        self.behind.confirm(cx, &pending, &confirmed);
        let inner = InnerHeader {
            destination_port: pending.inner.source_port,
            ..InnerHeader::new(server, CONTROL_PORT, pending.inner.source)
        };
        match encode_in_data(&inner, raw) {
            Ok(payload) => {
                cx.count(Counter::RtrNotifiesRelayed);
                cx.send_from(Some(pending.to), SocketAddr::V4(pending.from), payload);
            }
            Err(error) => cx.notice(Counter::EncodeErrors, error),
        }
        Handled::Yes
    }
}

fn is_map_server(config: &EngineConfig, address: IpAddr) -> bool {
    config.rtr.as_ref().is_some_and(|rtr| rtr.map_servers.contains(&address))
}

impl Role for Rtr {
    fn configure(&mut self, cx: &mut Cx<'_>) {
        let config = cx.config;
        self.behind.retain(|router| is_map_server(config, router.map_server));
    }

    /// Passed on as it is, in an ECM that says so; what it says counts when the Map-Server confirms it. The
    /// draft's R bit is not insisted upon: implementations differ on where it is (wire.md 10).
    fn on_encapsulated_map_register(
        &mut self,
        cx: &mut Cx<'_>,
        meta: &Meta,
        ecm: &Ecm,
        register: &MapRegister,
    ) -> Handled {
        if !self.admit(cx, meta.from.ip()) {
            cx.count(Counter::RtrRegistersLimited);
            return Handled::Yes;
        }
        let pending = match Self::pending(cx, meta, ecm, register) {
            Ok(pending) => pending,
            Err(why) => {
                cx.notice(Counter::RtrRegistersRefused, format_args!("from {}: {why}", meta.from));
                return Handled::Yes;
            }
        };
        if !self.pendings.add(register.nonce, pending) {
            cx.count(Counter::RtrRegistersLimited);
            return Handled::Yes;
        }
        let passed_on = Ecm { relayed_by_rtr: true, ..Ecm::new(ecm.inner, ecm.payload.clone()) };
        if let Some(payload) = reply::encode(cx, &Message::Ecm(passed_on)) {
            cx.count(Counter::RtrRegistersRelayed);
            cx.send(SocketAddr::new(ecm.inner.destination, CONTROL_PORT), payload);
        }
        Handled::Yes
    }

    fn on_encapsulated_map_notify(
        &mut self,
        cx: &mut Cx<'_>,
        meta: &Meta,
        ecm: &Ecm,
        notify: &MapNotify,
    ) -> Handled {
        self.on_answer(cx, meta, &ecm.payload, notify)
    }

    /// Some Map-Servers send it without an ECM.
    fn on_map_notify(&mut self, cx: &mut Cx<'_>, meta: &Meta, raw: &[u8], notify: &MapNotify) -> Handled {
        self.on_answer(cx, meta, raw, notify)
    }

    fn nat_changes(&mut self) -> Vec<NatChange> {
        self.behind.changes()
    }

    fn on_tick(&mut self, cx: &mut Cx<'_>) {
        self.behind.expire(cx);
    }

    fn next_deadline(&self) -> Option<Time> {
        self.behind.next_deadline()
    }
}
