//! `path`: cycles per packet of `Worker::poll_once`, by way, families and number of mappings.

use super::list::Setup;
use crate::carousel::Destinations;
use crate::frames::{self, encapsulated, framed, outsider};
use crate::report::Metric;
use crate::world::{CORE, NATIVE, Size, World, proxy};
use anyhow::{Result, ensure};
use dpdk_sys::tsc;
use pxtr_dataplane::crypt::Suite;
use pxtr_dataplane::feed::{RlocOptions, VrfSpec};
use pxtr_dataplane::io::BURST;
use pxtr_dataplane::types::PortId;

/// Packets in rotation.
pub(super) const ROTATION: usize = 4096;
const SIZES: [(u32, &str); 4] = [(1_000, "1k"), (10_000, "10k"), (100_000, "100k"), (1_000_000, "1m")];

#[derive(Clone, Copy, PartialEq)]
enum Way {
    Encapsulate,
    Decapsulate,
    Forward,
}

/// Name, way, inner IPv6, outer IPv6.
const CASES: [(&str, Way, bool, bool); 7] = [
    ("encap_v4in4", Way::Encapsulate, false, false),
    ("encap_v6in4", Way::Encapsulate, true, false),
    ("encap_v4in6", Way::Encapsulate, false, true),
    ("encap_v6in6", Way::Encapsulate, true, true),
    ("decap_v4in4", Way::Decapsulate, false, false),
    ("decap_v6in4", Way::Decapsulate, true, false),
    ("forward_v4", Way::Forward, false, false),
];

/// Packets in a burst while there is little to do, and the cases that are measured so: at the first size.
const FEW: [usize; 2] = [1, 4];
const FEW_CASES: [&str; 3] = ["encap_v4in4", "decap_v4in4", "decap_v6in4"];

type Choose = fn(&mut VrfSpec, &mut RlocOptions);

/// What an operator may switch on, one at a time: what a packet costs then. Suite: the packets are encrypted.
const FEATURES: [(&str, Option<Suite>, Choose); 7] = [
    ("dscp", None, |vrf, _| vrf.encap_dscp = Some(46)),
    ("mss", None, |vrf, _| vrf.clamp_mss_to_mtu = Some(1464)),
    ("not_ect", None, |_, options| options.ecn_compatible = true),
    ("udp_checksum", None, |_, options| options.udp_checksum = true),
    ("may_fragment", None, |_, options| options.may_fragment = true),
    ("aes", Some(Suite::Aes128Gcm), |_, options| options.encrypted = true),
    ("chacha", Some(Suite::ChaCha20Poly1305), |_, options| options.encrypted = true),
];

/// UDP payloads of the "simple IMIX": 7 packets of 46, 4 of 576, 1 of 1400 bytes of IP.
const IMIX: [usize; 12] = [18, 548, 18, 18, 548, 18, 18, 548, 18, 1372, 548, 18];

pub(super) fn run(setup: &Setup) -> Result<Vec<Metric>> {
    let mut metrics = Vec::new();
    for (mappings, size) in SIZES {
        for outer_v6 in [false, true] {
            let name = |case: &str| format!("{case}_{size}_cycles");
            let few = |case| if mappings == SIZES[0].0 { few(setup, case, size) } else { Vec::new() };
            let wanted = |case| setup.wants(&name(case)) || !few(case).is_empty();
            let cases = || CASES.into_iter().filter(|case| case.3 == outer_v6 && wanted(case.0));
            let extra = |what: &str| !outer_v6 && setup.wants(&name(&format!("encap_v4in4_{what}")));
            let features =
                || FEATURES.into_iter().filter(|feature| mappings == SIZES[0].0 && extra(feature.0));
            if cases().next().is_none() && !extra("imix") && !extra("zipf") && features().next().is_none() {
                continue;
            }
            let mut world = World::new(&setup.pool, ROTATION, Size::of(mappings), outer_v6);
            for (case, way, inner_v6, _) in cases() {
                let frames = frames(way, inner_v6, outer_v6, &[18]);
                let from = if way == Way::Decapsulate { CORE } else { NATIVE };
                let to = match way {
                    Way::Encapsulate => Destinations::Uniform(mappings),
                    Way::Decapsulate | Way::Forward => Destinations::AsWritten,
                };
                world.worker.io_mut().load(frames, from, to);
                if setup.wants(&name(case)) {
                    metrics.push(measure(setup, &mut world, name(case))?);
                    if !outer_v6 {
                        metrics.extend(stages(setup, &mut world, &name(case))?);
                    }
                }
                for (burst, name) in few(case) {
                    world.worker.io_mut().burst = burst;
                    metrics.push(measure(setup, &mut world, name)?);
                    world.worker.io_mut().burst = BURST;
                }
            }
            for (feature, suite, choose) in features() {
                let (mut vrf, mut options) = (proxy(), RlocOptions::default());
                choose(&mut vrf, &mut options);
                if let Some(suite) = suite {
                    world.encrypt(Size::of(mappings), suite);
                }
                world.choose(Size::of(mappings), vrf, options);
                to_mappings(&mut world, mappings);
                metrics.push(measure(setup, &mut world, name(&format!("encap_v4in4_{feature}")))?);
                world.choose(Size::of(mappings), proxy(), RlocOptions::default());
            }
            for (what, payloads, to) in [
                ("zipf", &[18][..], Destinations::Zipf(mappings)),
                ("imix", &IMIX[..], Destinations::Uniform(mappings)),
            ] {
                if extra(what) {
                    let frames = frames(Way::Encapsulate, false, false, payloads);
                    world.worker.io_mut().load(frames, NATIVE, to);
                    metrics.push(measure(setup, &mut world, name(&format!("encap_v4in4_{what}")))?);
                }
            }
        }
    }
    Ok(metrics)
}

