//! Mappings all of whose locators are down: asked for again, because nobody else may tell us.
//!
//! A site whose only router dies can not solicit anything. When it is served from elsewhere, the
//! mapping system knows that at once and we would not until the TTL ends. So what is in use and has
//! lost its last locator is asked for (RFC 9301 section 5.3 sets the pace), at first at once and
//! then less and less often, until a locator is up or the mapping is another one.

use super::cx::Cx;
use super::event::Time;
use super::itr::Itr;
use super::mapping::{Act, Origin};
use super::resolve::Cause;
use std::collections::{BTreeSet, HashMap};

/// Wait after the first round; doubles.
const FIRST_WAIT_MS: u64 = 1_000;
/// Longest wait between rounds.
const LAST_WAIT_MS: u64 = 30_000;
/// Entries looked at in one tick: a dead RLOC may carry a million of them.
const TICK_ENTRIES: usize = 512;
/// Wait when lookups have no room for one more.
const NO_ROOM_MS: u64 = 100;

/// Locator-sets without a live locator, and how far asking for their members is.
#[derive(Debug, Default)]
pub struct Stranded {
    rounds: HashMap<u32, Round>,
    /// When to go on with which set.
    due: BTreeSet<(Time, u32)>,
}

#[derive(Clone, Copy, Debug)]
struct Round {
    at: Time,
    wait_ms: u64,
    /// Map-cache slot to go on with; `None`: the first one.
    member: Option<u32>,
}

impl Stranded {
    /// A set lost its last locator.
    pub(super) fn note(&mut self, now: Time, set: u32) {
        if !self.rounds.contains_key(&set) {
            self.put(set, Round { at: now, wait_ms: FIRST_WAIT_MS, member: None });
        }
    }

    /// When something is to be asked for.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.due.first().map(|(at, _)| *at)
    }

    fn put(&mut self, set: u32, round: Round) {
        self.due.insert((round.at, set));
        self.rounds.insert(set, round);
    }

    fn pop_due(&mut self, now: Time) -> Option<(u32, Round)> {
        let (at, set) = self.due.first().copied().filter(|(at, _)| *at <= now)?;
        self.due.remove(&(at, set));
        Some((set, self.rounds.remove(&set)?))
    }
}

impl Itr {
    /// Asks for the mappings that are in use and have no live locator.
    pub(super) fn ask_for_stranded(&mut self, cx: &mut Cx<'_>) {
        let mut entries = TICK_ENTRIES;
        while entries > 0
            && let Some((set, round)) = self.rlocs.stranded.pop_due(cx.now)
        {
            if self.rlocs.is_stranded(set) {
                let round = self.ask_round(cx, set, round, &mut entries);
                self.rlocs.stranded.put(set, round);
            }
        }
    }

    /// Asks for members of a set, from where the round stands; the round as it stands now.
    fn ask_round(&mut self, cx: &mut Cx<'_>, set: u32, round: Round, entries: &mut usize) -> Round {
        // One that has left the set since the last tick takes the rest of the round with it.
        let mut next = round.member.or_else(|| self.rlocs.first_member(set));
        while let Some(member) = next
            && let Some(entry) = self.cache.by_slot(member).filter(|entry| entry.set == Some(set))
        {
            let pause = |ms: u64| Round { at: cx.now.plus_ms(ms), member: next, ..round };
            if *entries == 0 {
                return pause(1);
            }
            *entries -= 1;
            let learnt = entry.origin == Origin::MapReply && entry.act == Act::Encapsulate;
            if learnt && entry.in_use(cx.now) {
                let eid = entry.eid;
                let pause = pause(NO_ROOM_MS);
                if !self.resolver.want(cx, eid, Cause::Stranded, None) {
                    return pause;
                }
            }
            next = self.rlocs.member_after(member);
        }
        let at = cx.now.plus_ms(cx.rng.jitter(round.wait_ms, 10).max(1));
        Round { at, wait_ms: (round.wait_ms * 2).min(LAST_WAIT_MS), member: None }
    }
}
