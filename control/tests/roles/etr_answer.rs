//! What an ETR, and a proxy ETR, say to Map-Requests.

use crate::messages::*;
use crate::node::*;
use pxtr_control::codec::{Address, MapRequest, Message};
use pxtr_control::engine::Counter;
use pxtr_control::engine::config::EngineConfig;

fn plain(request: &MapRequest) -> Vec<u8> {
    bytes(Message::MapRequest(request.clone()))
}

#[test]
fn r044_r048_a_forwarded_request_is_answered_to_the_itr_and_its_inner_port() {
    let mut n = Node::new(xtr(&["10.4.0.0/24"]));
    n.hear("203.0.113.53:55555", &in_ecm(&request("10.4.0.9/32", &["198.51.100.1"])));
    let sent = n.take_one();
    assert_eq!(sent.to, at("198.51.100.1:40000"), "TRAP 17: the inner source port");
    assert_eq!(sent.source, Some(ip(US)), "from our RLOC; the control socket is port 4342");
    let reply = sent.reply();
    assert_eq!((reply.nonce, reply.probe, reply.echo_nonce), (0x0102_0304_0506_0708, false, false));
    assert_eq!(show_all(&reply.records), ["10.4.0.0/24 -> 203.0.113.10"]);
    let record = &reply.records[0];
    assert_eq!((record.authoritative, record.ttl_minutes), (true, 1440), "A=1: we are the ETR");
    let l = &record.locators[0];
    assert_eq!((l.local, l.reachable, l.probed), (true, true, false));
    assert_eq!((l.priority, l.weight, l.m_priority), (1, 100, 255));
}

#[test]
fn r043_a_request_for_an_eid_that_is_not_ours_gets_no_answer() {
    let mut n = Node::new(xtr(&["10.4.0.0/24"]));
    n.hear("203.0.113.53:4342", &in_ecm(&request("10.5.0.9/32", &["198.51.100.1"])));
    n.hear("203.0.113.53:4342", &in_ecm(&request("7 10.4.0.9/32", &["198.51.100.1"])));
    n.hear("198.51.100.1:4342", &plain(&request("10.5.0.9/32", &["198.51.100.1"])));
    assert!(n.silent());
    assert_eq!(n.count(Counter::MessagesNotForUs), 3);
}

#[test]
fn r045_one_reply_holds_the_best_match_and_its_more_specifics_with_one_ttl() {
    let mut config = xtr(&["10.0.0.0/8", "10.4.0.0/16", "10.4.4.0/24", "10.5.0.0/16", "2001:db8::/32"]);
    config.database[2].ttl_minutes = 5;
    // (asked, answered, TTL)
    let cases: [(&str, &[&str], u32); 5] = [
        ("10.4.4.1/32", &["10.4.4.0/24"], 5),
        ("10.4.0.1/32", &["10.4.0.0/16", "10.4.4.0/24"], 5),
        ("10.5.0.1/32", &["10.5.0.0/16"], 1440),
        ("10.9.0.1/32", &["10.0.0.0/8", "10.4.0.0/16", "10.4.4.0/24", "10.5.0.0/16"], 5),
        ("8.0.0.0/6", &["10.0.0.0/8", "10.4.0.0/16", "10.4.4.0/24", "10.5.0.0/16"], 5),
    ];
    for (asked, answered, ttl) in cases {
        let mut n = Node::new(config.clone());
        n.hear("203.0.113.53:4342", &in_ecm(&request(asked, &["198.51.100.1"])));
        let sent = n.take_one();
        let records = &sent.reply().records;
        let prefixes: Vec<String> = records.iter().map(|r| show(r).replace(" -> 203.0.113.10", "")).collect();
        assert_eq!(prefixes, answered, "for {asked}");
        assert!(records.iter().all(|r| r.ttl_minutes == ttl), "for {asked}");
    }
}

