//! Differences that were found, each with the rule that decided it. The worker was mended in all of them.

use super::compare::compare_one;
use super::judge::Fate;
use super::make::{neighbour, ours};
use super::read::set_header_checksum;
use super::world::World;
use ipnet::IpNet;
use pxtr_dataplane::admission::{Admission, VrfAdmission};
use pxtr_dataplane::feed::*;
use pxtr_dataplane::path::flow::FlowKey;
use pxtr_dataplane::types::*;
use pxtr_dataplane::verdict::DropReason;

/// A PITR and PETR between a native network on port 0 and an underlay on port 1; `action` is what the
/// map-cache says of everything. No route leads anywhere but to ourselves.
fn world(action: MapAction) -> World {
    let port = |id: u16, underlay: bool| PortSpec {
        underlay,
        native: !underlay,
        mac: ours(id),
        mtu: 1500,
        ipv4: Some([192, 0, 2, 1 + id as u8].into()),
        ipv6: Some([0x2001, 0xDB8, 1, 0, 0, 0, 0, 1 + id].into()),
        ..PortSpec::default()
    };
    let all = |text: &str| -> IpNet { text.parse().unwrap() };
    let own = ["192.0.2.1/32", "192.0.2.2/32", "2001:db8:1::1/128"];
    World {
        key: FlowKey::new([1, 2, 3, 4]),
        verify: false,
        ports: vec![Some(port(0, false)), Some(port(1, true))],
        vrfs: vec![Some(VrfSpec { pitr: true, petr: true, ..VrfSpec::default() })],
        local_rlocs: vec!["198.51.100.2".parse().unwrap()],
        rlocs: Vec::new(),
        sets: Vec::new(),
        mappings: ["0.0.0.0/0", "::/0"].map(|net| (VrfId(0), all(net), (action, Vec::new()))).into(),
        routes: own.map(|net| (VrfId(0), all(net), Route::Local)).into(),
        adjacencies: Vec::new(),
        local_eids: Vec::new(),
        admission: Admission::default(),
        gpe_peers: Vec::new(),
        outer_sources: Vec::new(),
        sites: Vec::new(),
        site_rules: Vec::new(),
        vrf_admission: vec![VrfAdmission::default()],
    }
}

/// One RLOC for all of the EID space.
fn with_rloc() -> World {
    let mut world = world(MapAction::Encapsulate(Target::Rloc(RlocId(0))));
    world.rlocs.push(RlocState::Ready(Box::new(RlocRewrite {
        source: "198.51.100.2".parse().unwrap(),
        destination: "203.0.113.4".parse().unwrap(),
        port: PortId(1),
        source_mac: ours(1),
        next_hop_mac: neighbour(9),
        mtu: 1400,
        options: RlocOptions::default(),
        nonce: None,
    })));
    world
}

/// LISP data for an EID, around this.
fn lisp(inner: &[u8]) -> Vec<u8> {
    let [len0, len1] = (16 + inner.len() as u16).to_be_bytes();
    let udp = [0xC0, 0, 0x10, 0xF5, len0, len1, 0, 0];
    v4([192, 0, 2, 9], [10, 9, 9, 9], 17, &[&udp[..], &[0; 8], inner].concat())
}

fn frame(port: u16, packet: &[u8]) -> Vec<u8> {
    let ethertype: [u8; 2] = if packet[0] >> 4 == 4 { [8, 0] } else { [0x86, 0xDD] };
    [&ours(port).0[..], &neighbour(1).0, &ethertype, packet].concat()
}

fn v4(source: [u8; 4], destination: [u8; 4], protocol: u8, payload: &[u8]) -> Vec<u8> {
    let [len0, len1] = (20 + payload.len() as u16).to_be_bytes();
    let header = [0x45, 0, len0, len1, 0, 0, 0x40, 0, 64, protocol, 0, 0];
    let mut packet = [&header[..], &source, &destination, payload].concat();
    set_header_checksum(&mut packet);
    packet
}

