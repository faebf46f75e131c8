//! ICMP errors from the core about what we encapsulated.

use crate::lab::*;
use crate::packets::*;
use etherparse::{Icmpv4Slice, Icmpv4Type, Icmpv6Slice, Icmpv6Type, icmpv4::DestUnreachableHeader};
use pxtr_dataplane::feed::PortPolicy;
use pxtr_dataplane::punt::Punt;
use pxtr_dataplane::verdict::DropReason::*;

const V4: &str = "192.0.2.9";
const V6: &str = "2001:db8:1::9";
const OURS: &str = "198.51.100.2";
const OURS6: &str = "2001:db8:c0::2";
/// A router in the core.
const ROUTER4: &str = "203.0.113.99";
const ROUTER6: &str = "2001:db8:f::99";

fn lab() -> Lab {
    let mut lab = Lab::new();
    let policy = PortPolicy { learn_path_mtu: true, relay_time_exceeded: true, ..PortPolicy::default() };
    lab.port(CORE, |port| port.policy = policy);
    lab
}

/// An ICMP error of a core router about an outer packet, `quoted` bytes of it.
fn error(kind: (u8, u8), rest: u32, outer: &[u8], quoted: usize) -> Packet {
    let outer = &outer[..quoted.min(outer.len())];
    if outer[0] >> 4 == 4 {
        let to = std::net::Ipv4Addr::from(<[u8; 4]>::try_from(&outer[12..16]).unwrap()).to_string();
        return icmp(ROUTER4, &to, kind, rest, outer);
    }
    let to = std::net::Ipv6Addr::from(<[u8; 16]>::try_from(&outer[8..24]).unwrap()).to_string();
    icmp(ROUTER6, &to, kind, rest, outer)
}

/// That an outer packet is too big for a link with this MTU.
pub fn too_big(mtu: u32, outer: &[u8]) -> Packet {
    let kind = if outer[0] >> 4 == 4 { (3, 4) } else { (2, 0) };
    error(kind, mtu, outer, 500)
}

fn icmp(from: &str, to: &str, (kind, code): (u8, u8), rest: u32, quoted: &[u8]) -> Packet {
    let [a, b, c, d] = rest.to_be_bytes();
    let mut message = [&[kind, code, 0, 0, a, b, c, d][..], quoted].concat();
    let v4 = from.contains('.');
    let mut sum: u32 = 0;
    if !v4 {
        let pseudo = proto(from, to, 58, &message);
        let (IpAddr::V6(s), IpAddr::V6(d)) = (pseudo.source, pseudo.destination) else { panic!() };
        sum = words(&s.octets()) + words(&d.octets()) + 58 + message.len() as u32;
    }
    sum += words(&message);
    sum = (sum & 0xFFFF) + (sum >> 16);
    sum = (sum & 0xFFFF) + (sum >> 16);
    message[2..4].copy_from_slice(&(!(sum as u16)).to_be_bytes());
    proto(from, to, if v4 { 1 } else { 58 }, &message)
}

use std::net::IpAddr;

fn words(bytes: &[u8]) -> u32 {
    bytes.chunks(2).map(|w| u32::from(w[0]) << 8 | u32::from(*w.get(1).unwrap_or(&0))).sum()
}

/// What we sent for an inner packet: the outer IP packet.
fn sent(lab: &mut Lab, inner: &Packet) -> Vec<u8> {
    lab.native(inner).sent().1.ip
}

/// An error about a packet that was believed and passed on: port and error as sent.
fn relayed(lab: &mut Lab, error: &Packet) -> Vec<Seen> {
    let before = lab.snapshot();
    assert!(lab.io().inject(CORE, &error.frame(OUR_MAC[1], CORE_MAC)));
    lab.poll();
    let now = lab.snapshot();
    assert_eq!(now.core_errors, before.core_errors + 1, "believed");
    let sent = lab.sent(NATIVE);
    assert_eq!(now.icmp_relayed, before.icmp_relayed + sent.len() as u64);
    assert_eq!(lab.io().pool().in_use(), 0);
    sent.iter().map(|frame| dissect(frame)).collect()
}