#[test]
fn r046_locators_are_sorted_ipv4_first_whatever_the_configuration_says() {
    let mut config = xtr(&["10.4.0.0/24"]);
    config.database[0].locators = ["2001:db8:ffff::10", "203.0.113.99", "2001:db8::1", "203.0.113.10"]
        .map(|l| locator(l, 1, 1))
        .to_vec();
    let mut n = Node::new(config);
    n.hear("203.0.113.53:4342", &in_ecm(&request("10.4.0.9/32", &["198.51.100.1"])));
    let sent = n.take_one();
    let record = &sent.reply().records[0];
    assert_eq!(show(record), "10.4.0.0/24 -> 203.0.113.10 203.0.113.99 2001:db8::1 2001:db8:ffff::10");
    let local: Vec<bool> = record.locators.iter().map(|l| l.local).collect();
    assert_eq!(local, [true, false, false, true], "L on our own RLOCs only");
}

#[test]
fn r044_r206_the_answer_goes_to_the_first_itr_rloc_that_it_can_go_to() {
    let v4_only = |mut c: EngineConfig| {
        c.rlocs.truncate(1);
        c
    };
    let both = |c: EngineConfig| c;
    // (sentence, our RLOCs, ITR-RLOCs, destination)
    type Case<'a> = (&'a str, fn(EngineConfig) -> EngineConfig, &'a [&'a str], Option<&'a str>);
    let cases: [Case; 7] = [
        ("the first", both, &["198.51.100.1", "198.51.100.2"], Some("198.51.100.1:40000")),
        ("IPv6 first", both, &["2001:db8:1::1", "198.51.100.2"], Some("[2001:db8:1::1]:40000")),
        ("only IPv4 here", v4_only, &["2001:db8:1::1", "198.51.100.2"], Some("198.51.100.2:40000")),
        ("no common family", v4_only, &["2001:db8:1::1"], None),
        (
            "martians are passed over",
            both,
            &["127.0.0.1", "224.0.0.5", "198.51.100.2"],
            Some("198.51.100.2:40000"),
        ),
        ("nothing but martians", both, &["0.0.0.0", "fe80::1", "255.255.255.255"], None),
        ("ourselves: we may be the ITR too", both, &[US], Some("203.0.113.10:40000")),
    ];
    for (what, ours, itr_rlocs, expected) in cases {
        let mut n = Node::new(ours(xtr(&["10.4.0.0/24"])));
        n.hear("203.0.113.53:4342", &in_ecm(&request("10.4.0.9/32", itr_rlocs)));
        let to = n.take().first().map(|s| s.to.to_string());
        assert_eq!(to.as_deref(), expected, "{what}");
        assert_eq!(n.count(Counter::RequestsWithoutItrRloc), u64::from(expected.is_none()), "{what}");
    }
}

#[test]
fn r044_the_same_answer_is_given_a_few_times_and_then_once_a_second() {
    let mut n = Node::new(xtr(&["10.4.0.0/24", "10.5.0.0/24"]));
    let ask = |n: &mut Node, eid: &str, from: &str| {
        n.hear("203.0.113.53:4342", &in_ecm(&request(eid, &[from])));
        n.take().len()
    };
    let answers: usize = (0..10).map(|_| ask(&mut n, "10.4.0.9/32", "198.51.100.1")).sum();
    assert_eq!(answers, 3);
    assert_eq!(n.count(Counter::AnswersRepeated), 7);
    assert_eq!(ask(&mut n, "10.5.0.9/32", "198.51.100.1"), 1, "another prefix is another answer");
    assert_eq!(ask(&mut n, "10.4.0.9/32", "198.51.100.2"), 1, "another ITR too");
    n.pass(1000);
    assert_eq!(ask(&mut n, "10.4.0.9/32", "198.51.100.1"), 1, "a retransmission a second later is answered");
}

