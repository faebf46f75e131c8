//! Policers: what differs between two configurations becomes deltas, a VRF at a time.

use super::output::Output;
use ipnet::IpNet;
use pxtr_dataplane::feed::Delta;
use pxtr_dataplane::policer::{Policer, Rate, Reservoirs, VrfPolicers};
use pxtr_dataplane::traffic::MAX_POLICERS;
use pxtr_dataplane::types::{PolicerId, VrfId};
use std::collections::{BTreeMap, BTreeSet};

/// A policer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicerFeed {
    /// Name.
    pub name: String,
    /// VRF.
    pub vrf: VrfId,
    /// EID-prefixes of the sites whose packets it holds; `None`: all of the VRF.
    pub eid_prefixes: Option<Vec<IpNet>>,
    /// How much it lets through.
    pub rate: Rate,
}

/// What the workers know of one.
#[derive(Debug)]
struct Known {
    id: PolicerId,
    rate: Rate,
    reservoirs: Reservoirs,
}

/// What the workers know.
#[derive(Debug, Default)]
pub(super) struct Policers {
    told: Vec<PolicerFeed>,
    known: BTreeMap<String, Known>,
    /// Numbers are not given twice: counters go on from where they were. When there are no more, policers
    /// work and do not count.
    next: u32,
}

impl Policers {
    /// Puts a specification in force. Those that do not change keep what is in their buckets.
    pub(super) fn set(&mut self, spec: &[PolicerFeed], out: &mut Output) {
        if *spec == *self.told {
            return;
        }
        let old = std::mem::replace(&mut self.told, spec.to_vec());
        self.known.retain(|name, _| spec.iter().any(|feed| feed.name == *name));
        let vrfs: BTreeSet<VrfId> = old.iter().chain(spec).map(|feed| feed.vrf).collect();
        for vrf in vrfs {
            let of = |list: &[PolicerFeed]| -> Vec<PolicerFeed> {
                list.iter().filter(|feed| feed.vrf == vrf).cloned().collect()
            };
            let now = of(spec);
            if now == of(&old) {
                continue;
            }
            let policers: Vec<_> =
                now.into_iter().map(|feed| (self.policer(&feed), feed.eid_prefixes)).collect();
            let policers = (!policers.is_empty()).then(|| Box::new(VrfPolicers::new(policers)));
            out.delta(Delta::Policers(vrf, policers));
        }
    }

    fn policer(&mut self, feed: &PolicerFeed) -> Policer {
        let next = &mut self.next;
        let known = self.known.entry(feed.name.clone()).or_insert_with(|| {
            let id = PolicerId(*next);
            *next = (*next + 1).min(MAX_POLICERS);
            Known { id, rate: feed.rate, reservoirs: Reservoirs::default() }
        });
        if known.rate != feed.rate {
            (known.rate, known.reservoirs) = (feed.rate, Reservoirs::default());
        }
        Policer::new(known.id, feed.rate, &known.reservoirs)
    }

    /// Where a policer counts.
    pub(super) fn id(&self, name: &str) -> Option<PolicerId> {
        self.known.get(name).map(|known| known.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pxtr_dataplane::policer::Unit;

    fn feed(name: &str, vrf: u16, per_second: u64) -> PolicerFeed {
        let rate = Rate { per_second, burst: 100, unit: Unit::Packets };
        PolicerFeed { name: name.into(), vrf: VrfId(vrf), eid_prefixes: None, rate }
    }

    #[test]
    fn only_vrfs_whose_policers_change_are_told() {
        let (mut policers, mut out) = (Policers::default(), Output::default());
        let mut vrfs = |policers: &mut Policers, spec: &[PolicerFeed]| {
            policers.set(spec, &mut out);
            let told = out.deltas.drain(..).map(|(_, delta)| match delta {
                Delta::Policers(vrf, policers) => (vrf.0, policers.is_some()),
                other => panic!("{other:?}"),
            });
            told.collect::<Vec<_>>()
        };
        let (a, b) = (feed("a", 1, 10), feed("b", 2, 10));
        assert_eq!(vrfs(&mut policers, &[a.clone(), b.clone()]), [(1, true), (2, true)]);
        assert_eq!(vrfs(&mut policers, &[a.clone(), b.clone()]), []);
        let of_b = policers.known["b"].reservoirs.clone();
        let site = PolicerFeed { eid_prefixes: Some(vec![]), ..feed("c", 2, 5) };
        assert_eq!(vrfs(&mut policers, &[a.clone(), b.clone(), site]), [(2, true)]);
        let same = |policers: &Policers| std::sync::Arc::ptr_eq(&policers.known["b"].reservoirs[0], &of_b[0]);
        assert!(same(&policers), "a policer that did not change has no new burst");
        assert_eq!(vrfs(&mut policers, &[a, feed("b", 2, 11)]), [(2, true)]);
        assert!(!same(&policers));
        assert_eq!(policers.id("c"), None);
        assert_eq!(vrfs(&mut policers, &[]), [(1, false), (2, false)]);
        assert_eq!(vrfs(&mut policers, &[feed("d", 1, 1)]), [(1, true)]);
        assert_eq!(policers.id("d"), Some(PolicerId(3)), "numbers are not given twice");
    }
}
