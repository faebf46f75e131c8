//! The first look at a frame: for whom, what kind, well formed.

use super::address::{self, Kind};
use super::core_error;
use super::flow::FlowKey;
use super::ip::{Addrs, Error, Ip};
use crate::buffer::PacketBuf;
use crate::feed::PortSpec;
use crate::lpm::Key6;
use crate::replica::Replica;
use crate::verdict::DropReason;
use crate::wire::{arp, ethernet, ipv4, ipv6, lisp, proto};

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// An IP packet to be routed, or for us.
    Ip,
    /// LISP data for one of our RLOCs, on an underlay port.
    Lisp,
    /// A UDP fragment for one of our RLOCs, on an underlay port: maybe LISP data.
    Fragment,
    /// An ICMP error to one of our RLOCs, on an underlay port: maybe about a packet that we
    /// encapsulated.
    CoreError,
    /// For the kernel's face of this port.
    Host,
    /// Nothing to be done with it.
    Drop(DropReason),
}

/// Looks at a frame that arrived on `port`. For IP packets `ip` holds what was read.
#[inline(always)]
pub fn classify<B: PacketBuf>(
    buf: &B,
    port: &PortSpec,
    tables: &Replica,
    key: &FlowKey,
    ip: &mut Ip,
) -> Class {
    let data = buf.data();
    let Some(header) = ethernet::Ethernet::parse(data) else { return Class::Drop(DropReason::FrameTooShort) };
    let group = header.destination != port.mac;
    if group && !ethernet::is_group(header.destination) {
        return Class::Drop(DropReason::NotOurMac);
    }
    let available = buf.total_len() - ethernet::LEN;
    let read = match header.ethertype {
        ethernet::IPV4 => ip.read_v4(data, ethernet::LEN, available, buf.ip_checksum_known_good(), key),
        ethernet::IPV6 => ip.read_v6(data, ethernet::LEN, available, key),
        other => return not_ip(data, other, group),
    };
    match read {
        Ok(()) => by_address(data, ip, group, port, tables),
        Err(error) => malformed(error, buf.segments() > 1),
    }
}

/// ARP, link-layer control traffic, tags, and what we do not know.
#[cold]
fn not_ip(frame: &[u8], ethertype: u16, group: bool) -> Class {
    match ethertype {
        ethernet::ARP if arp::Arp::parse(frame, ethernet::LEN).is_some() => Class::Host,
        ethernet::ARP => Class::Drop(DropReason::ArpMalformed),
        ethernet::VLAN | ethernet::SERVICE_VLAN => Class::Drop(DropReason::VlanTagged),
        // Spanning tree, IS-IS, LACP and LLDP speak to group addresses; who answers is the
        // kernel's affair.
        ethernet::SLOW | ethernet::LLDP if group => Class::Host,
        0..ethernet::FIRST_ETHERTYPE if group => Class::Host,
        _ => Class::Drop(DropReason::EthertypeUnknown),
    }
}

/// The name of what is wrong with an IP header.
#[cold]
fn malformed(error: Error, segmented: bool) -> Class {
    Class::Drop(match error {
        Error::V4(ipv4::Error::Short) | Error::V6(ipv6::Error::Short) if segmented => {
            DropReason::HeadersSplit
        }
        Error::V4(ipv4::Error::Short) => DropReason::Ipv4HeaderShort,
        Error::V4(ipv4::Error::Version) => DropReason::Ipv4Version,
        Error::V4(ipv4::Error::HeaderLength) => DropReason::Ipv4HeaderLength,
        Error::V4(ipv4::Error::TotalLength) => DropReason::Ipv4TotalLength,
        Error::V4(ipv4::Error::Checksum) => DropReason::Ipv4Checksum,
        Error::Options(ipv4::Options::SourceRoute) => DropReason::Ipv4SourceRoute,
        Error::Options(_) => DropReason::Ipv4OptionsMalformed,
        Error::V6(ipv6::Error::Short) => DropReason::Ipv6HeaderShort,
        Error::V6(ipv6::Error::Version) => DropReason::Ipv6Version,
        Error::V6(ipv6::Error::PayloadLength) => DropReason::Ipv6PayloadLength,
    })
}

