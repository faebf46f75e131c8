//! Path MTUs learnt from the core (R-120, R-121; RFC 9300 section 7.2, RFC 8201 section 4).
//!
//! Only decreases are learnt: a larger value is found by forgetting the smaller one, ten minutes
//! after the core spoke of it last.

use crate::engine::event::Time;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Life of a learnt value, milliseconds (RFC 1191 section 3, RFC 8201 section 4: 10 minutes).
const LIFE_MS: u64 = 600_000;
/// Smallest values that are believed.
const FLOOR_V4: u16 = 576;
const FLOOR_V6: u16 = 1280;

#[derive(Clone, Copy, Debug)]
struct Learnt {
    mtu: u16,
    until: Time,
}

/// What was learnt, by RLOC. Only RLOCs in use are in it, so it needs no bound of its own.
#[derive(Debug, Default)]
pub(super) struct PathMtus {
    learnt: BTreeMap<IpAddr, Learnt>,
}

impl PathMtus {
    /// The core says that a packet of more than `mtu` bytes did not get through; `current` is what
    /// the RLOC has now. True: that is less.
    pub(super) fn learn(&mut self, rloc: IpAddr, mtu: u16, current: u16, now: Time) -> bool {
        let mtu = mtu.max(if rloc.is_ipv6() { FLOOR_V6 } else { FLOOR_V4 });
        if mtu > current {
            return false;
        }
        let until = now.plus_ms(LIFE_MS);
        let before = self.learnt.insert(rloc, Learnt { mtu, until });
        mtu < current || before.is_none()
    }

    /// What the path to an RLOC lets through, if that was learnt.
    pub(super) fn of(&self, rloc: IpAddr) -> Option<u16> {
        self.learnt.get(&rloc).map(|l| l.mtu)
    }

    /// When it will be forgotten.
    pub(super) fn until(&self, rloc: IpAddr) -> Option<Time> {
        self.learnt.get(&rloc).map(|l| l.until)
    }

    /// The RLOC is not used any more.
    pub(super) fn forget(&mut self, rloc: IpAddr) {
        self.learnt.remove(&rloc);
    }

    /// Forgets what is too old, and names it.
    pub(super) fn expire(&mut self, now: Time) -> Vec<IpAddr> {
        let old: Vec<_> = self.learnt.iter().filter(|(_, l)| l.until <= now).map(|(rloc, _)| *rloc).collect();
        for rloc in &old {
            self.learnt.remove(rloc);
        }
        old
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.learnt.values().map(|l| l.until).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_decreases_are_learnt_and_they_age_r121() {
        let mut mtus = PathMtus::default();
        let (v4, v6) = (IpAddr::from([192, 0, 2, 6]), IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 6]));
        assert!(!mtus.learn(v4, 1600, 1500, Time(0)), "no increase");
        assert!(mtus.learn(v4, 1400, 1500, Time(0)));
        assert!(!mtus.learn(v4, 1450, 1400, Time(1)));
        assert!(mtus.learn(v4, 68, 1400, Time(60_000)) && mtus.of(v4) == Some(576), "the floor");
        assert!(mtus.learn(v6, 600, 1500, Time(60_000)) && mtus.of(v6) == Some(1280));
        assert!(!mtus.learn(v4, 576, 576, Time(120_000)), "heard again: it lives longer, nothing changes");
        assert_eq!(mtus.next_deadline(), Some(Time(660_000)));
        assert!(mtus.expire(Time(659_999)).is_empty());
        assert_eq!(mtus.expire(Time(660_000)), [v6]);
        assert_eq!(mtus.expire(Time(720_000)), [v4]);
        assert_eq!((mtus.next_deadline(), mtus.of(v4)), (None, None));
    }
}