#[test]
fn too_big_is_learnt_and_told_to_the_inner_source_r120_r129_r130() {
    let cases = [
        (V4, "10.4.0.7", 1300 + 36, (3, 4)),
        (V4, "10.6.0.7", 1320 + 56, (2, 0)),
        (V6, "2001:db8:e004::7", 1340 + 36, (3, 4)),
        (V6, "2001:db8:e006::7", 1360 + 56, (2, 0)),
    ];
    for (from, to, mtu, kind) in cases {
        let mut lab = lab();
        let inner = udp(from, to, 1390);
        let outer = sent(&mut lab, &inner);
        let told = relayed(&mut lab, &error(kind, mtu, &outer, 1232));
        let [told] = &told[..] else { panic!("one error") };
        let overhead = if kind == (3, 4) { 36 } else { 56 };
        assert_eq!((told.to, told.destination), (HOST_MAC, inner.source));
        assert!(
            told.payload[8..].starts_with(&inner.hop().ip()[..500]),
            "R-130: the inner packet, no outer header"
        );
        if from == V4 {
            assert_eq!(told.source.to_string(), "192.0.2.1");
            let header = DestUnreachableHeader::FragmentationNeeded { next_hop_mtu: (mtu - overhead) as u16 };
            let seen = Icmpv4Slice::from_slice(&told.payload).unwrap().icmp_type();
            assert_eq!(seen, Icmpv4Type::DestinationUnreachable(header));
        } else {
            assert_eq!(told.source.to_string(), "2001:db8:1::1");
            let seen = Icmpv6Slice::from_slice(&told.payload).unwrap().icmp_type();
            assert_eq!(seen, Icmpv6Type::PacketTooBig { mtu: mtu - overhead });
        }
        let rloc = if kind == (3, 4) { "203.0.113.4" } else { "2001:db8:f::6" };
        assert_eq!(lab.punts(), [Punt::PathMtu { rloc: rloc.parse().unwrap(), mtu: mtu as u16 }]);
    }
}

#[test]
fn control_is_told_once_a_second_r120() {
    let mut lab = lab();
    let outer = sent(&mut lab, &udp(V4, "10.4.0.7", 1400));
    let error = error((3, 4), 1400, &outer, 576);
    for _ in 0..5 {
        relayed(&mut lab, &error);
    }
    assert_eq!(lab.punts().len(), 1);
    lab.advance_ms(1000);
    relayed(&mut lab, &error);
    assert_eq!(lab.punts().len(), 1);
}

/// TRAP 25.
#[test]
fn eight_quoted_bytes_suffice_for_the_path_mtu_over_ipv4_only_r129() {
    let mut lab = lab();
    let outer = sent(&mut lab, &udp(V4, "10.4.0.7", 1400));
    assert_eq!(relayed(&mut lab, &error((3, 4), 1400, &outer, 28)).len(), 0, "nobody to be told");
    let rloc = "203.0.113.4".parse().unwrap();
    assert_eq!(lab.punts(), [Punt::PathMtu { rloc, mtu: 1400 }]);
    let outer = sent(&mut lab, &udp(V4, "10.6.0.7", 1400));
    assert_eq!(lab.core(&error((2, 0), 1400, &outer, 48)), Fate::Dropped(CoreErrorForged));
}

#[test]
fn values_that_no_router_sends_r121() {
    let mut lab = lab();
    let outer = sent(&mut lab, &udp(V4, "10.4.0.7", 1400));
    let rloc = "203.0.113.4".parse().unwrap();
    let cases = [
        (0, 1006, "old router: the next plateau below 1464"),
        (100, 576, "the floor"),
        (1000, 1000, "as it is"),
    ];
    for (said, taken, name) in cases {
        relayed(&mut lab, &error((3, 4), said, &outer, 576));
        assert_eq!(lab.punts(), [Punt::PathMtu { rloc, mtu: taken }], "{name}");
    }
    let outer = sent(&mut lab, &udp(V6, "2001:db8:e006::7", 1300));
    assert_eq!(
        lab.core(&error((2, 0), 1279, &outer, 1232)),
        Fate::Dropped(CoreErrorForged),
        "RFC 8201 section 4"
    );
    relayed(&mut lab, &error((2, 0), 100_000, &outer, 1232));
}

#[test]
fn nobody_is_told_of_what_will_be_split_from_now_on_r115() {
    let mut lab = lab();
    let outer = sent(&mut lab, &udp(V4, "10.4.0.7", 1400).may_fragment());
    assert_eq!(relayed(&mut lab, &error((3, 4), 1000, &outer, 576)).len(), 0);
    assert_eq!(lab.punts().len(), 1);
}

#[test]
fn what_we_did_not_send_is_not_believed_r128() {
    let mut lab = lab();
    let outer4 = sent(&mut lab, &udp(V4, "10.4.0.7", 1400));
    let outer6 = sent(&mut lab, &udp(V6, "2001:db8:e006::7", 1390));
    type Change = fn(&mut Vec<u8>);
    let cases: [(&str, Change, Change); 6] = [
        ("to another RLOC", |o| o[19] ^= 1, |o| o[39] ^= 1),
        ("from a port that is not ours", |o| o[20] = 0x10, |o| o[40] = 0x10),
        ("from another port than this flow has", |o| o[21] ^= 1, |o| o[41] ^= 1),
        ("of an instance without VRF", |o| (o[28], o[34]) = (8, 99), |o| (o[48], o[54]) = (8, 99)),
        ("to an EID that we do not know", |o| o[36 + 17] ^= 0x40, |o| o[56 + 24] ^= 0x40),
        ("to an EID behind another RLOC", |o| o[36 + 18] ^= 6, |o| o[56 + 28 + 1] ^= 2),
    ];
    for (name, change4, change6) in cases {
        let (mut four, mut six) = (outer4.clone(), outer6.clone());
        change4(&mut four);
        change6(&mut six);
        fix_inner_checksum(&mut four[36..]);
        assert_eq!(lab.core(&error((3, 4), 1000, &four, 576)), Fate::Dropped(CoreErrorForged), "{name}");
        assert_eq!(
            lab.core(&error((2, 0), 1300, &six, 1232)),
            Fate::Dropped(CoreErrorForged),
            "{name}, IPv6"
        );
    }
    let mut error = error((3, 4), 1000, &outer4, 576);
    error.payload[2] ^= 1;
    assert_eq!(lab.core(&error), Fate::Dropped(CoreErrorForged), "ICMP checksum");
    let other = icmp(ROUTER4, "198.51.100.2", (3, 4), 1000, &{
        let mut outer = outer4.clone();
        outer[15] = 77;
        outer
    });
    assert_eq!(lab.core(&other), Fate::Dropped(CoreErrorForged), "a packet from somebody else");
    assert_eq!(lab.punts(), []);
}

