//! `scale`: two workers with a replica each, on a core each, against one; the same behind one queue, of which one
//! hands over to the other; and a model of more.
//!
//! The model is a model: it takes each worker for one whose share of the last-level cache shrinks with their
//! number, so that n workers with tables of m mappings run like one with n times m, and interpolates what
//! was measured for one worker. Memory bandwidth, NIC and clock rate under load are not in it.

use super::handover;
use super::list::Setup;
use super::path::{self, ROTATION};
use crate::report::Metric;
use crate::world::{Size, World};
use anyhow::{Context, Result};
use dpdk_sys::{lcore, tsc, tsc_hz};
use pxtr_dataplane::io::BURST;
use std::sync::Barrier;

const MAPPINGS: u32 = 100_000;
/// Mappings for which one worker is measured, for the model.
const CURVE: [u32; 4] = [10_000, 100_000, 1_000_000, 2_000_000];
/// Cores that the model is asked for.
const CORES: [u32; 5] = [4, 8, 16, 32, 64];
/// Bursts of one sample: so few that most samples see no other process on their core.
const SAMPLE: usize = 16;

pub(super) fn run(setup: &Setup) -> Result<Vec<Metric>> {
    let seconds = if setup.quick { 0.05 } else { 3.0 };
    let mut samples = one(setup, MAPPINGS, seconds);
    let both = if setup.wants("scale_2_workers") { two(setup, seconds)? } else { Vec::new() };
    // Before and after the two: other load on the machine comes and goes.
    samples.extend(one(setup, MAPPINGS, seconds));
    let alone = cycles(MAPPINGS, samples);
    let mut metrics = Vec::new();
    if !both.is_empty() {
        let rate = |cycles: f64| tsc_hz() as f64 / cycles / 1e6;
        let together = both.iter().map(|m| rate(m.value)).sum::<f64>();
        metrics.push(Metric::exact("scale_1_worker_mpps", "Mpps", rate(alone.value)));
        metrics.push(Metric::exact("scale_2_workers_mpps", "Mpps", together));
        metrics.push(Metric::exact("scale_2_workers_ratio", "", together / rate(alone.value)));
        metrics.extend(both);
    }
    if setup.wants("handover") {
        metrics.extend(handover::run(setup, MAPPINGS, seconds, alone.value)?);
    }
    let known = (f64::from(MAPPINGS), alone.value);
    metrics.push(alone);
    if setup.wants("scale_model") && !setup.quick {
        let mut curve = Vec::new();
        for mappings in CURVE {
            if mappings == MAPPINGS {
                curve.push(known);
                continue;
            }
            let metric = cycles(mappings, one(setup, mappings, 1.0));
            curve.push((f64::from(mappings), metric.value));
            metrics.push(metric);
        }
        metrics.extend(model(&curve, tsc_hz() as f64));
    }
    Ok(metrics)
}

/// A worker on the calling thread's core.
fn one(setup: &Setup, mappings: u32, seconds: f64) -> Vec<f64> {
    forward(&mut furnished(setup, mappings), seconds)
}

fn cycles(mappings: u32, samples: Vec<f64>) -> Metric {
    Metric::of(format!("scale_1_worker_{}k_cycles", mappings / 1000), "cycles/packet", samples)
}

/// Two at the same time. Their samples count only while both run.
fn two(setup: &Setup, seconds: f64) -> Result<Vec<Metric>> {
    let start = Barrier::new(2);
    let mut mine = furnished(setup, MAPPINGS);
    let (here, there) = std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            let cpu = lcore::pin_and_register(&setup.eal, setup.second_cpu)?;
            let mut world = furnished(setup, MAPPINGS);
            start.wait();
            let samples = forward(&mut world, seconds);
            drop(cpu);
            Ok::<_, dpdk_sys::Error>(samples)
        });
        start.wait();
        (forward(&mut mine, seconds), other.join())
    });
    let there = there.ok().context("the second worker panicked")??;
    let name = |which| format!("scale_worker_{which}_of_2_cycles");
    Ok(vec![Metric::of(name("a"), "cycles/packet", here), Metric::of(name("b"), "cycles/packet", there)])
}

fn furnished(setup: &Setup, mappings: u32) -> World {
    let mut world = World::new(&setup.pool, ROTATION, Size::of(mappings), false);
    path::to_mappings(&mut world, mappings);
    world
}

/// Cycles of a packet, without those of the harness, sample by sample.
fn forward(world: &mut World, seconds: f64) -> Vec<f64> {
    let mut samples = Vec::new();
    let end = tsc() + (seconds * tsc_hz() as f64) as u64;
    while tsc() < end {
        world.worker.io_mut().grant(SAMPLE);
        let start = tsc();
        for _ in 0..SAMPLE {
            world.worker.poll_once();
        }
        let total = tsc() - start;
        let io = world.worker.io_mut();
        samples.push(total.saturating_sub(io.harness_cycles) as f64 / (SAMPLE * BURST) as f64);
    }
    samples
}

/// Rates of more cores, each with tables of 100,000 and of 1,000,000 mappings, from the curve of one worker.
fn model(curve: &[(f64, f64)], hz: f64) -> Vec<Metric> {
    let mut metrics = Vec::new();
    for (mappings, size) in [(1e5, "100k"), (1e6, "1m")] {
        for cores in CORES {
            let cycles = cycles_at(curve, mappings * f64::from(cores));
            let mpps = f64::from(cores) * hz / cycles / 1e6;
            metrics.push(Metric::exact(format!("scale_model_{size}_{cores}_cores_mpps"), "Mpps", mpps));
        }
    }
    metrics
}

/// Cycles for so many mappings: straight between the points, over the logarithm of the mappings. Beyond the
/// last point it goes on for one more doubling only: by then every lookup misses the cache.
fn cycles_at(curve: &[(f64, f64)], mappings: f64) -> f64 {
    let (Some(first), Some(last)) = (curve.first(), curve.last()) else { return f64::NAN };
    let mappings = mappings.clamp(first.0, 2.0 * last.0);
    let segment = curve.windows(2).find(|pair| mappings <= pair[1].0).or_else(|| curve.windows(2).last());
    let Some([low, high]) = segment else { return first.1 };
    let share = (mappings / low.0).ln() / (high.0 / low.0).ln();
    low.1 + share * (high.1 - low.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_goes_straight_between_points_and_stops_soon_behind_the_last() {
        let curve = [(1e4, 100.0), (1e5, 200.0), (1e6, 300.0)];
        assert_eq!(cycles_at(&curve, 1.0), 100.0);
        assert!((cycles_at(&curve, 1e5) - 200.0).abs() < 1e-9);
        assert!((cycles_at(&curve, 1e9) - 330.1).abs() < 0.1);
        assert!(model(&curve, 2.6e9).iter().all(|m| m.value > 0.0));
    }
}
