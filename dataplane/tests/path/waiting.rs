//! Packets that wait, and what wakes or ends them.

use crate::lab::*;
use crate::packets::*;
use pxtr_dataplane::feed::{Adjacency, Delta, MapAction, RlocOptions, RlocRewrite, RlocState, Route, Target};
use pxtr_dataplane::punt::Punt;
use pxtr_dataplane::types::{AdjacencyId, RlocId, VrfId};
use pxtr_dataplane::verdict::DropReason::*;

const V4: &str = "192.0.2.9";

fn numbered(destination: &str, n: u16) -> Packet {
    udp_ports(V4, destination, n, 2000, &data(10))
}

/// Inner source ports of the LISP packets sent, in order.
fn sent_ports(lab: &mut Lab) -> Vec<u16> {
    let inner = |frame: &Vec<u8>| dissect(frame).lisp().inner;
    lab.sent(CORE).iter().map(|frame| u16::from_be_bytes([inner(frame)[20], inner(frame)[21]])).collect()
}

#[test]
fn a_miss_waits_asks_once_and_leaves_in_order_r002_r073() {
    let mut lab = Lab::new();
    for n in 1..=3 {
        assert_eq!(lab.native(&numbered("10.99.0.1", n)), Fate::Held);
    }
    let miss = Punt::Miss { vrf: VrfId(0), eid: "10.99.0.1".parse().unwrap(), source: V4.parse().unwrap() };
    assert_eq!(lab.punts(), [miss]);
    lab.map(0, "10.99.0.0/16", MapAction::SendMapRequest);
    assert_eq!(lab.snapshot().held, 3, "an entry that only asks again wakes nobody");
    lab.map(0, "10.98.0.0/16", MapAction::Encapsulate(Target::Rloc(RLOC_V4)));
    assert_eq!(lab.snapshot().held, 3, "nor does an entry for something else");
    lab.map(0, "10.99.0.0/24", MapAction::Encapsulate(Target::Rloc(RLOC_V4)));
    assert_eq!(sent_ports(&mut lab), [1, 2, 3]);
    let now = lab.snapshot();
    assert_eq!((now.held, now.tx, now.held_ever, now.received), (0, 3, 3, 3));
    assert_eq!(lab.io().pool().in_use(), 0);
}

/// control hears of new neighbours, hosts and path MTUs while somebody scans the EID space.
#[test]
fn a_flood_of_misses_leaves_room_for_other_news_r161() {
    let mut lab = Lab::new();
    for n in 0..600u32 {
        let address = std::net::Ipv4Addr::from(0x0A63_0000 + n);
        lab.native(&numbered(&address.to_string(), 1));
        // As fast as packets that wait may make room for others.
        lab.advance_ms(4);
    }
    assert_eq!(lab.snapshot().punts_lost, 600 - 512);
    lab.native(&udp(V4, "192.0.2.77", 20));
    let punts = lab.punts();
    assert_eq!(punts.len(), 512 + 1);
    assert!(matches!(punts.last(), Some(Punt::NeighbourMiss { .. })));
}

#[test]
fn control_is_asked_again_each_second_while_packets_come() {
    let mut lab = Lab::new();
    for _ in 0..25 {
        lab.native(&numbered("10.99.0.1", 1));
        lab.advance_ms(100);
    }
    assert_eq!(lab.punts().len(), 3);
}

#[test]
fn an_answer_may_be_negative_or_native() {
    let cases = [
        (MapAction::DropPolicyDenied, MapPolicyDenied),
        (MapAction::NoLocator { unreachable: true }, MapNoLocator),
    ];
    for (action, reason) in cases {
        let mut lab = Lab::new();
        assert_eq!(lab.native(&numbered("10.99.0.1", 1)), Fate::Held);
        lab.map(0, "10.99.0.0/24", action);
        assert_eq!(lab.snapshot().dropped(reason), 1);
        let icmp = lab.sent(NATIVE);
        assert_eq!(dissect(&icmp[0]).destination.to_string(), V4, "the source is told");
    }
    let mut lab = Lab::new();
    let packet = numbered("10.99.0.1", 1);
    assert_eq!(lab.native(&packet), Fate::Held);
    lab.map(0, "10.99.0.0/24", MapAction::NativelyForward);
    let sent = lab.sent(NATIVE);
    assert_eq!((dissect(&sent[0]).to, &sent[0][14..]), (ROUTER_MAC, &packet.hop().ip()[..]));
}

