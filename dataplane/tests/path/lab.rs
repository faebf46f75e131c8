//! One worker between a native network, a tenant's network and an underlay.
//!
//! ```text
//!            VRF 0 (no Instance-ID)                      underlay
//! HOST 192.0.2.9, 2001:db8:1::9 --- port 0 [ PxTR ] port 1 --- CORE --- RLOC 203.0.113.4
//! ROUTER (default route)            port 2                          `-- RLOC 2001:db8:f::6
//!            VRF 1 (Instance-ID 101): HOST 192.0.2.9
//! ```

use crate::packets::{Packet, Seen, dissect};
use pxtr_dataplane::admission::Nonce;
use pxtr_dataplane::buffer::PacketBuf;
use pxtr_dataplane::clock::Clock;
use pxtr_dataplane::counters::{Snapshot, WorkerStats};
use pxtr_dataplane::feed::*;
use pxtr_dataplane::hold::HoldLimits;
use pxtr_dataplane::io::mem::{MemBurst, MemIo};
use pxtr_dataplane::path::flow::FlowKey;
use pxtr_dataplane::punt::Punt;
use pxtr_dataplane::replica::Retired;
use pxtr_dataplane::ring::{Consumer, Producer, ring};
use pxtr_dataplane::types::*;
use pxtr_dataplane::verdict::DropReason;
use pxtr_dataplane::watch::{Filter, WatchDesk, WatchHandle, watch, watch_link};
use pxtr_dataplane::worker::{Handover, Links, SubInterface, Trunks, Worker, WorkerConfig};
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

pub const NATIVE: PortId = PortId(0);
pub const CORE: PortId = PortId(1);
pub const TENANT: PortId = PortId(2);
/// Our MAC address on a port is this and the port's number.
pub const OUR_MAC: [[u8; 6]; 3] = [[2, 0, 0, 0, 0, 0x10], [2, 0, 0, 0, 0, 0x11], [2, 0, 0, 0, 0, 0x12]];
pub const HOST_MAC: [u8; 6] = [2, 0, 0, 0, 0, 0xA9];
pub const ROUTER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 0xFE];
pub const CORE_MAC: [u8; 6] = [2, 0, 0, 0, 0, 0xCC];
pub const TENANT_MAC: [u8; 6] = [2, 0, 0, 0, 0, 0xB9];
/// Ticks per second of the test clock.
pub const HZ: u64 = 1_000_000;

pub const HOST: AdjacencyId = AdjacencyId(1);
pub const ROUTER: AdjacencyId = AdjacencyId(2);
pub const TENANT_HOST: AdjacencyId = AdjacencyId(3);
pub const RLOC_V4: RlocId = RlocId(4);
pub const RLOC_V6: RlocId = RlocId(6);

/// A clock that the test turns.
#[derive(Clone, Debug, Default)]
pub struct TestClock(Rc<Cell<u64>>);

impl Clock for TestClock {
    fn now(&self) -> u64 {
        self.0.get()
    }

    fn hz(&self) -> u64 {
        HZ
    }
}

/// What the counters of all VRFs must add up to: [`Lab::by_vrf`]. Some drops are no VRF's.
fn vrf_totals(all: &Snapshot) -> [u64; 5] {
    let nobodys = all.dropped(DropReason::PortNotConfigured);
    let left = all.dropped(DropReason::HandoverFull);
    let late = all.dropped(DropReason::TxFull) + all.dropped(DropReason::TxPort) + left;
    let dropped = all.drops.iter().sum::<u64>();
    let arrived = all.arrived() - all.handed_over - left;
    [arrived - nobodys, all.encapsulated, all.decapsulated, all.forwarded, dropped - nobodys - late]
}

/// What became of one frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Sent on this port.
    Tx(PortId, Vec<u8>),
    /// Split, the pieces sent on this port.
    Split(PortId, Vec<Vec<u8>>),
    /// Handed to the kernel on the port it came in.
    Host,
    Held,
    Dropped(DropReason),
    /// Dropped, and this ICMP error sent on this port.
    Told(DropReason, PortId, Vec<u8>),
}

pub struct Lab {
    watches: WatchDesk,
    worker: Worker<MemIo, TestClock>,
    clock: TestClock,
    feed: Producer<Delta>,
    retired: Consumer<Retired>,
    punts: Consumer<Punt>,
    stats: Arc<WorkerStats>,
    next_entry: u32,
}

/// Buffers in the lab's pool.
const BUFFERS: usize = 512;

