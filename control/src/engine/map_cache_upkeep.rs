//! What happens to learnt entries by themselves: expiry, refresh, idleness, eviction (R-074 to
//! R-076), and the holes that more-specific mappings leave behind.

use super::counters::Counter;
use super::cx::Cx;
use super::event::{EidPrefix, Iid, Time};
use super::lru::Kind;
use super::map_cache::{Entry, MapCache, NEVER, NewEntry};
use super::mapping::{Act, Origin};
use super::rlocs::Rlocs;
use pxtr_dataplane::trust::MapVersion;

/// A refresh starts at least that long before the end of the TTL, if that is not before 90 % of it.
const REFRESH_BEFORE_MS: u64 = 60_000;
/// Wait of a refresh for which there is no room now.
const REFRESH_RETRY_MS: u64 = 3_000;
/// Entries looked at in one tick: a million that expire together must not stop everything else.
const TICK_ENTRIES: usize = 4_096;
/// An entry is in use when a packet used it within a tenth of its TTL, and at least this.
const USED_WITHIN_MS: u64 = 60_000;

impl Entry {
    fn ttl_ms(&self) -> u64 {
        self.expires.since(self.confirmed)
    }

    pub(super) fn in_use(&self, now: Time) -> bool {
        now.since(self.used) <= (self.ttl_ms() / 10).max(USED_WITHIN_MS)
    }

    fn lru(&self) -> Option<(Iid, Kind)> {
        let kind = if self.act == Act::Encapsulate { Kind::Positive } else { Kind::Negative };
        self.origin.is_learnt().then_some((self.eid.iid, kind))
    }
}

/// How long an entry may stay without a packet; 0 in the configuration: for ever.
fn idle_ms(cx: &Cx<'_>) -> u64 {
    match cx.config.limits.idle_timeout_s {
        0 => u64::MAX,
        seconds => u64::from(seconds) * 1000,
    }
}

impl MapCache {
    /// Learnt entries.
    #[must_use]
    pub fn learnt(&self) -> usize {
        self.lru.len()
    }

    /// Packets were forwarded by this entry. False: there is none.
    pub fn touch(&mut self, now: Time, eid: &EidPrefix) -> bool {
        let Some(slot) = self.slot(eid) else { return false };
        let Some(entry) = self.entries.get_mut(slot) else { return false };
        entry.used = now;
        if let Some((iid, kind)) = entry.lru() {
            self.lru.touch(iid, kind, slot);
        }
        true
    }

    /// Does what is due, within bounds. EID-prefixes to refresh are appended to `refresh`.
    pub fn on_tick(&mut self, cx: &mut Cx<'_>, rlocs: &mut Rlocs, refresh: &mut Vec<EidPrefix>) {
        for _ in 0..TICK_ENTRIES {
            let Some(slot) = self.timers.pop_due(cx.now) else { break };
            let Some(entry) = self.entries.get_mut(slot) else { continue };
            let eid = entry.eid;
            let idle = entry.origin == Origin::MapReply && cx.now.since(entry.used) >= idle_ms(cx);
            if entry.expires <= cx.now || idle {
                let expired = entry.expires <= cx.now;
                cx.count(if expired { Counter::EntriesExpired } else { Counter::EntriesIdle });
                self.retire(cx, rlocs, &eid);
                continue;
            }
            if entry.refresh <= cx.now {
                entry.refresh = NEVER;
                if entry.in_use(cx.now) {
                    refresh.push(eid);
                }
            }
            self.arm(cx, slot);
        }
    }

    /// There was no room to refresh an entry: tries again soon.
    pub fn put_off_refresh(&mut self, cx: &mut Cx<'_>, eid: &EidPrefix) {
        let at = cx.now.plus_ms(cx.rng.jitter(REFRESH_RETRY_MS, 50));
        let Some(slot) = self.slot(eid) else { return };
        if let Some(entry) = self.entries.get_mut(slot) {
            entry.refresh = at;
        }
        self.arm(cx, slot);
    }

    /// Plans what happens to an entry that was just learnt or confirmed. A mapping in use is asked
    /// for again between 90 % of its TTL and a minute before its end: at random, so that
    /// those learnt together are not all asked for together.
    pub(super) fn schedule(&mut self, cx: &mut Cx<'_>, slot: u32) {
        if let Some(entry) = self.entries.get_mut(slot) {
            let refreshable = entry.origin == Origin::MapReply && entry.act != Act::SendMapRequest;
            entry.refresh = if refreshable {
                let ttl = entry.ttl_ms();
                let window = (ttl / 10).saturating_sub(REFRESH_BEFORE_MS);
                entry.confirmed.plus_ms(ttl / 10 * 9 + cx.rng.below(window.saturating_add(1)))
            } else {
                NEVER
            };
        }
        self.arm(cx, slot);
    }

