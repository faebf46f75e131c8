//! Hosts that come and go.

use super::bed::*;
use crate::engine::event::Place;

const VM: &str = "10.1.0.10";

fn host(place: Place) -> Action {
    Action::Host { eid: eid(0, "10.1.0.10/32"), place }
}

#[test]
fn r185_what_comes_for_a_new_host_waits_for_the_kernel_instead_of_leaving_by_the_default_route() {
    let mut bed = Bed::new();
    bed.known(CORE, GW, MAC_A);
    assert_eq!(bed.native(0, VM), "port 1 mac 02:00:00:00:00:0a", "away from home: the default route");
    bed.action(host(Place::Here { port: PortId(0) })).unwrap();
    assert_eq!(bed.native(0, VM), "glean 0", "before the kernel has said anything");
    assert_eq!(bed.asks, [ip(VM)]);
    let routes = std::mem::take(&mut bed.feeder.out.host_routes);
    assert_eq!(
        routes.iter().map(|r| (r.present, r.link, r.addr)).collect::<Vec<_>>(),
        [(true, NATIVE, ip(VM))]
    );
    // Either may come first.
    bed.known(NATIVE, VM, MAC_B);
    assert_eq!(bed.native(0, VM), "glean 0");
    bed.connected(TABLE_MAIN, "10.1.0.10/32", NATIVE);
    assert_eq!(bed.native(0, VM), "port 0 mac 02:00:00:00:00:0b");
}

#[test]
fn a_host_whose_route_the_kernel_did_not_take_leaves_nothing_behind() {
    for end in [Place::Gone, Place::Away { forward: true }] {
        let mut bed = Bed::new();
        bed.known(CORE, GW, MAC_A);
        bed.action(host(Place::Here { port: PortId(0) })).unwrap();
        bed.action(host(end)).unwrap();
        assert_eq!(bed.native(0, VM), "port 1 mac 02:00:00:00:00:0a", "{end:?}");
    }
}

#[test]
fn at_home_the_neighbour_that_is_known_stays_known() {
    let mut bed = Bed::new();
    bed.connected(TABLE_MAIN, "10.1.0.0/24", NATIVE);
    bed.known(NATIVE, VM, MAC_B);
    bed.miss(0, VM);
    bed.known(NATIVE, VM, MAC_B);
    let before = bed.native(0, VM);
    bed.action(host(Place::Here { port: PortId(0) })).unwrap();
    assert_eq!(bed.native(0, VM), before);
    bed.action(host(Place::Gone)).unwrap();
    assert_eq!(bed.native(0, VM), before);
}

#[test]
fn a_host_that_changes_ports_is_found_at_the_new_one() {
    let mut bed = Bed::new();
    bed.action(host(Place::Here { port: PortId(0) })).unwrap();
    bed.action(host(Place::Here { port: PortId(1) })).unwrap();
    assert_eq!(bed.native(0, VM), "glean 1");
}

#[test]
fn r186_a_host_behind_a_first_hop_router_is_routed_by_way_of_it() {
    let mut bed = Bed::new();
    bed.known(CORE, GW, MAC_A);
    bed.connected(TABLE_MAIN, "192.0.2.0/24", NATIVE);
    let behind = Place::Behind { router: ip("192.0.2.7") };
    bed.action(host(behind)).unwrap();
    assert_eq!(bed.native(0, VM), "glean 0", "not the default route until the kernel has ours");
    let take = |bed: &mut Bed| {
        let routes = std::mem::take(&mut bed.feeder.out.host_routes);
        routes.into_iter().map(|r| (r.present, r.link, r.addr, r.via)).collect::<Vec<_>>()
    };
    let via = Some(ip("192.0.2.7"));
    assert_eq!(take(&mut bed), [(true, NATIVE, ip(VM), via)]);
    assert_eq!(bed.asks, [ip("192.0.2.7")], "the router is asked for, not the host");
    // It comes to a port of our own.
    bed.action(host(Place::Here { port: PortId(0) })).unwrap();
    assert_eq!(take(&mut bed), [(false, NATIVE, ip(VM), via), (true, NATIVE, ip(VM), None)]);
    bed.action(host(behind)).unwrap();
    take(&mut bed);
    bed.action(host(Place::Gone)).unwrap();
    assert_eq!(take(&mut bed), [(false, NATIVE, ip(VM), via)]);
    assert_eq!(bed.native(0, VM), "port 1 mac 02:00:00:00:00:0a");
    // A router that is not on a link of ours has to tell its hosts by a routing protocol.
    bed.action(host(Place::Behind { router: ip("172.31.0.7") })).unwrap();
    assert_eq!((take(&mut bed).len(), bed.native(0, VM)), (0, "port 1 mac 02:00:00:00:00:0a".to_owned()));
}
