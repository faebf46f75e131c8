//! Sub-interfaces: VLAN tags say whose a frame is, on the way in and on the way out.

use crate::lab::*;
use crate::packets::*;
use pxtr_dataplane::feed::*;
use pxtr_dataplane::types::*;
use pxtr_dataplane::verdict::DropReason::*;
use pxtr_dataplane::worker::SubInterface;

/// VLAN 100 of the native port, in the tenant's VRF; and 802.1ad 200 with 7 inside, in VRF 0.
const RED: PortId = PortId(3);
const QINQ: PortId = PortId(4);
const RED_TAG: [u8; 4] = [0x81, 0x00, 0x00, 100];
const QINQ_TAGS: [u8; 8] = [0x88, 0xA8, 0x00, 200, 0x81, 0x00, 0x00, 7];
const RED_HOST: AdjacencyId = AdjacencyId(9);

fn lab() -> Lab {
    let sub = |outer, inner: Option<u16>| SubInterface {
        parent: NATIVE,
        tags: Tags { outer, inner, service: inner.is_some() },
    };
    let mut lab = Lab::with_subinterfaces(&[sub(100, None), sub(200, Some(7))]);
    for (id, vrf, ipv4) in [(RED, 1, "192.0.2.1"), (QINQ, 0, "198.18.0.1")] {
        let spec = PortSpec {
            vrf: VrfId(vrf),
            native: true,
            mac: MacAddr(OUR_MAC[0]),
            mtu: 1500,
            ipv4: Some(ipv4.parse().unwrap()),
            ..PortSpec::default()
        };
        lab.apply(Delta::PortSet(id, Box::new(spec)));
    }
    let (source_mac, mac) = (MacAddr(OUR_MAC[0]), MacAddr(TENANT_MAC));
    lab.apply(Delta::AdjacencySet(RED_HOST, Adjacency::Ready { port: RED, source_mac, mac, mtu: 1500 }));
    lab.route(1, "192.0.2.9/32", Route::Via(RED_HOST));
    lab
}

fn tagged(packet: &Packet, tags: &[u8]) -> Vec<u8> {
    let frame = packet.frame(OUR_MAC[0], HOST_MAC);
    [&frame[..12], tags, &frame[12..]].concat()
}

#[test]
fn the_same_packet_goes_where_its_tags_say_r140() {
    let mut lab = lab();
    let packet = udp("192.0.2.9", "10.4.0.7", 30);
    for (name, tags, rloc) in [
        ("no tag", &[][..], "203.0.113.4"),
        ("a priority alone", &[0x81, 0x00, 0xA0, 0], "203.0.113.4"),
        ("one tag", &RED_TAG, "2001:db8:f::6"),
        ("one tag with a priority", &[0x81, 0x00, 0xE0, 100], "2001:db8:f::6"),
        ("the tag as a service tag", &[0x88, 0xA8, 0, 100], "2001:db8:f::6"),
        ("two tags", &QINQ_TAGS, "203.0.113.4"),
    ] {
        let (port, seen) = lab.receive(NATIVE, &tagged(&packet, tags)).sent();
        assert_eq!(port, CORE, "{name}");
        assert_eq!(seen.destination, rloc.parse::<std::net::IpAddr>().unwrap(), "{name}");
    }
}

#[test]
fn what_leaves_by_a_sub_interface_has_its_tags() {
    let mut lab = lab();
    let packet = udp("192.0.2.77", "192.0.2.9", 30);
    let Fate::Tx(NATIVE, frame) = lab.receive(NATIVE, &tagged(&packet, &RED_TAG)) else { panic!("not sent") };
    assert_eq!(frame[..12], [TENANT_MAC, OUR_MAC[0]].concat());
    assert_eq!(frame[12..16], RED_TAG);
    assert_eq!(frame[16..18], [8, 0]);
}

#[test]
fn an_error_goes_back_with_the_tags_and_the_address_of_the_tenant_r149() {
    let mut lab = lab();
    let packet = udp("192.0.2.9", "10.99.0.1", 30);
    let Fate::Told(reason, NATIVE, frame) = lab.receive(NATIVE, &tagged(&packet, &RED_TAG)) else {
        panic!("nobody was told")
    };
    assert_eq!(reason, NoRoute);
    assert_eq!(frame[12..16], RED_TAG);
    assert_eq!(frame[16 + 2 + 12..][..4], [192, 0, 2, 1]);
}

