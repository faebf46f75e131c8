//! Locator-Status-Bits of trusted routers: which of its locators a site says are up (RFC 9300 sections 10 and
//! 13.1; R-095).
//!
//! A hint, believed because the configuration trusts who gives it: a locator said to be down is not used until
//! it is said to be up, and probed at once. What it can do is bounded: only a locator of the mapping
//! speaks for it, the last locator of a mapping that is up stays in use, a locator changes at most once a
//! second. What is put off is heard again, because the workers keep what was heeded and report the difference.

use super::counters::Counter;
use super::cx::Cx;
use super::event::{Action, EidPrefix, Time};
use super::header::RATE;
use super::itr::Itr;
use super::mapping::{MappedLocator, Origin};
use super::rlocs::{Rloc, Rlocs};
use pxtr_dataplane::trust::{Marks, Status};
use std::net::IpAddr;

/// Least time between two changes of a locator.
const GAP_MS: u64 = 1_000;

/// What the site of an RLOC says of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct SaidDown {
    so: bool,
    changed: Option<Time>,
}

impl SaidDown {
    /// It is down, says its site.
    #[must_use]
    pub const fn is_so(self) -> bool {
        self.so
    }
}

/// The bit of a locator; `None`: there is no place for it, or it does not matter. What is said of the end of a
/// path is not said of its hops.
fn bit(locator: &MappedLocator) -> Option<u32> {
    1u32.checked_shl(u32::from(locator.ordinal)).filter(|_| locator.is_eligible() && locator.path.is_none())
}

impl Rlocs {
    /// What was heeded so far of the locators of a set.
    #[must_use]
    pub(super) fn status(&self, set: u32) -> Status {
        let mut status = Status::default();
        for (locator, bit) in self.locators(set).iter().filter_map(|l| Some((l, bit(l)?))) {
            status.known |= bit;
            if !self.get(locator.locator.rloc).is_some_and(|rloc| rloc.said_down.so) {
                status.bits |= bit;
            }
        }
        status
    }

    /// Takes over what a site says of a set's locators, as far as it is `changed`. Those that are up come
    /// first: they may be what the others can be done without. Returns the bits that were put off.
    fn heed(&mut self, cx: &mut Cx<'_>, set: u32, heard: Status, changed: u32) -> u32 {
        let locators = self.locators(set).iter();
        let mut news: Vec<(IpAddr, u32)> = locators
            .filter_map(|l| Some((l.locator.rloc, bit(l)?)))
            .filter(|(_, bit)| bit & changed != 0)
            .collect();
        news.sort_by_key(|(_, bit)| heard.bits & bit == 0);
        let mut put_off = 0;
        for (rloc, bit) in news {
            let Some(slot) = self.find(rloc) else { continue };
            let up = heard.bits & bit != 0;
            let last = self.table.get(slot).and_then(|rloc| rloc.said_down.changed);
            if last.is_some_and(|at| cx.now.since(at) < GAP_MS) {
                put_off |= bit;
                continue;
            }
            self.probe_soon(cx, slot, up);
            if !up && !self.has_other(set, rloc) {
                cx.count(Counter::StatusBitsLastLocator);
                continue;
            }
            let why = if up { "says its site" } else { "its site says so" };
            let now = cx.now;
            self.change(cx, slot, why, |rloc| rloc.said_down = SaidDown { so: !up, changed: Some(now) });
            cx.count(Counter::StatusBitsHeeded);
        }
        put_off
    }

    /// Something else than this RLOC carries the packets of the set.
    fn has_other(&self, set: u32, but: IpAddr) -> bool {
        let eligible = self.locators(set).iter().filter(|l| l.is_eligible()).map(|l| l.locator.rloc);
        eligible.filter(|rloc| *rloc != but).filter_map(|rloc| self.get(rloc)).any(Rloc::is_up)
    }

    /// The mapping system still names the locators of a set none of which is up: better one that is said to be
    /// down than none.
    pub(super) fn forget_said_down(&mut self, cx: &mut Cx<'_>, set: u32) {
        if !self.is_stranded(set) {
            return;
        }
        let rlocs: Vec<IpAddr> = self.locators(set).iter().map(|l| l.locator.rloc).collect();
        for slot in rlocs.into_iter().filter_map(|rloc| self.find(rloc)).collect::<Vec<_>>() {
            self.change(cx, slot, "no other locator is up", |rloc| rloc.said_down = SaidDown::default());
        }
    }
}

impl Itr {
    /// A packet of a site came from one of its routers, with other Locator-Status-Bits than the ones before.
    pub(super) fn on_status(&mut self, cx: &mut Cx<'_>, eid: &EidPrefix, rloc: IpAddr, heard: Status) {
        let Self { cache, rlocs, hints, .. } = self;
        let Some(entry) = cache.lookup_prefix(eid).filter(|e| e.origin == Origin::MapReply) else { return };
        let Some(set) = entry.set else { return };
        if !rlocs.locators(set).iter().any(|l| l.locator.rloc == rloc) {
            return cx.count(Counter::StatusBitsForeign);
        }
        let known = rlocs.status(set);
        let mut taken = known.known & heard.known;
        let changed = known.against(heard);
        if changed != 0 {
            if !hints.take(cx.now, RATE) {
                return cx.count(Counter::StatusBitsLimited);
            }
            let put_off = rlocs.heed(cx, set, heard, changed);
            if put_off != 0 {
                cx.count(Counter::StatusBitsLimited);
            }
            taken &= !put_off;
        }
        // The workers report what differs from that. What they have may be older than what other mappings
        // with the same locators led to.
        let bits = known.bits & !taken | heard.bits & taken;
        let status = Some(Status { bits, known: known.known });
        cx.out.push(Action::Marks { eid: entry.eid, marks: Marks { status, ..entry.marks(cx, rlocs) } });
    }
}
