//! ICMP errors, built in place out of the packet they are about.
//!
//! The caller asks [`may_notify`] first, then its rate limiter, then builds. The result is a packet
//! of our own that takes its way through FIB or map-cache like any other.

use super::address::{self, Kind};
use super::ip::{Addrs, Ip};
use crate::buffer::PacketBuf;
use crate::verdict::Notice;
use crate::wire::{bytes, checksum, ethernet, icmp, ipv4, ipv6, proto};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Kinds of originated errors, for counters.
pub const KINDS: [&str; 6] =
    ["time_exceeded", "net_unreachable", "host_unreachable", "prohibited", "too_big", "reassembly_time"];

/// TTL and Hop Limit of our own packets.
const OUR_TTL: u8 = 64;
/// Largest ICMPv4 error, IP header included (R-148, RFC 1812 section 4.3.2.3).
const MAX_V4: usize = 576;
/// Largest ICMPv6 error, IPv6 header included (RFC 4443 section 2.4 c).
const MAX_V6: usize = 1280;
/// Smallest MTU that may be told over IPv4 (R-117, RFC 791).
const MIN_MTU_V4: u16 = 68;
/// Smallest MTU that may be told over IPv6 (R-117, RFC 8200 section 5).
const MIN_MTU_V6: u16 = 1280;
/// Precedence 6, internetwork control (RFC 1812 section 4.3.2.5).
const PRECEDENCE: u8 = 0xC0;
/// The DSCP bits that are not precedence.
const TOS_BITS: u8 = 0x1C;

/// Position of a notice in [`KINDS`].
pub const fn kind(notice: Notice) -> usize {
    match notice {
        Notice::TimeExceeded => 0,
        Notice::NetUnreachable => 1,
        Notice::HostUnreachable => 2,
        Notice::Prohibited => 3,
        Notice::TooBig(_) => 4,
        Notice::ReassemblyTime => 5,
    }
}

/// ICMPv4 type, code and the four bytes that follow the checksum.
const fn fields_v4(notice: Notice) -> (u8, u8, u32) {
    use icmp::v4::*;
    match notice {
        Notice::TimeExceeded => (TIME_EXCEEDED, 0, 0),
        Notice::ReassemblyTime => (TIME_EXCEEDED, REASSEMBLY, 0),
        Notice::NetUnreachable => (UNREACHABLE, NET, 0),
        Notice::HostUnreachable => (UNREACHABLE, HOST, 0),
        Notice::Prohibited => (UNREACHABLE, PROHIBITED, 0),
        Notice::TooBig(mtu) if mtu < MIN_MTU_V4 => (UNREACHABLE, FRAGMENTATION_NEEDED, MIN_MTU_V4 as u32),
        Notice::TooBig(mtu) => (UNREACHABLE, FRAGMENTATION_NEEDED, mtu as u32),
    }
}

/// The same for ICMPv6.
const fn fields_v6(notice: Notice) -> (u8, u8, u32) {
    use icmp::v6::*;
    match notice {
        Notice::TimeExceeded => (TIME_EXCEEDED, 0, 0),
        Notice::ReassemblyTime => (TIME_EXCEEDED, REASSEMBLY, 0),
        Notice::NetUnreachable => (UNREACHABLE, NO_ROUTE, 0),
        Notice::HostUnreachable => (UNREACHABLE, ADDRESS, 0),
        Notice::Prohibited => (UNREACHABLE, PROHIBITED, 0),
        Notice::TooBig(mtu) if mtu < MIN_MTU_V6 => (PACKET_TOO_BIG, 0, MIN_MTU_V6 as u32),
        Notice::TooBig(mtu) => (PACKET_TOO_BIG, 0, mtu as u32),
    }
}

/// Whether an error may be sent about this packet (R-146; RFC 1812 section 4.3.2.7, RFC 4443
/// section 2.4 e). `packet` begins at its Ethernet header. Link-layer broadcasts never get here.
pub fn may_notify(packet: &[u8], ip: &Ip) -> bool {
    let (source, destination) = match ip.addrs {
        Addrs::V4 { source, destination } => (address::kind_v4(source.0), address::kind_v4(destination.0)),
        Addrs::V6 { source, destination } => (address::kind_v6(source), address::kind_v6(destination)),
    };
    // Nothing is sent to a link-local source either: it can not be routed. RFC 4443 3.1 code 2
    // (beyond scope of source address, a SHOULD of RFC 4291 2.5.6): not done, for that reason.
    if source != Kind::Unicast || !matches!(destination, Kind::Unicast | Kind::LinkLocal) {
        return false;
    }
    // Ethernet's padding is not part of the packet.
    let within = u32::from(ip.transport) < ip.len;
    let kind = packet.get(ethernet::LEN + usize::from(ip.transport)).filter(|_| within).copied();
    match ip.addrs {
        Addrs::V4 { .. } => {
            let later =
                bytes::be16(packet, ethernet::LEN + 6).is_none_or(|word| word & ipv4::OFFSET_MASK != 0);
            !later && (ip.protocol != proto::ICMP || kind.is_some_and(|kind| !icmp::v4::is_error(kind)))
        }
        // A chain that the walk did not finish may hide an ICMPv6 error: its last protocol is then
        // an extension header, and nothing is sent.
        Addrs::V6 { .. } => match ip.protocol {
            proto::ICMPV6 => !ip.fragment && kind.is_some_and(|kind| !icmp::v6::is_error(kind)),
            other => !ipv6::is_extension(other),
        },
    }
}