#[inline(always)]
fn by_address(data: &[u8], ip: &mut Ip, group: bool, port: &PortSpec, tables: &Replica) -> Class {
    let (source, destination, own) = match ip.addrs {
        Addrs::V4 { source, destination } => (
            address::kind_v4(source.0),
            address::kind_v4(destination.0),
            port.ipv4.is_some_and(|own| own.to_bits() == source.0),
        ),
        Addrs::V6 { source, destination } => (
            address::kind_v6(source),
            address::kind_v6(destination),
            port.ipv6.is_some_and(|own| Key6::from(own) == source),
        ),
    };
    if group || own || source != Kind::Unicast || destination != Kind::Unicast {
        return special(ip, source, destination, group, own);
    }
    if ip.protocol == proto::UDP && (ip.destination_port() == lisp::DATA_PORT || ip.fragment) {
        return udp(ip, port, tables);
    }
    if matches!(ip.protocol, proto::ICMP | proto::ICMPV6) && port.underlay {
        return icmp(data, ip, tables);
    }
    Class::Ip
}

/// ICMP on an underlay port: an error to one of our RLOCs may be about a packet that we encapsulated.
#[cold]
fn icmp(data: &[u8], ip: &Ip, tables: &Replica) -> Class {
    let error = !ip.fragment && core_error::is_error(data, ip);
    match error && tables.is_local_rloc(ip.addrs.destination()) {
        true => Class::CoreError,
        false => Class::Ip,
    }
}

/// One of the addresses is not an ordinary one, or the frame was not sent to us alone.
#[cold]
fn special(ip: &mut Ip, source: Kind, destination: Kind, group: bool, own: bool) -> Class {
    match destination {
        // Neighbour discovery, routing protocols, DHCP: the kernel checks the source.
        Kind::LinkMulticast | Kind::Broadcast => return Class::Host,
        Kind::Multicast => return Class::Drop(DropReason::Multicast),
        Kind::Martian => return Class::Drop(DropReason::MartianDestination),
        // RFC 1812 5.3.4; directed broadcasts are not forwarded either (R-152, RFC 2644).
        _ if group => return Class::Drop(DropReason::LinkBroadcast),
        // Ours or nobody's: the kernel knows its link-local addresses, we do not.
        Kind::LinkLocal => return Class::Host,
        Kind::Unicast => {}
    }
    match source {
        Kind::Unicast if own => Class::Drop(DropReason::OwnSource),
        Kind::Unicast => Class::Ip,
        // No RLOC is link-local, so no LISP data comes from one.
        Kind::LinkLocal if ip.protocol == proto::UDP && ip.destination_port() == lisp::DATA_PORT => {
            Class::Drop(DropReason::LinkLocalSource)
        }
        Kind::LinkLocal => {
            ip.link_local_source = true;
            Class::Ip
        }
        _ => Class::Drop(DropReason::MartianSource),
    }
}

/// A UDP fragment for one of our RLOCs: later ones have no ports, so only the whole shows what it is
///
#[cold]
fn fragment_for_us(ip: &Ip, port: &PortSpec, from_us: bool) -> Class {
    let lisp = ip.destination_port() == lisp::DATA_PORT;
    match ip.ports {
        0 if !ip.later_fragment => Class::Drop(DropReason::FragmentTiny),
        _ if port.underlay && from_us => Class::Drop(DropReason::OwnSource),
        _ if port.underlay => Class::Fragment,
        _ if lisp => Class::Drop(DropReason::LispNotUnderlay),
        // The kernel reassembles what is its own.
        _ => Class::Ip,
    }
}

/// UDP to port 4341, or a fragment: LISP data if it is for one of our RLOCs.
#[inline(always)]
fn udp(ip: &Ip, port: &PortSpec, tables: &Replica) -> Class {
    if !tables.is_local_rloc(ip.addrs.destination()) {
        return Class::Ip;
    }
    let from_us = tables.is_local_rloc(ip.addrs.source());
    if ip.fragment {
        return fragment_for_us(ip, port, from_us);
    }
    if !port.underlay {
        Class::Drop(DropReason::LispNotUnderlay)
    } else if from_us {
        Class::Drop(DropReason::OwnSource)
    } else {
        Class::Lisp
    }
}
