//! Two workers behind one queue: packets are handed over by their flow, and both do all that one does.

use crate::lab::*;
use crate::packets::*;
use pxtr_dataplane::counters::Snapshot;
use pxtr_dataplane::feed::{Adjacency, Delta, MapAction, PortSpec, Route, Target};
use pxtr_dataplane::path::flow::FlowFields;
use pxtr_dataplane::punt::Punt;
use pxtr_dataplane::types::{AdjacencyId, MacAddr, PortId, Tags, VrfId};
use pxtr_dataplane::verdict::DropReason;
use pxtr_dataplane::watch::{Event, Filter};
use pxtr_dataplane::worker::SubInterface;
use std::collections::{BTreeMap, BTreeSet};

const HOST_IP: &str = "192.0.2.9";
const RLOC_IP: &str = "203.0.113.4";
const OURS: &str = "198.51.100.2";

fn pair() -> [Lab; 2] {
    Lab::pair(|_| {}, &[])
}

/// Packet number `number` of a flow.
fn of_flow(flow: u16, number: u32, there: bool) -> Packet {
    let site = format!("10.4.0.{}", flow % 250 + 1);
    let data = number.to_be_bytes();
    if there {
        udp_ports(HOST_IP, &site, 2000 + flow, 53, &data)
    } else {
        udp_ports(&site, HOST_IP, 53, 2000 + flow, &data)
    }
}

/// Rounds of both, until nothing is on its way.
fn settle(labs: &mut [Lab; 2]) {
    for _ in 0..12 {
        for lab in labs.iter_mut() {
            lab.poll();
        }
    }
}

/// All fates but that of having been handed over are those of the packets received.
fn together(labs: &[Lab; 2]) -> [Snapshot; 2] {
    let both = [labs[0].snapshot(), labs[1].snapshot()];
    let fates: u64 = both.iter().map(|one| one.fates() - one.handed_over).sum();
    assert_eq!(fates, both.iter().map(|one| one.received).sum::<u64>(), "fates = received, together");
    let handed: u64 = both.iter().map(|one| one.handed_over).sum();
    assert_eq!(handed, both.iter().map(|one| one.taken_over).sum::<u64>(), "handed over = taken over");
    both
}

/// By worker and flow: the numbers of its packets in the order in which they were sent on `port`.
fn flows(labs: &mut [Lab; 2], port: PortId, seen: &mut BTreeMap<(usize, u16), Vec<u32>>) {
    for (worker, lab) in labs.iter_mut().enumerate() {
        for frame in lab.sent(port) {
            let outer = dissect(&frame);
            let packet = if port == CORE { dissect_ip(&outer.lisp().inner) } else { outer };
            let ports: Vec<u16> =
                packet.payload.chunks(2).take(2).map(|two| u16::from_be_bytes([two[0], two[1]])).collect();
            let number = u32::from_be_bytes(packet.payload[8..12].try_into().expect("four bytes"));
            seen.entry((worker, ports[0].max(ports[1]) - 2000)).or_default().push(number);
        }
    }
}

#[test]
fn each_flow_has_a_worker_and_stays_in_order_both_ways() {
    let mut labs = pair();
    let (mut there, mut back) = (BTreeMap::new(), BTreeMap::new());
    for number in 0..20 {
        for flow in 0..100 {
            let native = of_flow(flow, number, true).frame(OUR_MAC[0], HOST_MAC);
            // One router, one UDP port: one outer flow.
            let inner = of_flow(flow, number, false).ip();
            let lisp = lisp(RLOC_IP, OURS, [0; 8], &inner).frame(OUR_MAC[1], CORE_MAC);
            assert!(labs[0].io().inject(NATIVE, &native) && labs[0].io().inject(CORE, &lisp));
        }
        settle(&mut labs);
        flows(&mut labs, CORE, &mut there);
        flows(&mut labs, NATIVE, &mut back);
    }
    assert_eq!(there.len(), 100, "each flow at one worker");
    assert_eq!(there, back, "both directions at the same one");
    assert!(there.values().all(|numbers| numbers.iter().copied().eq(0..20)), "in order");
    let [one, two] = together(&labs);
    assert_eq!((one.received, two.received, two.taken_over), (4000, 0, one.handed_over));
    for worker in [&one, &two] {
        assert!((600..1400).contains(&worker.encapsulated), "{}", worker.encapsulated);
        assert_eq!(worker.encapsulated, worker.decapsulated);
    }
    let bytes = 2000 * (14 + 20 + 8 + 4) + 2000 * (14 + 36 + 20 + 8 + 4);
    assert_eq!((one.received_bytes, two.received_bytes), (bytes, 0));
    assert!(two.taken_over_bytes > 0 && two.taken_over_bytes < bytes);
}

