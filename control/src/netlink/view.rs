//! Our copy of the kernel's tables, and what changed in it.

use super::model::{Address, Link, Neighbour, NeighbourState, Route, RouteKind, TABLE_LOCAL, Update};
use super::space::{Space, split_link, split_table, table_in};
use ipnet::IpNet;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;

/// What of the kernel's tables is worth a copy.
#[derive(Clone, Debug, Default)]
pub struct Interest {
    /// Interfaces whose neighbours count: the host interfaces of our ports, with their space.
    pub interfaces: HashSet<(Space, String)>,
    /// Routing tables, in the numbers of [`table_in`]; `local` of their spaces is always among them.
    pub tables: HashSet<u64>,
    /// Most routes kept.
    pub max_routes: usize,
    /// Most neighbours kept.
    pub max_neighbours: usize,
}

/// The key of something that changed; look the rest up in the view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Changed {
    /// Interface of this index.
    Link(u32),
    /// The addresses of the interface of this index.
    Addresses(u32),
    /// The routes of a table for a destination.
    Route {
        /// Kernel routing table.
        table: u64,
        /// Destination.
        prefix: IpNet,
    },
    /// A neighbour.
    Neighbour {
        /// Interface index.
        link: u32,
        /// Its address.
        addr: IpAddr,
    },
}

/// What the view could not keep. Written by the control thread, read by the API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ViewCounters {
    /// Routes beyond `max_routes`.
    pub routes_refused: u64,
    /// Neighbours beyond `max_neighbours`.
    pub neighbours_refused: u64,
}

/// A value and the dump that last confirmed it.
#[derive(Debug)]
struct Seen<T> {
    value: T,
    generation: u64,
}

/// Links, addresses, routes and neighbours as the kernel last told them.
#[derive(Debug, Default)]
pub struct KernelView {
    interest: Interest,
    generation: u64,
    /// The generation with which the last dump of each space began.
    begun: HashMap<Space, u64>,
    links: BTreeMap<u32, Seen<Link>>,
    /// Interface by space and name.
    names: HashMap<(Space, String), u32>,
    addresses: BTreeMap<(u32, IpAddr), Seen<Address>>,
    routes: HashMap<(u64, IpNet), Vec<Seen<Route>>>,
    route_count: usize,
    neighbours: HashMap<(u32, IpAddr), Seen<Neighbour>>,
    counters: ViewCounters,
}

impl KernelView {
    /// An empty view that will keep what `interest` asks for.
    #[must_use]
    pub fn new(mut interest: Interest) -> Self {
        let spaces: Vec<Space> = interest.tables.iter().map(|table| split_table(*table).0).collect();
        interest.tables.extend(spaces.into_iter().map(|space| table_in(space, split_table(TABLE_LOCAL).1)));
        Self { interest, ..Self::default() }
    }

    /// Takes one update in. `None`: nothing changed that concerns us.
    pub fn apply(&mut self, update: Update) -> Option<Changed> {
        match update {
            Update::LinkSet(link) => self.set_link(link),
            Update::LinkDel(index) => self.del_link(index),
            Update::AddressSet(address) => self.set_address(address),
            Update::AddressDel { link, addr } => {
                self.addresses.remove(&(link, addr)).map(|_| Changed::Addresses(link))
            }
            Update::RouteSet { route, replace } => self.set_route(route, replace),
            Update::RouteDel(route) => self.del_route(&route),
            Update::NeighbourSet(neighbour) => self.set_neighbour(neighbour),
            Update::NeighbourDel { link, addr } => {
                self.neighbours.remove(&(link, addr)).map(|_| Changed::Neighbour { link, addr })
            }
        }
    }

    /// A dump of a space begins: what it does not confirm by [`Self::end_dump`] is gone.
    pub fn begin_dump(&mut self, space: Space) {
        self.generation += 1;
        self.begun.insert(space, self.generation);
    }

