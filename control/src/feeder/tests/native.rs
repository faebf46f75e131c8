//! Native routes, neighbours, ports.

use super::bed::*;

#[test]
fn native_routes_of_every_kind() {
    let mut bed = Bed::new();
    bed.known(CORE, GW, MAC_A);
    bed.via("192.0.2.0/24", &[(CORE, GW), (NATIVE, "203.0.113.9")]);
    bed.via("192.0.3.0/24", &[(MGMT, "10.255.0.1")]);
    bed.route(TABLE_MAIN, "192.0.4.0/24", RouteKind::Blackhole, false);
    bed.route(TABLE_MAIN, "192.0.5.0/24", RouteKind::Unreachable, false);
    bed.route(TABLE_MAIN, "192.0.6.0/24", RouteKind::Prohibit, false);
    bed.route(TABLE_LOCAL, "203.0.113.255/32", RouteKind::Broadcast(NATIVE), true);
    bed.address(12, "10.255.0.2");
    for (addr, expected) in [
        ("8.8.8.8", "port 1 mac 02:00:00:00:00:0a"),
        ("2600::1", "port 1 resolving 2001:db8:c0:1::1"),
        ("203.0.113.1", "local"),
        ("10.255.0.2", "local"),
        ("203.0.113.255", "Blackhole"),
        ("203.0.113.7", "glean 0"),
        ("192.0.2.1", "port 1 mac 02:00:00:00:00:0a | port 0 resolving 203.0.113.9"),
        ("192.0.3.1", "NetUnreachable"),
        ("192.0.4.1", "Blackhole"),
        ("192.0.5.1", "HostUnreachable"),
        ("192.0.6.1", "Prohibited"),
    ] {
        assert_eq!(bed.native(0, addr), expected, "{addr}");
    }
    assert_eq!(bed.native(1, "8.8.8.8"), "none", "another VRF has its own routes");
}

#[test]
fn a_vrf_has_its_table_and_its_own_connected_routes() {
    let mut bed = Bed::new();
    bed.address(RED, "203.0.113.1"); // the same address again: VRFs may overlap
    bed.connected(TABLE_MAIN, "172.16.0.0/24", RED);
    let hop = NextHop { link: RED, gateway: Some(ip("172.16.0.1")), weight: 1 };
    bed.route(77, "0.0.0.0/0", RouteKind::Unicast(vec![hop]), false);
    assert_eq!(bed.native(1, "8.8.8.8"), "port 2 resolving 172.16.0.1");
    assert_eq!(bed.native(1, "172.16.0.9"), "glean 2");
    assert_eq!(bed.native(1, "203.0.113.1"), "local");
    assert_eq!(bed.native(0, "172.16.0.9"), "port 1 resolving 198.51.100.1", "not a leak into VRF 0");
    bed.known(RED, "172.16.0.9", MAC_B);
    assert_eq!(bed.native(1, "172.16.0.9"), "port 2 mac 02:00:00:00:00:0b");
}

#[test]
fn neighbours_become_host_routes_but_never_hide_real_ones() {
    let mut bed = Bed::new();
    bed.known(NATIVE, "203.0.113.7", MAC_A);
    assert_eq!(bed.native(0, "203.0.113.7"), "port 0 mac 02:00:00:00:00:0a");
    bed.known(NATIVE, "203.0.113.7", MAC_B);
    assert_eq!(bed.deltas, 1, "a change of MAC is one slot");
    assert_eq!(bed.native(0, "203.0.113.7"), "port 0 mac 02:00:00:00:00:0b");
    // A real /32 wins, and gives the place back.
    let real = bed.via("203.0.113.7/32", &[(CORE, GW)]);
    assert_eq!(bed.native(0, "203.0.113.7"), "port 1 resolving 198.51.100.1");
    bed.kernel(Update::RouteDel(real));
    assert_eq!(bed.native(0, "203.0.113.7"), "port 0 mac 02:00:00:00:00:0b");
    // A more specific route through a gateway takes the neighbour off the link.
    let half = bed.via("203.0.113.0/25", &[(CORE, GW)]);
    assert_eq!(bed.native(0, "203.0.113.7"), "port 1 resolving 198.51.100.1");
    bed.kernel(Update::RouteDel(half));
    assert_eq!(bed.native(0, "203.0.113.7"), "port 0 mac 02:00:00:00:00:0b");
    bed.kernel(Update::NeighbourDel { link: NATIVE, addr: ip("203.0.113.7") });
    assert_eq!(bed.native(0, "203.0.113.7"), "glean 0");
    // Off-link and link-local neighbours are nobody's host routes.
    bed.known(NATIVE, "192.0.2.99", MAC_A);
    bed.known(NATIVE, "fe80::99", MAC_A);
    assert_eq!(bed.native(0, "192.0.2.99"), "port 1 resolving 198.51.100.1");
    assert!(bed.native(0, "fe80::99").starts_with("port 1"), "the default route");
}