#[test]
fn fragments_of_a_packet_meet_at_one_worker_r123() {
    let mut labs = pair();
    for source in 1..=40u8 {
        let from = format!("203.0.113.{source}");
        let packet = lisp(&from, OURS, [0; 8], &udp("10.4.0.7", HOST_IP, 600).ip());
        for (start, more) in [(320, true), (0, true), (608, false)] {
            let mut piece = packet.clone();
            let end = if more { start + [320, 288][start / 320] } else { packet.payload.len() };
            piece.payload = packet.payload[start..end].to_vec();
            piece.id = 7;
            let frame = piece.fragment(more, start as u16 / 8).frame(OUR_MAC[1], CORE_MAC);
            assert!(labs[0].io().inject(CORE, &frame));
        }
    }
    settle(&mut labs);
    let both = together(&labs);
    assert_eq!(both.iter().map(|one| one.decapsulated).sum::<u64>(), 40);
    assert_eq!(both.iter().map(|one| one.reassembled).sum::<u64>(), 80);
    assert!(both.iter().all(|one| one.decapsulated > 5 && one.held == 0));
}

#[test]
fn a_miss_waits_where_its_flow_is_and_leaves_from_there_in_order_r002() {
    let mut labs = pair();
    let frame = |flow: u16, number: u32| {
        let packet = udp_ports(HOST_IP, "10.9.0.1", 2000 + flow, 53, &number.to_be_bytes());
        packet.frame(OUR_MAC[0], HOST_MAC)
    };
    for number in 0..4 {
        for flow in [0, 1, 2, 3] {
            assert!(labs[0].io().inject(NATIVE, &frame(flow, number)));
        }
    }
    settle(&mut labs);
    let mut seen = BTreeMap::new();
    for lab in &mut labs {
        // Both may ask: control knows that it asked already.
        assert!(lab.punts().iter().all(|punt| matches!(punt, Punt::Miss { .. })));
        lab.map(0, "10.9.0.0/24", MapAction::Encapsulate(Target::Rloc(RLOC_V4)));
    }
    settle(&mut labs);
    flows(&mut labs, CORE, &mut seen);
    assert!(seen.len() <= 4 && !seen.is_empty());
    for numbers in seen.values() {
        assert!(numbers.is_sorted(), "{numbers:?}");
    }
    let both = together(&labs);
    assert!(both.iter().all(|one| one.held == 0));
    assert_eq!(both.iter().map(|one| one.held_ever).sum::<u64>(), 16);
}

#[test]
fn a_worker_that_is_away_costs_its_own_flows_only_and_each_loss_has_a_name() {
    let mut labs = pair();
    let mut sent = 0;
    for number in 0..40 {
        for flow in 0..100 {
            let frame = of_flow(flow, number, true).frame(OUR_MAC[0], HOST_MAC);
            assert!(labs[0].io().inject(NATIVE, &frame));
        }
        // The other worker does not get the CPU.
        for _ in 0..4 {
            labs[0].poll();
        }
        sent += labs[0].sent(CORE).len();
    }
    let before = labs[0].snapshot();
    let lost = before.dropped(DropReason::HandoverFull);
    assert_eq!((before.handed_over, before.received), (1024, 4000));
    assert_eq!((lost, before.tx), (4000 - 1024 - sent as u64, sent as u64));
    for _ in 0..40 {
        labs[1].poll();
        labs[1].sent(CORE);
    }
    let [_, two] = together(&labs);
    assert_eq!((two.taken_over, two.tx), (1024, 1024));
}

#[test]
fn what_is_no_packet_stays_where_it_came_in() {
    let mut labs = pair();
    let arp = frame([0xFF; 6], HOST_MAC, 0x0806, &[0, 1, 8, 0, 6, 4, 0, 1].repeat(4));
    let short = vec![2; 13];
    let unknown = frame(OUR_MAC[0], HOST_MAC, 0x88B5, &[1; 46]);
    for frame in [&arp, &short, &unknown] {
        assert!(labs[0].io().inject(NATIVE, frame));
    }
    settle(&mut labs);
    let [one, two] = together(&labs);
    assert_eq!((one.received, one.handed_over, one.host, two.arrived()), (3, 0, 1, 0));
    assert_eq!(one.dropped(DropReason::EthertypeUnknown), 1);
}

