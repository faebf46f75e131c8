//! PITR: native packets towards EIDs.

use crate::lab::*;
use crate::packets::*;
use pxtr_dataplane::feed::{MapAction, Target};
use pxtr_dataplane::types::{LocatorSetId, PortId, RlocId};
use pxtr_dataplane::verdict::DropReason;
use std::collections::{HashMap, HashSet};

const V4: &str = "192.0.2.9";
const V6: &str = "2001:db8:1::9";

#[test]
fn all_four_family_combinations_r003_r004_r005_r006_r107_r134() {
    let cases = [
        ("v4 in v4", udp(V4, "10.4.0.7", 100), "198.51.100.2", "203.0.113.4"),
        ("v4 in v6", udp(V4, "10.6.0.7", 100), "2001:db8:c0::2", "2001:db8:f::6"),
        ("v6 in v4", udp(V6, "2001:db8:e004::7", 100), "198.51.100.2", "203.0.113.4"),
        ("v6 in v6", udp(V6, "2001:db8:e006::7", 100), "2001:db8:c0::2", "2001:db8:f::6"),
    ];
    let mut lab = Lab::new();
    for (name, packet, source, destination) in cases {
        for (ttl, tos) in [(64, 0x00), (2, 0xB8), (255, 0x03), (64, 0x2A)] {
            let packet = packet.clone().ttl(ttl).tos(tos);
            let (port, outer) = lab.native(&packet).sent();
            assert_eq!((port, outer.to, outer.from), (CORE, CORE_MAC, OUR_MAC[1]), "{name}");
            assert_eq!(
                (outer.source.to_string().as_str(), outer.destination.to_string().as_str()),
                (source, destination)
            );
            assert_eq!((outer.ttl, outer.tos), (ttl - 1, tos), "{name}: TTL and TOS are the inner ones");
            let lisp = outer.lisp();
            assert!(lisp.source_port >= 0xC000, "{name}");
            assert_eq!(lisp.header, [0; 8], "{name}: no flag for the default instance");
            assert_eq!(lisp.inner, packet.hop().ip(), "{name}: only the TTL of the inner packet changed");
            match outer.fragment {
                Some((dont_fragment, more, offset, id)) => {
                    assert_eq!((dont_fragment, more, offset, id), (true, false, 0, 0), "R-118")
                }
                None => assert_eq!(outer.flow_label & 0x3FFF, u32::from(lisp.source_port & 0x3FFF), "R-083"),
            }
        }
    }
    assert_eq!(lab.snapshot().encapsulated, 16);
}

#[test]
fn the_instance_id_of_the_vrf_goes_into_the_header_r140() {
    let mut lab = Lab::new();
    let packet = udp(V4, "10.4.0.7", 10);
    let (_, outer) = lab.receive(TENANT, &packet.frame(OUR_MAC[2], TENANT_MAC)).sent();
    // The same destination as in VRF 0 goes elsewhere.
    assert_eq!(outer.destination.to_string(), "2001:db8:f::6");
    assert_eq!(outer.lisp().header, instance(101));
}

#[test]
fn ethernet_padding_stays_out_of_the_tunnel_trap6() {
    let mut lab = Lab::new();
    for destination in ["10.4.0.7", "10.6.0.7"] {
        let packet = udp(V4, destination, 1);
        let mut frame = packet.frame(OUR_MAC[0], HOST_MAC);
        frame.resize(60, 0xEE);
        let (_, outer) = lab.receive(NATIVE, &frame).sent();
        assert_eq!(outer.lisp().inner, packet.hop().ip());
    }
}

#[test]
fn a_flow_keeps_its_source_port_and_flows_differ_r081_r083() {
    let mut lab = Lab::new();
    let mut port_of = |packet: &Packet| lab.native(packet).sent().1.lisp().source_port;
    let flow = |n: u16| udp_ports(V4, "10.4.0.7", 1000 + n, 53, &data(30));
    let first = port_of(&flow(0));
    assert_eq!(port_of(&flow(0).ttl(9).tos(0x10)), first, "TTL and TOS are no part of the flow");
    let ports: HashSet<u16> = (0..200).map(|n| port_of(&flow(n))).collect();
    assert!(ports.len() > 190, "{} ports for 200 flows", ports.len());
    // All fragments of a datagram, the first included, go by their addresses only.
    let head = port_of(&flow(3).fragment(true, 0));
    assert_eq!(port_of(&flow(4).fragment(false, 100)), head);
    // So do protocols without ports.
    let ping = |id: u8| proto(V4, "10.4.0.7", 1, &[8, 0, 0, 0, 0, id, 0, 1]);
    assert_eq!(port_of(&ping(1)), port_of(&ping(2)));
}

