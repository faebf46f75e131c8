//! The thread that serves all host ports.

use super::ring::HostEnd;
use super::stats::HostStats;
use dpdk_sys::{Burst, Eal, RxQueue, TxQueue, lcore};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Packets moved per port, direction and turn.
const TURN: usize = 32;
/// Turns without a packet before it sleeps.
const SPINS: u32 = 16;
/// First and longest sleep; it doubles in between.
const SLEEP_MIN: Duration = Duration::from_micros(10);
const SLEEP_MAX: Duration = Duration::from_micros(200);

/// One host port: the queue pair of its device, and the rings to the workers.
#[derive(Debug)]
pub struct HostPort {
    rx: RxQueue,
    tx: TxQueue,
    end: HostEnd,
    stats: Arc<HostStats>,
}

impl HostPort {
    /// `rx` and `tx` are the only queues of the device that faces the kernel.
    #[must_use]
    pub fn new(rx: RxQueue, tx: TxQueue, end: HostEnd, stats: Arc<HostStats>) -> Self {
        Self { rx, tx, end, stats }
    }

    /// One turn in both directions; returns the packets moved.
    fn turn(&mut self, burst: &mut Burst) -> usize {
        let mut moved = 0;
        for worker in 0..self.end.workers() {
            moved += self.end.take(worker, burst, TURN);
            self.send(burst);
        }
        moved + self.receive(burst)
    }

    /// Sends all of it. A packet that the kernel does not take is dropped alone: it may only be too
    /// large, and those behind it may pass.
    fn send(&mut self, burst: &mut Burst) {
        let (mut sent, mut refused) = (0, 0);
        while !burst.is_empty() {
            sent += self.tx.burst(burst) as u64;
            refused += burst.drop_first() as u64;
        }
        self.stats.add_to_kernel(sent, refused);
    }

    fn receive(&mut self, burst: &mut Burst) -> usize {
        let count = self.rx.burst_up_to(burst, TURN);
        if count == 0 {
            return 0;
        }
        let full = burst.drain().map(|mbuf| self.end.put(mbuf)).filter(Result::is_err).count();
        self.stats.add_from_kernel((count - full) as u64, full as u64);
        count
    }
}

/// The running thread. Dropping it stops it and waits for its end; its ports are closed with it.
#[derive(Debug)]
pub struct HostThread {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl HostThread {
    /// Starts it on whichever CPU the EAL's housekeeping may use.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn spawn(eal: &Eal, ports: Vec<HostPort>) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (eal, seen) = (eal.clone(), stop.clone());
        let run = move || {
            // Without an lcore id mempool accesses are uncached, slower, and still right.
            let _registration = lcore::register(&eal).ok();
            serve(ports, &seen);
        };
        let thread = std::thread::Builder::new().name("pxtr-host".into()).spawn(run)?;
        Ok(Self { stop, thread: Some(thread) })
    }

    /// Whether it still runs; it only ends by itself when it panics.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }
}

impl Drop for HostThread {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic in it was printed when it happened; there is nothing left to do about it.
            let _ = thread.join();
        }
    }
}

fn serve(mut ports: Vec<HostPort>, stop: &AtomicBool) {
    let mut burst = Burst::new();
    let mut idle = 0u32;
    while !stop.load(Ordering::Relaxed) {
        let moved: usize = ports.iter_mut().map(|port| port.turn(&mut burst)).sum();
        if moved > 0 {
            idle = 0;
            continue;
        }
        idle = idle.saturating_add(1);
        if let Some(pause) = pause(idle) {
            std::thread::sleep(pause);
        }
    }
}

/// How long to sleep after `idle` turns without a packet: not at all, then longer and longer.
fn pause(idle: u32) -> Option<Duration> {
    let step = idle.checked_sub(SPINS)?;
    let factor = 1u32.checked_shl(step).unwrap_or(u32::MAX);
    Some(SLEEP_MIN.saturating_mul(factor).min(SLEEP_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_thread_sleeps_longer_up_to_the_limit() {
        assert_eq!(pause(0), None);
        assert_eq!(pause(SPINS - 1), None);
        assert_eq!(pause(SPINS), Some(SLEEP_MIN));
        assert_eq!(pause(SPINS + 2), Some(SLEEP_MIN * 4));
        assert_eq!(pause(SPINS + 10), Some(SLEEP_MAX));
        assert_eq!(pause(u32::MAX), Some(SLEEP_MAX));
    }
}
