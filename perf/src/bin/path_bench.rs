//! Cycles that the path itself costs: DPDK mbufs go round through a worker's `poll_once` without
//! any device, and what the harness takes to hand out and collect them is subtracted.
//!
//! `cargo run --release -p pxtr-perf --bin path_bench -- --hugepages [--mappings N] [--only NAME]`
//!
//! Prints one JSON object per case. `min` is that of the best of the samples: other load on the
//! machine only adds. Without hugepages the numbers mean nothing but that it runs.

use anyhow::{Context, Result};
use clap::Parser;
use dpdk_sys::{Burst, Eal, EalConfig, Mbuf, Pool, PoolConfig, tsc};
use pxtr_dataplane::clock::Clock;
use pxtr_dataplane::counters::WorkerStats;
use pxtr_dataplane::feed::*;
use pxtr_dataplane::io::dpdk::TscClock;
use pxtr_dataplane::io::{BURST, Io};
use pxtr_dataplane::path::flow::FlowKey;
use pxtr_dataplane::ring::{Producer, ring};
use pxtr_dataplane::types::*;
use pxtr_dataplane::wire::{checksum, lisp};
use pxtr_dataplane::worker::{Links, Worker, WorkerConfig};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

#[derive(Parser)]
struct Args {
    /// Memory from hugepages, as for any number that counts.
    #[arg(long)]
    hugepages: bool,
    /// Map-cache entries per family (/24 and /48); destinations are spread over all of them.
    #[arg(long, default_value_t = 1000)]
    mappings: u32,
    /// RLOC slots per family that the entries share.
    #[arg(long, default_value_t = 1000)]
    rlocs: u32,
    /// Packets in rotation.
    #[arg(long, default_value_t = 4096)]
    packets: u32,
    /// Rounds of a sample: each packet goes through once.
    #[arg(long, default_value_t = 1)]
    rounds: u32,
    /// Samples per case.
    #[arg(long, default_value_t = 3000)]
    samples: u32,
    /// Only the case of this name.
    #[arg(long)]
    only: Option<String>,
}

const NATIVE: PortId = PortId(0);
const CORE: PortId = PortId(1);
const OUR_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
/// Bytes of a frame that the path may change: those of the longest outer header and the inner one.
const SAVED: usize = 128;

/// Packets in rotation. A packet that is sent gets its former bytes back and queues up again.
struct Carousel {
    packets: Vec<Option<Mbuf>>,
    originals: Vec<(usize, [u8; SAVED])>,
    from: PortId,
    head: usize,
    tail: usize,
    quota: usize,
    harness_cycles: u64,
    sent: u64,
}

impl Carousel {
    fn restore(mbuf: &mut Mbuf, original: &(usize, [u8; SAVED])) {
        let (len, bytes) = original;
        let now = mbuf.data_len();
        if now > *len {
            let _ = mbuf.adj(now - len);
        } else {
            let _ = mbuf.prepend(len - now);
        }
        let saved = SAVED.min(*len);
        mbuf.data_mut()[..saved].copy_from_slice(&bytes[..saved]);
    }
}

impl Io for Carousel {
    type Buf = Mbuf;
    type Burst = Burst;

    fn ports(&self) -> usize {
        2
    }

    fn rx(&mut self, port: PortId, out: &mut Burst) -> usize {
        if port != self.from || self.quota == 0 {
            return 0;
        }
        let start = tsc();
        for _ in 0..BURST {
            if let Some(mbuf) = self.packets[self.head].take() {
                let _ = out.push(mbuf);
            }
            self.head = (self.head + 1) % self.packets.len();
        }
        self.quota -= 1;
        self.harness_cycles += tsc() - start;
        BURST
    }

    fn tx(&mut self, _: PortId, burst: &mut Burst) -> usize {
        let start = tsc();
        let count = burst.len();
        for mut mbuf in burst.drain() {
            Self::restore(&mut mbuf, &self.originals[self.tail]);
            self.packets[self.tail] = Some(mbuf);
            self.tail = (self.tail + 1) % self.packets.len();
        }
        self.sent += count as u64;
        self.harness_cycles += tsc() - start;
        count
    }

    fn host_tx(&mut self, _: PortId, mbuf: Mbuf) -> Result<(), Mbuf> {
        Err(mbuf)
    }

    fn host_rx(&mut self, _: PortId, _: &mut Burst) -> usize {
        0
    }

    fn alloc(&mut self) -> Option<Mbuf> {
        None
    }
}

struct Bench {
    worker: Worker<Carousel, TscClock>,
    feed: Producer<Delta>,
}

impl Bench {
    fn new(carousel: Carousel) -> Self {
        let (feed, feed_end) = ring(1024);
        let (retired, _) = ring(1 << 21);
        let (punts, _) = ring(64);
        let links = Links { feed: feed_end, retired, punts, stats: Arc::new(WorkerStats::default()) };
        let config = WorkerConfig::new(FlowKey::new([11, 22, 33, 44]));
        Self { worker: Worker::new(carousel, TscClock::new(), &config, links), feed }
    }

