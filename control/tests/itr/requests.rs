//! Sending Map-Requests.

use crate::world::*;
use pxtr_control::codec::Address;
use pxtr_control::engine::Counter;
use pxtr_control::engine::event::{Event, Iid};
use std::collections::BTreeSet;
use std::net::IpAddr;

#[test]
fn r051_a_miss_sends_an_ecm_for_the_host_to_the_map_resolver() {
    let mut w = World::new(pitr());
    w.miss("10.1.2.3");
    let r = w.request();
    assert_eq!(r.to.to_string(), format!("{MR1}:4342"));
    assert_eq!(r.source, Some(ip(OUR_V4)), "from our RLOC of the Map-Resolver's family");
    let ecm = r.ecm.clone().expect("in an ECM");
    assert_eq!(r.message.records.len(), 1, "R-052: exactly one record");
    assert_eq!(r.prefix(), eid("10.1.2.3/32"), "R-052: a host mask for a miss");
    assert_eq!((ecm.inner.source, ecm.inner.destination), (ip(OUR_V4), ip("10.1.2.3")));
    assert_eq!((ecm.inner.source_port, ecm.inner.destination_port), (4342, 4342), "TRAP 17, TRAP 3");
    assert_eq!(
        r.message.itr_rlocs,
        [Address::Ip(ip(OUR_V4)), Address::Ip(ip(OUR_V6))],
        "R-053: one ITR-RLOC per family"
    );
    assert!(!r.message.probe && !r.message.smr && !r.message.smr_invoked);
}

#[test]
fn r014_r015_a_proxy_sets_the_p_bit_and_names_no_source_eid_and_a_site_the_other_way_round() {
    let mut proxy = World::new(pitr());
    proxy.miss_from("10.1.2.3", "203.0.113.9");
    let r = proxy.request();
    assert_eq!((r.message.pitr, &r.message.source_eid), (true, &Address::None));
    let mut site = World::new(xtr());
    site.miss_from("10.9.0.1", "10.4.0.7");
    let r = site.request();
    assert_eq!((r.message.pitr, &r.message.source_eid), (false, &Address::Ip(ip("10.4.0.7"))));
}

#[test]
fn r051_the_inner_source_is_of_the_eids_family_whatever_our_rlocs_are() {
    // (sentence, our RLOCs, EID, packet source, inner source)
    let cases = [
        ("our RLOC of that family", vec![OUR_V4, OUR_V6], "2001:db8:e000::1", "2001:db8:9::9", OUR_V6),
        ("else the packet's source", vec![OUR_V4], "2001:db8:e000::1", "2001:db8:9::9", "2001:db8:9::9"),
        ("the same for IPv4 over IPv6", vec![OUR_V6], "10.1.1.1", "203.0.113.5", "203.0.113.5"),
    ];
    for (what, rlocs, wanted, source, inner) in cases {
        let mut config = pitr();
        config.rlocs = rlocs.iter().map(|r| ip(r)).collect();
        let mut w = World::new(config);
        w.miss_from(wanted, source);
        assert_eq!(w.request().ecm.expect("ECM").inner.source, ip(inner), "{what}");
    }
}

#[test]
fn r143_a_miss_in_an_instance_asks_with_the_instance_id() {
    let mut config = pitr();
    config.vrfs[0].iid = Iid(101);
    let mut w = World::new(config);
    w.step(Event::Miss { iid: Iid(101), eid: ip("10.1.2.3"), source: ip("203.0.113.9") });
    let r = w.request();
    assert_eq!(r.message.records[0].eid, Address::from_eid(Iid(101), ip("10.1.2.3")));
    assert_eq!(r.prefix().iid, Iid(101));
}