#[test]
fn r206_a_sender_has_a_rate_and_the_others_are_not_affected() {
    let mut config = xtr(&["10.0.0.0/8"]);
    config.limits.map_requests_received_per_source_per_second = 50;
    let mut n = Node::new(config);
    for i in 0..200 {
        n.hear("203.0.113.66:4342", &in_ecm(&request(&format!("10.0.0.{i}/32"), &["198.51.100.1"])));
    }
    assert_eq!(n.take().len(), 50);
    assert_eq!(n.count(Counter::RequestsOverSenderRate), 150);
    n.hear("203.0.113.53:4342", &in_ecm(&request("10.1.0.0/32", &["198.51.100.1"])));
    assert_eq!(n.take().len(), 1);
}

#[test]
fn r206_who_floods_the_map_server_does_not_use_up_what_it_passes_on_for_others() {
    let mut config = xtr(&["10.0.0.0/8"]);
    config.limits.map_requests_received_per_source_per_second = 50;
    config.map_servers = vec![peer("203.0.113.53")];
    let mut n = Node::new(config);
    n.take();
    let ask = |n: &mut Node, i: u8, itr: &str| {
        n.hear("203.0.113.53:4342", &in_ecm(&request(&format!("10.0.0.{i}/32"), &[itr])));
        n.take().len()
    };
    let answers: usize = (0..200).map(|i| ask(&mut n, i, "198.51.100.66")).sum();
    assert_eq!((answers, n.count(Counter::RequestsOverSenderRate)), (50, 150));
    assert_eq!((0..40).map(|i| ask(&mut n, i, "198.51.100.1")).sum::<usize>(), 40, "another ITR");
}

#[test]
fn r103_a_request_that_wants_no_reply_gets_none() {
    let mut n = Node::new(xtr(&["10.4.0.0/24"]));
    let silent = MapRequest { no_reply: true, ..request("10.4.0.9/32", &["198.51.100.1"]) };
    n.hear("203.0.113.53:4342", &in_ecm(&silent));
    assert!(n.silent());
}

#[test]
fn r087_a_probe_is_answered_from_the_probed_address_with_p_and_the_mapping() {
    let mut config = xtr(&["10.4.0.0/24"]);
    config.database[0].locators = vec![locator(US, 1, 50), locator(US_V6, 1, 50)];
    let mut n = Node::new(config);
    n.hear("198.51.100.1:40214", &plain(&probe("10.4.0.0/24", &["198.51.100.1"])));
    let sent = n.take_one();
    assert_eq!((sent.source, sent.to), (Some(ip(US)), at("198.51.100.1:40214")));
    assert_eq!(sent.payload[0], 0x28, "lispers.net wants exactly this first byte");
    let reply = sent.reply();
    assert_eq!((reply.probe, reply.nonce), (true, 0x0102_0304_0506_0708));
    let record = &reply.records[0];
    assert!(record.authoritative, "R-063: or the prober discards it");
    let flags: Vec<_> = record.locators.iter().map(|l| (l.local, l.probed, l.reachable)).collect();
    assert_eq!(flags, [(true, true, true), (true, false, true)], "p on the one that was probed");
}

#[test]
fn r087_a_probe_is_answered_in_the_family_that_it_probes() {
    let mut n = Node::new(xtr(&["10.4.0.0/24"]));
    let both = probe("10.4.0.0/24", &["198.51.100.1", "2001:db8:1::1"]);
    n.hear("[2001:db8:1::1]:4342", &plain(&both));
    let sent = n.take_one();
    assert_eq!((sent.source, sent.to), (Some(ip(US_V6)), at("[2001:db8:1::1]:4342")));
}

#[test]
fn r044_probes_of_many_prefixes_are_exempt_from_the_repeat_limit() {
    let mut n = Node::new(xtr(&["10.4.0.0/24"]));
    for _ in 0..50 {
        n.hear("198.51.100.1:4342", &plain(&probe("10.4.0.0/24", &["198.51.100.1"])));
    }
    assert_eq!(n.take().len(), 50);
}

