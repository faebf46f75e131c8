//! What goes to the kernel, and what is dropped at the door.

use crate::lab::*;
use crate::packets::*;
use pxtr_dataplane::verdict::DropReason::*;

const V4: &str = "192.0.2.9";
const V6: &str = "2001:db8:1::9";
const BROADCAST: [u8; 6] = [0xFF; 6];

fn arp(len: usize) -> Vec<u8> {
    let mut message = vec![0, 1, 8, 0, 6, 4, 0, 1];
    message.extend(HOST_MAC);
    message.extend([192, 0, 2, 9, 0, 0, 0, 0, 0, 0, 192, 0, 2, 1]);
    message.truncate(len);
    message
}

#[test]
fn frames_by_their_ethernet_header() {
    let ours = OUR_MAC[0];
    let group = [0x01, 0x80, 0xC2, 0, 0, 0];
    let ip = udp(V4, "10.4.0.7", 4).ip();
    let cases: [(&str, Vec<u8>, Fate); 13] = [
        ("ARP request", frame(BROADCAST, HOST_MAC, 0x0806, &arp(28)), Fate::Host),
        ("ARP reply to us", frame(ours, HOST_MAC, 0x0806, &arp(28)), Fate::Host),
        ("ARP cut short", frame(ours, HOST_MAC, 0x0806, &arp(27)), Fate::Dropped(ArpMalformed)),
        ("not our MAC", frame([2, 0, 0, 0, 0, 0x77], HOST_MAC, 0x0800, &ip), Fate::Dropped(NotOurMac)),
        ("802.1Q", frame(ours, HOST_MAC, 0x8100, &ip), Fate::Dropped(VlanTagged)),
        ("802.1ad", frame(ours, HOST_MAC, 0x88A8, &ip), Fate::Dropped(VlanTagged)),
        ("spanning tree", frame(group, HOST_MAC, 0x0026, &[0x42; 38]), Fate::Host),
        ("LLDP", frame(group, HOST_MAC, 0x88CC, &[0; 40]), Fate::Host),
        ("LACP", frame(group, HOST_MAC, 0x8809, &[0; 40]), Fate::Host),
        ("LLC to us alone", frame(ours, HOST_MAC, 0x0026, &[0x42; 38]), Fate::Dropped(EthertypeUnknown)),
        ("MPLS", frame(ours, HOST_MAC, 0x8847, &ip), Fate::Dropped(EthertypeUnknown)),
        ("unicast in a broadcast", frame(BROADCAST, HOST_MAC, 0x0800, &ip), Fate::Dropped(LinkBroadcast)),
        ("13 bytes", vec![2; 13], Fate::Dropped(FrameTooShort)),
    ];
    for (name, frame, fate) in cases {
        assert_eq!(Lab::new().receive(NATIVE, &frame), fate, "{name}");
    }
}

#[test]
fn our_addresses_are_the_kernels_whatever_the_ttl_r145() {
    let mut lab = Lab::new();
    for ttl in [0, 1, 64] {
        assert_eq!(lab.native(&udp(V4, "192.0.2.1", 4).ttl(ttl)), Fate::Host);
        assert_eq!(lab.native(&udp(V6, "2001:db8:1::1", 4).ttl(ttl)), Fate::Host);
        // The address of another port of ours is ours, too.
        assert_eq!(lab.native(&udp(V4, "198.51.100.2", 4).ttl(ttl)), Fate::Host);
        assert_eq!(lab.core(&udp("203.0.113.4", "198.51.100.2", 4).ttl(ttl)), Fate::Host);
    }
    // Neighbour discovery: solicitation to the solicited-node group, advertisement to us, and the
    // unicast probe of a neighbour that uses its link-local address.
    let icmp6 = |from, to, kind: u8| proto(from, to, 58, &[kind, 0, 0, 0, 0, 0, 0, 0]).ttl(255);
    let group = [0x33, 0x33, 0xFF, 0, 0, 1];
    assert_eq!(lab.receive(NATIVE, &icmp6("::", "ff02::1:ff00:1", 135).frame(group, HOST_MAC)), Fate::Host);
    assert_eq!(lab.native(&icmp6(V6, "2001:db8:1::1", 136)), Fate::Host);
    assert_eq!(lab.native(&icmp6("fe80::9", "2001:db8:1::1", 135)), Fate::Host);
    assert_eq!(lab.native(&icmp6("fe80::9", "fe80::1", 135)), Fate::Host);
    // DHCP discover.
    assert_eq!(
        lab.receive(NATIVE, &udp("0.0.0.0", "255.255.255.255", 4).frame(BROADCAST, HOST_MAC)),
        Fate::Host
    );
    // An address of ours inside EID space is ours even so.
    lab.route(0, "10.99.0.1/32", pxtr_dataplane::feed::Route::Local);
    assert_eq!(lab.native(&udp(V4, "10.99.0.1", 4)), Fate::Host);
    assert!(lab.punts().is_empty());
}

