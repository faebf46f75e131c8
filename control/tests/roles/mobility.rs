//! Hosts that move between two sites, all control planes of lab `mobility-cold` in one
//! process (both site routers, Map-Server, proxy).

use crate::labs::Lab;
use crate::node::*;
use pxtr_control::engine::Counter;
use pxtr_control::engine::event::{Event, HostSeen, Place};
use pxtr_dataplane::punt::Seen;
use pxtr_dataplane::types::{MacAddr, PortId};

const VM: &str = "10.1.0.10";
const SITE: PortId = PortId(0);
const RLOC1: &str = "198.51.100.6";
const RLOC2: &str = "198.51.100.10";
const PROXY: &str = "198.51.100.2";

fn vm() -> pxtr_control::engine::event::EidPrefix {
    eid("10.1.0.10/32")
}

fn seen(port: PortId, claim: bool) -> Event {
    let mac = MacAddr([2, 0, 0, 0, 0, 7]);
    Event::HostSeen(HostSeen { eid: vm(), port, mac, seen: Seen::Data, claim })
}

fn speaks(lab: &mut Lab, at: &str) {
    lab.node(at).step(seen(SITE, false));
    lab.settle();
}

/// RLOCs under which the VM is registered by itself.
fn registered(lab: &mut Lab) -> Vec<String> {
    let rows = lab.node("ms").engine.registrations().filter(|r| r.eid == vm());
    rows.flat_map(|r| r.locators.iter().filter_map(|l| l.rloc).map(|l| l.to_string()).collect::<Vec<_>>())
        .collect()
}

fn place(lab: &mut Lab, at: &str) -> Option<Place> {
    lab.node(at).hosts.last().map(|(_, place)| *place)
}

fn live(lab: &mut Lab, at: &str) -> usize {
    let engine = &lab.node(at).engine;
    engine.roles().etr().map_or(0, |etr| etr.dynamic_eids(engine.config()).count())
}

#[test]
fn r185_a_host_that_speaks_is_registered_at_once_and_answered_for() {
    let mut lab = Lab::new("mobility-cold");
    assert_eq!(lab.resolve("pxtr", VM), format!("10.1.0.0/24 -> {RLOC1}"), "the home site's aggregate");
    let mut lab = Lab::new("mobility-cold");
    speaks(&mut lab, "x2");
    assert_eq!(place(&mut lab, "x2"), Some(Place::Here { port: SITE }));
    assert_eq!(registered(&mut lab), [RLOC2]);
    let view: Vec<_> = {
        let engine = &lab.node("x2").engine;
        engine.roles().etr().into_iter().flat_map(|etr| etr.dynamic_eids(engine.config())).collect()
    };
    assert!(view[0].registrations[0].confirmed, "M=1, and the Map-Notify came");
    assert_eq!(lab.resolve("pxtr", VM), format!("{VM}/32 -> {RLOC2}"), "the ETR answers for the host");
    let sent = lab.node("x2").count(Counter::RegistersSent);
    speaks(&mut lab, "x2");
    assert_eq!(lab.node("x2").count(Counter::RegistersSent), sent, "a live one is no news");
    lab.pass(400);
    assert_eq!(registered(&mut lab), [RLOC2], "kept registered");
}

#[test]
fn r185_where_no_range_is_configured_nothing_happens() {
    let mut lab = Lab::new("mobility-cold");
    lab.node("x1").step(seen(PortId(1), false));
    assert_eq!((live(&mut lab, "x1"), lab.node("x1").count(Counter::HostsOutsideRange)), (0, 1));
}

#[test]
fn r185_where_layer_2_spans_both_sites_only_data_shows_where_a_host_is() {
    let mut lab = Lab::new("mobility-hot");
    let mac = MacAddr([2, 0, 0, 0, 0, 7]);
    for seen in [Seen::Arp, Seen::Nd] {
        lab.node("x2").step(Event::HostSeen(HostSeen { eid: vm(), port: SITE, mac, seen, claim: false }));
    }
    assert_eq!((live(&mut lab, "x2"), lab.node("x2").count(Counter::HostsSeenOtherwise)), (0, 2));
    speaks(&mut lab, "x2");
    assert_eq!((live(&mut lab, "x2"), registered(&mut lab)), (1, vec![RLOC2.to_owned()]));
}

#[test]
fn r187_r188_the_old_router_is_told_whether_or_not_it_had_seen_the_host() {
    for seen_at_home in [true, false] {
        let mut lab = Lab::new("mobility-cold");
        if seen_at_home {
            speaks(&mut lab, "x1");
            assert_eq!(registered(&mut lab), [RLOC1]);
            lab.pass(5);
        }
        speaks(&mut lab, "x2");
        assert_eq!(registered(&mut lab), [RLOC2]);
        assert_eq!(place(&mut lab, "x1"), Some(Place::Away { forward: true }));
        assert_eq!(lab.last_installed("x1"), format!("{VM}/32 -> {RLOC2}"), "from the Map-Notify itself");
        assert_eq!(live(&mut lab, "x1"), 0);
        assert_eq!(lab.node("ms").count(Counter::NotifyAcksReceived), 1);
        lab.pass(400);
        assert_eq!(registered(&mut lab), [RLOC2], "the old one does not register it any more");
        assert_eq!(lab.node("ms").count(Counter::NotifiesRetransmitted), 0);
    }
}

