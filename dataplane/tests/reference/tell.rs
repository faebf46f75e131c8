//! ICMP errors (RFC 792, RFC 1812 section 4.3.2, RFC 4443; ).

use super::judge::{Context, Origin};
use super::outer::ones_sum;
use super::read::{self, ICMP, ICMPV6, Kind, Packet, be16, kind, set_header_checksum};
use super::world::World;
use pxtr_dataplane::feed::PortSpec;
use pxtr_dataplane::types::PortId;
use pxtr_dataplane::verdict::Notice;
use std::net::IpAddr;

/// The error about a packet, if there may be one.
pub fn error(world: &World, about: &Packet, cx: Context, notice: Notice) -> Option<Packet> {
    if !may_be_told(about) {
        return None;
    }
    match (source(world, about, cx)?, about.source) {
        (IpAddr::V4(from), IpAddr::V4(to)) => Some(error_v4(about, notice, from.octets(), to.octets())),
        (IpAddr::V6(from), IpAddr::V6(to)) => Some(error_v6(about, notice, from.octets(), to.octets())),
        _ => None,
    }
}

///
fn may_be_told(about: &Packet) -> bool {
    if kind(about.source) != Kind::Unicast || kind(about.destination) != Kind::Unicast {
        return false;
    }
    match (about.v6, about.protocol) {
        (false, _) if about.later_fragment => false,
        // Requests and replies only: an error about an unknown type may loop.
        (false, ICMP) => {
            about.first_byte().is_some_and(|kind| matches!(kind, 0 | 8 | 9 | 10 | 13..=18 | 42 | 43))
        }
        (false, _) => true,
        // What the end of the chain is may be an error.
        (true, _) if !about.complete => false,
        (true, ICMPV6) if about.fragment => false,
        (true, ICMPV6) => about.first_byte().is_some_and(|kind| kind >= 128 && kind != 137),
        (true, _) => true,
    }
}

/// that of the interface it came in by; what came out of LISP did so in its VRF, whose native
/// interfaces come first.
fn source(world: &World, about: &Packet, cx: Context) -> Option<IpAddr> {
    let address =
        |port: &PortSpec| if about.v6 { port.ipv6.map(IpAddr::V6) } else { port.ipv4.map(IpAddr::V4) };
    let ports = (0..world.ports.len()).filter_map(|n| world.port(PortId(n as u16)));
    let in_vrf: Vec<_> = ports.filter(|port| port.vrf == cx.vrf).collect();
    let arrival = world.port(cx.port).filter(|_| matches!(cx.origin, Origin::Native(_)));
    let native = in_vrf.iter().filter(|port| port.native).find_map(|port| address(port));
    arrival.and_then(address).or(native).or_else(|| in_vrf.iter().find_map(|port| address(port)))
}

fn error_v4(about: &Packet, notice: Notice, from: [u8; 4], to: [u8; 4]) -> Packet {
    let (kind, code, mtu) = match notice {
        Notice::TimeExceeded => (11, 0, 0),
        Notice::ReassemblyTime => (11, 1, 0),
        Notice::NetUnreachable => (3, 0, 0),
        Notice::HostUnreachable => (3, 1, 0),
        Notice::Prohibited => (3, 13, 0),
        Notice::TooBig(mtu) => (3, 4, mtu.max(68)),
    };
    let quoted = &about.bytes[..about.bytes.len().min(576 - 28)];
    let [mtu0, mtu1] = mtu.to_be_bytes();
    let mut icmp = [&[kind, code, 0, 0, 0, 0, mtu0, mtu1][..], quoted].concat();
    let checksum = !ones_sum(&icmp);
    icmp[2..4].copy_from_slice(&checksum.to_be_bytes());
    let [len0, len1] = (20 + icmp.len() as u16).to_be_bytes();
    // RFC 1812 section 4.3.2.5: the TOS of the packet it is about, precedence 6.
    let tos = 0xC0 | about.tos & 0x1C;
    let header = [0x45, tos, len0, len1, 0, 0, 0x40, 0, 64, ICMP, 0, 0];
    let mut packet = [&header[..], &from, &to, &icmp].concat();
    set_header_checksum(&mut packet);
    read::read_v4(&packet).expect("well formed")
}

fn error_v6(about: &Packet, notice: Notice, from: [u8; 16], to: [u8; 16]) -> Packet {
    let (kind, code, mtu) = match notice {
        Notice::TimeExceeded => (3, 0, 0),
        Notice::ReassemblyTime => (3, 1, 0),
        Notice::NetUnreachable => (1, 0, 0),
        Notice::HostUnreachable => (1, 3, 0),
        Notice::Prohibited => (1, 1, 0),
        Notice::TooBig(mtu) => (2, 0, mtu.max(1280)),
    };
    let quoted = &about.bytes[..about.bytes.len().min(1280 - 48)];
    let [mtu0, mtu1] = mtu.to_be_bytes();
    let mut icmp = [&[kind, code, 0, 0, 0, 0, mtu0, mtu1][..], quoted].concat();
    let length = (icmp.len() as u16).to_be_bytes();
    let checksum = !ones_sum(&[&from[..], &to, &[0, ICMPV6], &length, &icmp].concat());
    icmp[2..4].copy_from_slice(&checksum.to_be_bytes());
    let header = [0x6C, 0, 0, 0, length[0], length[1], ICMPV6, 64];
    let packet = [&header[..], &from, &to, &icmp].concat();
    debug_assert_eq!(be16(&packet, 4), icmp.len() as u16);
    read::read_v6(&packet).expect("well formed")
}
