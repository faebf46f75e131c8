//! Kernel changes and engine actions in, a real replica out: what a worker would find.

use super::*;
use crate::engine::event::{Action, EidPrefix, Event, Forwarding, Iid, Locator, Time};
use crate::netlink::{
    Address, Interest, KernelView, Link, Neighbour, NeighbourState, NextHop, Route as KernelRoute, RouteKey,
    RouteKind, TABLE_LOCAL, TABLE_MAIN, Update,
};
use ipnet::IpNet;
use pxtr_dataplane::feed::{Adjacency, MapAction, Target, VrfSpec};
use pxtr_dataplane::fib::RouteRef;
use pxtr_dataplane::mapcache::Rloc;
use pxtr_dataplane::replica::{Replica, ReplicaLimits};
use pxtr_dataplane::types::{AdjacencyId, InstanceId, MacAddr, PortId, RlocId, VrfId};
use std::net::IpAddr;

const NATIVE: u32 = 10;
const CORE: u32 = 11;
const MGMT: u32 = 12;
const RED: u32 = 13;
const GW: &str = "198.51.100.1";
const GW6: &str = "2001:db8:c0:1::1";
const MAC_A: MacAddr = MacAddr([2, 0, 0, 0, 0, 0xa]);
const MAC_B: MacAddr = MacAddr([2, 0, 0, 0, 0, 0xb]);

fn ip(s: &str) -> IpAddr {
    s.parse().unwrap()
}

fn net(s: &str) -> IpNet {
    s.parse().unwrap()
}

fn vrf(id: u16, iid: u32, table: u32) -> VrfFeed {
    let spec = VrfSpec {
        instance_id: InstanceId(iid),
        pitr: true,
        petr: true,
        xtr: false,
        decap_copy_dscp: false,
        rtr: false,
    };
    VrfFeed { id: VrfId(id), iid: Iid(iid), spec, table, eid_space: vec![], local_eids: vec![] }
}

fn port(id: u16, name: &str, vrf: u16, underlay: bool) -> PortFeed {
    PortFeed {
        id: PortId(id),
        host_interface: name.into(),
        vrf: VrfId(vrf),
        underlay,
        native: !underlay,
        mac: MacAddr([2, 0, 0, 0, 1, id as u8]),
        mtu: 1500,
    }
}

/// A kernel, a feeder and a replica.
struct Bed {
    view: KernelView,
    feeder: Feeder,
    replica: Replica,
    now: Time,
    applied: u64,
    events: Vec<Event>,
    asks: Vec<IpAddr>,
    deltas: usize,
}

impl Bed {
    fn with(capacity: Capacity) -> Self {
        let mut default = vrf(0, 0, TABLE_MAIN);
        default.eid_space = vec![net("10.0.0.0/8")];
        default.local_eids = vec![net("10.4.0.0/24")];
        let spec = FeederSpec {
            ports: vec![port(0, "native", 0, false), port(1, "core", 0, true), port(2, "red", 1, false)],
            vrfs: vec![default, vrf(1, 7, 77)],
            rlocs: vec![ip("198.51.100.2"), ip("2001:db8:c0:1::2")],
            capacity,
        };
        let interest = Interest {
            interfaces: ["native", "core", "red"].map(str::to_owned).into(),
            tables: [TABLE_MAIN, 77].into(),
            max_routes: 1000,
            max_neighbours: 1000,
        };
        let mut bed = Self {
            view: KernelView::new(interest),
            feeder: Feeder::new(spec),
            replica: Replica::new(ReplicaLimits::default()),
            now: Time(1000),
            applied: 0,
            events: vec![],
            asks: vec![],
            deltas: 0,
        };
        bed.pump();
        bed
    }

