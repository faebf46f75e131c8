//! What the map-cache has to do with NATs: routers behind them that an RTR sends to, and the
//! RTRs that a router behind one sends everything to.

use super::cx::Cx;
use super::event::{EidPrefix, Locator};
use super::itr::Itr;
use super::map_cache::{NEVER, NewEntry};
use super::mapping::{Act, MappedLocator, Origin};
use super::role_set::RoleSet;
use pxtr_dataplane::trust::MapVersion;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// News of the roles that know NATs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NatChange {
    /// Through which RTRs our site reaches everything; none: we look mappings up ourselves.
    WayOut(Vec<IpAddr>),
    /// Where the routers are that serve an EID-prefix behind a NAT; none: nobody does any more.
    Behind(EidPrefix, Vec<IpAddr>),
}

/// Entries that stand for the time being, whatever a Map-Reply says.
#[derive(Debug, Default)]
pub(super) struct NatEntries {
    way_out: Vec<MappedLocator>,
    behind: BTreeMap<EidPrefix, Vec<MappedLocator>>,
}

/// Carries what the roles learnt of NATs to the map-cache.
pub fn settle(cx: &mut Cx<'_>, itr: &mut Itr, roles: &mut RoleSet) {
    roles.nat_changes().into_iter().for_each(|change| itr.on_nat_change(cx, change));
}

impl Itr {
    fn on_nat_change(&mut self, cx: &mut Cx<'_>, change: NatChange) {
        match change {
            NatChange::WayOut(rtrs) => {
                if self.nat.way_out.is_empty() != rtrs.is_empty() {
                    self.cache.clear(cx, &mut self.rlocs, None);
                }
                self.nat.way_out = equal(&rtrs);
                self.lay_way_out(cx);
            }
            NatChange::Behind(eid, routers) if routers.is_empty() => {
                self.nat.behind.remove(&eid);
                self.forget_nat(cx, &eid);
            }
            NatChange::Behind(eid, routers) => {
                let locators = equal(&routers);
                self.put_nat(cx, eid, locators.clone());
                self.nat.behind.insert(eid, locators);
            }
        }
    }

    /// After a change of the configuration: what no longer has a place goes, the rest is laid anew.
    pub(super) fn lay_nat(&mut self, cx: &mut Cx<'_>) {
        let (space, nat) = (&self.cache.space, &self.nat);
        let stays = |eid: &EidPrefix| {
            nat.behind.contains_key(eid) || (!nat.way_out.is_empty() && space.contains(eid))
        };
        let gone = self.cache.iter().filter(|e| e.origin == Origin::Nat && !stays(&e.eid));
        for eid in gone.map(|e| e.eid).collect::<Vec<_>>() {
            self.cache.remove(cx, &mut self.rlocs, &eid);
        }
        self.lay_way_out(cx);
        for (eid, locators) in self.nat.behind.clone() {
            self.put_nat(cx, eid, locators);
        }
    }

    /// Our whole EID space by the RTRs, or looked up again.
    fn lay_way_out(&mut self, cx: &mut Cx<'_>) {
        for eid in self.cache.space.clone() {
            match self.nat.way_out.clone() {
                rtrs if rtrs.is_empty() => self.forget_nat(cx, &eid),
                rtrs => self.put_nat(cx, eid, rtrs),
            }
        }
    }

    fn put_nat(&mut self, cx: &mut Cx<'_>, eid: EidPrefix, locators: Vec<MappedLocator>) {
        let new = NewEntry {
            act: Act::Encapsulate,
            locators,
            origin: Origin::Nat,
            expires: NEVER,
            version: MapVersion::NONE,
        };
        self.cache.put(cx, &mut self.rlocs, eid, new);
    }

    fn forget_nat(&mut self, cx: &mut Cx<'_>, eid: &EidPrefix) {
        if self.cache.get(eid).is_some_and(|entry| entry.origin == Origin::Nat) {
            self.cache.remove(cx, &mut self.rlocs, eid);
        }
    }
}

/// Each with the same share.
fn equal(rlocs: &[IpAddr]) -> Vec<MappedLocator> {
    rlocs.iter().map(|&rloc| MappedLocator::new(Locator::new(rloc, 1, 100), true)).collect()
}