    /// A dump of everything of a space, or of the routes alone, is complete: forgets what it did not
    /// confirm.
    pub fn end_dump(&mut self, space: Space, routes_only: bool) -> Vec<Changed> {
        let begun = self.begun.get(&space).copied().unwrap_or(self.generation);
        let keep = |link: u32, generation: u64| generation >= begun || split_link(link).0 != space;
        let mut gone = Vec::new();
        let count = &mut self.route_count;
        self.routes.retain(|&(table, prefix), routes| {
            let before = routes.len();
            routes.retain(|r| r.generation >= begun || split_table(table).0 != space);
            *count -= before - routes.len();
            if routes.len() != before {
                gone.push(Changed::Route { table, prefix });
            }
            !routes.is_empty()
        });
        if routes_only {
            return gone;
        }
        self.neighbours.retain(|&(link, addr), n| {
            let keep = keep(link, n.generation);
            if !keep {
                gone.push(Changed::Neighbour { link, addr });
            }
            keep
        });
        self.addresses.retain(|&(link, _), a| {
            let keep = keep(link, a.generation);
            if !keep {
                gone.push(Changed::Addresses(link));
            }
            keep
        });
        let names = &mut self.names;
        self.links.retain(|&index, l| {
            let keep = keep(index, l.generation);
            if !keep {
                names.retain(|_, named| *named != index);
                gone.push(Changed::Link(index));
            }
            keep
        });
        gone
    }

    /// The interface of an index.
    #[must_use]
    pub fn link(&self, index: u32) -> Option<&Link> {
        self.links.get(&index).map(|seen| &seen.value)
    }

    /// The interface of a name.
    #[must_use]
    pub fn link_by_name(&self, space: Space, name: &str) -> Option<&Link> {
        self.link(*self.names.get(&(space, name.to_owned()))?)
    }

    /// The addresses of an interface, in order.
    pub fn addresses(&self, link: u32) -> impl Iterator<Item = &Address> {
        // The lowest address there is: IPv4 sorts before IPv6.
        let from = (link, IpAddr::from([0u8; 4]));
        self.addresses.range(from..).take_while(move |((l, _), _)| *l == link).map(|(_, seen)| &seen.value)
    }

    /// Is this one of our own addresses, on whatever interface?
    #[must_use]
    pub fn is_own_address(&self, addr: IpAddr) -> bool {
        self.addresses.keys().any(|(_, a)| *a == addr)
    }

    /// The routes of a table for exactly this destination, best metric first.
    pub fn routes(&self, table: u64, prefix: IpNet) -> impl Iterator<Item = &Route> {
        self.routes.get(&(table, prefix)).into_iter().flatten().map(|seen| &seen.value)
    }

    /// Every destination that has a route, with its table. In no order.
    pub fn destinations(&self) -> impl Iterator<Item = (u64, IpNet)> {
        self.routes.keys().copied()
    }

    /// A neighbour's state.
    #[must_use]
    pub fn neighbour(&self, link: u32, addr: IpAddr) -> Option<NeighbourState> {
        self.neighbours.get(&(link, addr)).map(|seen| seen.value.state)
    }

    /// Every neighbour. In no order.
    pub fn neighbours(&self) -> impl Iterator<Item = &Neighbour> {
        self.neighbours.values().map(|seen| &seen.value)
    }

    /// Number of routes kept.
    #[must_use]
    pub fn route_count(&self) -> usize {
        self.route_count
    }

    /// What was refused.
    #[must_use]
    pub fn counters(&self) -> ViewCounters {
        self.counters
    }

    fn set_link(&mut self, link: Link) -> Option<Changed> {
        let index = link.index;
        let space = split_link(index).0;
        let seen = Seen { value: link, generation: self.generation };
        let old = self.links.get(&index).map(|old| &old.value);
        let same = old == Some(&seen.value);
        if let Some(old) = old.filter(|old| old.name != seen.value.name) {
            self.names.remove(&(space, old.name.clone()));
        }
        self.names.insert((space, seen.value.name.clone()), index);
        self.links.insert(index, seen);
        (!same).then_some(Changed::Link(index))
    }

    fn del_link(&mut self, index: u32) -> Option<Changed> {
        let gone = self.links.remove(&index)?;
        let name = (split_link(index).0, gone.value.name);
        // Another one may have taken the name.
        if self.names.get(&name) == Some(&index) {
            self.names.remove(&name);
        }
        Some(Changed::Link(index))
    }

    fn set_address(&mut self, address: Address) -> Option<Changed> {
        let key = (address.link, address.addr);
        let seen = Seen { value: address, generation: self.generation };
        let same = self.addresses.get(&key).is_some_and(|old| old.value == seen.value);
        self.addresses.insert(key, seen);
        (!same).then_some(Changed::Addresses(key.0))
    }

