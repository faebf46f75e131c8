//! `flood`: every second packet goes to another EID that no mapping covers.

use super::list::Setup;
use super::path::ROTATION;
use crate::carousel::Destinations;
use crate::frames::{self, framed, outsider};
use crate::report::{Metric, median};
use crate::world::{NATIVE, Size, VRF, World};
use anyhow::Result;
use dpdk_sys::tsc;
use pxtr_dataplane::feed::{Delta, MapAction};
use pxtr_dataplane::io::BURST;
use pxtr_dataplane::types::EntryId;

const MAPPINGS: u32 = 10_000;
const UNRESOLVED: u32 = 1 << 16;
/// Without misses and with them in turn, so many times: a ratio is that of neighbours in time.
const TURNS: usize = 12;

pub(super) fn run(setup: &Setup) -> Result<Vec<Metric>> {
    let mut world = World::new(&setup.pool, ROTATION, Size::of(MAPPINGS), false);
    for (entry, prefix) in (2 * MAPPINGS..).zip(["96.0.0.0/4", "3000::/8"]) {
        let (prefix, action) = (prefix.parse()?, MapAction::SendMapRequest);
        world.apply(Delta::MapSet { vrf: VRF, prefix, entry: EntryId(entry), action });
    }
    world.settle();
    let mut metrics = flood(setup, &mut world, false, "flood");
    metrics.extend(flood(setup, &mut world, true, "flood_v6"));
    Ok(metrics)
}

/// Without misses and with, in one family.
fn flood(setup: &Setup, world: &mut World, v6: bool, name: &str) -> Vec<Metric> {
    let hit = |n: u32| (outsider(n, v6), frames::eid(n % MAPPINGS, v6));
    let miss = |n: u32| (outsider(n, v6), frames::unresolved(n, v6));
    let frame =
        |(from, to), n: u32| framed(&frames::ip(from, to, (1024 + n as u16 % 60_000, 2000), &[0; 18]));
    let hits: Vec<_> = (0..UNRESOLVED).map(|n| frame(hit(n), n)).collect();
    let mixed: Vec<_> =
        (0..UNRESOLVED).map(|n| frame(if n % 2 == 0 { hit(n) } else { miss(n) }, n)).collect();

    let (mut alone, mut flooded, mut ratios, mut lost) = (Vec::new(), Vec::new(), Vec::new(), 0.0);
    for _ in 0..if setup.quick { 1 } else { TURNS } {
        let (without, _) = measure(setup, world, &hits, 1);
        let (with, hits_lost) = measure(setup, world, &mixed, 2);
        ratios.push(median(&without) / median(&with));
        lost += hits_lost;
        alone.extend(without);
        flooded.extend(with);
    }
    vec![
        Metric::of(format!("{name}_none_cycles"), "cycles/packet", alone),
        Metric::of(format!("{name}_half_cycles"), "cycles/packet", flooded),
        Metric::rate(format!("{name}_hit_rate_ratio"), "", ratios),
        Metric::exact(format!("{name}_hit_lost_packets"), "packets", lost),
    ]
}

/// Cycles per packet, hit or miss, and hits that did not come out: one packet of `share` is a hit.
fn measure(setup: &Setup, world: &mut World, frames: &[Vec<u8>], share: u64) -> (Vec<f64>, f64) {
    world.worker.io_mut().load(frames.to_vec(), NATIVE, Destinations::AsWritten);
    let bursts = ROTATION / BURST;
    let (mut samples, mut hits, mut sent) = (Vec::new(), 0, 0);
    let (warm_up, count) = if setup.quick { (1, 3) } else { (10, 50) };
    for turn in 0..warm_up + count {
        world.worker.io_mut().grant(bursts);
        let start = tsc();
        for _ in 0..bursts {
            world.worker.poll_once();
            while world.punts.pop().is_some() {}
        }
        let total = tsc() - start;
        let io = world.worker.io_mut();
        if turn >= warm_up {
            samples.push(total.saturating_sub(io.harness_cycles) as f64 / io.received as f64);
        }
        hits += io.received / share;
        sent += io.sent;
    }
    (samples, hits as f64 - sent as f64)
}
