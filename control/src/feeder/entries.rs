//! Map-cache entries: which slot each EID-prefix has, and what it holds on to.

use super::slots::SlotPool;
use crate::engine::event::Forwarding;
use ipnet::IpNet;
use pxtr_dataplane::types::{EntryId, LocatorSetId, VrfId};
use std::collections::HashMap;
use std::net::IpAddr;

/// What an entry keeps alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    Nothing,
    Rloc(IpAddr),
    Set(LocatorSetId),
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) slot: EntryId,
    pub(super) held: Held,
    /// An EID-prefix of our own site: the engine's word on it is not taken.
    pub(super) site: bool,
    /// What the engine said of it all the same, for the day it is no longer our site's.
    shadow: Option<Forwarding>,
    /// The engine's life in which it was last installed.
    pub(super) epoch: u32,
}

/// All map-cache entries.
#[derive(Debug)]
pub(super) struct Entries {
    slots: SlotPool,
    entries: HashMap<(VrfId, IpNet), Entry>,
    /// By slot number, for the usage scan.
    by_slot: Vec<Option<(VrfId, IpNet)>>,
    pub(super) epoch: u32,
    /// Entries that found no slot.
    pub(super) refused: u64,
}

impl Entries {
    pub(super) fn new(limit: u32) -> Self {
        Self {
            slots: SlotPool::new(limit),
            entries: HashMap::new(),
            by_slot: Vec::new(),
            epoch: 0,
            refused: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn settle(&mut self, applied: u64) {
        self.slots.settle(applied);
    }

    pub(super) fn get(&self, key: (VrfId, IpNet)) -> Option<&Entry> {
        self.entries.get(&key)
    }

    /// Is there room for this EID-prefix?
    pub(super) fn has_room(&mut self, key: (VrfId, IpNet)) -> bool {
        let room = self.entries.contains_key(&key) || self.slots.has_room();
        self.refused += u64::from(!room);
        room
    }

    /// Sets what an entry holds. Returns its slot and what it held before. `None`: no slot left.
    pub(super) fn set(&mut self, key: (VrfId, IpNet), held: Held, site: bool) -> Option<(EntryId, Held)> {
        let epoch = self.epoch;
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.epoch = epoch;
            entry.site = site;
            return Some((entry.slot, std::mem::replace(&mut entry.held, held)));
        }
        let slot = EntryId(self.slots.take()?);
        let index = slot.0 as usize;
        if self.by_slot.len() <= index {
            self.by_slot.resize(index + 1, None);
        }
        if let Some(place) = self.by_slot.get_mut(index) {
            *place = Some(key);
        }
        self.entries.insert(key, Entry { slot, held, site, shadow: None, epoch });
        Some((slot, Held::Nothing))
    }

    /// Remembers the engine's word on a prefix of our own site. False: it is no such prefix.
    pub(super) fn shadow(&mut self, key: (VrfId, IpNet), forwarding: Option<Forwarding>) -> bool {
        let entry = self.entries.get_mut(&key).filter(|e| e.site);
        entry.map(|entry| entry.shadow = forwarding).is_some()
    }

    /// The prefix is no longer our site's. Returns the engine's word on it.
    pub(super) fn end_site(&mut self, key: (VrfId, IpNet)) -> Option<Forwarding> {
        let entry = self.entries.get_mut(&key)?;
        entry.site = false;
        entry.shadow.take()
    }

    /// All of them: their slots, and what they hold.
    pub(super) fn iter(&self) -> impl Iterator<Item = (EntryId, Held)> {
        self.entries.values().map(|entry| (entry.slot, entry.held))
    }

    /// Removes an entry; `fence`: sequence number of the delta that does so.
    pub(super) fn remove(&mut self, key: (VrfId, IpNet), fence: u64) -> Option<Held> {
        let entry = self.entries.remove(&key)?;
        if let Some(place) = self.by_slot.get_mut(entry.slot.0 as usize) {
            *place = None;
        }
        self.slots.give_back(entry.slot.0, fence);
        Some(entry.held)
    }

    /// The EID-prefix in a slot.
    pub(super) fn of_slot(&self, slot: u32) -> Option<(VrfId, IpNet)> {
        self.by_slot.get(slot as usize).copied().flatten()
    }

    /// Slots ever used: the range of the usage scan.
    pub(super) fn slot_range(&self) -> u32 {
        self.by_slot.len() as u32
    }

    /// Entries among the `count` slots from `from` on that the engine has not installed in its
    /// present life.
    pub(super) fn stale(&self, from: u32, count: u32) -> Vec<(VrfId, IpNet)> {
        let slots = self.by_slot.iter().skip(from as usize).take(count as usize).flatten();
        let stale =
            |key: &&(VrfId, IpNet)| self.entries.get(key).is_some_and(|e| !e.site && e.epoch != self.epoch);
        slots.filter(stale).copied().collect()
    }
}