#[test]
fn frames_for_the_kernel_keep_their_tags_and_strangers_are_dropped() {
    let mut lab = lab();
    let to_us = udp("192.0.2.9", "192.0.2.1", 30);
    assert_eq!(lab.receive(NATIVE, &tagged(&to_us, &RED_TAG)), Fate::Host);
    let packet = udp("192.0.2.9", "10.4.0.7", 30);
    for (name, port, tags, reason) in [
        ("an identifier of nobody", NATIVE, &[0x81, 0x00, 0, 101][..], VlanUnknown),
        ("only half of the tags", NATIVE, &[0x88, 0xA8, 0, 200], VlanUnknown),
        ("one tag too many", NATIVE, &[0x81, 0x00, 0, 100, 0x81, 0x00, 0, 7], VlanUnknown),
        ("a port without sub-interfaces", CORE, &RED_TAG, VlanTagged),
    ] {
        let mut frame = tagged(&packet, tags);
        frame[..6].copy_from_slice(&OUR_MAC[usize::from(port.0)]);
        assert_eq!(lab.receive(port, &frame), Fate::Dropped(reason), "{name}");
    }
    let short = &tagged(&packet, &RED_TAG)[..15];
    assert_eq!(lab.receive(NATIVE, short), Fate::Dropped(FrameTooShort));
}

#[test]
fn a_burst_of_all_kinds_is_sorted_and_counted() {
    let mut lab = lab();
    let packet = udp("192.0.2.9", "10.4.0.7", 30);
    for n in 0..32 {
        let tags: &[u8] = [&[][..], &RED_TAG, &QINQ_TAGS, &[0x81, 0x00, 0, 9]][n % 4];
        assert!(lab.io().inject(NATIVE, &tagged(&packet, tags)));
    }
    let before = lab.snapshot();
    lab.poll();
    let after = lab.snapshot();
    assert_eq!(after.received - before.received, 32);
    assert_eq!(after.encapsulated - before.encapsulated, 24);
    assert_eq!(after.dropped(VlanUnknown), 8);
    assert_eq!(lab.sent(CORE).len(), 24);
}

#[test]
fn a_burst_out_of_lisp_leaves_with_the_tags_of_the_tenant_r140() {
    let mut lab = lab();
    let inner = udp("10.4.0.7", "192.0.2.9", 50).ip();
    let frame = lisp("203.0.113.4", "198.51.100.2", instance(101), &inner).frame(OUR_MAC[1], CORE_MAC);
    for _ in 0..32 {
        assert!(lab.io().inject(CORE, &frame));
    }
    lab.poll();
    let sent = lab.sent(NATIVE);
    assert_eq!(sent.len(), 32);
    assert!(sent.iter().all(|frame| frame[12..16] == RED_TAG));
}

#[test]
fn a_sub_interface_and_a_vrf_have_counters() {
    let mut lab = lab();
    let out = udp("192.0.2.9", "10.4.0.7", 30);
    lab.receive(NATIVE, &tagged(&out, &RED_TAG));
    lab.receive(NATIVE, &tagged(&out, &QINQ_TAGS));
    lab.receive(NATIVE, &tagged(&out, &[0x81, 0x00, 0x00, 99]));
    let inner = udp("10.4.0.7", "192.0.2.9", 12);
    let back = lisp("203.0.113.4", "198.51.100.2", instance(101), &inner.ip());
    lab.receive(CORE, &back.frame(OUR_MAC[1], CORE_MAC));
    let len = out.frame(OUR_MAC[0], HOST_MAC).len() as u64;
    let inner_len = 14 + inner.ip().len() as u64;
    let traffic = lab.worker().replica().traffic().clone();

    let red = traffic.subinterface(RED).unwrap();
    assert_eq!((red.received.read(), red.sent.read()), ((1, len), (1, inner_len)));
    let qinq = traffic.subinterface(QINQ).unwrap();
    assert_eq!((qinq.received.read(), qinq.sent.read()), ((1, len), (0, 0)));

    let tenant = traffic.vrf(VrfId(1)).unwrap();
    assert_eq!(tenant.received.read(), (1, len));
    assert_eq!(tenant.encapsulated.read(), (1, len + 56), "to an IPv6 RLOC");
    assert_eq!((tenant.decapsulated.read(), tenant.forwarded.read()), ((1, inner_len), (1, inner_len)));
    assert_eq!(tenant.dropped.get(), 0);
    // The frame of a foreign VLAN is the trunk's, and LISP data the underlay's until it is decapsulated.
    let default = traffic.vrf(VrfId(0)).unwrap();
    assert_eq!((default.received.read().0, default.encapsulated.read().0), (3, 1));
    assert_eq!((default.decapsulated.read().0, default.forwarded.read().0, default.dropped.get()), (0, 0, 1));
}