fn v6(destination: [u16; 8], next: u8, payload: &[u8]) -> Vec<u8> {
    let [len0, len1] = (payload.len() as u16).to_be_bytes();
    let source = [0x2001, 0xDB8, 9, 0, 0, 0, 0, 9].map(u16::to_be_bytes);
    let destination = destination.map(u16::to_be_bytes);
    let header = [0x60, 0, 0, 0, len0, len1, next, 64];
    [&header[..], source.as_flattened(), destination.as_flattened(), payload].concat()
}

/// nothing of the inner packet is read behind the end of the UDP datagram. It was, up to the end of
/// the frame, and the drop got the name of another fault.
#[test]
fn what_lies_behind_the_datagram_is_not_read_r039() {
    let inner = v4([10, 0, 0, 1], [192, 0, 2, 9], 17, &[0; 12]);
    let udp = [0xC0, 0, 0x10, 0xF5, 0, 16 + 10, 0, 0];
    let outer = v4([203, 0, 113, 4], [198, 51, 100, 2], 17, &[&udp[..], &[0; 8], &inner].concat());
    let outcome = compare_one(&world(MapAction::LocalSite), PortId(1), &frame(1, &outer));
    assert_eq!(outcome.fate, Some(Fate::Dropped(DropReason::InnerHeader)));
}

/// an address of ours is no EID, whatever EID space is around it. LISP control to it from a
/// native port waited for a mapping of ourselves, and control was asked for one.
#[test]
fn nobody_asks_for_a_mapping_of_ourselves_r011_r217() {
    let control = v4([192, 0, 2, 9], [192, 0, 2, 1], 17, &[0x10, 0xF6, 0x10, 0xF6, 0, 8, 0, 0]);
    let world = world(MapAction::SendMapRequest);
    let outcome = compare_one(&world, PortId(0), &frame(0, &control));
    assert_eq!(outcome.fate, Some(Fate::Dropped(DropReason::ControlNotUnderlay)));
    assert_eq!(outcome.asks, []);
}

/// silent drops stay silent. Under a mapping that says Natively-Forward all of them were told, not
/// only the blackhole of R-020: a scanner of our control port got an answer.
#[test]
fn silence_is_kept_under_natively_forward_r149() {
    let control = v4([192, 0, 2, 9], [192, 0, 2, 1], 17, &[0x10, 0xF6, 0x10, 0xF6, 0, 8, 0, 0]);
    let outcome = compare_one(&world(MapAction::NativelyForward), PortId(0), &frame(0, &control));
    assert_eq!(outcome.fate, Some(Fate::Dropped(DropReason::ControlNotUnderlay)));
    assert_eq!((outcome.counts.told, outcome.counts.untold), (0, 0));
}

/// R-146, RFC 4443 section 2.4 (e.1): what a chain of extension headers ends in may be an ICMPv6 error
/// when its end was not found, at a Fragment header as at any other.
#[test]
fn no_error_about_a_chain_that_ends_in_a_fragment_header_r146() {
    let host = [0x2001, 0xDB8, 7, 0, 0, 0, 0, 7];
    for chain in [
        // The Fragment header is the fifth one; or it is cut off.
        &[60, 0, 1, 4, 0, 0, 0, 0, 60, 0, 1, 4, 0, 0, 0, 0, 60, 0, 1, 4, 0, 0, 0, 0, 44, 0, 1, 4, 0, 0, 0, 0]
            [..],
        &[44, 0, 1, 4, 0, 0, 0, 0, 58, 0, 0, 0][..],
    ] {
        let packet = v6(host, 60, chain);
        let outcome = compare_one(&world(MapAction::DropNoReason), PortId(0), &frame(0, &packet));
        assert_eq!(outcome.fate, Some(Fate::Dropped(DropReason::MapDrop)));
        assert_eq!((outcome.counts.told, outcome.counts.untold), (0, 1));
    }
}

/// an ICMP packet without a type is no request. The type was read out of the padding of its frame.
#[test]
fn padding_is_no_icmp_type_r146() {
    let mut padded = frame(0, &v4([192, 0, 2, 9], [10, 9, 9, 9], 1, &[]));
    padded.resize(60, 8);
    let outcome = compare_one(&world(MapAction::DropNoReason), PortId(0), &padded);
    assert_eq!((outcome.counts.told, outcome.counts.untold), (0, 1));
}