fn fix_inner_checksum(inner: &mut [u8]) {
    inner[10..12].fill(0);
    let sum = etherparse::Ipv4Header::from_slice(inner).unwrap().0.calc_header_checksum();
    inner[10..12].copy_from_slice(&sum.to_be_bytes());
}

#[test]
fn errors_about_other_packets_are_the_kernels_r133() {
    let mut lab = lab();
    let control = udp_ports(OURS, "203.0.113.4", 4342, 4342, &[0; 40]).ip();
    assert_eq!(lab.core(&error((3, 4), 1000, &control, 576)), Fate::Host);
    let tcp = proto(OURS6, "2001:db8:f::6", 6, &[0; 40]).ip();
    assert_eq!(lab.core(&error((1, 0), 0, &tcp, 576)), Fate::Host);
    assert_eq!(
        lab.core(&proto(ROUTER4, OURS, 1, &[8, 0, 0xF7, 0xFF, 0, 0, 0, 0])),
        Fate::Host,
        "echo request"
    );
}

#[test]
fn unreachable_is_a_hint_to_control_r091_r131() {
    for (kind, inner) in [((3, 1), udp(V4, "10.4.0.7", 40)), ((1, 3), udp(V4, "10.6.0.7", 40))] {
        let mut lab = lab();
        let outer = sent(&mut lab, &inner);
        assert_eq!(relayed(&mut lab, &error(kind, 0, &outer, 576)).len(), 0, "the source is not told");
        let [Punt::RlocUnreachable { .. }] = lab.punts()[..] else { panic!("a hint") };
    }
}

#[test]
fn a_traceroute_sees_the_routers_of_the_core_r132() {
    let cases = [
        (udp(V4, "10.4.0.7", 32), (11, 0), Some(ROUTER4)),
        (udp(V6, "2001:db8:e006::7", 32), (3, 0), Some(ROUTER6)),
        (udp(V4, "10.6.0.7", 32), (3, 0), None),
        (udp(V6, "2001:db8:e004::7", 32), (11, 0), None),
    ];
    for (inner, kind, router) in cases {
        let mut lab = lab();
        let inner = inner.ttl(2);
        let outer = sent(&mut lab, &inner);
        let told = relayed(&mut lab, &error(kind, 0, &outer, 1232));
        let Some(router) = router else {
            assert!(told.is_empty(), "no address of the core in this family");
            continue;
        };
        assert_eq!((told[0].source.to_string().as_str(), told[0].destination), (router, inner.source));
        assert_eq!(told[0].payload[8..], inner.hop().ip());
        assert_eq!(lab.punts(), []);
        // Off by default.
        lab.port(CORE, |port| port.policy = PortPolicy { relay_time_exceeded: false, ..port.policy });
        assert!(relayed(&mut lab, &error(kind, 0, &outer, 1232)).is_empty());
    }
}

#[test]
fn what_a_router_adds_behind_the_quote_stays_out_r130() {
    let mut lab = lab();
    let outer = sent(&mut lab, &udp(V4, "10.4.0.7", 32).ttl(2));
    // RFC 4884: 32 words quoted, zero-filled, then an extension.
    let quote = [&outer[..], &vec![0; 128 - outer.len()], &[0x20, 0, 0, 0, 0, 8, 1, 1, 9, 9, 9, 9]].concat();
    let told = relayed(&mut lab, &error((11, 0), 32 << 16, &quote, 576));
    assert_eq!(told[0].payload[8..], udp(V4, "10.4.0.7", 32).ttl(1).ip());
}

#[test]
fn stateless_ports_and_floods_r114_r147() {
    let mut lab = Lab::new();
    let outer = sent(&mut lab, &udp(V4, "10.4.0.7", 1400));
    let message = error((3, 4), 1000, &outer, 576);
    assert!(relayed(&mut lab, &message).is_empty(), "stateless: the port's MTU is all there is");
    assert_eq!(lab.punts(), []);
    let mut refused = 0;
    for _ in 0..300 {
        assert!(lab.io().inject(CORE, &message.frame(OUR_MAC[1], CORE_MAC)));
        lab.poll();
        refused = lab.snapshot().dropped(CoreErrorLimited);
    }
    assert_eq!(refused, 201, "100 of one router");
}
