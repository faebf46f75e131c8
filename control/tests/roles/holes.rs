//! What a Map-Server answers, against its definition read aloud.

use crate::messages::*;
use crate::node::*;
use ipnet::IpNet;
use proptest::prelude::*;
use pxtr_control::codec::{EidRecord, MapAction, MapRegister};
use pxtr_control::engine::config::{EngineConfig, SitePrefix};
use pxtr_control::engine::event::{EidPrefix, Iid};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Few bits vary, so that prefixes nest and touch often.
fn address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        3 => (0u32..16, 0u32..8).prop_map(|(a, b)| IpAddr::V4(Ipv4Addr::from_bits((a << 28) | b))),
        1 => (0u128..16, 0u128..8).prop_map(|(a, b)| IpAddr::V6(Ipv6Addr::from_bits((a << 124) | b))),
    ]
}

fn prefix() -> impl Strategy<Value = IpNet> {
    (address(), 0u8..=128).prop_map(|(addr, len)| {
        let host = IpNet::from(addr);
        IpNet::new(addr, len.min(host.max_prefix_len())).expect("length").trunc()
    })
}

/// Every prefix belongs to one of two sites; both have the same key, so that one can register all.
fn with_sites(configured: &BTreeMap<IpNet, (bool, bool)>) -> EngineConfig {
    let mut config = map_server(vec![site("a", "key", &[]), site("b", "key", &[])]);
    for (prefix, (second, accept_more_specifics)) in configured {
        let eid = EidPrefix { iid: Iid(0), prefix: *prefix };
        config.sites[usize::from(*second)]
            .eid_prefixes
            .push(SitePrefix { eid, accept_more_specifics: *accept_more_specifics });
    }
    config
}

fn longest(of: &[IpNet], addr: IpAddr) -> Option<IpNet> {
    of.iter().filter(|p| p.contains(&addr)).max_by_key(|p| p.prefix_len()).copied()
}

/// From the longest to the shortest prefix around `addr`, as long as it lies within `within` and
/// holds no other listed prefix.
fn naive_hole(addr: IpAddr, within: Option<IpNet>, listed: &[IpNet]) -> IpNet {
    let host = IpNet::from(addr);
    let shortest = within.map_or(0, |p| p.prefix_len());
    let mut best = host;
    for len in (shortest..=host.max_prefix_len()).rev() {
        let candidate = IpNet::new(addr, len).expect("length").trunc();
        if listed.iter().any(|p| Some(*p) != within && candidate.contains(p)) {
            break;
        }
        best = candidate;
    }
    best
}

/// The locators that the answer gives for an address: those of its longest matching record.
fn said_of(records: &[EidRecord], addr: IpAddr) -> Option<&EidRecord> {
    let matching =
        records.iter().filter(|r| r.eid.eid_prefix(r.mask_len).is_some_and(|e| e.prefix.contains(&addr)));
    matching.max_by_key(|r| r.mask_len)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn answers_are_those_of_the_definition(
        configured in prop::collection::btree_map(prefix(), any::<(bool, bool)>(), 0..12),
        wanted in prop::collection::vec(prefix(), 0..40),
        asked in prop::collection::vec(address(), 1..20),
    ) {
        let mut n = Node::new(with_sites(&configured));
        for (i, p) in wanted.iter().chain(configured.keys().step_by(2)).enumerate() {
            let records = vec![record(&p.to_string(), &[rloc("198.51.100.21", 1)])];
            let m = MapRegister { proxy_reply: true, want_map_notify: false, ..register(i as u64 + 1, records) };
            n.hear("198.51.100.21:4342", &signed_register(&m, "key"));
        }
        let registered: Vec<IpNet> = n.engine.registrations().map(|r| r.eid.prefix).collect();
        let configured: Vec<IpNet> = configured.into_keys().collect();
        let listed: Vec<IpNet> = configured.iter().chain(&registered).copied().collect();
        for addr in asked {
            n.hear("198.51.100.53:4342", &in_ecm(&request(&IpNet::from(addr).to_string(), &["198.51.100.1"])));
            let Some(sent) = n.take().pop() else { continue };
            let records = &sent.reply().records;
            let (site, mapping) = (longest(&configured, addr), longest(&registered, addr));
            let positive = mapping.filter(|m| m.prefix_len() >= site.map_or(0, |s| s.prefix_len()));
            if positive.is_some() {
                let said = said_of(records, addr).expect("something about the EID");
                prop_assert_eq!(said.locators.len(), 1);
                // Whatever else the records cover is told as it is.
                for other in listed.iter().map(IpNet::network) {
                    let Some(said) = said_of(records, other) else { continue };
                    let (site, mapping) = (longest(&configured, other), longest(&registered, other));
                    let there = mapping.is_some_and(|m| m.prefix_len() >= site.map_or(0, |s| s.prefix_len()));
                    prop_assert_eq!(said.locators.len(), usize::from(there), "of {} in {:?}", other, show_all(records));
                }
            } else {
                let expected = naive_hole(addr, site, &listed);
                prop_assert_eq!(show_all(records), [format!("{expected} -> ")]);
                prop_assert_eq!(records[0].action, MapAction::NativelyForward);
                prop_assert_eq!(records[0].ttl_minutes, if site.is_some() { 1 } else { 15 });
            }
        }
    }
}
