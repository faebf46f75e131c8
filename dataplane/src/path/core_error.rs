//! ICMP errors from the core about our encapsulated packets (R-121, R-128 to R-132; RFC 9300
//! section 7.2, RFC 1191, RFC 8201 section 4, RFC 6936 section 4 item 10).
//!
//! Anybody can send such an error. It is believed when what it quotes could only come from us: our
//! RLOC as source, UDP to port 4341 from a port of our range, and, where enough is quoted, an inner
//! packet that we would encapsulate to just this RLOC from just this port. The port is a keyed hash
//! of the inner flow: who has not seen the packet must guess it.

use super::flow::{self, FlowKey};
use super::ip::{Addrs, Ip};
use crate::crypt::IV_MAX;
use crate::feed::{MapAction, Target};
use crate::mapcache::Rloc;
use crate::replica::Replica;
use crate::types::VrfId;
use crate::wire::{bytes, checksum, ethernet, icmp, ipv4, ipv6, lisp, proto, udp};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an error says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Complaint {
    /// The packet was too big for a link with this MTU.
    TooBig(u16),
    /// The RLOC can not be reached, or does not listen.
    Unreachable,
    /// TTL or Hop Limit ran out on the way.
    TimeExceeded,
    /// Anything else: counted only.
    Other,
}

/// An error about one of our packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoreError {
    /// What it says.
    pub complaint: Complaint,
    /// The RLOC that the packet went to.
    pub rloc: IpAddr,
    /// The inner packet, if enough of it is quoted and it is one that we send there.
    pub inner: Option<Quoted>,
}

/// The inner packet in an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quoted {
    /// Where it begins in the frame.
    pub at: usize,
    /// Its VRF.
    pub vrf: VrfId,
    /// What was read; `len` is what is quoted.
    pub ip: Ip,
}

/// Whose affair an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not about encapsulated packets: the kernel's.
    Foreign,
    /// It claims to be about ours, and is not believed.
    Forged,
    /// Ours.
    Ours(CoreError),
}

/// Smallest path MTU that is believed over IPv4.
const FLOOR_V4: u16 = 576;
/// Smallest over IPv6: a smaller one is no error that a router sends (RFC 8201 section 4).
const FLOOR_V6: u16 = 1280;
/// Bytes of LISP header.
const LISP: usize = lisp::LEN;

/// Whether the packet is an ICMP error by its type; `ip` is about the packet in `frame`.
pub fn is_error(frame: &[u8], ip: &Ip) -> bool {
    // Ethernet's padding is not part of the packet.
    let within = u32::from(ip.transport) < ip.len;
    let kind = frame.get(ethernet::LEN + usize::from(ip.transport)).filter(|_| within).copied();
    match ip.protocol {
        proto::ICMP => kind.is_some_and(|kind| matches!(kind, 3 | 4 | 11 | 12)),
        proto::ICMPV6 => kind.is_some_and(|kind| kind < 128),
        _ => false,
    }
}

/// The quoted outer packet.
struct Outer {
    source: IpAddr,
    destination: IpAddr,
    /// Offset of the UDP header in the frame.
    udp: usize,
    /// Length of the whole packet that was sent.
    len: u16,
}

/// Reads an ICMP error to one of our RLOCs.
#[cold]
pub fn read(frame: &[u8], ip: &Ip, tables: &Replica, key: &FlowKey) -> Verdict {
    let at = ethernet::LEN + usize::from(ip.transport);
    let Some(message) = frame.get(at..ethernet::LEN + ip.len as usize) else { return Verdict::Foreign };
    let quote = at + icmp::ERROR_LEN;
    let Some(outer) = outer(frame, quote, ip.is_v6()) else { return Verdict::Foreign };
    let Some(header) = udp::Udp::parse(frame, outer.udp) else { return Verdict::Foreign };
    if header.destination != lisp::DATA_PORT {
        return Verdict::Foreign;
    }
    let ours = tables.is_local_rloc(outer.source) && outer.source == ip.addrs.destination();
    if !ours || header.source < flow::FIRST_SOURCE_PORT || !checksum_is_right(message, ip) {
        return Verdict::Forged;
    }
    let end = ethernet::LEN + quoted_end(message, ip);
    let Some(complaint) = complaint(message, ip.is_v6(), outer.len) else { return Verdict::Forged };
    let inner = match inner(frame, end, &outer, header.source, tables, key) {
        Some(Inner::Live(quoted)) => Some(quoted),
        Some(Inner::Piece | Inner::Sealed) => None,
        // IPv6 always quotes enough (RFC 4443 section 2.4 c).
        Some(Inner::Cut) if !ip.is_v6() => None,
        Some(Inner::Cut) | None => return Verdict::Forged,
    };
    Verdict::Ours(CoreError { complaint, rloc: outer.destination, inner })
}

