//! Locator-sets, each kept once however many map-cache entries use it.
//!
//! A set knows its members (map-cache slots) by an intrusive list: any of them serves as the
//! EID-prefix of an RLOC-probe, and the last one to leave takes the set with it.

use super::lists::{Head, Lists};
use super::mapping::MappedLocator;
use super::slab::Slab;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

/// A locator-set in use.
#[derive(Debug)]
pub struct LocatorSet {
    /// In wire order, as received.
    pub locators: Arc<[MappedLocator]>,
    members: Head,
}

impl LocatorSet {
    /// RLOCs that may carry traffic when they are up.
    pub fn eligible_rlocs(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.locators.iter().filter(|l| l.is_eligible()).map(|l| l.locator.rloc)
    }

    /// Some member, always the one that has been in the set longest.
    #[must_use]
    pub fn any_member(&self) -> Option<u32> {
        self.members.first()
    }

    /// How many map-cache entries use it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }
}

/// All locator-sets, by slot and by content.
#[derive(Debug, Default)]
pub struct LocatorSets {
    sets: Slab<LocatorSet>,
    by_content: HashMap<Arc<[MappedLocator]>, u32>,
    links: Lists,
}

impl LocatorSets {
    /// The slot of a set with these locators, and whether it is new (and still without members).
    pub fn intern(&mut self, locators: &[MappedLocator]) -> (u32, bool) {
        if let Some(&slot) = self.by_content.get(locators) {
            return (slot, false);
        }
        let locators: Arc<[MappedLocator]> = locators.into();
        let slot = self.sets.insert(LocatorSet { locators: locators.clone(), members: Head::default() });
        self.by_content.insert(locators, slot);
        (slot, true)
    }

    /// Makes `member`, which is in no set, a member of `set`.
    pub fn join(&mut self, set: u32, member: u32) {
        if let Some(set) = self.sets.get_mut(set) {
            self.links.push_back(&mut set.members, member);
        }
    }

    /// Takes `member` out of its set. Returns the set when that leaves it empty, and thereby ends
    /// it.
    pub fn leave(&mut self, slot: u32, member: u32) -> Option<LocatorSet> {
        let set = self.sets.get_mut(slot)?;
        self.links.remove(&mut set.members, member);
        if set.members.len() > 0 {
            return None;
        }
        let set = self.sets.remove(slot)?;
        self.by_content.remove(&set.locators);
        Some(set)
    }

    /// The member behind another one of the same set.
    #[must_use]
    pub fn member_after(&self, member: u32) -> Option<u32> {
        self.links.after(member)
    }

    /// A set.
    #[must_use]
    pub fn get(&self, slot: u32) -> Option<&LocatorSet> {
        self.sets.get(slot)
    }

    /// Sets in use.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sets.len()
    }
}