    /// Ports up, addresses on them, a default route into the core.
    fn new() -> Self {
        let mut bed = Self::with(Capacity::default());
        for (index, name) in [(NATIVE, "native"), (CORE, "core"), (MGMT, "eth0"), (RED, "red")] {
            bed.link(index, name, 1500);
        }
        bed.address(NATIVE, "203.0.113.1");
        bed.address(CORE, "198.51.100.2");
        bed.connected(TABLE_MAIN, "203.0.113.0/24", NATIVE);
        bed.connected(TABLE_MAIN, "198.51.100.0/30", CORE);
        bed.connected(TABLE_MAIN, "2001:db8:c0:1::/64", CORE);
        bed.via("0.0.0.0/0", &[(CORE, GW)]);
        bed.via("::/0", &[(CORE, GW6)]);
        bed
    }

    fn kernel(&mut self, update: Update) {
        let changed: Vec<_> = self.view.apply(update).into_iter().collect();
        self.feeder.on_kernel(self.now, &self.view, &changed);
        self.pump();
    }

    /// Carries the feeder's output to where it belongs. The replica must take every delta.
    fn pump(&mut self) {
        self.deltas = self.feeder.out.deltas.len();
        for (sequence, delta) in self.feeder.out.deltas.drain(..) {
            let text = format!("{delta:?}");
            let applied = self.replica.apply(delta);
            assert_eq!(applied.outcome, Ok(()), "{text}");
            self.applied = sequence;
        }
        self.events.append(&mut self.feeder.out.events);
        self.asks.extend(self.feeder.out.asks.drain(..).map(|ask| ask.addr));
        self.feeder.acknowledge(self.applied);
    }

    fn link(&mut self, index: u32, name: &str, mtu: u32) {
        let mac = Some(MacAddr([2, 0, 0, 0, 2, index as u8]));
        let link = Link { index, name: name.into(), mac, mtu, up: true, running: true };
        self.kernel(Update::LinkSet(link));
    }

    fn address(&mut self, link: u32, addr: &str) {
        let addr = ip(addr);
        self.kernel(Update::AddressSet(Address {
            link,
            addr,
            prefix_len: 24,
            global: true,
            preferred: true,
        }));
        let key = RouteKey { table: TABLE_LOCAL, prefix: IpNet::from(addr), metric: 0, device: 0 };
        let route = KernelRoute { key, kind: RouteKind::Local(link), connected: true, mtu: None };
        self.kernel(Update::RouteSet { route, replace: false });
    }

    fn route(&mut self, table: u32, prefix: &str, kind: RouteKind, connected: bool) -> KernelRoute {
        let key = RouteKey { table, prefix: net(prefix), metric: 0, device: 0 };
        let route = KernelRoute { key, kind, connected, mtu: None };
        self.kernel(Update::RouteSet { route: route.clone(), replace: false });
        route
    }

    fn connected(&mut self, table: u32, prefix: &str, link: u32) {
        let kind = RouteKind::Unicast(vec![NextHop { link, gateway: None, weight: 1 }]);
        self.route(table, prefix, kind, true);
    }

    fn via(&mut self, prefix: &str, hops: &[(u32, &str)]) -> KernelRoute {
        let hops = hops.iter().map(|(link, g)| NextHop { link: *link, gateway: Some(ip(g)), weight: 1 });
        self.route(TABLE_MAIN, prefix, RouteKind::Unicast(hops.collect()), false)
    }

    fn neighbour(&mut self, link: u32, addr: &str, state: NeighbourState) {
        self.kernel(Update::NeighbourSet(Neighbour { link, addr: ip(addr), state }));
    }

    fn known(&mut self, link: u32, addr: &str, mac: MacAddr) {
        self.neighbour(link, addr, NeighbourState::Valid(mac));
    }

    fn action(&mut self, action: Action) -> Result<(), Refused> {
        let result = self.feeder.on_action(self.now, &self.view, &action);
        self.pump();
        result
    }

    fn install(&mut self, iid: u32, prefix: &str, rlocs: &[(&str, u8, u8)]) -> Result<(), Refused> {
        let locator =
            |&(rloc, priority, weight): &(&str, u8, u8)| Locator { rloc: ip(rloc), priority, weight };
        let forwarding = Forwarding::Encapsulate(rlocs.iter().map(locator).collect());
        self.action(Action::Install { eid: eid(iid, prefix), forwarding })
    }

