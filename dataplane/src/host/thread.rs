//! The thread that serves all host ports.

use super::face::{Face, SubFace, SubFaces};
use super::ring::HostEnd;
use super::stats::HostStats;
use dpdk_sys::{Burst, Eal, Tap, lcore};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Packets moved per port, direction and turn.
const TURN: usize = 32;
/// Taps served in a turn; the kernel goes round among those that have frames.
const TAPS_PER_TURN: usize = 64;
/// Turns without a packet before it sleeps.
const SPINS: u32 = 16;
/// First and longest sleep; it doubles in between.
const SLEEP_MIN: Duration = Duration::from_micros(10);
const SLEEP_MAX: Duration = Duration::from_micros(200);

/// One port: its faces and the rings to the workers.
#[derive(Debug)]
pub struct HostPort {
    face: Face,
    subs: SubFaces,
    end: HostEnd,
    stats: Arc<HostStats>,
}

impl HostPort {
    /// The port's own face, and those of its sub-interfaces.
    #[must_use]
    pub fn new(face: Face, subs: Vec<SubFace>, end: HostEnd, stats: Arc<HostStats>) -> Self {
        Self { face, subs: SubFaces::new(subs), end, stats }
    }

    /// Its taps, with their places.
    fn taps(&self) -> impl Iterator<Item = (u32, &Tap)> {
        let own = match &self.face {
            Face::Tap(tap) => Some((OWN, tap)),
            Face::None | Face::Queues(..) => None,
        };
        own.into_iter().chain((0..).zip(self.subs.all.iter().map(|sub| &sub.tap)))
    }

    /// One turn in both directions; returns the packets moved.
    fn turn(&mut self, burst: &mut Burst) -> usize {
        let mut moved = 0;
        for worker in 0..self.end.workers() {
            let count = self.end.take(worker, burst, TURN);
            if count > 0 {
                moved += count;
                self.subs.send(burst);
                let (sent, refused) = self.face.send(burst);
                self.stats.add_to_kernel(sent, refused);
            }
        }
        moved + self.receive(burst)
    }

    fn receive(&mut self, burst: &mut Burst) -> usize {
        let count = self.face.receive(burst, TURN);
        if count == 0 {
            return 0;
        }
        let full = burst.drain().map(|mbuf| self.end.put(mbuf)).filter(Result::is_err).count();
        self.stats.add_from_kernel((count - full) as u64, full as u64);
        count
    }

    /// Takes what the kernel wants sent by the tap at this place.
    fn receive_tap(&mut self, place: u32) -> usize {
        let Self { face, subs, end, stats } = self;
        let mut count = 0;
        while count < TURN {
            let (mbuf, stats) = match (place, &mut *face, subs.all.get_mut(place as usize)) {
                (OWN, Face::Tap(tap), _) => (tap.read(), &**stats),
                (_, _, Some(sub)) => (sub.read(), sub.stats()),
                _ => return count,
            };
            let Some(mbuf) = mbuf else { break };
            let full = u64::from(end.put(mbuf).is_err());
            stats.add_from_kernel(1 - full, full);
            count += 1;
        }
        count
    }
}

/// Place of a port's own tap; its sub-interfaces have 0, 1, 2, ...
const OWN: u32 = u32::MAX;

/// The taps of all ports, looked after together: one system call says which have frames.
#[derive(Debug)]
struct Taps {
    epoll: Epoll,
    events: [EpollEvent; TAPS_PER_TURN],
}

impl Taps {
    /// `None`: there are no taps.
    fn new(ports: &[HostPort]) -> std::io::Result<Option<Self>> {
        if ports.iter().all(|port| port.taps().next().is_none()) {
            return Ok(None);
        }
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        for (number, port) in (0u64..).zip(ports) {
            for (place, tap) in port.taps() {
                epoll.add(tap, EpollEvent::new(EpollFlags::EPOLLIN, number << 32 | u64::from(place)))?;
            }
        }
        Ok(Some(Self { epoll, events: [EpollEvent::empty(); TAPS_PER_TURN] }))
    }

    /// Serves those that have something. Returns the packets moved.
    fn turn(&mut self, ports: &mut [HostPort]) -> usize {
        let ready = self.epoll.wait(&mut self.events, EpollTimeout::ZERO).unwrap_or(0);
        let tap = |event: &EpollEvent| {
            let port = ports.get_mut((event.data() >> 32) as usize);
            port.map_or(0, |port| port.receive_tap(event.data() as u32))
        };
        self.events.iter().take(ready).map(tap).sum()
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
    /// The system has no thread or file descriptor left.
    pub fn spawn(eal: &Eal, ports: Vec<HostPort>) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (eal, seen) = (eal.clone(), stop.clone());
        let taps = Taps::new(&ports)?;
        let run = move || {
            // Without an lcore id mempool accesses are uncached, slower, and still right.
            let _registration = lcore::register(&eal).ok();
            serve(ports, taps, &seen);
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

fn serve(mut ports: Vec<HostPort>, mut taps: Option<Taps>, stop: &AtomicBool) {
    let mut burst = Burst::new();
    let mut idle = 0u32;
    while !stop.load(Ordering::Relaxed) {
        let turned: usize = ports.iter_mut().map(|port| port.turn(&mut burst)).sum();
        let moved = turned + taps.as_mut().map_or(0, |taps| taps.turn(&mut ports));
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
