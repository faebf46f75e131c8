//! What the sites really have, and had: the yardstick of all caches.

use super::scenario::{Op, Shape};
use super::topology;
use crate::engine::config::ConfiguredLocator;
use crate::engine::event::EidPrefix;
use crate::engine::select;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// The authoritative mappings.
#[derive(Debug)]
pub(super) struct Truth {
    shape: Shape,
    /// By prefix number: its site.
    owners: Vec<usize>,
    /// By site: how it uses its RLOCs.
    choices: Vec<u8>,
    /// By prefix number and RLOC: until when the mapping held it, if it does no more.
    held: BTreeMap<(usize, IpAddr), Option<u64>>,
    /// By prefix number: the last change.
    changed: Vec<u64>,
}

impl Truth {
    /// At the start.
    pub(super) fn new(shape: &Shape) -> Self {
        let sites = usize::from(shape.sites);
        let prefixes = usize::from(shape.prefixes);
        let mut truth = Self {
            shape: *shape,
            owners: (0..prefixes).map(|p| p % sites).collect(),
            choices: vec![0; sites],
            held: BTreeMap::new(),
            changed: vec![0; prefixes],
        };
        (0..prefixes).for_each(|p| truth.settle(0, p));
        truth
    }

    /// Applies a move or a change of RLOCs; the sites whose configuration changes by it.
    pub(super) fn apply(&mut self, now: u64, op: &Op) -> Vec<usize> {
        let before = (self.owners.clone(), self.choices.clone());
        match *op {
            Op::Move { prefix, site } => {
                let at = usize::from(prefix) % self.owners.len();
                self.owners[at] = usize::from(site) % self.choices.len();
            }
            Op::Relocate { site, choice } => {
                let at = usize::from(site) % self.choices.len();
                self.choices[at] = choice % 4;
            }
            _ => {}
        }
        let mut sites = Vec::new();
        for p in 0..self.owners.len() {
            let (old, new) = (before.0[p], self.owners[p]);
            if old != new || before.1[new] != self.choices[new] {
                self.settle(now, p);
                sites.extend([old, new]);
            }
        }
        sites.sort_unstable();
        sites.dedup();
        sites
    }

    fn settle(&mut self, now: u64, prefix: usize) {
        let holds: Vec<IpAddr> = self.locators_of(prefix).iter().map(|l| l.rloc).collect();
        for ((p, rloc), until) in &mut self.held {
            if *p == prefix && until.is_none() && !holds.contains(rloc) {
                *until = Some(now);
            }
        }
        for rloc in holds {
            self.held.insert((prefix, rloc), None);
        }
        if let Some(changed) = self.changed.get_mut(prefix) {
            *changed = now;
        }
    }

    /// The EID-prefixes of a site, each with its locator-set.
    pub(super) fn database(&self, site: usize) -> Vec<(EidPrefix, Vec<ConfiguredLocator>)> {
        let of_site = (0..self.owners.len()).filter(|&p| self.owners[p] == site);
        of_site.map(|p| (topology::prefix(&self.shape, p), self.locators_of(p))).collect()
    }

    fn locators_of(&self, prefix: usize) -> Vec<ConfiguredLocator> {
        let site = self.owners[prefix];
        let [first, second] = topology::site_rlocs(&self.shape, site);
        let locator = |rloc, priority| ConfiguredLocator::new(rloc, priority, 50);
        match self.choices[site] {
            0 => vec![locator(first, 1)],
            1 => vec![locator(second, 1)],
            2 => vec![locator(first, 1), locator(second, 1)],
            _ => vec![locator(first, 1), locator(second, 2)],
        }
    }

    /// Which site has an EID-prefix.
    pub(super) fn owner(&self, prefix: usize) -> Option<usize> {
        self.owners.get(prefix).copied()
    }

    /// The last change of an EID-prefix.
    pub(super) fn changed(&self, prefix: usize) -> u64 {
        self.changed.get(prefix).copied().unwrap_or(0)
    }

    /// Where packets for an EID-prefix belong when all RLOCs are up.
    pub(super) fn targets(&self, prefix: usize) -> Vec<IpAddr> {
        let locators: Vec<_> = self
            .locators_of(prefix)
            .iter()
            .map(|l| crate::engine::event::Locator::new(l.rloc, l.priority, l.weight))
            .collect();
        select::shares(&locators, |_| true).into_iter().map(|(rloc, _)| rloc).collect()
    }

    /// For how long the mapping of an EID-prefix has not held an RLOC: 0 when it does, `None` when it
    /// never did.
    pub(super) fn gone_for(&self, now: u64, prefix: usize, rloc: IpAddr) -> Option<u64> {
        match self.held.get(&(prefix, rloc))? {
            None => Some(0),
            Some(until) => Some(now.saturating_sub(*until)),
        }
    }
}
