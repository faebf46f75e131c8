//! ICMP errors that the worker originates: contents, when not, how many.

use crate::lab::*;
use crate::packets::*;
use etherparse::{Icmpv4Slice, Icmpv6Slice};
use pxtr_dataplane::verdict::DropReason::*;

const V4: &str = "192.0.2.9";
const V6: &str = "2001:db8:1::9";

#[test]
fn contents_of_icmpv4_errors_r130_r148() {
    let mut lab = Lab::new();
    for (len, quoted) in [(5, 33), (500, 528), (1400, 548)] {
        let packet = udp(V4, "8.8.8.8", len).ttl(1).tos(0x2B);
        let (_, port, icmp) = lab.native(&packet).told();
        assert_eq!((port, icmp.to, icmp.from), (NATIVE, HOST_MAC, OUR_MAC[0]));
        assert_eq!((icmp.source.to_string(), icmp.destination.to_string()), ("192.0.2.1".into(), V4.into()));
        assert_eq!(
            (icmp.ttl, icmp.tos),
            (64, 0xC8),
            "precedence 6, the other TOS bits of the packet, no ECN"
        );
        assert!(icmp.ip.len() <= 576);
        assert_eq!(icmp.payload[8..], packet.ip()[..quoted], "as much as fits");
        assert!(Icmpv4Slice::from_slice(&icmp.payload).unwrap().is_checksum_valid());
        lab.advance_ms(1000);
    }
    assert_eq!(lab.snapshot().icmp_by_kind().next(), Some(("time_exceeded", 3)));
}

/// etherparse 0.21 has no check for ICMPv4 on a slice: RFC 1071 by hand.
trait Checked {
    fn is_checksum_valid(&self) -> bool;
}

impl Checked for Icmpv4Slice<'_> {
    fn is_checksum_valid(&self) -> bool {
        let words = self.slice().chunks(2).map(|w| u32::from(w[0]) << 8 | u32::from(*w.get(1).unwrap_or(&0)));
        let sum: u32 = words.sum();
        let sum = (sum & 0xFFFF) + (sum >> 16);
        (sum & 0xFFFF) + (sum >> 16) == 0xFFFF
    }
}

#[test]
fn contents_of_icmpv6_errors_r148() {
    let mut lab = Lab::new();
    for (len, quoted) in [(5, 53), (1300, 1232)] {
        let packet = udp(V6, "2001:db8:99::1", len).ttl(1);
        let (_, port, icmp) = lab.native(&packet).told();
        assert_eq!((port, icmp.to, icmp.from), (NATIVE, HOST_MAC, OUR_MAC[0]));
        assert_eq!(
            (icmp.source.to_string(), icmp.destination.to_string()),
            ("2001:db8:1::1".into(), V6.into())
        );
        assert!(icmp.ip.len() <= 1280);
        assert_eq!(icmp.payload[8..], packet.ip()[..quoted]);
        let addresses = |ip: std::net::IpAddr| match ip {
            std::net::IpAddr::V6(ip) => ip.octets(),
            other => panic!("{other}"),
        };
        let slice = Icmpv6Slice::from_slice(&icmp.payload).unwrap();
        assert!(slice.is_checksum_valid(addresses(icmp.source), addresses(icmp.destination)));
        lab.advance_ms(1000);
    }
}

#[test]
fn no_error_about_these_r146() {
    let mut lab = Lab::new();
    let v4 = |kind: u8| proto(V4, "8.8.8.8", 1, &[kind, 0, 0, 0, 0, 0, 0, 0]).ttl(1);
    let v6 = |kind: u8| proto(V6, "2001:db8:99::1", 58, &[kind, 0, 0, 0, 0, 0, 0, 0]).ttl(1);
    let hidden = proto(V6, "2001:db8:99::1", 60, &[60, 0, 1, 4, 0, 0, 0, 0].repeat(6)).ttl(1);
    let silent = [
        ("ICMP unreachable", v4(3)),
        ("ICMP time exceeded", v4(11)),
        ("ICMP redirect", v4(5)),
        ("ICMP of unknown type", v4(77)),
        ("empty ICMP", proto(V4, "8.8.8.8", 1, &[]).ttl(1)),
        ("ICMPv6 too big", v6(2)),
        ("ICMPv6 redirect", v6(137)),
        ("ICMPv6 behind too many headers", hidden),
        ("later fragment", udp(V4, "8.8.8.8", 64).fragment(true, 8).ttl(1)),
    ];
    for (name, packet) in silent {
        assert_eq!(lab.native(&packet), Fate::Dropped(TtlExpired), "{name}");
    }
    assert_eq!(lab.snapshot().icmp_unsendable, 9);
    let loud = [("echo request", v4(8)), ("echo reply", v4(0)), ("ICMPv6 echo", v6(128))];
    for (name, packet) in loud {
        assert!(matches!(lab.native(&packet), Fate::Told(TtlExpired, ..)), "{name}");
    }
    let first = udp(V4, "8.8.8.8", 64).fragment(true, 0).ttl(1);
    assert!(matches!(lab.native(&first), Fate::Told(TtlExpired, ..)), "first fragment");
}

