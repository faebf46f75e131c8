//! Encapsulated packets that come in outer fragments.

use crate::lab::*;
use crate::packets::*;
use etherparse::{Icmpv4Slice, Icmpv4Type};
use proptest::prelude::*;
use pxtr_dataplane::reassembly::ReassemblyLimits;
use pxtr_dataplane::verdict::DropReason::*;

const RLOC: &str = "203.0.113.4";
const RLOC6: &str = "2001:db8:f::6";
const OURS: &str = "198.51.100.2";
const OURS6: &str = "2001:db8:c0::2";

/// Cuts an IP payload at these offsets, multiples of 8.
fn cut(packet: &Packet, at: &[usize], id: u16) -> Vec<Packet> {
    let ends = at.iter().copied().chain([packet.payload.len()]);
    let starts = [0].into_iter().chain(at.iter().copied());
    starts.zip(ends).map(|(from, to)| piece(packet, from, to, to < packet.payload.len(), id)).collect()
}

/// Bytes `from..to` of a packet's payload as a fragment.
fn piece(packet: &Packet, from: usize, to: usize, more: bool, id: u16) -> Packet {
    let mut piece = packet.clone();
    piece.payload = packet.payload[from..to].to_vec();
    if packet.source.is_ipv4() {
        piece.id = id;
        return piece.fragment(more, (from / 8) as u16);
    }
    let [id0, id1] = id.to_be_bytes();
    let [word0, word1] = ((from as u16) | u16::from(more)).to_be_bytes();
    let header = [piece.protocol, 0, word0, word1, 0, 0, id0, id1];
    piece.payload.splice(..0, header);
    piece.protocol = 44;
    piece
}

/// Receives all pieces; all but the last must be held.
fn all(lab: &mut Lab, pieces: &[Packet]) -> Fate {
    let (last, others) = pieces.split_last().expect("pieces");
    for piece in others {
        assert_eq!(lab.core(piece), Fate::Held);
    }
    lab.core(last)
}

fn inner() -> Packet {
    udp("10.4.0.7", "192.0.2.9", 1400)
}

#[test]
fn fragments_in_any_order_are_the_packet_again_r123() {
    let orders: [&[usize]; 4] = [&[0, 1, 2, 3], &[3, 2, 1, 0], &[1, 3, 0, 2], &[2, 0, 3, 1]];
    for (from, to) in [(RLOC, OURS), (RLOC6, OURS6)] {
        let mut lab = Lab::new();
        for (id, order) in orders.iter().enumerate() {
            let pieces = cut(&lisp(from, to, [0; 8], &inner().ip()), &[64, 600, 1200], id as u16);
            let pieces: Vec<_> = order.iter().map(|at| pieces[*at].clone()).collect();
            let (port, seen) = all(&mut lab, &pieces).sent();
            assert_eq!((port, seen.to), (NATIVE, HOST_MAC), "{from} {order:?}");
            assert_eq!(seen.ip, inner().hop().ip());
        }
        let now = lab.snapshot();
        assert_eq!((now.received, now.reassembled, now.tx, now.decapsulated), (16, 12, 4, 4));
        assert_eq!(now.held, 0);
    }
}

#[test]
fn two_datagrams_do_not_mix_r123() {
    let mut lab = Lab::new();
    let other = udp("10.4.0.8", "192.0.2.9", 1300);
    let one = cut(&lisp(RLOC, OURS, [0; 8], &inner().ip()), &[800], 7);
    let two = cut(&lisp(RLOC, OURS, [0; 8], &other.ip()), &[800], 8);
    let three = cut(&lisp("203.0.113.5", OURS, [0; 8], &inner().ip()), &[800], 7);
    for first in [&one[0], &two[1], &three[0]] {
        assert_eq!(lab.core(first), Fate::Held);
    }
    assert_eq!(lab.core(&one[1]).sent().1.ip, inner().hop().ip());
    assert_eq!(lab.core(&two[0]).sent().1.ip, other.hop().ip());
    assert_eq!(lab.core(&three[1]).sent().1.ip, inner().hop().ip());
}

#[test]
fn ethernet_padding_of_a_short_fragment_does_not_get_into_the_packet_r123() {
    let mut lab = Lab::new();
    let whole = lisp(RLOC, OURS, [0; 8], &inner().ip());
    let end = whole.payload.len() & !7;
    let pieces = cut(&whole, &[800, end - 8], 3);
    assert_eq!(lab.core(&pieces[0]), Fate::Held);
    let mut short = pieces[2].frame(OUR_MAC[1], CORE_MAC);
    short.resize(60, 0xEE);
    assert_eq!(lab.receive(CORE, &short), Fate::Held);
    assert_eq!(lab.core(&pieces[1]).sent().1.ip, inner().hop().ip());
}

