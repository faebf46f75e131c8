//! What the workers of a node do, as far as the engine can tell: entries, locator states, usage.

use crate::engine::event::{Action, EidPrefix, Forwarding, Iid};
use crate::engine::select;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// What a packet meets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// No entry.
    NotLisp,
    /// The engine is to be asked.
    Miss,
    /// Encapsulated to one of these; none: no locator is up.
    Encapsulated(Vec<IpAddr>),
    /// Everything else: dropped, or forwarded natively.
    Other,
}

/// The map-cache of a node's data plane.
#[derive(Clone, Debug, Default)]
pub struct Plane {
    entries: BTreeMap<EidPrefix, Forwarding>,
    down: BTreeSet<IpAddr>,
    used: BTreeSet<EidPrefix>,
    /// Entries that an engine before the present one installed.
    left_over: BTreeSet<EidPrefix>,
}

impl Plane {
    /// Does what the engine says, as far as it concerns the map-cache.
    pub fn apply(&mut self, action: &Action) {
        match action {
            Action::Install { eid, forwarding } => {
                self.left_over.remove(eid);
                self.entries.insert(*eid, forwarding.clone());
            }
            Action::Withdraw(eid) => {
                self.left_over.remove(eid);
                self.entries.remove(eid);
            }
            Action::LocatorState { rloc, up } => {
                if *up {
                    self.down.remove(rloc);
                } else {
                    self.down.insert(*rloc);
                }
            }
            _ => {}
        }
    }

    /// The engine is a new one; entries stay until it has had time to install them again.
    pub fn on_engine_restart(&mut self) {
        self.left_over = self.entries.keys().copied().collect();
        self.down.clear();
    }

    /// That time is over.
    pub fn drop_left_over(&mut self) {
        for eid in std::mem::take(&mut self.left_over) {
            self.entries.remove(&eid);
        }
    }

    /// A packet for this EID.
    pub fn packet(&mut self, iid: Iid, eid: IpAddr) -> Fate {
        let matching = self.entries.iter().filter(|(e, _)| e.iid == iid && e.prefix.contains(&eid));
        let Some((prefix, forwarding)) = matching.max_by_key(|(e, _)| e.prefix.prefix_len()) else {
            return Fate::NotLisp;
        };
        self.used.insert(*prefix);
        match forwarding {
            Forwarding::SendMapRequest => Fate::Miss,
            Forwarding::Encapsulate(locators) => {
                let shares = select::shares(locators, |rloc| !self.down.contains(&rloc));
                Fate::Encapsulated(shares.into_iter().map(|(rloc, _)| rloc).collect())
            }
            _ => Fate::Other,
        }
    }

    /// Entries that packets used since this was asked last.
    pub fn take_used(&mut self) -> Vec<EidPrefix> {
        std::mem::take(&mut self.used).into_iter().collect()
    }

    /// Entries of the present engine.
    pub fn entries(&self) -> impl Iterator<Item = (&EidPrefix, &Forwarding)> {
        self.entries.iter().filter(|(eid, _)| !self.left_over.contains(eid))
    }

    /// RLOCs that are said to be down.
    #[must_use]
    pub fn down(&self) -> &BTreeSet<IpAddr> {
        &self.down
    }
}
