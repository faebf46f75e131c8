//! IPv4 packets with DF=0 that do not fit.

use crate::lab::*;
use crate::packets::*;
use pxtr_dataplane::types::RlocId;
use pxtr_dataplane::verdict::DropReason::*;
use std::collections::HashSet;

const V4: &str = "192.0.2.9";

/// Puts IPv4 fragments together: header fields of the first, payload of all.
fn reassemble(pieces: &[Vec<u8>]) -> (Vec<u8>, Vec<(u16, bool)>) {
    let mut payload = Vec::new();
    let mut marks = Vec::new();
    for piece in pieces {
        let seen = dissect_ip(piece);
        let (dont_fragment, more, offset, id) = seen.fragment.unwrap();
        assert_eq!((dont_fragment, id), (false, 0x1234), "ID is kept");
        marks.push((offset, more));
        payload.extend(seen.payload);
    }
    (payload, marks)
}

#[test]
fn the_inner_packet_is_split_into_equal_pieces_before_encapsulation_r115() {
    for (destination, room, len) in
        [("10.4.0.7", 1464, 1472), ("10.6.0.7", 1444, 1472), ("10.4.0.7", 1464, 5000)]
    {
        let mut lab = Lab::new();
        let packet = udp(V4, destination, len).may_fragment();
        let Fate::Split(port, frames) = lab.native(&packet) else { panic!("not split") };
        assert_eq!(port, CORE);
        let outers: Vec<_> = frames.iter().map(|frame| dissect(frame)).collect();
        let inners: Vec<_> = outers.iter().map(|outer| outer.lisp().inner).collect();
        let ports: HashSet<_> = outers.iter().map(|outer| outer.lisp().source_port).collect();
        assert_eq!(ports.len(), 1, "R-081: all pieces take one way");
        let (payload, marks) = reassemble(&inners);
        assert_eq!(payload, packet.payload);
        assert_eq!(inners.len(), (len + 8).div_ceil((room - 20) & !7), "no more pieces than needed");
        let sizes: Vec<_> = inners.iter().map(Vec::len).collect();
        assert!(sizes.iter().all(|size| *size <= room), "{sizes:?}");
        assert!(
            sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 8 * inners.len(),
            "about equal: {sizes:?}"
        );
        let mut expected = 0;
        for (index, ((offset, more), size)) in marks.iter().zip(&sizes).enumerate() {
            assert_eq!((*offset, *more), (expected, index + 1 < inners.len()));
            expected += (*size - 20) as u16;
        }
        assert!(inners.iter().all(|inner| dissect_ip(inner).ttl == 63), "R-107: after the decrement");
        let now = lab.snapshot();
        assert_eq!((now.received, now.tx, now.fragments), (1, 1, inners.len() as u64 - 1));
        assert_eq!(now.encapsulated, inners.len() as u64);
    }
}

/// What comes in fragments is forwarded in fragments: none waits for another, and all are looked up
/// and spread by their addresses, for only the first has ports.
#[test]
fn inner_fragments_go_each_alone_r124() {
    let mut lab = Lab::new();
    let pieces =
        [(true, 185), (false, 370), (true, 0)].map(|(more, at)| udp(V4, "10.4.0.7", 900).fragment(more, at));
    let mut ports = HashSet::new();
    for piece in &pieces {
        let (port, outer) = lab.native(piece).sent();
        assert_eq!((port, outer.lisp().inner), (CORE, piece.hop().ip()), "at once, in any order");
        ports.insert(outer.lisp().source_port);
    }
    assert_eq!(ports.len(), 1);
    // Out of an encapsulation, natively, and into EID space that nobody has asked about: by address.
    for piece in &pieces {
        let back = Packet { source: piece.destination, destination: piece.source, ..piece.clone() };
        let (port, seen) = lab.core(&lisp("203.0.113.4", "198.51.100.2", [0; 8], &back.ip())).sent();
        assert_eq!((port, seen.ip), (NATIVE, back.hop().ip()));
        let native = Packet { destination: "8.8.8.8".parse().unwrap(), ..piece.clone() };
        assert_eq!(lab.native(&native).sent().1.ip, native.hop().ip());
    }
    let unknown = Packet { destination: "10.99.0.1".parse().unwrap(), ..pieces[0].clone() };
    assert_eq!(lab.native(&unknown), Fate::Held, "a later fragment asks for the mapping like any packet");
}