    fn set_route(&mut self, route: Route, replace: bool) -> Option<Changed> {
        let key = route.key;
        if !self.interest.tables.contains(&key.table) {
            return None;
        }
        let changed = Changed::Route { table: key.table, prefix: key.prefix };
        let generation = self.generation;
        let routes = self.routes.entry((key.table, key.prefix)).or_default();
        let before = routes.len();
        if replace {
            routes.retain(|r| r.value.key.metric != key.metric || r.value.key.device == key.device);
        }
        let replaced_others = before != routes.len();
        self.route_count -= before - routes.len();
        if let Some(old) = routes.iter_mut().find(|r| r.value.key == key) {
            let same = old.value == route;
            *old = Seen { value: route, generation };
            return (!same || replaced_others).then_some(changed);
        }
        if self.route_count >= self.interest.max_routes {
            self.counters.routes_refused += 1;
            if routes.is_empty() {
                self.routes.remove(&(key.table, key.prefix));
            }
            return replaced_others.then_some(changed);
        }
        // By metric; among equals the one without a gateway first, as the kernel does for its own.
        let at = routes.partition_point(|r| rank(&r.value) <= rank(&route));
        routes.insert(at, Seen { value: route, generation });
        self.route_count += 1;
        Some(changed)
    }

    fn del_route(&mut self, gone: &Route) -> Option<Changed> {
        let at = (gone.key.table, gone.key.prefix);
        let routes = self.routes.get_mut(&at)?;
        let index = routes.iter().position(|r| r.value.key == gone.key)?;
        let changed = Changed::Route { table: at.0, prefix: at.1 };
        let stored = routes.get_mut(index)?;
        // IPv6 reports the loss of one leg of a multipath route as the deletion of that leg alone.
        if let (IpNet::V6(_), RouteKind::Unicast(hops), RouteKind::Unicast(lost)) =
            (at.1, &mut stored.value.kind, &gone.kind)
            && hops.len() > lost.len()
            && !lost.is_empty()
        {
            hops.retain(|h| !lost.iter().any(|l| (l.link, l.gateway) == (h.link, h.gateway)));
            if !hops.is_empty() {
                return Some(changed);
            }
        }
        routes.remove(index);
        self.route_count -= 1;
        if routes.is_empty() {
            self.routes.remove(&at);
        }
        Some(changed)
    }

    fn set_neighbour(&mut self, neighbour: Neighbour) -> Option<Changed> {
        let name = (split_link(neighbour.link).0, self.links.get(&neighbour.link)?.value.name.clone());
        if !self.interest.interfaces.contains(&name) {
            return None;
        }
        let key = (neighbour.link, neighbour.addr);
        let seen = Seen { value: neighbour, generation: self.generation };
        let changed = Changed::Neighbour { link: key.0, addr: key.1 };
        if let Some(old) = self.neighbours.get_mut(&key) {
            let same = old.value == seen.value;
            *old = seen;
            return (!same).then_some(changed);
        }
        if self.neighbours.len() >= self.interest.max_neighbours {
            self.counters.neighbours_refused += 1;
            return None;
        }
        self.neighbours.insert(key, seen);
        Some(changed)
    }
}

fn rank(route: &Route) -> (u32, bool) {
    (route.key.metric, route.key.device == 0)
}

#[cfg(test)]
mod tests {
    use super::super::model::{NextHop, RouteKey, TABLE_MAIN};
    use super::*;
    use pxtr_dataplane::types::MacAddr;

    fn interest() -> Interest {
        Interest {
            interfaces: [(0, "core".to_owned())].into(),
            tables: [TABLE_MAIN].into(),
            max_routes: 4,
            max_neighbours: 2,
        }
    }

    fn via(prefix: &str, metric: u32, gateways: &[&str]) -> Route {
        let hops = gateways.iter().map(|g| NextHop { link: 2, gateway: Some(g.parse().unwrap()), weight: 1 });
        Route {
            key: RouteKey { table: TABLE_MAIN, prefix: prefix.parse().unwrap(), metric, device: 0 },
            kind: RouteKind::Unicast(hops.collect()),
            connected: false,
            mtu: None,
        }
    }

    fn set(route: Route) -> Update {
        Update::RouteSet { route, replace: false }
    }

    fn link(index: u32, name: &str) -> Update {
        Update::LinkSet(Link { index, name: name.into(), mac: None, mtu: 1500, up: true, running: true })
    }

    fn neighbour(addr: &str, state: NeighbourState) -> Update {
        Update::NeighbourSet(Neighbour { link: 2, addr: addr.parse().unwrap(), state })
    }

