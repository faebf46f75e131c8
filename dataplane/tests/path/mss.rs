//! TCP maximum segment sizes through LISP.

use crate::lab::*;
use crate::packets::*;
use etherparse::{Ipv4Header, Ipv6Header, TcpHeader};
use std::net::IpAddr;

/// A segment with these options and a right checksum.
fn tcp(source: &str, destination: &str, syn: bool, options: &[u8]) -> Packet {
    let mut header = TcpHeader::new(40_000, 443, 0x0102_0304, 65_535);
    (header.syn, header.ack) = (syn, !syn);
    header.set_options_raw(options).expect("options");
    let payload = data(if syn { 0 } else { 33 });
    let mut packet = proto(source, destination, 6, &[]);
    header.checksum = checksum(&header, packet.source, packet.destination, &payload);
    packet.payload = [&header.to_bytes()[..], &payload].concat();
    packet
}

fn checksum(header: &TcpHeader, source: IpAddr, destination: IpAddr, payload: &[u8]) -> u16 {
    match (source, destination) {
        (IpAddr::V4(s), IpAddr::V4(d)) => {
            let ip = Ipv4Header { source: s.octets(), destination: d.octets(), ..Default::default() };
            header.calc_checksum_ipv4(&ip, payload)
        }
        (IpAddr::V6(s), IpAddr::V6(d)) => {
            let ip = Ipv6Header { source: s.octets(), destination: d.octets(), ..Default::default() };
            header.calc_checksum_ipv6(&ip, payload)
        }
        _ => panic!("mixed families"),
    }
    .expect("a length that fits")
}

/// The options of a segment whose checksum is right.
fn options(packet: &[u8]) -> Vec<u8> {
    let seen = dissect_ip(packet);
    let (header, payload) = TcpHeader::from_slice(&seen.payload).expect("TCP");
    assert_eq!(header.checksum, checksum(&header, seen.source, seen.destination, payload), "TCP checksum");
    header.options.to_vec()
}

/// Options as they come, and as they leave where the MSS may be `limit`.
fn cases(limit: u16) -> Vec<(&'static str, Vec<u8>, Vec<u8>)> {
    let mss = |value: u16| [2, 4, value.to_be_bytes()[0], value.to_be_bytes()[1]];
    let with = |front: &[u8], value: u16, back: &[u8]| [front, &mss(value), back].concat();
    vec![
        ("larger", with(&[], 1460, &[]), with(&[], limit, &[])),
        ("as large", with(&[], limit, &[]), with(&[], limit, &[])),
        ("smaller", with(&[], 536, &[]), with(&[], 536, &[])),
        ("largest", with(&[], 65_535, &[4, 2, 1, 1]), with(&[], limit, &[4, 2, 1, 1])),
        (
            "behind others",
            with(&[4, 2, 3, 3, 7, 1], 1460, &[1, 1]),
            with(&[4, 2, 3, 3, 7, 1], limit, &[1, 1]),
        ),
        ("in the middle of words", with(&[1], 1460, &[1, 1, 1]), with(&[1], limit, &[1, 1, 1])),
        ("none", vec![4, 2, 1, 1], vec![4, 2, 1, 1]),
        ("behind the end", vec![0, 1, 1, 1, 2, 4, 5, 180], vec![0, 1, 1, 1, 2, 4, 5, 180]),
    ]
}

/// SYNs of both families, into LISP and out of it; nothing else.
#[test]
fn the_mss_of_syns_is_lowered_to_what_fits_r126() {
    for express in [true, false] {
        let mut lab = Lab::with(|config| config.express = express);
        lab.vrf(0, |vrf| vrf.clamp_mss_to_mtu = Some(1444));
        for (host, site, limit) in [
            ("192.0.2.9", "10.4.0.7", 1404),
            ("192.0.2.9", "10.6.0.7", 1404),
            ("2001:db8:1::9", "2001:db8:e006::7", 1384),
        ] {
            let outer = if site.starts_with("10.6") || site.contains("e006") {
                ("2001:db8:f::6", "2001:db8:c0::2")
            } else {
                ("203.0.113.4", "198.51.100.2")
            };
            for (name, before, after) in cases(limit) {
                let seen = lab.native(&tcp(host, site, true, &before)).sent().1;
                assert_eq!(options(&seen.lisp().inner), after, "{name}, to {site}");
                let back = tcp(site, host, true, &before);
                let seen = lab.core(&lisp(outer.0, outer.1, [0; 8], &back.ip())).sent().1;
                assert_eq!(options(&seen.ip), after, "{name}, from {site}");
                // Not a SYN: what looks like an MSS is none of our business.
                let data = tcp(host, site, false, &before);
                assert_eq!(lab.native(&data).sent().1.lisp().inner, data.hop().ip(), "{name}");
            }
        }
        // Between native hosts nothing is in the way.
        let native = tcp("192.0.2.9", "8.8.8.8", true, &[2, 4, 5, 180]);
        assert_eq!(lab.native(&native).sent().1.ip, native.hop().ip());
        // Off, as it is by default.
        lab.vrf(0, |vrf| vrf.clamp_mss_to_mtu = None);
        let syn = tcp("192.0.2.9", "10.4.0.7", true, &[2, 4, 5, 180]);
        assert_eq!(lab.native(&syn).sent().1.lisp().inner, syn.hop().ip());
    }
}

/// Options that contradict themselves are passed on as they came: they are the hosts' affair.
#[test]
fn malformed_options_are_left_alone_r126() {
    let mut lab = Lab::new();
    lab.vrf(0, |vrf| vrf.clamp_mss_to_mtu = Some(1444));
    let good = tcp("192.0.2.9", "10.4.0.7", true, &[2, 4, 5, 180, 1, 1, 1, 0]);
    let with = |options: [u8; 8]| {
        let mut packet = good.clone();
        packet.payload[20..28].copy_from_slice(&options);
        packet
    };
    for options in [
        [3, 0, 2, 4, 5, 180, 1, 1],
        [3, 1, 2, 4, 5, 180, 1, 1],
        [3, 200, 2, 4, 5, 180, 1, 1],
        [2, 3, 5, 2, 4, 5, 180, 1],
        [1, 1, 1, 1, 1, 2, 4, 5],
        [1, 1, 1, 1, 1, 1, 1, 2],
    ] {
        let packet = with(options);
        assert_eq!(lab.native(&packet).sent().1.lisp().inner, packet.hop().ip(), "{options:?}");
    }
    for header_words in [0, 4, 15] {
        let mut packet = good.clone();
        packet.payload[12] = header_words << 4;
        assert_eq!(lab.native(&packet).sent().1.lisp().inner, packet.hop().ip(), "{header_words} words");
    }
    for len in 0..28 {
        let mut packet = good.clone();
        packet.payload.truncate(len);
        assert_eq!(lab.native(&packet).sent().1.lisp().inner, packet.hop().ip(), "{len} bytes");
    }
    let piece = good.clone().fragment(true, 0);
    assert_eq!(lab.native(&piece).sent().1.lisp().inner, piece.hop().ip(), "a first fragment");
}
