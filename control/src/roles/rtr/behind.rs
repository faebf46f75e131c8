//! Who is behind which NAT, as confirmed by Map-Servers, and which EID-prefixes are behind whom.

use super::pending::Pending;
use crate::engine::event::{EidPrefix, Time};
use crate::engine::{CONTROL_PORT, Counter, Cx, NatChange, Translated};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// What was confirmed counts that long, as at the Map-Server (RFC 9301 section 8.2).
const LIFE_MS: u64 = 180_000;

/// xTR-ID.
pub(super) type XtrId = [u8; 16];

/// A router behind a NAT.
#[derive(Clone, Debug)]
pub(super) struct Router {
    pub(super) through: Translated,
    /// Its own address, behind the NAT.
    pub(super) private: IpAddr,
    pub(super) map_server: IpAddr,
    pub(super) since: Time,
    pub(super) confirmed: Time,
    /// How often it had another address or port than before.
    pub(super) moves: u32,
    pub(super) eids: BTreeMap<EidPrefix, Time>,
}

/// All of them. Bounded by the number of EID-prefixes: a router without any is forgotten.
#[derive(Debug, Default)]
pub(super) struct Behind {
    pub(super) routers: BTreeMap<XtrId, Router>,
    /// Whom an EID-prefix is behind.
    by_eid: BTreeMap<EidPrefix, BTreeSet<XtrId>>,
    ends: BTreeSet<(Time, XtrId, EidPrefix)>,
    /// EID-prefixes whose routers are others now.
    changed: BTreeSet<EidPrefix>,
}

impl Behind {
    /// A Map-Server confirmed these EID-prefixes of what was passed on.
    pub(super) fn confirm(&mut self, cx: &mut Cx<'_>, pending: &Pending, confirmed: &[(EidPrefix, bool)]) {
        let through =
            Translated { address: *pending.from.ip(), port: pending.from.port(), from: CONTROL_PORT };
        self.place(cx, pending, through);
        for (eid, registered) in confirmed {
            self.end(&pending.xtr_id, eid);
            if *registered && self.has_room(cx, eid) {
                self.put(cx.now.plus_ms(LIFE_MS), &pending.xtr_id, *eid);
            }
        }
        self.drop_empty(&pending.xtr_id);
    }

    /// Where the router is; those of its EID-prefixes that were confirmed before are there, too.
    fn place(&mut self, cx: &mut Cx<'_>, pending: &Pending, through: Translated) {
        let new = !self.routers.contains_key(&pending.xtr_id);
        let router = self.routers.entry(pending.xtr_id).or_insert_with(|| Router {
            through,
            private: pending.inner.source,
            map_server: pending.inner.destination,
            since: cx.now,
            confirmed: cx.now,
            moves: 0,
            eids: BTreeMap::new(),
        });
        router.confirmed = cx.now;
        router.private = pending.inner.source;
        router.map_server = pending.inner.destination;
        if new {
            cx.notice(Counter::RtrRoutersNew, format_args!("{} behind {through}", router.private));
        } else if router.through != through {
            let detail = format_args!("{} behind {}, now {through}", router.private, router.through);
            cx.notice(Counter::RtrRoutersMoved, detail);
            router.through = through;
            router.moves = router.moves.saturating_add(1);
            self.changed.extend(router.eids.keys());
        }
    }

    fn has_room(&self, cx: &mut Cx<'_>, eid: &EidPrefix) -> bool {
        let max = cx.config.rtr.as_ref().map_or(0, |rtr| rtr.max_eid_prefixes as usize);
        // Several routers of one site count each: so does their memory.
        let room = self.ends.len() < max;
        if !room {
            cx.notice(Counter::RtrEidsRefused, format_args!("{}: {max} are there", eid.prefix));
        }
        room
    }

    fn put(&mut self, ends: Time, xtr_id: &XtrId, eid: EidPrefix) {
        let Some(router) = self.routers.get_mut(xtr_id) else { return };
        router.eids.insert(eid, ends);
        self.ends.insert((ends, *xtr_id, eid));
        if self.by_eid.entry(eid).or_default().insert(*xtr_id) {
            self.changed.insert(eid);
        }
    }

    /// Lets go of an EID-prefix of a router; the map-cache hears of it when nothing takes its place.
    fn end(&mut self, xtr_id: &XtrId, eid: &EidPrefix) -> bool {
        let Some(ends) = self.routers.get_mut(xtr_id).and_then(|r| r.eids.remove(eid)) else { return false };
        self.ends.remove(&(ends, *xtr_id, *eid));
        if let Some(routers) = self.by_eid.get_mut(eid) {
            routers.remove(xtr_id);
            if routers.is_empty() {
                self.by_eid.remove(eid);
            }
        }
        self.changed.insert(*eid);
        true
    }

    fn drop_empty(&mut self, xtr_id: &XtrId) {
        if self.routers.get(xtr_id).is_some_and(|router| router.eids.is_empty()) {
            self.routers.remove(xtr_id);
        }
    }

    /// Forgets what was not confirmed again.
    pub(super) fn expire(&mut self, cx: &mut Cx<'_>) {
        while let Some((_, xtr_id, eid)) = self.ends.first().copied().filter(|(at, ..)| *at <= cx.now) {
            cx.notice(Counter::RtrEidsExpired, eid.prefix);
            self.end(&xtr_id, &eid);
            self.drop_empty(&xtr_id);
        }
    }

    /// When there is something to forget.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.ends.first().map(|(at, ..)| *at)
    }

    /// Everything that may no longer be: another configuration.
    pub(super) fn retain(&mut self, may_stay: impl Fn(&Router) -> bool) {
        let gone: Vec<XtrId> =
            self.routers.iter().filter(|(_, router)| !may_stay(router)).map(|(xtr_id, _)| *xtr_id).collect();
        for xtr_id in gone {
            let eids: Vec<_> =
                self.routers.get(&xtr_id).map(|r| r.eids.keys().copied().collect()).unwrap_or_default();
            for eid in eids {
                self.end(&xtr_id, &eid);
            }
            self.drop_empty(&xtr_id);
        }
    }

    /// What the map-cache is to be told.
    pub(super) fn changes(&mut self) -> Vec<NatChange> {
        std::mem::take(&mut self.changed)
            .into_iter()
            .map(|eid| {
                let routers = self.by_eid.get(&eid).into_iter().flatten();
                let rlocs: BTreeSet<IpAddr> =
                    routers.filter_map(|xtr_id| Some(self.routers.get(xtr_id)?.through.rloc())).collect();
                NatChange::Behind(eid, rlocs.into_iter().collect())
            })
            .collect()
    }
}