#[test]
fn what_contradicts_itself_is_dropped_whole_r123() {
    for (from, to) in [(RLOC, OURS), (RLOC6, OURS6)] {
        let whole = lisp(from, to, [0; 8], &inner().ip());
        let piece = |from, to, more| piece(&whole, from, to, more, 9);
        let cases = [
            ("overlap at the front", [piece(0, 80, true), piece(72, 160, true)]),
            ("overlap at the end", [piece(80, 160, true), piece(0, 88, true)]),
            ("inside", [piece(0, 160, true), piece(40, 80, true)]),
            ("beyond the last", [piece(80, 100, false), piece(104, 160, true)]),
            ("two ends", [piece(80, 100, false), piece(104, 120, false)]),
            ("an end before what is there", [piece(160, 240, true), piece(80, 100, false)]),
        ];
        for (name, [first, second]) in cases {
            let mut lab = Lab::new();
            assert_eq!(lab.core(&first), Fate::Held, "{name}");
            assert_eq!(lab.core(&second), Fate::Dropped(FragmentOverlap), "{name}");
            assert_eq!(lab.core(&piece(240, 320, true)), Fate::Dropped(FragmentOverlap), "{name}: and later");
            assert_eq!((lab.snapshot().held, lab.snapshot().dropped(FragmentOverlap)), (0, 3));
        }
    }
}

#[test]
fn a_fragment_that_comes_twice_does_no_harm_r123() {
    let mut lab = Lab::new();
    let pieces = cut(&lisp(RLOC, OURS, [0; 8], &inner().ip()), &[800], 7);
    assert_eq!(lab.core(&pieces[0]), Fate::Held);
    assert_eq!(lab.core(&pieces[0]), Fate::Dropped(FragmentDuplicate));
    let mut other = pieces[0].clone();
    other.payload[100] ^= 1;
    assert_eq!(lab.core(&pieces[1]).sent().1.ip, inner().hop().ip());
    assert_eq!(lab.core(&pieces[0]), Fate::Held);
    assert_eq!(lab.core(&other), Fate::Dropped(FragmentOverlap), "same place, other bytes");
}

#[test]
fn no_datagram_has_such_a_fragment_r123() {
    let whole = lisp(RLOC, OURS, [0; 8], &inner().ip());
    let whole6 = lisp(RLOC6, OURS6, [0; 8], &inner().ip());
    let mut options = piece(&whole6, 80, 160, true, 9);
    options.payload.splice(..0, [44, 0, 1, 4, 0, 0, 0, 0]);
    options.protocol = 60;
    let cases = [
        ("not a multiple of 8", piece(&whole, 80, 157, true, 9)),
        ("not a multiple of 8, IPv6", piece(&whole6, 80, 157, true, 9)),
        ("beyond 65535", piece(&whole, 80, 157, false, 9).fragment(false, 8191)),
        ("empty", piece(&whole, 80, 80, false, 9)),
        ("behind destination options", options),
    ];
    for (name, packet) in cases {
        assert_eq!(Lab::new().core(&packet), Fate::Dropped(OuterFragment), "{name}");
    }
    let tiny = raw(RLOC.parse().unwrap(), OURS.parse().unwrap(), 17, vec![]).fragment(true, 0);
    assert_eq!(Lab::new().core(&tiny), Fate::Dropped(FragmentTiny));
}

#[test]
fn congestion_on_one_fragment_is_congestion_of_the_packet_r113() {
    let ecn = [
        ([2, 3], Some(3), "one of two was marked"),
        ([3, 2], Some(3), "whichever"),
        ([2, 2], Some(2), "none was"),
        ([0, 0], Some(2), "the outer says nothing"),
        ([0, 3], None, "it could not have been marked"),
    ];
    for (from, to) in [(RLOC, OURS), (RLOC6, OURS6)] {
        for (marks, expected, name) in ecn {
            let mut lab = Lab::new();
            let mut pieces = cut(&lisp(from, to, [0; 8], &inner().tos(2).ip()), &[800], 1);
            for (piece, mark) in pieces.iter_mut().zip(marks) {
                piece.tos = mark;
            }
            match expected {
                Some(tos) => assert_eq!(all(&mut lab, &pieces).sent().1.tos, tos, "{name}"),
                None => assert_eq!(all(&mut lab, &pieces), Fate::Dropped(EcnInvalid), "{name}"),
            }
        }
    }
}

