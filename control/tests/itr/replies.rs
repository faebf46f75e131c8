//! Believing Map-Replies.

use crate::world::*;
use pxtr_control::codec::{Address, Lcaf, LocatorRecord, MapAction, MapReply, Message};
use pxtr_control::engine::Counter;
use pxtr_control::engine::event::{Event, Forwarding};

const A: (&str, u8, u8) = ("198.51.100.1", 1, 50);
const B: (&str, u8, u8) = ("198.51.100.2", 1, 50);

#[test]
fn r062_a_reply_installs_its_mapping_and_its_nonce_is_good_once() {
    let mut w = World::new(pitr());
    w.miss("10.1.2.3");
    let nonce = w.request().message.nonce;
    w.reply(nonce.wrapping_add(1), vec![record("10.1.2.0/24", 1440, &[A])]);
    assert_eq!((w.take(), w.count(Counter::MapRepliesUnsolicited)), (vec![], 1), "somebody else's nonce");
    w.reply(nonce, vec![record("10.1.2.0/24", 1440, &[A, B])]);
    assert_eq!(w.take(), [install("10.1.2.0/24", &[A, B])]);
    w.reply(nonce, vec![record("10.1.2.0/24", 1440, &[B])]);
    assert_eq!((w.take(), w.count(Counter::MapRepliesUnsolicited)), (vec![], 2), "a second time");
    w.pass(10_000);
    assert!(w.requests().is_empty(), "nothing is asked any more");
}

#[test]
fn r058_the_reply_to_an_earlier_transmission_counts_and_after_30_s_none_does() {
    let mut w = World::new(pitr());
    w.miss("10.1.2.3");
    w.pass(1500);
    let requests = w.requests();
    assert_eq!(requests.len(), 2);
    w.reply(requests[0].message.nonce, vec![record("10.1.2.0/24", 1440, &[A])]);
    assert_eq!(w.take(), [install("10.1.2.0/24", &[A])]);
    w.reply(requests[1].message.nonce, vec![record("10.1.2.0/24", 1440, &[B])]);
    assert_eq!(w.take(), [], "the lookup is over, its other nonces are void");

    let mut w = World::new(pitr());
    w.miss("10.1.2.3");
    let first = w.request().message.nonce;
    for _ in 0..31 {
        w.pass(1000);
        w.miss("10.1.2.3");
    }
    w.reply(first, vec![record("10.1.2.0/24", 1440, &[A])]);
    assert_eq!(w.take(), []);
}