    fn tick(&mut self, ms: u64) {
        self.now = self.now.plus_ms(ms);
        self.feeder.on_tick(self.now, &self.view);
        self.pump();
    }

    fn miss(&mut self, port: u16, addr: &str) {
        self.feeder.on_neighbour_miss(self.now, &self.view, PortId(port), ip(addr));
        self.pump();
    }

    /// What a worker does with a native packet.
    fn native(&self, vrf: u16, addr: &str) -> String {
        let Some(hit) = self.replica.fib_lookup(VrfId(vrf), ip(addr)) else { return "none".into() };
        match hit.route {
            RouteRef::Local => "local".into(),
            RouteRef::Glean(port) => format!("glean {}", port.0),
            RouteRef::Reject(why) => format!("{why:?}"),
            RouteRef::Via(id) => self.adjacency(id),
            RouteRef::Multipath(ids) => {
                ids.iter().map(|id| self.adjacency(*id)).collect::<Vec<_>>().join(" | ")
            }
        }
    }

    fn adjacency(&self, id: AdjacencyId) -> String {
        match self.replica.adjacency(id) {
            Adjacency::Ready { port, mac, .. } => format!("port {} mac {mac}", port.0),
            Adjacency::Resolving { port, neighbour } => format!("port {} resolving {neighbour}", port.0),
            Adjacency::Failed => "failed".into(),
        }
    }

    /// What a worker does with a packet to an EID: the RLOC slots it may take.
    fn encap(&self, vrf: u16, eid: &str) -> Vec<String> {
        let Some(entry) = self.replica.map_lookup(VrfId(vrf), ip(eid)) else { return vec!["miss".into()] };
        let rlocs: std::collections::BTreeSet<RlocId> = match self.replica.entry(entry) {
            MapAction::Encapsulate(Target::Rloc(id)) => [id].into(),
            MapAction::Encapsulate(Target::Set(id)) => {
                (0..=255u32).filter_map(|n| self.replica.set_pick(id, n << 24)).collect()
            }
            other => return vec![format!("{other:?}")],
        };
        let describe = |id: &RlocId| match self.replica.rloc(*id) {
            Rloc::Ready(_) => format!("ready {}", self.feeder.rlocs.of_slot(*id).unwrap()),
            Rloc::Resolving => "resolving".into(),
            Rloc::Down => "down".into(),
        };
        let mut out: Vec<_> = rlocs.iter().map(describe).collect();
        out.sort();
        out
    }

    fn rloc(&self, addr: &str) -> RlocView {
        self.feeder.rlocs().find(|r| r.addr == ip(addr)).expect("the RLOC is in use")
    }

    fn reachability(&mut self) -> Vec<(IpAddr, bool)> {
        let one = |e: Event| match e {
            Event::UnderlayChanged { rloc, reachable } => (rloc, reachable),
            other => panic!("{other:?}"),
        };
        self.events.drain(..).map(one).collect()
    }
}

fn eid(iid: u32, prefix: &str) -> EidPrefix {
    EidPrefix { iid: Iid(iid), prefix: net(prefix) }
}

