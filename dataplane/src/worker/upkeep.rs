//! Between bursts: deltas, packets whose wait is over, time-outs.

use super::core::Core;
use crate::clock;
use crate::feed::{Adjacency, Delta, MapAction, RlocState};
use crate::hold::Held;
use crate::io::Io;
use crate::replica::Touched;
use crate::verdict::DropReason;

/// Deltas that a worker applies in one round at most.
pub const MAX_DELTAS: usize = 64;
/// Time between two looks for packets that have waited too long.
const HOUSEKEEPING_MS: u64 = 10;

/// Working memory of the upkeep.
#[derive(Debug)]
pub(super) struct Upkeep<B> {
    /// Packets just taken out of the hold table.
    released: Vec<Held<B>>,
    next_housekeeping: u64,
    interval: u64,
}

impl<B> Upkeep<B> {
    pub(super) fn new(packets: usize, hz: u64) -> Self {
        let interval = clock::ticks(hz, HOUSEKEEPING_MS);
        Self { released: Vec::with_capacity(packets), next_housekeeping: 0, interval }
    }

    /// Applies waiting deltas, lets go what they concern, drops what has waited too long. Returns
    /// the number of deltas.
    pub(super) fn run<I: Io<Buf = B>>(&mut self, core: &mut Core<I>) -> usize {
        let mut count = 0;
        while count < MAX_DELTAS && give_back(core) {
            let Some(delta) = core.links.feed.pop() else { break };
            self.apply(core, delta);
            count += 1;
        }
        if count > 0 {
            core.stats().supply_misses.set(core.replica.supply().misses);
        }
        if core.now >= self.next_housekeeping {
            self.next_housekeeping = core.now.saturating_add(self.interval);
            core.watch.upkeep();
            core.expire_fragments();
            core.replica.tidy();
            core.hold.expire(core.now, &mut self.released);
            for held in self.released.drain(..) {
                core.let_go(&held, DropReason::HoldTimeout);
            }
        }
        count
    }

    fn apply<I: Io<Buf = B>>(&mut self, core: &mut Core<I>, delta: Delta) {
        let news = is_news(&delta);
        let applied = core.replica.apply(delta);
        core.stats().applied.add(1);
        core.stats().ignored.add(u64::from(applied.outcome.is_err()));
        core.pending = applied.retired;
        let Some(touched) = applied.touched.filter(|_| news || applied.outcome.is_err()) else { return };
        if core.hold.is_empty() {
            return;
        }
        core.hold.release(&touched, &mut self.released);
        let abandoned = matches!(touched, Touched::Abandon(_));
        for held in self.released.drain(..) {
            if abandoned {
                core.let_go(&held, DropReason::ResolutionFailed);
                continue;
            }
            core.waiting(held.cx.origin, false);
            core.release(held);
        }
    }
}

/// Whether packets that wait for what the delta is about need not wait any longer.
const fn is_news(delta: &Delta) -> bool {
    !matches!(
        delta,
        Delta::MapSet { action: MapAction::SendMapRequest, .. }
            | Delta::RlocSet(_, RlocState::Resolving)
            | Delta::AdjacencySet(_, Adjacency::Resolving { .. })
    )
}

/// Sends retired memory back to control. `false`: its ring is full, so no delta is applied that
/// might retire more: the worker neither frees nor forgets.
fn give_back<I: Io>(core: &mut Core<I>) -> bool {
    match core.pending.take().map(|retired| core.links.retired.push(retired)) {
        Some(Err(retired)) => {
            core.pending = Some(retired);
            false
        }
        Some(Ok(())) | None => true,
    }
}
