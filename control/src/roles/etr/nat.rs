//! Is there a NAT between us and our Map-Servers (draft-ermagan-lisp-nat-traversal-19 section 5.1; R-203)?
//!
//! Each Map-Server is asked by Info-Request, again and again: that also keeps the NAT's way to our control
//! port open. What its Info-Reply says it saw of us, compared with what we sent, is the answer; with it come
//! the RTRs to go through.

use crate::codec::{Address, AuthData, Info, Lcaf, Message, auth};
use crate::engine::config::{EngineConfig, MapServerPeer};
use crate::engine::event::Time;
use crate::engine::{CONTROL_PORT, Counter, Cx, Handled, Meta, Timers};
use crate::roles::{forward, reply};
use std::net::{IpAddr, SocketAddr};

/// RTRs used at a time: every one gets all Map-Registers.
const RTRS_MAX: usize = 4;
/// Wait for the answer to the first Info-Request; then twice that, and so on up to the interval.
const FIRST_RETRY_MS: u64 = 1_000;
/// Nonces of one Map-Server whose answer still counts.
const NONCES_KEPT: usize = 4;

/// How our site registers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Way {
    /// As ever.
    #[default]
    Direct,
    /// Not before it is known whether there is a NAT.
    Unknown,
    /// Through these RTRs; none: there is a NAT and no way through it.
    Through(Vec<IpAddr>),
}

impl Way {
    /// The RTRs.
    pub(super) fn rtrs(&self) -> &[IpAddr] {
        match self {
            Self::Through(rtrs) => rtrs,
            Self::Direct | Self::Unknown => &[],
        }
    }
}

/// What a Map-Server saw of us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) global: SocketAddr,
    pub(super) rtrs: Vec<IpAddr>,
    pub(super) at: Time,
}

/// What is known of one Map-Server.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    nonces: [u64; NONCES_KEPT],
    waiting: bool,
    /// Unanswered in a row.
    pub(super) lost: u32,
    pub(super) seen: Option<Seen>,
}

/// All Map-Servers, in the order of the configuration; an index is a timer slot.
#[derive(Debug, Default)]
pub(super) struct NatFinder {
    on: bool,
    servers: Vec<MapServerPeer>,
    pub(super) asked: Vec<Asked>,
    timers: Timers,
}

