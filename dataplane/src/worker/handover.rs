//! Packets that a worker received and hands over to the worker of their flow (software spreading).
//!
//! One bounded ring for each pair of workers of which the first receives on such a port. The worker that
//! received a packet counts it as received, and as handed over, or dropped as `handover_full`: that is its fate
//! there. The worker that takes it over counts that, and then everything as of a packet of its own. So each
//! worker's fates sum up to what came to it, and all workers' to what was received.
//!
//! Packets of a flow come by one queue, go by one ring and stay in order.

use super::core::Core;
use crate::buffer::PacketBuf;
use crate::io::{BURST, Io, PacketBurst};
use crate::path::spread;
use crate::ring::{Consumer, Producer, ring};
use crate::types::PortId;
use crate::verdict::DropReason;
use std::sync::Arc;

/// Packets that wait in the ring between two workers, at most: what a NIC's queue holds.
pub(crate) const DEPTH: usize = 1024;

/// A packet and the port that it came in on.
type Handed<B> = (PortId, B);
/// The end that the worker has which receives.
type Outbox<B> = Producer<Handed<B>>;
/// The end that the worker has which takes over.
type Inbox<B> = Consumer<Handed<B>>;

/// The ends of one worker of the rings between all.
#[derive(Debug)]
pub struct Handover<P: PacketBurst> {
    /// Its place among the workers.
    index: usize,
    /// Ports whose packets are spread, by number.
    ports: Arc<[bool]>,
    /// By worker; none to itself, and none at all where it receives nothing.
    to: Box<[Option<Outbox<P::Buf>>]>,
    from: Box<[Inbox<P::Buf>]>,
    /// By port, the worker's own share of what was received, until it is a whole burst: half a burst costs nearly as
    /// much as a whole one. Less than a burst is left only while more waits in the queue.
    own: Box<[P]>,
}

/// What left a burst.
#[derive(Debug, Default)]
struct Gone {
    handed: u64,
    dropped: u64,
    bytes: u64,
}

impl<P: PacketBurst> Handover<P> {
    /// For as many workers as `readers` has: whether each receives from a port whose packets are spread. `ports`: which
    /// ones those are, by number.
    #[must_use]
    pub fn between(readers: &[bool], ports: &[bool]) -> Vec<Self> {
        let ports: Arc<[bool]> = ports.into();
        let mut from: Vec<Vec<_>> = readers.iter().map(|_| Vec::new()).collect();
        let mut to: Vec<Vec<_>> = readers.iter().map(|_| Vec::new()).collect();
        for ((index, reads), ends) in readers.iter().enumerate().zip(&mut to) {
            for (other, inbox) in from.iter_mut().enumerate() {
                let ring = (*reads && other != index).then(|| ring(DEPTH));
                ends.push(ring.map(|(end, other_end)| {
                    inbox.push(other_end);
                    end
                }));
            }
        }
        let ends = (0..).zip(to).zip(from);
        ends.map(|((index, to), from)| Self {
            index,
            ports: ports.clone(),
            to: to.into(),
            from: from.into(),
            own: ports.iter().map(|_| P::default()).collect(),
        })
        .collect()
    }

    /// Packets of this port are spread.
    #[inline]
    pub(super) fn spreads(&self, port: PortId) -> bool {
        self.ports.get(usize::from(port.0)).copied().unwrap_or(false)
    }

    /// Number of rings that packets may come by.
    pub(super) fn sources(&self) -> usize {
        self.from.len()
    }

    /// Receives on `port` until there is a burst of packets that this worker keeps, the queue is empty, or it has
    /// received as many bursts as there are workers. Returns the packets received, and whether more may wait.
    pub(super) fn receive<I: Io<Burst = P, Buf = P::Buf>>(
        &mut self,
        core: &mut Core<I>,
        port: PortId,
        burst: &mut P,
    ) -> (usize, bool) {
        let (mut total, mut more) = (0, false);
        for _ in 0..self.to.len() {
            let count = core.io.rx(port, burst);
            more = count >= BURST;
            if count > 0 {
                core.stats().bursts.add(1);
                total += count;
                self.share_out(core, port, burst);
            }
            if !more || self.kept(port) >= BURST {
                break;
            }
        }
        (total, more)
    }