#[test]
fn a_neighbour_that_stays_silent_rejects_for_a_while() {
    let mut bed = Bed::new();
    bed.asks.clear();
    bed.miss(0, "203.0.113.50");
    bed.miss(0, "203.0.113.50");
    assert_eq!(bed.asks, [ip("203.0.113.50")], "asked once");
    bed.neighbour(NATIVE, "203.0.113.50", NeighbourState::Incomplete);
    assert_eq!(bed.native(0, "203.0.113.50"), "glean 0");
    bed.neighbour(NATIVE, "203.0.113.50", NeighbourState::Failed);
    assert_eq!(bed.native(0, "203.0.113.50"), "HostUnreachable");
    bed.tick(2_999);
    assert_eq!(bed.native(0, "203.0.113.50"), "HostUnreachable");
    bed.tick(1);
    assert_eq!(bed.native(0, "203.0.113.50"), "glean 0");
    // A failure that no packet waited for changes nothing; nor does a miss that is not on the link.
    bed.neighbour(NATIVE, "203.0.113.51", NeighbourState::Failed);
    assert_eq!(bed.native(0, "203.0.113.51"), "glean 0");
    bed.asks.clear();
    bed.miss(0, "192.0.2.1");
    bed.miss(0, "fe80::5");
    assert!(bed.asks.is_empty());
    // It comes alive while it rejects.
    bed.miss(0, "203.0.113.50");
    bed.neighbour(NATIVE, "203.0.113.50", NeighbourState::Incomplete);
    bed.neighbour(NATIVE, "203.0.113.50", NeighbourState::Failed);
    bed.known(NATIVE, "203.0.113.50", MAC_A);
    assert_eq!(bed.native(0, "203.0.113.50"), "port 0 mac 02:00:00:00:00:0a");
    bed.tick(10_000);
    assert_eq!(bed.native(0, "203.0.113.50"), "port 0 mac 02:00:00:00:00:0a");
}

#[test]
fn open_questions_are_bounded() {
    let mut bed = Bed::with(Capacity { neighbour_misses: 2, ..Capacity::default() });
    bed.link(NATIVE, "native", 1500);
    bed.connected(TABLE_MAIN, "203.0.113.0/24", NATIVE);
    (1..=5).for_each(|n| bed.miss(0, &format!("203.0.113.{n}")));
    assert_eq!(bed.asks.len(), 2);
    assert_eq!(bed.feeder.stats().neighbour_misses_refused, 3);
    bed.tick(5_000);
    bed.miss(0, "203.0.113.9");
    assert_eq!(bed.asks.len(), 3, "old questions are forgotten");
}

#[test]
fn gateways_in_use_are_asked_for_and_kept_fresh() {
    let mut bed = Bed::new();
    bed.tick(0);
    assert_eq!(bed.asks, [ip(GW), ip(GW6)], "resolved before the first packet");
    bed.known(CORE, GW, MAC_A);
    bed.known(CORE, GW6, MAC_A);
    bed.asks.clear();
    bed.tick(60_000);
    assert!(bed.asks.is_empty(), "nothing to ask while the kernel is sure");
    bed.neighbour(CORE, GW, NeighbourState::Stale(MAC_A));
    bed.tick(0);
    bed.tick(14_000);
    assert_eq!(bed.asks, [ip(GW)]);
    bed.tick(1_000);
    assert_eq!(bed.asks.len(), 2);
    // A gateway that failed is tried again, and stays failed meanwhile.
    bed.neighbour(CORE, GW6, NeighbourState::Failed);
    bed.neighbour(CORE, GW6, NeighbourState::Incomplete);
    assert_eq!(bed.native(0, "2600::1"), "failed");
    bed.asks.clear();
    bed.tick(3_000);
    assert_eq!(bed.asks, [ip(GW6)]);
}

#[test]
fn an_interface_that_comes_late_or_anew_is_taken_up() {
    let mut bed = Bed::with(Capacity::default());
    bed.link(NATIVE, "native", 1500);
    bed.connected(TABLE_MAIN, "198.51.100.0/30", CORE);
    bed.via("0.0.0.0/0", &[(CORE, GW)]);
    assert_eq!(bed.native(0, "8.8.8.8"), "NetUnreachable");
    bed.link(CORE, "core", 1500);
    assert_eq!(bed.native(0, "8.8.8.8"), "port 1 resolving 198.51.100.1");
    assert_eq!(bed.replica.port(PortId(1)).unwrap().mac, MacAddr([2, 0, 0, 0, 2, CORE as u8]));
    bed.kernel(Update::LinkDel(CORE));
    assert_eq!(bed.native(0, "8.8.8.8"), "NetUnreachable");
    assert_eq!(bed.feeder.stats().adjacencies, 0, "nothing leaks");
}

#[test]
fn ports_follow_their_interface() {
    let mut bed = Bed::new();
    let port = bed.replica.port(PortId(0)).unwrap();
    assert_eq!((port.mtu, port.ipv4, port.ipv6), (1500, Some("203.0.113.1".parse().unwrap()), None));
    bed.address(NATIVE, "2001:db8::1");
    bed.link(NATIVE, "native", 9000);
    let port = bed.replica.port(PortId(0)).unwrap();
    assert_eq!(
        (port.mtu, port.ipv6),
        (1500, Some("2001:db8::1".parse().unwrap())),
        "never above the configured MTU"
    );
    assert!(bed.replica.is_local_rloc(ip("198.51.100.2")));
}