impl Lab {
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut WorkerConfig)) -> Self {
        Self::built(change, &[], None)
    }

    /// With these sub-interfaces, numbered on from the three ports, not yet set up.
    pub fn with_subinterfaces(subs: &[SubInterface]) -> Self {
        Self::built(|_| {}, subs, None)
    }

    /// Two workers with the same tables. The first one's ports have a queue, and their packets are spread over both.
    pub fn pair(change: impl Fn(&mut WorkerConfig), subs: &[SubInterface]) -> [Self; 2] {
        let mut ends = Handover::between(&[true, false], &[true; 3]).into_iter();
        [(); 2].map(|()| Self::built(&change, subs, ends.next()))
    }

    fn built(
        change: impl FnOnce(&mut WorkerConfig),
        subs: &[SubInterface],
        handover: Option<Handover<MemBurst>>,
    ) -> Self {
        let (feed, feed_end) = ring(1024);
        let (retired_end, retired) = ring(1024);
        let (punts_end, punts) = ring(1024);
        let stats = Arc::new(WorkerStats::default());
        let mut config =
            WorkerConfig::new(FlowKey::new([0x1234_5678_9abc_def1, 77, 0x0fed_cba9_8765_4321, 5]));
        config.hold = HoldLimits { packets_per_key: 4, packets: 16, timeout_ms: 3000 };
        change(&mut config);
        let links =
            Links { feed: feed_end, retired: retired_end, punts: punts_end, stats: Arc::clone(&stats) };
        let clock = TestClock::default();
        clock.0.set(HZ);
        // More than a ring between workers holds.
        let (buffers, room) = if handover.is_some() { (2048, 2000) } else { (BUFFERS, 10_000) };
        let io = MemIo::new(3, 256, buffers, room);
        let (watch_link, watches) = watch_link();
        let worker = Worker::new(io, clock.clone(), &config, links);
        let worker =
            worker.with_trunks(Trunks::new(3, subs)).with_watches(watch_link).with_handover(handover);
        let mut lab = Self { watches, worker, clock, feed, retired, punts, stats, next_entry: 0 };
        lab.furnish();
        lab
    }

    /// The tables of the picture above.
    fn furnish(&mut self) {
        let proxy =
            |iid| VrfSpec { instance_id: InstanceId(iid), pitr: true, petr: true, ..VrfSpec::default() };
        self.apply(Delta::VrfSet(VrfId(0), proxy(0)));
        self.apply(Delta::VrfSet(VrfId(1), proxy(101)));
        self.apply(port(NATIVE, VrfId(0), false, "192.0.2.1", "2001:db8:1::1"));
        self.apply(port(CORE, VrfId(0), true, "198.51.100.2", "2001:db8:c0::2"));
        self.apply(port(TENANT, VrfId(1), false, "192.0.2.1", "2001:db8:2::1"));
        let rlocs = ["198.51.100.2", "2001:db8:c0::2"].map(|text| text.parse().unwrap());
        self.apply(Delta::LocalRlocs(Box::new(rlocs)));
        self.rloc(RLOC_V4, "198.51.100.2", "203.0.113.4", 1500);
        self.rloc(RLOC_V6, "2001:db8:c0::2", "2001:db8:f::6", 1500);
        self.adjacency(HOST, NATIVE, HOST_MAC);
        self.adjacency(ROUTER, NATIVE, ROUTER_MAC);
        self.adjacency(TENANT_HOST, TENANT, TENANT_MAC);
        for local in ["192.0.2.1/32", "2001:db8:1::1/128", "198.51.100.2/32", "2001:db8:c0::2/128"] {
            self.route(0, local, Route::Local);
        }
        for host in ["192.0.2.9/32", "2001:db8:1::9/128"] {
            self.route(0, host, Route::Via(HOST));
        }
        for net in ["192.0.2.0/24", "2001:db8:1::/64"] {
            self.route(0, net, Route::Glean(NATIVE));
        }
        for default in ["0.0.0.0/0", "::/0"] {
            self.route(0, default, Route::Via(ROUTER));
        }
        self.route(1, "192.0.2.1/32", Route::Local);
        self.route(1, "192.0.2.9/32", Route::Via(TENANT_HOST));
        let to = |rloc| MapAction::Encapsulate(Target::Rloc(rloc));
        for space in ["10.0.0.0/8", "2001:db8:e000::/36"] {
            self.map(0, space, MapAction::SendMapRequest);
        }
        self.map(0, "10.4.0.0/24", to(RLOC_V4));
        self.map(0, "10.6.0.0/24", to(RLOC_V6));
        self.map(0, "2001:db8:e004::/48", to(RLOC_V4));
        self.map(0, "2001:db8:e006::/48", to(RLOC_V6));
        self.map(1, "10.4.0.0/24", to(RLOC_V6));
    }

    pub fn apply(&mut self, delta: Delta) {
        let ignored = self.stats.ignored.get();
        self.feed.push(delta).expect("room in the feed");
        self.poll();
        assert_eq!(self.stats.ignored.get(), ignored, "the delta was ignored");
    }

    pub fn rloc(&mut self, id: RlocId, source: &str, destination: &str, mtu: u16) {
        self.rloc_with(id, source, destination, mtu, RlocOptions::default());
    }

    pub fn rloc_with(&mut self, id: RlocId, source: &str, destination: &str, mtu: u16, options: RlocOptions) {
        let rewrite = RlocRewrite { options, ..rewrite(source, destination, mtu) };
        self.apply(Delta::RlocSet(id, RlocState::Ready(Box::new(rewrite))));
    }

    /// The nonce agreed upon with the RLOC of slot 4.
    pub fn nonce(&mut self, nonce: Option<Nonce>) {
        let rewrite = RlocRewrite { nonce, ..rewrite("198.51.100.2", "203.0.113.4", 1500) };
        self.apply(Delta::RlocSet(RLOC_V4, RlocState::Ready(Box::new(rewrite))));
    }

    pub fn adjacency(&mut self, id: AdjacencyId, port: PortId, mac: [u8; 6]) {
        let source_mac = MacAddr(OUR_MAC[usize::from(port.0)]);
        self.apply(Delta::AdjacencySet(
            id,
            Adjacency::Ready { port, source_mac, mac: MacAddr(mac), mtu: 1500 },
        ));
    }

    pub fn route(&mut self, vrf: u16, prefix: &str, route: Route) {
        self.apply(Delta::RouteSet { vrf: VrfId(vrf), prefix: prefix.parse().unwrap(), route });
    }

    /// The slot of the next one.
    pub fn next_entry(&self) -> EntryId {
        EntryId(self.next_entry)
    }

    /// Installs a map-cache entry in a slot of its own.
    pub fn map(&mut self, vrf: u16, prefix: &str, action: MapAction) -> EntryId {
        let entry = EntryId(self.next_entry);
        self.next_entry += 1;
        self.apply(Delta::MapSet { vrf: VrfId(vrf), prefix: prefix.parse().unwrap(), entry, action });
        entry
    }

    /// Changes what a VRF does.
    pub fn vrf(&mut self, vrf: u16, change: impl FnOnce(&mut VrfSpec)) {
        let mut spec = *self.worker.replica().vrf(VrfId(vrf)).expect("VRF");
        change(&mut spec);
        self.apply(Delta::VrfSet(VrfId(vrf), spec));
    }

    /// Changes a port.
    pub fn port(&mut self, id: PortId, change: impl FnOnce(&mut PortSpec)) {
        let mut spec = self.worker.replica().port(id).expect("port").clone();
        change(&mut spec);
        self.apply(Delta::PortSet(id, Box::new(spec)));
    }

    /// One round, and what must hold after every round.
    pub fn poll(&mut self) {
        self.worker.poll_once();
        while self.retired.pop().is_some() {}
        let now = self.stats.snapshot();
        assert_eq!(now.fates(), now.arrived(), "sum of fates = packets received and taken over");
        assert_eq!(self.by_vrf(), vrf_totals(&now), "sum over VRFs = totals");
    }

    /// What the VRFs count, summed up: received, encapsulated, decapsulated, forwarded, dropped.
    fn by_vrf(&self) -> [u64; 5] {
        let traffic = self.worker.replica().traffic();
        let each = (0..64).filter_map(|vrf| traffic.vrf(VrfId(vrf)));
        each.fold([0; 5], |sum, vrf| {
            let one = [&vrf.received, &vrf.encapsulated, &vrf.decapsulated, &vrf.forwarded];
            let [a, b, c, d] = one.map(|flow| flow.read().0);
            let one = [a, b, c, d, vrf.dropped.get()];
            std::array::from_fn(|i| sum[i] + one[i])
        })
    }

    /// Begins to look at packets, with so many records.
    pub fn watch(&mut self, filter: Filter, packets: u64, records: usize) -> WatchHandle {
        let (watch, handle) = watch(filter, packets, records, 2048);
        self.watches.put(watch).expect("room for a watch");
        self.advance_ms(10);
        self.poll();
        handle
    }

    /// Watches that the worker gave back.
    pub fn watches_back(&mut self) -> usize {
        self.advance_ms(10);
        self.poll();
        self.watches.free()
    }

    pub fn advance_ms(&mut self, milliseconds: u64) {
        self.clock.0.set(self.clock.0.get() + milliseconds * HZ / 1000);
    }

    pub fn snapshot(&self) -> Snapshot {
        self.stats.snapshot()
    }

    pub fn punts(&mut self) -> Vec<Punt> {
        std::iter::from_fn(|| self.punts.pop()).collect()
    }

    pub fn io(&mut self) -> &mut MemIo {
        self.worker.io_mut()
    }

    pub fn worker(&self) -> &Worker<MemIo, TestClock> {
        &self.worker
    }

    /// What was sent on a port since this was asked last.
    pub fn sent(&mut self, port: PortId) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| self.io().sent(port).map(|buf| buf.data().to_vec())).collect()
    }

    /// A native packet of the host (or of the tenant's host) on its port.
    pub fn native(&mut self, packet: &Packet) -> Fate {
        self.receive(NATIVE, &packet.frame(OUR_MAC[0], HOST_MAC))
    }

    /// A packet from the core.
    pub fn core(&mut self, packet: &Packet) -> Fate {
        self.receive(CORE, &packet.frame(OUR_MAC[1], CORE_MAC))
    }

    /// Receives one frame and says what became of it.
    pub fn receive(&mut self, port: PortId, frame: &[u8]) -> Fate {
        let before = self.snapshot();
        assert!(self.io().inject(port, frame), "room to receive");
        self.poll();
        let after = self.snapshot();
        let mut sent = Vec::new();
        for out in [NATIVE, CORE, TENANT] {
            sent.extend(self.sent(out).into_iter().map(|frame| (out, frame)));
        }
        let to_host = self.io().to_host(port).map(|buf| buf.data().to_vec());
        let dropped = DropReason::ALL.into_iter().find(|r| after.dropped(*r) > before.dropped(*r));
        let waiting = after.held + after.originated_held;
        assert_eq!(self.io().pool().in_use() as u64, waiting, "buffers in use are those that wait");
        if let Some(seen) = to_host {
            assert_eq!(seen, frame, "the kernel sees the frame as it came");
            assert_eq!(after.host, before.host + 1);
            return Fate::Host;
        }
        if after.held > before.held {
            return Fate::Held;
        }
        match (dropped, sent.len()) {
            (Some(reason), 0) => Fate::Dropped(reason),
            (Some(reason), 1) => {
                let (port, frame) = sent.remove(0);
                Fate::Told(reason, port, frame)
            }
            (None, 1) => {
                let (port, frame) = sent.remove(0);
                Fate::Tx(port, frame)
            }
            (None, 2..) => {
                let port = sent[0].0;
                Fate::Split(port, sent.into_iter().map(|(_, frame)| frame).collect())
            }
            other => panic!("no single fate: {other:?}"),
        }
    }
}

