//! Native forwarding by the FIB.

use crate::lab::*;
use crate::packets::*;
use pxtr_dataplane::feed::{Reject, Route};
use pxtr_dataplane::types::AdjacencyId;
use pxtr_dataplane::verdict::DropReason::*;
use std::collections::HashMap;

#[test]
fn ttl_checksum_and_addresses_are_rewritten_r024_r145() {
    let mut lab = Lab::new();
    let cases = [
        ("to a neighbour", udp("203.0.113.77", "192.0.2.9", 30).tos(0xB9), HOST_MAC),
        ("to the default router", udp("192.0.2.9", "8.8.8.8", 30), ROUTER_MAC),
        ("v6 to a neighbour", udp("2001:db8:77::1", "2001:db8:1::9", 30).tos(0xB9), HOST_MAC),
        ("v6 to the default router", udp("2001:db8:1::9", "2001:db8:99::1", 30), ROUTER_MAC),
        ("last hop", udp("192.0.2.9", "8.8.8.8", 30).ttl(2), ROUTER_MAC),
        (
            "TCP",
            proto(
                "192.0.2.9",
                "8.8.8.8",
                6,
                &[0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0, 0, 0, 0, 0, 0, 0],
            ),
            ROUTER_MAC,
        ),
        ("fragment", udp("192.0.2.9", "8.8.8.8", 30).fragment(true, 7), ROUTER_MAC),
    ];
    for (name, packet, mac) in cases {
        let mut frame = packet.frame(OUR_MAC[0], HOST_MAC);
        frame.resize(frame.len().max(60), 0xEE);
        let (port, seen) = lab.receive(NATIVE, &frame).sent();
        assert_eq!((port, seen.to, seen.from), (NATIVE, mac, OUR_MAC[0]), "{name}");
        assert_eq!(seen.ip, packet.hop().ip(), "{name}");
    }
}

#[test]
fn checksums_survive_the_decrement_at_every_value() {
    let mut lab = Lab::new();
    for n in 0..=255u16 {
        let packet =
            udp_ports("192.0.2.9", "8.8.8.8", n, n, &n.to_be_bytes()).ttl((n % 254 + 2) as u8).tos(n as u8);
        assert_eq!(lab.native(&packet).sent().1.ip, packet.hop().ip());
    }
}

#[test]
fn routes_that_refuse_r149() {
    let cases = [
        (Reject::Blackhole, RouteBlackhole, None),
        (Reject::NetUnreachable, RouteUnreachable, Some(((3, 0), (1, 0)))),
        (Reject::HostUnreachable, HostUnreachable, Some(((3, 1), (1, 3)))),
        (Reject::Prohibited, RouteProhibited, Some(((3, 13), (1, 1)))),
    ];
    for (reject, reason, told) in cases {
        let mut lab = Lab::new();
        lab.route(0, "172.16.0.0/12", Route::Reject(reject));
        lab.route(0, "2001:db8:bad::/48", Route::Reject(reject));
        let v4 = lab.native(&udp("192.0.2.9", "172.16.0.1", 5));
        let v6 = lab.native(&udp("2001:db8:1::9", "2001:db8:bad::1", 5));
        let Some((code4, code6)) = told else {
            assert_eq!((v4, v6), (Fate::Dropped(reason), Fate::Dropped(reason)));
            continue;
        };
        for (fate, protocol, (kind, code)) in [(v4, 1, code4), (v6, 58, code6)] {
            let (why, port, icmp) = fate.told();
            assert_eq!((why, port, icmp.to, icmp.protocol), (reason, NATIVE, HOST_MAC, protocol));
            assert_eq!(icmp.payload[..2], [kind, code]);
        }
    }
}

#[test]
fn a_neighbour_that_failed_is_unreachable_and_no_route_is_told() {
    let mut lab = Lab::new();
    lab.route(0, "192.0.2.77/32", Route::Via(AdjacencyId(77)));
    let (reason, _, icmp) = lab.native(&udp("192.0.2.9", "192.0.2.77", 5)).told();
    assert_eq!((reason, &icmp.payload[..2]), (HostUnreachable, &[3, 1][..]));
    let (reason, ..) =
        lab.receive(TENANT, &udp("192.0.2.9", "8.8.8.8", 5).frame(OUR_MAC[2], TENANT_MAC)).told();
    assert_eq!(reason, NoRoute);
}

#[test]
fn equal_paths_share_flows_and_a_flow_keeps_its_path() {
    let mut lab = Lab::new();
    lab.adjacency(AdjacencyId(20), NATIVE, [2, 0, 0, 0, 0, 0x20]);
    lab.adjacency(AdjacencyId(21), NATIVE, [2, 0, 0, 0, 0, 0x21]);
    lab.route(0, "172.16.0.0/12", Route::Multipath(Box::new([AdjacencyId(20), AdjacencyId(21)])));
    let mut by_mac = HashMap::new();
    for n in 0..500 {
        let packet = udp_ports("192.0.2.9", "172.16.0.1", n, 80, &[]);
        let first = lab.native(&packet).sent().1.to;
        assert_eq!(lab.native(&packet).sent().1.to, first);
        *by_mac.entry(first).or_insert(0) += 1;
    }
    assert!(by_mac.len() == 2 && by_mac.values().all(|n| *n > 180), "{by_mac:?}");
}