/// Makes the error out of the packet: afterwards `buf` holds 14 bytes for an Ethernet header and
/// the new packet from `source` to the old packet's source. `false`: the buffer can not be used
/// for it (it may have been changed), or `source` is of the other family.
pub fn build<B: PacketBuf>(buf: &mut B, ip: &Ip, notice: Notice, source: IpAddr) -> bool {
    match (ip.addrs, source) {
        (Addrs::V4 { source: to, .. }, IpAddr::V4(from)) => {
            build_v4(buf, ip, fields_v4(notice), from, to.into())
        }
        (Addrs::V6 { source: to, .. }, IpAddr::V6(from)) => {
            build_v6(buf, ip, fields_v6(notice), from, to.into())
        }
        _ => false,
    }
}

/// Cuts the offending packet to what is quoted and makes room in front of it.
fn make_room<B: PacketBuf>(buf: &mut B, ip: &Ip, header: usize, max: usize) -> Option<usize> {
    let quoted = (ip.len as usize).min(max - header);
    if !buf.truncate(ethernet::LEN + quoted) || buf.segments() != 1 {
        return None;
    }
    buf.prepend(header)?;
    Some(header + quoted)
}

fn error_header((kind, code, rest): (u8, u8, u32)) -> [u8; icmp::ERROR_LEN] {
    let rest = rest.to_be_bytes();
    [kind, code, 0, 0, rest[0], rest[1], rest[2], rest[3]]
}

fn build_v4<B: PacketBuf>(buf: &mut B, ip: &Ip, fields: (u8, u8, u32), from: Ipv4Addr, to: Ipv4Addr) -> bool {
    let header_len = ipv4::MIN_LEN + icmp::ERROR_LEN;
    let Some(total) = make_room(buf, ip, header_len, MAX_V4) else { return false };
    let data = buf.data_mut();
    let icmp_at = ethernet::LEN + ipv4::MIN_LEN;
    let mut written = bytes::put(data, icmp_at, error_header(fields));
    let sum = checksum::finish(checksum::add(0, data.get(icmp_at..).unwrap_or(&[])));
    written &= bytes::put(data, icmp_at + 2, sum.to_be_bytes());
    let [len0, len1] = (total as u16).to_be_bytes();
    let tos = PRECEDENCE | (ip.tos & TOS_BITS);
    // DF=1 with ID 0: an atomic datagram (RFC 6864 section 4.1).
    let fixed = [0x45, tos, len0, len1, 0, 0, 0x40, 0, OUR_TTL, proto::ICMP, 0, 0];
    let sum = checksum::add(checksum::add(checksum::add(0, &fixed), &from.octets()), &to.octets());
    written &= bytes::put(data, ethernet::LEN, fixed);
    written &= bytes::put(data, ethernet::LEN + 10, checksum::finish(sum).to_be_bytes());
    written &= bytes::put(data, ethernet::LEN + 12, from.octets());
    written & bytes::put(data, ethernet::LEN + 16, to.octets())
}

fn build_v6<B: PacketBuf>(buf: &mut B, ip: &Ip, fields: (u8, u8, u32), from: Ipv6Addr, to: Ipv6Addr) -> bool {
    let header_len = ipv6::LEN + icmp::ERROR_LEN;
    let Some(total) = make_room(buf, ip, header_len, MAX_V6) else { return false };
    let data = buf.data_mut();
    let icmp_at = ethernet::LEN + ipv6::LEN;
    let payload = total - ipv6::LEN;
    let mut written = bytes::put(data, icmp_at, error_header(fields));
    let pseudo = checksum::pseudo_v6(from, to, proto::ICMPV6, payload);
    let sum = checksum::finish(checksum::add(pseudo, data.get(icmp_at..).unwrap_or(&[])));
    written &= bytes::put(data, icmp_at + 2, sum.to_be_bytes());
    let [len0, len1] = (payload as u16).to_be_bytes();
    let [class0, class1] = (0x6000 | u16::from(PRECEDENCE) << 4).to_be_bytes();
    written &= bytes::put(data, ethernet::LEN, [class0, class1, 0, 0, len0, len1, proto::ICMPV6, OUR_TTL]);
    written &= bytes::put(data, ethernet::LEN + 8, from.octets());
    written & bytes::put(data, ethernet::LEN + 24, to.octets())
}