#[test]
fn no_error_without_a_source_address() {
    let mut lab = Lab::new();
    for port in [NATIVE, CORE, TENANT] {
        lab.port(port, |spec| spec.ipv6 = None);
    }
    assert_eq!(lab.native(&udp(V6, "2001:db8:99::1", 5).ttl(1)), Fate::Dropped(TtlExpired));
    assert_eq!(lab.snapshot().icmp_unsendable, 1);
}

#[test]
fn errors_are_limited_per_source_and_per_interface_r147() {
    let mut lab = Lab::new();
    let told = |lab: &mut Lab, source: String| {
        matches!(lab.native(&udp(&source, "8.8.8.8", 5).ttl(1)), Fate::Told(..))
    };
    let one = (0..30).filter(|_| told(&mut lab, V4.into())).count();
    assert_eq!(one, 10, "a source gets a burst of 10");
    lab.advance_ms(1000);
    let many = (0..300).filter(|n| told(&mut lab, format!("192.0.{}.{}", n / 200 + 3, n % 200 + 1))).count();
    assert!((95..=100).contains(&many), "{many}: an interface gets a burst of 100");
    assert_eq!(lab.snapshot().icmp_limited as usize, 330 - one - many);
}

#[test]
fn too_big_is_told_with_the_mtu_that_fits_r116_r117() {
    let mut lab = Lab::new();
    let cases = [("v4 in v4", "10.4.0.7", 1464), ("v4 in v6", "10.6.0.7", 1444), ("native", "8.8.8.8", 1500)];
    for (name, destination, mtu) in cases {
        assert!(matches!(lab.native(&udp(V4, destination, mtu - 28)), Fate::Tx(..)), "{name}: exactly");
        let packet = udp(V4, destination, mtu - 27);
        let (reason, _, icmp) = lab.native(&packet).told();
        assert_eq!((reason, &icmp.payload[..4][..2]), (PacketTooBig, &[3, 4][..]), "{name}");
        assert_eq!(icmp.payload[4..8], (mtu as u32).to_be_bytes(), "{name}");
        assert_eq!(icmp.payload[8..28], packet.ip()[..20]);
    }
    let cases = [
        ("v6 in v4", "2001:db8:e004::7", 1464),
        ("v6 in v6", "2001:db8:e006::7", 1444),
        ("native", "2001:db8:99::1", 1500),
    ];
    for (name, destination, mtu) in cases {
        assert!(matches!(lab.native(&udp(V6, destination, mtu - 48)), Fate::Tx(..)), "{name}: exactly");
        let (reason, _, icmp) = lab.native(&udp(V6, destination, mtu - 47)).told();
        assert_eq!((reason, &icmp.payload[..2]), (PacketTooBig, &[2, 0][..]), "{name}");
        assert_eq!(icmp.payload[4..8], (mtu as u32).to_be_bytes(), "{name}");
    }
    // Never less than 1280: what is too big then must be at least 1281.
    lab.rloc(RLOC_V4, "198.51.100.2", "203.0.113.4", 1300);
    assert!(matches!(lab.native(&udp(V6, "2001:db8:e004::7", 1280 - 48)), Fate::Split(CORE, _)));
    let (_, _, icmp) = lab.native(&udp(V6, "2001:db8:e004::7", 1281 - 48)).told();
    assert_eq!(icmp.payload[4..8], 1280u32.to_be_bytes());
}