/// GRE keys and ESP SPIs tell flows apart where the operator asks for it.
#[test]
fn tunnels_between_two_routers_spread_by_their_keys_r081() {
    use pxtr_dataplane::path::flow::FlowFields;
    let gre = |flags: u16, words: &[u32]| {
        let words: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        [&flags.to_be_bytes()[..], &[0x08, 0x00], &words].concat()
    };
    let key = |key: u32| gre(0x2000, &[key, 7]);
    let summed = |key: u32| gre(0xA000, &[0xAAAA_0000, key]);
    let pptp = |key: u32| gre(0x2001, &[key, 7]);
    let esp = |spi: u32| [&spi.to_be_bytes()[..], &[0, 0, 0, 1], &data(20)].concat();
    let ports = |lab: &mut Lab, protocol: u8, payload: &dyn Fn(u32) -> Vec<u8>| -> usize {
        let mut one =
            |from, to, n| lab.native(&proto(from, to, protocol, &payload(n))).sent().1.lisp().source_port;
        let v6: HashSet<u16> = (1..=50).map(|n| one(V6, "2001:db8:e004::7", n)).collect();
        let v4: HashSet<u16> = (1..=50).map(|n| one(V4, "10.4.0.7", n)).collect();
        assert_eq!(v4.len() > 1, v6.len() > 1, "both families alike");
        v4.len()
    };
    for express in [true, false] {
        let lab = |fields| {
            Lab::with(|config| {
                config.express = express;
                config.flow_key = config.flow_key.with(fields);
            })
        };
        let mut off = lab(FlowFields::default());
        assert_eq!([ports(&mut off, 47, &key), ports(&mut off, 50, &esp)], [1, 1], "by their addresses only");
        let mut gre_only = lab(FlowFields { gre_key: true, esp_spi: false });
        assert!(ports(&mut gre_only, 47, &key) > 45 && ports(&mut gre_only, 47, &summed) > 45);
        assert_eq!(ports(&mut gre_only, 47, &pptp), 1, "that of PPTP is half a length");
        assert_eq!(ports(&mut gre_only, 47, &|n| gre(0, &[n])), 1, "no key");
        assert_eq!(ports(&mut gre_only, 47, &|_| vec![0x20, 0, 8, 0]), 1, "cut short");
        assert_eq!(ports(&mut gre_only, 50, &esp), 1);
        let mut both = lab(FlowFields { gre_key: true, esp_spi: true });
        assert!(ports(&mut both, 47, &key) > 45 && ports(&mut both, 50, &esp) > 45);
        // Fragments of a datagram must take one way.
        let piece = |n: u32| proto(V4, "10.4.0.7", 50, &esp(n)).fragment(true, 0);
        let [a, b] = [1, 2].map(|n| both.native(&piece(n)).sent().1.lisp().source_port);
        assert_eq!(a, b);
    }
}

#[test]
fn a_locator_set_shares_flows_by_its_buckets_r079_r082() {
    let mut lab = Lab::new();
    lab.rloc(RlocId(7), "198.51.100.2", "203.0.113.7", 1500);
    let set = LocatorSetId(1);
    let buckets = [RLOC_V4, RLOC_V4, RLOC_V4, RlocId(7)];
    lab.apply(pxtr_dataplane::feed::Delta::LocatorSetSet(set, Box::new(buckets)));
    let entry = lab.map(0, "10.5.0.0/24", MapAction::Encapsulate(Target::Set(set)));
    let mut by_rloc = HashMap::new();
    for n in 0..2000 {
        let packet = udp_ports(V4, "10.5.0.1", n, 80, &[]);
        let first = lab.native(&packet).sent().1.destination;
        assert_eq!(lab.native(&packet).sent().1.destination, first, "one flow, one locator");
        *by_rloc.entry(first.to_string()).or_insert(0) += 1;
    }
    let share = by_rloc["203.0.113.4"];
    assert!((1400..1600).contains(&share), "{share} of 2000 flows, 1500 expected");
    let counters = lab.worker().replica().entry_counters();
    let (packets, bytes) = counters.get(entry).unwrap();
    assert_eq!((packets, bytes), (4000, 4000 * 28));
    let rloc = lab.worker().replica().rloc_counters();
    let (packets, bytes) = rloc.get(RlocId(7).0).unwrap().counters();
    assert_eq!((packets, bytes), (2 * (2000 - share), 2 * (2000 - share) * 64));
}

