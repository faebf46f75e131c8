//! Things by EID-prefix: one trie per Instance-ID and family, sized to its load.
//!
//! Also finds *holes*: the least-specific prefix that covers an EID and touches nothing in the
//! table, which is what a negative Map-Reply should name (RFC 9301 section 8.3).

use crate::engine::event::{EidPrefix, Iid};
use ipnet::IpNet;
use prefix_trie::joint::JointPrefixMap;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Values by EID-prefix. Look-ups cost one walk down a multi-bit trie, whatever the size.
///
/// Values move within small groups when neighbours come and go, so large ones belong in a `Box`.
#[derive(Clone, Debug)]
pub struct EidTable<T> {
    /// Ordered, so that listings are the same in every run.
    instances: BTreeMap<Iid, JointPrefixMap<IpNet, T>>,
    len: usize,
}

impl<T> Default for EidTable<T> {
    fn default() -> Self {
        Self { instances: BTreeMap::new(), len: 0 }
    }
}

/// The prefix of length `len` that holds `addr`; `len` above the family's width counts as the width.
#[must_use]
pub fn prefix_of(addr: IpAddr, len: u8) -> IpNet {
    let host = IpNet::from(addr);
    IpNet::new(addr, len.min(host.max_prefix_len())).unwrap_or(host).trunc()
}

impl<T> EidTable<T> {
    /// Prefixes held, over all instances.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// True when nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The value of exactly this prefix.
    #[must_use]
    pub fn get(&self, eid: &EidPrefix) -> Option<&T> {
        self.instances.get(&eid.iid)?.get(&eid.prefix)
    }

    /// The value of exactly this prefix, to change.
    pub fn get_mut(&mut self, eid: &EidPrefix) -> Option<&mut T> {
        self.instances.get_mut(&eid.iid)?.get_mut(&eid.prefix)
    }

    /// Puts a value under a prefix (host bits are ignored) and returns the former one.
    pub fn insert(&mut self, eid: EidPrefix, value: T) -> Option<T> {
        let former = self.instances.entry(eid.iid).or_default().insert(eid.prefix.trunc(), value);
        self.len += usize::from(former.is_none());
        former
    }

    /// Takes a prefix out.
    pub fn remove(&mut self, eid: &EidPrefix) -> Option<T> {
        let trie = self.instances.get_mut(&eid.iid)?;
        let value = trie.remove(&eid.prefix)?;
        if trie.is_empty() {
            self.instances.remove(&eid.iid);
        }
        self.len -= 1;
        Some(value)
    }

    /// Longest match of an address.
    #[must_use]
    pub fn lookup(&self, iid: Iid, addr: IpAddr) -> Option<(IpNet, &T)> {
        self.lookup_prefix(&EidPrefix { iid, prefix: IpNet::from(addr) })
    }

    /// Longest prefix that holds all of `eid`.
    #[must_use]
    pub fn lookup_prefix(&self, eid: &EidPrefix) -> Option<(IpNet, &T)> {
        self.instances.get(&eid.iid)?.get_lpm(&eid.prefix)
    }

    /// `eid` itself, if it is there, and all that lies inside it, in ascending order.
    pub fn inside(&self, eid: &EidPrefix) -> impl Iterator<Item = (IpNet, &T)> {
        let prefix = eid.prefix;
        self.instances.get(&eid.iid).into_iter().flat_map(move |trie| trie.children(&prefix))
    }

    /// What lies around `eid`, itself included, shortest prefix first.
    pub fn around(&self, eid: &EidPrefix) -> impl Iterator<Item = (IpNet, &T)> {
        let prefix = eid.prefix;
        self.instances.get(&eid.iid).into_iter().flat_map(move |trie| trie.cover(&prefix))
    }

    /// True when some prefix of the table equals `prefix` or lies inside it.
    #[must_use]
    pub fn any_inside(&self, iid: Iid, prefix: IpNet) -> bool {
        self.instances.get(&iid).is_some_and(|trie| trie.children(&prefix).next().is_some())
    }

    /// What answers a request for `asked` (RFC 9301 section 5.5): the best match and all
    /// more-specifics inside it; without a match, what lies inside `asked`.
    ///
    /// At most `max`: when more-specifics are too many, the answer is the best match narrowed to
    /// the largest prefix around `asked` that none of them touches. It says the same of the EID
    /// asked for, and nothing wrong of any other.
    pub fn answer(&self, asked: &EidPrefix, max: usize) -> Vec<(IpNet, &T)> {
        let Some((prefix, value)) = self.lookup_prefix(asked) else {
            return self.inside(asked).take(max).collect();
        };
        let matching = EidPrefix { iid: asked.iid, prefix };
        let all: Vec<_> = self.inside(&matching).take(max + 1).collect();
        if all.len() <= max {
            return all;
        }
        let addr = asked.prefix.network();
        let narrowed = hole(addr, prefix.prefix_len() + 1, |p| self.any_inside(asked.iid, p));
        vec![(narrowed, value)]
    }

    /// Everything, by instance and then by prefix.
    pub fn iter(&self) -> impl Iterator<Item = (EidPrefix, &T)> {
        self.instances.iter().flat_map(|(&iid, trie)| {
            trie.iter().map(move |(prefix, value)| (EidPrefix { iid, prefix }, value))
        })
    }
}

