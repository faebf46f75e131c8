//! LISP-GPE (RFC 9305), by agreement with the other end: sent, taken, and refused by name.

use crate::lab::*;
use crate::marks::right_checksum;
use crate::packets::*;
use pxtr_dataplane::admission::{Admission, Nonce};
use pxtr_dataplane::feed::{Delta, RlocOptions};
use pxtr_dataplane::verdict::DropReason::*;

const RLOC: &str = "203.0.113.4";
const OURS: &str = "198.51.100.2";

/// With and without the express way: what is agreed upon must not depend on it.
fn labs() -> [Lab; 2] {
    [true, false].map(|express| Lab::with(|config| config.express = express))
}

fn agree(lab: &mut Lab, with: &[(&str, bool)]) {
    let peers = with.iter().map(|(prefix, agreed)| (prefix.parse().expect("prefix"), *agreed));
    lab.apply(Delta::GpePeers(peers.collect()));
}

/// RFC 9305 section 3: P and Next Protocol; nonce and versions make room for them, the Instance-ID stays.
#[test]
fn what_follows_is_named_to_those_who_agreed_r006() {
    let ways = [
        ("192.0.2.9", "10.4.0.7", 1),
        ("192.0.2.9", "10.6.0.7", 1),
        ("2001:db8:1::9", "2001:db8:e004::7", 2),
        ("2001:db8:1::9", "2001:db8:e006::7", 2),
    ];
    for mut lab in labs() {
        let gpe = RlocOptions { gpe: true, map_versions: true, ..RlocOptions::default() };
        lab.rloc_with(RLOC_V4, "198.51.100.2", "203.0.113.4", 1500, gpe);
        lab.rloc_with(RLOC_V6, "2001:db8:c0::2", "2001:db8:f::6", 1500, gpe);
        for (from, to, next) in ways {
            let packet = udp(from, to, 40);
            let outer = lab.native(&packet).sent().1.lisp();
            assert_eq!(outer.header, [0x04, 0, 0, next, 0, 0, 0, 0], "{from} to {to}");
            assert_eq!(outer.inner, packet.hop().ip());
        }
        let packet = udp("192.0.2.9", "10.4.0.7", 10);
        let outer = lab.receive(TENANT, &packet.frame(OUR_MAC[2], TENANT_MAC)).sent().1.lisp();
        assert_eq!(outer.header, [0x0C, 0, 0, 1, 0, 0, 101, 0], "with an Instance-ID");
        // The checksum, where one is computed, is that of these bytes (a MUST over IPv6).
        let checked = RlocOptions { gpe: true, udp_checksum: true, ..RlocOptions::default() };
        lab.rloc_with(RLOC_V6, "2001:db8:c0::2", "2001:db8:f::6", 1500, checked);
        let outer = lab.native(&udp("192.0.2.9", "10.6.0.7", 40)).sent().1;
        assert_eq!(outer.payload[8..12], [0x04, 0, 0, 1]);
        assert_eq!(outer.payload[6..8], right_checksum(&outer).to_be_bytes());
    }
}

/// What comes with P set from whom.
#[test]
fn what_is_named_is_what_comes_out_r036_r039() {
    let v4 = udp("10.4.0.7", "192.0.2.9", 5);
    let v6 = udp("2001:db8:e004::7", "2001:db8:1::9", 5);
    for mut lab in labs() {
        agree(&mut lab, &[("203.0.113.0/24", true), ("203.0.113.5/32", false)]);
        for (inner, next) in [(&v4, 1), (&v6, 2)] {
            let good = lisp(RLOC, OURS, [0x04, 0, 0, next, 0, 0, 0, 0], &inner.ip());
            assert_eq!(lab.core(&good).sent().1.ip, inner.hop().ip());
            // N, E and V, and the bytes that P leaves free, mean nothing.
            let odd = lisp(RLOC, OURS, [0xB4, 7, 7, next, 0, 0, 0, 0], &inner.ip());
            assert_eq!(lab.core(&odd).sent().1.ip, inner.hop().ip());
            // Without P it is LISP as ever.
            assert_eq!(lab.core(&lisp(RLOC, OURS, [0; 8], &inner.ip())).sent().1.ip, inner.hop().ip());
            let other = lisp(RLOC, OURS, [0x04, 0, 0, 3 - next, 0, 0, 0, 0], &inner.ip());
            assert_eq!(lab.core(&other), Fate::Dropped(InnerVersion), "the other family");
        }
        // Nothing, Ethernet, NSH, a shim header.
        for next in [0, 3, 4, 0x80, 0xFF] {
            let frame = lisp(RLOC, OURS, [0x04, 0, 0, next, 0, 0, 0, 0], &v4.ip());
            assert_eq!(lab.core(&frame), Fate::Dropped(GpeNextProtocol), "{next}");
        }
        for source in ["203.0.113.5", "198.51.100.9"] {
            let frame = lisp(source, OURS, [0x04, 0, 0, 1, 0, 0, 0, 0], &v4.ip());
            assert_eq!(lab.core(&frame), Fate::Dropped(GpeNotAgreed), "{source}");
        }
        // It takes the place of a nonce that is asked for.
        let nonces = Box::new([Nonce::new(0x0102)]);
        lab.apply(Delta::Admission(Box::new(Admission { nonces, ..Admission::default() })));
        let nonce = lisp(RLOC, OURS, [0x84, 0, 1, 2, 0, 0, 0, 0], &v6.ip());
        assert_eq!(lab.core(&nonce), Fate::Dropped(NonceNotAgreed));
        lab.apply(Delta::Admission(Box::default()));
        // Nobody any more: the bit is reserved again, and ignored.
        agree(&mut lab, &[]);
        let frame = lisp(RLOC, OURS, [0x04, 0, 0, 3, 0, 0, 0, 0], &v4.ip());
        assert_eq!(lab.core(&frame).sent().1.ip, v4.hop().ip());
    }
}