impl NatFinder {
    /// Asks all of them, if they or our addresses are others than before.
    pub(super) fn configure(&mut self, cx: &mut Cx<'_>) {
        let config = cx.config;
        let on = config.nat_traversal && config.roles.xtr;
        if on == self.on && self.servers == config.map_servers {
            return;
        }
        *self = Self { on, servers: config.map_servers.clone(), ..Self::default() };
        if on {
            self.asked = vec![Asked::default(); self.servers.len()];
            for slot in 0..u32::try_from(self.servers.len()).unwrap_or(u32::MAX) {
                self.timers.set(slot, cx.now);
            }
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.timers.next_deadline()
    }

    /// Asks who is due.
    pub(super) fn on_tick(&mut self, cx: &mut Cx<'_>) {
        let interval = u64::from(cx.config.limits.nat_keepalive_ms);
        while let Some(slot) = self.timers.pop_due(cx.now) {
            let index = slot as usize;
            let (Some(server), Some(asked)) = (self.servers.get(index), self.asked.get_mut(index)) else {
                continue;
            };
            if std::mem::replace(&mut asked.waiting, true) {
                asked.lost = asked.lost.saturating_add(1);
                cx.count(Counter::InfoRequestsLost);
            }
            let nonce = cx.rng.nonce();
            asked.nonces.rotate_right(1);
            asked.nonces[0] = nonce;
            let retry = FIRST_RETRY_MS << asked.lost.min(10);
            self.timers.set(slot, cx.now.plus_ms(retry.min(interval).max(1)));
            ask(cx, server, nonce);
        }
    }

    /// An Info-Reply. Returns whether what we know of the NAT changed.
    pub(super) fn on_reply(
        &mut self,
        cx: &mut Cx<'_>,
        meta: &Meta,
        raw: &[u8],
        info: &Info,
    ) -> (Handled, bool) {
        if !self.on {
            return (Handled::No, false);
        }
        let by_nonce = |asked: &Asked| info.nonce != 0 && asked.nonces.contains(&info.nonce);
        let index = self.asked.iter().position(by_nonce);
        let Some((index, server)) = index.and_then(|i| Some((i, self.servers.get(i)?))) else {
            cx.count(Counter::InfoRepliesRefused);
            return (Handled::Yes, false);
        };
        let authentic = auth::verify(raw, &server.key.secret).is_ok();
        let Some(seen) = seen(cx, info).filter(|_| authentic) else {
            let detail = format_args!("Info-Reply from {} for {}", meta.from, server.address);
            cx.notice(Counter::InfoRepliesRefused, detail);
            return (Handled::Yes, false);
        };
        cx.count(Counter::InfoRepliesReceived);
        let interval = u64::from(cx.config.limits.nat_keepalive_ms);
        // Up to a tenth early, so that many routers behind one NAT do not ask at once.
        let early = cx.rng.below(interval / 10 + 1);
        self.timers.set(u32::try_from(index).unwrap_or(u32::MAX), cx.now.plus_ms(interval - early));
        let Some(asked) = self.asked.get_mut(index) else { return (Handled::Yes, false) };
        (asked.waiting, asked.lost, asked.nonces) = (false, 0, [0; NONCES_KEPT]);
        let known = asked.seen.replace(seen.clone()).map(|s| (s.global, s.rtrs));
        let changed = known != Some((seen.global, seen.rtrs));
        if changed {
            let what = if is_ours(cx.config, seen.global) { "no NAT" } else { "a NAT" };
            let detail = format_args!("{} sees us as {}: {what}", server.address, seen.global);
            cx.notice(Counter::NatChanges, detail);
            if !is_ours(cx.config, seen.global) && self.way(cx.config).rtrs().is_empty() {
                cx.notice(Counter::NatWithoutRtr, server.address);
            }
        }
        (Handled::Yes, changed)
    }

    /// How to register, as far as is known. One Map-Server that sees us through a NAT is enough.
    pub(super) fn way(&self, config: &EngineConfig) -> Way {
        if !self.on {
            return Way::Direct;
        }
        let mut seen = self.asked.iter().filter_map(|asked| asked.seen.as_ref()).peekable();
        if seen.peek().is_none() {
            return Way::Unknown;
        }
        let behind: Vec<&Seen> = seen.filter(|seen| !is_ours(config, seen.global)).collect();
        if behind.is_empty() {
            return Way::Direct;
        }
        let mut rtrs: Vec<IpAddr> = Vec::new();
        for rtr in behind.iter().flat_map(|seen| &seen.rtrs) {
            if rtrs.len() < RTRS_MAX && !rtrs.contains(rtr) {
                rtrs.push(*rtr);
            }
        }
        Way::Through(rtrs)
    }
}

/// What a Map-Server saw is what we sent.
pub(super) fn is_ours(config: &EngineConfig, global: SocketAddr) -> bool {
    global.port() == CONTROL_PORT && config.rlocs.contains(&global.ip())
}

fn ask(cx: &mut Cx<'_>, server: &MapServerPeer, nonce: u64) {
    let Some(mapping) = cx.config.database.first() else { return };
    let algorithm = auth::for_info(server.algorithm);
    let request = Info {
        nonce,
        auth: AuthData::unsigned(server.key.id, auth::algorithm_id(algorithm), auth::tag_len(algorithm)),
        ttl_minutes: 0,
        mask_len: mapping.eid.prefix.prefix_len(),
        eid: Address::from_eid(mapping.eid.iid, mapping.eid.prefix.network()),
        body: Address::None,
    };
    if let Some(payload) = reply::encode_signed(cx, &Message::InfoRequest(request), &server.key.secret) {
        cx.count(Counter::InfoRequestsSent);
        cx.send(SocketAddr::new(server.address, CONTROL_PORT), payload);
    }
}

/// What the Info-Reply says, of the RTRs those that we can use: IPv4, and not ourselves.
fn seen(cx: &Cx<'_>, info: &Info) -> Option<Seen> {
    let Address::Lcaf(lcaf) = &info.body else { return None };
    let Lcaf::NatTraversal { etr_port, global_etr, rtrs, .. } = lcaf.as_ref() else { return None };
    let usable = |rtr: &IpAddr| rtr.is_ipv4() && forward::can_forward(cx.config, *rtr);
    let rtrs = rtrs.iter().filter_map(Address::rloc).filter(usable).collect();
    Some(Seen { global: SocketAddr::new(global_etr.rloc()?, *etr_port), rtrs, at: cx.now })
}