#[test]
fn native_routes_of_every_kind() {
    let mut bed = Bed::new();
    bed.known(CORE, GW, MAC_A);
    bed.via("192.0.2.0/24", &[(CORE, GW), (NATIVE, "203.0.113.9")]);
    bed.via("192.0.3.0/24", &[(MGMT, "10.255.0.1")]);
    bed.route(TABLE_MAIN, "192.0.4.0/24", RouteKind::Blackhole, false);
    bed.route(TABLE_MAIN, "192.0.5.0/24", RouteKind::Unreachable, false);
    bed.route(TABLE_MAIN, "192.0.6.0/24", RouteKind::Prohibit, false);
    bed.route(TABLE_LOCAL, "203.0.113.255/32", RouteKind::Broadcast(NATIVE), true);
    bed.address(12, "10.255.0.2");
    for (addr, expected) in [
        ("8.8.8.8", "port 1 mac 02:00:00:00:00:0a"),
        ("2600::1", "port 1 resolving 2001:db8:c0:1::1"),
        ("203.0.113.1", "local"),
        ("10.255.0.2", "local"),
        ("203.0.113.255", "Blackhole"),
        ("203.0.113.7", "glean 0"),
        ("192.0.2.1", "port 1 mac 02:00:00:00:00:0a | port 0 resolving 203.0.113.9"),
        ("192.0.3.1", "NetUnreachable"),
        ("192.0.4.1", "Blackhole"),
        ("192.0.5.1", "HostUnreachable"),
        ("192.0.6.1", "Prohibited"),
    ] {
        assert_eq!(bed.native(0, addr), expected, "{addr}");
    }
    assert_eq!(bed.native(1, "8.8.8.8"), "none", "another VRF has its own routes");
}

#[test]
fn a_vrf_has_its_table_and_its_own_connected_routes() {
    let mut bed = Bed::new();
    bed.address(RED, "203.0.113.1"); // the same address again: VRFs may overlap
    bed.connected(TABLE_MAIN, "172.16.0.0/24", RED);
    let hop = NextHop { link: RED, gateway: Some(ip("172.16.0.1")), weight: 1 };
    bed.route(77, "0.0.0.0/0", RouteKind::Unicast(vec![hop]), false);
    assert_eq!(bed.native(1, "8.8.8.8"), "port 2 resolving 172.16.0.1");
    assert_eq!(bed.native(1, "172.16.0.9"), "glean 2");
    assert_eq!(bed.native(1, "203.0.113.1"), "local");
    assert_eq!(bed.native(0, "172.16.0.9"), "port 1 resolving 198.51.100.1", "not a leak into VRF 0");
    bed.known(RED, "172.16.0.9", MAC_B);
    assert_eq!(bed.native(1, "172.16.0.9"), "port 2 mac 02:00:00:00:00:0b");
}

#[test]
fn neighbours_become_host_routes_but_never_hide_real_ones() {
    let mut bed = Bed::new();
    bed.known(NATIVE, "203.0.113.7", MAC_A);
    assert_eq!(bed.native(0, "203.0.113.7"), "port 0 mac 02:00:00:00:00:0a");
    bed.known(NATIVE, "203.0.113.7", MAC_B);
    assert_eq!(bed.deltas, 1, "a change of MAC is one slot");
    assert_eq!(bed.native(0, "203.0.113.7"), "port 0 mac 02:00:00:00:00:0b");
    // A real /32 wins, and gives the place back.
    let real = bed.via("203.0.113.7/32", &[(CORE, GW)]);
    assert_eq!(bed.native(0, "203.0.113.7"), "port 1 resolving 198.51.100.1");
    bed.kernel(Update::RouteDel(real));
    assert_eq!(bed.native(0, "203.0.113.7"), "port 0 mac 02:00:00:00:00:0b");
    // A more specific route through a gateway takes the neighbour off the link.
    let half = bed.via("203.0.113.0/25", &[(CORE, GW)]);
    assert_eq!(bed.native(0, "203.0.113.7"), "port 1 resolving 198.51.100.1");
    bed.kernel(Update::RouteDel(half));
    assert_eq!(bed.native(0, "203.0.113.7"), "port 0 mac 02:00:00:00:00:0b");
    bed.kernel(Update::NeighbourDel { link: NATIVE, addr: ip("203.0.113.7") });
    assert_eq!(bed.native(0, "203.0.113.7"), "glean 0");
    // Off-link and link-local neighbours are nobody's host routes.
    bed.known(NATIVE, "192.0.2.99", MAC_A);
    bed.known(NATIVE, "fe80::99", MAC_A);
    assert_eq!(bed.native(0, "192.0.2.99"), "port 1 resolving 198.51.100.1");
    assert!(bed.native(0, "fe80::99").starts_with("port 1"), "the default route");
}