#[test]
fn lisp_is_not_spoken_on_native_ports_r217() {
    let mut lab = Lab::new();
    let to = |address, port| udp_ports(V4, address, 5000, port, &[0x10; 40]);
    assert_eq!(lab.native(&to("198.51.100.2", 4342)), Fate::Dropped(ControlNotUnderlay));
    assert_eq!(lab.native(&to("192.0.2.1", 4342)), Fate::Dropped(ControlNotUnderlay));
    assert_eq!(lab.native(&udp_ports(V4, "192.0.2.1", 4342, 9, &[])), Fate::Dropped(ControlNotUnderlay));
    assert_eq!(lab.native(&to("198.51.100.2", 4341)), Fate::Dropped(LispNotUnderlay));
    assert_eq!(lab.native(&to("192.0.2.1", 4341)), Fate::Dropped(LispNotUnderlay));
    assert_eq!(
        lab.native(&udp_ports(V6, "2001:db8:c0::2", 9, 4341, &[0; 40])),
        Fate::Dropped(LispNotUnderlay)
    );
    // On the underlay control is the kernel's, with either port (wire.md TRAP 2).
    assert_eq!(lab.core(&udp_ports("203.0.113.4", "198.51.100.2", 5000, 4342, &[])), Fate::Host);
    assert_eq!(lab.core(&udp_ports("203.0.113.4", "198.51.100.2", 4342, 5000, &[])), Fate::Host);
}

#[test]
fn an_underlay_port_forwards_nothing_native() {
    let mut lab = Lab::new();
    assert_eq!(lab.core(&udp("203.0.113.4", "10.4.0.7", 4)), Fate::Dropped(NativeNotAllowed));
    assert_eq!(lab.core(&udp("203.0.113.4", "8.8.8.8", 4)), Fate::Dropped(NativeNotAllowed));
    assert_eq!(lab.core(&udp("203.0.113.4", "192.0.2.9", 4).ttl(1)), Fate::Dropped(NativeNotAllowed));
}

#[test]
fn fragments_for_us_go_to_the_kernel_unless_they_hide_their_ports() {
    let mut lab = Lab::new();
    let to_us = udp("203.0.113.4", "198.51.100.2", 64);
    assert_eq!(lab.core(&to_us.clone().fragment(true, 0)), Fate::Host);
    assert_eq!(lab.core(&to_us.clone().fragment(false, 9)), Fate::Host);
    assert_eq!(lab.native(&to_us.clone().fragment(false, 9)), Fate::Host, "no LISP comes in there");
    let tiny = proto("203.0.113.4", "198.51.100.2", 17, &[]).fragment(true, 0);
    assert_eq!(lab.core(&tiny), Fate::Dropped(FragmentTiny));
}

