//! The workers, seen from control: deltas down, events up, memory back.

use crate::feeder::Outbox;
use pxtr_dataplane::feed::Delta;
use pxtr_dataplane::launch::WorkerHandle;
use pxtr_dataplane::punt::Punt;
use pxtr_dataplane::types::{EntryId, RlocId};
use pxtr_dataplane::watch::Watch;

/// Most events taken from one worker per turn.
const PUNTS_PER_TURN: usize = 256;

/// What control needs of a worker; a trait so that the flow can be tested without DPDK.
pub(super) trait WorkerLink {
    fn feed(&mut self, delta: Delta) -> Result<(), Delta>;
    fn applied_seq(&self) -> u64;
    fn punt(&mut self) -> Option<Punt>;
    fn free_retired(&mut self) -> usize;
}

impl WorkerLink for WorkerHandle {
    fn feed(&mut self, delta: Delta) -> Result<(), Delta> {
        Self::feed(self, delta)
    }
    fn applied_seq(&self) -> u64 {
        Self::applied_seq(self)
    }
    fn punt(&mut self) -> Option<Punt> {
        Self::punt(self)
    }
    fn free_retired(&mut self) -> usize {
        Self::free_retired(self)
    }
}

#[derive(Debug)]
struct Worker<L> {
    link: L,
    outbox: Outbox,
}

/// All workers.
#[derive(Debug)]
pub(super) struct Workers<L = WorkerHandle> {
    workers: Vec<Worker<L>>,
}

impl<L: WorkerLink> Workers<L> {
    pub(super) fn new(links: Vec<L>) -> Self {
        Self { workers: links.into_iter().map(|link| Worker { link, outbox: Outbox::default() }).collect() }
    }

    pub(super) fn links(&self) -> impl Iterator<Item = &L> {
        self.workers.iter().map(|w| &w.link)
    }

    /// Queues deltas for every worker.
    pub(super) fn put(&mut self, deltas: Vec<(u64, Delta)>) {
        for (sequence, delta) in deltas {
            if let Some((last, others)) = self.workers.split_last_mut() {
                for worker in others {
                    worker.outbox.put(sequence, delta.clone());
                }
                last.outbox.put(sequence, delta);
            }
        }
    }

    /// Fills the rings and frees what came back. Returns the sequence number that every worker has
    /// reached, and the pieces of memory freed.
    pub(super) fn flush(&mut self) -> (u64, u64) {
        let (mut reached, mut freed) = (u64::MAX, 0);
        for worker in &mut self.workers {
            freed += worker.link.free_retired() as u64;
            let link = &mut worker.link;
            worker.outbox.flush(|delta| link.feed(delta));
            reached = reached.min(worker.outbox.acknowledge(link.applied_seq()));
        }
        (reached, freed)
    }

    /// Events that wait, a bounded number of each worker's.
    pub(super) fn punts(&mut self) -> Vec<Punt> {
        let take =
            |w: &mut Worker<L>| std::iter::from_fn(|| w.link.punt()).take(PUNTS_PER_TURN).collect::<Vec<_>>();
        self.workers.iter_mut().flat_map(take).collect()
    }

    /// Deltas that wait for room in a ring, per worker.
    pub(super) fn backlog(&self) -> impl Iterator<Item = usize> {
        self.workers.iter().map(|w| w.outbox.len())
    }

    /// Deltas queued since the start, those that were replaced before they were sent left out, per
    /// worker.
    pub(super) fn put_so_far(&self) -> impl Iterator<Item = u64> {
        self.workers.iter().map(|w| w.outbox.sent() + w.outbox.len() as u64)
    }

    /// Deltas handed over but not applied yet, or waiting: the lag, per worker.
    pub(super) fn lag(&self) -> impl Iterator<Item = u64> {
        self.workers
            .iter()
            .map(|w| w.outbox.len() as u64 + w.outbox.sent().saturating_sub(w.link.applied_seq()))
    }
}

impl Workers {
    /// Hands a watch to a worker; `false`: it has too many.
    pub(super) fn watch(&mut self, worker: usize, watch: Box<Watch>) -> bool {
        self.workers.get_mut(worker).is_some_and(|w| w.link.watch(watch).is_ok())
    }

    /// Packets and bytes of a map-cache entry over all workers.
    pub(super) fn entry(&self, id: EntryId) -> (u64, u64) {
        sum(self.links().map(|w| w.entry(id)))
    }

    /// Packets and bytes of an RLOC slot over all workers.
    pub(super) fn rloc(&self, id: RlocId) -> (u64, u64) {
        sum(self.links().map(|w| w.rloc(id)))
    }
}

fn sum(pairs: impl Iterator<Item = (u64, u64)>) -> (u64, u64) {
    pairs.fold((0, 0), |(a, b), (c, d)| (a.wrapping_add(c), b.wrapping_add(d)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pxtr_dataplane::types::{PortId, VrfId};

    #[derive(Debug, Default)]
    struct Fake {
        ring: Vec<Delta>,
        room: usize,
        applied: u64,
        punts: Vec<Punt>,
    }

    impl WorkerLink for Fake {
        fn feed(&mut self, delta: Delta) -> Result<(), Delta> {
            if self.ring.len() == self.room {
                return Err(delta);
            }
            self.ring.push(delta);
            Ok(())
        }
        fn applied_seq(&self) -> u64 {
            self.applied
        }
        fn punt(&mut self) -> Option<Punt> {
            self.punts.pop()
        }
        fn free_retired(&mut self) -> usize {
            1
        }
    }

    fn abandon(n: u8) -> Delta {
        Delta::Abandon { vrf: VrfId(0), eid: [10, 0, 0, n].into() }
    }

    #[test]
    fn a_slow_worker_holds_back_the_acknowledgement_but_not_the_others() {
        let fast = Fake { room: 100, ..Fake::default() };
        let slow = Fake { room: 2, ..Fake::default() };
        let mut workers = Workers::new(vec![fast, slow]);
        workers.put((1..=5).map(|n| (u64::from(n), abandon(n))).collect());
        assert_eq!(workers.flush(), (0, 2));
        assert_eq!(workers.links().map(|l| l.ring.len()).collect::<Vec<_>>(), [5, 2]);
        assert_eq!(workers.backlog().collect::<Vec<_>>(), [0, 3]);
        assert_eq!(workers.lag().collect::<Vec<_>>(), [5, 5]);
        workers.workers[0].link.applied = 5;
        workers.workers[1].link.applied = 2;
        workers.workers[1].link.room = 100;
        assert_eq!(workers.flush().0, 2);
        workers.workers[1].link.applied = 5;
        assert_eq!(workers.flush().0, 5);
        assert_eq!(workers.workers[1].link.ring, (1..=5).map(abandon).collect::<Vec<_>>());
    }

    #[test]
    fn events_of_one_worker_do_not_crowd_out_another() {
        let punt = Punt::NeighbourMiss { port: PortId(0), neighbour: [10, 0, 0, 1].into() };
        let busy = Fake { punts: vec![punt; 1000], ..Fake::default() };
        let calm = Fake { punts: vec![punt; 3], ..Fake::default() };
        let mut workers = Workers::new(vec![busy, calm]);
        assert_eq!(workers.punts().len(), PUNTS_PER_TURN + 3);
        assert_eq!(workers.punts().len(), PUNTS_PER_TURN);
    }
}