    /// When `on_tick` is wanted next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        self.timers.next_deadline()
    }

    /// Sets the timer of an entry to the next thing that can happen to it.
    pub(super) fn arm(&mut self, cx: &Cx<'_>, slot: u32) {
        let Some(entry) = self.entries.get(slot) else { return };
        if !entry.origin.is_learnt() {
            self.timers.cancel(slot);
            return;
        }
        let mut at = entry.expires;
        if entry.origin == Origin::MapReply {
            at = at.min(entry.used.plus_ms(idle_ms(cx))).min(entry.refresh);
        }
        // Not in the past: a tick must not meet the same entry twice.
        self.timers.set(slot, at.max(cx.now.plus_ms(1)));
    }

    /// Ends a learnt entry. If another learnt entry covers it, that one must not answer for its
    /// EIDs: a hole stays, which asks again.
    pub fn retire(&mut self, cx: &mut Cx<'_>, rlocs: &mut Rlocs, eid: &EidPrefix) {
        let around = self.covering(eid);
        let covered = around.filter(|e| e.origin == Origin::MapReply && e.act != Act::SendMapRequest);
        match covered.map(|e| e.expires).filter(|&expires| expires > cx.now) {
            Some(expires) => {
                let (act, origin) = (Act::SendMapRequest, Origin::Hole);
                self.put(
                    cx,
                    rlocs,
                    *eid,
                    NewEntry { act, locators: Vec::new(), origin, expires, version: MapVersion::NONE },
                );
            }
            None => self.remove(cx, rlocs, eid),
        }
    }

    /// Makes room for one more learnt entry of an instance: among its own where it is at its
    /// bound; where all together are, among those of the instance that has most, so that a scan in one
    /// does not push out the mappings of the others.
    pub(super) fn make_room(&mut self, cx: &mut Cx<'_>, rlocs: &mut Rlocs, iid: Iid) {
        let limits = &cx.config.limits;
        let limit = (limits.map_cache_entries as usize).max(1);
        let own = match limits.map_cache_entries_per_instance {
            0 => usize::MAX,
            own => own as usize,
        };
        while self.lru.len_of(iid) >= own && self.evict(cx, rlocs, iid) {}
        while self.learnt() >= limit
            && let Some(largest) = self.lru.largest(iid)
            && self.evict(cx, rlocs, largest)
        {}
    }

    /// Takes out the entry of an instance that is to go first. False: there is none.
    fn evict(&mut self, cx: &mut Cx<'_>, rlocs: &mut Rlocs, iid: Iid) -> bool {
        let victim = self.lru.first_to_go(iid).and_then(|slot| self.entries.get(slot));
        let Some(eid) = victim.map(|entry| entry.eid) else { return false };
        // No hole, that would make no room: what covers it goes too, and is asked for again.
        while let Some(around) = self.covering(&eid).filter(|e| e.origin == Origin::MapReply) {
            let around = around.eid;
            cx.count(Counter::EntriesEvicted);
            self.remove(cx, rlocs, &around);
        }
        cx.count(Counter::EntriesEvicted);
        self.remove(cx, rlocs, &eid);
        true
    }

    /// Forgets what was learnt: all of it, or what lies inside a prefix.
    pub fn clear(&mut self, cx: &mut Cx<'_>, rlocs: &mut Rlocs, inside: Option<&EidPrefix>) {
        let learnt = |e: &&Entry| e.origin.is_learnt();
        let eids: Vec<EidPrefix> = match inside {
            Some(eid) => self.inside(eid).filter(learnt).map(|e| e.eid).collect(),
            None => self.iter().filter(learnt).map(|e| e.eid).collect(),
        };
        for eid in eids {
            self.remove(cx, rlocs, &eid);
        }
    }

    /// Enters an entry into the LRU order it belongs to.
    pub(super) fn track(&mut self, slot: u32) {
        if let Some((iid, kind)) = self.entries.get(slot).and_then(Entry::lru) {
            self.lru.push(iid, kind, slot);
        }
    }

    /// Takes an entry out of its LRU order.
    pub(super) fn untrack(&mut self, slot: u32) {
        if let Some((iid, kind)) = self.entries.get(slot).and_then(Entry::lru) {
            self.lru.remove(iid, kind, slot);
        }
    }
}