/// The quoted outer header; `None`: no UDP packet is quoted, or a later fragment.
fn outer(frame: &[u8], at: usize, v6: bool) -> Option<Outer> {
    if v6 {
        let h: &[u8; ipv6::LEN] = bytes::chunk(frame, at)?;
        let address = |at| bytes::chunk::<16>(h, at).map(|b| IpAddr::V6(Ipv6Addr::from(*b)));
        let udp = h[0] >> 4 == 6 && h[6] == proto::UDP;
        return udp.then_some(Outer {
            source: address(8)?,
            destination: address(24)?,
            udp: at + ipv6::LEN,
            len: u16::from_be_bytes([h[4], h[5]]).saturating_add(ipv6::LEN as u16),
        });
    }
    let h: &[u8; ipv4::MIN_LEN] = bytes::chunk(frame, at)?;
    let address = |at| bytes::chunk::<4>(h, at).map(|b| IpAddr::V4(Ipv4Addr::from(*b)));
    let header = usize::from(h[0] & 0x0F) * 4;
    let first = u16::from_be_bytes([h[6], h[7]]) & ipv4::OFFSET_MASK == 0;
    let udp = h[0] >> 4 == 4 && header >= ipv4::MIN_LEN && h[9] == proto::UDP && first;
    udp.then_some(Outer {
        source: address(12)?,
        destination: address(16)?,
        udp: at + header,
        len: u16::from_be_bytes([h[2], h[3]]),
    })
}

fn checksum_is_right(message: &[u8], ip: &Ip) -> bool {
    let pseudo = match ip.addrs {
        Addrs::V4 { .. } => 0,
        Addrs::V6 { source, destination } => {
            checksum::pseudo_v6(source.into(), destination.into(), proto::ICMPV6, message.len())
        }
    };
    checksum::fold(checksum::add(pseudo, message)) == 0xFFFF
}

/// Where the quoted packet ends, from the IP header on: before the extensions of RFC 4884, if the
/// message has them.
fn quoted_end(message: &[u8], ip: &Ip) -> usize {
    let words = if ip.is_v6() { message.get(4).map(|n| usize::from(*n) * 8) } else { None };
    // IPv4: in 32-bit words, and only where those bits mean nothing else.
    let words = words.or_else(|| message.get(5).map(|n| usize::from(*n) * 4));
    let whole = ip.len as usize;
    let too_big_v6 = ip.is_v6() && message.first() == Some(&icmp::v6::PACKET_TOO_BIG);
    match words {
        Some(quoted) if quoted > 0 && !too_big_v6 => {
            whole.min(usize::from(ip.transport) + icmp::ERROR_LEN + quoted)
        }
        _ => whole,
    }
}

