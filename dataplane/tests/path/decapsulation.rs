//! PETR: LISP data for one of our RLOCs.

use crate::lab::*;
use crate::packets::*;
use pxtr_dataplane::feed::{MapAction, Target};
use pxtr_dataplane::path::ecn;
use pxtr_dataplane::verdict::DropReason::{self, *};

const RLOC: &str = "203.0.113.4";
const RLOC6: &str = "2001:db8:f::6";
const OURS: &str = "198.51.100.2";
const OURS6: &str = "2001:db8:c0::2";

/// A LISP packet from an IPv4 RLOC in the default instance.
fn from_site(inner: &Packet) -> Packet {
    lisp(RLOC, OURS, [0; 8], &inner.ip())
}

#[test]
fn all_four_family_combinations_r003_r024_r026() {
    let inners = [udp("10.4.0.7", "192.0.2.9", 50), udp("2001:db8:e004::7", "2001:db8:1::9", 50)];
    let mut lab = Lab::new();
    for inner in inners {
        for (from, to) in [(RLOC, OURS), (RLOC6, OURS6)] {
            let (port, seen) = lab.core(&lisp(from, to, [0; 8], &inner.ip())).sent();
            assert_eq!((port, seen.to, seen.from), (NATIVE, HOST_MAC, OUR_MAC[0]), "{from}");
            assert_eq!(seen.ip, inner.hop().ip(), "one forwarding decrement, nothing else");
        }
    }
    let now = lab.snapshot();
    assert_eq!((now.decapsulated, now.forwarded, now.tx), (4, 4, 4));
}

#[test]
fn the_instance_chooses_the_vrf_r037_r140() {
    let mut lab = Lab::new();
    let inner = udp("10.4.0.7", "192.0.2.9", 5);
    let with = |header| lisp(RLOC, OURS, header, &inner.ip());
    assert_eq!(lab.core(&with(instance(101))).sent().0, TENANT);
    assert_eq!(lab.core(&with(instance(0))).sent().0, NATIVE, "I=1 with 0 is the default instance (TRAP 11)");
    assert_eq!(lab.core(&with(instance(102))), Fate::Dropped(InstanceUnknown));
    assert_eq!(lab.core(&with(instance(0xFF_FFFF))), Fate::Dropped(InstanceUnknown), "R-141");
}

#[test]
fn flags_that_mean_nothing_here_are_ignored_r006_r036() {
    let mut lab = Lab::new();
    let inner = udp("10.4.0.7", "192.0.2.9", 5);
    let headers = [
        ("nonce", [0x80, 1, 2, 3, 0, 0, 0, 0]),
        ("nonce and echo request", [0xA0, 1, 2, 3, 0, 0, 0, 0]),
        ("echo without nonce", [0x20, 0, 0, 0, 0, 0, 0, 0]),
        ("nonce and versions", [0x90, 1, 2, 3, 0, 0, 0, 0]),
        // TRAP 5: they are about the source's mapping, not that of the destination; here about nothing.
        ("LSBs", [0x40, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF]),
        // TRAP 7: what this byte names by LISP-GPE is not looked at, the nibble behind it is.
        ("R (GPE: P) bit", [0x04, 0, 0, 1, 0, 0, 0, 0]),
        ("low byte of the IID word", [0x08, 0, 0, 0, 0, 0, 0, 0x55]),
    ];
    for (name, header) in headers {
        assert_eq!(lab.core(&lisp(RLOC, OURS, header, &inner.ip())).sent().1.ip, inner.hop().ip(), "{name}");
    }
}

#[test]
fn ttl_is_the_smaller_of_both_and_falls_once_r108() {
    let mut lab = Lab::new();
    for (inner, outer, result) in [(64, 10, 9), (10, 64, 9), (2, 2, 1), (255, 255, 254)] {
        for packet in [udp("10.4.0.7", "192.0.2.9", 5), udp("2001:db8:e004::7", "2001:db8:1::9", 5)] {
            let packet = packet.ttl(inner);
            let (_, seen) = lab.core(&from_site(&packet).ttl(outer)).sent();
            assert_eq!(seen.ip, packet.ttl(result).ip(), "inner {inner}, outer {outer}");
        }
    }
    let (reason, port, icmp) = lab.core(&from_site(&udp("10.4.0.7", "192.0.2.9", 5)).ttl(1)).told();
    // The error goes back through the map-cache, never natively.
    assert_eq!((reason, port, icmp.destination.to_string().as_str()), (TtlExpired, CORE, RLOC));
    let told = dissect_ip(&icmp.lisp().inner);
    assert_eq!(
        (told.source.to_string(), told.destination.to_string()),
        ("192.0.2.1".into(), "10.4.0.7".into())
    );
    assert_eq!((told.ttl, icmp.ttl), (64, 64));
}

