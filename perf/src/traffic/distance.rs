//! How far apart two CPUs are: what a cache line takes to get from one to the other. Virtual machines
//! change it under a running bench, and with it all that goes over shared memory.

use dpdk_sys::{Eal, lcore, tsc, tsc_hz};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// Turns of one sample: short, so that most samples see no other process on either CPU.
const TURNS: u64 = 1000;
const SAMPLES: usize = 300;

/// Nanoseconds that a cache line takes one way, median of many samples; the calling thread is on one CPU.
///
/// # Errors
/// The other CPU is not allowed.
pub fn one_way_ns(eal: &Eal, other_cpu: usize) -> anyhow::Result<f64> {
    let ball = AtomicU64::new(0);
    let total = TURNS * SAMPLES as u64;
    let mut samples = Vec::with_capacity(SAMPLES);
    std::thread::scope(|scope| {
        let answering = scope.spawn(|| {
            let pinned = lcore::pin_and_register(eal, other_cpu);
            for turn in 0..total {
                while ball.load(SeqCst) != 2 * turn + 1 {
                    std::hint::spin_loop();
                }
                ball.store(2 * turn + 2, SeqCst);
            }
            pinned.map(drop)
        });
        for sample in 0..SAMPLES as u64 {
            let start = tsc();
            for turn in sample * TURNS..(sample + 1) * TURNS {
                ball.store(2 * turn + 1, SeqCst);
                while ball.load(SeqCst) != 2 * turn + 2 {
                    std::hint::spin_loop();
                }
            }
            samples.push((tsc() - start) as f64 * 1e9 / tsc_hz() as f64 / (2 * TURNS) as f64);
        }
        answering.join().map_err(|_| anyhow::anyhow!("the answering thread panicked"))?.map_err(Into::into)
    })
    .map(|()| {
        samples.sort_by(f64::total_cmp);
        samples.get(SAMPLES / 2).copied().unwrap_or(0.0)
    })
}
