//! A worker in its stride allocates nothing: not for packets it sends, strips, drops, holds or
//! answers.
//!
//! The counting allocator counts for the whole process: one test in a binary of its own.

use pxtr_dataplane::clock::Clock;
use pxtr_dataplane::counters::WorkerStats;
use pxtr_dataplane::feed::*;
use pxtr_dataplane::io::mem::MemIo;
use pxtr_dataplane::path::flow::FlowKey;
use pxtr_dataplane::ring::{Producer, ring};
use pxtr_dataplane::types::*;
use pxtr_dataplane::worker::{Links, Worker, WorkerConfig};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const NATIVE: PortId = PortId(0);
const CORE: PortId = PortId(1);
const HZ: u64 = 1_000_000;

#[derive(Clone, Default)]
struct TestClock(Rc<Cell<u64>>);

impl Clock for TestClock {
    fn now(&self) -> u64 {
        self.0.get()
    }

    fn hz(&self) -> u64 {
        HZ
    }
}

struct Bench {
    worker: Worker<MemIo, TestClock>,
    feed: Producer<Delta>,
    clock: TestClock,
    stats: Arc<WorkerStats>,
}

fn bench() -> Bench {
    let (feed, feed_end) = ring(64);
    let (retired, _) = ring(64);
    let (punts, _) = ring(64);
    let stats = Arc::new(WorkerStats::default());
    let links = Links { feed: feed_end, retired, punts, stats: Arc::clone(&stats) };
    let clock = TestClock::default();
    let config = WorkerConfig::new(FlowKey::new([1, 2, 3, 4]));
    let worker = Worker::new(MemIo::new(2, 256, 2048, 2000), clock.clone(), &config, links);
    let mut bench = Bench { worker, feed, clock, stats };
    let vrf = VrfSpec { instance_id: InstanceId(7), pitr: true, petr: true, ..VrfSpec::default() };
    bench.apply(Delta::VrfSet(VrfId(0), vrf));
    for (id, underlay, address) in [(NATIVE, false, [192, 0, 2, 1]), (CORE, true, [198, 51, 100, 2])] {
        let spec = PortSpec {
            vrf: VrfId(0),
            underlay,
            native: !underlay,
            mac: MacAddr([2; 6]),
            mtu: 1500,
            ipv4: Some(address.into()),
            ipv6: None,
            ..PortSpec::default()
        };
        bench.apply(Delta::PortSet(id, Box::new(spec)));
    }
    bench.apply(Delta::LocalRlocs(Box::new([[198, 51, 100, 2].into()])));
    let rewrite = RlocRewrite {
        source: [198, 51, 100, 2].into(),
        destination: [203, 0, 113, 4].into(),
        port: CORE,
        source_mac: MacAddr([2; 6]),
        next_hop_mac: MacAddr([4; 6]),
        mtu: 1500,
        options: RlocOptions::default(),
        nonce: None,
    };
    bench.apply(Delta::RlocSet(RlocId(0), RlocState::Ready(Box::new(rewrite))));
    bench.map(0, "10.0.0.0/8", MapAction::SendMapRequest);
    bench.map(1, "10.4.0.0/24", MapAction::Encapsulate(Target::Rloc(RlocId(0))));
    let ready =
        Adjacency::Ready { port: NATIVE, source_mac: MacAddr([2; 6]), mac: MacAddr([6; 6]), mtu: 1500 };
    bench.apply(Delta::AdjacencySet(AdjacencyId(0), ready));
    let prefix = "192.0.2.0/24".parse().unwrap();
    bench.apply(Delta::RouteSet { vrf: VrfId(0), prefix, route: Route::Via(AdjacencyId(0)) });
    bench
}

impl Bench {
    fn apply(&mut self, delta: Delta) {
        self.feed.push(delta).expect("room");
        self.worker.poll_once();
        assert_eq!(self.stats.ignored.get(), 0);
    }

    fn map(&mut self, entry: u32, prefix: &str, action: MapAction) {
        let prefix = prefix.parse().unwrap();
        self.apply(Delta::MapSet { vrf: VrfId(0), prefix, entry: EntryId(entry), action });
    }

