//! Map-Requests at a Map-Server.

use crate::messages::*;
use crate::node::*;
use pxtr_control::codec::{Address, Ecm, EidRecord, Lcaf, MapAction, MapRegister, MapRequest, Message};
use pxtr_control::engine::Counter;
use pxtr_control::engine::config::{AnswerPolicy, EngineConfig};
use std::slice;

const ETR: &str = "198.51.100.21:4342";
const ITR: &str = "198.51.100.1";

fn config() -> EngineConfig {
    map_server(vec![
        site("a", "key-a", &["10.0.0.0/8+", "2001:db8:a::/48", "101 10.0.0.0/8"]),
        site("b", "key-b", &["10.64.0.0/16"]),
    ])
}

/// Registers with P as told.
fn with(registrations: &[(&str, &str, bool)]) -> Node {
    let mut n = Node::new(config());
    for (i, (prefix, rloc_, proxy_reply)) in registrations.iter().enumerate() {
        let records = vec![record(prefix, &[rloc(rloc_, 1)])];
        let m = MapRegister {
            proxy_reply: *proxy_reply,
            want_map_notify: false,
            ..register(i as u64 + 1, records)
        };
        let key = if *prefix == "10.64.0.0/16" { "key-b" } else { "key-a" };
        n.hear(ETR, &signed_register(&m, key));
    }
    assert!(n.silent());
    n
}

fn ask(n: &mut Node, prefix: &str) {
    n.hear("198.51.100.53:61000", &in_ecm(&request(prefix, &[ITR])));
}

fn answer(n: &mut Node, prefix: &str) -> Vec<EidRecord> {
    ask(n, prefix);
    n.take_one().reply().records.clone()
}

#[test]
fn r169_r170_with_p_the_map_server_answers_itself_without_a_and_l() {
    let mut n = Node::new(config());
    let mut locators = vec![rloc("198.51.100.22", 2), rloc("2001:db8::22", 1), rloc("198.51.100.21", 1)];
    locators[0].reachable = false;
    let mut records = vec![record("10.1.0.0/16", &locators)];
    records[0].ttl_minutes = 77;
    let m = MapRegister { proxy_reply: true, ..register(1, records) };
    n.hear(ETR, &signed_register(&m, "key-a"));
    n.take();
    ask(&mut n, "10.1.2.3/32");
    let sent = n.take_one();
    assert_eq!((sent.to, sent.source), (at("198.51.100.1:40000"), Some(ip(US))), "TRAP 17");
    let reply = sent.reply();
    assert_eq!((reply.nonce, reply.probe), (0x0102_0304_0506_0708, false));
    let r = &reply.records[0];
    assert_eq!(show(r), "10.1.0.0/16 -> 198.51.100.21 198.51.100.22 2001:db8::22", "sorted, R-046");
    assert_eq!((r.authoritative, r.ttl_minutes), (false, 77), "R-048: A only from an ETR");
    let flags: Vec<_> = r.locators.iter().map(|l| (l.priority, l.local, l.reachable)).collect();
    assert_eq!(flags, [(1, false, true), (2, false, false), (1, false, true)], "R as registered, L=0");
}

/// Answers by policy.
fn policies(list: &[(&str, MapAction, u32)]) -> EngineConfig {
    let policy = |&(prefix, action, ttl_minutes): &_| AnswerPolicy { eid: eid(prefix), action, ttl_minutes };
    EngineConfig { policies: list.iter().map(policy).collect(), ..config() }
}

fn said(records: &[EidRecord]) -> Vec<(String, MapAction, u32)> {
    records.iter().map(|r| (show(r), r.action, r.ttl_minutes)).collect()
}

