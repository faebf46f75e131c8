//! Next hops: who is behind an adjacency slot, how far the kernel knows it, who uses it.

use super::output::{Ask, Output};
use super::ports::Ports;
use super::slots::SlotPool;
use crate::engine::event::Time;
use crate::netlink::{KernelView, NeighbourState};
use pxtr_dataplane::feed::{Adjacency, Delta};
use pxtr_dataplane::types::{AdjacencyId, MacAddr, PortId};
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

/// A silent gateway is asked for again after this long, milliseconds.
const RETRY_FAILED_MS: u64 = 3_000;
/// A question that the kernel did not answer either way is put again after this long.
const RETRY_RESOLVING_MS: u64 = 5_000;
/// A gateway whose address grew stale is confirmed at most this often: the kernel sees none of our
/// traffic, so it can not tell by itself that the gateway is alive.
const CONFIRM_GATEWAY_MS: u64 = 15_000;
/// The same for a host on a connected link.
const CONFIRM_HOST_MS: u64 = 60_000;
/// Most questions per call of [`Hops::due`].
const ASKS_PER_CALL: usize = 64;

/// How far a next hop is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HopState {
    Ready(MacAddr),
    Resolving,
    Failed,
}

/// A next hop.
#[derive(Debug)]
pub(super) struct Hop {
    pub(super) port: PortId,
    pub(super) addr: IpAddr,
    pub(super) state: HopState,
    /// Routes through it (gateway), host route to it counted apart.
    gateway_users: u32,
    host_users: u32,
    /// RLOCs reached through it.
    pub(super) rlocs: BTreeSet<IpAddr>,
    stale: bool,
    asked: Option<Time>,
    next_ask: Option<Time>,
}

/// What a next hop is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Gateway,
    Host,
    Rloc(IpAddr),
}

/// All next hops.
#[derive(Debug)]
pub(super) struct Hops {
    slots: SlotPool,
    hops: HashMap<AdjacencyId, Hop>,
    by_key: HashMap<(PortId, IpAddr), AdjacencyId>,
    timers: BTreeSet<(Time, AdjacencyId)>,
    /// Next hops that found no slot.
    pub(super) refused: u64,
}

impl Hops {
    pub(super) fn new(limit: u32) -> Self {
        Self {
            slots: SlotPool::new(limit),
            hops: HashMap::new(),
            by_key: HashMap::new(),
            timers: BTreeSet::new(),
            refused: 0,
        }
    }

    pub(super) fn get(&self, id: AdjacencyId) -> Option<&Hop> {
        self.hops.get(&id)
    }

    pub(super) fn find(&self, port: PortId, addr: IpAddr) -> Option<AdjacencyId> {
        self.by_key.get(&(port, addr)).copied()
    }

    pub(super) fn on_port(&self, port: PortId) -> Vec<AdjacencyId> {
        self.hops.iter().filter(|(_, h)| h.port == port).map(|(id, _)| *id).collect()
    }

    pub(super) fn count(&self, state: HopState) -> usize {
        self.hops.values().filter(|h| h.state == state).count()
    }

    pub(super) fn in_use(&self) -> u32 {
        self.slots.in_use()
    }

    pub(super) fn settle(&mut self, applied: u64) {
        self.slots.settle(applied);
    }

    /// The next hop's slot, made if need be, with one more user. `None`: no slot left.
    pub(super) fn acquire(
        &mut self,
        key: (PortId, IpAddr),
        user: Use,
        cx: &mut Context<'_>,
    ) -> Option<AdjacencyId> {
        let id = match self.by_key.get(&key) {
            Some(id) => *id,
            None => self.create(key, cx)?,
        };
        let hop = self.hops.get_mut(&id)?;
        match user {
            Use::Gateway => hop.gateway_users += 1,
            Use::Host => hop.host_users += 1,
            Use::Rloc(rloc) => {
                hop.rlocs.insert(rloc);
            }
        }
        self.schedule(id, cx.now);
        Some(id)
    }

    /// One user less; the slot goes when it was the last.
    pub(super) fn release(&mut self, id: AdjacencyId, user: Use, out: &Output) {
        let Some(hop) = self.hops.get_mut(&id) else { return };
        match user {
            Use::Gateway => hop.gateway_users = hop.gateway_users.saturating_sub(1),
            Use::Host => hop.host_users = hop.host_users.saturating_sub(1),
            Use::Rloc(rloc) => {
                hop.rlocs.remove(&rloc);
            }
        }
        if hop.gateway_users == 0 && hop.host_users == 0 && hop.rlocs.is_empty() {
            if let Some(at) = hop.next_ask {
                self.timers.remove(&(at, id));
            }
            self.by_key.remove(&(hop.port, hop.addr));
            self.hops.remove(&id);
            self.slots.give_back(id.0, out.sequence());
        }
    }

