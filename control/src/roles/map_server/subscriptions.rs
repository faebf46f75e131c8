//! Who subscribed to what (RFC 9437 sections 5, 6): one row per subscriber and EID-prefix, found by
//! the prefixes that a change concerns.

use crate::engine::event::{EidPrefix, Time};
use crate::engine::{Slab, Timers};
use crate::roles::limit::Bucket;
use crate::roles::prefix_table::EidTable;
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

/// What tells subscribers apart.
pub(super) type XtrId = [u8; 16];

/// A confirmed subscription.
#[derive(Debug)]
pub(super) struct Subscription {
    /// EID-prefix that the answer was about; changes inside it are published too.
    pub(super) eid: EidPrefix,
    pub(super) xtr_id: XtrId,
    /// Where publications go: the first one that can be sent to.
    pub(super) itr_rlocs: Vec<IpAddr>,
    /// The last one used, by either side.
    pub(super) nonce: u64,
    pub(super) since: Time,
    pub(super) expires: Time,
    /// EID-prefixes that changed and are not in an unacknowledged publication yet.
    pub(super) news: BTreeSet<EidPrefix>,
    /// The unacknowledged publication.
    pub(super) flight: Option<u32>,
    pub(super) published: u64,
    pub(super) rate: Bucket,
}

/// All subscriptions.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    rows: Slab<Subscription>,
    by_eid: EidTable<Vec<u32>>,
    by_subscriber: HashMap<(XtrId, EidPrefix), u32>,
    per_subscriber: HashMap<XtrId, u32>,
    /// One timer per row: its end, or news that wait.
    timers: Timers,
}

impl Subscriptions {
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Subscriptions of one subscriber.
    pub(super) fn held_by(&self, xtr_id: &XtrId) -> u32 {
        self.per_subscriber.get(xtr_id).copied().unwrap_or(0)
    }

    pub(super) fn slot(&self, xtr_id: &XtrId, eid: &EidPrefix) -> Option<u32> {
        self.by_subscriber.get(&(*xtr_id, *eid)).copied()
    }

    pub(super) fn get(&self, slot: u32) -> Option<&Subscription> {
        self.rows.get(slot)
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut Subscription> {
        self.rows.get_mut(slot)
    }

    /// By instance and EID-prefix.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Subscription> {
        self.by_eid.iter().flat_map(|(_, slots)| slots).filter_map(|slot| self.rows.get(*slot))
    }

    pub(super) fn insert(&mut self, row: Subscription) -> u32 {
        let (eid, xtr_id, expires) = (row.eid, row.xtr_id, row.expires);
        let slot = self.rows.insert(row);
        match self.by_eid.get_mut(&eid) {
            Some(slots) => slots.push(slot),
            None => {
                self.by_eid.insert(eid, vec![slot]);
            }
        }
        self.by_subscriber.insert((xtr_id, eid), slot);
        *self.per_subscriber.entry(xtr_id).or_default() += 1;
        self.timers.set(slot, expires);
        slot
    }

    pub(super) fn remove(&mut self, slot: u32) -> Option<Subscription> {
        let row = self.rows.remove(slot)?;
        self.timers.cancel(slot);
        self.by_subscriber.remove(&(row.xtr_id, row.eid));
        if let Some(slots) = self.by_eid.get_mut(&row.eid) {
            slots.retain(|s| *s != slot);
            if slots.is_empty() {
                self.by_eid.remove(&row.eid);
            }
        }
        if let Some(held) = self.per_subscriber.get_mut(&row.xtr_id) {
            *held -= 1;
            if *held == 0 {
                self.per_subscriber.remove(&row.xtr_id);
            }
        }
        Some(row)
    }

    /// Whom a change of `eid` concerns, with the EID-prefix that each is to hear about: those who
    /// subscribed to it or to a prefix around it hear of `eid`; those inside it whose own prefix is
    /// mapped by `eid` (`is_mapped_by`), of theirs.
    pub(super) fn concerned(
        &self,
        eid: &EidPrefix,
        is_mapped_by: impl Fn(&EidPrefix) -> bool,
    ) -> Vec<(u32, EidPrefix)> {
        let around = self.by_eid.around(eid).flat_map(|(_, slots)| slots).map(|slot| (*slot, *eid));
        let inside = self.by_eid.inside(eid).filter(|(prefix, _)| *prefix != eid.prefix);
        let inside = inside
            .map(|(prefix, slots)| (EidPrefix { iid: eid.iid, prefix }, slots))
            .filter(|(inner, _)| is_mapped_by(inner))
            .flat_map(|(inner, slots)| slots.iter().map(move |slot| (*slot, inner)));
        around.chain(inside).collect()
    }

    /// Sets when a row is to be looked at: at its end, or earlier.
    pub(super) fn wake(&mut self, slot: u32, at: Option<Time>) {
        if let Some(row) = self.rows.get(slot) {
            self.timers.set(slot, at.map_or(row.expires, |at| at.min(row.expires)));
        }
    }

    pub(super) fn pop_due(&mut self, now: Time) -> Option<u32> {
        self.timers.pop_due(now)
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.timers.next_deadline()
    }
}
