//! Receiving Solicit-Map-Requests, TRAP 16, peers.md 5.

use crate::world::*;
use pxtr_control::codec::{Address, MapAction};
use pxtr_control::engine::Counter;
use pxtr_control::engine::event::Forwarding;

const A: (&str, u8, u8) = ("198.51.100.1", 1, 50);
const B: (&str, u8, u8) = ("198.51.100.2", 1, 50);

fn cached() -> World {
    let mut w = World::new(pitr());
    w.learn("10.1.2.3", vec![record("10.1.2.0/24", 1440, &[A])]);
    // that lookup must be a second ago.
    w.pass(2_000);
    w
}

#[test]
fn r101_an_smr_makes_us_ask_the_mapping_system_for_the_host_and_changes_nothing_itself() {
    let mut w = cached();
    w.receive_from("198.51.100.9", &smr(Address::Ip(ip("10.1.2.3")), "203.0.113.9/32"));
    let r = w.request();
    assert!(r.message.smr_invoked && !r.message.smr && r.ecm.is_some());
    assert_eq!((r.to.ip(), r.prefix()), (ip(MR1), eid("10.1.2.3/32")), "never to the SMR's source");
    assert_ne!(r.message.nonce, 0, "R-103: a nonce of our own");
    assert_eq!(w.take(), [], "R-103: the cached mapping stays in use");
    w.reply(r.message.nonce, vec![record("10.1.2.3/32", 1440, &[B])]);
    assert_eq!(w.take(), [install("10.1.2.3/32", &[B])], "R-192: the host that moved wins at once");
}

#[test]
fn trap_16_which_eid_of_an_smr_counts() {
    // (sentence, source EID, record, asked for)
    let cases = [
        ("the source EID, when cached", "10.1.2.9", "10.1.2.0/24", Some("10.1.2.9/32")),
        ("OOR to a PITR: the changed prefix in both", "10.1.2.0", "10.1.2.0/24", Some("10.1.2.0/32")),
        ("else the record's EID-prefix", "172.20.0.1", "10.1.2.0/24", Some("10.1.2.0/24")),
        ("the cached prefix inside the record's", "172.20.0.1", "10.1.0.0/16", Some("10.1.2.0/24")),
        ("R-102: neither is cached", "10.7.7.7", "10.8.8.8/32", None),
        ("OOR to its PETR: the default prefix, nothing cached of ours", "172.20.0.1", "::/0", None),
    ];
    for (what, source, record, expected) in cases {
        let mut w = cached();
        w.receive_from("198.51.100.9", &smr(Address::Ip(ip(source)), record));
        let asked: Vec<_> = w.requests().iter().map(Request::prefix).collect();
        assert_eq!(asked, expected.map(eid).into_iter().collect::<Vec<_>>(), "{what}");
        assert_eq!(w.count(Counter::SmrsWithoutEntry), u64::from(expected.is_none()), "{what}");
    }
}

#[test]
fn r101_at_most_one_smr_invoked_request_in_3_s_for_an_eid_and_a_late_smr_is_not_forgotten() {
    let mut w = cached();
    let message = smr(Address::Ip(ip("10.1.2.3")), "10.1.2.0/24");
    w.receive_from(A.0, &message);
    let first = w.request();
    w.reply(first.message.nonce, vec![record("10.1.2.0/24", 1440, &[B])]);
    for _ in 0..20 {
        w.receive_from(A.0, &message);
        w.pass(100);
    }
    assert!(w.requests().is_empty(), "within 3 s");
    w.pass(2_000);
    let second = w.request();
    assert!(second.at.since(first.at) >= 3_000);
    assert!(w.count(Counter::SmrsLimited) > 0);
    w.receive_from(A.0, &smr(Address::Ip(ip("10.1.2.4")), "10.1.2.0/24"));
    assert_eq!(w.request().prefix(), eid("10.1.2.4/32"), "another host of the prefix is not held up");
}

#[test]
fn r105_an_unanswered_smr_invoked_request_is_tried_3_times_and_the_entry_stays() {
    let mut w = cached();
    w.receive_from(A.0, &smr(Address::Ip(ip("10.1.2.3")), "10.1.2.0/24"));
    w.pass(120_000);
    assert_eq!(w.requests().len(), 3);
    assert_eq!(w.take(), []);
    assert!(w.prefixes().contains(&"10.1.2.0/24".to_owned()));
}

#[test]
fn r104_a_flood_of_smrs_is_bounded() {
    let mut w = World::new(pitr());
    w.learn("10.1.2.3", vec![record("10.0.0.0/9", 1440, &[A])]);
    for i in 0..5_000u32 {
        let host = std::net::Ipv4Addr::from_bits(0x0a00_0000 + i);
        w.receive_from("203.0.113.6", &smr(Address::Ip(host.into()), "10.0.0.0/9"));
    }
    assert!(w.requests().len() <= 500);
    assert!(w.count(Counter::SmrsLimited) >= 4_500);
}

#[test]
fn r101_a_negative_entry_is_asked_for_again_too() {
    let mut w = World::new(pitr());
    w.learn("10.1.2.3", vec![negative("10.1.2.0/24", 15, MapAction::NativelyForward)]);
    w.pass(2_000);
    w.receive_from(A.0, &smr(Address::Ip(ip("10.1.2.3")), "10.1.2.0/24"));
    let r = w.request();
    w.reply(r.message.nonce, vec![negative("10.1.2.0/24", 15, MapAction::DropNoReason)]);
    assert_eq!(w.take(), [install_act("10.1.2.0/24", Forwarding::DropNoReason)]);
}

#[test]
fn r101_an_smr_while_we_ask_already_makes_us_ask_once_more() {
    let mut w = World::new(pitr());
    w.learn("10.1.2.3", vec![record("10.1.2.0/24", 1, &[A])]);
    w.pass(55_000);
    let refresh = w.request();
    assert_eq!(refresh.prefix(), eid("10.1.2.0/24"));
    // The site changes before the refresh is answered; the answer is of before the change.
    w.receive_from(A.0, &smr(Address::None, "10.1.2.0/24"));
    w.reply(refresh.message.nonce, vec![record("10.1.2.0/24", 1440, &[A])]);
    w.pass(500);
    let again = w.request();
    assert_eq!((again.prefix(), again.message.smr_invoked), (eid("10.1.2.0/24"), true));
    w.reply(again.message.nonce, vec![record("10.1.2.0/24", 1440, &[B])]);
    assert_eq!(w.take(), [install("10.1.2.0/24", &[B])]);
}