    /// The kernel's word on a next hop changed, or its port did. True: the hop's state changed, and
    /// with it what is to be known of its RLOCs.
    pub(super) fn update(&mut self, id: AdjacencyId, force: bool, cx: &mut Context<'_>) -> bool {
        let Some(hop) = self.hops.get_mut(&id) else { return false };
        let known = cx.ports.link(hop.port).and_then(|link| cx.view.neighbour(link, hop.addr));
        let state = next_state(hop.state, known, cx.ports.has_cable(hop.port));
        hop.stale = matches!(known, Some(NeighbourState::Stale(_)));
        let changed = state != hop.state;
        hop.state = state;
        if changed || force {
            let adjacency = adjacency(hop, cx.ports);
            cx.out.delta(Delta::AdjacencySet(id, adjacency));
        }
        self.schedule(id, cx.now);
        changed
    }

    /// A packet waits for this next hop: asks at once, but at most once a second.
    pub(super) fn wanted(&mut self, id: AdjacencyId, cx: &mut Context<'_>) {
        let Some(hop) = self.hops.get(&id) else { return };
        let lately = hop.asked.is_some_and(|asked| cx.now.since(asked) < 1000);
        if !lately && matches!(hop.state, HopState::Resolving) {
            self.ask(id, cx);
        }
    }

    /// Puts the questions that are due.
    pub(super) fn due(&mut self, cx: &mut Context<'_>) {
        for _ in 0..ASKS_PER_CALL {
            match self.timers.first() {
                Some(&(at, id)) if at <= cx.now => self.ask(id, cx),
                _ => break,
            }
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.timers.first().map(|(at, _)| *at)
    }

    fn create(&mut self, key: (PortId, IpAddr), cx: &mut Context<'_>) -> Option<AdjacencyId> {
        let Some(slot) = self.slots.take() else {
            self.refused += 1;
            return None;
        };
        let id = AdjacencyId(slot);
        let (port, addr) = key;
        let known = cx.ports.link(port).and_then(|link| cx.view.neighbour(link, addr));
        let hop = Hop {
            port,
            addr,
            state: next_state(HopState::Resolving, known, cx.ports.has_cable(port)),
            gateway_users: 0,
            host_users: 0,
            rlocs: BTreeSet::new(),
            stale: matches!(known, Some(NeighbourState::Stale(_))),
            asked: None,
            next_ask: None,
        };
        cx.out.delta(Delta::AdjacencySet(id, adjacency(&hop, cx.ports)));
        self.hops.insert(id, hop);
        self.by_key.insert(key, id);
        Some(id)
    }

    fn ask(&mut self, id: AdjacencyId, cx: &mut Context<'_>) {
        if let Some(hop) = self.hops.get_mut(&id) {
            hop.asked = Some(cx.now);
            if let Some(link) = cx.ports.link(hop.port) {
                cx.out.asks.push(Ask { link, addr: hop.addr });
            }
        }
        self.schedule(id, cx.now);
    }

    /// Sets the time of the next question from the hop's state and its users.
    fn schedule(&mut self, id: AdjacencyId, now: Time) {
        let Some(hop) = self.hops.get_mut(&id) else { return };
        let pause = match hop.state {
            HopState::Resolving => Some(RETRY_RESOLVING_MS),
            HopState::Failed => Some(RETRY_FAILED_MS),
            HopState::Ready(_) if !hop.stale => None,
            HopState::Ready(_) if hop.gateway_users > 0 || !hop.rlocs.is_empty() => Some(CONFIRM_GATEWAY_MS),
            HopState::Ready(_) => Some(CONFIRM_HOST_MS),
        };
        let next = pause.map(|pause| hop.asked.map_or(now, |asked| asked.plus_ms(pause).max(now)));
        if next == hop.next_ask {
            return;
        }
        if let Some(at) = hop.next_ask {
            self.timers.remove(&(at, id));
        }
        hop.next_ask = next;
        if let Some(at) = next {
            self.timers.insert((at, id));
        }
    }
}

/// What the methods work on besides their own table.
pub(super) struct Context<'a> {
    pub(super) now: Time,
    pub(super) view: &'a KernelView,
    pub(super) ports: &'a Ports,
    pub(super) out: &'a mut Output,
}

/// A next hop that failed stays failed until it answers: packets are told at once instead of being
/// held for each new try of the kernel. Nobody is there while the cable is out, whatever the kernel
/// remembers.
fn next_state(old: HopState, known: Option<NeighbourState>, cable: bool) -> HopState {
    match known {
        _ if !cable => HopState::Failed,
        Some(NeighbourState::Static(mac) | NeighbourState::Valid(mac) | NeighbourState::Stale(mac)) => {
            HopState::Ready(mac)
        }
        Some(NeighbourState::Failed) => HopState::Failed,
        Some(NeighbourState::Incomplete) | None if old == HopState::Failed => HopState::Failed,
        Some(NeighbourState::Incomplete) | None => HopState::Resolving,
    }
}

fn adjacency(hop: &Hop, ports: &Ports) -> Adjacency {
    match hop.state {
        HopState::Failed => Adjacency::Failed,
        HopState::Resolving => Adjacency::Resolving { port: hop.port, neighbour: hop.addr },
        HopState::Ready(mac) => Adjacency::Ready {
            port: hop.port,
            source_mac: ports.mac(hop.port),
            mac,
            mtu: ports.mtu(hop.port),
        },
    }
}
