//! The worker itself and its loop.

use super::burst::Stages;
use super::config::{Links, WorkerConfig};
use super::core::Core;
use super::egress::From;
use super::handover::Handover;
use super::idle::Rest;
use super::trunk::{Sorter, Trunks};
use super::upkeep::Upkeep;
use crate::clock::Clock;
use crate::hold::HoldLimits;
use crate::io::{BURST, Io, PacketBurst};
use crate::types::PortId;
use crate::watch::WatchLink;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// A poll-mode worker: owns its queues, its replica, the packets that wait, its ring ends.
#[derive(Debug)]
pub struct Worker<I: Io, C> {
    core: Core<I>,
    clock: C,
    stages: Stages,
    burst: I::Burst,
    sorter: Box<Sorter<I::Burst>>,
    upkeep: Upkeep<I::Buf>,
    /// Where workers share packets out themselves.
    handover: Option<Box<Handover<I::Burst>>>,
    rest: Rest,
    /// When the last round began, and whether it had something to do.
    last: u64,
    worked: bool,
}

impl<I: Io, C: Clock> Worker<I, C> {
    /// A worker with an empty replica. Allocates all that it will need, but for what the replica
    /// grows by.
    pub fn new(io: I, clock: C, config: &WorkerConfig, links: Links) -> Self {
        let packets = config.hold.packets.min(HoldLimits::MAX_PACKETS);
        Self {
            core: Core::new(io, &clock, config, links),
            stages: Stages::new(),
            burst: I::Burst::default(),
            sorter: Box::default(),
            upkeep: Upkeep::new(packets.max(1), clock.hz()),
            handover: None,
            rest: Rest::new(config.idle),
            last: clock.now(),
            worked: false,
            clock,
        }
    }

    /// With these sub-interfaces on its ports.
    #[must_use]
    pub fn with_trunks(mut self, trunks: Trunks) -> Self {
        self.core.set_trunks(trunks, self.clock.hz());
        self
    }

    /// With these rings by which watches come and go.
    #[must_use]
    pub fn with_watches(mut self, link: WatchLink) -> Self {
        self.core.watch.set_link(link);
        self
    }

    /// With these ends of the rings between workers.
    #[must_use]
    pub fn with_handover(mut self, handover: Option<Handover<I::Burst>>) -> Self {
        self.handover = handover.map(Box::new);
        self
    }

    /// Works until told to stop.
    pub fn run(&mut self, stop: &AtomicBool) {
        while !stop.load(Relaxed) {
            let found = self.poll_once();
            self.rest.after(found);
        }
    }

    /// One round over all ports and the feed. Returns the number of packets and deltas.
    pub fn poll_once(&mut self) -> usize {
        self.account();
        let mut found = if self.handover.is_none() { self.poll_ports() } else { self.poll_all() };
        found += self.upkeep.run(&mut self.core);
        self.core.flush();
        self.worked = found > 0;
        if !self.worked {
            self.core.stats().empty_polls.add(1);
        }
        found
    }

    /// A burst from each port, and what the kernel wants sent there.
    #[inline]
    fn poll_ports(&mut self) -> usize {
        let mut found = 0;
        for number in 0..self.core.io.ports() {
            let port = PortId(number as u16);
            found += self.receive(port);
            found += self.relay_from_host(port);
        }
        found
    }

    /// A burst from one port.
    #[inline(always)]
    fn receive(&mut self, port: PortId) -> usize {
        let count = self.core.io.rx(port, &mut self.burst);
        if count > 0 {
            self.core.stats().bursts.add(1);
            self.received(port);
        }
        count
    }

    /// What a port has for all workers, of which this one keeps its share.
    fn receive_for_all(&mut self, handover: &mut Handover<I::Burst>, port: PortId) -> usize {
        let (mut found, more) = handover.receive(&mut self.core, port, &mut self.burst);
        let mut first = true;
        while handover.kept(port) >= BURST || handover.kept(port) > 0 && (first || !more) {
            handover.take_kept(port, &mut self.burst);
            found = found.max(self.burst.len());
            self.received(port);
            first = false;
        }
        found
    }

    /// The same where workers share packets out, and what other workers have for this one.
    fn poll_all(&mut self) -> usize {
        let Some(mut handover) = self.handover.take() else { return 0 };
        let mut found = 0;
        for number in 0..self.core.io.ports() {
            let port = PortId(number as u16);
            found += if handover.spreads(port) {
                self.receive_for_all(&mut handover, port)
            } else {
                self.receive(port)
            };
            found += self.relay_from_host(port);
        }
        for source in 0..handover.sources() {
            if let Some(port) = handover.take(source, &mut self.burst) {
                let count = self.burst.len();
                self.core.stats().taken_over.add(count as u64);
                let bytes = self.forward(port);
                self.core.stats().taken_over_bytes.add(bytes);
                found += count;
            }
        }
        self.handover = Some(handover);
        let relayed = self.core.io.relay();
        self.core.stats().sent_for_others.add(relayed as u64);
        found + relayed
    }

    /// The burst came from a queue of the port.
    #[inline(always)]
    fn received(&mut self, port: PortId) {
        self.core.stats().received.add(self.burst.len() as u64);
        let bytes = self.forward(port);
        self.core.stats().received_bytes.add(bytes);
    }

    /// Takes the burst through all stages, and sends what is to be sent. Returns its bytes.
    #[inline(always)]
    fn forward(&mut self, port: PortId) -> u64 {
        let bytes = if self.core.trunks.is_trunk(port) {
            self.sorter.run(&mut self.core, &mut self.stages, port, &mut self.burst)
        } else {
            self.stages.run(&mut self.core, port, &mut self.burst)
        };
        self.core.flush();
        bytes
    }

    /// Sends what the kernel wants sent on a port, unchanged.
    fn relay_from_host(&mut self, port: PortId) -> usize {
        let count = self.core.io.host_rx(port, &mut self.burst);
        for buf in self.burst.drain() {
            self.core.put_out(port, buf, From::Host);
        }
        count
    }

    /// What the worker reads and its tables, for tests and set-up before the loop runs.
    pub fn io_mut(&mut self) -> &mut I {
        &mut self.core.io
    }

    /// The replica, read-only: control asks it for its counter tables at the start.
    pub fn replica(&self) -> &crate::replica::Replica {
        &self.core.replica
    }

    /// A round begins: all the time since the last one began is that one's, so that the clock is read once.
    fn account(&mut self) {
        let now = self.clock.now();
        let (stats, ticks) = (self.core.stats(), now.saturating_sub(self.last));
        stats.cycles_total.add(ticks);
        if self.worked {
            stats.cycles_busy.add(ticks);
        }
        (self.core.now, self.last) = (now, now);
    }
}
