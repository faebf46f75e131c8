//! `churn`: a second thread changes mappings at a steady rate while packets flow.

use super::list::Setup;
use super::path::{self, ROTATION};
use crate::frames;
use crate::report::{Metric, median};
use crate::world::{Size, VRF, World};
use anyhow::{Context, Result};
use dpdk_sys::{lcore, tsc, tsc_hz};
use pxtr_dataplane::feed::{Delta, MapAction, Target};
use pxtr_dataplane::io::BURST;
use pxtr_dataplane::replica::Supplier;
use pxtr_dataplane::ring::Producer;
use pxtr_dataplane::types::{EntryId, RlocId};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

const MAPPINGS: u32 = 100_000;
const RATES: [(u32, &str); 4] = [(0, "none"), (1_000, "1k"), (10_000, "10k"), (100_000, "100k")];

/// Each rate has its turn so many times: the machine is not the same from one second to the next, so that a ratio is
/// that of neighbouring turns.
const TURNS: usize = 12;

/// What came of one rate in its turns.
#[derive(Default)]
struct Taken {
    mpps: Vec<f64>,
    ratios: Vec<f64>,
    lost: f64,
    changes: f64,
    seconds: f64,
}

pub(super) fn run(setup: &Setup) -> Result<Vec<Metric>> {
    let mut world = World::new(&setup.pool, ROTATION, Size::of(MAPPINGS), false);
    path::to_mappings(&mut world, MAPPINGS);
    let mut taken: [Taken; RATES.len()] = Default::default();
    for _ in 0..if setup.quick { 1 } else { TURNS } {
        let mut undisturbed = 0.0;
        for ((rate, _), taken) in RATES.into_iter().zip(&mut taken) {
            let turn = disturbed(setup, &mut world, rate)?;
            let median = median(&turn.mpps);
            if rate == 0 {
                undisturbed = median;
            }
            taken.ratios.push(median / undisturbed);
            taken.mpps.extend(turn.mpps);
            taken.lost += turn.lost;
            taken.changes += turn.changes;
            taken.seconds += turn.seconds;
        }
    }
    let mut metrics = Vec::new();
    for ((rate, name), taken) in RATES.into_iter().zip(taken) {
        if rate > 0 {
            metrics.push(Metric::rate(format!("churn_{name}_rate_ratio"), "", taken.ratios));
            metrics.push(Metric::exact(format!("churn_{name}_lost_packets"), "packets", taken.lost));
            let changes = taken.changes / taken.seconds;
            metrics.push(Metric::exact(format!("churn_{name}_changes_per_second"), "1/s", changes));
        }
        metrics.push(Metric::rate(format!("churn_{name}_mpps"), "Mpps", taken.mpps));
    }
    Ok(metrics)
}

/// One turn: packets per second by sample (harness included, the same for all rates), packets lost, and changes
/// that were applied.
fn disturbed(setup: &Setup, world: &mut World, rate: u32) -> Result<Taken> {
    let seconds = if setup.quick { 0.05 } else { 0.5 };
    let stop = AtomicBool::new(false);
    let (spare, _) = pxtr_dataplane::ring::ring(1);
    let feed = std::mem::replace(&mut world.feed, spare);
    let before = world.stats.snapshot().applied;
    let supplier = &mut world.supplier;
    let (worker, retired) = (&mut world.worker, &mut world.retired);
    let (mpps, lost, feed) = std::thread::scope(|scope| {
        let feeder = scope.spawn(|| {
            let cpu = lcore::pin_and_register(&setup.eal, setup.second_cpu);
            let feed = churn(feed, supplier, rate, &stop);
            drop(cpu);
            feed
        });
        let (mut samples, mut lost) = (Vec::new(), 0);
        let end = tsc() + (seconds * tsc_hz() as f64) as u64;
        while tsc() < end {
            worker.io_mut().grant(ROTATION / BURST);
            let start = tsc();
            while worker.io_mut().quota > 0 {
                worker.poll_once();
                while retired.pop().is_some() {}
            }
            let io = worker.io_mut();
            samples.push(io.received as f64 * tsc_hz() as f64 / (tsc() - start) as f64 / 1e6);
            lost += io.received - io.sent;
        }
        stop.store(true, Relaxed);
        (samples, lost, feeder.join().ok())
    });
    world.feed = feed.context("the feeding thread ended early")?;
    world.settle();
    let changes = (world.stats.snapshot().applied - before) as f64;
    Ok(Taken { mpps, lost: lost as f64, changes, seconds, ratios: Vec::new() })
}

/// Replaces, removes and adds mappings: each second change takes back the one before it.
fn churn(
    mut feed: Producer<Delta>,
    supplier: &mut Supplier,
    rate: u32,
    stop: &AtomicBool,
) -> Producer<Delta> {
    let Some(interval) = tsc_hz().checked_div(u64::from(rate)) else { return feed };
    let (mut due, mut turn) = (tsc(), 0u32);
    while !stop.load(Relaxed) {
        if tsc() < due {
            std::hint::spin_loop();
            continue;
        }
        due += interval;
        // Of the IPv4 mappings, that packets go to, another RLOC; of the IPv6 ones, come and go.
        let n = (turn / 4).wrapping_mul(40_503) % MAPPINGS;
        let map = |v6, to: u32| Delta::MapSet {
            vrf: VRF,
            prefix: frames::prefix(n, v6),
            entry: EntryId(2 * n + u32::from(v6)),
            action: MapAction::Encapsulate(Target::Rloc(RlocId(to % MAPPINGS))),
        };
        let mut delta = Some(match turn % 4 {
            0 => map(false, n + 1),
            1 => Delta::MapDel { vrf: VRF, prefix: frames::prefix(n, true) },
            2 => map(false, n),
            _ => map(true, n),
        });
        turn = turn.wrapping_add(1);
        delta.iter().for_each(|delta| supplier.before(delta, || feed.len()));
        while let Some(next) = delta.take() {
            delta = feed.push(next).err();
            if stop.load(Relaxed) && turn % 4 == 0 {
                break;
            }
        }
    }
    // Whole turns: the tables are as they were.
    feed
}