// it is the old router that sends the SMR, and the Map-Server none.
#[test]
fn r190_r192_data_for_a_host_that_left_makes_its_sender_ask_anew() {
    let mut lab = Lab::new("mobility-silent");
    speaks(&mut lab, "x1");
    assert_eq!(lab.resolve("pxtr", VM), format!("{VM}/32 -> {RLOC1}"));
    lab.pass(5);
    speaks(&mut lab, "x2");
    lab.node("pxtr").installed.clear();
    let smrs = lab.node("x1").count(Counter::SmrsSent);
    lab.pass(4);
    for _ in 0..50 {
        lab.node("x1").step(Event::AwayHit { eid: vm(), rloc: ip(PROXY) });
        lab.settle();
    }
    assert_eq!(lab.node("x1").count(Counter::SmrsSent), smrs + 1, "R-100: one in three seconds");
    let known = lab.node("pxtr").engine.map_cache_lookup(vm().iid, ip(VM)).expect("an entry");
    assert_eq!((known.prefix, known.locators[0].rloc), (net("10.1.0.10/32"), ip(RLOC2)));
}

#[test]
fn r191_the_old_router_tells_those_who_have_the_mapping_from_it_before_they_send_again() {
    let mut lab = Lab::new("mobility-cold");
    speaks(&mut lab, "x1");
    assert_eq!(lab.resolve("pxtr", VM), format!("{VM}/32 -> {RLOC1}"), "the ETR answered itself");
    lab.pass(5);
    let smrs = lab.node("x1").count(Counter::SmrsSent);
    speaks(&mut lab, "x2");
    assert_eq!(lab.node("x1").count(Counter::SmrsSent), smrs + 1);
    assert_eq!(lab.last_installed("pxtr"), format!("{VM}/32 -> {RLOC2}"));
    let others = ["ms", "x2"].map(|node| lab.node(node).count(Counter::SmrsSent));
    assert_eq!(others, [0, 0], "Map-Servers send none");
}

#[test]
fn r190_a_router_may_drop_what_comes_for_a_host_that_left() {
    let mut lab = Lab::new("mobility-cold");
    let x1 = lab.node("x1");
    let mut config = x1.engine.config().clone();
    config.dynamic_eids[0].forward_away = false;
    x1.reconfigure(config);
    lab.settle();
    speaks(&mut lab, "x2");
    assert_eq!(place(&mut lab, "x1"), Some(Place::Away { forward: false }));
    lab.node("x1").step(Event::AwayHit { eid: vm(), rloc: ip(PROXY) });
    assert_eq!(lab.node("x1").count(Counter::SmrsSent), 1, "its sender is told all the same");
}

#[test]
fn r189_its_return_clears_the_away_entry_and_the_other_site_is_told() {
    let mut lab = Lab::new("mobility-cold");
    speaks(&mut lab, "x1");
    speaks(&mut lab, "x2");
    lab.pass(5);
    speaks(&mut lab, "x1");
    assert_eq!(registered(&mut lab), [RLOC1]);
    assert_eq!(place(&mut lab, "x1"), Some(Place::Here { port: SITE }));
    assert_eq!(place(&mut lab, "x2"), Some(Place::Away { forward: true }));
    assert_eq!(lab.node("x1").engine.roles().etr().map_or(9, |etr| etr.away().count()), 0);
    let entry = lab.node("x1").engine.map_cache_lookup(vm().iid, ip(VM)).expect("EID space");
    assert_eq!(entry.prefix, net("0.0.0.0/0"), "no entry of its own is left");
    lab.node("x2").pass(25 * 3_600_000);
    assert_eq!(place(&mut lab, "x2"), Some(Place::Gone), "away entries end");
}

#[test]
fn r193_a_silent_host_is_asked_for_and_deregistered_when_it_does_not_answer() {
    let mut lab = Lab::new("mobility-cold");
    speaks(&mut lab, "x2");
    lab.pass(3601);
    assert_eq!(lab.node("x2").probed, [vm()]);
    lab.node("x2").step(Event::HostProbed { eid: vm(), alive: true });
    lab.pass(3601);
    assert_eq!((live(&mut lab, "x2"), lab.node("x2").probed.len()), (1, 2));
    lab.node("x2").step(Event::HostProbed { eid: vm(), alive: false });
    lab.settle();
    assert_eq!((live(&mut lab, "x2"), registered(&mut lab).len()), (0, 0), "TTL 0, at once");
    assert_eq!(place(&mut lab, "x2"), Some(Place::Gone));
}

#[test]
fn who_claims_a_live_address_is_counted_and_makes_us_ask_the_holder() {
    let mut lab = Lab::new("mobility-cold");
    speaks(&mut lab, "x2");
    let n = lab.node("x2");
    for _ in 0..3 {
        n.step(seen(SITE, true));
    }
    assert_eq!((n.count(Counter::HostsClaimed), n.probed.len()), (3, 1));
    n.pass(20_000);
    assert_eq!(n.count(Counter::HostsLeft), 1, "nobody answered: the address is free");
}

#[test]
fn a_restarted_map_server_learns_of_the_host_again() {
    let mut lab = Lab::new("mobility-cold");
    speaks(&mut lab, "x2");
    let (config, now) = (lab.node("ms").engine.config().clone(), lab.node("ms").now);
    let mut fresh = Node::new(config);
    fresh.now = now;
    lab.nodes.insert("ms".into(), fresh);
    lab.pass(61);
    assert_eq!(registered(&mut lab), [RLOC2]);
}
