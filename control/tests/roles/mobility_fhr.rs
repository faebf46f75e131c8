//! Hosts behind a First-Hop Router: all control planes of lab `mobility-fhr` in one process. `x2`
//! is the xTR of the site, `f2` the router inside it that finds the hosts.

use crate::labs::Lab;
use crate::node::*;
use pxtr_control::codec::{Address, AuthData, EidRecord, MapAction, MapRegister, Message, auth};
use pxtr_control::engine::Counter;
use pxtr_control::engine::event::{EidPrefix, Event, HostSeen, Place};
use pxtr_control::roles::etr::Found;
use pxtr_dataplane::punt::Seen;
use pxtr_dataplane::types::{MacAddr, PortId};

const VM: &str = "10.1.0.10";
const ROUTER: &str = "10.2.0.2";
const RLOC1: &str = "198.51.100.6";
const RLOC2: &str = "198.51.100.10";

fn vm() -> EidPrefix {
    eid("10.1.0.10/32")
}

fn speaks(lab: &mut Lab, at: &str, claim: bool) {
    let mac = MacAddr([2, 0, 0, 0, 0, 7]);
    let seen = HostSeen { eid: vm(), port: PortId(0), mac, seen: Seen::Data, claim };
    lab.node(at).step(Event::HostSeen(seen));
    lab.settle();
}

fn registered(lab: &mut Lab) -> Vec<String> {
    let rows = lab.node("ms").engine.registrations().filter(|r| r.eid == vm());
    rows.flat_map(|r| r.locators.iter().filter_map(|l| l.rloc).map(|l| l.to_string()).collect::<Vec<_>>())
        .collect()
}

fn place(lab: &mut Lab, at: &str) -> Option<Place> {
    lab.node(at).hosts.last().map(|(_, place)| *place)
}

fn found(lab: &mut Lab, at: &str) -> Vec<Found> {
    let engine = &lab.node(at).engine;
    engine
        .roles()
        .etr()
        .into_iter()
        .flat_map(|etr| etr.dynamic_eids(engine.config()))
        .map(|v| v.found)
        .collect()
}

fn behind() -> Place {
    Place::Behind { router: ip(ROUTER) }
}

/// The VM is at site 2, behind f2.
fn moved_in() -> Lab {
    let mut lab = Lab::new("mobility-fhr");
    speaks(&mut lab, "f2", false);
    assert_eq!((registered(&mut lab), place(&mut lab, "x2")), (vec![RLOC2.to_owned()], Some(behind())));
    lab
}

/// A Map-Register as f2 sends it, with another key or nonce.
fn register(eid: EidPrefix, ttl_minutes: u32, nonce: u64, key: &str, eid_notify: bool) -> Vec<u8> {
    let record = EidRecord {
        ttl_minutes,
        mask_len: eid.prefix.prefix_len(),
        action: MapAction::NoAction,
        authoritative: true,
        map_version: 0,
        eid: Address::from_eid(eid.iid, eid.prefix.network()),
        locators: Vec::new(),
    };
    let message = MapRegister {
        proxy_reply: false,
        lisp_sec: false,
        eid_notify,
        use_ttl: false,
        merge: false,
        want_map_notify: true,
        nonce,
        auth: AuthData::unsigned(1, 2, 32),
        records: vec![record],
        xtr: None,
    };
    let mut payload = Vec::new();
    Message::MapRegister(message).encode(&mut payload).unwrap();
    auth::sign(&mut payload, &secret(key)).unwrap();
    payload
}

fn hear(lab: &mut Lab, from: &str, payload: &[u8]) {
    lab.node("x2").hear_at(at(&format!("{from}:4342")), at(&format!("{RLOC2}:4342")), payload);
}