    #[test]
    fn best_metric_comes_first_and_the_next_takes_over() {
        let mut view = KernelView::new(interest());
        let net: IpNet = "10.0.0.0/8".parse().unwrap();
        let changed = Some(Changed::Route { table: TABLE_MAIN, prefix: net });
        assert_eq!(view.apply(set(via("10.0.0.0/8", 20, &["192.0.2.2"]))), changed);
        assert_eq!(view.apply(set(via("10.0.0.0/8", 10, &["192.0.2.1"]))), changed);
        assert_eq!(view.apply(set(via("10.0.0.0/8", 10, &["192.0.2.1"]))), None, "no change, no noise");
        assert_eq!(view.routes(TABLE_MAIN, net).next().unwrap().key.metric, 10);
        assert_eq!(view.apply(Update::RouteDel(via("10.0.0.0/8", 10, &["192.0.2.1"]))), changed);
        assert_eq!(view.routes(TABLE_MAIN, net).next().unwrap().key.metric, 20);
        assert_eq!(view.route_count(), 1);
    }

    #[test]
    fn ipv6_multipath_loses_one_leg_at_a_time() {
        let mut view = KernelView::new(interest());
        let net: IpNet = "2001:db8::/32".parse().unwrap();
        view.apply(set(via("2001:db8::/32", 1024, &["fe80::1", "fe80::2"])));
        assert!(view.apply(Update::RouteDel(via("2001:db8::/32", 1024, &["fe80::1"]))).is_some());
        let RouteKind::Unicast(hops) = &view.routes(TABLE_MAIN, net).next().unwrap().kind else { panic!() };
        assert_eq!(hops.len(), 1);
        assert!(view.apply(Update::RouteDel(via("2001:db8::/32", 1024, &["fe80::2"]))).is_some());
        assert_eq!(view.route_count(), 0);
    }

    #[test]
    fn replace_takes_the_place_of_a_route_of_another_shape() {
        let mut view = KernelView::new(interest());
        let net: IpNet = "2001:db8::/64".parse().unwrap();
        let mut direct = via("2001:db8::/64", 1024, &[]);
        direct.key.device = 2;
        direct.kind = RouteKind::Unicast(vec![NextHop { link: 2, gateway: None, weight: 1 }]);
        view.apply(set(direct));
        let route = via("2001:db8::/64", 1024, &["fe80::1"]);
        assert!(view.apply(Update::RouteSet { route, replace: true }).is_some());
        assert_eq!(view.routes(TABLE_MAIN, net).count(), 1);
        assert_eq!(view.route_count(), 1);
    }

    #[test]
    fn tables_and_interfaces_of_no_interest_are_not_kept() {
        let mut view = KernelView::new(interest());
        let mut other = via("10.0.0.0/8", 0, &["192.0.2.1"]);
        other.key.table = 77;
        assert_eq!(view.apply(set(other)), None);
        view.apply(link(2, "eth9"));
        assert_eq!(view.apply(neighbour("192.0.2.1", NeighbourState::Incomplete)), None);
        assert_eq!(view.neighbours().count(), 0);
    }

    #[test]
    fn both_tables_are_bounded_and_count_what_they_refuse() {
        let mut view = KernelView::new(interest());
        view.apply(link(2, "core"));
        for n in 0..6 {
            view.apply(set(via(&format!("10.{n}.0.0/16"), 0, &["192.0.2.1"])));
            view.apply(neighbour(&format!("192.0.2.{n}"), NeighbourState::Failed));
        }
        assert_eq!((view.route_count(), view.neighbours().count()), (4, 2));
        assert_eq!(view.counters(), ViewCounters { routes_refused: 2, neighbours_refused: 4 });
    }

    #[test]
    fn a_dump_forgets_what_it_did_not_confirm() {
        let mut view = KernelView::new(interest());
        view.apply(link(2, "core"));
        view.apply(link(3, "gone"));
        let mac = MacAddr([2, 0, 0, 0, 0, 1]);
        view.apply(neighbour("192.0.2.1", NeighbourState::Valid(mac)));
        view.apply(set(via("10.1.0.0/16", 0, &["192.0.2.1"])));
        view.apply(set(via("10.2.0.0/16", 0, &["192.0.2.1"])));
        view.begin_dump(0);
        assert_eq!(view.apply(link(2, "core")), None);
        assert_eq!(view.apply(set(via("10.2.0.0/16", 0, &["192.0.2.1"]))), None);
        let mut gone = view.end_dump(0, false);
        gone.sort_unstable();
        let expected = [
            Changed::Link(3),
            Changed::Route { table: TABLE_MAIN, prefix: "10.1.0.0/16".parse().unwrap() },
            Changed::Neighbour { link: 2, addr: "192.0.2.1".parse().unwrap() },
        ];
        assert_eq!(gone, expected);
        assert_eq!(view.route_count(), 1);
    }
}
