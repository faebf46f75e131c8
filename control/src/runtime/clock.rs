//! The only place that reads clocks: the engine's time, and a timer finer than a millisecond.

use crate::engine::event::Time;
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::net::unix::pipe;

/// Monotonic milliseconds since the start of the process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    start: Instant,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self { start: Instant::now() }
    }

    pub(super) fn now(self) -> Time {
        Time(u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    /// When the engine's clock shows `time`.
    pub(super) fn instant(self, time: Time) -> Instant {
        self.start + Duration::from_millis(time.0)
    }
}

/// Seconds since the Unix epoch, 0 if the clock was never set.
pub(super) fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

/// Milliseconds since the Unix epoch, 0 if the clock was never set.
pub(super) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A timer of the kernel's full resolution: tokio's own rounds to milliseconds, which a first packet
/// would feel.
pub(super) struct Timer {
    timer: TimerFd,
    /// A timerfd reads like a pipe: tokio only has to tell when.
    ready: pipe::Receiver,
}

impl Timer {
    /// To be called inside a tokio runtime.
    pub(super) fn new() -> io::Result<Self> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
        let ready = pipe::Receiver::from_owned_fd_unchecked(timer.as_fd().try_clone_to_owned()?)?;
        Ok(Self { timer, ready })
    }

    /// Waits until `deadline`. Cancel-safe: a new call sets the timer anew.
    pub(super) async fn until(&self, deadline: Instant) -> io::Result<()> {
        // A timer set to zero is a timer switched off.
        let wait = deadline.saturating_duration_since(Instant::now()).max(Duration::from_nanos(1));
        let expiration = Expiration::OneShot(TimeSpec::from_duration(wait));
        self.timer.set(expiration, TimerSetTimeFlags::empty())?;
        let mut expirations = [0; 8];
        loop {
            self.ready.readable().await?;
            match self.ready.try_read(&mut expirations) {
                Ok(_) => return Ok(()),
                // What an earlier, cancelled wait left behind; setting the timer cleared it.
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => return Err(e),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_timer_is_finer_than_a_millisecond_and_survives_cancelling() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let timer = Timer::new().unwrap();
            let far = Instant::now() + Duration::from_secs(100);
            tokio::select! {
                biased;
                _ = timer.until(far) => panic!("too early"),
                () = tokio::task::yield_now() => {}
            }
            let mut best = Duration::MAX;
            for _ in 0..50 {
                let start = Instant::now();
                timer.until(start + Duration::from_micros(200)).await.unwrap();
                let took = start.elapsed();
                assert!(took >= Duration::from_micros(200));
                best = best.min(took);
            }
            assert!(best < Duration::from_millis(1), "{best:?}");
            timer.until(Instant::now()).await.unwrap();
        });
    }
}
