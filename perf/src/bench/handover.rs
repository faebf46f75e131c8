//! Part of `scale`: what it costs that workers spread packets themselves (`spread = "software"`), and two workers behind
//! one queue against one.
//!
//! One worker receives all, keeps the half whose flows are its own, and hands the others over; the other sends those,
//! and gives the buffers back. Both do all that a PITR does. What the rig does (giving packets, taking them back) is not
//! counted; neither is waiting for each other: before a sample the first waits until the ring has room for all of it.

use super::list::Setup;
use super::path::{self, ROTATION};
use crate::report::Metric;
use crate::world::{Size, World};
use anyhow::{Context, Result};
use dpdk_sys::{Burst, lcore, tsc, tsc_hz};
use pxtr_dataplane::counters::WorkerStats;
use pxtr_dataplane::io::BURST;
use pxtr_dataplane::ring::{Consumer, ring};
use pxtr_dataplane::worker::Handover;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc;

/// Bursts of one sample: what is handed over of them fits the ring.
const SAMPLE: usize = 16;

/// Packets that may wait for the second worker at the beginning of a sample: half of the ring.
const BACKLOG: u64 = 512;

/// The second worker, as the first one sees it.
struct Other {
    stats: Arc<WorkerStats>,
    back: Consumer<dpdk_sys::Mbuf>,
}

/// `alone`: cycles a packet of one worker that spreads nothing, in this run.
pub(super) fn run(setup: &Setup, mappings: u32, seconds: f64, alone: f64) -> Result<Vec<Metric>> {
    let mut ends = Handover::<Burst>::between(&[true, false], &[true; 2]).into_iter();
    let (mine, theirs) = (ends.next().context("no rings")?, ends.next().context("no rings")?);
    let stop = AtomicBool::new(false);
    let (say, hear) = mpsc::channel();
    let (receiver, other) = std::thread::scope(|scope| {
        let stop = &stop;
        let other = scope.spawn(move || second(setup, mappings, (theirs, say), stop));
        let done = hear.recv().context("the second worker did not start");
        let samples = done.map(|other| first(setup, mappings, (mine, other), seconds));
        stop.store(true, Relaxed);
        (samples, other.join())
    });
    let (received, share) = receiver?;
    let other = other.ok().context("the second worker panicked")??;
    let (received, other) = (
        Metric::of("handover_receiver_cycles", "cycles/packet", received),
        Metric::of("handover_taker_cycles", "cycles/packet", other),
    );
    // Of each packet received, the slower of both has the last word.
    let pair = received.value.max(other.value * share);
    let mpps = |cycles: f64| Metric::exact("handover_2_workers_mpps", "Mpps", tsc_hz() as f64 / cycles / 1e6);
    Ok(vec![
        Metric::exact("handover_share", "", share),
        Metric::exact("handover_cost_cycles", "cycles/packet", received.value - alone * (1.0 - share)),
        mpps(pair),
        Metric::exact("handover_2_workers_ratio", "", alone / pair),
        received,
        other,
    ])
}

/// The worker that receives: cycles for each packet received, sample by sample, and the share that it hands over.
fn first(
    setup: &Setup,
    mappings: u32,
    (handover, other): (Handover<Burst>, Other),
    seconds: f64,
) -> (Vec<f64>, f64) {
    let mut world = World::new(&setup.pool, ROTATION, Size::of(mappings), false).handing(handover);
    path::to_mappings(&mut world, mappings);
    world.worker.io_mut().back = Some(other.back);
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
        while other.stats.taken_over.get() + BACKLOG < world.stats.handed_over.get() {
            std::hint::spin_loop();
        }
    }
    let share = world.stats.handed_over.get() as f64 / world.stats.received.get().max(1) as f64;
    (samples, share)
}

/// The worker that receives nothing: cycles for each packet taken over, sample by sample.
fn second(
    setup: &Setup,
    mappings: u32,
    (handover, say): (Handover<Burst>, mpsc::Sender<Other>),
    stop: &AtomicBool,
) -> Result<Vec<f64>, dpdk_sys::Error> {
    let _cpu = lcore::pin_and_register(&setup.eal, setup.second_cpu)?;
    let mut world = World::new(&setup.pool, 0, Size::of(mappings), false).handing(handover);
    let (home, back) = ring(2 * ROTATION);
    world.worker.io_mut().home = Some(home);
    // Who hears this waits for it; if it is gone, `stop` comes.
    let _ = say.send(Other { stats: world.stats.clone(), back });
    let (mut samples, mut cycles, mut packets) = (Vec::new(), 0, 0);
    while !stop.load(Relaxed) {
        world.worker.io_mut().grant(0);
        let start = tsc();
        let found = world.worker.poll_once();
        if found == 0 {
            continue;
        }
        cycles += (tsc() - start).saturating_sub(world.worker.io_mut().harness_cycles);
        packets += found;
        if packets >= SAMPLE * BURST / 2 {
            samples.push(cycles as f64 / packets as f64);
            (cycles, packets) = (0, 0);
        }
    }
    Ok(samples)
}
