//! Packets that go round through a worker without any device: what is sent comes back to be received,
//! with its former bytes or others.

use crate::frames;
use dpdk_sys::{Burst, HEADROOM, Mbuf, Pool, tsc};
use pxtr_dataplane::host::HostClass;
use pxtr_dataplane::io::{BURST, Io, Stage};
use pxtr_dataplane::ring::{Consumer, Producer};
use pxtr_dataplane::types::PortId;
use std::cell::Cell;
use std::collections::VecDeque;

/// Which mapping the next packet goes to.
#[derive(Clone, Copy, Debug)]
pub enum Destinations {
    /// Whichever the frame says.
    AsWritten,
    /// Any of so many mappings, all alike.
    Uniform(u32),
    /// The logarithm of the rank is uniform: Zipf's law with exponent 1.
    Zipf(u32),
}

/// Where a worker's cycles go.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cycles {
    /// Reading and checking, from the end of `rx` on.
    pub parse: u64,
    /// Looking up.
    pub lookup: u64,
    /// Deciding and writing the headers.
    pub rewrite: u64,
    /// From there to `tx`.
    pub send: u64,
}

/// Packets in rotation, and what they look like when they come round again.
#[derive(Debug)]
pub struct Carousel {
    waiting: VecDeque<Mbuf>,
    frames: Vec<Vec<u8>>,
    next_frame: usize,
    destinations: Destinations,
    random: u64,
    pool: Pool,
    /// Packets in rotation; those that the worker drops or holds are replaced.
    rotation: usize,
    from: PortId,
    /// Where packets go that came from the rotation of another worker.
    pub home: Option<Producer<Mbuf>>,
    /// Where those of this rotation come back that another worker sent.
    pub back: Option<Consumer<Mbuf>>,
    /// Bursts that the worker may still receive.
    pub quota: usize,
    /// Packets in a burst, up to [`BURST`].
    pub burst: usize,
    /// Cycles that this took, not the worker.
    pub harness_cycles: u64,
    /// Packets received.
    pub received: u64,
    /// Packets sent by the worker.
    pub sent: u64,
    /// Whether the clock is read between stages, which takes cycles itself.
    pub metering: bool,
    cycles: Cell<Cycles>,
    /// When the last stage was over.
    last: Cell<u64>,
}

impl Carousel {
    /// `rotation` packets that look like `frames` in turn and arrive on `from`.
    pub fn new(pool: &Pool, rotation: usize) -> Self {
        Self {
            waiting: VecDeque::with_capacity(rotation + 2 * BURST),
            frames: Vec::new(),
            next_frame: 0,
            destinations: Destinations::AsWritten,
            random: 1,
            pool: pool.clone(),
            rotation,
            from: PortId(0),
            home: None,
            back: None,
            quota: 0,
            burst: BURST,
            harness_cycles: 0,
            received: 0,
            sent: 0,
            metering: false,
            cycles: Cell::default(),
            last: Cell::new(0),
        }
    }

    /// Where the worker's cycles went since bursts were granted, if that is metered.
    pub fn cycles(&self) -> Cycles {
        self.cycles.get()
    }

    /// Cycles since the last stage was over.
    fn lap(&self) -> u64 {
        let now = tsc();
        now - self.last.replace(now)
    }

    /// Other packets from now on.
    pub fn load(&mut self, frames: Vec<Vec<u8>>, from: PortId, destinations: Destinations) {
        self.waiting.clear();
        (self.frames, self.from, self.destinations, self.next_frame) = (frames, from, destinations, 0);
        self.top_up();
    }

    /// Starts to count anew and lets so many bursts through.
    pub fn grant(&mut self, bursts: usize) {
        (self.quota, self.harness_cycles, self.received, self.sent) = (bursts, 0, 0, 0);
        self.cycles = Cell::default();
    }

    fn top_up(&mut self) {
        while self.waiting.len() < self.rotation {
            let Some(mbuf) = self.pool.alloc() else { return };
            self.queue(mbuf);
        }
    }

    /// A packet comes round.
    fn queue(&mut self, mut mbuf: Mbuf) {
        let Some(frame) = self.frames.get(self.next_frame) else { return };
        let _ = mbuf.trim_to(0);
        let (have, want) = (mbuf.headroom(), usize::from(HEADROOM));
        if have > want {
            let _ = mbuf.prepend(have - want);
            let _ = mbuf.trim_to(0);
        } else if have < want {
            // `adj` moves the start over bytes there are.
            let _ = mbuf.append(want - have);
            let _ = mbuf.adj(want - have);
        }
        if let Some(room) = mbuf.append(frame.len()) {
            room.copy_from_slice(frame);
        }
        self.next_frame = (self.next_frame + 1) % self.frames.len();
        let which = match self.destinations {
            Destinations::AsWritten => None,
            Destinations::Uniform(count) => Some((((self.random() >> 32) * u64::from(count)) >> 32) as u32),
            Destinations::Zipf(count) => {
                let share = self.random() as f64 / u64::MAX as f64;
                Some((f64::from(count).powf(share) as u32 - 1).min(count - 1))
            }
        };
        if let Some(which) = which {
            let v6 = mbuf.data().get(14).is_some_and(|first| first >> 4 == 6);
            frames::readdress(mbuf.data_mut(), frames::eid(which, v6));
        }
        self.waiting.push_back(mbuf);
    }

    fn random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
}

impl Io for Carousel {
    type Buf = Mbuf;
    type Burst = Burst;

    fn ports(&self) -> usize {
        2
    }

    fn rx(&mut self, port: PortId, out: &mut Burst) -> usize {
        if port != self.from || self.quota == 0 {
            return 0;
        }
        let start = tsc();
        while let Some(mbuf) = self.back.as_mut().and_then(Consumer::pop) {
            self.queue(mbuf);
        }
        // At once, as drivers refill their rings: else all of the pool's packets would go round in turn.
        self.top_up();
        let count = self.waiting.len().min(self.burst);
        for mbuf in self.waiting.drain(..count) {
            let _ = out.push(mbuf);
        }
        self.quota -= 1;
        self.received += count as u64;
        self.last.set(tsc());
        self.harness_cycles += self.last.get() - start;
        count
    }

    fn tx(&mut self, _: PortId, burst: &mut Burst) -> usize {
        let start = tsc();
        if self.metering {
            self.cycles.get_mut().send += start - self.last.get();
        }
        let count = burst.len();
        for mbuf in burst.drain() {
            match &mut self.home {
                // Without room it is freed, and replaced there.
                Some(home) => drop(home.push(mbuf)),
                None => self.queue(mbuf),
            }
        }
        self.sent += count as u64;
        self.harness_cycles += tsc() - start;
        count
    }

    fn host_tx(&mut self, _: PortId, _: HostClass, mbuf: Mbuf) -> Result<(), Mbuf> {
        Err(mbuf)
    }

    fn host_rx(&mut self, _: PortId, _: &mut Burst) -> usize {
        0
    }

    fn alloc(&mut self) -> Option<Mbuf> {
        self.pool.alloc()
    }

    #[inline(always)]
    fn mark(&self, stage: Stage) {
        if !self.metering {
            return;
        }
        let mut cycles = self.cycles.get();
        match stage {
            Stage::Read => cycles.parse += self.lap(),
            Stage::LookedUp => cycles.lookup += self.lap(),
            Stage::Rewritten => cycles.rewrite += self.lap(),
        }
        self.cycles.set(cycles);
    }
}