#[test]
fn dscp_stays_inner_unless_the_vrf_copies_it_r109() {
    for (copy, tos) in [(false, 0x48), (true, 0xB8)] {
        let mut lab = Lab::new();
        lab.vrf(0, |vrf| vrf.decap_copy_dscp = copy);
        for packet in [udp("10.4.0.7", "192.0.2.9", 5), udp("2001:db8:e004::7", "2001:db8:1::9", 5)] {
            let packet = packet.tos(0x48);
            let (_, seen) = lab.core(&from_site(&packet).tos(0xB8)).sent();
            assert_eq!(seen.ip, packet.hop().tos(tos).ip());
        }
    }
}

#[test]
fn ecn_by_the_table_of_rfc_6040_r111_r112() {
    let mut lab = Lab::new();
    let mut strange = 0;
    for inner in 0..4u8 {
        for outer in 0..4u8 {
            let expected = ecn::decapsulate(inner, outer);
            for packet in [udp("10.4.0.7", "192.0.2.9", 5), udp("2001:db8:e004::7", "2001:db8:1::9", 5)] {
                let packet = packet.tos(0x28 | inner);
                let fate = lab.core(&from_site(&packet).tos(outer));
                if expected.drop {
                    assert_eq!(fate, Fate::Dropped(EcnInvalid), "{inner:02b} {outer:02b}");
                } else {
                    let result = packet.hop().tos(0x28 | expected.codepoint);
                    assert_eq!(fate.sent().1.ip, result.ip(), "{inner:02b} {outer:02b}");
                    strange += u64::from(expected.strange);
                }
            }
        }
    }
    assert_eq!(lab.snapshot().ecn_strange, strange);
}

#[test]
fn outer_checksums_zero_or_right_are_accepted_r035_r136() {
    let inner = udp("10.4.0.7", "192.0.2.9", 5);
    for (from, to) in [(RLOC, OURS), (RLOC6, OURS6)] {
        let bytes = [&[0; 8][..], &inner.ip()].concat();
        let right = udp_ports(from, to, 50_000, 4341, &bytes);
        let mut wrong = right.clone();
        wrong.payload[6] ^= 0x55;
        let mut strict = Lab::with(|config| config.verify_udp_checksum = true);
        assert!(matches!(strict.core(&right), Fate::Tx(NATIVE, _)));
        assert_eq!(strict.core(&wrong), Fate::Dropped(OuterUdpChecksum));
        assert!(matches!(strict.core(&lisp(from, to, [0; 8], &inner.ip())), Fate::Tx(NATIVE, _)));
        assert!(matches!(Lab::new().core(&wrong), Fate::Tx(NATIVE, _)), "MAY be verified, and is not");
    }
}

#[test]
fn bytes_behind_the_inner_packet_are_cut_off_trap6() {
    let mut lab = Lab::new();
    let inner = udp("10.4.0.7", "192.0.2.9", 1);
    let mut bytes = inner.ip();
    bytes.extend([0xEE; 9]);
    let mut frame = lisp(RLOC, OURS, [0; 8], &bytes).frame(OUR_MAC[1], CORE_MAC);
    frame.extend([0xDD; 5]);
    assert_eq!(lab.receive(CORE, &frame).sent().1.ip, inner.hop().ip());
}

#[test]
fn each_check_has_its_own_counter_r033_r037_r039() {
    let ok = udp("10.4.0.7", "192.0.2.9", 20);
    let lisp4 = |bytes: &[u8]| lisp(RLOC, OURS, [0; 8], bytes);
    let changed = |change: fn(&mut Vec<u8>)| {
        let mut bytes = ok.ip();
        change(&mut bytes);
        lisp4(&bytes)
    };
    let inner = |from: &str, to: &str| lisp4(&udp(from, to, 5).ip());
    let udp_length = |length: u16| {
        let mut packet = from_site(&ok);
        packet.payload[4..6].copy_from_slice(&length.to_be_bytes());
        packet
    };
    let cases: Vec<(&str, Packet, DropReason)> = vec![
        ("outer source martian", lisp("127.0.0.1", OURS, [0; 8], &ok.ip()), MartianSource),
        ("outer source our RLOC", lisp(OURS, OURS, [0; 8], &ok.ip()), OwnSource),
        ("outer source our other RLOC", lisp(OURS6, OURS6, [0; 8], &ok.ip()), OwnSource),
        ("outer source link-local", lisp("fe80::1", OURS6, [0; 8], &ok.ip()), LinkLocalSource),
        ("UDP length beyond the packet", udp_length(1000), OuterUdpLength),
        ("UDP length below its header", udp_length(7), OuterUdpLength),
        ("UDP length inside the LISP header", udp_length(15), LispHeaderShort),
        ("UDP length cuts the inner packet", udp_length(16 + 47), InnerLength),
        ("nothing inside", lisp4(&[]), InnerHeader),
        // TRAP 8: no key of RFC 8061 is agreed on, whichever way it would be derived.
        ("encrypted", lisp(RLOC, OURS, [1, 0, 0, 0, 0, 0, 0, 0], &ok.ip()), LispEncrypted),
        ("version 5", changed(|b| b[0] = 0x55), InnerVersion),
        ("header cut", changed(|b| b.truncate(19)), InnerHeader),
        ("IHL 4", changed(|b| b[0] = 0x44), InnerHeader),
        ("total length", changed(|b| b[2] = 9), InnerLength),
        ("checksum", changed(|b| b[10] ^= 1), InnerChecksum),
        ("source routed", lisp4(&ok.clone().options(&[131, 3, 4, 0]).ip()), Ipv4SourceRoute),
        ("inner source loopback", inner("127.0.0.1", "192.0.2.9"), InnerMartianSource),
        ("inner source multicast", inner("224.0.0.1", "192.0.2.9"), InnerMartianSource),
        ("inner source link-local", inner("fe80::7", "2001:db8:1::9"), InnerMartianSource),
        ("inner source our RLOC", inner(OURS, "192.0.2.9"), InnerOwnSource),
        ("inner destination loopback", inner("10.4.0.7", "127.0.0.1"), InnerMartianDestination),
        ("inner destination ::1", inner("2001:db8:e004::7", "::1"), InnerMartianDestination),
        ("inner destination link-local", inner("2001:db8:e004::7", "fe80::1"), InnerMartianDestination),
        ("inner destination multicast", inner("10.4.0.7", "239.1.1.1"), InnerMulticast),
        ("inner destination all nodes", inner("2001:db8:e004::7", "ff02::1"), InnerMulticast),
        ("inner destination our RLOC", inner("10.4.0.7", OURS), InnerOwnDestination),
        ("inner destination our address", inner("10.4.0.7", "192.0.2.1"), InnerOwnDestination),
    ];
    for (name, packet, reason) in cases {
        assert_eq!(Lab::new().core(&packet), Fate::Dropped(reason), "{name}");
    }
}