    /// Rounds with bursts of 32 packets, these frames in turn; returns what they allocated and freed.
    fn allocations(&mut self, port: PortId, frames: &[Vec<u8>]) -> usize {
        let mut count = 0;
        for _ in 0..50 {
            for frame in frames.iter().cycle().take(32) {
                assert!(self.worker.io_mut().inject(port, frame));
            }
            self.clock.0.set(self.clock.0.get() + HZ / 100);
            let before = touches();
            self.worker.poll_once();
            count += touches() - before;
            for port in [NATIVE, CORE] {
                while self.worker.io_mut().sent(port).is_some() {}
                while self.worker.io_mut().to_host(port).is_some() {}
            }
        }
        assert_eq!(self.stats.snapshot().fates(), self.stats.received.get());
        count
    }
}

/// Allocations and releases so far.
fn touches() -> usize {
    let stats = ALLOCATOR.stats();
    stats.allocations + stats.deallocations + stats.reallocations
}

fn udp(source: [u8; 4], destination: [u8; 4], ttl: u8, ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    let builder = etherparse::PacketBuilder::ethernet2([8; 6], [2; 6]).ipv4(source, destination, ttl);
    builder.udp(ports.0, ports.1).write(&mut frame, payload).unwrap();
    frame
}

const HOST: [u8; 4] = [192, 0, 2, 9];

#[test]
fn bursts_allocate_nothing() {
    let inner = udp([10, 4, 0, 7], HOST, 64, (1, 2), &[5; 100]);
    let lisp = [&[8, 0, 0, 0, 0, 0, 7, 0][..], &inner[14..]].concat();
    // Bytes 20 and 21 of the frame: flags, DF=0.
    let mut large = udp(HOST, [10, 4, 0, 7], 64, (1, 2), &[5; 1460]);
    large[20] = 0;
    large[24..26].fill(0);
    let sum = etherparse::Ipv4Header::from_slice(&large[14..]).unwrap().0.calc_header_checksum();
    large[24..26].copy_from_slice(&sum.to_be_bytes());
    let cases = [
        ("encapsulated", NATIVE, udp(HOST, [10, 4, 0, 7], 64, (1, 2), &[5; 100])),
        ("split", NATIVE, large),
        ("decapsulated", CORE, udp([203, 0, 113, 4], [198, 51, 100, 2], 64, (50_000, 4341), &lisp)),
        ("held for a mapping", NATIVE, udp(HOST, [10, 99, 0, 1], 64, (1, 2), &[5; 100])),
        ("dropped", NATIVE, udp([127, 0, 0, 1], [10, 4, 0, 7], 64, (1, 2), &[5; 100])),
        ("dropped and told", NATIVE, udp(HOST, [8, 8, 8, 8], 64, (1, 2), &[5; 100])),
        ("for the kernel", NATIVE, udp(HOST, [224, 0, 0, 5], 1, (1, 2), &[5; 100])),
    ];
    let mut bench = bench();
    let before = touches();
    drop(std::hint::black_box(vec![1u8; 100]));
    assert_eq!(touches() - before, 2, "the allocator counts");
    for (name, port, frame) in cases {
        assert_eq!(bench.allocations(port, &[frame]), 0, "{name}");
    }
    // Bytes 20 and 21: More Fragments, and the offset in units of 8 bytes.
    let whole = udp([203, 0, 113, 4], [198, 51, 100, 2], 64, (50_000, 4341), &lisp);
    let pieces = [(&whole[34..98], 0x2000u16), (&whole[98..], 8)].map(|(payload, word)| {
        let mut piece = [&whole[..34], payload].concat();
        piece[16..18].copy_from_slice(&(20 + payload.len() as u16).to_be_bytes());
        piece[20..22].copy_from_slice(&word.to_be_bytes());
        let sum = etherparse::Ipv4Header::from_slice(&piece[14..]).unwrap().0.calc_header_checksum();
        piece[24..26].copy_from_slice(&sum.to_be_bytes());
        piece
    });
    assert_eq!(bench.allocations(CORE, &pieces), 0, "put together");
    assert_eq!(bench.allocations(CORE, &pieces[..1]), 0, "half of it");
    let now = bench.stats.snapshot();
    assert!(now.reassembled > 0);
    assert!(
        now.encapsulated > 0 && now.decapsulated > 0 && now.held > 0 && now.fragments > 0 && now.host > 0
    );
    assert!(now.icmp.iter().sum::<u64>() > 0);
}