#[test]
fn a_neighbour_that_stays_silent_rejects_for_a_while() {
    let mut bed = Bed::new();
    bed.asks.clear();
    bed.miss(0, "203.0.113.50");
    bed.miss(0, "203.0.113.50");
    assert_eq!(bed.asks, [ip("203.0.113.50")], "asked once");
    bed.neighbour(NATIVE, "203.0.113.50", NeighbourState::Incomplete);
    assert_eq!(bed.native(0, "203.0.113.50"), "glean 0");
    bed.neighbour(NATIVE, "203.0.113.50", NeighbourState::Failed);
    assert_eq!(bed.native(0, "203.0.113.50"), "HostUnreachable");
    bed.tick(2_999);
    assert_eq!(bed.native(0, "203.0.113.50"), "HostUnreachable");
    bed.tick(1);
    assert_eq!(bed.native(0, "203.0.113.50"), "glean 0");
    // A failure that no packet waited for changes nothing; nor does a miss that is not on the link.
    bed.neighbour(NATIVE, "203.0.113.51", NeighbourState::Failed);
    assert_eq!(bed.native(0, "203.0.113.51"), "glean 0");
    bed.asks.clear();
    bed.miss(0, "192.0.2.1");
    bed.miss(0, "fe80::5");
    assert!(bed.asks.is_empty());
    // It comes alive while it rejects.
    bed.miss(0, "203.0.113.50");
    bed.neighbour(NATIVE, "203.0.113.50", NeighbourState::Incomplete);
    bed.neighbour(NATIVE, "203.0.113.50", NeighbourState::Failed);
    bed.known(NATIVE, "203.0.113.50", MAC_A);
    assert_eq!(bed.native(0, "203.0.113.50"), "port 0 mac 02:00:00:00:00:0a");
    bed.tick(10_000);
    assert_eq!(bed.native(0, "203.0.113.50"), "port 0 mac 02:00:00:00:00:0a");
}

#[test]
fn open_questions_are_bounded() {
    let mut bed = Bed::with(Capacity { neighbour_misses: 2, ..Capacity::default() });
    bed.link(NATIVE, "native", 1500);
    bed.connected(TABLE_MAIN, "203.0.113.0/24", NATIVE);
    (1..=5).for_each(|n| bed.miss(0, &format!("203.0.113.{n}")));
    assert_eq!(bed.asks.len(), 2);
    assert_eq!(bed.feeder.stats().neighbour_misses_refused, 3);
    bed.tick(5_000);
    bed.miss(0, "203.0.113.9");
    assert_eq!(bed.asks.len(), 3, "old questions are forgotten");
}

#[test]
fn an_rloc_follows_route_and_neighbour() {
    let mut bed = Bed::new();
    bed.install(0, "10.6.0.0/24", &[("192.0.2.6", 1, 100)]).unwrap();
    assert_eq!(bed.encap(0, "10.6.0.1"), ["resolving"]);
    assert_eq!(bed.reachability(), [(ip("192.0.2.6"), true)]);
    bed.known(CORE, GW, MAC_A);
    assert_eq!(bed.encap(0, "10.6.0.1"), ["ready 192.0.2.6"]);
    let path = bed.rloc("192.0.2.6").path.unwrap();
    assert_eq!(
        (path.source, path.port, path.next_hop_mac, path.mtu),
        (ip("198.51.100.2"), PortId(1), MAC_A, 1500)
    );
    // Another MAC: one slot for the RLOC, one for the adjacency.
    bed.known(CORE, GW, MAC_B);
    assert_eq!(bed.deltas, 2);
    assert_eq!(bed.rloc("192.0.2.6").path.unwrap().next_hop_mac, MAC_B);
    // no gateway, no route: down at once, and the engine hears of it.
    bed.neighbour(CORE, GW, NeighbourState::Failed);
    assert_eq!(bed.encap(0, "10.6.0.1"), ["down"]);
    assert_eq!(bed.rloc("192.0.2.6").down, Some(DownReason::NextHop));
    bed.known(CORE, GW, MAC_B);
    let default = bed.via("0.0.0.0/0", &[(CORE, GW)]);
    bed.kernel(Update::RouteDel(default));
    assert_eq!(bed.rloc("192.0.2.6").down, Some(DownReason::NoRoute));
    bed.via("192.0.2.0/24", &[(CORE, GW)]);
    assert_eq!(bed.encap(0, "10.6.0.1"), ["ready 192.0.2.6"]);
    let rloc = ip("192.0.2.6");
    assert_eq!(bed.reachability(), [(rloc, false), (rloc, true), (rloc, false), (rloc, true)]);
    // MTU of the port, and of the route.
    bed.link(CORE, "core", 1400);
    assert_eq!(bed.rloc("192.0.2.6").path.unwrap().mtu, 1400);
}