#[test]
fn r062_to_r070_what_of_a_reply_to_10_1_2_3_is_installed() {
    let unknown = || {
        let body: Box<[u8]> = Box::new([1, 2, 3]);
        let lcaf = Lcaf::Unknown { lcaf_type: 99, rsvd2: 0, body };
        LocatorRecord { address: Address::Lcaf(Box::new(lcaf)), ..LocatorRecord::new(ip("192.0.2.9"), 1, 1) }
    };
    let mut strange = record("10.1.2.0/24", 60, &[]);
    strange.locators = vec![unknown()];
    strange.action = MapAction::DropPolicyDenied;
    let mut mixed = record("10.1.2.0/24", 60, &[A]);
    mixed.locators.push(unknown());
    let mut unreachable = record("10.1.2.0/24", 60, &[A, B]);
    unreachable.locators[0].reachable = false;
    let act = |prefix, forwarding| vec![install_act(prefix, forwarding)];
    let cases = vec![
        (
            "R-069: a record that covers the EID is installed, one about something else is not",
            vec![record("10.9.0.0/16", 60, &[B]), record("10.1.0.0/16", 60, &[A])],
            vec![install("10.1.0.0/16", &[A])],
        ),
        (
            "R-066, R-045: more-specifics of the covering record come with it, and are told first",
            vec![record("10.1.0.0/16", 60, &[A]), record("10.1.7.0/24", 60, &[B])],
            vec![install("10.1.7.0/24", &[B]), install("10.1.0.0/16", &[A])],
        ),
        (
            "wire.md 16: of two records for one prefix the last wins",
            vec![record("10.1.0.0/16", 60, &[A]), record("10.1.0.0/16", 60, &[B])],
            vec![install("10.1.0.0/16", &[B])],
        ),
        (
            "R-069: a mapping wider than our EID space is cut down to it",
            vec![record("8.0.0.0/6", 60, &[A])],
            vec![install("10.0.0.0/8", &[A])],
        ),
        ("R-069: a default mapping is an over-claim", vec![record("0.0.0.0/0", 60, &[A])], vec![]),
        (
            "R-068: Natively-Forward",
            vec![negative("10.1.2.0/24", 15, MapAction::NativelyForward)],
            act("10.1.2.0/24", Forwarding::NativelyForward),
        ),
        (
            "R-068: No-Action",
            vec![negative("10.1.2.0/24", 15, MapAction::NoAction)],
            act("10.1.2.0/24", Forwarding::NoAction),
        ),
        (
            "R-068: Drop/No-Reason",
            vec![negative("10.1.2.0/24", 15, MapAction::DropNoReason)],
            act("10.1.2.0/24", Forwarding::DropNoReason),
        ),
        (
            "R-018, R-068: Drop/Policy-Denied",
            vec![negative("10.1.2.0/24", 15, MapAction::DropPolicyDenied)],
            act("10.1.2.0/24", Forwarding::DropPolicyDenied),
        ),
        (
            "R-068: Drop/Auth-Failure",
            vec![negative("10.1.2.0/24", 15, MapAction::DropAuthFailure)],
            act("10.1.2.0/24", Forwarding::DropAuthFailure),
        ),
        (
            "R-068: Send-Map-Request is installed, and the packets that wait are let go",
            vec![negative("10.1.2.0/24", 15, MapAction::SendMapRequest)],
            vec![install_act("10.1.2.0/24", Forwarding::SendMapRequest), abandon("10.1.2.3")],
        ),
        (
            "peers.md 4: a negative prefix that misses the EID counts for the EID alone",
            vec![negative("11.64.0.0/10", 15, MapAction::NativelyForward)],
            act("10.1.2.3/32", Forwarding::NativelyForward),
        ),
        ("R-065: TTL 0 installs nothing", vec![record("10.1.2.0/24", 0, &[A])], vec![abandon("10.1.2.3")]),
        (
            "R-070: no locator of a known kind is as no locator at all",
            vec![strange],
            act("10.1.2.0/24", Forwarding::DropPolicyDenied),
        ),
        ("R-070: an unknown locator is left out", vec![mixed], vec![install("10.1.2.0/24", &[A])]),
        (
            "R-204: what we write the ports of a NAT into is no address for others to give",
            vec![record("10.1.2.0/24", 60, &[A, ("100::cb00:7107:9c41:10f6", 1, 50)])],
            vec![install("10.1.2.0/24", &[A])],
        ),
        ("wire.md 5.2: R=0 is never used", vec![unreachable], vec![install("10.1.2.0/24", &[B])]),
        (
            "R-078: priority 255 is never used",
            vec![record("10.1.2.0/24", 60, &[("198.51.100.1", 255, 1)])],
            vec![install("10.1.2.0/24", &[])],
        ),
        (
            "wire.md 5.2, R-008: not our own RLOC, not loopback, not inside an EID-prefix",
            vec![record("10.1.2.0/24", 60, &[(OUR_V4, 1, 1), ("127.0.0.1", 1, 1), ("10.7.7.7", 1, 1), B])],
            vec![install("10.1.2.0/24", &[B])],
        ),
    ];
    for (what, records, expected) in cases {
        let mut w = World::new(pitr());
        assert_eq!(w.learn("10.1.2.3", records), expected, "{what}");
    }
}

#[test]
fn r069_a_reply_that_holds_nothing_for_us_does_not_end_the_lookup() {
    let mut w = World::new(pitr());
    assert_eq!(w.learn("10.1.2.3", vec![record("10.9.0.0/16", 60, &[A])]), []);
    w.pass(1200);
    let again = w.request();
    assert_eq!(again.prefix(), eid("10.1.2.3/32"));
    w.reply(again.message.nonce, vec![record("10.1.2.0/24", 60, &[A])]);
    assert_eq!(w.take(), [install("10.1.2.0/24", &[A])]);
}

#[test]
fn r063_a_probe_reply_does_not_answer_a_lookup_and_leaves_its_nonce_alone() {
    let mut w = World::new(pitr());
    w.miss("10.1.2.3");
    let nonce = w.request().message.nonce;
    let records = vec![record("10.1.2.0/24", 60, &[A])];
    let reply = MapReply { probe: true, echo_nonce: false, nonce, records: records.clone(), security: None };
    w.receive(&Message::MapReply(reply));
    assert_eq!((w.take(), w.count(Counter::MapRepliesWrongKind)), (vec![], 1));
    w.reply(nonce, records);
    assert_eq!(w.take(), [install("10.1.2.0/24", &[A])]);
}