#[test]
fn control_may_give_up() {
    let mut lab = Lab::new();
    assert_eq!(lab.native(&numbered("10.99.0.1", 1)), Fate::Held);
    assert_eq!(lab.native(&numbered("10.99.0.2", 1)), Fate::Held);
    lab.apply(Delta::Abandon { vrf: VrfId(0), eid: "10.99.0.1".parse().unwrap() });
    let now = lab.snapshot();
    assert_eq!((now.dropped(ResolutionFailed), now.held), (1, 1));
}

#[test]
fn waiting_is_bounded_per_key_in_all_and_in_time_r002() {
    let mut lab = Lab::new();
    for n in 1..=6 {
        lab.native(&numbered("10.99.0.1", n));
    }
    assert_eq!((lab.snapshot().held, lab.snapshot().dropped(HoldOverflow)), (4, 2));
    // 16 in all: the oldest of any key makes room.
    for n in 2..=14 {
        lab.native(&numbered(&format!("10.99.0.{n}"), 1));
    }
    assert_eq!((lab.snapshot().held, lab.snapshot().dropped(HoldOverflow)), (16, 3));
    lab.map(0, "10.99.0.1/32", MapAction::Encapsulate(Target::Rloc(RLOC_V4)));
    assert_eq!(sent_ports(&mut lab), [4, 5, 6], "the newest of the first key are still there");
    lab.advance_ms(2999);
    lab.poll();
    assert_eq!(lab.snapshot().held, 13);
    lab.advance_ms(20);
    lab.poll();
    let now = lab.snapshot();
    assert_eq!((now.held, now.dropped(HoldTimeout)), (0, 13));
    assert_eq!(lab.io().pool().in_use(), 0);
}

#[test]
fn padding_does_not_wait() {
    let mut lab = Lab::new();
    let packet = udp(V4, "10.99.0.1", 1);
    let mut frame = packet.frame(OUR_MAC[0], HOST_MAC);
    frame.resize(60, 0xEE);
    assert_eq!(lab.receive(NATIVE, &frame), Fate::Held);
    lab.map(0, "10.99.0.0/24", MapAction::Encapsulate(Target::Rloc(RLOC_V4)));
    assert_eq!(dissect(&lab.sent(CORE)[0]).lisp().inner, packet.hop().ip());
}

#[test]
fn an_rloc_whose_next_hop_is_unknown_keeps_packets_waiting() {
    let mut lab = Lab::new();
    let rloc = RlocId(30);
    lab.map(0, "10.30.0.0/24", MapAction::Encapsulate(Target::Rloc(rloc)));
    lab.apply(Delta::RlocSet(rloc, RlocState::Resolving));
    assert_eq!(lab.native(&numbered("10.30.0.1", 1)), Fate::Held);
    assert_eq!(lab.native(&numbered("10.30.0.2", 2)), Fate::Held);
    assert_eq!(lab.punts(), [Punt::RlocWanted(rloc)]);
    lab.apply(Delta::RlocSet(rloc, RlocState::Resolving));
    assert_eq!(lab.snapshot().held, 2);
    lab.rloc(rloc, "198.51.100.2", "203.0.113.30", 1500);
    assert_eq!(sent_ports(&mut lab), [1, 2]);
    // And down instead of up: the sources are told.
    lab.apply(Delta::RlocSet(rloc, RlocState::Resolving));
    assert_eq!(lab.native(&numbered("10.30.0.1", 1)), Fate::Held);
    lab.apply(Delta::RlocSet(rloc, RlocState::Down));
    assert_eq!(lab.snapshot().dropped(RlocDown), 1);
    assert_eq!(lab.sent(NATIVE).len(), 1);
}

#[test]
fn a_rewrite_that_can_not_be_built_does_not_strand_packets() {
    let mut lab = Lab::new();
    let rloc = RlocId(30);
    lab.map(0, "10.30.0.0/24", MapAction::Encapsulate(Target::Rloc(rloc)));
    lab.apply(Delta::RlocSet(rloc, RlocState::Resolving));
    assert_eq!(lab.native(&numbered("10.30.0.1", 1)), Fate::Held);
    let mixed = RlocRewrite {
        source: "198.51.100.2".parse().unwrap(),
        destination: "2001:db8::1".parse().unwrap(),
        port: CORE,
        source_mac: Default::default(),
        next_hop_mac: Default::default(),
        mtu: 1500,
        options: RlocOptions::default(),
        nonce: None,
    };
    let delta = Delta::RlocSet(rloc, RlocState::Ready(Box::new(mixed)));
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| lab.apply(delta)));
    assert!(result.is_err(), "the lab insists on deltas that apply");
    assert_eq!((lab.snapshot().held, lab.snapshot().dropped(RlocDown)), (0, 1));
}