#[test]
fn r186_a_first_hop_router_registers_through_the_xtr_which_registers_with_its_own_rlocs() {
    let mut lab = moved_in();
    assert_eq!(place(&mut lab, "f2"), Some(Place::Here { port: PortId(0) }));
    assert_eq!(found(&mut lab, "x2"), [Found::FirstHop { router: ip(ROUTER) }]);
    assert_eq!(place(&mut lab, "x1"), Some(Place::Away { forward: true }), "R-187, as for any host");
    let f2 = lab.node("f2");
    assert_eq!((f2.count(Counter::RegistersSent), f2.count(Counter::RegistersAcknowledged)), (1, 1), "M=1");
    assert_eq!(
        lab.node("ms").engine.registrations().filter(|r| r.eid == vm()).count(),
        1,
        "f2 is not at the Map-Server"
    );
    assert_eq!(lab.resolve("pxtr", VM), format!("{VM}/32 -> {RLOC2}"), "the xTR answers for the host");
    lab.pass(400);
    assert_eq!(registered(&mut lab), [RLOC2], "kept registered by both");
    assert_eq!(found(&mut lab, "x2").len(), 1);
    assert_eq!(
        lab.node("x2").count(Counter::FirstHopRegisters),
        lab.node("f2").count(Counter::RegistersSent)
    );
}

#[test]
fn r186_the_first_hop_router_is_told_when_the_host_moved_away() {
    let mut lab = moved_in();
    lab.pass(5);
    speaks(&mut lab, "x1", false);
    assert_eq!(registered(&mut lab), [RLOC1]);
    assert_eq!(place(&mut lab, "x2"), Some(Place::Away { forward: true }));
    assert_eq!(place(&mut lab, "f2"), Some(Place::Gone));
    assert_eq!(lab.last_installed("x2"), format!("{VM}/32 -> {RLOC1}"));
    assert!(found(&mut lab, "f2").is_empty());
    assert_eq!(lab.node("x2").count(Counter::NotifyAcksReceived), 1, "f2 acknowledged");
    lab.pass(400);
    assert_eq!(registered(&mut lab), [RLOC1], "nobody takes it back");
    assert_eq!(lab.node("x2").count(Counter::NotifiesRetransmitted), 0);
    // And back again.
    speaks(&mut lab, "f2", false);
    assert_eq!((registered(&mut lab), place(&mut lab, "x2")), (vec![RLOC2.to_owned()], Some(behind())));
}

#[test]
fn r186_a_refresh_that_crosses_the_map_notify_does_not_take_the_host_back() {
    let mut lab = moved_in();
    let f2 = lab.nodes.remove("f2").unwrap();
    speaks(&mut lab, "x1", false);
    assert_eq!(registered(&mut lab), [RLOC1]);
    let nonce = (u64::from(f2.engine.config().register_nonce_epoch) << 32) + 99;
    hear(&mut lab, ROUTER, &register(vm(), 1, nonce, "inside-secret", true));
    lab.settle();
    assert_eq!(lab.node("x2").count(Counter::FirstHopRecordsRefused), 1);
    assert_eq!(registered(&mut lab), [RLOC1]);
    // The Map-Notify that f2 has not heard comes again.
    lab.nodes.insert("f2".into(), f2);
    lab.pass(5);
    assert_eq!(place(&mut lab, "f2"), Some(Place::Gone));
    assert!(lab.node("x2").count(Counter::NotifiesRetransmitted) >= 1);
}

#[test]
fn r186_what_a_first_hop_router_no_longer_registers_ages_out_and_it_is_told() {
    let mut lab = moved_in();
    let f2 = lab.nodes.remove("f2").unwrap();
    lab.pass(181);
    assert_eq!((registered(&mut lab).len(), place(&mut lab, "x2")), (0, Some(Place::Gone)), "TTL 0, at once");
    lab.nodes.insert("f2".into(), f2);
    lab.pass(5);
    assert!(found(&mut lab, "f2").is_empty(), "told that nobody registers the host any more");
    speaks(&mut lab, "f2", false);
    assert_eq!(registered(&mut lab), [RLOC2], "it speaks, and is found again");
}

#[test]
fn r186_r193_a_host_that_is_silent_is_taken_back_by_its_first_hop_router() {
    let mut lab = moved_in();
    lab.pass(3601);
    assert!(lab.node("x2").probed.is_empty(), "it is for the router on its link to ask");
    assert_eq!(lab.node("f2").probed, [vm()]);
    lab.node("f2").step(Event::HostProbed { eid: vm(), alive: false });
    lab.settle();
    assert_eq!((registered(&mut lab).len(), place(&mut lab, "x2")), (0, Some(Place::Gone)));
    let x2 = lab.node("x2");
    assert_eq!(x2.count(Counter::NotifiesRetransmitted), 0, "who says so himself is not told");
}