#[test]
fn rlocs_that_must_not_be_used() {
    let mut bed = Bed::new();
    bed.known(CORE, GW, MAC_A);
    bed.known(CORE, GW6, MAC_A);
    bed.via("192.0.9.0/24", &[(NATIVE, "203.0.113.9")]);
    for (rloc, why) in [
        ("10.9.9.9", Some(DownReason::EidSpace)),
        ("10.4.0.9", Some(DownReason::EidSpace)),
        ("198.51.100.2", Some(DownReason::Own)),
        ("203.0.113.1", Some(DownReason::Own)),
        ("127.0.0.1", Some(DownReason::Invalid)),
        ("224.0.0.5", Some(DownReason::Invalid)),
        ("fe80::1", Some(DownReason::Invalid)),
        ("::ffff:192.0.2.1", Some(DownReason::Invalid)),
        ("192.0.9.1", Some(DownReason::NotUnderlay)),
        ("192.0.2.1", None),
        ("2001:db8:ffff::1", None),
    ] {
        bed.install(0, "10.6.0.0/24", &[(rloc, 1, 1)]).unwrap();
        assert_eq!(bed.rloc(rloc).down, why, "{rloc}");
        assert_eq!(bed.feeder.rlocs().count(), 1, "the one before was let go");
    }
}

#[test]
fn a_locator_set_fails_over_by_one_delta() {
    let mut bed = Bed::new();
    bed.known(CORE, GW, MAC_A);
    let set = [("192.0.2.1", 1, 50), ("192.0.2.2", 1, 50), ("192.0.2.3", 2, 100)];
    bed.install(0, "10.6.0.0/24", &set).unwrap();
    bed.install(0, "10.7.0.0/24", &set).unwrap();
    assert_eq!(bed.feeder.stats().locator_sets, 1, "equal sets share a slot");
    assert_eq!(bed.encap(0, "10.6.0.1"), ["ready 192.0.2.1", "ready 192.0.2.2"]);
    bed.action(Action::LocatorState { rloc: ip("192.0.2.1"), up: false }).unwrap();
    assert_eq!(bed.deltas, 2, "the RLOC and the set, not the entries");
    assert_eq!(bed.encap(0, "10.7.0.1"), ["ready 192.0.2.2"]);
    assert_eq!(bed.rloc("192.0.2.1").down, Some(DownReason::Engine));
    bed.action(Action::LocatorState { rloc: ip("192.0.2.2"), up: false }).unwrap();
    assert_eq!(bed.encap(0, "10.6.0.1"), ["ready 192.0.2.3"], "R-080: next priority");
    bed.action(Action::LocatorState { rloc: ip("192.0.2.3"), up: false }).unwrap();
    assert_eq!(bed.encap(0, "10.6.0.1"), ["down"], "R-012");
    for n in 1..=3 {
        bed.action(Action::LocatorState { rloc: ip(&format!("192.0.2.{n}")), up: true }).unwrap();
    }
    assert_eq!(bed.encap(0, "10.6.0.1"), ["ready 192.0.2.1", "ready 192.0.2.2"]);
    // The underlay fails one over without the engine.
    bed.route(TABLE_MAIN, "192.0.2.2/32", RouteKind::Unreachable, false);
    assert_eq!(bed.encap(0, "10.6.0.1"), ["ready 192.0.2.1"]);
}

