//! Map-Resolver, and the order of roles in one daemon.

use crate::messages::*;
use crate::node::*;
use pxtr_control::codec::{MapAction, MapRequest, Message};
use pxtr_control::engine::Counter;
use pxtr_control::engine::config::{EngineConfig, Roles};

fn resolver(forward_to: &[&str]) -> EngineConfig {
    EngineConfig {
        roles: Roles { map_resolver: true, ..Roles::default() },
        map_resolver_forward_to: forward_to.iter().map(|a| ip(a)).collect(),
        ..blank()
    }
}

#[test]
fn r181_a_request_is_passed_on_in_a_new_ecm_with_its_inner_packet_untouched() {
    let mut n = Node::new(resolver(&["192.0.2.53"]));
    let asked = in_ecm(&request("10.4.0.9/32", &["198.51.100.1"]));
    n.hear("198.51.100.1:61000", &asked);
    let sent = n.take_one();
    assert_eq!((sent.to, sent.source), (at("192.0.2.53:4342"), Some(ip(US))));
    assert_eq!(sent.payload, asked, "ITR-RLOCs, inner addresses and ports are kept");
}

#[test]
fn r181_requests_spread_over_the_map_servers_by_nonce() {
    let mut n = Node::new(resolver(&["192.0.2.53", "192.0.2.54", "2001:db8::53"]));
    for nonce in 0..3 {
        let asked = MapRequest { nonce, ..request("10.4.0.9/32", &["198.51.100.1"]) };
        n.hear("198.51.100.1:4342", &in_ecm(&asked));
    }
    let to: Vec<String> = n.take().iter().map(|s| s.to.ip().to_string()).collect();
    assert_eq!(to, ["192.0.2.53", "192.0.2.54", "2001:db8::53"]);
}

#[test]
fn r181_with_nobody_to_ask_the_answer_is_negative_and_short_lived() {
    let mut n = Node::new(resolver(&[]));
    n.hear("198.51.100.1:4342", &in_ecm(&request("101 10.4.0.9/32", &["198.51.100.1"])));
    let sent = n.take_one();
    let record = &sent.reply().records[0];
    assert_eq!(show(record), "101 10.4.0.9/32 -> ", "R-143: the instance stays with it");
    assert_eq!((record.action, record.ttl_minutes), (MapAction::NativelyForward, 1));
    assert!(!record.authoritative);
}

#[test]
fn r182_resolvers_that_share_an_anycast_address_need_not_know_of_each_other() {
    // The route to their address changes between the first try of an ITR and the next.
    let (mut here, mut there) = (Node::new(resolver(&["192.0.2.53"])), Node::new(resolver(&["192.0.2.53"])));
    for (nonce, n) in [(1, &mut here), (2, &mut there)] {
        let asked = in_ecm(&MapRequest { nonce, ..request("10.4.0.9/32", &["198.51.100.1"]) });
        n.hear("198.51.100.1:4342", &asked);
        let sent = n.take_one();
        assert_eq!((sent.to, sent.payload), (at("192.0.2.53:4342"), asked), "the answer goes to the ITR");
        n.pass(600_000);
        assert!(n.silent(), "nothing is kept that the other one would lack");
    }
}

#[test]
fn r206_two_resolvers_that_ask_each_other_make_no_storm() {
    let mut a = Node::new(resolver(&["203.0.113.11"]));
    let mut b = Node::new(resolver(&["203.0.113.12"]));
    let mut passes = 0;
    let mut message = Some(in_ecm(&request("10.4.0.9/32", &["198.51.100.1"])));
    while let Some(m) = message.take() {
        a.hear("203.0.113.11:4342", &m);
        let Some(sent) = a.take().pop() else { break };
        b.hear("203.0.113.12:4342", &sent.payload);
        message = b.take().pop().map(|s| s.payload);
        passes += 1;
        assert!(passes < 10, "it goes round for ever");
    }
    assert_eq!(a.count(Counter::AnswersRepeated) + b.count(Counter::AnswersRepeated), 1);
}

#[test]
fn r206_senders_have_a_rate() {
    let mut config = resolver(&["192.0.2.53"]);
    config.limits.map_requests_received_per_source_per_second = 20;
    let mut n = Node::new(config);
    for nonce in 0..100 {
        let asked = MapRequest { nonce, ..request("10.4.0.9/32", &["198.51.100.1"]) };
        n.hear("198.51.100.1:4342", &in_ecm(&asked));
    }
    assert_eq!(n.take().len(), 20);
}

#[test]
fn a_map_server_in_the_same_daemon_goes_first_and_leaves_the_rest() {
    let mut config = map_server(vec![site("a", "k", &["10.4.0.0/24"])]);
    config.roles.map_resolver = true;
    let mut alone = Node::new(config.clone());
    alone.hear("198.51.100.1:4342", &in_ecm(&request("11.0.0.1/32", &["198.51.100.1"])));
    assert_eq!(show(&alone.take_one().reply().records[0]), "11.0.0.0/8 -> ", "nobody else knows better");
    config.map_resolver_forward_to = vec![ip("192.0.2.53")];
    let mut n = Node::new(config);
    n.hear("198.51.100.1:4342", &in_ecm(&request("11.0.0.1/32", &["198.51.100.1"])));
    assert!(matches!(n.take_one().message, Message::Ecm(_)));
    n.hear("198.51.100.1:4342", &in_ecm(&request("10.4.0.1/32", &["198.51.100.1"])));
    assert_eq!(show(&n.take_one().reply().records[0]), "10.4.0.0/24 -> ");
}

#[test]
fn an_etr_in_the_same_daemon_answers_for_its_own_eids_itself() {
    let mut config = xtr(&["10.4.0.0/24"]);
    config.roles.map_server = true;
    config.roles.map_resolver = true;
    config.sites = vec![site("own", "site-key", &["10.4.0.0/24"])];
    let mut n = Node::new(config);
    n.hear("198.51.100.1:4342", &in_ecm(&request("10.4.0.1/32", &["198.51.100.1"])));
    let sent = n.take_one();
    assert!(sent.reply().records[0].authoritative);
}