    fn apply(&mut self, delta: Delta) {
        let mut delta = Some(delta);
        while let Some(next) = delta.take() {
            delta = self.feed.push(next).err();
            if delta.is_some() {
                self.worker.poll_once();
            }
        }
    }

    fn furnish(&mut self, args: &Args, outer_v6: bool) {
        let vrf = VrfSpec { instance_id: InstanceId(7), pitr: true, petr: true, ..VrfSpec::default() };
        self.apply(Delta::VrfSet(VrfId(0), vrf));
        for (id, underlay) in [(NATIVE, false), (CORE, true)] {
            let spec = PortSpec {
                vrf: VrfId(0),
                underlay,
                native: !underlay,
                mac: MacAddr(OUR_MAC),
                mtu: 1500,
                ipv4: Some([192, 0, 2, 1].into()),
                ipv6: None,
                ..PortSpec::default()
            };
            self.apply(Delta::PortSet(id, Box::new(spec)));
        }
        self.apply(Delta::LocalRlocs(Box::new([our_rloc(false), our_rloc(true)])));
        for n in 0..args.rlocs {
            let destination: IpAddr = if outer_v6 {
                Ipv6Addr::from_bits(0x2001_0db8_000f_u128 << 80 | u128::from(n)).into()
            } else {
                Ipv4Addr::from_bits(0xCB00_0000 + n).into()
            };
            let rewrite = RlocRewrite {
                source: our_rloc(outer_v6),
                destination,
                port: CORE,
                source_mac: MacAddr(OUR_MAC),
                next_hop_mac: MacAddr([4; 6]),
                mtu: 1500,
            };
            self.apply(Delta::RlocSet(RlocId(n), RlocState::Ready(Box::new(rewrite))));
        }
        for n in 0..args.mappings {
            let action = MapAction::Encapsulate(Target::Rloc(RlocId(n % args.rlocs)));
            for (v6, entry) in [(false, 2 * n), (true, 2 * n + 1)] {
                let prefix = ipnet::IpNet::new(eid(n, v6), if v6 { 48 } else { 24 }).expect("prefix").trunc();
                self.apply(Delta::MapSet { vrf: VrfId(0), prefix, entry: EntryId(entry), action });
            }
        }
        let ready =
            Adjacency::Ready { port: NATIVE, source_mac: MacAddr(OUR_MAC), mac: MacAddr([6; 6]), mtu: 1500 };
        self.apply(Delta::AdjacencySet(AdjacencyId(0), ready));
        for prefix in ["0.0.0.0/0", "::/0", "172.16.0.0/12", "2001:db8:1::/48"] {
            let (prefix, route) = (prefix.parse().expect("prefix"), Route::Via(AdjacencyId(0)));
            self.apply(Delta::RouteSet { vrf: VrfId(0), prefix, route });
        }
        while self.worker.poll_once() > 0 {}
    }
}

fn our_rloc(v6: bool) -> IpAddr {
    if v6 { Ipv6Addr::new(0x2001, 0xdb8, 0xc0, 0, 0, 0, 0, 2).into() } else { [198, 51, 100, 2].into() }
}

/// A host in mapping `n`.
fn eid(n: u32, v6: bool) -> IpAddr {
    if v6 {
        Ipv6Addr::from_bits(0x2001_0000_0000_u128 << 80 | u128::from(n) << 80 | 7).into()
    } else {
        Ipv4Addr::from_bits(0x0100_0007 + (n << 8)).into()
    }
}

/// UDP, 46 bytes of IP packet for IPv4, 66 for IPv6.
fn ip(source: IpAddr, destination: IpAddr, ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() + 8) as u16;
    let mut packet = match (source, destination) {
        (IpAddr::V4(s), IpAddr::V4(d)) => {
            let mut h = vec![0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 17, 0, 0];
            h[2..4].copy_from_slice(&(length + 20).to_be_bytes());
            h.extend(s.octets());
            h.extend(d.octets());
            let sum = checksum::finish(checksum::add(0, &h));
            h[10..12].copy_from_slice(&sum.to_be_bytes());
            h
        }
        (IpAddr::V6(s), IpAddr::V6(d)) => {
            let mut h = vec![0x60, 0, 0, 0, 0, 0, 17, 64];
            h[4..6].copy_from_slice(&length.to_be_bytes());
            h.extend(s.octets());
            h.extend(d.octets());
            h
        }
        _ => unreachable!("one family"),
    };
    for word in [ports.0, ports.1, length, 0] {
        packet.extend(word.to_be_bytes());
    }
    packet.extend(payload);
    packet
}

#[derive(Clone, Copy)]
enum Way {
    Encapsulate,
    Decapsulate,
    Forward,
}

struct Case {
    name: &'static str,
    way: Way,
    inner_v6: bool,
    outer_v6: bool,
}

const fn case(name: &'static str, way: Way, inner_v6: bool, outer_v6: bool) -> Case {
    Case { name, way, inner_v6, outer_v6 }
}