fn rewrite(source: &str, destination: &str, mtu: u16) -> RlocRewrite {
    RlocRewrite {
        source: source.parse().unwrap(),
        destination: destination.parse().unwrap(),
        port: CORE,
        source_mac: MacAddr(OUR_MAC[1]),
        next_hop_mac: MacAddr(CORE_MAC),
        mtu,
        options: RlocOptions::default(),
        nonce: None,
    }
}

fn port(id: PortId, vrf: VrfId, underlay: bool, ipv4: &str, ipv6: &str) -> Delta {
    let spec = PortSpec {
        vrf,
        underlay,
        native: !underlay,
        mac: MacAddr(OUR_MAC[usize::from(id.0)]),
        mtu: 1500,
        ipv4: Some(ipv4.parse().unwrap()),
        ipv6: Some(ipv6.parse().unwrap()),
        ..PortSpec::default()
    };
    Delta::PortSet(id, Box::new(spec))
}

impl Fate {
    /// The frame that was sent, taken apart; panics if another fate came.
    pub fn sent(self) -> (PortId, Seen) {
        match self {
            Self::Tx(port, frame) => (port, dissect(&frame)),
            other => panic!("not sent: {other:?}"),
        }
    }

    /// The ICMP error that was sent.
    pub fn told(self) -> (DropReason, PortId, Seen) {
        match self {
            Self::Told(reason, port, frame) => (reason, port, dissect(&frame)),
            other => panic!("nobody was told: {other:?}"),
        }
    }
}