#[test]
fn r064_the_reply_may_come_from_anywhere() {
    let mut w = World::new(pitr());
    w.miss("10.1.2.3");
    let nonce = w.request().message.nonce;
    let records = vec![record("10.1.2.0/24", 60, &[A])];
    let reply = MapReply { probe: false, echo_nonce: false, nonce, records, security: None };
    w.receive_from("203.0.113.200", &Message::MapReply(reply));
    assert_eq!(w.take(), [install("10.1.2.0/24", &[A])]);
}

#[test]
fn r066_a_less_specific_answer_replaces_what_was_asked_about_and_nothing_else() {
    let mut w = World::new(pitr());
    w.learn("10.1.2.3", vec![record("10.1.2.3/32", 10, &[A])]);
    w.learn("10.1.2.9", vec![record("10.1.2.9/32", 10, &[B])]);
    // Refresh of the first host at 90 % of its TTL, answered by the whole site.
    w.used(&["10.1.2.3/32", "10.1.2.9/32"]);
    w.pass(539_000);
    w.used(&["10.1.2.3/32"]);
    w.pass(2_000);
    let r = w.requests().into_iter().find(|r| r.prefix() == eid("10.1.2.3/32")).expect("refreshed");
    w.take();
    w.reply(r.message.nonce, vec![record("10.1.2.0/24", 60, &[A])]);
    assert_eq!(
        w.take(),
        [install("10.1.2.0/24", &[A]), withdraw("10.1.2.3/32")],
        "R-073: first the new one, then the old one goes"
    );
    assert!(w.prefixes().contains(&"10.1.2.9/32".to_owned()), "a host that roamed stays");
}

#[test]
fn r067_when_a_more_specific_ends_its_packets_do_not_fall_to_the_covering_mapping() {
    let mut w = World::new(pitr());
    w.learn("10.1.2.3", vec![record("10.1.2.0/24", 60, &[A]), record("10.1.2.3/32", 2, &[B])]);
    w.pass(120_000);
    assert_eq!(w.take(), [install_act("10.1.2.3/32", Forwarding::SendMapRequest)], "it asks again");
    w.miss("10.1.2.3");
    assert_eq!(w.request().prefix(), eid("10.1.2.3/32"));
    w.pass(3_600_000);
    assert_eq!(w.prefixes(), ["10.0.0.0/8", "2001:db8:e000::/36"], "and goes with the covering one");
}

#[test]
fn r071_the_same_mapping_again_tells_the_data_plane_nothing() {
    let mut w = World::new(pitr());
    w.learn("10.1.2.3", vec![record("10.1.2.0/24", 1, &[A, B])]);
    w.pass(53_000);
    w.used(&["10.1.2.0/24"]);
    w.pass(2_000);
    let nonce = w.request().message.nonce;
    w.reply(nonce, vec![record("10.1.2.0/24", 1, &[A, B])]);
    assert_eq!(w.take(), []);
    let view = w.engine.map_cache_lookup(pxtr_control::engine::event::Iid(0), ip("10.1.2.3"));
    assert!(view.is_some_and(|v| v.uptime_s >= 54 && v.ttl_remaining_s >= Some(59)));
}

#[test]
fn r062_malformed_datagrams_are_counted_and_change_nothing() {
    let mut w = World::new(pitr());
    w.miss("10.1.2.3");
    let nonce = w.request().message.nonce;
    let records = vec![record("10.1.2.0/24", 60, &[A])];
    let reply = MapReply { probe: false, echo_nonce: false, nonce, records, security: None };
    let bytes = Message::MapReply(reply).to_bytes().expect("encodes");
    for len in 0..bytes.len() {
        let (from, to) = ("192.0.2.53:4342".parse().expect("addr"), "192.0.2.1:4342".parse().expect("addr"));
        w.step(Event::Datagram { from, to, payload: bytes[..len].to_vec() });
    }
    assert_eq!(w.count(Counter::DecodeErrors), bytes.len() as u64);
    assert_eq!(w.take(), []);
}

#[test]
fn r172_a_map_server_discards_map_replies() {
    let mut config = pitr();
    config.roles = pxtr_control::engine::config::Roles { map_server: true, ..Default::default() };
    let mut w = World::new(config);
    w.reply(7, vec![record("10.1.2.0/24", 60, &[A])]);
    assert_eq!((w.take(), w.count(Counter::MessagesNotForUs)), (vec![], 1));
}