/// Frames of 64 bytes (with FCS) or as long as their headers and payload are.
fn frames(way: Way, inner_v6: bool, outer_v6: bool, payloads: &[usize]) -> Vec<Vec<u8>> {
    let frame = |n: u32| {
        let (us, ports) = (outsider(n, inner_v6), (1024 + (n % 60_000) as u16, 2000));
        let payload = vec![0; payloads[n as usize % payloads.len()]];
        framed(&match way {
            Way::Encapsulate => frames::ip(us, frames::eid(n, inner_v6), ports, &payload),
            Way::Forward => frames::ip(outsider(9, false), us, ports, &payload),
            Way::Decapsulate => {
                let inner = frames::ip(frames::eid(n, inner_v6), us, ports, &payload);
                encapsulated(&inner, n, outer_v6)
            }
        })
    };
    (0..ROTATION as u32).map(frame).collect()
}

/// Bursts in a sample: few, so that most samples are over before another process gets the CPU.
const SAMPLE: usize = 16;

/// Cycles of the worker, without those of the harness.
fn measure(setup: &Setup, world: &mut World, name: String) -> Result<Metric> {
    let mut samples = Vec::new();
    let (warm_up, count) = if setup.quick { (1, 2) } else { (1000, 8000) };
    for turn in 0..warm_up + count {
        let sample = forward(world, SAMPLE)?;
        if turn >= warm_up {
            samples.push(sample);
        }
    }
    Ok(Metric::of(name, "cycles/packet", samples))
}

/// Cycles of the worker by stage, in a run of its own: to read the clock between stages takes some. What is
/// left is the poll around them.
fn stages(setup: &Setup, world: &mut World, name: &str) -> Result<[Metric; 5]> {
    let mut samples: [Vec<f64>; 5] = Default::default();
    world.worker.io_mut().metering = true;
    for _ in 0..if setup.quick { 1 } else { 2000 } {
        let all = forward(world, SAMPLE)?;
        let cycles = world.worker.io_mut().cycles();
        let each = [cycles.parse, cycles.lookup, cycles.rewrite, cycles.send]
            .map(|cycles| cycles as f64 / (SAMPLE * BURST) as f64);
        for (samples, sample) in samples.iter_mut().zip(each) {
            samples.push(sample);
        }
        samples[4].push((all - each.iter().sum::<f64>()).max(0.0));
    }
    world.worker.io_mut().metering = false;
    let names = ["parse", "lookup", "rewrite", "send", "poll"].map(|stage| format!("{name}_{stage}"));
    let [a, b, c, d, e] = names;
    let [p, q, r, s, t] = samples;
    Ok([(a, p), (b, q), (c, r), (d, s), (e, t)].map(|(n, samples)| Metric::of(n, "cycles/packet", samples)))
}

/// Small bursts that are to be measured of a case, and their names.
fn few(setup: &Setup, case: &str, size: &str) -> Vec<(usize, String)> {
    let named = FEW.map(|burst| (burst, format!("{case}_{size}_burst{burst}_cycles")));
    let wanted = |name: &str| FEW_CASES.contains(&case) && setup.wants(name);
    named.into_iter().filter(|(_, name)| wanted(name)).collect()
}

/// Lets all packets through once.
pub(super) fn rotation(world: &mut World) -> Result<f64> {
    forward(world, ROTATION / BURST)
}

/// Lets so many bursts through. All must come out.
fn forward(world: &mut World, bursts: usize) -> Result<f64> {
    world.worker.io_mut().grant(bursts);
    let start = tsc();
    for _ in 0..bursts {
        world.worker.poll_once();
    }
    let total = tsc() - start;
    let io = world.worker.io_mut();
    let packets = (bursts * io.burst) as u64;
    ensure!(io.sent == packets, "{} of {packets} packets sent: {:?}", io.sent, world.stats.snapshot());
    Ok(total.saturating_sub(io.harness_cycles) as f64 / packets as f64)
}

/// Packets for mappings, from the native side.
pub(super) fn to_mappings(world: &mut World, mappings: u32) {
    let frames = frames(Way::Encapsulate, false, false, &[18]);
    let from: PortId = NATIVE;
    world.worker.io_mut().load(frames, from, Destinations::Uniform(mappings));
}
