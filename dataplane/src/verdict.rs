//! The one list of fates. Every received packet ends in exactly one of them; their counts sum up to
//! the packets received.

use crate::types::{AdjacencyId, Eid, PortId, RlocId};
use std::net::IpAddr;

/// What is to be done with a packet that has been decided about and rewritten. All but
/// [`Verdict::Split`], [`Verdict::Identify`], [`Verdict::Reassemble`] and [`Verdict::CoreError`] are fates. Eight bytes, so that it travels in a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Send on this port: the buffer holds the frame with its LISP headers.
    Encapsulated(PortId),
    /// Send on this port: the buffer holds the frame as it goes natively.
    Forwarded(PortId),
    /// To the kernel's face of the port it arrived on; the buffer is as it was received.
    Host,
    /// Keep until what it waits for is known; the buffer begins with an Ethernet header that means
    /// nothing, followed by the IP packet that is to be routed again.
    Hold(Wait),
    /// Drop, and perhaps tell its source with an ICMP error made out of the buffer, which is
    /// counted apart.
    Drop(DropReason, Option<Notice>),
    /// IPv4 that is too big and may be fragmented: split into packets of at most this many bytes,
    /// each of which then goes its way. The first one carries the fate of the packet.
    Split(u16),
    /// Encapsulated, to be sent on this port, and too big for its way or allowed to be fragmented on it:
    /// give the outer header an identification, and cut it to outer packets of at most `mtu` bytes.
    Identify {
        /// Port the packet leaves from.
        port: PortId,
        /// Largest outer IP packet.
        mtu: u16,
    },
    /// A fragment that may be part of a LISP packet for us: keep it until that is whole.
    Reassemble,
    /// An ICMP error that may be about a packet we encapsulated: see what it is worth.
    CoreError,
}

/// What a packet waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// A mapping for its destination.
    Mapping,
    /// A mapping for its inner source; the packet still has its outer headers.
    Source,
    /// The Ethernet address of its destination, on this port.
    Neighbour(PortId),
    /// The underlay next hop of this RLOC.
    Rloc(RlocId),
    /// The Ethernet address of this next hop.
    Adjacency(AdjacencyId),
}

/// The same with the destination: what packets that wait are kept by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HoldKey {
    /// A mapping for this EID.
    Eid(Eid),
    /// The underlay next hop of this RLOC.
    Rloc(RlocId),
    /// The Ethernet address of this next hop.
    Adjacency(AdjacencyId),
    /// A neighbour on a connected network that has no adjacency yet.
    Neighbour(PortId, IpAddr),
}

/// What the sender of a dropped packet is told, by ICMP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Notice {
    /// TTL or Hop Limit ran out.
    TimeExceeded,
    /// The rest of a fragmented packet did not come in time.
    ReassemblyTime,
    /// No way to the network.
    NetUnreachable,
    /// No way to the host.
    HostUnreachable,
    /// Not allowed.
    Prohibited,
    /// Too big; the largest IP packet that fits, bytes.
    TooBig(u16),
}

