//! Routers behind NATs: what goes to them, and what comes to them as data but is control.

use crate::lab::*;
use crate::packets::*;
use pxtr_dataplane::feed::{OuterPorts, RlocOptions};
use pxtr_dataplane::verdict::DropReason;

const THROUGH: OuterPorts = OuterPorts { source: 4342, destination: 40_001 };

fn with_ports(udp_checksum: bool) -> RlocOptions {
    RlocOptions { ports: Some(THROUGH), udp_checksum, ..RlocOptions::default() }
}

fn ports(outer: &Seen) -> (u16, u16) {
    let word = |at: usize| u16::from_be_bytes([outer.payload[at], outer.payload[at + 1]]);
    (word(0), word(2))
}

/// The NAT lets in what comes from the port that was spoken to, for the port that it gave away; all flows.
#[test]
fn packets_take_the_ports_that_the_nat_keeps_open_r204() {
    for express in [true, false] {
        let mut lab = Lab::with(|config| config.express = express);
        lab.rloc_with(RLOC_V4, "198.51.100.2", "203.0.113.4", 1500, with_ports(false));
        for flow in 0..20 {
            let packet = udp("192.0.2.9", "10.4.0.7", 40 + flow);
            let outer = lab.native(&packet).sent().1;
            assert_eq!(ports(&outer), (4342, 40_001));
            assert_eq!(outer.destination.to_string(), "203.0.113.4");
            // UDP header, LISP header, and the inner packet as ever.
            assert_eq!(outer.payload[16..], packet.hop().ip());
        }
        let plain = lab.native(&udp("192.0.2.9", "10.6.0.7", 40)).sent().1;
        assert!(ports(&plain).0 >= 49_152 && ports(&plain).1 == 4341, "others are not concerned");
    }
}

/// An RTR: out of one encapsulation, into the other.
#[test]
fn an_rtr_re_encapsulates_towards_the_nat_r113_r204() {
    let mut lab = Lab::new();
    lab.vrf(0, |vrf| vrf.rtr = true);
    lab.rloc_with(RLOC_V4, "198.51.100.2", "203.0.113.4", 1500, with_ports(true));
    let inner = udp("10.6.0.7", "10.4.0.7", 100);
    let (port, outer) = lab.core(&lisp("2001:db8:f::6", "2001:db8:c0::2", [0; 8], &inner.ip())).sent();
    assert_eq!((port, ports(&outer)), (CORE, (4342, 40_001)));
    assert_eq!(outer.payload[16..], inner.hop().ip());
    let (header, data) = etherparse::UdpHeader::from_slice(&outer.payload).expect("UDP");
    let ip = etherparse::Ipv4Header::from_slice(&outer.ip).expect("IPv4").0;
    assert_eq!(header.checksum, header.calc_checksum_ipv4(&ip, data).expect("a length that fits"));
    // And the other way, from behind the NAT: whatever port it comes from.
    let inner = udp("10.4.0.7", "10.6.0.7", 100);
    let (port, outer) = lab.core(&lisp("203.0.113.4", "198.51.100.2", [0; 8], &inner.ip())).sent();
    assert_eq!((port, outer.destination.to_string().as_str()), (CORE, "2001:db8:f::6"));
    assert_eq!(outer.lisp().inner, inner.hop().ip());
}

/// Data with the reserved Instance-ID goes to the kernel as it is, on ports that say so; elsewhere, and
/// with any other unknown Instance-ID, it is dropped.
#[test]
fn control_that_comes_as_data_goes_to_the_kernel_where_wanted_r141_r204() {
    let inner = udp("198.51.100.9", "10.0.0.2", 64);
    let with = |iid| lisp("203.0.113.4", "198.51.100.2", instance(iid), &inner.ip());
    for express in [true, false] {
        let mut lab = Lab::with(|config| config.express = express);
        assert_eq!(lab.core(&with(0xFF_FFFF)), Fate::Dropped(DropReason::InstanceUnknown));
        lab.port(CORE, |port| port.policy.control_in_data = true);
        assert_eq!(lab.core(&with(0xFF_FFFF)), Fate::Host);
        assert_eq!(lab.core(&with(102)), Fate::Dropped(DropReason::InstanceUnknown));
    }
}
