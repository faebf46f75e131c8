//! Kernel changes and engine actions in, a real replica out: what a worker would find.

pub(super) use crate::engine::event::{Action, EidPrefix, Event, Forwarding, Iid, Locator, Time};
pub(super) use crate::feeder::*;
pub(super) use crate::netlink::{
    Address, Interest, KernelView, Link, Neighbour, NeighbourState, NextHop, Route as KernelRoute, RouteKey,
    RouteKind, TABLE_LOCAL, TABLE_MAIN, Update,
};
pub(super) use ipnet::IpNet;
pub(super) use pxtr_dataplane::echo::{EchoMark, EchoNonce};
pub(super) use pxtr_dataplane::feed::{Adjacency, MapAction, PortPolicy, Target, VrfSpec};
pub(super) use pxtr_dataplane::fib::RouteRef;
pub(super) use pxtr_dataplane::mapcache::Rloc;
pub(super) use pxtr_dataplane::replica::{Replica, ReplicaLimits};
pub(super) use pxtr_dataplane::trust::{MapVersion, Marks, Trust};
pub(super) use pxtr_dataplane::types::{AdjacencyId, InstanceId, MacAddr, PortId, RlocId, VrfId};
pub(super) use std::collections::BTreeMap;
pub(super) use std::net::IpAddr;

pub(super) const NATIVE: u32 = 10;
pub(super) const CORE: u32 = 11;
pub(super) const MGMT: u32 = 12;
pub(super) const RED: u32 = 13;
pub(super) const GW: &str = "198.51.100.1";
pub(super) const GW6: &str = "2001:db8:c0:1::1";
pub(super) const MAC_A: MacAddr = MacAddr([2, 0, 0, 0, 0, 0xa]);
pub(super) const MAC_B: MacAddr = MacAddr([2, 0, 0, 0, 0, 0xb]);

pub(super) fn ip(s: &str) -> IpAddr {
    s.parse().unwrap()
}

pub(super) fn net(s: &str) -> IpNet {
    s.parse().unwrap()
}

pub(super) fn vrf(id: u16, iid: u32, table: u64) -> VrfFeed {
    let spec = VrfSpec { instance_id: InstanceId(iid), pitr: true, petr: true, ..VrfSpec::default() };
    VrfFeed { id: VrfId(id), iid: Iid(iid), spec, table, eid_space: vec![], local_eids: vec![] }
}

pub(super) fn port(id: u16, name: &str, vrf: u16, underlay: bool) -> PortFeed {
    PortFeed {
        id: PortId(id),
        host_interface: name.into(),
        space: 0,
        vrf: VrfId(vrf),
        underlay,
        native: !underlay,
        mac: MacAddr([2, 0, 0, 0, 1, id as u8]),
        mtu: 1500,
        policy: PortPolicy { learn_path_mtu: underlay, ..PortPolicy::default() },
        sources: None,
        instances: None,
    }
}

/// A kernel, a feeder and a replica.
pub(super) struct Bed {
    pub(super) view: KernelView,
    pub(super) feeder: Feeder,
    pub(super) replica: Replica,
    pub(super) now: Time,
    pub(super) applied: u64,
    pub(super) events: Vec<Event>,
    pub(super) asks: Vec<IpAddr>,
    pub(super) deltas: usize,
}

