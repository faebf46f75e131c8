//! What our Locator-Status-Bits say (RFC 9300 sections 5.3, 10 and 13.1; R-095): which locators of our site are
//! up, those of its other routers included, as our ports and routes show it.

use crate::codec::Address;
use crate::engine::Cx;
use crate::engine::config::DatabaseMapping;
use crate::engine::event::{EidPrefix, Time};
use pxtr_dataplane::trust::Status;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// The use-LSB timer (RFC 9300 section 13.1): for so long after its locators changed a mapping's bits are not
/// said, since those who still have the former one would take them for those of other locators.
const QUIET_MS: u64 = 300_000;

/// The state of our site's locators.
#[derive(Debug, Default)]
pub(super) struct Statuses {
    down: BTreeSet<IpAddr>,
    quiet: BTreeMap<EidPrefix, Time>,
}

impl Statuses {
    /// Nothing is said any more. What is down stays known.
    pub(super) fn stop(&mut self) {
        self.quiet.clear();
    }

    /// A mapping as it was and as it is. One without a former one is new to all, or we are: then others may
    /// have another one from before our start, which nobody here can know.
    pub(super) fn configure(
        &mut self,
        cx: &Cx<'_>,
        before: Option<&DatabaseMapping>,
        mapping: &DatabaseMapping,
    ) {
        if before.is_some_and(|before| ordinals(before) != ordinals(mapping)) {
            self.quiet.insert(mapping.eid, cx.now.plus_ms(QUIET_MS));
        }
        let database = &cx.config.database;
        self.quiet.retain(|eid, _| database.iter().any(|mapping| mapping.eid == *eid));
    }

    /// A locator came up or went down. True: that is news.
    pub(super) fn set(&mut self, rloc: IpAddr, up: bool) -> bool {
        if up { self.down.remove(&rloc) } else { self.down.insert(rloc) }
    }

    /// What is said of a mapping; `None`: nothing.
    pub(super) fn of(&self, cx: &Cx<'_>, mapping: &DatabaseMapping) -> Option<Status> {
        if !cx.config.trust.status_bits || self.quiet.contains_key(&mapping.eid) {
            return None;
        }
        let mut status = Status::default();
        for ((_, rloc), place) in ordinals(mapping).into_iter().zip(0..u32::BITS) {
            status.known |= 1 << place;
            status.bits |= u32::from(!self.down.contains(&rloc)) << place;
        }
        Some(status)
    }

    /// When the bits of some mapping are said again.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.quiet.values().min().copied()
    }

    /// The next mapping whose bits are said again.
    pub(super) fn pop_due(&mut self, now: Time) -> Option<EidPrefix> {
        let eid = self.quiet.iter().find(|(_, at)| **at <= now).map(|(eid, _)| *eid)?;
        self.quiet.remove(&eid);
        Some(eid)
    }
}

/// The locators of a mapping as Map-Replies have them.
fn ordinals(mapping: &DatabaseMapping) -> Vec<(Address, IpAddr)> {
    let mut rlocs: Vec<_> = mapping.locators.iter().map(|l| (l.address(), l.rloc)).collect();
    rlocs.sort_by_key(|(address, _)| address.sort_key());
    rlocs
}
