//! What the map-cache has to do with hosts of our own site that come and go.

use super::accept;
use super::cx::Cx;
use super::event::{Action, EidPrefix, Place};
use super::itr::Itr;
use super::map_cache::{NEVER, NewEntry};
use super::mapping::{Act, Origin};
use super::role_set::RoleSet;
use crate::roles::etr::HostChange;
use pxtr_dataplane::trust::MapVersion;

/// Carries what became of hosts from the ETR to the map-cache and to the data plane.
pub fn settle(cx: &mut Cx<'_>, itr: &mut Itr, roles: &mut RoleSet) {
    let changes = roles.etr_mut().map(crate::roles::Etr::host_changes).unwrap_or_default();
    changes.into_iter().for_each(|change| itr.on_host_change(cx, change));
}

impl Itr {
    /// A host that is away has an entry of its own, which is looked up like any other: the one that
    /// the Map-Notify brought, and SendMapRequest when that ends. One that is here has none.
    fn on_host_change(&mut self, cx: &mut Cx<'_>, change: HostChange) {
        let HostChange { eid, place, record, .. } = change;
        let host = Action::Host { eid, place };
        match place {
            // The data plane takes one owner for a prefix: first the map-cache lets go of it.
            Place::Here { .. } | Place::Behind { .. } | Place::Gone => {
                self.forget_away(cx, &eid);
                cx.out.push(host);
            }
            Place::Away { .. } => {
                cx.out.push(host);
                self.away.insert(eid);
                self.cache.space.insert(eid);
                let judged = record.map(|record| accept::judge(cx, eid, &record));
                let new = match judged.and_then(|judged| Some((judged.mapping?, judged.version))) {
                    Some(((act, locators, expires), version)) => {
                        NewEntry { act, locators, origin: Origin::MapReply, expires, version }
                    }
                    None => NewEntry {
                        act: Act::SendMapRequest,
                        locators: Vec::new(),
                        origin: Origin::EidSpace,
                        expires: NEVER,
                        version: MapVersion::NONE,
                    },
                };
                self.cache.put(cx, &mut self.rlocs, eid, new);
            }
        }
    }

    fn forget_away(&mut self, cx: &mut Cx<'_>, eid: &EidPrefix) {
        if self.away.remove(eid) {
            self.cache.space.remove(eid);
        }
        if self.cache.get(eid).is_some_and(|entry| entry.origin != Origin::Static) {
            self.cache.remove(cx, &mut self.rlocs, eid);
        }
    }
}