#[test]
fn an_address_that_is_no_rloc_of_ours_is_not_decapsulated_r034() {
    let mut lab = Lab::new();
    let inner = udp("10.4.0.7", "192.0.2.9", 5).ip();
    lab.route(0, "198.51.100.77/32", pxtr_dataplane::feed::Route::Local);
    assert_eq!(lab.core(&lisp(RLOC, "198.51.100.77", [0; 8], &inner)), Fate::Host);
    assert_eq!(lab.core(&lisp(RLOC, "198.51.100.99", [0; 8], &inner)), Fate::Dropped(NativeNotAllowed));
}

#[test]
fn eids_that_come_out_are_refused_or_sent_on_never_looped_r028_r113() {
    let mut lab = Lab::new();
    let inner = udp("10.4.0.7", "10.6.0.7", 40).ttl(20).tos(0x2A);
    let (reason, port, _) = lab.core(&from_site(&inner)).told();
    assert_eq!((reason, port), (InnerIsEid, CORE));
    lab.vrf(0, |vrf| vrf.rtr = true);
    // Decapsulation then encapsulation rules: TTL of the outer one, one decrement, CE carried on.
    let (port, outer) = lab.core(&from_site(&inner).ttl(10).tos(3)).sent();
    assert_eq!((port, outer.destination.to_string().as_str(), outer.ttl, outer.tos), (CORE, RLOC6, 9, 0x2B));
    assert_eq!(outer.lisp().inner, inner.ttl(9).tos(0x2B).ip());
    let now = lab.snapshot();
    assert_eq!((now.decapsulated, now.encapsulated), (2, 2));
}

#[test]
fn a_petr_without_a_route_tells_the_inner_source_r031_r038() {
    let mut lab = Lab::new();
    let prefix = "0.0.0.0/0".parse().unwrap();
    lab.apply(pxtr_dataplane::feed::Delta::RouteDel { vrf: pxtr_dataplane::types::VrfId(0), prefix });
    let (reason, port, outer) = lab.core(&from_site(&udp("10.4.0.7", "8.8.8.8", 5))).told();
    assert_eq!((reason, port), (NoRoute, CORE));
    let icmp = dissect_ip(&outer.lisp().inner);
    assert_eq!((icmp.destination.to_string().as_str(), &icmp.payload[..2]), ("10.4.0.7", &[3, 0][..]));
    // A source that nobody has asked about yet: the error waits for its mapping like any packet,
    // but it is no received packet.
    assert_eq!(lab.core(&from_site(&udp("10.77.0.7", "8.8.8.8", 5))), Fate::Dropped(NoRoute));
    let now = lab.snapshot();
    assert_eq!((now.held, now.originated_held), (0, 1));
    lab.map(0, "10.77.0.0/24", MapAction::Encapsulate(Target::Rloc(RLOC_V4)));
    let icmp = dissect_ip(&dissect(&lab.sent(CORE)[0]).lisp().inner);
    assert_eq!((icmp.destination.to_string().as_str(), &icmp.payload[..2]), ("10.77.0.7", &[3, 0][..]));
    assert_eq!(lab.snapshot().originated_held, 0);
}