#[test]
fn other_udp_is_for_the_kernel_to_put_together_r125() {
    let control = udp_ports(RLOC, OURS, 4342, 4342, &data(1600));
    let pieces = cut(&control, &[800], 5);
    let mut lab = Lab::new();
    assert_eq!([lab.core(&pieces[0]), lab.core(&pieces[1])], [Fate::Host, Fate::Host]);
    // The other way round the first one shows what the second was.
    assert_eq!(lab.core(&pieces[1]), Fate::Held);
    assert!(lab.io().inject(CORE, &pieces[0].frame(OUR_MAC[1], CORE_MAC)));
    lab.poll();
    let to_host: Vec<_> = std::iter::from_fn(|| lab.io().to_host(CORE))
        .map(|b| pxtr_dataplane::buffer::PacketBuf::data(&b).to_vec())
        .collect();
    assert_eq!(to_host, [&pieces[1], &pieces[0]].map(|piece| piece.frame(OUR_MAC[1], CORE_MAC)));
    assert_eq!((lab.snapshot().held, lab.snapshot().host), (0, 4));
}

#[test]
fn who_sent_a_part_only_is_told_after_a_minute_r123() {
    let pieces = cut(&lisp(RLOC, OURS, [0; 8], &inner().ip()), &[800], 7);
    for (piece, told) in [(&pieces[0], 1), (&pieces[1], 0)] {
        let mut lab = Lab::new();
        lab.route(0, "203.0.113.0/24", pxtr_dataplane::feed::Route::Via(HOST));
        assert_eq!(lab.core(piece), Fate::Held);
        lab.advance_ms(59_000);
        lab.poll();
        assert_eq!(lab.snapshot().held, 1);
        lab.advance_ms(1_000);
        lab.poll();
        assert_eq!((lab.snapshot().held, lab.snapshot().dropped(ReassemblyTimeout)), (0, 1));
        let errors = lab.sent(NATIVE);
        assert_eq!(errors.len(), told, "only if the first fragment came");
        if let Some(error) = errors.first() {
            let error = dissect(error);
            assert_eq!((error.source, error.destination), (OURS.parse().unwrap(), RLOC.parse().unwrap()));
            let Icmpv4Type::TimeExceeded(code) = Icmpv4Slice::from_slice(&error.payload).unwrap().icmp_type()
            else {
                panic!("not time exceeded")
            };
            assert_eq!(code, etherparse::icmpv4::TimeExceededCode::FragmentReassemblyTimeExceeded);
        }
    }
}

#[test]
fn a_flood_of_fragments_costs_its_sender_only_r041() {
    let mut lab = Lab::with(|config| {
        config.reassembly = ReassemblyLimits { datagrams: 16, fragments: 32, ..ReassemblyLimits::default() };
    });
    let whole = lisp(RLOC, OURS, [0; 8], &inner().ip());
    let good = cut(&whole, &[800], 7);
    assert_eq!(lab.core(&good[0]), Fate::Held);
    let mut bad = lisp("203.0.113.66", OURS, [0; 8], &inner().ip());
    for id in 0..1000 {
        bad.payload[60] = id as u8;
        let frame = piece(&bad, 0, 800, true, id).frame(OUR_MAC[1], CORE_MAC);
        assert!(lab.io().inject(CORE, &frame));
        lab.poll();
        assert!(lab.snapshot().held <= 1 + 4, "a quarter of 16 for one source");
    }
    assert_eq!(lab.snapshot().dropped(ReassemblyFull), 996);
    assert_eq!(lab.core(&good[1]).sent().1.ip, inner().hop().ip(), "the other sender does not notice");
    // Many sources share the table: the oldest goes.
    for n in 0..100u16 {
        let from = format!("203.0.114.{n}");
        let one = piece(&lisp(&from, OURS, [0; 8], &inner().ip()), 0, 800, true, n);
        assert!(lab.io().inject(CORE, &one.frame(OUR_MAC[1], CORE_MAC)));
        lab.poll();
        assert!(lab.snapshot().held <= 16);
    }
    lab.advance_ms(60_000);
    while lab.snapshot().held > 0 {
        lab.poll();
    }
    lab.sent(NATIVE);
    assert_eq!(lab.io().pool().in_use(), lab.snapshot().originated_held as usize);
}