impl Bed {
    pub(super) fn with(capacity: Capacity) -> Self {
        let mut default = vrf(0, 0, TABLE_MAIN);
        default.eid_space = vec![net("10.0.0.0/8")];
        default.local_eids = vec![net("10.4.0.0/24")];
        let spec = FeederSpec {
            ports: vec![port(0, "native", 0, false), port(1, "core", 0, true), port(2, "red", 1, false)],
            vrfs: vec![default, vrf(1, 7, 77)],
            rlocs: vec![ip("198.51.100.2"), ip("2001:db8:c0:1::2")],
            anycast_rlocs: vec![],
            paths: vec![],
            encryption: vec![],
            admission: AdmissionSpec::default(),
            policers: vec![],
            trust: Trust::default(),
            site_locators: vec![],
            nonces: BTreeMap::new(),
            capacity,
        };
        let interest = Interest {
            interfaces: ["native", "core", "red"].map(|name| (0, name.to_owned())).into(),
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
    pub(super) fn new() -> Self {
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

    pub(super) fn kernel(&mut self, update: Update) {
        let changed: Vec<_> = self.view.apply(update).into_iter().collect();
        self.feeder.on_kernel(self.now, &self.view, &changed);
        self.pump();
    }

    /// Carries the feeder's output to where it belongs. The replica must take every delta.
    pub(super) fn pump(&mut self) {
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

    pub(super) fn link(&mut self, index: u32, name: &str, mtu: u32) {
        let mac = Some(MacAddr([2, 0, 0, 0, 2, index as u8]));
        let link = Link { index, name: name.into(), mac, mtu, up: true, running: true };
        self.kernel(Update::LinkSet(link));
    }

    pub(super) fn address(&mut self, link: u32, addr: &str) {
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

    pub(super) fn route(
        &mut self,
        table: u64,
        prefix: &str,
        kind: RouteKind,
        connected: bool,
    ) -> KernelRoute {
        let key = RouteKey { table, prefix: net(prefix), metric: 0, device: 0 };
        let route = KernelRoute { key, kind, connected, mtu: None };
        self.kernel(Update::RouteSet { route: route.clone(), replace: false });
        route
    }

    pub(super) fn connected(&mut self, table: u64, prefix: &str, link: u32) {
        let kind = RouteKind::Unicast(vec![NextHop { link, gateway: None, weight: 1 }]);
        self.route(table, prefix, kind, true);
    }

    pub(super) fn via(&mut self, prefix: &str, hops: &[(u32, &str)]) -> KernelRoute {
        let hops = hops.iter().map(|(link, g)| NextHop { link: *link, gateway: Some(ip(g)), weight: 1 });
        self.route(TABLE_MAIN, prefix, RouteKind::Unicast(hops.collect()), false)
    }

    pub(super) fn neighbour(&mut self, link: u32, addr: &str, state: NeighbourState) {
        self.kernel(Update::NeighbourSet(Neighbour { link, addr: ip(addr), state }));
    }

    pub(super) fn known(&mut self, link: u32, addr: &str, mac: MacAddr) {
        self.neighbour(link, addr, NeighbourState::Valid(mac));
    }

    pub(super) fn action(&mut self, action: Action) -> Result<(), Refused> {
        let result = self.feeder.on_action(self.now, &self.view, &action);
        self.pump();
        result
    }

    pub(super) fn install(
        &mut self,
        iid: u32,
        prefix: &str,
        rlocs: &[(&str, u8, u8)],
    ) -> Result<(), Refused> {
        let locator = |&(rloc, priority, weight): &(&str, u8, u8)| Locator::new(ip(rloc), priority, weight);
        let forwarding = Forwarding::Encapsulate(rlocs.iter().map(locator).collect());
        self.action(Action::Install { eid: eid(iid, prefix), forwarding })
    }

    pub(super) fn reconfigure(&mut self, spec: FeederSpec) {
        self.feeder.reconfigure(self.now, &self.view, spec);
        self.pump();
    }

    pub(super) fn tick(&mut self, ms: u64) {
        self.now = self.now.plus_ms(ms);
        self.feeder.on_tick(self.now, &self.view);
        self.pump();
    }

    pub(super) fn miss(&mut self, port: u16, addr: &str) {
        self.feeder.on_neighbour_miss(self.now, &self.view, PortId(port), ip(addr));
        self.pump();
    }

    /// What a worker does with a native packet.
    pub(super) fn native(&self, vrf: u16, addr: &str) -> String {
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

    pub(super) fn adjacency(&self, id: AdjacencyId) -> String {
        match self.replica.adjacency(id) {
            Adjacency::Ready { port, mac, .. } => format!("port {} mac {mac}", port.0),
            Adjacency::Resolving { port, neighbour } => format!("port {} resolving {neighbour}", port.0),
            Adjacency::Failed => "failed".into(),
        }
    }

    /// What a worker does with a packet to an EID: the RLOC slots it may take.
    pub(super) fn encap(&self, vrf: u16, eid: &str) -> Vec<String> {
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

    /// The RLOC slot of a flow.
    pub(super) fn flow(&self, vrf: u16, eid: &str, hash: u32) -> RlocId {
        let entry = self.replica.map_lookup(VrfId(vrf), ip(eid)).unwrap();
        match self.replica.entry(entry) {
            MapAction::Encapsulate(Target::Rloc(id)) => id,
            MapAction::Encapsulate(Target::Set(id)) => self.replica.set_pick(id, hash).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn rloc(&self, addr: &str) -> RlocView {
        self.feeder.rlocs().find(|r| r.addr == ip(addr)).expect("the RLOC is in use")
    }

    pub(super) fn reachability(&mut self) -> Vec<(IpAddr, bool)> {
        let one = |e: Event| match e {
            Event::UnderlayChanged { rloc, reachable } => (rloc, reachable),
            other => panic!("{other:?}"),
        };
        self.events.drain(..).map(one).collect()
    }
}

pub(super) fn eid(iid: u32, prefix: &str) -> EidPrefix {
    EidPrefix { iid: Iid(iid), prefix: net(prefix) }
}
