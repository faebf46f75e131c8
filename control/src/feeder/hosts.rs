//! Host routes of neighbours on connected links, and what is done for packets to those that are not
//! known yet.
//!
//! A valid neighbour becomes a host route via its adjacency. It never takes the place of a real
//! route of the same length, and it exists only where the best real route is the connected route of
//! the neighbour's own port. A neighbour that a packet waits for and that does not answer becomes a
//! host route that rejects, for a few seconds: the packets that were held are answered by ICMP
//! instead of waiting in vain, and the next ones meanwhile cost no questions.

use super::fib::{Fib, Rib};
use super::hops::{Context, Hops, Use};
use super::output::Ask;
use crate::engine::event::Time;
use crate::netlink::NeighbourState;
use ipnet::IpNet;
use pxtr_dataplane::feed::{Delta, Reject, Route};
use pxtr_dataplane::types::{AdjacencyId, PortId, VrfId};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::IpAddr;

/// How long an unanswered neighbour rejects packets, milliseconds.
const REJECT_MS: u64 = 3_000;
/// How long a question may stay open before it may be put again, milliseconds: the kernel needs up
/// to three seconds to give up.
const MISS_MS: u64 = 5_000;

type Key = (VrfId, IpAddr, PortId);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Installed {
    Via(AdjacencyId),
    Reject,
}

#[derive(Debug, Default)]
struct Host {
    valid: bool,
    rejects: bool,
    installed: Option<Installed>,
    /// The data plane has what is installed.
    told: bool,
}

/// Host routes and open questions.
#[derive(Debug)]
pub(super) struct Hosts {
    hosts: BTreeMap<Key, Host>,
    misses: HashMap<(PortId, IpAddr), Time>,
    miss_order: VecDeque<(Time, (PortId, IpAddr))>,
    reject_order: VecDeque<(Time, Key)>,
    miss_limit: usize,
    /// Questions not put because too many were open.
    pub(super) misses_refused: u64,
}

impl Hosts {
    pub(super) fn new(miss_limit: u32) -> Self {
        Self {
            hosts: BTreeMap::new(),
            misses: HashMap::new(),
            miss_order: VecDeque::new(),
            reject_order: VecDeque::new(),
            miss_limit: miss_limit as usize,
            misses_refused: 0,
        }
    }

    /// The kernel's word on a neighbour changed.
    pub(super) fn on_neighbour(
        &mut self,
        (port, vrf): (PortId, VrfId),
        addr: IpAddr,
        state: Option<NeighbourState>,
        tables: (&Fib, &mut Hops),
        cx: &mut Context<'_>,
    ) {
        if !is_host(addr) {
            return;
        }
        let valid = state.and_then(NeighbourState::mac).is_some();
        let failed = state == Some(NeighbourState::Failed);
        let wanted = (valid || failed) && self.misses.remove(&(port, addr)).is_some();
        let key = (vrf, addr, port);
        if !valid && !wanted && !self.hosts.contains_key(&key) {
            return;
        }
        let host = self.hosts.entry(key).or_default();
        host.valid = valid;
        if valid {
            host.rejects = false;
        } else if failed && wanted {
            host.rejects = true;
            self.reject_order.push_back((cx.now.plus_ms(REJECT_MS), key));
        }
        self.sync(key, tables.0, tables.1, cx);
    }

    /// A packet waits for an address on a connected link. The caller saw to it that it is on one.
    pub(super) fn on_miss(&mut self, port: PortId, addr: IpAddr, cx: &mut Context<'_>) {
        let Some(link) = cx.ports.link(port) else { return };
        if !is_host(addr) || self.misses.contains_key(&(port, addr)) {
            return;
        }
        if self.misses.len() >= self.miss_limit {
            self.misses_refused += 1;
            return;
        }
        self.misses.insert((port, addr), cx.now);
        self.miss_order.push_back((cx.now.plus_ms(MISS_MS), (port, addr)));
        cx.out.asks.push(Ask { link, addr });
    }