#[test]
fn r169_a_policy_answers_for_its_prefix_whoever_registered_it() {
    let denied = MapAction::DropPolicyDenied;
    let mut n =
        Node::new(policies(&[("10.1.9.0/24", denied, 20), ("192.168.0.0/16", MapAction::DropNoReason, 5)]));
    let m = MapRegister {
        proxy_reply: true,
        ..register(1, vec![record("10.1.0.0/16", &[rloc("198.51.100.21", 1)])])
    };
    n.hear(ETR, &signed_register(&m, "key-a"));
    let host =
        MapRegister { nonce: 2, records: vec![record("10.1.9.7/32", &[rloc("198.51.100.22", 1)])], ..m };
    n.hear(ETR, &signed_register(&host, "key-a"));
    n.take();
    let deny = ("10.1.9.0/24 -> ".to_owned(), denied, 20);
    assert_eq!(said(&answer(&mut n, "10.1.9.1/32")), slice::from_ref(&deny));
    assert_eq!(
        said(&answer(&mut n, "10.1.9.7/32")),
        slice::from_ref(&deny),
        "a host that registered all the same"
    );
    let around = said(&answer(&mut n, "10.1.8.1/32"));
    assert_eq!(
        around,
        [("10.1.0.0/16 -> 198.51.100.21".into(), MapAction::NoAction, 1440), deny],
        "exceptions"
    );
    let hole = said(&answer(&mut n, "192.169.0.1/32"));
    assert_eq!(
        hole,
        [("192.169.0.0/16 -> ".into(), MapAction::NativelyForward, 15)],
        "no hole reaches into it"
    );
    let unknown = said(&answer(&mut n, "192.168.3.3/32"));
    assert_eq!(
        unknown,
        [("192.168.0.0/16 -> ".into(), MapAction::DropNoReason, 5)],
        "no site needs to have it"
    );
    // A reload takes it back.
    n.reconfigure(config());
    assert_eq!(
        show_all(&answer(&mut n, "10.1.9.9/32")),
        ["10.1.0.0/16 -> 198.51.100.21", "10.1.9.7/32 -> 198.51.100.22"]
    );
}

#[test]
fn r169_a_policy_inside_another_one_is_an_exception_to_it() {
    let natively = MapAction::NativelyForward;
    let mut n = Node::new(policies(&[
        ("10.2.0.0/16", MapAction::DropPolicyDenied, 15),
        ("10.2.128.0/24", natively, 15),
    ]));
    assert_eq!(said(&answer(&mut n, "10.2.128.1/32")), [("10.2.128.0/24 -> ".into(), natively, 15)]);
    let outer = said(&answer(&mut n, "10.2.1.1/32"));
    assert_eq!(outer, [("10.2.0.0/17 -> ".into(), MapAction::DropPolicyDenied, 15)], "narrowed");
}

#[test]
fn r169_without_p_the_request_goes_to_an_etr_with_its_inner_packet_untouched() {
    let mut n = with(&[("10.1.0.0/16", "198.51.100.21", false)]);
    let asked = in_ecm(&request("10.1.2.3/32", &[ITR]));
    n.hear("198.51.100.53:61000", &asked);
    let sent = n.take_one();
    assert_eq!((sent.to, sent.source), (at("198.51.100.21:4342"), Some(ip(US))));
    assert_eq!(sent.payload, asked);
}

#[test]
fn r170_the_etr_is_a_reachable_locator_of_the_best_priority_in_our_family() {
    let mut dead = rloc("198.51.100.30", 1);
    dead.reachable = false;
    let mut lcaf = rloc("0.0.0.0", 1);
    lcaf.address = Address::Lcaf(Box::new(Lcaf::Null));
    // (sentence, locators, where it may go)
    type Case<'a> = (&'a str, Vec<pxtr_control::codec::LocatorRecord>, &'a [&'a str]);
    let cases: Vec<Case> = vec![
        ("best priority", vec![rloc("198.51.100.31", 1), rloc("198.51.100.32", 2)], &["198.51.100.31"]),
        ("a reachable one", vec![dead.clone(), rloc("198.51.100.32", 2)], &["198.51.100.32"]),
        (
            "equal ones share by nonce",
            vec![rloc("198.51.100.31", 1), rloc("198.51.100.32", 1)],
            &["198.51.100.31", "198.51.100.32"],
        ),
        ("255 is never used", vec![rloc("198.51.100.31", 255)], &["198.51.100.21"]),
        ("none reachable: where it registers from", vec![dead], &["198.51.100.21"]),
        ("nothing that is an address", vec![lcaf], &["198.51.100.21"]),
        ("martians are not sent to", vec![rloc("127.0.0.1", 1), rloc("224.0.0.1", 1)], &["198.51.100.21"]),
        ("nor are we ourselves", vec![rloc(US, 1)], &["198.51.100.21"]),
        ("a family that we do not have", vec![rloc("2001:db8::31", 1)], &["198.51.100.21"]),
    ];
    for (what, locators, allowed) in cases {
        let mut v4_only = config();
        v4_only.rlocs.truncate(1);
        let mut n = Node::new(v4_only);
        let m = MapRegister { want_map_notify: false, ..register(1, vec![record("10.1.0.0/16", &locators)]) };
        n.hear(ETR, &signed_register(&m, "key-a"));
        let mut reached: Vec<String> = (0..20)
            .map(|nonce| {
                let asked = MapRequest { nonce, ..request("10.1.2.3/32", &[ITR]) };
                n.hear("198.51.100.53:4342", &in_ecm(&asked));
                n.take_one().to.ip().to_string()
            })
            .collect();
        reached.sort();
        reached.dedup();
        assert_eq!(reached, allowed, "{what}");
    }
}

