//! `access`: what a cache line costs that the caches do not hold, in memory of several sizes: what no table can do without,
//! so that the cycles of `path` and `lpm` for large tables can be judged.

use super::list::Setup;
use crate::report::Metric;
use anyhow::Result;
use dpdk_sys::{Zeroed, prefetch, tsc};
use std::hint::black_box;

/// Reads that are under way at the same time: as many as a burst has packets.
const LANES: usize = 32;
/// Reads in a sample.
const SAMPLE: usize = 1 << 14;
const MIB: usize = 1 << 20;

/// As much as one cache line.
type Line = [u64; 8];
const IN_A_MIB: usize = MIB / size_of::<Line>();

pub(super) fn run(setup: &Setup) -> Result<Vec<Metric>> {
    let mut metrics = Vec::new();
    for mib in [1, 8, 16, 32, 64] {
        let name = |pages: &str| format!("access_{mib}m_{pages}_cycles");
        if setup.wants(&name("4k")) {
            // The allocator asks for no hugepages.
            let lines: Vec<Line> = vec![[1; 8]; mib * IN_A_MIB];
            metrics.push(Metric::of(name("4k"), "cycles/read", reads(setup, &lines)));
        }
        if setup.wants(&name("2m")) {
            let lines = Zeroed::<Line>::new(mib.next_multiple_of(2) * IN_A_MIB);
            lines.populate(0..lines.len());
            let lines = lines.get(..mib * IN_A_MIB).unwrap_or_default();
            metrics.push(Metric::of(name("2m"), "cycles/read", reads(setup, lines)));
        }
    }
    Ok(metrics)
}

/// Cycles a read of a line anywhere in there. Each is asked for before the first of its burst is read, as a worker does.
fn reads(setup: &Setup, lines: &[Line]) -> Vec<f64> {
    let (mut random, mut sum, mut samples) = (0x9E37_79B9_7F4A_7C15_u64, 0, Vec::new());
    let mut places = vec![0; SAMPLE];
    for _ in 0..if setup.quick { 2 } else { 300 } {
        for place in &mut places {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            *place = (random as u32 as usize * lines.len()) >> 32;
        }
        let start = tsc();
        for burst in places.chunks(LANES) {
            for line in burst.iter().filter_map(|place| lines.get(*place)) {
                prefetch(line);
            }
            for line in burst.iter().filter_map(|place| lines.get(*place)) {
                sum += line[0];
            }
            // The next burst begins when this one is done: its places are known too early here.
            black_box(sum);
        }
        samples.push((tsc() - start) as f64 / SAMPLE as f64);
    }
    samples
}