    /// Real routes inside `prefix` changed: what that means for the hosts in it.
    pub(super) fn resync(
        &mut self,
        vrf: VrfId,
        prefix: IpNet,
        fib: &Fib,
        hops: &mut Hops,
        cx: &mut Context<'_>,
    ) {
        let from = (vrf, prefix.network(), PortId(0));
        let to = (vrf, prefix.broadcast(), PortId(u16::MAX));
        let keys: Vec<Key> = self.hosts.range(from..=to).map(|(key, _)| *key).collect();
        // A route for exactly one host took the place of the neighbour's, or left it.
        let host = prefix.prefix_len() == prefix.max_prefix_len();
        for key in keys {
            if let Some(host) = self.hosts.get_mut(&key).filter(|_| host) {
                host.told = false;
            }
            self.sync(key, fib, hops, cx);
        }
    }

    /// Forgets the hosts of a port, which moved to another VRF.
    pub(super) fn forget(&mut self, port: PortId, fib: &Fib, hops: &mut Hops, cx: &mut Context<'_>) {
        let keys: Vec<Key> = self.hosts.keys().filter(|(_, _, p)| *p == port).copied().collect();
        for key in keys {
            if let Some(host) = self.hosts.get_mut(&key) {
                (host.valid, host.rejects) = (false, false);
            }
            self.sync(key, fib, hops, cx);
        }
    }

    /// Forgets questions and rejections whose time is over.
    pub(super) fn due(&mut self, fib: &Fib, hops: &mut Hops, cx: &mut Context<'_>) {
        while let Some(&(at, key)) = self.miss_order.front()
            && at <= cx.now
        {
            self.miss_order.pop_front();
            // A later question about the same neighbour has its own place in the queue.
            if self.misses.get(&key).is_some_and(|asked| asked.plus_ms(MISS_MS) <= cx.now) {
                self.misses.remove(&key);
            }
        }
        while let Some(&(at, key)) = self.reject_order.front()
            && at <= cx.now
        {
            self.reject_order.pop_front();
            if let Some(host) = self.hosts.get_mut(&key) {
                host.rejects = false;
                self.sync(key, fib, hops, cx);
            }
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        let miss = self.miss_order.front().map(|(at, _)| *at);
        let reject = self.reject_order.front().map(|(at, _)| *at);
        [miss, reject].into_iter().flatten().min()
    }

    /// Host routes, rejecting ones included.
    pub(super) fn len(&self) -> usize {
        self.hosts.len()
    }

    fn sync(&mut self, key: Key, fib: &Fib, hops: &mut Hops, cx: &mut Context<'_>) {
        let (vrf, addr, port) = key;
        let Some(host) = self.hosts.get_mut(&key) else { return };
        let prefix = IpNet::from(addr);
        // A host route out of the neighbour's own port says no more than the link's (dynamic EIDs).
        let own = matches!(fib.get(vrf, prefix), Some(Rib::Connected(p)) if *p == port);
        let real = fib.get(vrf, prefix).is_some() && !own;
        let on_link = matches!(fib.lookup(vrf, addr), Some((_, Rib::Connected(p))) if *p == port);
        let old = host.installed;
        let new = match (on_link && !real, host.valid, host.rejects) {
            (true, true, _) => match old {
                Some(Installed::Via(id)) => Some(Installed::Via(id)),
                _ => hops.acquire((port, addr), Use::Host, cx).map(Installed::Via),
            },
            (true, false, true) => Some(Installed::Reject),
            _ => None,
        };
        host.installed = new;
        let told = std::mem::replace(&mut host.told, true);
        if new != old || (new.is_some() && !told) {
            match new {
                Some(installed) => {
                    let route = match installed {
                        Installed::Via(id) => Route::Via(id),
                        Installed::Reject => Route::Reject(Reject::HostUnreachable),
                    };
                    cx.out.delta(Delta::RouteSet { vrf, prefix, route });
                }
                None if real => {}
                None if own => cx.out.delta(Delta::RouteSet { vrf, prefix, route: Route::Glean(port) }),
                None => cx.out.delta(Delta::RouteDel { vrf, prefix }),
            }
            if let Some(Installed::Via(id)) = old
                && new != old
            {
                hops.release(id, Use::Host, cx.out);
            }
        }
        if !host.valid && !host.rejects {
            self.hosts.remove(&key);
        }
    }
}

/// May an address be reached by a host route? Link-local ones are never forwarded to.
fn is_host(addr: IpAddr) -> bool {
    match addr {
        IpAddr::V4(a) => !(a.is_multicast() || a.is_broadcast() || a.is_unspecified() || a.is_link_local()),
        IpAddr::V6(a) => !(a.is_multicast() || a.is_unspecified() || a.is_unicast_link_local()),
    }
}
