//! Native routes per VRF: from the kernel's routes to what the path looks up.

use super::hops::{Context, Hops, Use};
use super::ports::Ports;
use super::spec::{FeederSpec, VrfFeed};
use crate::netlink::{
    KernelView, NextHop, Route as KernelRoute, RouteKind, Space, TABLE_LOCAL, TABLE_MAIN, split_table,
    table_in,
};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use prefix_trie::PrefixMap;
use pxtr_dataplane::feed::{Delta, Reject, Route};
use pxtr_dataplane::types::{AdjacencyId, PortId, VrfId};
use std::collections::HashMap;
use std::net::IpAddr;

/// Most adjacencies of one route, weights included.
const MAX_LEGS: usize = 64;

/// A resolved native route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rib {
    Local,
    Connected(PortId),
    Via(AdjacencyId),
    /// By flow hash; an adjacency occurs as often as its weight says.
    Multi(Box<[AdjacencyId]>),
    Reject(Reject),
}

impl Rib {
    fn adjacencies(&self) -> &[AdjacencyId] {
        match self {
            Self::Via(id) => std::slice::from_ref(id),
            Self::Multi(ids) => ids,
            Self::Local | Self::Connected(_) | Self::Reject(_) => &[],
        }
    }

    fn route(&self) -> Route {
        match self {
            Self::Local => Route::Local,
            Self::Connected(port) => Route::Glean(*port),
            Self::Via(id) => Route::Via(*id),
            Self::Multi(ids) => Route::Multipath(ids.clone()),
            Self::Reject(why) => Route::Reject(*why),
        }
    }
}

#[derive(Debug, Default)]
struct Tables {
    v4: PrefixMap<Ipv4Net, Rib>,
    v6: PrefixMap<Ipv6Net, Rib>,
}

/// The native routes of all VRFs. Neighbours' host routes are not among them (see `hosts`).
#[derive(Debug, Default)]
pub(super) struct Fib {
    vrfs: HashMap<VrfId, Tables>,
}

impl Fib {
    /// Takes over what the kernel now says about a destination. Returns the VRFs in which the
    /// resolved route changed.
    pub(super) fn update(
        &mut self,
        spec: &FeederSpec,
        (table, prefix): (u64, IpNet),
        hops: &mut Hops,
        cx: &mut Context<'_>,
    ) -> Vec<VrfId> {
        let (space, id) = split_table(table);
        let shared = [TABLE_LOCAL, TABLE_MAIN].contains(&u64::from(id));
        let concerned = |v: &&VrfFeed| v.table == table || shared && split_table(v.table).0 == space;
        let vrfs = spec.vrfs.iter().filter(concerned);
        vrfs.filter(|vrf| self.update_in(spec, vrf, prefix, hops, cx)).map(|v| v.id).collect()
    }

    fn update_in(
        &mut self,
        spec: &FeederSpec,
        vrf: &VrfFeed,
        prefix: IpNet,
        hops: &mut Hops,
        cx: &mut Context<'_>,
    ) -> bool {
        let rib = best(spec, vrf, prefix, cx.view, cx.ports).and_then(|plan| plan.resolve(hops, cx));
        let tables = self.vrfs.entry(vrf.id).or_default();
        let old = match &rib {
            Some(rib) => tables.insert(prefix, rib.clone()),
            None => tables.remove(prefix),
        };
        let changed = old != rib;
        if changed {
            cx.out.delta(match &rib {
                Some(rib) => Delta::RouteSet { vrf: vrf.id, prefix, route: rib.route() },
                None => Delta::RouteDel { vrf: vrf.id, prefix },
            });
        }
        // After the new ones were acquired, so that a hop in both keeps its slot.
        for id in old.iter().flat_map(Rib::adjacencies) {
            hops.release(*id, Use::Gateway, cx.out);
        }
        changed
    }

    /// Longest match, host routes of neighbours left out.
    pub(super) fn lookup(&self, vrf: VrfId, addr: IpAddr) -> Option<(IpNet, &Rib)> {
        self.vrfs.get(&vrf)?.lookup(addr)
    }

    /// The route for exactly this destination.
    pub(super) fn get(&self, vrf: VrfId, prefix: IpNet) -> Option<&Rib> {
        let tables = self.vrfs.get(&vrf)?;
        match prefix {
            IpNet::V4(p) => tables.v4.get(&p),
            IpNet::V6(p) => tables.v6.get(&p),
        }
    }

    /// Routes of all VRFs.
    pub(super) fn len(&self) -> usize {
        self.vrfs.values().map(|t| t.v4.len() + t.v6.len()).sum()
    }
}

impl Tables {
    fn insert(&mut self, prefix: IpNet, rib: Rib) -> Option<Rib> {
        match prefix {
            IpNet::V4(p) => self.v4.insert(p, rib),
            IpNet::V6(p) => self.v6.insert(p, rib),
        }
    }

    fn remove(&mut self, prefix: IpNet) -> Option<Rib> {
        match prefix {
            IpNet::V4(p) => self.v4.remove(&p),
            IpNet::V6(p) => self.v6.remove(&p),
        }
    }

    fn lookup(&self, addr: IpAddr) -> Option<(IpNet, &Rib)> {
        match addr {
            IpAddr::V4(a) => self.v4.get_lpm(&Ipv4Net::from(a)).map(|(p, r)| (IpNet::V4(p), r)),
            IpAddr::V6(a) => self.v6.get_lpm(&Ipv6Net::from(a)).map(|(p, r)| (IpNet::V6(p), r)),
        }
    }
}