#[test]
fn r059_a_request_that_wants_the_site_itself_is_forwarded_in_spite_of_p() {
    let mut n = with(&[("10.1.0.0/16", "198.51.100.21", true)]);
    let asked = MapRequest { authoritative: true, ..request("10.1.2.3/32", &[ITR]) };
    n.hear("198.51.100.53:4342", &in_ecm(&asked));
    assert!(matches!(n.take_one().message, Message::Ecm(_)));
}

#[test]
fn r169_negative_answers_name_the_largest_prefix_that_says_nothing_about_others() {
    let registered = [
        ("10.1.0.0/16", "198.51.100.21", true),
        ("10.2.0.0/24", "198.51.100.21", true),
        ("2001:db8:a::/48", "198.51.100.21", true),
    ];
    // (sentence, asked, prefix, TTL)
    let cases = [
        ("no configured prefix: all up to 10/8", "11.0.0.1/32", "11.0.0.0/8", 15),
        ("the other half", "192.0.2.1/32", "128.0.0.0/1", 15),
        ("just below", "9.255.255.255/32", "8.0.0.0/7", 15),
        ("IPv6", "2001:db8:b::1/128", "2001:db8:b::/48", 15),
        ("IPv6 far away", "::1/128", "::/3", 15),
        ("another instance: nothing there at all", "7 10.1.2.3/32", "7 0.0.0.0/0", 15),
        ("configured, not registered, with others inside", "10.3.0.1/32", "10.3.0.0/16", 1),
        ("next to a registered /24", "10.2.1.1/32", "10.2.1.0/24", 1),
        ("not registered: all of another site's prefix", "10.64.9.9/32", "10.64.0.0/16", 1),
        ("around that site's prefix", "10.65.0.1/32", "10.65.0.0/16", 1),
        ("silent in an instance", "101 10.1.2.3/32", "101 10.0.0.0/8", 1),
    ];
    for (what, asked, prefix, ttl) in cases {
        let records = answer(&mut with(&registered), asked);
        assert_eq!(show_all(&records), [format!("{prefix} -> ")], "{what}");
        assert_eq!(
            (records[0].action, records[0].ttl_minutes, records[0].authoritative),
            (MapAction::NativelyForward, ttl, false),
            "{what}"
        );
    }
}

#[test]
fn r169_a_map_server_without_sites_says_that_nothing_is_lisp() {
    let mut n = Node::new(map_server(Vec::new()));
    assert_eq!(show_all(&answer(&mut n, "10.1.2.3/32")), ["0.0.0.0/0 -> "]);
}

#[test]
fn r171_the_answer_is_the_best_match_with_the_more_specifics_inside_it() {
    let rloc_ = "198.51.100.21";
    let mut n =
        with(&[("10.0.0.0/8", rloc_, true), ("10.1.0.0/16", rloc_, true), ("10.1.1.0/24", rloc_, true)]);
    let to = |p: &str| format!("{p} -> {rloc_}");
    assert_eq!(show_all(&answer(&mut n, "10.1.1.1/32")), [to("10.1.1.0/24")]);
    assert_eq!(show_all(&answer(&mut n, "10.1.2.1/32")), [to("10.1.0.0/16"), to("10.1.1.0/24")]);
    let mut all = answer(&mut n, "10.9.2.1/32");
    let silent = all.pop().expect("the other site's prefix");
    assert_eq!(show_all(&all), [to("10.0.0.0/8"), to("10.1.0.0/16"), to("10.1.1.0/24")]);
    assert_eq!(show(&silent), "10.64.0.0/16 -> ", "site a does not speak for site b");
    assert_eq!((silent.action, silent.ttl_minutes), (MapAction::NativelyForward, 1));
    assert_eq!(show_all(&answer(&mut n, "10.64.1.1/32")), ["10.64.0.0/16 -> "]);
}

#[test]
fn r171_r206_with_very_many_more_specifics_the_best_match_is_narrowed_instead() {
    let rloc_ = "198.51.100.21";
    let names: Vec<String> = (0..40).map(|i| format!("10.{i}.0.0/16")).collect();
    let mut all: Vec<(&str, &str, bool)> = names.iter().map(|p| (p.as_str(), rloc_, true)).collect();
    all.push(("10.0.0.0/8", rloc_, true));
    let mut n = with(&all);
    assert_eq!(show_all(&answer(&mut n, "10.200.1.1/32")), ["10.128.0.0/9 -> 198.51.100.21"]);
    assert_eq!(show_all(&answer(&mut n, "10.41.1.1/32")), ["10.40.0.0/13 -> 198.51.100.21"]);
    assert_eq!(show_all(&answer(&mut n, "10.65.1.1/32")), ["10.65.0.0/16 -> 198.51.100.21"]);
}