#[test]
fn entries_of_every_action_and_their_end() {
    let mut bed = Bed::new();
    let cases = [
        (Forwarding::Encapsulate(vec![]), "NoLocator { unreachable: true }"),
        (Forwarding::NoAction, "NoLocator { unreachable: false }"),
        (Forwarding::NativelyForward, "NativelyForward"),
        (Forwarding::SendMapRequest, "SendMapRequest"),
        (Forwarding::DropNoReason, "DropNoReason"),
        (Forwarding::DropPolicyDenied, "DropPolicyDenied"),
        (Forwarding::DropAuthFailure, "DropAuthFailure"),
    ];
    for (forwarding, expected) in cases {
        bed.action(Action::Install { eid: eid(0, "10.6.0.0/24"), forwarding }).unwrap();
        assert_eq!(bed.encap(0, "10.6.0.1"), [expected]);
    }
    assert_eq!(bed.encap(0, "10.4.0.1"), ["LocalSite"]);
    assert!(bed.replica.is_local_eid(VrfId(0), ip("10.4.0.1")));
    // Our own site is ours, whatever the network says.
    bed.install(0, "10.4.0.0/24", &[("192.0.2.1", 1, 1)]).unwrap();
    bed.action(Action::Withdraw(eid(0, "10.4.0.0/24"))).unwrap();
    assert_eq!(bed.encap(0, "10.4.0.1"), ["LocalSite"]);
    bed.action(Action::Withdraw(eid(0, "10.6.0.0/24"))).unwrap();
    bed.action(Action::Withdraw(eid(0, "10.6.0.0/24"))).unwrap();
    assert_eq!(bed.encap(0, "10.6.0.1"), ["miss"]);
    assert_eq!(bed.install(99, "10.6.0.0/24", &[]), Err(Refused::Instance(99)));
    bed.install(7, "10.6.0.0/24", &[]).unwrap();
    assert_eq!(bed.encap(1, "10.6.0.1"), ["NoLocator { unreachable: true }"]);
}

#[test]
fn slots_run_out_with_a_word_and_come_back() {
    let mut bed = Bed::with(Capacity { entries: 3, rlocs: 2, locator_sets: 1, ..Capacity::default() });
    bed.install(0, "10.6.0.0/24", &[("192.0.2.1", 1, 1)]).unwrap(); // one slot is the local site's
    bed.install(0, "10.7.0.0/24", &[("192.0.2.2", 1, 1)]).unwrap();
    assert_eq!(bed.install(0, "10.8.0.0/24", &[]), Err(Refused::Entries));
    assert_eq!(bed.install(0, "10.7.0.0/24", &[("192.0.2.3", 1, 1)]), Err(Refused::Locators));
    let two = [("192.0.2.1", 1, 1), ("192.0.2.9", 1, 1)];
    assert_eq!(bed.install(0, "10.7.0.0/24", &two), Err(Refused::Locators));
    assert_eq!(bed.feeder.stats().rlocs, 2, "a half-made set holds nothing");
    bed.action(Action::Withdraw(eid(0, "10.6.0.0/24"))).unwrap();
    bed.install(0, "10.8.0.0/24", &[("192.0.2.3", 1, 1)]).unwrap();
    assert_eq!(bed.feeder.stats().refused, [1, 2, 1, 0]);
    assert_eq!(bed.encap(0, "10.8.0.1"), ["down"]);
}

