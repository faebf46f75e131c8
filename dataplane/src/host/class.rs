//! Classes of packets for the kernel: each has a ring of its own, so that a flood of one leaves room for the
//! others.

use crate::verdict::DropReason;
use crate::wire::layers::layers;
use crate::wire::{bytes, ethernet, lisp, proto};

/// What the kernel is to do with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HostClass {
    /// Find and tell Ethernet addresses, keep the link: ARP, neighbour discovery, LLDP, LACP.
    Neighbour,
    /// LISP control.
    Control,
    /// Routing protocols and what tells that their neighbours live: BGP, BFD, OSPF, IS-IS, VRRP.
    Routing,
    /// ICMP but neighbour discovery.
    Icmp,
    /// All the rest.
    Other,
}

/// IP protocols and ports of routing (IANA).
const OSPF: u8 = 89;
const VRRP: u8 = 112;
const BGP: u16 = 179;
const BFD: [u16; 3] = [3784, 3785, 4784];
/// Router Solicitation to Redirect (RFC 4861 section 4).
const NEIGHBOUR_DISCOVERY: std::ops::RangeInclusive<u8> = 133..=137;
const ETHERTYPE: usize = 12;

impl HostClass {
    /// All classes, the most urgent first.
    pub const ALL: [Self; 5] = [Self::Neighbour, Self::Control, Self::Routing, Self::Icmp, Self::Other];

    /// Place in [`HostClass::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Packets that wait in its ring, at most. LISP control comes in bursts: a site that moves solicits for
    /// a hundred EID-prefixes at once, a Map-Server answers as many Map-Registers, and what is lost
    /// of that is missed for seconds.
    pub(super) const fn depth(self) -> usize {
        match self {
            Self::Neighbour | Self::Icmp => 64,
            Self::Routing | Self::Other => 128,
            Self::Control => 512,
        }
    }

    /// Its share of the host thread's turn while all have something: packets of 32.
    pub(super) const fn weight(self) -> usize {
        match self {
            Self::Control | Self::Routing => 8,
            Self::Neighbour | Self::Other => 6,
            Self::Icmp => 4,
        }
    }

    /// Why a packet is dropped whose ring is full.
    #[must_use]
    pub const fn full(self) -> DropReason {
        match self {
            Self::Neighbour => DropReason::HostFullNeighbour,
            Self::Control => DropReason::HostFullControl,
            Self::Routing => DropReason::HostFullRouting,
            Self::Icmp => DropReason::HostFullIcmp,
            Self::Other => DropReason::HostFull,
        }
    }

    /// The class of a frame.
    #[must_use]
    pub fn of(frame: &[u8]) -> Self {
        let [Some(packet), _] = layers(frame) else { return Self::of_link(frame) };
        let port = |wanted: u16| packet.ports.0 == wanted || packet.ports.1 == wanted;
        match packet.protocol {
            proto::ICMP => Self::Icmp,
            proto::ICMPV6 => match frame.get(packet.payload) {
                Some(kind) if NEIGHBOUR_DISCOVERY.contains(kind) => Self::Neighbour,
                _ => Self::Icmp,
            },
            proto::UDP if port(lisp::CONTROL_PORT) => Self::Control,
            proto::UDP if BFD.contains(&packet.ports.1) => Self::Routing,
            proto::TCP if port(BGP) => Self::Routing,
            OSPF | VRRP => Self::Routing,
            _ => Self::Other,
        }
    }

    /// The class of a frame without an IP packet.
    fn of_link(frame: &[u8]) -> Self {
        match bytes::be16(frame, ETHERTYPE) {
            Some(ethernet::ARP | ethernet::SLOW | ethernet::LLDP) => Self::Neighbour,
            // A length: LLC, as IS-IS and spanning tree have it.
            Some(length) if length < ethernet::FIRST_ETHERTYPE => Self::Routing,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use etherparse::PacketBuilder;

    fn v4() -> etherparse::PacketBuilderStep<etherparse::IpHeaders> {
        PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4([192, 0, 2, 9], [192, 0, 2, 1], 255)
    }

    fn v6() -> etherparse::PacketBuilderStep<etherparse::IpHeaders> {
        PacketBuilder::ethernet2([2; 6], [4; 6]).ipv6([0x20; 16], [0x30; 16], 255)
    }

    fn link(ethertype: u16) -> Vec<u8> {
        [&[2; 12][..], &ethertype.to_be_bytes(), &[0; 46]].concat()
    }

    #[test]
    fn classes_of_what_a_router_hears_r161() {
        let udp = |from, to| {
            let mut frame = Vec::new();
            v4().udp(from, to).write(&mut frame, &[0; 20]).expect("frame");
            frame
        };
        let tcp = |from, to| {
            let mut frame = Vec::new();
            v6().tcp(from, to, 1, 1000).write(&mut frame, &[]).expect("frame");
            frame
        };
        let icmp6 = |kind| {
            let mut frame = Vec::new();
            let header = etherparse::Icmpv6Type::Unknown { type_u8: kind, code_u8: 0, bytes5to8: [0; 4] };
            v6().icmpv6(header).write(&mut frame, &[0; 20]).expect("frame");
            frame
        };
        let mut ping = Vec::new();
        v4().icmpv4_echo_request(1, 1).write(&mut ping, &[0; 20]).expect("frame");
        let mut ospf = Vec::new();
        v4().write(&mut ospf, etherparse::IpNumber(89), &[0; 20]).expect("frame");
        for (frame, class) in [
            (link(0x0806), HostClass::Neighbour),
            (link(0x88CC), HostClass::Neighbour),
            (icmp6(135), HostClass::Neighbour),
            (icmp6(134), HostClass::Neighbour),
            (icmp6(128), HostClass::Icmp),
            (ping, HostClass::Icmp),
            (udp(60_000, 4342), HostClass::Control),
            (udp(4342, 60_000), HostClass::Control),
            (udp(60_000, 3784), HostClass::Routing),
            (udp(3784, 60_000), HostClass::Other),
            (tcp(60_000, 179), HostClass::Routing),
            (tcp(179, 60_000), HostClass::Routing),
            (tcp(60_000, 22), HostClass::Other),
            (ospf, HostClass::Routing),
            (link(50), HostClass::Routing),
            (link(0x1234), HostClass::Other),
            (vec![0; 5], HostClass::Other),
        ] {
            assert_eq!(HostClass::of(&frame), class, "{frame:02x?}");
        }
    }

    #[test]
    fn classes_have_their_place_a_share_and_a_reason_of_their_own() {
        for (index, class) in HostClass::ALL.into_iter().enumerate() {
            assert_eq!(class.index(), index);
        }
        assert_eq!(HostClass::ALL.map(HostClass::weight).iter().sum::<usize>(), 32);
        let reasons: std::collections::HashSet<_> = HostClass::ALL.map(HostClass::full).into();
        assert_eq!(reasons.len(), HostClass::ALL.len());
    }
}