/// R-011, RFC 4291 section 2.7: the scope of a multicast address is four bits, flags are the four before
/// them. Link-scope groups with flags (transient, source-specific) were dropped instead of left to the kernel.
#[test]
fn link_scope_multicast_is_the_kernels_whatever_its_flags_r011() {
    let own_mac = world(MapAction::DropNoReason);
    for (group, fate) in [
        (0xFF02, Fate::Kernel),
        (0xFF12, Fate::Kernel),
        (0xFF32, Fate::Kernel),
        (0xFF11, Fate::Dropped(DropReason::MartianDestination)),
        (0xFF15, Fate::Dropped(DropReason::Multicast)),
    ] {
        let packet = v6([group, 0, 0, 0, 0, 0, 0, 1], 17, &[0; 8]);
        assert_eq!(compare_one(&own_mac, PortId(0), &frame(0, &packet)).fate, Some(fate), "{group:x}");
    }
}

/// what would go back to where it came from is dropped for that, whatever its size; its source was
/// told the MTU of a way that it must not take, or its pieces were dropped under another name.
#[test]
fn a_loop_is_a_loop_for_large_packets_too_r020() {
    let mut world = world(MapAction::NativelyForward);
    let (port, source_mac, mac) = (PortId(0), ours(0), neighbour(1));
    world.adjacencies.push(Adjacency::Ready { port, source_mac, mac, mtu: 1280 });
    world.routes.push((VrfId(0), "0.0.0.0/0".parse().unwrap(), Route::Via(AdjacencyId(0))));
    for fragmentable in [false, true] {
        let mut packet = v4([192, 0, 2, 9], [10, 9, 9, 9], 17, &[0; 1400]);
        packet[6] = if fragmentable { 0 } else { 0x40 };
        set_header_checksum(&mut packet);
        let outcome = compare_one(&world, PortId(0), &frame(0, &packet));
        assert_eq!(outcome.fate, Some(Fate::Dropped(DropReason::NativeLoop)));
        assert_eq!(outcome.counts.told, 1);
    }
}

/// nested LISP data is dropped as that, however large it is. It was told an MTU, or cut: then the
/// pieces but the first got away with a third header each.
#[test]
fn large_nested_packets_are_nested_packets_r007() {
    for fragmentable in [false, true] {
        let mut packet = lisp(&lisp(&v4([10, 0, 0, 1], [10, 0, 0, 2], 17, &[0; 1400])));
        packet[6] = if fragmentable { 0 } else { 0x40 };
        set_header_checksum(&mut packet);
        let outcome = compare_one(&with_rloc(), PortId(0), &frame(0, &packet));
        assert_eq!(outcome.fate, Some(Fate::Dropped(DropReason::NestedLisp)));
        assert_eq!(outcome.sent, []);
    }
}

/// a later fragment has no ports, so it is no LISP data. What stood in their place was read.
#[test]
fn a_later_fragment_inside_is_no_lisp_header_r007() {
    let mut inner = v4([10, 0, 0, 1], [10, 0, 0, 2], 17, &[0, 0, 0x10, 0xF5, 0, 0, 0, 0]);
    inner[6..8].copy_from_slice(&[0, 9]);
    set_header_checksum(&mut inner);
    let in_v6 =
        v6([0x2001, 0xDB8, 7, 0, 0, 0, 0, 7], 44, &[17, 0, 0, 72, 1, 2, 3, 4, 0, 0, 0x10, 0xF5, 0, 0, 0, 0]);
    for inner in [inner, in_v6] {
        let outcome = compare_one(&with_rloc(), PortId(0), &frame(0, &lisp(&inner)));
        assert_eq!(outcome.fate, Some(Fate::Sent));
    }
}

/// an ICMP packet without a type is no error of the core. It was one by the padding of its frame, and
/// went to the kernel on a port that takes no native packets.
#[test]
fn padding_is_no_error_of_the_core_r128() {
    let mut padded = frame(1, &v4([203, 0, 113, 4], [198, 51, 100, 2], 1, &[]));
    padded.resize(60, 3);
    let outcome = compare_one(&world(MapAction::DropNoReason), PortId(1), &padded);
    assert_eq!(outcome.fate, Some(Fate::Dropped(DropReason::NativeNotAllowed)));
}