#[test]
fn r143_instances_are_kept_apart_and_named_in_the_answer() {
    let mut n = with(&[("101 10.0.0.0/8", "198.51.100.21", true)]);
    let records = answer(&mut n, "101 10.1.2.3/32");
    assert_eq!(show_all(&records), ["101 10.0.0.0/8 -> 198.51.100.21"]);
    assert_eq!(records[0].mask_len, 8, "TRAP 10");
    assert_eq!(show_all(&answer(&mut n, "10.1.2.3/32"))[0], "10.0.0.0/10 -> ");
}

#[test]
fn r169_after_the_registration_ends_the_answer_is_negative() {
    let mut n = with(&[("10.1.0.0/16", "198.51.100.21", true)]);
    assert_eq!(answer(&mut n, "10.1.2.3/32")[0].locators.len(), 1);
    n.pass(180_000);
    assert_eq!(show_all(&answer(&mut n, "10.1.2.3/32")), ["10.0.0.0/10 -> "]);
}

#[test]
fn several_records_in_one_request_are_each_dealt_with() {
    let mut n = with(&[("10.1.0.0/16", "198.51.100.21", true), ("10.2.0.0/16", "198.51.100.22", false)]);
    let mut asked = request("10.1.0.1/32", &[ITR]);
    asked.records.extend(request("10.2.0.1/32", &[ITR]).records);
    asked.records.extend(request("10.3.0.1/32", &[ITR]).records);
    n.hear("198.51.100.53:4342", &in_ecm(&asked));
    let sent = n.take();
    assert!(matches!(&sent[0].message, Message::Ecm(_)) && sent[0].to == at("198.51.100.22:4342"));
    assert_eq!(show_all(&sent[1].reply().records), ["10.1.0.0/16 -> 198.51.100.21", "10.3.0.0/16 -> "]);
}

#[test]
fn what_a_map_server_does_not_answer() {
    let mut n = with(&[("10.1.0.0/16", "198.51.100.21", true)]);
    // Straight to us, not encapsulated: only ETRs get those.
    n.hear("198.51.100.1:4342", &bytes(Message::MapRequest(request("10.1.2.3/32", &[ITR]))));
    // an SMR is nothing to us, in an ECM or not.
    let smr = MapRequest { smr: true, ..request("10.1.2.3/32", &[ITR]) };
    n.hear("198.51.100.1:4342", &bytes(Message::MapRequest(smr.clone())));
    n.hear("198.51.100.1:4342", &in_ecm(&smr));
    // Map-Replies.
    let reply = {
        ask(&mut n, "10.1.2.3/32");
        n.take_one().payload
    };
    n.hear("198.51.100.1:4342", &reply);
    // martians as ITR-RLOC.
    n.hear("198.51.100.1:4342", &in_ecm(&request("10.1.2.3/32", &["127.0.0.1", "255.255.255.255"])));
    // A name is no IP EID.
    let mut name = request("10.1.2.3/32", &[ITR]);
    name.records[0].eid = Address::Name(Box::from(&b"host"[..]));
    n.hear("198.51.100.1:4342", &in_ecm(&name));
    assert!(n.silent());
    assert_eq!(n.count(Counter::MessagesNotForUs), 4);
    assert_eq!(n.count(Counter::RequestsWithoutItrRloc), 1);
    assert_eq!(n.count(Counter::RequestsUnknownEid), 1);
}

#[test]
fn lisp_sec_data_of_the_itr_is_not_passed_on_to_the_etr() {
    let mut n = with(&[("10.1.0.0/16", "198.51.100.21", false)]);
    let mut ecm = match Message::decode(&in_ecm(&request("10.1.2.3/32", &[ITR]))) {
        Ok(Message::Ecm(ecm)) => ecm,
        other => panic!("{other:?}"),
    };
    let plain = bytes(Message::Ecm(ecm.clone()));
    ecm.ddt = true;
    n.hear("198.51.100.1:4342", &bytes(Message::Ecm(Ecm { ddt: true, ..ecm })));
    let sent = n.take();
    assert!(matches!(sent[0].message, Message::MapReferral(_)), "who asks with the D bit is told");
    assert_eq!((sent.len(), &sent[1].payload), (2, &plain), "the outer header is ours");
}