/// The shortest prefix around `addr`, at least `min_len` long, for which `touched` is false.
///
/// `touched(p)` must say whether anything lies in `p`, so that it can only turn from true to false
/// as `p` shrinks towards `addr`. At most eight questions are asked. A host prefix is returned when
/// even that one is touched.
pub fn hole(addr: IpAddr, min_len: u8, touched: impl Fn(IpNet) -> bool) -> IpNet {
    let mut high = IpNet::from(addr).max_prefix_len();
    let mut low = min_len.min(high);
    while low < high {
        let middle = low + (high - low) / 2;
        if touched(prefix_of(addr, middle)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    prefix_of(addr, high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    fn eid(iid: u32, prefix: &str) -> EidPrefix {
        EidPrefix { iid: Iid(iid), prefix: prefix.parse().expect("prefix") }
    }

    #[test]
    fn instances_and_families_do_not_mix() {
        let mut table = EidTable::default();
        table.insert(eid(0, "10.0.0.0/8"), 1);
        table.insert(eid(7, "10.1.0.0/16"), 2);
        table.insert(eid(0, "::/0"), 3);
        assert_eq!(table.len(), 3);
        let at = |iid, a: &str| table.lookup(Iid(iid), a.parse().expect("addr")).map(|(_, v)| *v);
        assert_eq!(at(0, "10.1.2.3"), Some(1));
        assert_eq!(at(7, "10.1.2.3"), Some(2));
        assert_eq!(at(7, "10.2.0.1"), None);
        assert_eq!(at(0, "2001:db8::1"), Some(3));
    }

    #[test]
    fn an_empty_instance_leaves_nothing_behind() {
        let mut table = EidTable::default();
        table.insert(eid(9, "10.0.0.0/8"), ());
        assert!(table.remove(&eid(9, "10.0.0.0/8")).is_some());
        assert!(table.remove(&eid(9, "10.0.0.0/8")).is_none());
        assert!(table.is_empty() && table.instances.is_empty());
    }

    #[test]
    fn a_host_that_is_taken_is_its_own_hole() {
        let addr: IpAddr = "10.0.0.1".parse().expect("addr");
        assert_eq!(hole(addr, 0, |_| true), "10.0.0.1/32".parse::<IpNet>().expect("prefix"));
        assert_eq!(hole(addr, 0, |_| false), "0.0.0.0/0".parse::<IpNet>().expect("prefix"));
    }

    #[test]
    fn r045_an_answer_is_the_best_match_with_its_more_specifics() {
        let mut table = EidTable::default();
        for p in ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.2.0.0/16", "11.0.0.0/8"] {
            table.insert(eid(0, p), p);
        }
        let answer = |asked: &str, max| -> Vec<String> {
            table.answer(&eid(0, asked), max).iter().map(|(p, v)| format!("{p} of {v}")).collect()
        };
        assert_eq!(answer("10.1.2.3/32", 9), ["10.1.2.0/24 of 10.1.2.0/24"]);
        assert_eq!(answer("10.1.3.3/32", 9), ["10.1.0.0/16 of 10.1.0.0/16", "10.1.2.0/24 of 10.1.2.0/24"]);
        assert_eq!(answer("10.9.0.1/32", 9).len(), 4);
        assert_eq!(answer("10.9.0.1/32", 3), ["10.8.0.0/13 of 10.0.0.0/8"]);
        assert_eq!(answer("10.0.0.0/7", 9).len(), 5);
        assert!(answer("12.0.0.1/32", 9).is_empty());
    }

    /// Straight from the definition: from the longest to the shortest, as long as no listed prefix
    /// overlaps.
    fn naive_hole(addr: IpAddr, min_len: u8, listed: &[IpNet]) -> IpNet {
        let max = IpNet::from(addr).max_prefix_len();
        let mut best = prefix_of(addr, max);
        for len in (min_len..=max).rev() {
            let candidate = prefix_of(addr, len);
            if listed.iter().any(|p| candidate.contains(p)) {
                break;
            }
            best = candidate;
        }
        best
    }

    /// Few bits vary, so that prefixes nest and touch often.
    fn address() -> impl Strategy<Value = IpAddr> {
        prop_oneof![
            (0u32..64, 0u32..8).prop_map(|(a, b)| IpAddr::V4(Ipv4Addr::from_bits((a << 26) | b))),
            (0u128..64, 0u128..8).prop_map(|(a, b)| IpAddr::V6(Ipv6Addr::from_bits((a << 122) | b))),
        ]
    }

    proptest! {
        #[test]
        fn holes_are_those_of_the_naive_twin(
            listed in prop::collection::vec((address(), 0u8..=128), 0..40),
            removed in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
            addr in address(),
            min_len in 0u8..=32,
        ) {
            let mut table = EidTable::default();
            let mut naive: Vec<IpNet> = listed.iter().map(|(a, l)| prefix_of(*a, *l)).collect();
            for p in &naive {
                table.insert(EidPrefix { iid: Iid(1), prefix: *p }, ());
            }
            for index in removed {
                if !naive.is_empty() {
                    let p = naive.swap_remove(index.index(naive.len()));
                    naive.retain(|other| *other != p);
                    table.remove(&EidPrefix { iid: Iid(1), prefix: p });
                }
            }
            let found = hole(addr, min_len, |p| table.any_inside(Iid(1), p));
            prop_assert_eq!(found, naive_hole(addr, min_len, &naive));
        }

        #[test]
        fn look_ups_are_those_of_the_naive_twin(
            listed in prop::collection::vec((address(), 0u8..=128), 0..40),
            addr in address(),
        ) {
            let mut table = EidTable::default();
            let naive: Vec<IpNet> = listed.iter().map(|(a, l)| prefix_of(*a, *l)).collect();
            for p in &naive {
                table.insert(EidPrefix { iid: Iid(1), prefix: *p }, ());
            }
            let expected = naive.iter().filter(|p| p.contains(&addr)).max_by_key(|p| p.prefix_len());
            prop_assert_eq!(table.lookup(Iid(1), addr).map(|(p, ())| p), expected.copied());
        }
    }
}
