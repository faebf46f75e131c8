//! A real data plane on net_ring: launched, fed, given packets, stopped. No hugepages, no root.
//!
//! The EAL starts once per process: run with `cargo nextest run`.

use dpdk_sys::{Burst, Eal, EalConfig, OpenPort, Pool, PoolConfig, PortConfig, RxQueue, TxQueue, ring_pair};
use etherparse::{PacketBuilder, SlicedPacket, TransportSlice};
use ipnet::IpNet;
use pxtr_dataplane::feed::{
    Adjacency, Delta, MapAction, PortSpec, RlocOptions, RlocRewrite, RlocState, Route, Target, VrfSpec,
};
use pxtr_dataplane::launch::{
    Dataplane, Idle, LaunchConfig, LaunchError, PortLaunch, Spread, WorkersLaunch, launch_on,
};
use pxtr_dataplane::path::flow::FlowKey;
use pxtr_dataplane::punt::Punt;
use pxtr_dataplane::types::{AdjacencyId, EntryId, InstanceId, MacAddr, PortId, RlocId, VrfId};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

const NATIVE: PortId = PortId(0);
const CORE: PortId = PortId(1);
const OUR_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
const HOST_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);
const KEY: FlowKey = FlowKey::new([1, 2, 3, 4]);

/// The world outside: the far ends of the data plane's ports.
struct Outside {
    rx: Vec<RxQueue>,
    tx: Vec<TxQueue>,
    pool: Pool,
}

fn eal() -> Eal {
    let config = EalConfig { memory_mib: 128, ..EalConfig::default() };
    Eal::init(&config).expect("one EAL per process: use `cargo nextest run`")
}

/// A port of the data plane, and its far end.
fn cable(eal: &Eal, id: PortId, name: &str) -> (PortLaunch, OpenPort) {
    let (near, far) = ring_pair(eal, name, 1).expect("pair");
    let launch = PortLaunch {
        id,
        name: name.into(),
        device: near.park(),
        queues: 1,
        mtu: 1500,
        ..PortLaunch::default()
    };
    (launch, far)
}

fn config(ports: Vec<PortLaunch>) -> LaunchConfig {
    LaunchConfig {
        mbufs: 8191,
        ports,
        workers: WorkersLaunch {
            cores: vec![dpdk_sys::lcore::allowed_cpus()[0]],
            idle: Idle::Sleep { us: 50 },
        },
        ..LaunchConfig::default()
    }
}

fn start() -> (Dataplane, Outside) {
    let eal = eal();
    let (native, native_far) = cable(&eal, NATIVE, "n");
    let (core, core_far) = cable(&eal, CORE, "c");
    let dataplane =
        launch_on(&eal, &config(vec![native, core]), KEY).unwrap_or_else(|error| panic!("{error}"));
    let pool = PoolConfig { name: "outside".into(), count: 2047, frame_room: 2048, numa_node: None };
    let pool = Pool::new(&eal, &pool).expect("pool");
    let mut outside = Outside { rx: Vec::new(), tx: Vec::new(), pool };
    for far in [native_far, core_far] {
        let (_, rx, tx) = far.start(&PortConfig::default(), &outside.pool).expect("start");
        outside.rx.extend(rx);
        outside.tx.extend(tx);
    }
    (dataplane, outside)
}

impl Outside {
    fn send(&mut self, port: PortId, frame: &[u8]) {
        let mut mbuf = self.pool.alloc().expect("mbuf");
        mbuf.append(frame.len()).expect("room").copy_from_slice(frame);
        let mut burst = Burst::new();
        burst.push(mbuf).expect("room");
        assert_eq!(self.tx[usize::from(port.0)].burst(&mut burst), 1);
    }

    fn receive(&mut self, port: PortId) -> Vec<u8> {
        let mut burst = Burst::new();
        until("a packet", || self.rx[usize::from(port.0)].burst(&mut burst) > 0);
        assert_eq!(burst.len(), 1);
        burst[0].data().to_vec()
    }
}

/// Repeats until it is true; ten seconds are a failure.
fn until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(10), "{what} did not come");
        std::thread::yield_now();
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("address")
}

fn net(text: &str) -> IpNet {
    text.parse().expect("prefix")
}