    /// Packets of this port that the worker has kept and not yet dealt with.
    #[inline]
    pub(super) fn kept(&self, port: PortId) -> usize {
        self.own.get(usize::from(port.0)).map_or(0, P::len)
    }

    /// Moves up to a burst of those into `burst`.
    pub(super) fn take_kept(&mut self, port: PortId, burst: &mut P) {
        if let Some(own) = self.own.get_mut(usize::from(port.0)) {
            // All of the first 32, for which there is room in an empty burst.
            own.part(u32::MAX, burst);
        }
    }

    /// Hands the packets of a burst that was received on `port` to the workers of their flows, and keeps this worker's
    /// own share.
    fn share_out<I: Io<Burst = P, Buf = P::Buf>>(&mut self, core: &mut Core<I>, port: PortId, burst: &mut P) {
        for at in 0..burst.len() {
            if let Some(buf) = burst.get(at) {
                buf.prefetch();
            }
        }
        let Self { index, to, own, .. } = self;
        let Some(own) = own.get_mut(usize::from(port.0)) else { return };
        let mut gone = Gone::default();
        for buf in burst.drain() {
            let bytes = buf.total_len();
            let worker = spread::worker(buf.data(), bytes, &core.key, to.len());
            let ring = worker.filter(|worker| worker != index).and_then(|worker| to.get_mut(worker));
            let left = match ring.and_then(Option::as_mut) {
                // There is room for a burst besides the part of one that may be left.
                None => {
                    let _ = own.push(buf);
                    continue;
                }
                Some(ring) => ring.stage((port, buf)),
            };
            gone.bytes += bytes as u64;
            match left {
                Ok(()) => gone.handed += 1,
                Err((_, buf)) => {
                    gone.dropped += 1;
                    if core.watch.any() {
                        core.watch.lost(port, &buf, DropReason::HandoverFull, core.now);
                    }
                }
            }
        }
        if gone.handed + gone.dropped == 0 {
            return;
        }
        let stats = core.stats();
        stats.received.add(gone.handed + gone.dropped);
        stats.received_bytes.add(gone.bytes);
        stats.handed_over.add(gone.handed);
        stats.drop_many(DropReason::HandoverFull, gone.dropped);
        for ring in self.to.iter_mut().flatten() {
            ring.publish();
        }
    }

    /// Takes up to a burst of packets of one port from one of the rings.
    pub(super) fn take(&mut self, source: usize, burst: &mut P) -> Option<PortId> {
        let ring = self.from.get_mut(source)?;
        let port = ring.front()?.0;
        let room = BURST.saturating_sub(burst.len());
        ring.pop_while(room, |(other, _)| *other == port, |(_, buf)| drop(burst.push(buf)));
        Some(port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::mem::MemBurst;

    #[test]
    fn who_receives_has_a_ring_to_each_of_the_others() {
        let ends = Handover::<MemBurst>::between(&[true, false, true], &[false, true]);
        let rings = |end: &Handover<MemBurst>| end.to.iter().map(Option::is_some).collect::<Vec<_>>();
        let all: Vec<_> = ends.iter().map(|end| (end.index, rings(end), end.sources())).collect();
        assert_eq!(
            all,
            [
                (0, vec![false, true, true], 1),
                (1, vec![false, false, false], 2),
                (2, vec![true, true, false], 1),
            ]
        );
        let spread = |port| ends.first().is_some_and(|end| end.spreads(PortId(port)));
        assert_eq!([0, 1, 2].map(spread), [false, true, false]);
    }
}