#[test]
fn r186_a_host_that_comes_to_a_port_of_the_xtr_leaves_its_first_hop_router() {
    let mut lab = moved_in();
    let x2 = lab.node("x2");
    let mut config = x2.engine.config().clone();
    config.dynamic_eids[0].ports = vec![PortId(0)];
    config.dynamic_eids[0].first_hop_ports = vec![PortId(2)];
    x2.reconfigure(config);
    lab.settle();
    // The data plane knows it by the router's Ethernet address, and takes it for a claim.
    speaks(&mut lab, "x2", true);
    assert_eq!(place(&mut lab, "x2"), Some(Place::Here { port: PortId(0) }));
    assert_eq!((place(&mut lab, "f2"), found(&mut lab, "f2").len()), (Some(Place::Gone), 0));
    assert_eq!(registered(&mut lab), [RLOC2], "for the rest of the world nothing changed");
}

#[test]
fn r186_only_authentic_new_map_registers_of_a_known_router_count() {
    let other = eid("10.1.0.11/32");
    for (what, from, payload, counter, prefix) in [
        ("a wrong key", ROUTER, register(other, 1, u64::MAX, "guess", true), Counter::FirstHopBadAuth, other),
        (
            "a nonce of before",
            ROUTER,
            register(other, 1, 7, "inside-secret", true),
            Counter::FirstHopReplayed,
            other,
        ),
        (
            "a host of another prefix",
            ROUTER,
            register(eid("10.2.0.9/32"), 1, u64::MAX, "inside-secret", true),
            Counter::FirstHopRecordsRefused,
            eid("10.2.0.9/32"),
        ),
        (
            "a whole prefix",
            ROUTER,
            register(eid("10.1.0.0/24"), 1, u64::MAX, "inside-secret", true),
            Counter::FirstHopRecordsRefused,
            eid("10.1.0.0/24"),
        ),
        (
            "taking back what is not its own",
            ROUTER,
            register(other, 0, u64::MAX, "inside-secret", true),
            Counter::FirstHopRecordsRefused,
            other,
        ),
        (
            "an unknown router",
            "10.2.0.3",
            register(other, 1, u64::MAX, "inside-secret", true),
            Counter::MessagesNotForUs,
            other,
        ),
        (
            "no E bit: that is for a Map-Server",
            ROUTER,
            register(other, 1, u64::MAX, "inside-secret", false),
            Counter::MessagesNotForUs,
            other,
        ),
    ] {
        let mut lab = moved_in();
        hear(&mut lab, from, &payload);
        assert_eq!(lab.node("x2").count(counter), 1, "{what}");
        assert!(lab.node("x2").silent(), "{what}: nothing is said");
        assert!(!lab.node("ms").engine.registrations().any(|r| r.eid == other), "{what}");
        assert!(!lab.node("x2").hosts.iter().any(|(eid, _)| *eid == prefix), "{what}");
        assert_eq!(found(&mut lab, "x2").len(), 1, "{what}");
    }
}

#[test]
fn r186_a_router_that_the_configuration_no_longer_has_loses_its_hosts() {
    let mut lab = moved_in();
    let x2 = lab.node("x2");
    let mut config = x2.engine.config().clone();
    config.first_hop_routers.clear();
    x2.reconfigure(config);
    lab.settle();
    assert_eq!((registered(&mut lab).len(), place(&mut lab, "x2")), (0, Some(Place::Gone)));
}

#[test]
fn r186_a_router_may_not_register_without_end() {
    let mut lab = moved_in();
    let mut config = lab.node("x2").engine.config().clone();
    config.limits.dynamic_eids = 5;
    lab.node("x2").reconfigure(config);
    lab.settle();
    for n in 1..=1500u64 {
        let host = eid(&format!("10.1.0.{}/32", 20 + n % 200));
        hear(&mut lab, ROUTER, &register(host, 1, u64::MAX - 2000 + n, "inside-secret", true));
    }
    assert_eq!(found(&mut lab, "x2").len(), 5);
    assert!(lab.node("x2").count(Counter::FirstHopOverRate) >= 400);
}
