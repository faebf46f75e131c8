//! Looking at packets: what a watch tells is what happened, and looking changes nothing.

use crate::lab::*;
use crate::packets::*;
use pxtr_dataplane::feed::{MapAction, Target};
use pxtr_dataplane::path::route::{Mapping, Origin};
use pxtr_dataplane::types::{PortId, VrfId};
use pxtr_dataplane::verdict::DropReason;
use pxtr_dataplane::verdict::Wait;
use pxtr_dataplane::watch::{Ends, Event, Fate as Told, Filter, Story, WatchHandle};

const V4: &str = "192.0.2.9";

/// A record, copied.
type Seen = (u64, PortId, Event, Vec<u8>);

fn read(handle: &mut WatchHandle) -> Vec<Seen> {
    let copy = |handle: &mut WatchHandle| {
        handle.read(|record| {
            assert_eq!(record.len as usize, record.bytes.len());
            (record.number, record.port, record.event, record.bytes.clone())
        })
    };
    std::iter::from_fn(|| copy(handle)).collect()
}

fn about(prefix: &str) -> Filter {
    Filter { about: vec![prefix.parse().expect("prefix")], ..Filter::default() }
}

fn dropped(ends: Ends) -> Filter {
    Filter { ends, ..Filter::default() }
}

/// The stories of what was received or released, in order.
fn stories(seen: &[Seen]) -> Vec<Story> {
    let story = |(_, _, event, _): &Seen| match event {
        Event::Received(story) | Event::Released(story, _) => Some(*story),
        Event::Sent { .. } | Event::Dropped(_) => None,
    };
    seen.iter().filter_map(story).collect()
}

#[test]
fn a_packet_is_told_as_it_came_and_as_it_left() {
    let mut lab = Lab::new();
    let entry = lab.map(0, "10.4.1.0/24", MapAction::Encapsulate(Target::Rloc(RLOC_V4)));
    let mut handle = lab.watch(about("10.4.1.7/32"), 1, 16);
    lab.native(&udp(V4, "10.6.0.7", 20));
    let packet = udp(V4, "10.4.1.7", 20);
    let frame = packet.frame(OUR_MAC[0], HOST_MAC);
    let (port, left) = match lab.native(&packet) {
        Fate::Tx(port, frame) => (port, frame),
        other => panic!("{other:?}"),
    };
    lab.native(&packet);
    let story = Story {
        vrf: VrfId(0),
        origin: Origin::Native,
        mapping: Some(Mapping::Entry(entry)),
        rloc: Some(RLOC_V4),
        fate: Told::Encapsulated(CORE),
    };
    let expected =
        [(1, NATIVE, Event::Received(story), frame), (1, port, Event::Sent { from_kernel: false }, left)];
    assert_eq!(read(&mut handle), expected, "one packet was asked for, in both its forms");
    assert!(handle.is_over());
    assert_eq!((lab.watches_back(), handle.missed()), (1, 0), "it went back to who made it");
}

#[test]
fn decapsulated_packets_for_the_kernel_and_drops_tell_why() {
    let mut lab = Lab::new();
    let mut all = lab.watch(Filter::default(), 100, 64);
    let mut drops = lab.watch(dropped(Ends::Dropped), 100, 64);
    let mut one_reason = lab.watch(dropped(Ends::DroppedFor(DropReason::MapDrop)), 100, 64);
    lab.map(0, "10.5.0.0/24", MapAction::DropNoReason);
    assert_eq!(lab.native(&udp(V4, "192.0.2.1", 20)), Fate::Host);
    assert!(matches!(lab.native(&udp(V4, "10.5.0.1", 20)), Fate::Told(DropReason::MapDrop, ..)));
    assert_eq!(lab.native(&udp("127.0.0.1", "10.5.0.1", 20)), Fate::Dropped(DropReason::MartianSource));
    assert_eq!(lab.receive(NATIVE, &[1, 2, 3]), Fate::Dropped(DropReason::FrameTooShort));
    let fates: Vec<_> = stories(&read(&mut all)).into_iter().map(|story| story.fate).collect();
    let gone = [DropReason::MapDrop, DropReason::MartianSource, DropReason::FrameTooShort].map(Told::Dropped);
    assert_eq!(fates, [&[Told::Host][..], &gone].concat());
    let fates: Vec<_> = stories(&read(&mut drops)).into_iter().map(|story| story.fate).collect();
    assert_eq!(fates, gone);
    assert_eq!(stories(&read(&mut one_reason)).len(), 1);
}

#[test]
fn an_icmp_error_is_told_after_the_packet_that_it_is_about() {
    let mut lab = Lab::new();
    lab.map(0, "10.5.0.0/24", MapAction::DropNoReason);
    let mut handle = lab.watch(about("192.0.2.9/32"), 1, 16);
    let (_, _, frame) = match lab.native(&udp(V4, "10.5.0.1", 20)) {
        Fate::Told(reason, port, frame) => (reason, port, frame),
        other => panic!("{other:?}"),
    };
    let seen = read(&mut handle);
    assert_eq!(seen.len(), 2);
    assert!(matches!(seen[0].2, Event::Received(Story { fate: Told::Dropped(DropReason::MapDrop), .. })));
    assert_eq!(seen[1], (1, NATIVE, Event::Sent { from_kernel: false }, frame));
}

