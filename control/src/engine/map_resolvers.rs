//! Which Map-Resolver is asked next: in order of preference, those that are much slower
//! than another behind it, those that stopped answering last, with a test now and then whether they are
//! as they were. A lookup does not wait twice for one that is usually quick: its second try is a hedge,
//! as early as R-055 has it.

use super::cx::Cx;
use super::event::Time;
use std::net::IpAddr;

/// Unanswered requests in a row after which a Map-Resolver is not the first choice any more.
const SUSPECT_AFTER: u32 = 3;
/// A suspect Map-Resolver is asked again that often, so that its return is seen: by a lookup for
/// which no packet waits, and less often by one for which packets do (it costs them a second).
const RETEST_PATIENT_MS: u64 = 5_000;
const RETEST_MS: u64 = 60_000;
/// Who usually answers within this time will not answer a try that it let pass: the retransmission
/// goes to another one.
const QUICK_MS: u64 = 500;
/// A Map-Resolver is slow whose usual time is so many times that of the quickest, and so much more.
const SLOW_FACTOR: u64 = 4;
const SLOW_MARGIN_MS: u64 = 50;

/// What we know of a Map-Resolver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapResolver {
    /// Its address.
    pub address: IpAddr,
    /// Requests without an answer since the last answer.
    pub unanswered: u32,
    /// Last request.
    pub asked_at: Option<Time>,
    /// Last answer, and the time it took, milliseconds.
    pub answered: Option<(Time, u64)>,
    /// The time that its answers usually take, milliseconds: smoothed.
    pub usual_ms: Option<u64>,
}

/// The configured Map-Resolvers, in order of preference.
#[derive(Debug, Default)]
pub struct MapResolvers(Vec<MapResolver>);

impl MapResolvers {
    /// Takes over the configured list; what is known of those that stay is kept.
    pub fn configure(&mut self, addresses: &[IpAddr]) {
        let old = std::mem::take(&mut self.0);
        self.0 = addresses
            .iter()
            .map(|&address| {
                let known = old.iter().find(|r| r.address == address).cloned();
                known.unwrap_or(MapResolver {
                    address,
                    unanswered: 0,
                    asked_at: None,
                    answered: None,
                    usual_ms: None,
                })
            })
            .collect();
    }

    /// The one that a lookup asks next, after those that it `asked` in vain: two tries each,
    /// but only one on a suspect and on one that is usually quick. One that became suspect while the lookup waited for it gets no other
    /// turn before the others had theirs, or the lookup would go back to a dead one just as its waits
    /// become longer. `patient`: no packet waits for it. `None`: none is configured.
    pub fn choose(&mut self, cx: &Cx<'_>, asked: &[IpAddr], patient: bool) -> Option<IpAddr> {
        let retest_ms = if patient { RETEST_PATIENT_MS } else { RETEST_MS };
        let answering = self.0.iter().filter(|r| !r.is_suspect());
        let best = answering.filter_map(|r| r.usual_ms).min().unwrap_or_default();
        let is_slow = |r: &MapResolver| r.usual_ms.is_some_and(|ms| ms > SLOW_FACTOR * best + SLOW_MARGIN_MS);
        let retest = |r: &MapResolver| {
            (r.is_suspect() || is_slow(r)) && r.asked_at.is_none_or(|at| cx.now.since(at) >= retest_ms)
        };
        let due = asked.is_empty().then(|| self.0.iter().position(retest)).flatten();
        let round = |r: &MapResolver| {
            let times = asked.iter().filter(|a| **a == r.address).count();
            if r.is_suspect() || r.is_quick() { times } else { times / 2 }
        };
        let turn = self.0.iter().enumerate().min_by_key(|(i, r)| (round(r), r.is_suspect(), is_slow(r), *i));
        let next = due.or(turn.map(|(i, _)| i))?;
        let resolver = self.0.get_mut(next)?;
        resolver.asked_at = Some(cx.now);
        Some(resolver.address)
    }

    /// It did not answer a request in time.
    pub fn on_silence(&mut self, address: IpAddr) {
        if let Some(resolver) = self.0.iter_mut().find(|r| r.address == address) {
            resolver.unanswered = resolver.unanswered.saturating_add(1);
        }
    }

    /// A request sent to it was answered (by whomever it was forwarded to).
    pub fn on_answer(&mut self, address: IpAddr, now: Time, took_ms: u64) {
        if let Some(resolver) = self.0.iter_mut().find(|r| r.address == address) {
            resolver.unanswered = 0;
            resolver.answered = Some((now, took_ms));
            resolver.usual_ms = Some(resolver.usual_ms.map_or(took_ms, |usual| (3 * usual + took_ms) / 4));
        }
    }

    /// All of them, in order of preference.
    #[must_use]
    pub fn all(&self) -> &[MapResolver] {
        &self.0
    }
}

impl MapResolver {
    /// It stopped answering.
    #[must_use]
    pub fn is_suspect(&self) -> bool {
        self.unanswered >= SUSPECT_AFTER
    }

    fn is_quick(&self) -> bool {
        self.usual_ms.is_some_and(|ms| ms <= QUICK_MS)
    }
}