#[test]
fn a_fragment_that_is_split_again_keeps_its_place_r115() {
    let mut lab = Lab::new();
    for (more, offset) in [(true, 0), (true, 185), (false, 370)] {
        let packet = udp(V4, "10.4.0.7", 1472).fragment(more, offset);
        let Fate::Split(_, frames) = lab.native(&packet) else { panic!("not split") };
        let inners: Vec<_> = frames.iter().map(|frame| dissect(frame).lisp().inner).collect();
        let (payload, marks) = reassemble(&inners);
        assert_eq!(payload, packet.payload);
        assert_eq!(marks[0], (offset * 8, true));
        assert_eq!(marks[1], (offset * 8 + 744, more), "More Fragments stays on the last of a non-last");
    }
    let last = udp(V4, "10.4.0.7", 1472).fragment(false, 8190);
    assert_eq!(lab.native(&last), Fate::Dropped(NotFragmentable), "offsets that run over");
}

#[test]
fn options_go_along_by_their_copy_bit_r115() {
    let mut lab = Lab::new();
    // Record route (not copied), no-operation, router alert (copied).
    let options = [7, 7, 4, 0, 0, 0, 0, 1, 148, 4, 0, 0];
    let packet = udp(V4, "10.4.0.7", 1472).may_fragment().options(&options);
    let Fate::Split(_, frames) = lab.native(&packet) else { panic!("not split") };
    let inners: Vec<_> = frames.iter().map(|frame| dissect(frame).lisp().inner).collect();
    assert_eq!(inners[0][20..32], options);
    assert_eq!((inners[1][0], &inners[1][20..24]), (0x46, &[148, 4, 0, 0][..]));
    assert_eq!(reassemble(&inners).0, packet.payload);
}

#[test]
fn natively_forwarded_packets_are_split_too() {
    let mut lab = Lab::new();
    let packet = udp(V4, "8.8.8.8", 2000).may_fragment();
    let Fate::Split(port, frames) = lab.native(&packet) else { panic!("not split") };
    assert_eq!((port, frames.len()), (NATIVE, 2));
    let pieces: Vec<_> = frames.iter().map(|frame| frame[14..].to_vec()).collect();
    assert_eq!(reassemble(&pieces).0, packet.payload);
    assert!(frames.iter().all(|frame| dissect(frame).to == ROUTER_MAC));
}

#[test]
fn too_many_pieces_or_no_buffers_are_a_named_drop() {
    let mut lab = Lab::new();
    lab.rloc(RLOC_V4, "198.51.100.2", "203.0.113.4", 100);
    let packet = udp(V4, "10.4.0.7", 9000).may_fragment();
    assert_eq!(lab.native(&packet), Fate::Dropped(NotFragmentable));
    lab.rloc(RlocId(4), "198.51.100.2", "203.0.113.4", 50);
    assert_eq!(lab.native(&udp(V4, "10.4.0.7", 100).may_fragment()), Fate::Dropped(NotFragmentable));
    // The pool runs dry in the middle: nothing is sent, nothing leaks.
    lab.rloc(RLOC_V4, "198.51.100.2", "203.0.113.4", 1500);
    let pool = lab.io().pool().clone();
    let mut hoard: Vec<_> = std::iter::from_fn(|| pool.alloc()).collect();
    hoard.truncate(hoard.len() - 3);
    let taken = pool.in_use();
    assert!(lab.io().inject(NATIVE, &packet.frame(OUR_MAC[0], HOST_MAC)));
    lab.poll();
    assert_eq!((pool.in_use(), lab.snapshot().dropped(NotFragmentable)), (taken, 3));
    drop(hoard);
    assert_eq!(pool.in_use(), 0);
}
