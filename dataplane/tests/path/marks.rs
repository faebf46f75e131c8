//! What the operator chose for the marks of outer headers: DSCP by VRF, ECN and UDP checksum by RLOC.

use crate::lab::*;
use crate::packets::*;
use etherparse::{Ipv4Header, Ipv6Header, UdpHeader};
use pxtr_dataplane::feed::{Delta, RlocOptions};
use pxtr_dataplane::verdict::DropReason;
use std::net::IpAddr;

/// To an EID behind the IPv4 RLOC and behind the IPv6 one, of both inner families.
const WAYS: [(&str, &str); 4] = [
    ("192.0.2.9", "10.4.0.7"),
    ("192.0.2.9", "10.6.0.7"),
    ("2001:db8:1::9", "2001:db8:e004::7"),
    ("2001:db8:1::9", "2001:db8:e006::7"),
];

/// Every TOS byte that matters here.
const TOS: [u8; 8] = [0x00, 0x01, 0x02, 0x03, 0xB8, 0xB9, 0xBA, 0x2B];

/// With and without the express way: a mark must not depend on it.
fn labs() -> [Lab; 2] {
    [true, false].map(|express| Lab::with(|config| config.express = express))
}

fn with_options(lab: &mut Lab, options: RlocOptions) {
    lab.rloc_with(RLOC_V4, "198.51.100.2", "203.0.113.4", 1500, options);
    lab.rloc_with(RLOC_V6, "2001:db8:c0::2", "2001:db8:f::6", 1500, options);
}

#[test]
fn the_outer_dscp_is_the_inner_one_or_that_of_the_vrf_r107_r109() {
    for mut lab in labs() {
        for (dscp, expected) in
            [(None, None), (Some(0), Some(0)), (Some(46), Some(0xB8)), (Some(63), Some(0xFC))]
        {
            lab.vrf(0, |vrf| vrf.encap_dscp = dscp);
            for (from, to) in WAYS {
                for tos in TOS {
                    let packet = udp(from, to, 40).tos(tos);
                    let outer = lab.native(&packet).sent().1;
                    let dscp: u8 = expected.unwrap_or(tos & 0xFC);
                    assert_eq!(outer.tos, dscp | tos & 3, "{from} to {to}: ECN is always copied");
                    assert_eq!(outer.lisp().inner, packet.hop().ip(), "the inner packet keeps its own");
                }
            }
        }
        // Other tenants keep theirs.
        lab.vrf(0, |vrf| vrf.encap_dscp = Some(46));
        let packet = udp("192.0.2.9", "10.4.0.7", 10).tos(0x28);
        let outer = lab.receive(TENANT, &packet.frame(OUR_MAC[2], TENANT_MAC)).sent().1;
        assert_eq!((outer.destination.to_string().as_str(), outer.tos), ("2001:db8:f::6", 0x28));
    }
}

/// RFC 6040 section 4.1: outer ECN as inner. Section 4.3: Not-ECT towards an egress that would lose CE.
#[test]
fn ecn_is_copied_or_towards_an_old_egress_left_out_r110() {
    for compatible in [false, true] {
        for mut lab in labs() {
            with_options(&mut lab, RlocOptions { ecn_compatible: compatible, ..Default::default() });
            for (from, to) in WAYS {
                for tos in TOS {
                    let packet = udp(from, to, 40).tos(tos);
                    let outer = lab.native(&packet).sent().1;
                    assert_eq!(outer.tos, if compatible { tos & 0xFC } else { tos }, "{from} to {to}");
                    assert_eq!(outer.lisp().inner, packet.hop().ip());
                }
            }
            let now = lab.snapshot();
            assert_eq!((now.encapsulated, now.tx), (32, 32));
        }
    }
}

/// the outer source may be an address that other proxies send from, too; what comes to it is
/// ours, whoever it was meant for, and its own name in a forged source is not.
#[test]
fn a_shared_rloc_works_like_our_own_r022() {
    const SHARED: &str = "203.0.113.200";
    let mut lab = Lab::new();
    let ours = ["198.51.100.2", "2001:db8:c0::2", SHARED].map(|text| text.parse().expect("address"));
    lab.apply(Delta::LocalRlocs(Box::new(ours)));
    lab.rloc(RLOC_V4, SHARED, "203.0.113.4", 1500);
    let outer = lab.native(&udp("192.0.2.9", "10.4.0.7", 40)).sent().1;
    assert_eq!(
        (outer.source.to_string().as_str(), outer.destination.to_string().as_str()),
        (SHARED, "203.0.113.4")
    );
    let inner = udp("10.4.0.7", "192.0.2.9", 40);
    let (port, seen) = lab.core(&lisp("203.0.113.4", SHARED, [0; 8], &inner.ip())).sent();
    assert_eq!((port, seen.ip), (NATIVE, inner.hop().ip()));
    let forged = lisp(SHARED, "198.51.100.2", [0; 8], &inner.ip());
    assert_eq!(lab.core(&forged), Fate::Dropped(DropReason::OwnSource));
}

/// The UDP checksum that etherparse finds right for an outer packet.
pub fn right_checksum(outer: &Seen) -> u16 {
    let (header, data) = UdpHeader::from_slice(&outer.payload).expect("UDP");
    match (outer.source, outer.destination) {
        (IpAddr::V4(_), _) => {
            header.calc_checksum_ipv4(&Ipv4Header::from_slice(&outer.ip).expect("IPv4").0, data)
        }
        (IpAddr::V6(_), _) => {
            header.calc_checksum_ipv6(&Ipv6Header::from_slice(&outer.ip).expect("IPv6").0, data)
        }
    }
    .expect("a length that fits")
}

#[test]
fn computed_outer_checksums_are_right_and_only_where_asked_for_r134() {
    for mut lab in labs() {
        lab.rloc_with(
            RLOC_V6,
            "2001:db8:c0::2",
            "2001:db8:f::6",
            1500,
            RlocOptions { udp_checksum: true, ..Default::default() },
        );
        for (from, to) in WAYS {
            for len in [0, 1, 2, 3, 99, 1000, 1396] {
                let outer = lab.native(&udp(from, to, len).tos(0x28)).sent().1;
                let sent = u16::from_be_bytes([outer.payload[6], outer.payload[7]]);
                let expected = if outer.source.is_ipv6() { right_checksum(&outer) } else { 0 };
                assert_eq!(sent, expected, "{len} bytes from {from} to {to}");
                assert_eq!(outer.tos, 0x28);
            }
        }
        let rloc = lab.worker().replica().rloc_counters();
        assert_eq!(rloc.get(RLOC_V6.0).expect("slot").counters().0, 14, "counted like any other");
    }
}

/// A sum of zero goes as all ones: zero would say that there is none (RFC 768).
#[test]
fn a_computed_checksum_is_never_zero_r134() {
    let mut lab = Lab::new();
    with_options(&mut lab, RlocOptions { udp_checksum: true, ..Default::default() });
    let packet = |word: u16| {
        let mut packet = proto("192.0.2.9", "10.4.0.7", 47, &[0; 40]);
        packet.payload[20..22].copy_from_slice(&word.to_be_bytes());
        packet
    };
    let first = lab.native(&packet(0)).sent().1;
    let field = u16::from_be_bytes([first.payload[6], first.payload[7]]);
    // That word more, and the sum comes to nothing: same flow, same lengths, all else equal.
    let second = lab.native(&packet(field)).sent().1;
    assert_eq!(second.payload[6..8], [0xFF, 0xFF]);
}
