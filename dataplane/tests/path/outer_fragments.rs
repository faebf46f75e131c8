//! Outer packets that are fragmented: because the inner source may not be told to send less, or because
//! the operator lets routers do it.

use crate::lab::*;
use crate::packets::*;
use pxtr_dataplane::feed::{Delta, RlocOptions, Route};
use pxtr_dataplane::verdict::DropReason::*;
use std::collections::HashSet;

const V4: &str = "192.0.2.9";
const V6: &str = "2001:db8:1::9";
const MAY_FRAGMENT: RlocOptions = RlocOptions {
    ecn_compatible: false,
    udp_checksum: false,
    may_fragment: true,
    map_versions: false,
    echo: None,
    status_bits: false,
    ports: None,
    encrypted: false,
    gpe: false,
};

/// Both RLOCs behind a path of this MTU.
fn narrow(mtu: u16, options: RlocOptions) -> Lab {
    let mut lab = Lab::new();
    lab.rloc_with(RLOC_V4, "198.51.100.2", "203.0.113.4", mtu, options);
    lab.rloc_with(RLOC_V6, "2001:db8:c0::2", "2001:db8:f::6", mtu, options);
    lab
}

/// The router behind both RLOCs, that holds all checksums against the packets.
fn far_end() -> Lab {
    let mut lab = Lab::with(|config| config.verify_udp_checksum = true);
    let rlocs = ["203.0.113.4", "2001:db8:f::6"].map(|text| text.parse().expect("address"));
    lab.apply(Delta::LocalRlocs(Box::new(rlocs)));
    lab.port(CORE, |port| {
        port.ipv4 = Some([203, 0, 113, 4].into());
        port.ipv6 = Some("2001:db8:f::6".parse().expect("address"));
    });
    lab.vrf(0, |vrf| vrf.pitr = false);
    for site in ["10.0.0.0/8", "2001:db8:e000::/36"] {
        lab.route(0, site, Route::Via(HOST));
    }
    lab
}

/// What comes out at the far end of these frames.
fn through(lab: &mut Lab, frames: &[Vec<u8>]) -> Vec<u8> {
    let mut last = None;
    for frame in frames {
        let mut frame = frame.clone();
        frame[..6].copy_from_slice(&OUR_MAC[1]);
        last = Some(lab.receive(CORE, &frame));
    }
    last.expect("a frame").sent().1.ip
}

/// R-117; RFC 2473 section 7.1: an IPv6 packet of up to 1280 bytes gets through whatever the path.
#[test]
fn small_ipv6_packets_pass_narrow_paths_in_outer_fragments_r117() {
    let plain = RlocOptions::default();
    let computed = RlocOptions { udp_checksum: true, ..plain };
    for (to, mtu) in [("2001:db8:e006::7", 1280), ("2001:db8:e004::7", 1280), ("2001:db8:e004::7", 576)] {
        for (options, len) in [(plain, 1232), (computed, 1232), (plain, 1205), (plain, 1197)] {
            let mut lab = narrow(mtu, options);
            let packet = udp(V6, to, len);
            assert!(packet.ip().len() + 36 > usize::from(mtu) || !to.contains("e004"), "does not fit in one");
            let Fate::Split(port, frames) = lab.native(&packet) else { panic!("{to} {mtu} {len}") };
            assert_eq!(port, CORE);
            for frame in &frames {
                let seen = dissect(frame);
                assert_eq!((seen.to, seen.from), (CORE_MAC, OUR_MAC[1]));
                assert!(seen.ip.len() <= usize::from(mtu), "{} bytes", seen.ip.len());
                match seen.fragment {
                    Some((dont_fragment, ..)) => assert!(!dont_fragment, "or the far end's routers drop it"),
                    None => assert_eq!(seen.protocol, 44, "a Fragment header"),
                }
            }
            assert_eq!(through(&mut far_end(), &frames), packet.hop().hop().ip(), "{to} {mtu} {len}");
            let now = lab.snapshot();
            let more = frames.len() as u64 - 1;
            assert_eq!((now.received, now.tx, now.encapsulated, now.fragments), (1, 1, 1, more));
        }
    }
}

#[test]
fn larger_ipv6_packets_are_told_1280_r117() {
    let mut lab = narrow(1280, RlocOptions::default());
    for to in ["2001:db8:e006::7", "2001:db8:e004::7"] {
        let (reason, _, told) = lab.native(&udp(V6, to, 1233)).told();
        assert_eq!((reason, &told.payload[..2]), (PacketTooBig, &[2, 0][..]));
        assert_eq!(told.payload[4..8], 1280u32.to_be_bytes());
        lab.advance_ms(1000);
    }
}