const CASES: [Case; 9] = [
    case("encap-v4-in-v4", Way::Encapsulate, false, false),
    case("encap-v4-in-v6", Way::Encapsulate, false, true),
    case("encap-v6-in-v4", Way::Encapsulate, true, false),
    case("encap-v6-in-v6", Way::Encapsulate, true, true),
    case("decap-v4-in-v4", Way::Decapsulate, false, false),
    case("decap-v4-in-v6", Way::Decapsulate, false, true),
    case("decap-v6-in-v4", Way::Decapsulate, true, false),
    case("decap-v6-in-v6", Way::Decapsulate, true, true),
    case("forward-v4", Way::Forward, false, false),
];

fn frame(case: &Case, n: u32, mappings: u32) -> Vec<u8> {
    // A fixed permutation: neighbouring packets go to unrelated destinations.
    let which = (u64::from(n).wrapping_mul(2_654_435_761) % u64::from(mappings)) as u32;
    let host: IpAddr = if case.inner_v6 {
        Ipv6Addr::from_bits(0x2001_0db8_0001_u128 << 80 | u128::from(n)).into()
    } else {
        Ipv4Addr::from_bits(0xAC10_0000 + n).into()
    };
    let ports = (1024 + n as u16 % 60_000, 2000);
    let inner = match case.way {
        Way::Encapsulate => ip(host, eid(which, case.inner_v6), ports, &[0; 18]),
        Way::Decapsulate => ip(eid(which, case.inner_v6), host, ports, &[0; 18]),
        Way::Forward => {
            ip([172, 16, 0, 9].into(), Ipv4Addr::from_bits(0xAC10_0000 + n).into(), ports, &[0; 18])
        }
    };
    let packet = match case.way {
        Way::Decapsulate => {
            let from: IpAddr = if case.outer_v6 {
                Ipv6Addr::from_bits(0x2001_0db8_000f_u128 << 80 | u128::from(n)).into()
            } else {
                Ipv4Addr::from_bits(0xCB00_0000 + n).into()
            };
            let payload = [&lisp::Lisp::header(InstanceId(7))[..], &inner].concat();
            ip(from, our_rloc(case.outer_v6), (50_000, lisp::DATA_PORT), &payload)
        }
        Way::Encapsulate | Way::Forward => inner,
    };
    let ethertype: u16 = if packet[0] >> 4 == 4 { 0x0800 } else { 0x86DD };
    [&OUR_MAC[..], &[6; 6], &ethertype.to_be_bytes(), &packet].concat()
}

fn run(case: &Case, args: &Args, pool: &Pool) -> Result<()> {
    let from = if matches!(case.way, Way::Decapsulate) { CORE } else { NATIVE };
    let (mut packets, mut originals) = (Vec::new(), Vec::new());
    for n in 0..args.packets / BURST as u32 * BURST as u32 {
        let bytes = frame(case, n, args.mappings);
        let mut mbuf = pool.alloc().context("the pool is too small for --packets")?;
        mbuf.append(bytes.len()).context("frame too long")?.copy_from_slice(&bytes);
        let mut saved = [0; SAVED];
        let kept = SAVED.min(bytes.len());
        saved[..kept].copy_from_slice(&bytes[..kept]);
        packets.push(Some(mbuf));
        originals.push((bytes.len(), saved));
    }
    let bursts = packets.len() / BURST * args.rounds as usize;
    let carousel =
        Carousel { packets, originals, from, head: 0, tail: 0, quota: 0, harness_cycles: 0, sent: 0 };
    let mut bench = Bench::new(carousel);
    bench.furnish(args, case.outer_v6);
    let mut samples: Vec<f64> = Vec::new();
    for _ in 0..args.samples {
        let io = bench.worker.io_mut();
        (io.quota, io.harness_cycles, io.sent) = (bursts, 0, 0);
        let start = tsc();
        for _ in 0..bursts {
            bench.worker.poll_once();
        }
        let total = tsc() - start;
        let io = bench.worker.io_mut();
        anyhow::ensure!(
            io.sent == (bursts * BURST) as u64,
            "{}: {} of {} sent",
            case.name,
            io.sent,
            bursts * BURST
        );
        samples.push((total - io.harness_cycles) as f64 / io.sent as f64);
    }
    samples.sort_by(f64::total_cmp);
    let out = serde_json::json!({
        "case": case.name,
        "mappings": args.mappings,
        "rlocs": args.rlocs,
        "packets": args.packets,
        "hugepages": args.hugepages,
        "cycles_per_packet_min": (samples[0] * 10.0).round() / 10.0,
        "cycles_per_packet_median": (samples[samples.len() / 2] * 10.0).round() / 10.0,
        "tsc_hz": TscClock::new().hz(),
    });
    println!("{out}");
    Ok(())
}

fn main() -> Result<()> {
    let args = Args::parse();
    let config = EalConfig { hugepages: args.hugepages, memory_mib: 64, ..EalConfig::default() };
    let eal = Eal::init(&config).context("EAL")?;
    let pool =
        PoolConfig { name: "bench".into(), count: args.packets * 2 - 1, frame_room: 2048, numa_node: None };
    let pool = Pool::new(&eal, &pool).context("pool")?;
    for case in CASES.iter().filter(|case| args.only.as_deref().is_none_or(|only| only == case.name)) {
        run(case, &args, &pool)?;
    }
    Ok(())
}
