//! Makes a failing scenario small: what it does not need is taken out, as long as it fails in the
//! same way.

use super::scenario::{Net, Scenario};
use super::world::{Failure, run};

/// Runs spent on one scenario at most.
const RUNS: usize = 600;

/// A smaller scenario that breaks the same rule, and how it does.
#[must_use]
pub fn shrink(scenario: &Scenario, failure: &Failure) -> (Scenario, Failure) {
    shrink_by(scenario, failure, &|candidate| run(candidate, None).err())
}

/// The same, for what `play` says of each candidate.
fn shrink_by(scenario: &Scenario, failure: &Failure, play: Play<'_>) -> (Scenario, Failure) {
    let mut search = Search { best: scenario.clone(), failure: failure.clone(), runs: 0, play };
    loop {
        let before = search.best.clone();
        search.without_operations();
        search.with_less_network();
        search.with_less_shape();
        if search.best == before || search.runs >= RUNS {
            return (search.best, search.failure);
        }
    }
}

/// Plays a scenario; how it failed, if it did.
type Play<'a> = &'a dyn Fn(&Scenario) -> Option<Failure>;

struct Search<'a> {
    best: Scenario,
    failure: Failure,
    runs: usize,
    play: Play<'a>,
}

impl Search<'_> {
    /// Takes a candidate over if it breaks the same rule.
    fn attempt(&mut self, candidate: Scenario) -> bool {
        if candidate == self.best || self.runs >= RUNS {
            return false;
        }
        self.runs += 1;
        match (self.play)(&candidate) {
            Some(failure) if failure.rule == self.failure.rule => {
                self.best = candidate;
                self.failure = failure;
                true
            }
            _ => false,
        }
    }

    /// Ever smaller pieces of the list are left out.
    fn without_operations(&mut self) {
        let mut piece = self.best.ops.len().max(1);
        while piece > 0 {
            let mut from = 0;
            while from < self.best.ops.len() {
                let mut candidate = self.best.clone();
                let to = (from + piece).min(candidate.ops.len());
                candidate.ops.drain(from..to);
                if !self.attempt(candidate) {
                    from += piece;
                }
            }
            piece /= 2;
        }
    }

    fn with_less_network(&mut self) {
        let still = Net { delay_min_ms: 1, delay_max_ms: 1, ..Net::default() };
        let edits: [fn(&mut Net, &Net); 4] = [
            |net, still| *net = *still,
            |net, _| net.duplicate_percent = 0,
            |net, _| net.loss_percent = 0,
            |net, still| (net.delay_min_ms, net.delay_max_ms) = (still.delay_min_ms, still.delay_max_ms),
        ];
        for edit in edits {
            let mut candidate = self.best.clone();
            edit(&mut candidate.net, &still);
            self.attempt(candidate);
        }
    }

    fn with_less_shape(&mut self) {
        let edits: [fn(&mut Scenario); 8] = [
            |s| s.shape.proxies = 1,
            |s| s.shape.resolvers = 1,
            |s| s.shape.servers = 1,
            |s| s.shape.sites = 2,
            |s| s.shape.prefixes = 2,
            |s| s.shape.ipv6 = false,
            |s| s.shape.probe_interval_ms = 0,
            |s| s.chaos_ms = s.ops.last().map_or(0, |timed| timed.at) + 60_000,
        ];
        for edit in edits {
            let mut candidate = self.best.clone();
            edit(&mut candidate);
            self.attempt(candidate);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::Op;

    #[test]
    fn what_a_failure_needs_stays_and_the_rest_goes() {
        let moves = |s: &Scenario| s.ops.iter().filter(|t| matches!(t.op, Op::Move { .. })).count();
        let play = |s: &Scenario| {
            let failure = Failure { at: 1, rule: "two-moves".into(), detail: String::new() };
            (moves(s) >= 2 && s.net.delay_max_ms > 0).then_some(failure)
        };
        let (scenario, failure) = (0..)
            .map(Scenario::generate)
            .filter(|s| s.ops.len() > 12)
            .find_map(|s| play(&s).map(|failure| (s, failure)))
            .expect("some seed has it");
        let (small, how) = shrink_by(&scenario, &failure, &play);
        assert_eq!((small.ops.len(), moves(&small)), (2, 2));
        assert_eq!((small.net.loss_percent, small.net.delay_max_ms), (0, 1));
        assert_eq!((small.shape.proxies, small.shape.sites), (1, 2));
        assert_eq!(how.rule, "two-moves");
    }
}