/// `None`: a Packet Too Big that no router sends.
fn complaint(message: &[u8], v6: bool, sent: u16) -> Option<Complaint> {
    let h: &[u8; icmp::ERROR_LEN] = bytes::chunk(message, 0)?;
    let (kind, code) = (h[0], h[1]);
    if v6 {
        let mtu = u32::from_be_bytes([h[4], h[5], h[6], h[7]]);
        return match kind {
            icmp::v6::PACKET_TOO_BIG if mtu < u32::from(FLOOR_V6) => None,
            icmp::v6::PACKET_TOO_BIG => Some(Complaint::TooBig(u16::try_from(mtu).unwrap_or(u16::MAX))),
            icmp::v6::UNREACHABLE => Some(Complaint::Unreachable),
            icmp::v6::TIME_EXCEEDED if code == 0 => Some(Complaint::TimeExceeded),
            _ => Some(Complaint::Other),
        };
    }
    Some(match (kind, code) {
        (icmp::v4::UNREACHABLE, icmp::v4::FRAGMENTATION_NEEDED) => {
            let mtu = match u16::from_be_bytes([h[6], h[7]]) {
                0 => plateau_below(sent),
                mtu => mtu,
            };
            Complaint::TooBig(mtu.max(FLOOR_V4))
        }
        (icmp::v4::UNREACHABLE, _) => Complaint::Unreachable,
        (icmp::v4::TIME_EXCEEDED, 0) => Complaint::TimeExceeded,
        _ => Complaint::Other,
    })
}

/// The next lower MTU that links have, for routers that do not tell (RFC 1191 section 7).
fn plateau_below(len: u16) -> u16 {
    const PLATEAUS: [u16; 10] = [32_000, 17_914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68];
    PLATEAUS.into_iter().find(|plateau| *plateau < len).unwrap_or(68)
}

/// What is quoted of the inner packet.
enum Inner {
    /// A packet that we would send just so.
    Live(Quoted),
    /// A piece of a packet to an EID behind this RLOC: the port is that of the whole.
    Piece,
    /// Encrypted, with an IV of ours (RFC 8061).
    Sealed,
    /// Too little.
    Cut,
}

/// The quoted inner packet, held to what we would do with it; `None`: we would not.
fn inner(
    frame: &[u8],
    end: usize,
    outer: &Outer,
    port: u16,
    tables: &Replica,
    key: &FlowKey,
) -> Option<Inner> {
    let at = outer.udp + udp::LEN + LISP;
    let Some(quoted) = frame.get(..end).filter(|quoted| quoted.len() > at) else {
        return Some(Inner::Cut);
    };
    let Some(header) = lisp::Lisp::parse(quoted, outer.udp + udp::LEN) else { return Some(Inner::Cut) };
    if header.key != 0 {
        // Nothing shows of the inner packet, and the IV is one that only we and the core know.
        let Some(iv) = quoted.get(at..at + IV_MAX) else { return Some(Inner::Cut) };
        return tables.has_issued(outer.destination, header.key, iv).then_some(Inner::Sealed);
    }
    let mut ip = Ip::blank();
    // The end of the packet is cut off, so its length is not held against what is there.
    if ip.read(quoted, at, usize::from(u16::MAX) + ipv6::LEN, key).is_err() {
        // Eight bytes behind the outer header are all that some routers quote (RFC 792).
        return (quoted.len() < at + ipv4::MIN_LEN).then_some(Inner::Cut);
    }
    let vrf = tables.vrf_by_iid(header.instance)?;
    let entry = tables.map_lookup(vrf, ip.addrs.destination())?;
    let rloc = match tables.entry(entry) {
        MapAction::Encapsulate(Target::Rloc(rloc)) => rloc,
        // A piece of a packet that we split went the way of the whole, which its addresses do not tell.
        MapAction::Encapsulate(Target::Set(_)) if ip.fragment => return Some(Inner::Piece),
        MapAction::Encapsulate(Target::Set(set)) => tables.set_pick(set, ip.hash)?,
        _ => return None,
    };
    let Rloc::Ready(template) = tables.rloc(rloc) else { return None };
    if template.destination() != outer.destination {
        return None;
    }
    if ip.fragment {
        return Some(Inner::Piece);
    }
    if quoted.len() < at + usize::from(ip.transport) + 4 {
        return Some(Inner::Cut);
    }
    ip.len = ip.len.min((quoted.len() - at) as u32);
    (port == flow::source_port(ip.hash)).then_some(Inner::Live(Quoted { at, vrf, ip }))
}
