//! What a Map-Resolver remembers of the tree: referrals and holes, by EID-prefix, each for its TTL
//! (RFC 8111 section 7.3). Bounded: a full cache forgets what would end first.

use crate::engine::event::{EidPrefix, Time};
use crate::engine::{Slab, Timers};
use crate::roles::prefix_table::EidTable;
use std::net::IpAddr;

/// Referrals remembered.
const REFERRALS_MAX: usize = 100_000;
/// Longest life of a referral, minutes: a day, as nodes give them.
const TTL_MAX_MINUTES: u32 = 1440;

/// Who answers for an EID-prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// DDT nodes.
    Nodes,
    /// Map-Servers.
    MapServers,
    /// Nobody.
    Hole,
}

/// A referral.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Referral {
    pub(super) eid: EidPrefix,
    pub(super) kind: Kind,
    /// Whom to ask, best first; nobody for a hole.
    pub(super) to: Vec<IpAddr>,
}

/// The referral cache.
#[derive(Debug, Default)]
pub(super) struct ReferralCache {
    by_eid: EidTable<u32>,
    rows: Slab<Referral>,
    timers: Timers,
}

impl ReferralCache {
    /// The longest match.
    pub(super) fn lookup(&self, eid: &EidPrefix) -> Option<&Referral> {
        let (_, slot) = self.by_eid.lookup_prefix(eid)?;
        self.rows.get(*slot)
    }

    /// Keeps a referral for its TTL, in place of a former one for the same EID-prefix.
    pub(super) fn insert(&mut self, now: Time, referral: Referral, ttl_minutes: u32) {
        if ttl_minutes == 0 {
            return;
        }
        self.remove(&referral.eid);
        if self.rows.len() >= REFERRALS_MAX {
            self.drop_next(Time(u64::MAX));
        }
        let eid = referral.eid;
        let slot = self.rows.insert(referral);
        self.by_eid.insert(eid, slot);
        self.timers.set(slot, now.plus_ms(u64::from(ttl_minutes.min(TTL_MAX_MINUTES)) * 60_000));
    }

    /// Forgets a referral.
    pub(super) fn remove(&mut self, eid: &EidPrefix) {
        if let Some(slot) = self.by_eid.remove(eid) {
            self.rows.remove(slot);
            self.timers.cancel(slot);
        }
    }

    /// Forgets what has ended.
    pub(super) fn expire(&mut self, now: Time) {
        while self.drop_next(now) {}
    }

    /// When something ends.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.timers.next_deadline()
    }

    /// Referrals held.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    fn drop_next(&mut self, until: Time) -> bool {
        let Some(slot) = self.timers.pop_due(until) else { return false };
        if let Some(referral) = self.rows.remove(slot) {
            self.by_eid.remove(&referral.eid);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::event::Iid;
    use std::net::Ipv4Addr;

    fn node(n: u32, len: u8) -> Referral {
        let prefix = ipnet::Ipv4Net::new(Ipv4Addr::from_bits(n << 8), len).unwrap().trunc().into();
        let eid = EidPrefix { iid: Iid(0), prefix };
        Referral { eid, kind: Kind::Nodes, to: vec![[192, 0, 2, 1].into()] }
    }

    #[test]
    fn r183_the_referral_cache_is_bounded_and_forgets_what_ends_first() {
        let mut cache = ReferralCache::default();
        cache.insert(Time(0), node(7, 24), 5);
        for n in 1_000..1_000 + REFERRALS_MAX as u32 {
            cache.insert(Time(0), node(n, 24), 60);
        }
        assert_eq!(cache.len(), REFERRALS_MAX);
        assert!(cache.lookup(&node(7, 32).eid).is_none());
        assert!(cache.lookup(&node(1_000, 32).eid).is_some());
        cache.insert(Time(0), node(1_000, 24), 90);
        assert_eq!(cache.len(), REFERRALS_MAX, "in place of the former one");
        cache.expire(Time(60 * 60_000));
        assert_eq!(cache.len(), 1);
        cache.expire(Time(90 * 60_000));
        assert_eq!((cache.len(), cache.next_deadline()), (0, None));
    }

    #[test]
    fn a_ttl_of_zero_keeps_nothing() {
        let mut cache = ReferralCache::default();
        cache.insert(Time(0), node(7, 24), 0);
        assert_eq!(cache.len(), 0);
    }
}
