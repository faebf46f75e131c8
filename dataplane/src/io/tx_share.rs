//! Transmit queues of ports that have fewer of them than there are workers.
//!
//! A worker without a queue of its own gives its packets to the one that has, by a bounded ring: to it that ring
//! is its transmit queue, a full one is a full queue, and its packets are sent when they are in, as with the
//! descriptors of a NIC. The other sends them in turn and in order, and keeps what the device does not take: behind
//! the ring nothing is lost.

use super::{BURST, PacketBurst};
use crate::ring::{Consumer, Producer, ring};
use dpdk_sys::{Burst, Mbuf, TxQueue};

/// Packets in a ring to a transmit queue, at most.
pub(crate) const DEPTH: usize = 512;
/// Packets on their way from such rings into one transmit queue, at most.
pub(crate) const LATE: usize = dpdk_sys::BURST;

/// How a worker sends on a port.
#[derive(Debug)]
pub enum TxWay {
    /// By a queue of its own.
    Queue(TxQueue),
    /// By a queue of its own that others use, too.
    Shared(TxQueue, Box<Lent>),
    /// By the queue of another worker.
    Borrowed(Producer<Mbuf>),
}

/// What comes from the workers that use a queue of another one.
#[derive(Default)]
pub struct Lent {
    from: Vec<Consumer<Mbuf>>,
    /// What the device has not taken yet.
    late: Burst,
}

impl std::fmt::Debug for Lent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lent").field("from", &self.from).field("late", &self.late.len()).finish()
    }
}

impl TxWay {
    /// The ways of `workers` workers to send on a port with these queues: worker n owns queue n as far as there are
    /// queues, the others borrow them in turn. None at all without queues.
    #[must_use]
    pub fn deal(queues: Vec<TxQueue>, workers: usize) -> Vec<Self> {
        let owners = queues.len();
        if owners == 0 {
            return Vec::new();
        }
        let mut lent: Vec<Lent> = queues.iter().map(|_| Lent::default()).collect();
        let mut borrowed = Vec::new();
        for worker in owners..workers {
            let (end, owners_end) = ring(DEPTH);
            lent[worker % owners].from.push(owners_end);
            borrowed.push(Self::Borrowed(end));
        }
        let own = queues.into_iter().zip(lent).map(|(queue, lent)| match lent.from.is_empty() {
            true => Self::Queue(queue),
            false => Self::Shared(queue, Box::new(lent)),
        });
        own.chain(borrowed).collect()
    }

    /// Sends from the front of the burst; the rest stays in it, in order. Returns how many were sent.
    #[inline]
    pub(super) fn send(&mut self, burst: &mut Burst) -> usize {
        match self {
            Self::Queue(queue) | Self::Shared(queue, _) => queue.burst(burst),
            Self::Borrowed(ring) => give(ring, burst),
        }
    }

    /// Others use its queue.
    pub(super) fn is_shared(&self) -> bool {
        matches!(self, Self::Shared(..))
    }

    /// Sends what others gave for its queue. Returns how many.
    pub(super) fn relay(&mut self) -> usize {
        let Self::Shared(queue, lent) = self else { return 0 };
        let Lent { from, late } = &mut **lent;
        let mut sent = queue.burst(late);
        for ring in from {
            if late.len() > LATE - BURST {
                break;
            }
            ring.pop_while(BURST, |_| true, |mbuf| drop(late.push(mbuf)));
            sent += queue.burst(late);
        }
        sent
    }
}

fn give(ring: &mut Producer<Mbuf>, burst: &mut Burst) -> usize {
    let room = ring.room(burst.len());
    let mut rest = Burst::new();
    for (at, mbuf) in burst.drain().enumerate() {
        // A place is free, and a burst has room for what was in another one.
        if at < room { drop(ring.stage(mbuf)) } else { drop(PacketBurst::push(&mut rest, mbuf)) }
    }
    std::mem::swap(burst, &mut rest);
    ring.publish();
    room
}