/// PITR and PETR between 192.0.2.0/24 and, behind 198.51.100.9, 10.1.0.0/16.
fn feed(dataplane: &mut Dataplane) {
    let vrf = VrfId(0);
    let port = |underlay, native| {
        Box::new(PortSpec {
            vrf,
            underlay,
            native,
            mac: OUR_MAC,
            mtu: 1500,
            ipv4: Some([192, 0, 2, 254].into()),
            ipv6: None,
            ..PortSpec::default()
        })
    };
    let spec = VrfSpec { instance_id: InstanceId(0), pitr: true, petr: true, ..VrfSpec::default() };
    let rewrite = RlocRewrite {
        source: ip("198.51.100.2"),
        destination: ip("198.51.100.9"),
        port: CORE,
        source_mac: OUR_MAC,
        next_hop_mac: HOST_MAC,
        mtu: 1500,
        options: RlocOptions::default(),
        nonce: None,
    };
    let host = Adjacency::Ready { port: NATIVE, source_mac: OUR_MAC, mac: HOST_MAC, mtu: 1500 };
    let deltas = [
        Delta::VrfSet(vrf, spec),
        Delta::PortSet(NATIVE, port(false, true)),
        Delta::PortSet(CORE, port(true, false)),
        Delta::LocalRlocs(Box::new([ip("198.51.100.2")])),
        Delta::RlocSet(RlocId(0), RlocState::Ready(Box::new(rewrite))),
        Delta::MapSet {
            vrf,
            prefix: net("10.0.0.0/8"),
            entry: EntryId(1),
            action: MapAction::SendMapRequest,
        },
        Delta::AdjacencySet(AdjacencyId(0), host),
        Delta::RouteSet { vrf, prefix: net("192.0.2.0/24"), route: Route::Via(AdjacencyId(0)) },
    ];
    let count = deltas.len() as u64;
    for worker in &mut dataplane.workers {
        for delta in &deltas {
            worker.feed(delta.clone()).expect("room");
        }
        until("the last delta", || worker.applied_seq() == count);
    }
}

fn udp(source: [u8; 4], destination: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let builder =
        PacketBuilder::ethernet2(HOST_MAC.0, OUR_MAC.0).ipv4(source, destination, 64).udp(1000, 2000);
    let mut frame = Vec::new();
    builder.write(&mut frame, payload).expect("write");
    frame
}

#[test]
fn packets_wait_for_their_mapping_and_go_both_ways() {
    let (mut dataplane, mut outside) = start();
    feed(&mut dataplane);
    // The first packet waits while control is asked.
    outside.send(NATIVE, &udp([192, 0, 2, 1], [10, 1, 0, 1], b"first"));
    let mut punt = None;
    until("a miss", || {
        punt = dataplane.workers[0].punt();
        punt.is_some()
    });
    let miss = Punt::Miss { vrf: VrfId(0), eid: ip("10.1.0.1"), source: ip("192.0.2.1") };
    assert_eq!(punt, Some(miss));
    let action = MapAction::Encapsulate(Target::Rloc(RlocId(0)));
    let mapping = Delta::MapSet { vrf: VrfId(0), prefix: net("10.1.0.0/16"), entry: EntryId(2), action };
    dataplane.workers[0].feed(mapping).expect("room");
    let frame = outside.receive(CORE);
    let outer = SlicedPacket::from_ethernet(&frame).expect("well formed");
    let Some(TransportSlice::Udp(header)) = outer.transport else { panic!("no UDP in {frame:?}") };
    assert_eq!(header.destination_port(), 4341);
    assert!(frame.ends_with(b"first"));
    // What comes back from the site is stripped and routed.
    let inner = udp([10, 1, 0, 1], [192, 0, 2, 1], b"answer");
    let lisp = [&[0u8; 8][..], &inner[14..]].concat();
    let builder = PacketBuilder::ethernet2(HOST_MAC.0, OUR_MAC.0)
        .ipv4([198, 51, 100, 9], [198, 51, 100, 2], 64)
        .udp(50_000, 4341);
    let mut frame = Vec::new();
    builder.write(&mut frame, &lisp).expect("write");
    outside.send(CORE, &frame);
    let frame = outside.receive(NATIVE);
    assert!(frame.ends_with(b"answer") && frame[..6] == HOST_MAC.0);
    // Counters agree, of the worker, the mapping and the port.
    let worker = &dataplane.workers[0];
    let snapshot = worker.snapshot();
    assert_eq!((snapshot.received, snapshot.tx, snapshot.fates()), (2, 2, 2));
    assert_eq!((snapshot.encapsulated, snapshot.decapsulated), (1, 1));
    assert_eq!((worker.entry(EntryId(2)).0, worker.rloc(RlocId(0)).0), (1, 1));
    assert_eq!(dataplane.ports[0].stats().expect("stats").rx_packets, 1);
    assert_eq!((dataplane.ports[1].name(), dataplane.ports[1].mtu()), ("c", 1500));
    assert!(dataplane.running.dead().is_empty());
}