#[test]
fn neighbours_are_waited_for_with_and_without_an_adjacency() {
    let mut lab = Lab::new();
    let neighbour = "192.0.2.55".parse().unwrap();
    let packet = udp(V4, "192.0.2.55", 5);
    assert_eq!(lab.native(&packet), Fate::Held);
    assert_eq!(lab.punts(), [Punt::NeighbourMiss { port: NATIVE, neighbour }]);
    let adjacency = AdjacencyId(55);
    lab.apply(Delta::AdjacencySet(adjacency, Adjacency::Resolving { port: NATIVE, neighbour }));
    lab.route(0, "192.0.2.55/32", Route::Via(adjacency));
    assert_eq!(lab.snapshot().held, 1, "the route is there, its MAC address is not: it waits on");
    assert_eq!(lab.punts(), [Punt::NeighbourMiss { port: NATIVE, neighbour }]);
    lab.adjacency(adjacency, NATIVE, [2, 0, 0, 0, 0, 0x55]);
    let sent = lab.sent(NATIVE);
    assert_eq!((dissect(&sent[0]).to, &sent[0][14..]), ([2, 0, 0, 0, 0, 0x55], &packet.hop().ip()[..]));
    // It fails: host unreachable.
    lab.apply(Delta::AdjacencySet(adjacency, Adjacency::Resolving { port: NATIVE, neighbour }));
    assert_eq!(lab.native(&packet), Fate::Held);
    lab.apply(Delta::AdjacencySet(adjacency, Adjacency::Failed));
    assert_eq!(lab.snapshot().dropped(HostUnreachable), 1);
    assert_eq!(dissect(&lab.sent(NATIVE)[0]).payload[..2], [3, 1]);
}

#[test]
fn changing_what_it_waits_for_does_not_prolong_a_packets_life_for_ever() {
    let mut lab = Lab::new();
    let rloc = RlocId(30);
    assert_eq!(lab.native(&numbered("10.30.0.1", 1)), Fate::Held);
    lab.advance_ms(2000);
    lab.apply(Delta::RlocSet(rloc, RlocState::Resolving));
    lab.map(0, "10.30.0.0/24", MapAction::Encapsulate(Target::Rloc(rloc)));
    assert_eq!((lab.snapshot().held, lab.snapshot().held_ever), (1, 2));
    lab.advance_ms(1020);
    lab.poll();
    assert_eq!((lab.snapshot().held, lab.snapshot().dropped(HoldTimeout)), (0, 1));
}

#[test]
fn decapsulated_packets_wait_like_others_and_keep_their_vrf() {
    let mut lab = Lab::new();
    lab.route(1, "192.0.2.0/24", Route::Glean(TENANT));
    let inner = udp("10.4.0.7", "192.0.2.66", 5);
    let outer = lisp("203.0.113.4", "198.51.100.2", instance(101), &inner.ip()).ttl(30);
    assert_eq!(lab.core(&outer), Fate::Held);
    let adjacency = AdjacencyId(66);
    lab.adjacency(adjacency, TENANT, TENANT_MAC);
    lab.route(0, "192.0.2.66/32", Route::Via(HOST));
    lab.sent(NATIVE);
    assert_eq!(lab.native(&udp(V4, "10.99.0.1", 1)), Fate::Held);
    lab.route(1, "192.0.2.66/32", Route::Via(adjacency));
    let sent = lab.sent(TENANT);
    assert_eq!(sent.len(), 1, "routed in its VRF, whatever the other VRF says");
    assert_eq!(sent[0][14..], inner.ttl(29).ip());
}

#[test]
fn a_full_punt_ring_loses_hints_not_packets() {
    let mut lab = Lab::with(|config| config.hold.packets = 2000);
    for n in 0..1100u32 {
        let eid = std::net::Ipv4Addr::from_bits(0x0a63_0000 + n);
        lab.io().inject(NATIVE, &udp(V4, &eid.to_string(), 1).frame(OUR_MAC[0], HOST_MAC));
        if n % 32 == 31 {
            lab.poll();
        }
        if n == 500 {
            // The pool of the lab is smaller than the hold table.
            lab.map(0, "10.99.0.0/16", MapAction::DropNoReason);
            lab.map(0, "10.99.0.0/16", MapAction::SendMapRequest);
        }
    }
    lab.poll();
    let now = lab.snapshot();
    assert_eq!(now.punts + now.punts_lost, now.held_ever);
}