#[test]
fn the_actions_of_negative_entries_r012_r018_r068() {
    use DropReason::*;
    let net = Some((3, 0));
    let host = Some((3, 1));
    let admin = Some((3, 13));
    let cases = [
        ("No-Action", MapAction::NoLocator { unreachable: false }, MapNoAction, None),
        ("no usable locator", MapAction::NoLocator { unreachable: true }, MapNoLocator, host),
        ("Drop/No-Reason", MapAction::DropNoReason, MapDrop, net),
        ("Drop/Policy-Denied", MapAction::DropPolicyDenied, MapPolicyDenied, admin),
        ("Drop/Auth-Failure", MapAction::DropAuthFailure, MapAuthFailure, admin),
        ("RLOC down", MapAction::Encapsulate(Target::Rloc(RlocId(99))), RlocDown, host),
    ];
    for (name, action, reason, told) in cases {
        let mut lab = Lab::new();
        let entry = lab.map(0, "10.20.0.0/24", action);
        let fate = lab.native(&udp(V4, "10.20.0.1", 10));
        match told {
            None => assert_eq!(fate, Fate::Dropped(reason), "{name}"),
            Some((kind, code)) => {
                let (why, port, icmp) = fate.told();
                assert_eq!((why, port, icmp.to), (reason, NATIVE, HOST_MAC), "{name}");
                assert_eq!((icmp.protocol, icmp.payload[0], icmp.payload[1]), (1, kind, code), "{name}");
            }
        }
        let counted = lab.worker().replica().entry_counters().get(entry).unwrap().0;
        assert_eq!(counted, u64::from(reason != RlocDown), "{name}: a negative entry counts its packets");
    }
}

#[test]
fn natively_forward_leaves_lisp_but_never_backwards_r020_r068() {
    let mut lab = Lab::new();
    lab.map(0, "10.20.0.0/24", MapAction::NativelyForward);
    let packet = udp(V4, "10.20.0.1", 10);
    let (port, seen) = lab.native(&packet).sent();
    assert_eq!((port, seen.to, seen.ip), (NATIVE, ROUTER_MAC, packet.hop().ip()), "to the default router");
    // The default router itself sent it: it would come back for ever.
    let (reason, _, icmp) = lab.receive(NATIVE, &packet.frame(OUR_MAC[0], ROUTER_MAC)).told();
    assert_eq!((reason, &icmp.payload[..2]), (DropReason::NativeLoop, &[3, 0][..]));
    // The blackhole that anchors the attracted aggregate is no way out.
    use pxtr_dataplane::feed::{Reject, Route};
    lab.route(0, "10.0.0.0/8", Route::Reject(Reject::Blackhole));
    let (reason, _, icmp) = lab.native(&packet).told();
    assert_eq!((reason, &icmp.payload[..2]), (DropReason::RouteBlackhole, &[3, 0][..]));
}

#[test]
fn ttl_runs_out_before_encapsulation_r010_r145() {
    let mut lab = Lab::new();
    for (destination, ttl) in
        [("10.4.0.7", 1), ("10.4.0.7", 0), ("10.99.0.1", 1), ("10.20.0.1", 1), ("8.8.8.8", 1)]
    {
        lab.map(0, "10.20.0.0/24", MapAction::NativelyForward);
        let packet = udp(V4, destination, 10).ttl(ttl);
        let (reason, port, icmp) = lab.native(&packet).told();
        assert_eq!((reason, port), (DropReason::TtlExpired, NATIVE), "{destination}");
        assert_eq!(icmp.source.to_string(), "192.0.2.1", "from the interface on the source's side");
        assert_eq!(&icmp.payload[..2], [11, 0]);
        assert_eq!(icmp.payload[8..], packet.ip(), "quotes the packet as it came");
        lab.advance_ms(1000);
    }
    assert!(lab.punts().is_empty(), "a packet that is dropped asks for nothing");
    let packet = udp(V6, "2001:db8:e004::1", 10).ttl(1);
    let (reason, _, icmp) = lab.native(&packet).told();
    assert_eq!((reason, icmp.protocol, &icmp.payload[..2]), (DropReason::TtlExpired, 58, &[3, 0][..]));
}