#[test]
fn what_is_held_queued_and_malformed_comes_back_when_it_stops() {
    let (mut dataplane, mut outside) = start();
    feed(&mut dataplane);
    for i in 0..100 {
        outside.send(NATIVE, &udp([192, 0, 2, 1], [10, 2, 0, i], b"waits"));
        outside.send(CORE, &vec![0xff; usize::from(i)]);
        outside.send(NATIVE, &udp([10, 0, 0, 1], [203, 0, 113, i], b"no route"));
    }
    until("300 fates", || {
        let snapshot = dataplane.workers[0].snapshot();
        (snapshot.received, snapshot.fates(), snapshot.held) == (300, 300, 100)
    });
    let pools = dataplane.running.pools().to_vec();
    drop(dataplane);
    let pool = outside.pool.clone();
    drop(outside);
    assert_eq!(pool.in_use(), 0);
    assert!(pools.iter().all(|pool| pool.in_use() == 0));
}

#[test]
fn each_worker_serves_its_queues_and_sends_on_its_own() {
    let eal = eal();
    let allowed = dpdk_sys::lcore::allowed_cpus();
    // Two workers where there are two CPUs; three queues for them.
    let cores: Vec<usize> = allowed.into_iter().take(2).collect();
    let (near, far) = ring_pair(&eal, "n", 3).expect("pair");
    let port =
        PortLaunch { name: "n".into(), device: near.park(), queues: 3, mtu: 1500, ..PortLaunch::default() };
    let mut config = config(vec![port]);
    config.workers.cores = cores.clone();
    let dataplane = launch_on(&eal, &config, KEY).unwrap_or_else(|error| panic!("{error}"));
    let pool = dataplane.running.pools()[0].clone();
    let three = PortConfig { rx_queues: 3, tx_queues: 3, ..PortConfig::default() };
    let (_port, _rx, mut tx) = far.start(&three, &pool).expect("start");
    for (queue, count) in [(0, 10), (1, 20), (2, 30)] {
        let mut burst = Burst::new();
        for _ in 0..count {
            let mut mbuf = pool.alloc().expect("mbuf");
            mbuf.append(60).expect("room");
            burst.push(mbuf).expect("room");
        }
        assert_eq!(tx[queue].burst(&mut burst), count);
    }
    let expected: Vec<u64> = if cores.len() == 2 { vec![10 + 30, 20] } else { vec![60] };
    let received = || dataplane.workers.iter().map(|worker| worker.snapshot().fates()).collect::<Vec<_>>();
    until("60 packets at their workers", || received() == expected);
    assert_eq!(dataplane.workers.iter().map(|worker| worker.core()).collect::<Vec<_>>(), cores);
    drop(dataplane);
    assert_eq!(pool.in_use(), 0);
}