/// What a route will be once its next hops have slots.
enum Plan {
    Done(Rib),
    Hops(Vec<(PortId, IpAddr)>),
}

impl Plan {
    fn resolve(self, hops: &mut Hops, cx: &mut Context<'_>) -> Option<Rib> {
        let wanted = match self {
            Self::Done(rib) => return Some(rib),
            Self::Hops(wanted) => wanted,
        };
        let ids: Vec<_> = wanted.into_iter().filter_map(|key| hops.acquire(key, Use::Gateway, cx)).collect();
        match ids.as_slice() {
            [] => Some(Rib::Reject(Reject::NetUnreachable)),
            [id] => Some(Rib::Via(*id)),
            _ => Some(Rib::Multi(ids.into())),
        }
    }
}

/// The best usable kernel route of a VRF for exactly this destination.
fn best(spec: &FeederSpec, vrf: &VrfFeed, prefix: IpNet, view: &KernelView, ports: &Ports) -> Option<Plan> {
    let space = split_table(vrf.table).0;
    let (local_table, main_table) = (in_space(space, TABLE_LOCAL), in_space(space, TABLE_MAIN));
    // Addresses of interfaces that are no ports (lo, management) belong to the first VRF there.
    let first = spec.vrfs.iter().find(|v| split_table(v.table).0 == space).map(|v| v.id);
    let home = |link: u32| ports.of_link(link).map(|p| p.vrf).or(first);
    let local = view.routes(local_table, prefix).filter(|r| match r.kind {
        RouteKind::Local(link) | RouteKind::Broadcast(link) => home(link) == Some(vrf.id),
        _ => vrf.table == local_table,
    });
    let elsewhere = |h: &NextHop| ports.of_link(h.link).is_some_and(|p| p.vrf != vrf.id);
    let here = |h: &NextHop| ports.of_link(h.link).is_some_and(|p| p.vrf == vrf.id);
    // A connected route out of a port of another VRF is not ours, or VRFs would leak.
    let own = view.routes(vrf.table, prefix).filter(|r| !(r.connected && all_hops(r, elsewhere)));
    // The kernel puts connected routes into `main`, whatever table a VRF uses.
    let connected = view
        .routes(main_table, prefix)
        .filter(|r| vrf.table != main_table && r.connected && all_hops(r, here));
    local.chain(own).chain(connected).find_map(|route| plan(route, ports))
}

/// A table of ours as it is numbered in another space.
fn in_space(space: Space, table: u64) -> u64 {
    table_in(space, split_table(table).1)
}

fn all_hops(route: &KernelRoute, test: impl Fn(&NextHop) -> bool) -> bool {
    matches!(&route.kind, RouteKind::Unicast(hops) if hops.iter().all(test))
}

/// `None`: the kernel itself would pass this route over, none of its next hops is alive.
fn plan(route: &KernelRoute, ports: &Ports) -> Option<Plan> {
    Some(match &route.kind {
        RouteKind::Local(_) => Plan::Done(Rib::Local),
        // Directed broadcasts are neither received nor forwarded.
        RouteKind::Broadcast(_) | RouteKind::Blackhole => Plan::Done(Rib::Reject(Reject::Blackhole)),
        RouteKind::Unreachable => Plan::Done(Rib::Reject(Reject::HostUnreachable)),
        RouteKind::Prohibit => Plan::Done(Rib::Reject(Reject::Prohibited)),
        RouteKind::Unicast(hops) if hops.is_empty() => return None,
        RouteKind::Unicast(hops) => legs(hops, ports),
    })
}

fn legs(hops: &[NextHop], ports: &Ports) -> Plan {
    let mut wanted = Vec::new();
    let mut connected = None;
    let shares = shares(hops);
    for (hop, share) in hops.iter().zip(shares) {
        let Some(port) = ports.of_link(hop.link) else { continue };
        match hop.gateway {
            None => connected = connected.or(Some(port.id)),
            Some(gateway) => wanted.extend(std::iter::repeat_n((port.id, gateway), share)),
        }
    }
    match (wanted.is_empty(), connected) {
        (false, _) => Plan::Hops(wanted),
        (true, Some(port)) => Plan::Done(Rib::Connected(port)),
        // Out of an interface that is no port of ours, such as management: the data plane has no
        // way there, and going round by a less specific route would be wrong.
        (true, None) => Plan::Done(Rib::Reject(Reject::NetUnreachable)),
    }
}

/// How often each next hop occurs in the table: its weight, scaled down where the sum is too large.
fn shares(hops: &[NextHop]) -> Vec<usize> {
    let divisor = hops.iter().fold(0, |d, h| gcd(d, usize::from(h.weight))).max(1);
    let total: usize = hops.iter().map(|h| usize::from(h.weight) / divisor).sum();
    let scale = |weight: usize| if total > MAX_LEGS { (weight * MAX_LEGS / total).max(1) } else { weight };
    hops.iter().map(|h| scale(usize::from(h.weight) / divisor)).take(MAX_LEGS).collect()
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_become_occurrences_within_the_limit() {
        let hops = |weights: &[u16]| -> Vec<NextHop> {
            weights.iter().map(|w| NextHop { link: 1, gateway: None, weight: *w }).collect()
        };
        for (weights, expected) in [
            (&[1][..], &[1][..]),
            (&[3, 1], &[3, 1]),
            (&[200, 100], &[2, 1]),
            (&[3, 2], &[3, 2]),
            (&[256, 1], &[63, 1]),
            (&[255, 128], &[42, 21]),
        ] {
            assert_eq!(shares(&hops(weights)), expected, "{weights:?}");
        }
    }
}