#[test]
fn a_restarted_engine_finds_its_entries_forwarding() {
    let mut bed = Bed::new();
    bed.known(CORE, GW, MAC_A);
    bed.install(0, "10.6.0.0/24", &[("192.0.2.1", 1, 1)]).unwrap();
    bed.install(0, "10.7.0.0/24", &[("192.0.2.2", 1, 1)]).unwrap();
    bed.action(Action::LocatorState { rloc: ip("192.0.2.1"), up: false }).unwrap();
    bed.feeder.on_engine_restart(bed.now, &bed.view);
    bed.pump();
    assert_eq!(bed.encap(0, "10.6.0.1"), ["ready 192.0.2.1"]);
    bed.install(0, "10.6.0.0/24", &[("192.0.2.1", 1, 1)]).unwrap();
    let next = bed.feeder.withdraw_stale(bed.now, &bed.view, 0, 1000);
    bed.pump();
    assert_eq!(next, None);
    assert_eq!(bed.encap(0, "10.6.0.1"), ["ready 192.0.2.1"]);
    assert_eq!(bed.encap(0, "10.7.0.1"), ["miss"]);
    assert_eq!(bed.encap(0, "10.4.0.1"), ["LocalSite"]);
}

#[test]
fn gateways_in_use_are_asked_for_and_kept_fresh() {
    let mut bed = Bed::new();
    bed.tick(0);
    assert_eq!(bed.asks, [ip(GW), ip(GW6)], "resolved before the first packet");
    bed.known(CORE, GW, MAC_A);
    bed.known(CORE, GW6, MAC_A);
    bed.asks.clear();
    bed.tick(60_000);
    assert!(bed.asks.is_empty(), "nothing to ask while the kernel is sure");
    bed.neighbour(CORE, GW, NeighbourState::Stale(MAC_A));
    bed.tick(0);
    bed.tick(14_000);
    assert_eq!(bed.asks, [ip(GW)]);
    bed.tick(1_000);
    assert_eq!(bed.asks.len(), 2);
    // A gateway that failed is tried again, and stays failed meanwhile.
    bed.neighbour(CORE, GW6, NeighbourState::Failed);
    bed.neighbour(CORE, GW6, NeighbourState::Incomplete);
    assert_eq!(bed.native(0, "2600::1"), "failed");
    bed.asks.clear();
    bed.tick(3_000);
    assert_eq!(bed.asks, [ip(GW6)]);
}

#[test]
fn an_interface_that_comes_late_or_anew_is_taken_up() {
    let mut bed = Bed::with(Capacity::default());
    bed.link(NATIVE, "native", 1500);
    bed.connected(TABLE_MAIN, "198.51.100.0/30", CORE);
    bed.via("0.0.0.0/0", &[(CORE, GW)]);
    assert_eq!(bed.native(0, "8.8.8.8"), "NetUnreachable");
    bed.link(CORE, "core", 1500);
    assert_eq!(bed.native(0, "8.8.8.8"), "port 1 resolving 198.51.100.1");
    assert_eq!(bed.replica.port(PortId(1)).unwrap().mac, MacAddr([2, 0, 0, 0, 2, CORE as u8]));
    bed.kernel(Update::LinkDel(CORE));
    assert_eq!(bed.native(0, "8.8.8.8"), "NetUnreachable");
    assert_eq!(bed.feeder.stats().adjacencies, 0, "nothing leaks");
}

#[test]
fn ports_follow_their_interface() {
    let mut bed = Bed::new();
    let port = bed.replica.port(PortId(0)).unwrap();
    assert_eq!((port.mtu, port.ipv4, port.ipv6), (1500, Some("203.0.113.1".parse().unwrap()), None));
    bed.address(NATIVE, "2001:db8::1");
    bed.link(NATIVE, "native", 9000);
    let port = bed.replica.port(PortId(0)).unwrap();
    assert_eq!(
        (port.mtu, port.ipv6),
        (1500, Some("2001:db8::1".parse().unwrap())),
        "never above the configured MTU"
    );
    assert!(bed.replica.is_local_rloc(ip("198.51.100.2")));
}