/// One receive and one transmit queue on each port: who receives on one need not be who sends on the other.
#[test]
fn two_workers_share_ports_of_one_queue() {
    let eal = eal();
    let cores: Vec<usize> = dpdk_sys::lcore::allowed_cpus().into_iter().take(2).collect();
    let (mut native, native_far) = cable(&eal, NATIVE, "n");
    let (mut core, core_far) = cable(&eal, CORE, "c");
    let mut config = config(Vec::new());
    config.workers.cores = cores.clone();
    config.ports = vec![native.clone(), core.clone()];
    if cores.len() == 2 {
        let text = launch_on(&eal, &config, KEY).expect_err("two workers, one queue").to_string();
        assert!(
            text.starts_with("port n has 1 queue(s) for 2 workers") && text.contains("software"),
            "{text}"
        );
    }
    (native.spread, core.spread) = (Spread::Software, Spread::Software);
    config.ports = vec![native, core];
    config.mbufs = 12_287;
    let mut dataplane = launch_on(&eal, &config, KEY).unwrap_or_else(|error| panic!("{error}"));
    feed(&mut dataplane);
    let action = MapAction::Encapsulate(Target::Rloc(RlocId(0)));
    for worker in &mut dataplane.workers {
        let (prefix, action) = (net("10.1.0.0/16"), action);
        worker.feed(Delta::MapSet { vrf: VrfId(0), prefix, entry: EntryId(2), action }).expect("room");
        until("the mapping", || worker.applied_seq() == 9);
    }
    let pool = dataplane.running.pools()[0].clone();
    let mut outside = Outside { rx: Vec::new(), tx: Vec::new(), pool: pool.clone() };
    for far in [native_far, core_far] {
        let (_, rx, tx) = far.start(&PortConfig::default(), &pool).expect("start");
        outside.rx.extend(rx);
        outside.tx.extend(tx);
    }
    let mut last: BTreeMap<u8, u8> = BTreeMap::new();
    for number in 0..20 {
        for host in 0..50 {
            outside.send(NATIVE, &udp([192, 0, 2, 1], [10, 1, 0, host], &[number]));
        }
        let mut burst = Burst::new();
        for _ in 0..50 {
            until("a packet", || !burst.is_empty() || outside.rx[1].burst(&mut burst) > 0);
            let frame = burst.drain().map(|mbuf| mbuf.data().to_vec()).collect::<Vec<_>>();
            for frame in &frame {
                // Inner destination, and the number in the payload.
                let (host, number) = (frame[50 + 19], frame[frame.len() - 1]);
                assert!(last.insert(host, number).is_none_or(|before| before < number), "in order");
            }
            if last.len() == 50 && last.values().all(|seen| *seen == number) {
                break;
            }
        }
    }
    assert!(last.values().all(|seen| *seen == 19) && last.len() == 50);
    let all: Vec<_> = dataplane.workers.iter().map(|worker| worker.snapshot()).collect();
    assert_eq!(all.iter().map(|one| one.tx).sum::<u64>(), 1000);
    for one in &all {
        assert_eq!(one.fates(), one.arrived());
        assert!(one.encapsulated > 200, "{}", one.encapsulated);
    }
    if let [reader, other] = &all[..] {
        assert_eq!((reader.received, other.received, reader.handed_over), (1000, 0, other.taken_over));
        // Port c's only transmit queue is the first worker's.
        assert_eq!((reader.sent_for_others, other.sent_for_others), (other.tx, 0));
    }
    drop((dataplane, outside));
    assert_eq!(pool.in_use(), 0);
}

#[test]
fn a_launch_that_fails_says_why_and_leaves_nothing_behind() {
    let eal = eal();
    let (near, _far) = cable(&eal, PortId(0), "n");
    let good = config(vec![near.clone()]);
    let refused = |change: &dyn Fn(&mut LaunchConfig)| {
        let mut config = good.clone();
        change(&mut config);
        launch_on(&eal, &config, KEY).expect_err("refused")
    };
    let error = refused(&|c| c.mbufs = 100);
    assert!(matches!(error, LaunchError::TooFewMbufs { mbufs: 100, needed } if needed < 8191), "{error}");
    let error = refused(&|c| c.workers.cores = vec![900]);
    assert!(matches!(error, LaunchError::CoreNotAllowed { core: 900, .. }), "{error}");
    let xdp = PortLaunch {
        id: PortId(1),
        name: "xdp".into(),
        device: "net_af_xdp".into(),
        device_args: "iface=nosuch0".into(),
        ..near.clone()
    };
    let text = refused(&|c| {
        c.ports[0].mtu = 9000;
        c.ports.push(xdp.clone());
    })
    .to_string();
    assert!(text.starts_with("port xdp:") && text.contains("3574 or less"), "{text}");
    let second = PortLaunch {
        id: PortId(1),
        name: "wan".into(),
        device: "net_af_packet".into(),
        device_args: "iface=nosuch0".into(),
        ..near.clone()
    };
    let text = refused(&|c| {
        c.ports[0].device = "net_null7".into();
        c.ports.push(second.clone());
    })
    .to_string();
    assert!(text.starts_with("port wan:") && text.contains("ip link"), "{text}");
    // net_null7 was given back: it can be made again.
    let mut config = good.clone();
    config.ports[0].device = "net_null7".into();
    // Twice: a data plane that was stopped can be launched again.
    for _ in 0..2 {
        let dataplane = launch_on(&eal, &config, KEY).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(dataplane.ports[0].device(), "net_null7");
    }
}