#[test]
fn a_packet_that_waits_is_told_to_its_end() {
    let mut lab = Lab::new();
    let mut handle = lab.watch(about("10.99.0.1/32"), 1, 16);
    assert_eq!(lab.native(&udp(V4, "10.99.0.1", 20)), Fate::Held);
    assert!(matches!(stories(&read(&mut handle))[..], [Story { fate: Told::Held(Wait::Mapping), .. }]));
    assert!(!handle.is_over(), "it has not told what became of the packet");
    lab.advance_ms(7);
    lab.map(0, "10.99.0.0/24", MapAction::Encapsulate(Target::Rloc(RLOC_V4)));
    let seen = read(&mut handle);
    let [(2, NATIVE, Event::Released(story, waited), packet), (2, CORE, Event::Sent { .. }, _)] = &seen[..]
    else {
        panic!("{seen:?}")
    };
    assert_eq!((story.fate, *waited), (Told::Encapsulated(CORE), 7 * HZ / 1000));
    assert_eq!(packet[12..15], [8, 0, 0x45], "an Ethernet header that can be read");
    assert!(handle.is_over());

    let mut handle = lab.watch(about("10.98.0.1/32"), 1, 16);
    assert_eq!(lab.native(&udp(V4, "10.98.0.1", 20)), Fate::Held);
    lab.advance_ms(5000);
    lab.poll();
    let seen = read(&mut handle);
    assert!(matches!(seen.last(), Some((0, NATIVE, Event::Dropped(DropReason::HoldTimeout), _))), "{seen:?}");
    assert!(handle.is_over());
}

#[test]
fn what_the_transmit_queue_refuses_is_told() {
    let mut lab = Lab::new();
    let mut handle = lab.watch(dropped(Ends::DroppedFor(DropReason::TxFull)), 1000, 64);
    let frame = udp(V4, "10.4.0.7", 20).frame(OUR_MAC[0], HOST_MAC);
    for _ in 0..9 {
        for _ in 0..32 {
            assert!(lab.io().inject(NATIVE, &frame));
        }
        lab.poll();
    }
    let lost = lab.snapshot().dropped(DropReason::TxFull);
    assert!(lost > 0);
    assert_eq!(read(&mut handle).len() as u64, lost);
}

/// 300 packets of all kinds: plain, to be held, wrong, and bytes without sense.
fn traffic() -> Vec<(PortId, Vec<u8>)> {
    let inner = udp("10.4.0.7", V4, 30);
    let lisp = lisp("203.0.113.4", "198.51.100.2", [0x80, 0, 0, 0, 0, 0, 0, 0], &inner.ip());
    (0..300u16)
        .map(|n| match n % 6 {
            0 | 1 => (NATIVE, udp_ports(V4, "10.4.0.7", n, 9, &data(20)).frame(OUR_MAC[0], HOST_MAC)),
            2 => (NATIVE, udp(V4, "10.99.0.1", 20).frame(OUR_MAC[0], HOST_MAC)),
            3 => (CORE, lisp.frame(OUR_MAC[1], CORE_MAC)),
            4 => (NATIVE, udp(V4, "192.0.2.1", 20).ttl((n % 3) as u8).frame(OUR_MAC[0], HOST_MAC)),
            _ => (CORE, data(usize::from(n % 90))),
        })
        .collect()
}

#[test]
fn looking_changes_nothing_and_a_full_ring_misses_only_for_who_looks() {
    let run = |records: Option<usize>| {
        let mut lab = Lab::new();
        let mut handle = records.map(|records| lab.watch(Filter::default(), u64::MAX, records));
        if handle.is_none() {
            lab.advance_ms(10);
            lab.poll();
        }
        let fates: Vec<_> = traffic().iter().map(|(port, frame)| lab.receive(*port, frame)).collect();
        let told = handle.as_mut().map(|handle| (read(handle), handle.missed()));
        (fates, lab.snapshot().drops, told)
    };
    let (fates, drops, _) = run(None);
    let (watched, watched_drops, told) = run(Some(4096));
    assert_eq!((&watched, watched_drops), (&fates, drops));
    let (seen, missed) = told.expect("watched");
    assert_eq!((stories(&seen).len(), missed), (300, 0));
    let events = seen.len() as u64;
    let sent = seen.iter().filter(|(_, _, event, _)| matches!(event, Event::Sent { .. })).count();
    let frames: usize =
        fates.iter().map(|fate| usize::from(matches!(fate, Fate::Tx(..) | Fate::Told(..)))).sum();
    assert_eq!(sent, frames, "every frame that left was told");
    let (watched, watched_drops, told) = run(Some(8));
    assert_eq!((watched, watched_drops), (fates, drops), "who reads slowly misses, the packets do not");
    let (seen, missed) = told.expect("watched");
    assert_eq!((seen.len(), missed), (8, events - 8));
}