#[test]
fn r030_a_proxy_etr_answers_probes_for_any_prefix_with_itself() {
    // (sentence, prefix, what the record says)
    let cases = [
        ("OOR's probe of its PETR", "0.0.0.0/0", "0.0.0.0/0 -> 203.0.113.10"),
        ("the same for IPv6 EIDs", "::/0", "::/0 -> 203.0.113.10"),
        ("a host", "192.0.2.7/32", "192.0.2.7/32 -> 203.0.113.10"),
        ("an instance", "101 0.0.0.0/0", "101 0.0.0.0/0 -> 203.0.113.10"),
    ];
    for (what, prefix, expected) in cases {
        let mut n = Node::new(petr());
        n.hear("198.51.100.1:4342", &plain(&probe(prefix, &["198.51.100.1"])));
        let sent = n.take_one();
        let record = &sent.reply().records[0];
        assert_eq!(show(record), expected, "{what}");
        assert_eq!((record.authoritative, record.ttl_minutes), (true, 1440), "{what}");
        let l = &record.locators[0];
        assert_eq!((l.local, l.probed, l.reachable), (true, true, true), "{what}");
        assert_eq!(sent.payload[0], 0x28, "{what}");
    }
}

#[test]
fn r030_a_proxy_etr_that_is_a_site_too_answers_for_the_site_with_its_mapping() {
    let mut config = xtr(&["10.4.0.0/24"]);
    config.roles.petr = true;
    config.database[0].locators.push(locator("203.0.113.11", 2, 1));
    let mut n = Node::new(config);
    n.hear("198.51.100.1:4342", &plain(&probe("10.4.0.0/24", &["198.51.100.1"])));
    assert_eq!(show(&n.take_one().reply().records[0]), "10.4.0.0/24 -> 203.0.113.10 203.0.113.11");
    n.hear("198.51.100.1:4342", &plain(&probe("0.0.0.0/0", &["198.51.100.1"])));
    assert_eq!(show(&n.take_one().reply().records[0]), "0.0.0.0/0 -> 203.0.113.10");
}

#[test]
fn peers7_the_first_probe_of_lispers_net_names_the_eid_in_the_source_field() {
    let mut first = probe("0.0.0.0/0", &["198.51.100.1"]);
    first.source_eid = Address::Ip(ip("10.4.0.0"));
    first.records[0].eid = Address::None;
    first.records[0].mask_len = 0;
    let mut etr = Node::new(xtr(&["10.4.0.0/24"]));
    etr.hear("198.51.100.1:40214", &plain(&first));
    assert_eq!(show(&etr.take_one().reply().records[0]), "10.4.0.0/24 -> 203.0.113.10");
    let mut proxy = Node::new(petr());
    proxy.hear("198.51.100.1:40214", &plain(&first));
    assert_eq!(show(&proxy.take_one().reply().records[0]), "10.4.0.0/32 -> 203.0.113.10");
}

#[test]
fn probes_that_are_none_of_our_business_are_dropped_and_counted() {
    let mut n = Node::new(xtr(&["10.4.0.0/24"]));
    n.hear("198.51.100.1:4342", &plain(&probe("10.5.0.0/24", &["198.51.100.1"])));
    assert_eq!(n.count(Counter::ProbesUnknownEid), 1);
    let to_another = at("192.0.2.99:4342");
    n.hear_at(at("198.51.100.1:4342"), to_another, &plain(&probe("10.4.0.0/24", &["198.51.100.1"])));
    assert_eq!(n.count(Counter::ProbesMisdirected), 1);
    // a Map-Server and a Map-Resolver drop probes, encapsulated or not.
    n.hear("198.51.100.1:4342", &in_ecm(&probe("10.4.0.0/24", &["198.51.100.1"])));
    let mut ms = Node::new(map_server(vec![site("a", "k", &["10.4.0.0/24"])]));
    ms.hear("198.51.100.1:4342", &plain(&probe("10.4.0.0/24", &["198.51.100.1"])));
    ms.hear("198.51.100.1:4342", &in_ecm(&probe("10.4.0.0/24", &["198.51.100.1"])));
    assert!(n.silent() && ms.silent());
}
