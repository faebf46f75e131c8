//! Who holds a mapping of ours: the ITRs that we gave it to, and those that probe us about it.
//!
//! They are who must be told when it changes (RFC 9301 section 6.1). Kept by ITR-RLOC and
//! EID-prefix, bounded, the longest unheard of making room.

use crate::engine::event::{EidPrefix, Time};
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

/// Most pairs remembered.
const CAPACITY: usize = 8192;

/// The ITRs that use our mappings.
#[derive(Debug, Default)]
pub(super) struct Audience {
    last_heard: HashMap<(IpAddr, EidPrefix), Time>,
    by_age: BTreeSet<(Time, IpAddr, EidPrefix)>,
}

impl Audience {
    /// An ITR got the mapping of `eid`, or showed that it uses it.
    pub(super) fn heard(&mut self, now: Time, itr: IpAddr, eid: EidPrefix) {
        if let Some(before) = self.last_heard.insert((itr, eid), now) {
            self.by_age.remove(&(before, itr, eid));
        } else if self.last_heard.len() > CAPACITY
            && let Some((_, itr, eid)) = self.by_age.pop_first()
        {
            self.last_heard.remove(&(itr, eid));
        }
        self.by_age.insert((now, itr, eid));
    }

    /// Who was heard of about one of `eids` no longer ago than `ttl_ms`, the latest first.
    pub(super) fn of(&self, now: Time, eids: &BTreeSet<EidPrefix>, ttl_ms: u64) -> Vec<(IpAddr, EidPrefix)> {
        let fresh = self.by_age.iter().rev().take_while(|(at, ..)| now.since(*at) <= ttl_ms);
        fresh.filter(|(.., eid)| eids.contains(eid)).map(|(_, itr, eid)| (*itr, *eid)).collect()
    }

    /// Those of an EID-prefix that is no longer ours need not be remembered.
    pub(super) fn forget(&mut self, eid: &EidPrefix) {
        self.by_age.retain(|(.., other)| other != eid);
        self.last_heard.retain(|(_, other), _| other != eid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::event::Iid;

    fn eid(third: u8) -> EidPrefix {
        let prefix = format!("10.0.{third}.0/24").parse().expect("prefix");
        EidPrefix { iid: Iid(0), prefix }
    }

    #[test]
    fn the_oldest_make_room_and_the_fresh_are_told() {
        let mut audience = Audience::default();
        let itr = |i: u64| IpAddr::V4(std::net::Ipv4Addr::from_bits(0x0a00_0000 + i as u32));
        for i in 0..20_000 {
            audience.heard(Time(i), itr(i), eid(1));
        }
        audience.heard(Time(19_000), itr(1), eid(2));
        assert_eq!((audience.last_heard.len(), audience.by_age.len()), (CAPACITY, CAPACITY));
        let wanted: BTreeSet<_> = [eid(1)].into();
        let told = audience.of(Time(20_000), &wanted, 100);
        assert_eq!((told.len(), told[0]), (100, (itr(19_999), eid(1))));
        audience.forget(&eid(1));
        assert_eq!(audience.last_heard.len(), 1);
        assert!(audience.of(Time(20_000), &wanted, u64::MAX).is_empty());
    }
}