/// Declares [`DropReason`]: one line of text serves as rustdoc and as the operator's explanation.
macro_rules! drop_reasons {
    ($($variant:ident, $name:literal, $text:literal;)*) => {
        /// Why a packet was dropped. [`DropReason::name`] is stable: metrics and scripts use it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum DropReason {
            $(#[doc = $text] $variant,)*
        }

        impl DropReason {
            /// All reasons, in the order of [`DropReason::index`].
            pub const ALL: [Self; Self::COUNT] = [$(Self::$variant,)*];
            /// Number of reasons.
            pub const COUNT: usize = [$($name,)*].len();

            /// Stable name in snake_case, the label in metrics.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// One sentence for the operator.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

impl DropReason {
    /// Position in [`DropReason::ALL`], for tables of counters.
    pub const fn index(self) -> usize {
        self as usize
    }
}

drop_reasons! {
    // Ethernet.
    FrameTooShort, "frame_too_short", "The frame is shorter than an Ethernet header.";
    PortNotConfigured, "port_not_configured", "The port has not been set up by the control plane yet.";
    NotOurMac, "not_our_mac", "The unicast destination MAC address is not the port's.";
    VlanTagged, "vlan_tagged", "The frame carries an 802.1Q or 802.1ad tag and the port has no sub-interfaces.";
    VlanUnknown, "vlan_unknown", "The frame carries VLAN identifiers that no sub-interface of the port has.";
    EthertypeUnknown, "ethertype_unknown", "The frame is neither IPv4, IPv6 nor ARP, nor link-layer control traffic.";
    LinkBroadcast, "link_broadcast", "A unicast IP packet came in a broadcast or multicast frame (RFC 1812 5.3.4).";
    HandoverFull, "handover_full", "The ring to the worker of the packet's flow was full (port.spread = \"software\").";
    HeadersSplit, "headers_split", "The headers do not lie in the first segment of a packet that came in several.";
    ArpMalformed, "arp_malformed", "An ARP message that is cut short or not about IPv4 over Ethernet.";
    // IPv4 and IPv6 headers.
    Ipv4HeaderShort, "ipv4_header_short", "The frame ends inside the IPv4 header.";
    Ipv4Version, "ipv4_version", "An IPv4 frame whose version field is not 4.";
    Ipv4HeaderLength, "ipv4_header_length", "The IPv4 header length is below 20 bytes or beyond the total length.";
    Ipv4TotalLength, "ipv4_total_length", "The IPv4 total length is beyond the end of the frame.";
    Ipv4Checksum, "ipv4_checksum", "The IPv4 header checksum is wrong.";
    Ipv4SourceRoute, "ipv4_source_route", "The IPv4 packet asks for source routing (RFC 7126).";
    Ipv4OptionsMalformed, "ipv4_options_malformed", "The IPv4 options do not parse.";
    Ipv6HeaderShort, "ipv6_header_short", "The frame ends inside the IPv6 header.";
    Ipv6Version, "ipv6_version", "An IPv6 frame whose version field is not 6.";
    Ipv6PayloadLength, "ipv6_payload_length", "The IPv6 payload length is beyond the end of the frame.";
    // Addresses.
    MartianSource, "martian_source", "The source address can not be the address of a sender.";
    MartianDestination, "martian_destination", "The destination address must not be forwarded to.";
    OwnSource, "own_source", "A packet from outside carries one of our own RLOCs or port addresses as its source.";
    LinkLocalSource, "link_local_source", "A packet with a link-local source is not forwarded.";
    SourceForeign, "source_foreign", "The port's reverse path leads elsewhere, or there is none: nobody gets access by plugging in.";
    EidClaimed, "eid_claimed", "The source is the address of a live dynamic EID that another Ethernet address holds.";
    FragmentTiny, "fragment_tiny", "The first fragment of a packet for us does not hold the transport header.";
    Multicast, "multicast", "Multicast is not routed.";
    // Arriving where it is not wanted.
    NativeNotAllowed, "native_not_allowed", "The port does not accept native packets to be forwarded.";
    LispNotUnderlay, "lisp_not_underlay", "LISP data for one of our RLOCs arrived on a port that is not underlay.";
    ControlNotUnderlay, "control_not_underlay", "LISP control for us arrived on a port that is not underlay (R-217).";
    // ICMP errors from the core.
    CoreErrorForged, "core_error_forged", "An ICMP error about a packet of ours that we did not send, or not so (R-128).";
    CoreErrorLimited, "core_error_limited", "More ICMP errors about our packets than are looked at.";
    // LISP data for one of our RLOCs.
    OuterFragment, "outer_fragment", "A fragment for one of our RLOCs of which no packet can be made: its length, its offset, or what stands in front of it.";
    FragmentOverlap, "fragment_overlap", "Fragments of a packet for one of our RLOCs contradict each other: none of them is taken (RFC 8200 4.5).";
    FragmentDuplicate, "fragment_duplicate", "A fragment for one of our RLOCs came twice.";
    ReassemblyFull, "reassembly_full", "Too many fragments waited, of all or of this source; the oldest made room (R-041).";
    ReassemblyTimeout, "reassembly_timeout", "The rest of a fragmented packet for one of our RLOCs did not come in time.";
    OuterSourceNotAdmitted, "outer_source_not_admitted", "The outer source is none of those that may send LISP data to us (R-029).";
    OuterUdpLength, "outer_udp_length", "The outer UDP length does not fit the outer IP packet.";
    OuterUdpChecksum, "outer_udp_checksum", "The outer UDP checksum is present and wrong.";
    LispHeaderShort, "lisp_header_short", "The packet ends inside the LISP header.";
    LispEncrypted, "lisp_encrypted", "The LISP payload is encrypted and there is no key for it.";
    LispAuthentication, "lisp_authentication", "The LISP payload is encrypted, and it or its header is not what the holder of the key sent (RFC 8061).";
    LispClearText, "lisp_clear_text", "The LISP payload is clear text, and that of this outer source must be encrypted (R-216).";
    NonceNotAgreed, "nonce_not_agreed", "The LISP header has none of the nonces agreed upon with those who may send to us (R-032).";
    GpeNotAgreed, "gpe_not_agreed", "The LISP header is that of LISP-GPE, which was not agreed upon with this outer source (RFC 9305).";
    GpeNextProtocol, "gpe_next_protocol", "The LISP-GPE header names something other than IPv4 and IPv6 (RFC 9305).";
    InnerVersion, "inner_version", "The inner packet is neither IPv4 nor IPv6, or not what the LISP-GPE header names.";
    InnerHeader, "inner_header", "The inner IP header is cut short or contradicts itself.";
    InnerLength, "inner_length", "The inner IP packet is longer than what the outer one carries.";
    InnerChecksum, "inner_checksum", "The inner IPv4 header checksum is wrong.";
    InstanceUnknown, "instance_unknown", "No VRF has this Instance-ID.";
    InstanceNotAdmitted, "instance_not_admitted", "This port does not take LISP data with the Instance-ID of that VRF (R-142).";
    InnerMartianSource, "inner_martian_source", "The inner source address can not be the address of a sender.";
    InnerMartianDestination, "inner_martian_destination", "The inner destination address must not be delivered to (R-033).";
    InnerOwnSource, "inner_own_source", "The inner source address is one of our own RLOCs or port addresses.";
    InnerOwnDestination, "inner_own_destination", "The inner destination is one of our own addresses (R-033).";
    InnerSourceNotSite, "inner_source_not_site", "The inner source is no EID of a LISP site that is configured in this VRF (R-025).";
    InnerSourceNotBound, "inner_source_not_bound", "The inner source is an EID of a site that has other RLOCs than the outer source (R-025).";
    InnerSourceNotMapped, "inner_source_not_mapped", "The inner source is mapped to other RLOCs than the outer source, or to none (R-040).";
    InnerSourceUnknown, "inner_source_unknown", "The inner source is held to its mapping, and that was not known (R-040).";
    MapVersionNone, "map_version_none", "The LISP header has Map-Versions of which that of the destination is Null, or our mapping has none (RFC 9302 7.1).";
    MapVersionNewer, "map_version_newer", "The sender has a newer version of our mapping than we have ourselves (RFC 9302 7.1).";
    MapVersionOlder, "map_version_older", "The sender has an old version of our mapping, was told in vain, or its TTL is over (RFC 9302 7.1).";
    MapVersionSourceOlder, "map_version_source_older", "The LISP header has an older version of the mapping of the source than the map-cache (RFC 9302 7.2).";
    InnerMulticast, "inner_multicast", "The inner destination is a multicast address (R-219).";
    InnerIsEid, "inner_is_eid", "The inner destination is an EID and this VRF does not re-encapsulate.";
    InnerNotLocal, "inner_not_local", "The inner destination is not in our site and this VRF is no PETR.";
    EidAway, "eid_away", "The inner destination moved to another site and is not sent on to it (R-190).";
    EcnInvalid, "ecn_invalid", "The outer header says congestion experienced, the inner transport does not support ECN (RFC 6040).";
    // Map-cache.
    MapNoAction, "map_no_action", "The mapping has no locators and the action No-Action.";
    MapNoLocator, "map_no_locator", "No locator of the mapping is usable.";
    MapDrop, "map_drop", "The mapping says Drop/No-Reason.";
    MapPolicyDenied, "map_policy_denied", "The mapping says Drop/Policy-Denied.";
    MapAuthFailure, "map_auth_failure", "The mapping says Drop/Auth-Failure.";
    RlocDown, "rloc_down", "The chosen locator is down or has no underlay route.";
    CryptRoom, "crypt_room", "The packet lies in several buffers, or its buffer has no room for what encryption adds.";
    RlocIsDestination, "rloc_is_destination", "The packet is addressed to one of our RLOCs and is not for us.";
    NestedLisp, "nested_lisp", "Encapsulating it would put more than two LISP headers on the packet (R-007).";
    // Forwarding.
    TtlExpired, "ttl_expired", "The TTL or Hop Limit ran out.";
    Policed, "policed", "The tenant or its site sends more than a policer lets through.";
    VrfUnknown, "vrf_unknown", "The port's VRF has not been set up by the control plane yet.";
    NoRoute, "no_route", "There is no route to the destination.";
    RouteBlackhole, "route_blackhole", "The route to the destination is a blackhole.";
    RouteUnreachable, "route_unreachable", "The route to the destination says unreachable.";
    RouteProhibited, "route_prohibited", "The route to the destination says prohibited.";
    HostUnreachable, "host_unreachable", "The next hop did not answer ARP or neighbour discovery.";
    NativeLoop, "native_loop", "Forwarding would return the packet to where it came from (R-020).";
    PacketTooBig, "packet_too_big", "The packet is too big for the way and must not be fragmented; the sender was told (R-116).";
    NotFragmentable, "not_fragmentable", "The packet is too big for the way and could not be cut into fragments.";
    OuterIdsExhausted, "outer_ids_exhausted", "The outer packet must be fragmented, and too many were to this RLOC of late (RFC 6864).";
    NoHeadroom, "no_headroom", "The buffer has no room for the outer headers.";
    // Waiting.
    HoldOverflow, "hold_overflow", "Too many packets waited; the oldest made room, or in a flood of them the newest was turned away (R-002).";
    HoldTimeout, "hold_timeout", "What the packet waited for did not come in time.";
    ResolutionFailed, "resolution_failed", "The control plane gave up on the mapping that the packet waited for.";
    // Leaving.
    TxFull, "tx_full", "The transmit queue had no room.";
    TxPort, "tx_port", "The egress port does not exist.";
    HostFull, "host_full", "The way to the kernel had no room, or the port has no host interface.";
    HostFullNeighbour, "host_full_neighbour", "The way to the kernel had no room for ARP, neighbour discovery, LLDP or LACP, or there is none.";
    HostFullControl, "host_full_control", "The way to the kernel had no room for LISP control, or there is none.";
    HostFullRouting, "host_full_routing", "The way to the kernel had no room for BGP, BFD, OSPF, IS-IS or VRRP, or there is none.";
    HostFullIcmp, "host_full_icmp", "The way to the kernel had no room for ICMP, or there is none.";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_verdict_fits_a_register() {
        assert_eq!(size_of::<Verdict>(), 8);
    }

    #[test]
    fn every_reason_has_its_own_snake_case_name_and_a_sentence() {
        let mut names = HashSet::new();
        for (index, reason) in DropReason::ALL.into_iter().enumerate() {
            assert_eq!(reason.index(), index);
            assert!(names.insert(reason.name()), "{} twice", reason.name());
            assert!(reason.name().bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'));
            assert!(reason.text().ends_with('.'));
        }
        assert_eq!(names.len(), DropReason::COUNT);
    }
}