#[test]
fn what_is_never_encapsulated_r007_r011() {
    let mut lab = Lab::new();
    lab.map(0, "0.0.0.0/0", MapAction::Encapsulate(Target::Rloc(RLOC_V4)));
    lab.map(0, "::/0", MapAction::Encapsulate(Target::Rloc(RLOC_V4)));
    use DropReason::*;
    let cases = [
        ("loopback source", udp("127.0.0.1", "10.4.0.7", 1), Fate::Dropped(MartianSource)),
        ("this-network source", udp("0.0.0.0", "10.4.0.7", 1), Fate::Dropped(MartianSource)),
        ("multicast source", udp("224.0.0.5", "10.4.0.7", 1), Fate::Dropped(MartianSource)),
        ("class E source", udp("240.0.0.1", "10.4.0.7", 1), Fate::Dropped(MartianSource)),
        ("link-local source", udp("169.254.1.1", "10.4.0.7", 1), Fate::Dropped(LinkLocalSource)),
        ("our own source", udp("192.0.2.1", "10.4.0.7", 1), Fate::Dropped(OwnSource)),
        ("loopback", udp(V4, "127.0.0.1", 1), Fate::Dropped(MartianDestination)),
        ("class E", udp(V4, "240.0.0.1", 1), Fate::Dropped(MartianDestination)),
        ("multicast", udp(V4, "239.1.1.1", 1), Fate::Dropped(Multicast)),
        ("link multicast", udp(V4, "224.0.0.5", 1), Fate::Host),
        ("broadcast", udp(V4, "255.255.255.255", 1), Fate::Host),
        ("link-local", udp(V4, "169.254.1.1", 1), Fate::Host),
        ("loopback source v6", udp("::1", "2001:db8:e004::1", 1), Fate::Dropped(MartianSource)),
        ("unspecified source v6", udp("::", "2001:db8:e004::1", 1), Fate::Dropped(MartianSource)),
        ("mapped v6", udp(V6, "::ffff:10.4.0.7", 1), Fate::Dropped(MartianDestination)),
        ("multicast v6", udp(V6, "ff0e::1", 1), Fate::Dropped(Multicast)),
        ("link multicast v6", udp(V6, "ff02::5", 1), Fate::Host),
        ("link-local v6", udp(V6, "fe80::1", 1), Fate::Host),
    ];
    for (name, packet, fate) in cases {
        assert_eq!(lab.native(&packet), fate, "{name}");
    }
    assert_eq!(lab.native(&udp("fe80::9", "2001:db8:e004::1", 1)), Fate::Dropped(LinkLocalSource));
}

#[test]
fn at_most_two_lisp_headers_r007() {
    let mut lab = Lab::new();
    let once = lisp(V4, "10.4.0.7", [0; 8], &udp("10.1.0.1", "10.2.0.1", 4).ip());
    assert_eq!(lab.native(&once).sent().1.lisp().inner, once.hop().ip(), "two headers are allowed");
    let inner6 = lisp("2001:db8::1", "2001:db8::2", [0; 8], &udp("10.1.0.1", "10.2.0.1", 4).ip());
    for twice in [lisp(V4, "10.4.0.7", [0; 8], &once.ip()), lisp(V4, "10.4.0.7", [0; 8], &inner6.ip())] {
        assert_eq!(lab.native(&twice), Fate::Dropped(DropReason::NestedLisp));
    }
}

#[test]
fn longest_match_wins_and_a_withdrawn_entry_uncovers_the_shorter_one_r001() {
    let mut lab = Lab::new();
    lab.map(0, "10.4.0.64/26", MapAction::DropNoReason);
    assert!(matches!(lab.native(&udp(V4, "10.4.0.65", 1)), Fate::Told(DropReason::MapDrop, ..)));
    assert!(matches!(lab.native(&udp(V4, "10.4.0.63", 1)), Fate::Tx(CORE, _)));
    let prefix = "10.4.0.64/26".parse().unwrap();
    lab.apply(pxtr_dataplane::feed::Delta::MapDel { vrf: pxtr_dataplane::types::VrfId(0), prefix });
    assert!(matches!(lab.native(&udp(V4, "10.4.0.65", 1)), Fate::Tx(CORE, _)));
}

#[test]
fn a_full_transmit_queue_is_a_named_drop() {
    let mut lab = Lab::new();
    // 256 fit into the queue of the test backend.
    for _ in 0..9 {
        for n in 0..32 {
            let packet = udp_ports(V4, "10.4.0.7", n, 1, &[]);
            lab.io().inject(NATIVE, &packet.frame(OUR_MAC[0], HOST_MAC));
        }
        lab.poll();
    }
    let now = lab.snapshot();
    assert_eq!((now.tx, now.dropped(DropReason::TxFull), now.received), (256, 32, 288));
    assert_eq!(now.tx_bytes, 256 * (14 + 20 + 8 + 36));
    assert_eq!(lab.sent(CORE).len(), 256);
    assert_eq!(lab.io().pool().in_use(), 0);
}

#[test]
fn a_port_that_does_not_exist_is_a_named_drop() {
    let mut lab = Lab::new();
    let adjacency = pxtr_dataplane::types::AdjacencyId(8);
    let to = pxtr_dataplane::feed::Adjacency::Ready {
        port: PortId(9),
        source_mac: Default::default(),
        mac: Default::default(),
        mtu: 1500,
    };
    lab.apply(pxtr_dataplane::feed::Delta::AdjacencySet(adjacency, to));
    lab.route(0, "8.8.8.0/24", pxtr_dataplane::feed::Route::Via(adjacency));
    assert_eq!(lab.native(&udp(V4, "8.8.8.8", 1)), Fate::Dropped(DropReason::TxPort));
    let counters = lab.worker().replica().entry_counters();
    assert_eq!(counters.get(pxtr_dataplane::types::EntryId(9999)), Some((0, 0)), "nobody's entry");
}