/// What fits is sent as it always was, and a packet that can not be cut is a named drop.
#[test]
fn outer_fragments_are_made_only_where_they_must_r117() {
    let mut lab = narrow(1280, RlocOptions::default());
    let (_, outer) = lab.native(&udp(V6, "2001:db8:e006::7", 1280 - 56 - 48)).sent();
    assert_eq!((outer.protocol, outer.ip.len()), (17, 1280));
    // The pool runs dry.
    let pool = lab.io().pool().clone();
    let mut hoard: Vec<_> = std::iter::from_fn(|| pool.alloc()).collect();
    hoard.truncate(hoard.len() - 1);
    for to in ["2001:db8:e006::7", "2001:db8:e004::7"] {
        assert!(lab.io().inject(NATIVE, &udp(V6, to, 1232).frame(OUR_MAC[0], HOST_MAC)));
        lab.poll();
    }
    assert_eq!((pool.in_use(), lab.snapshot().dropped(NotFragmentable)), (hoard.len(), 2));
}

#[test]
fn routers_may_fragment_where_the_operator_lets_them_r118() {
    let mut lab = narrow(1500, MAY_FRAGMENT);
    let mut ids = HashSet::new();
    for n in 0..300u16 {
        let (_, outer) = lab.native(&udp_ports(V4, "10.4.0.7", n, 80, &data(900))).sent();
        let Some((dont_fragment, more, offset, id)) = outer.fragment else { panic!("IPv4") };
        assert_eq!((dont_fragment, more, offset), (false, false, 0));
        assert!(ids.insert(id), "{id} twice");
        assert_eq!(outer.lisp().inner, udp_ports(V4, "10.4.0.7", n, 80, &data(900)).hop().ip());
    }
    // A path that carries less than 576 bytes is none: small packets stay atomic (RFC 6864 section 4.1).
    let (_, outer) = lab.native(&udp(V4, "10.4.0.7", 576 - 36 - 28)).sent();
    assert_eq!((outer.ip.len(), outer.fragment), (576, Some((true, false, 0, 0))));
    // Routers never fragment IPv6.
    let (_, outer) = lab.native(&udp(V4, "10.6.0.7", 1000)).sent();
    assert_eq!((outer.protocol, lab.snapshot().dont_fragment_kept), (17, 0));
}

/// RFC 6864 section 5.2: when too many numbers were used of late, packets that fit go with DF=1, others
/// are dropped by name.
#[test]
fn identifications_run_out_before_they_come_again_r118() {
    let mut lab = narrow(1280, MAY_FRAGMENT);
    let packet = udp(V4, "10.4.0.7", 700);
    let fragmentable =
        (0..9000).filter(|_| !lab.native(&packet).sent().1.fragment.is_some_and(|marks| marks.0));
    assert_eq!(fragmentable.count(), 8192);
    assert_eq!(lab.snapshot().dont_fragment_kept, 808);
    assert_eq!(lab.native(&udp(V6, "2001:db8:e004::7", 1232)), Fate::Dropped(OuterIdsExhausted));
    assert!(matches!(lab.native(&udp(V6, "2001:db8:e006::7", 1232)), Fate::Split(..)), "IPv6 has enough");
    lab.advance_ms(1000);
    assert!(matches!(lab.native(&udp(V6, "2001:db8:e004::7", 1232)), Fate::Split(..)));
}

/// RFC 6864 section 4: whatever the path and the operator's choices, DF=1 of an inner packet stays, and
/// such a packet is not cut.
#[test]
fn dont_fragment_of_inner_packets_is_kept_r119() {
    for options in [RlocOptions::default(), MAY_FRAGMENT] {
        let mut lab = narrow(1280, options);
        for to in ["10.4.0.7", "10.6.0.7", "8.8.8.8"] {
            for len in [10, 1000, 1190] {
                let packet = udp(V4, to, len);
                let (_, seen) = lab.native(&packet).sent();
                let inner = if to == "8.8.8.8" { seen.ip } else { seen.lisp().inner };
                assert_eq!(dissect_ip(&inner).fragment, Some((true, false, 0, 0x1234)), "{to}, {len} bytes");
            }
            let (reason, ..) = lab.native(&udp(V4, to, 1600)).told();
            assert_eq!(reason, PacketTooBig, "{to}: told, not cut");
            lab.advance_ms(1000);
        }
        let inner = udp("10.4.0.7", "192.0.2.9", 1000);
        let (_, seen) = lab.core(&lisp("203.0.113.4", "198.51.100.2", [0; 8], &inner.ip())).sent();
        assert_eq!(seen.fragment, Some((true, false, 0, 0x1234)));
    }
}
