//! Unsolicited Map-Notifies of a Map-Server.

use crate::messages::*;
use crate::node::*;
use pxtr_control::codec::{MapNotify, MapRegister, Message};
use pxtr_control::engine::Counter;
use pxtr_control::engine::config::AuthAlgorithm;

const OLD: &str = "198.51.100.21:61000";
const NEW: &str = "198.51.100.22:4342";

/// A host that moved from the ETR at [`OLD`] to the one at [`NEW`].
fn moved() -> Node {
    let mut n = Node::new(map_server(vec![site("a", "key-a", &["10.1.0.0/16+"])]));
    let host = |rloc_| vec![record("10.1.0.9/32", &[rloc(rloc_, 1)])];
    n.hear(OLD, &signed_register(&register(1, host("198.51.100.21")), "key-a"));
    n.take();
    n.hear(NEW, &signed_register(&register(1, host("198.51.100.22")), "key-a"));
    n
}

fn ack(nonce: u64, key: &str) -> Vec<u8> {
    let ack = MapNotify { nonce, auth: unsigned(AuthAlgorithm::HmacSha256), records: Vec::new(), xtr: None };
    signed(Message::MapNotifyAck(ack), key)
}

#[test]
fn r187_the_former_registrant_is_told_of_the_new_mapping() {
    let sent = moved().take();
    let to: Vec<String> = sent.iter().map(|s| s.to.to_string()).collect();
    assert_eq!(to, ["198.51.100.21:4342", NEW], "to port 4342 of the old one; the new one gets its answer");
    assert!(is_signed(&sent[0].payload, "key-a"));
    assert_eq!(show_all(&sent[0].notify().records), ["10.1.0.9/32 -> 198.51.100.22"]);
    assert_ne!(sent[0].notify().nonce, sent[1].notify().nonce);
}

#[test]
fn r167_it_is_sent_again_at_3_3_3_6_12_24_seconds_and_then_given_up() {
    let mut n = moved();
    n.pass(170_000);
    let sent: Vec<_> = n.take().into_iter().filter(|s| s.to == at("198.51.100.21:4342")).collect();
    let gaps: Vec<u64> = sent.windows(2).map(|p| p[1].at.since(p[0].at)).collect();
    assert_eq!(gaps, [3000, 3000, 3000, 6000, 12_000, 24_000]);
    assert!(sent.iter().all(|s| s.payload == sent[0].payload), "the very same message");
    assert_eq!((n.count(Counter::NotifiesRetransmitted), n.count(Counter::NotifiesUnanswered)), (6, 1));
}

#[test]
fn r167_only_an_acknowledgement_with_its_nonce_and_a_good_mac_stops_it() {
    let mut n = moved();
    let nonce = n.take()[0].notify().nonce;
    n.hear(OLD, &ack(nonce, "guess"));
    n.hear(OLD, &ack(nonce ^ 1, "key-a"));
    n.hear("198.51.100.66:4342", &ack(nonce, "key-a"));
    assert_eq!(n.count(Counter::NotifyAcksUnexpected), 3);
    n.pass(3000);
    assert_eq!(n.take().len(), 1, "still being sent");
    n.hear(OLD, &ack(nonce, "key-a"));
    n.pass(100_000);
    assert!(n.silent());
    assert_eq!(n.count(Counter::NotifyAcksReceived), 1);
}

#[test]
fn r167_a_newer_change_takes_the_place_of_an_unacknowledged_one() {
    let mut n = moved();
    n.take();
    let third = vec![record("10.1.0.9/32", &[rloc("198.51.100.23", 1)])];
    n.hear(NEW, &signed_register(&register(2, third.clone()), "key-a"));
    n.take();
    // OLD comes back: NEW is told; what OLD was told is not repeated beside it.
    n.hear(
        OLD,
        &signed_register(&register(2, vec![record("10.1.0.9/32", &[rloc("198.51.100.21", 1)])]), "key-a"),
    );
    n.hear(NEW, &signed_register(&register(3, third), "key-a"));
    n.take();
    n.pass(3000);
    let to_old: Vec<_> = n.take().into_iter().filter(|s| s.to == at("198.51.100.21:4342")).collect();
    assert_eq!(to_old.len(), 1);
    assert_eq!(show_all(&to_old[0].notify().records), ["10.1.0.9/32 -> 198.51.100.23"]);
}

#[test]
fn r167_nobody_is_told_of_what_did_not_change_or_did_not_ask() {
    // (sentence, M of the first, locators of the second, notified)
    let cases = [
        ("another locator-set", true, "198.51.100.22", 1),
        ("the same locator-set from another ETR", true, "198.51.100.21", 0),
        ("the first did not ask for Map-Notifies", false, "198.51.100.22", 0),
    ];
    for (what, want_map_notify, second, notified) in cases {
        let mut n = Node::new(map_server(vec![site("a", "key-a", &["10.1.0.0/16+"])]));
        let host = |rloc_| vec![record("10.1.0.9/32", &[rloc(rloc_, 1)])];
        let first = MapRegister { want_map_notify, ..register(1, host("198.51.100.21")) };
        n.hear(OLD, &signed_register(&first, "key-a"));
        n.take();
        n.hear(NEW, &signed_register(&register(1, host(second)), "key-a"));
        let unsolicited = n.take().into_iter().filter(|s| s.to == at("198.51.100.21:4342")).count();
        assert_eq!(unsolicited, notified, "{what}");
    }
}

#[test]
fn r168_the_others_of_a_merged_set_are_told_when_one_joins_or_leaves() {
    let mut n = Node::new(map_server(vec![site("a", "key-a", &["10.1.0.0/16+"])]));
    let m = |id, rloc_| MapRegister {
        merge: true,
        xtr: xtr_id(id),
        ..register(1, vec![record("10.1.0.0/16", &[rloc(rloc_, 1)])])
    };
    n.hear(OLD, &signed_register(&m(1, "198.51.100.21"), "key-a"));
    n.pass(90_000);
    n.take();
    n.hear(NEW, &signed_register(&m(2, "198.51.100.22"), "key-a"));
    let told = n.take().into_iter().find(|s| s.to == at("198.51.100.21:4342")).expect("the first is told");
    assert_eq!(show_all(&told.notify().records), ["10.1.0.0/16 -> 198.51.100.21 198.51.100.22"]);
    n.hear(OLD, &ack(told.notify().nonce, "key-a"));
    n.pass(90_000);
    let told = n.take().pop().expect("the second is told when the first expires");
    assert_eq!((told.to, show(&told.notify().records[0])), (at(NEW), "10.1.0.0/16 -> 198.51.100.22".into()));
}

#[test]
fn unacknowledged_notifies_are_bounded() {
    let mut config = map_server(vec![site("a", "key-a", &["10.0.0.0/8+"])]);
    config.sites[0].max_prefixes = 1_000_000;
    let mut n = Node::new(config);
    let all = |rloc_: &str, base: u32| -> Vec<_> {
        (0..60)
            .map(|i| record(&format!("10.{}.{}.{}/32", base >> 8, base & 255, i), &[rloc(rloc_, 1)]))
            .collect()
    };
    for base in 0..200u32 {
        let nonce = u64::from(base) + 1;
        n.hear(OLD, &signed_register(&register(nonce, all("198.51.100.21", base)), "key-a"));
        n.hear(NEW, &signed_register(&register(nonce, all("198.51.100.22", base)), "key-a"));
    }
    assert_eq!(n.count(Counter::NotifiesOverLimit), 2_000);
}
