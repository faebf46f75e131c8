//! SMRs that wait for the Map-Servers: an ITR that is told of a change before they know it would have
//! its Map-Request forwarded to where the EID-prefix was (RFC 9301 section 6.1 asks the mapping system).
//!
//! They are let go when each Map-Server has acknowledged the new registration by a Map-Notify, and after
//! a short while in any case: one that is silent must not keep the change from everybody.

use crate::engine::event::{EidPrefix, Time};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Range;

/// Longest wait.
const WAIT_MS: u64 = 500;

/// What a changed EID-prefix waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Awaited {
    /// Where it is in the configured database; `None`: it is ours no longer. Nobody acknowledges that,
    /// but what is registered after it, all of which it then waits for.
    pub(super) index: Option<usize>,
    /// Map-Notifies still to come.
    pub(super) notifies: usize,
}

/// SMRs that are held back.
#[derive(Debug, Default)]
pub(super) struct Withheld {
    eids: BTreeMap<EidPrefix, (Awaited, Vec<IpAddr>)>,
    until: Option<Time>,
}

impl Withheld {
    /// Holds back what these ITRs are to be told; what was held back by a former change is returned, and
    /// so is what nothing needs to be awaited for.
    pub(super) fn hold(
        &mut self,
        now: Time,
        told: Vec<(IpAddr, EidPrefix)>,
        awaited: impl Fn(&EidPrefix) -> Awaited,
    ) -> Vec<(IpAddr, EidPrefix)> {
        let mut free = self.release_all();
        for (itr, eid) in told {
            let (_, itrs) = self.eids.entry(eid).or_insert_with(|| (awaited(&eid), Vec::new()));
            itrs.push(itr);
        }
        self.until = Some(now.plus_ms(WAIT_MS));
        free.extend(self.release(|awaited| awaited.notifies == 0));
        free
    }

    /// A Map-Server acknowledged these mappings for the first time since they changed: what may be told now.
    pub(super) fn acknowledged(&mut self, members: &Range<usize>) -> Vec<(IpAddr, EidPrefix)> {
        for (awaited, _) in self.eids.values_mut() {
            if awaited.index.is_none_or(|index| members.contains(&index)) {
                awaited.notifies = awaited.notifies.saturating_sub(1);
            }
        }
        self.release(|awaited| awaited.notifies == 0)
    }

    /// What has waited long enough.
    pub(super) fn on_tick(&mut self, now: Time) -> Vec<(IpAddr, EidPrefix)> {
        if self.until.is_some_and(|until| until <= now) { self.release_all() } else { Vec::new() }
    }

    /// When `on_tick` is needed.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.until
    }

    fn release_all(&mut self) -> Vec<(IpAddr, EidPrefix)> {
        self.release(|_| true)
    }

    fn release(&mut self, free: impl Fn(&Awaited) -> bool) -> Vec<(IpAddr, EidPrefix)> {
        let mut released = Vec::new();
        self.eids.retain(|eid, (awaited, itrs)| {
            let stays = !free(awaited);
            if !stays {
                released.extend(itrs.iter().map(|itr| (*itr, *eid)));
            }
            stays
        });
        if self.eids.is_empty() {
            self.until = None;
        }
        released
    }
}