#[test]
fn malformed_headers_each_have_their_reason_r144_r152() {
    type Change = fn(&mut Vec<u8>);
    let v4: [(&str, Change, _); 6] = [
        ("short", |f| f.truncate(14 + 19), Ipv4HeaderShort),
        ("version", |f| f[14] = 0x65, Ipv4Version),
        ("IHL 4", |f| f[14] = 0x44, Ipv4HeaderLength),
        ("IHL 15", |f| f[14] = 0x4F, Ipv4HeaderLength),
        ("total length", |f| f[16] = 0xFF, Ipv4TotalLength),
        ("checksum", |f| f[24] ^= 0x40, Ipv4Checksum),
    ];
    for (name, change, reason) in v4 {
        let mut frame = udp(V4, "10.4.0.7", 4).frame(OUR_MAC[0], HOST_MAC);
        change(&mut frame);
        assert_eq!(Lab::new().receive(NATIVE, &frame), Fate::Dropped(reason), "{name}");
    }
    let v6: [(&str, Change, _); 3] = [
        ("short", |f| f.truncate(14 + 39), Ipv6HeaderShort),
        ("version", |f| f[14] = 0x45, Ipv6Version),
        ("payload length", |f| f[18] = 0xFF, Ipv6PayloadLength),
    ];
    for (name, change, reason) in v6 {
        let mut frame = udp(V6, "2001:db8:e004::7", 4).frame(OUR_MAC[0], HOST_MAC);
        change(&mut frame);
        assert_eq!(Lab::new().receive(NATIVE, &frame), Fate::Dropped(reason), "{name}");
    }
    let mut lab = Lab::new();
    let with = |options: &[u8]| udp(V4, "10.4.0.7", 4).options(options);
    assert_eq!(lab.native(&with(&[131, 7, 4, 10, 0, 0, 1, 0])), Fate::Dropped(Ipv4SourceRoute));
    assert_eq!(lab.native(&with(&[137, 3, 4, 0])), Fate::Dropped(Ipv4SourceRoute));
    assert_eq!(lab.native(&with(&[7, 200, 4, 0])), Fate::Dropped(Ipv4OptionsMalformed));
    let router_alert = with(&[148, 4, 0, 0]);
    assert_eq!(lab.native(&router_alert).sent().1.lisp().inner, router_alert.hop().ip());
}

#[test]
fn nothing_is_forwarded_before_control_has_set_the_port_up() {
    let mut lab = Lab::new();
    lab.port(TENANT, |spec| spec.vrf = pxtr_dataplane::types::VrfId(3));
    let packet = udp(V4, "10.4.0.7", 4);
    assert_eq!(lab.receive(TENANT, &packet.frame(OUR_MAC[2], TENANT_MAC)), Fate::Dropped(VrfUnknown));
}

#[test]
fn the_kernels_own_packets_leave_unchanged() {
    let mut lab = Lab::new();
    let frame = udp("192.0.2.1", V4, 4).frame(HOST_MAC, OUR_MAC[0]);
    assert!(lab.io().inject_from_host(NATIVE, &frame));
    lab.poll();
    assert_eq!(lab.sent(NATIVE), [frame]);
    let now = lab.snapshot();
    assert_eq!((now.from_host, now.received, now.tx), (1, 0, 0));
}

/// Map-Requests and probes go where the kernel routes them, also to an address that the map-cache has
/// a locator for.
#[test]
fn control_messages_are_never_looked_up_in_the_map_cache_r008() {
    let mut lab = Lab::new();
    for to in ["10.4.0.7", "10.99.0.1", "203.0.113.4"] {
        let request = udp_ports("198.51.100.2", to, 4342, 4342, &data(60));
        let frame = request.frame(CORE_MAC, OUR_MAC[1]);
        assert!(lab.io().inject_from_host(CORE, &frame));
        lab.poll();
        assert_eq!(lab.sent(CORE), [frame], "{to}");
    }
    let now = lab.snapshot();
    assert_eq!((now.from_host, now.encapsulated, now.held), (3, 0, 0));
    assert!(lab.punts().is_empty(), "and nobody is asked about it");
}

#[test]
fn a_full_way_to_the_kernel_is_a_named_drop() {
    let mut lab = Lab::new();
    for _ in 0..300 {
        lab.io().inject(NATIVE, &frame(BROADCAST, HOST_MAC, 0x0806, &arp(28)));
        lab.poll();
    }
    let now = lab.snapshot();
    assert_eq!((now.host, now.dropped(HostFullNeighbour)), (256, 44));
}