#[test]
fn r055_r056_retransmissions_wait_longer_and_longer_and_end_with_abandon() {
    let mut w = World::new(pitr());
    for _ in 0..100 {
        w.miss("10.1.2.3");
        w.pass(1000);
    }
    let requests = w.requests();
    let first_round: Vec<_> = requests.iter().take(11).collect();
    let gaps: Vec<u64> = first_round.windows(2).map(|p| p[1].at.since(p[0].at)).collect();
    for (gap, base) in gaps.iter().zip([1000, 1000, 2000, 2000, 4000, 4000, 8000, 8000, 8000, 8000]) {
        assert!((base..base + base / 5).contains(gap), "{gap} is about {base}, and never less");
    }
    assert!(w.take().contains(&abandon("10.1.2.3")), "the packets are let go");
    let pause = requests[11].at.since(requests[10].at);
    assert!(pause >= 30_000, "R-055: after 10 retransmissions nothing for 30 s, not {pause} ms");
    assert!(w.count(Counter::MissesHeldDown) > 0);
    let nonces: BTreeSet<u64> = requests.iter().map(|r| r.message.nonce).collect();
    assert_eq!(nonces.len(), requests.len(), "R-054, R-058: each with a nonce of its own");
}

#[test]
fn r055_a_lookup_that_no_packet_wants_any_more_ends_early() {
    let mut w = World::new(pitr());
    w.miss("10.1.2.3");
    w.pass(60_000);
    assert!(w.requests().len() <= 5, "one miss, then silence");
    assert_eq!(w.take(), [abandon("10.1.2.3")]);
    assert!(w.engine.pending().is_empty(), "and nothing is left of it");
}

#[test]
fn r077_misses_for_the_same_eid_join_and_others_do_not_wait_for_them() {
    let mut w = World::new(pitr());
    for eid in ["10.1.2.3", "10.1.2.3", "10.1.2.4", "10.1.2.3"] {
        w.miss(eid);
    }
    assert_eq!(w.requests().len(), 2);
    assert_eq!(w.count(Counter::MissesPending), 2);
}

#[test]
fn r021_destinations_outside_eid_space_are_not_asked_for() {
    let mut w = World::new(pitr());
    w.miss("172.16.0.1");
    assert_eq!((w.requests().len(), w.take()), (0, vec![abandon("172.16.0.1")]));
    let mut site = World::new(xtr());
    site.miss("10.4.0.9");
    assert_eq!((site.requests().len(), site.take()), (0, vec![abandon("10.4.0.9")]), "our own site");
}

#[test]
fn r021_one_source_can_not_use_up_the_lookups_of_others() {
    let mut config = pitr();
    config.limits.lookups_per_source_per_second = 10;
    let mut w = World::new(config);
    for i in 0..100 {
        w.miss_from(&format!("10.1.0.{i}"), "203.0.113.66");
    }
    assert_eq!(w.requests().len(), 10);
    assert_eq!(w.count(Counter::LookupsOverSourceBudget), 90);
    w.miss_from("10.2.0.1", "203.0.113.7");
    assert_eq!(w.requests().len(), 1, "another source still gets its lookup");
}

#[test]
fn r057_the_number_of_lookups_and_their_rate_are_bounded() {
    let mut config = pitr();
    config.limits.pending_requests = 20;
    config.limits.lookups_per_source_per_second = 1_000_000;
    let mut w = World::new(config.clone());
    (0..200).for_each(|i| w.miss(&format!("10.1.1.{i}")));
    assert_eq!(w.requests().len(), 20);
    assert_eq!(w.count(Counter::LookupsOverPendingLimit), 180);

    config.limits.pending_requests = 10_000;
    config.limits.map_requests_per_second = 50;
    let mut w = World::new(config);
    for second in 0..10 {
        for i in 0..200 {
            w.miss(&format!("10.{second}.2.{i}"));
        }
        w.pass(1000);
    }
    assert!(w.requests().len() <= 50 * 10 + 50, "50 a second, whatever is asked for");
    assert!(w.count(Counter::MapRequestsOverRate) > 0);
}

#[test]
fn r056_r060_the_second_map_resolver_takes_over_and_the_first_is_tested_for_its_return() {
    let mut config = pitr();
    config.map_resolvers = vec![ip(MR1), ip(MR2)];
    let mut w = World::new(config);
    w.miss("10.1.2.3");
    w.pass(2300);
    let asked: Vec<_> = w.requests().iter().map(|r| r.to.ip()).collect();
    assert_eq!(asked, [ip(MR1), ip(MR1), ip(MR2)], "two tries each, and the other one within 3 s");
    // MR1 stays dead: it becomes suspect, and new lookups go to MR2 at once.
    for i in 0..4 {
        w.miss(&format!("10.1.3.{i}"));
    }
    w.pass(1200);
    w.requests();
    w.miss("10.1.4.1");
    let r = w.request();
    assert_eq!(r.to.ip(), ip(MR2), "R-060: the suspect one is last");
    w.reply(r.message.nonce, vec![record("10.1.4.0/24", 60, &[("198.51.100.1", 1, 1)])]);
    // A minute later one lookup tests it, and its answer brings it back.
    w.pass(61_000);
    w.requests();
    w.miss("10.1.5.1");
    let r = w.request();
    assert_eq!(r.to.ip(), ip(MR1), "tested");
    w.reply(r.message.nonce, vec![record("10.1.5.0/24", 60, &[("198.51.100.1", 1, 1)])]);
    w.miss("10.1.6.1");
    assert_eq!(w.request().to.ip(), ip(MR1), "and first again");
}

