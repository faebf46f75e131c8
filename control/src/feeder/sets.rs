//! Locator-sets: mappings with equal sets of several locators share one bucket table. A path is one, too.

use super::hops::{Context, Hops};
use super::rlocs::{Rlocs, Underlay};
use super::slots::SlotPool;
use crate::engine::event::Locator;
use crate::engine::select;
use pxtr_dataplane::feed::Delta;
use pxtr_dataplane::mapcache::locator;
use pxtr_dataplane::types::{LocatorSetId, RlocId};
use std::collections::HashMap;

#[derive(Debug)]
struct Set {
    locators: Box<[Locator]>,
    users: u32,
    told: Box<[RlocId]>,
    /// The last table of usable locators: what changes from it moves as few flows as can be.
    table: Vec<RlocId>,
}

/// All locator-sets in use.
#[derive(Debug)]
pub(super) struct Sets {
    slots: SlotPool,
    sets: HashMap<LocatorSetId, Set>,
    by_locators: HashMap<Box<[Locator]>, LocatorSetId>,
    /// Locator-sets that found no slot.
    pub(super) refused: u64,
}

impl Sets {
    pub(super) fn new(limit: u32) -> Self {
        Self { slots: SlotPool::new(limit), sets: HashMap::new(), by_locators: HashMap::new(), refused: 0 }
    }

    pub(super) fn in_use(&self) -> u32 {
        self.slots.in_use()
    }

    pub(super) fn settle(&mut self, applied: u64) {
        self.slots.settle(applied);
    }

    /// The locators of a set.
    pub(super) fn locators(&self, id: LocatorSetId) -> &[Locator] {
        self.sets.get(&id).map_or(&[], |set| &set.locators)
    }

    /// The last table of a set's usable locators.
    pub(super) fn table(&self, id: LocatorSetId) -> &[RlocId] {
        self.sets.get(&id).map_or(&[], |set| &set.table)
    }

    /// The slot of a locator-set, made if need be, with one more user. A set that is made moves as few
    /// flows as can be from `previous`, the table of what it takes the place of. `None`: no slot left
    /// for it or for one of its RLOCs.
    pub(super) fn acquire(
        &mut self,
        locators: &[Locator],
        previous: Vec<RlocId>,
        rlocs: &mut Rlocs,
        underlay: Underlay<'_>,
        hops: &mut Hops,
        cx: &mut Context<'_>,
    ) -> Option<LocatorSetId> {
        if let Some(id) = self.by_locators.get(locators) {
            if let Some(set) = self.sets.get_mut(id) {
                set.users += 1;
            }
            return Some(*id);
        }
        let Some(id) = self.slots.take().map(LocatorSetId) else {
            self.refused += 1;
            return None;
        };
        for (held, l) in locators.iter().enumerate() {
            if rlocs.acquire(l.rloc, underlay, hops, cx).is_none() {
                for l in locators.iter().take(held) {
                    rlocs.note_set(l.rloc, id, false);
                    rlocs.release(l.rloc, hops, cx);
                }
                self.slots.give_back(id.0, cx.out.sequence());
                self.refused += 1;
                return None;
            }
            rlocs.note_set(l.rloc, id, true);
        }
        let locators: Box<[Locator]> = locators.into();
        self.by_locators.insert(locators.clone(), id);
        self.sets.insert(id, Set { locators, users: 1, told: Box::default(), table: previous });
        self.rebuild(id, rlocs, cx);
        Some(id)
    }

    /// One user less; the slot goes when it was the last.
    pub(super) fn release(
        &mut self,
        id: LocatorSetId,
        rlocs: &mut Rlocs,
        hops: &mut Hops,
        cx: &mut Context<'_>,
    ) {
        let Some(set) = self.sets.get_mut(&id) else { return };
        set.users -= 1;
        if set.users > 0 {
            return;
        }
        if let Some(set) = self.sets.remove(&id) {
            self.by_locators.remove(&set.locators);
            self.slots.give_back(id.0, cx.out.sequence());
            for l in &set.locators {
                rlocs.note_set(l.rloc, id, false);
                rlocs.release(l.rloc, hops, cx);
            }
        }
    }

    /// Shares the buckets out anew; tells the workers if that changes anything.
    pub(super) fn rebuild(&mut self, id: LocatorSetId, rlocs: &Rlocs, cx: &mut Context<'_>) {
        let Some(set) = self.sets.get_mut(&id) else { return };
        let slot = |rloc| rlocs.get(rloc).map(|e| e.slot);
        let shares = select::shares(&set.locators, |rloc| rlocs.is_up(rloc));
        let members: Vec<_> =
            shares.iter().filter_map(|(rloc, weight)| Some((slot(*rloc)?, *weight))).collect();
        let buckets: Box<[RlocId]> = if members.is_empty() {
            // Nothing usable: any slot of the set will do, for it is down and says so.
            set.locators.iter().filter_map(|l| slot(l.rloc)).take(1).collect()
        } else {
            set.table = locator::build(&members, Some(&set.table));
            set.table.as_slice().into()
        };
        if buckets != set.told {
            set.told.clone_from(&buckets);
            cx.out.delta(Delta::LocatorSetSet(id, buckets));
        }
    }
}