#[test]
fn fragments_of_one_datagram_and_their_bytes_are_bounded_r041() {
    let mut lab = Lab::with(|config| {
        config.reassembly = ReassemblyLimits { bytes: 4000, source_share: 1, ..ReassemblyLimits::default() };
    });
    let whole = lisp(RLOC, OURS, [0; 8], &udp("10.4.0.7", "192.0.2.9", 3000).ip());
    for id in 0..20 {
        assert!(lab.io().inject(CORE, &piece(&whole, 0, 1600, true, id).frame(OUR_MAC[1], CORE_MAC)));
        lab.poll();
        assert!(lab.snapshot().held <= 2);
    }
    let mut lab = Lab::new();
    let whole = lisp(RLOC, OURS, [0; 8], &udp("10.4.0.7", "192.0.2.9", 1400).ip());
    let pieces = cut(&whole, &(1..170).map(|n| n * 8).collect::<Vec<_>>(), 9);
    let full =
        pieces.iter().map(|piece| lab.core(piece)).filter(|fate| *fate != Fate::Held).collect::<Vec<_>>();
    assert_eq!(full.len(), 170 - 56, "more pieces than any honest path makes");
    assert!(full.iter().all(|fate| *fate == Fate::Dropped(ReassemblyFull)));
}

#[test]
fn fragments_elsewhere_are_nobodys_business_r034() {
    let pieces = cut(&lisp(RLOC, OURS, [0; 8], &inner().ip()), &[800], 7);
    let mut lab = Lab::new();
    assert_eq!(lab.native(&pieces[0]), Fate::Dropped(LispNotUnderlay));
    let own = cut(&lisp(OURS, OURS, [0; 8], &inner().ip()), &[800], 7);
    for piece in own {
        assert_eq!(lab.core(&piece), Fate::Dropped(OwnSource));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    /// Any cut, any order, some of it twice: the packet, once.
    #[test]
    fn any_cut_in_any_order(
        v6: bool,
        len in 0usize..4000,
        cuts in proptest::collection::btree_set(1usize..500, 1..12),
        order in proptest::collection::vec(any::<u16>(), 13),
    ) {
        let (from, to) = if v6 { (RLOC6, OURS6) } else { (RLOC, OURS) };
        let inner = udp("10.4.0.7", "192.0.2.9", len).may_fragment();
        let whole = lisp(from, to, [0; 8], &inner.ip());
        let cuts: Vec<_> = cuts.into_iter().map(|n| n * 8).filter(|at| *at < whole.payload.len()).collect();
        prop_assume!(!cuts.is_empty() && cuts[0] >= 8);
        let mut pieces = cut(&whole, &cuts, 77);
        for (at, swap) in order.iter().enumerate().take(pieces.len()) {
            let with = usize::from(*swap) % pieces.len();
            pieces.swap(at, with);
        }
        let mut lab = Lab::new();
        let fate = all(&mut lab, &pieces);
        let frames = match fate {
            Fate::Tx(_, frame) => vec![frame],
            Fate::Split(_, frames) => frames,
            other => return Err(TestCaseError::fail(format!("{other:?}"))),
        };
        let payload: Vec<u8> = frames.iter().flat_map(|frame| dissect(frame).payload).collect();
        prop_assert_eq!(payload, inner.payload);
        prop_assert_eq!(lab.snapshot().held, 0);
    }

    /// Whatever fragments come: one fate each (the lab sees to it), and after a minute nothing is left.
    #[test]
    fn any_fragments_at_all(
        marks in proptest::collection::vec((0u16..12, 0usize..20, any::<bool>(), 0u16..3, any::<bool>()), 1..60),
    ) {
        let mut lab = Lab::new();
        let whole = lisp(RLOC, OURS, [0; 8], &inner().ip());
        let whole6 = lisp(RLOC6, OURS6, [0; 8], &inner().ip());
        for (offset, len, more, id, v6) in marks {
            let from = usize::from(offset) * 8;
            let piece = piece(if v6 { &whole6 } else { &whole }, from, from + len * 4, more, id);
            assert!(lab.io().inject(CORE, &piece.frame(OUR_MAC[1], CORE_MAC)));
            lab.poll();
        }
        lab.advance_ms(61_000);
        for _ in 0..3 {
            lab.advance_ms(20);
            lab.poll();
            for port in [NATIVE, CORE, TENANT] {
                lab.sent(port);
                while lab.io().to_host(port).is_some() {}
            }
        }
        lab.advance_ms(4_000);
        lab.poll();
        prop_assert_eq!(lab.snapshot().held, 0);
        prop_assert_eq!(lab.io().pool().in_use(), 0);
    }
}