/// Found by the lab `mr-failover`: lookups that were under way when the first Map-Resolver became
/// suspect went back to it on their third try.
#[test]
fn r060_a_lookup_under_way_does_not_return_to_a_map_resolver_that_died() {
    let mut config = pitr();
    config.map_resolvers = vec![ip(MR1), ip(MR2)];
    let mut w = World::new(config);
    let mut asked: Vec<(String, IpAddr)> = Vec::new();
    for i in 0..40 {
        w.miss(&format!("10.1.3.{i}"));
        w.pass(50);
        let to = |r: &Request| (r.message.records[0].eid_prefix().unwrap().prefix.to_string(), r.to.ip());
        asked.extend(w.requests().iter().map(to));
    }
    w.pass(2_300);
    let to = |r: &Request| (r.message.records[0].eid_prefix().unwrap().prefix.to_string(), r.to.ip());
    asked.extend(w.requests().iter().map(to));
    for i in 0..40 {
        let eid = format!("10.1.3.{i}/32");
        let of: Vec<_> = asked.iter().filter(|(e, _)| *e == eid).map(|(_, to)| *to).collect();
        assert!(of.contains(&ip(MR2)), "{eid} asked {of:?} within 2.3 s");
    }
}

#[test]
fn r060_the_second_try_goes_elsewhere_when_the_first_is_usually_quick_and_the_quicker_one_is_preferred() {
    let mut config = pitr();
    config.map_resolvers = vec![ip(MR1), ip(MR2)];
    let mut w = World::new(config);
    let found = |n: u32| vec![record(&format!("10.1.{n}.0/24"), 60, &[("198.51.100.1", 1, 1)])];
    // Whom lookup `n` asks; the answer takes so long.
    let asks = |w: &mut World, n: u32, took_ms: u64| {
        w.miss(&format!("10.1.{n}.1"));
        let r = w.request();
        w.pass(took_ms);
        w.reply(r.message.nonce, found(n));
        r.to.ip()
    };
    assert_eq!(asks(&mut w, 1, 300), ip(MR1));
    w.miss("10.1.2.1");
    let first = w.request();
    w.pass(1_000);
    let second = loop {
        w.pass(5);
        if let Some(second) = w.requests().pop() {
            break second;
        }
        assert!(w.now.since(first.at) < 1_900, "it is a second and not two until another one is asked");
    };
    assert_eq!((first.to.ip(), second.to.ip()), (ip(MR1), ip(MR2)));
    assert!(second.at.since(first.at) >= 1_000, "R-055");
    w.reply(second.message.nonce, found(2));
    // MR1 usually takes 300 ms, MR2 much less: it is the first choice now, and MR1 tested each minute.
    assert_eq!(asks(&mut w, 3, 10), ip(MR2));
    let mut n = 4;
    loop {
        w.pass(60_000);
        assert_eq!(asks(&mut w, n, 10), ip(MR1), "tested");
        if asks(&mut w, n + 1, 10) == ip(MR1) {
            break;
        }
        n += 2;
        assert!(n < 24, "it is as quick as the other one and is not asked");
    }
    assert!(n > 4, "one quick answer does not make it quick");
}

#[test]
fn r060_without_any_answer_the_cache_is_kept() {
    let mut w = World::new(pitr());
    w.learn("10.1.1.1", vec![record("10.1.1.0/24", 1440, &[("198.51.100.1", 1, 1)])]);
    w.miss("10.2.2.2");
    w.pass(120_000);
    assert!(w.prefixes().contains(&"10.1.1.0/24".to_owned()));
}