#[test]
fn malformed_packets_are_dropped_by_name_at_either_worker_r144() {
    let mut labs = pair();
    for flow in 0..50 {
        let mut frame = of_flow(flow, 0, true).frame(OUR_MAC[0], HOST_MAC);
        frame[24] ^= 0x55;
        assert!(labs[0].io().inject(NATIVE, &frame));
    }
    settle(&mut labs);
    let both = together(&labs);
    let wrong = both.map(|one| one.dropped(DropReason::Ipv4Checksum));
    assert!(wrong[0] > 5 && wrong[1] > 5 && wrong[0] + wrong[1] == 50, "{wrong:?}");
}

#[test]
fn tagged_frames_keep_their_tags_on_the_way_to_their_worker() {
    const RED: PortId = PortId(3);
    let sub = SubInterface { parent: NATIVE, tags: Tags { outer: 100, inner: None, service: false } };
    let mut labs = Lab::pair(|_| {}, &[sub]);
    for lab in &mut labs {
        let spec = PortSpec {
            vrf: VrfId(1),
            native: true,
            mac: MacAddr(OUR_MAC[0]),
            mtu: 1500,
            ipv4: Some("192.0.2.1".parse().expect("address")),
            ..PortSpec::default()
        };
        lab.apply(Delta::PortSet(RED, Box::new(spec)));
        let (source_mac, mac) = (MacAddr(OUR_MAC[0]), MacAddr(TENANT_MAC));
        let ready = Adjacency::Ready { port: RED, source_mac, mac, mtu: 1500 };
        lab.apply(Delta::AdjacencySet(AdjacencyId(9), ready));
        lab.route(1, "192.0.2.9/32", Route::Via(AdjacencyId(9)));
    }
    for flow in 0..60 {
        let frame = of_flow(flow, 0, true).frame(OUR_MAC[0], HOST_MAC);
        let tagged = [&frame[..12], &[0x81, 0, 0, 100], &frame[12..]].concat();
        assert!(labs[0].io().inject(NATIVE, &tagged));
    }
    settle(&mut labs);
    for lab in &mut labs {
        for frame in lab.sent(CORE) {
            let seen = dissect(&frame);
            assert_eq!(seen.destination, "2001:db8:f::6".parse::<std::net::IpAddr>().expect("address"));
        }
    }
    let both = together(&labs).map(|one| one.encapsulated);
    assert!(both[0] > 10 && both[1] > 10 && both[0] + both[1] == 60, "{both:?}");
}

#[test]
fn gre_tunnels_between_two_hosts_spread_by_their_keys_where_that_is_asked_for_r081() {
    let fields = FlowFields { gre_key: true, esp_spi: false };
    for (asked, workers) in [(false, 1), (true, 2)] {
        let change = |config: &mut pxtr_dataplane::worker::WorkerConfig| {
            config.flow_key = if asked { config.flow_key.with(fields) } else { config.flow_key };
        };
        let mut labs = Lab::pair(change, &[]);
        for key in 0..40 {
            let packet = proto(HOST_IP, "10.4.0.7", 47, &[0x20, 0, 8, 0, 0, 0, 0, key, 1, 2, 3, 4]);
            assert!(labs[0].io().inject(NATIVE, &packet.frame(OUR_MAC[0], HOST_MAC)));
        }
        settle(&mut labs);
        let both = together(&labs);
        let busy: BTreeSet<usize> = (0..2).filter(|worker| both[*worker].encapsulated > 0).collect();
        assert_eq!(busy.len(), workers);
    }
}

#[test]
fn whoever_looks_sees_a_packet_once_where_its_fate_is() {
    let mut labs = pair();
    let mut handles = labs.each_mut().map(|lab| lab.watch(Filter::default(), 1000, 1000));
    for flow in 0..50 {
        assert!(labs[0].io().inject(NATIVE, &of_flow(flow, 0, true).frame(OUR_MAC[0], HOST_MAC)));
    }
    settle(&mut labs);
    let mut received = handles.each_mut().map(|handle| {
        std::iter::from_fn(|| handle.read(|record| matches!(record.event, Event::Received(_))))
            .filter(|received| *received)
            .count() as u64
    });
    let [one, two] = together(&labs);
    assert_eq!(received, [one.tx, two.tx]);
    received.sort_unstable();
    assert!(received[0] > 5 && received[0] + received[1] == 50);
}
