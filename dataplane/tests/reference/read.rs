//! What an IP packet says, read byte by byte (RFC 791, RFC 8200; ).

use super::world::World;
use pxtr_dataplane::verdict::DropReason;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub const ICMP: u8 = 1;
pub const TCP: u8 = 6;
pub const UDP: u8 = 17;
pub const ICMPV6: u8 = 58;
pub const SCTP: u8 = 132;
pub const LISP_DATA: u16 = 4341;
pub const LISP_CONTROL: u16 = 4342;

/// An IP packet, from its header to its last byte and no further, and what it says.
#[derive(Clone, Debug)]
pub struct Packet {
    pub bytes: Vec<u8>,
    pub v6: bool,
    pub source: IpAddr,
    pub destination: IpAddr,
    pub ttl: u8,
    pub tos: u8,
    /// What follows the headers, or the header at which the walk along them ended.
    pub protocol: u8,
    /// The walk came to its end.
    pub complete: bool,
    /// Where that is.
    pub transport: usize,
    pub fragment: bool,
    pub later_fragment: bool,
    pub dont_fragment: bool,
    /// Of UDP, TCP and SCTP, where they are in the packet.
    pub ports: Option<(u16, u16)>,
}

/// Why it is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    Short4,
    Version4,
    HeaderLength4,
    TotalLength4,
    Checksum4,
    SourceRoute,
    Options,
    Short6,
    Version6,
    PayloadLength6,
}

pub fn be16(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

/// The ones' complement sum of RFC 1071, of a whole number of 16-bit words.
pub fn ones_complement_sum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = bytes.chunks(2).map(|word| u32::from(be16(word, 0))).sum();
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    sum as u16
}

/// Writes the checksum of an IPv4 header.
pub fn set_header_checksum(packet: &mut [u8]) {
    let header = usize::from(packet[0] & 15) * 4;
    packet[10..12].fill(0);
    let checksum = !ones_complement_sum(&packet[..header]);
    packet[10..12].copy_from_slice(&checksum.to_be_bytes());
}

/// Reads what claims by its EtherType to be IPv4. There may be padding behind it.
pub fn read_v4(bytes: &[u8]) -> Result<Packet, Malformed> {
    if bytes.len() < 20 {
        return Err(Malformed::Short4);
    }
    if bytes[0] >> 4 != 4 {
        return Err(Malformed::Version4);
    }
    let (header, total) = (usize::from(bytes[0] & 15) * 4, usize::from(be16(bytes, 2)));
    if header < 20 || header > total {
        return Err(Malformed::HeaderLength4);
    }
    if total > bytes.len() {
        return Err(Malformed::TotalLength4);
    }
    if ones_complement_sum(&bytes[..header]) != 0xFFFF {
        return Err(Malformed::Checksum4);
    }
    check_options(&bytes[20..header])?;
    let (flags, offset) = (bytes[6] >> 5, be16(bytes, 6) & 0x1FFF);
    let (more_fragments, dont_fragment) = (flags & 1 != 0, flags & 2 != 0);
    let address = |at: usize| IpAddr::from([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let mut packet = Packet {
        bytes: bytes[..total].to_vec(),
        v6: false,
        source: address(12),
        destination: address(16),
        ttl: bytes[8],
        tos: bytes[1],
        protocol: bytes[9],
        complete: true,
        transport: header,
        fragment: more_fragments || offset != 0,
        later_fragment: offset != 0,
        dont_fragment,
        ports: None,
    };
    packet.ports = packet.find_ports();
    Ok(packet)
}

/// RFC 791 section 3.1; source routes are refused (RFC 7126 section 4.3).
fn check_options(options: &[u8]) -> Result<(), Malformed> {
    let mut at = 0;
    while at < options.len() {
        match options[at] {
            0 => return Ok(()),
            1 => at += 1,
            131 | 137 => return Err(Malformed::SourceRoute),
            _ => {
                let length = options.get(at + 1).copied().unwrap_or(0);
                if length < 2 || at + usize::from(length) > options.len() {
                    return Err(Malformed::Options);
                }
                at += usize::from(length);
            }
        }
    }
    Ok(())
}

/// Reads what claims by its EtherType to be IPv6.
pub fn read_v6(bytes: &[u8]) -> Result<Packet, Malformed> {
    if bytes.len() < 40 {
        return Err(Malformed::Short6);
    }
    if bytes[0] >> 4 != 6 {
        return Err(Malformed::Version6);
    }
    let total = 40 + usize::from(be16(bytes, 4));
    if total > bytes.len() {
        return Err(Malformed::PayloadLength6);
    }
    let address = |at: usize| {
        let octets: [u8; 16] = bytes[at..at + 16].try_into().unwrap();
        IpAddr::from(octets)
    };
    let mut packet = Packet {
        bytes: bytes[..total].to_vec(),
        v6: true,
        source: address(8),
        destination: address(24),
        ttl: bytes[7],
        tos: bytes[0] << 4 | bytes[1] >> 4,
        protocol: bytes[6],
        complete: false,
        transport: 40,
        fragment: false,
        later_fragment: false,
        dont_fragment: true,
        ports: None,
    };
    packet.walk();
    packet.ports = packet.find_ports();
    Ok(packet)
}

/// Reads a packet by its first four bits: what came out of LISP (RFC 9300 section 5.3).
pub fn read(bytes: &[u8]) -> Result<Packet, Malformed> {
    match bytes.first().map(|first| first >> 4) {
        Some(4) => read_v4(bytes),
        Some(6) => read_v6(bytes),
        Some(_) => Err(Malformed::Version6),
        None => Err(Malformed::Short6),
    }
}

impl Packet {
    /// At most four extension headers, none behind the header of a later fragment.
    fn walk(&mut self) {
        for _ in 0..4 {
            let rest = &self.bytes[self.transport..];
            let length = |unit: usize, more: usize| Some((usize::from(*rest.get(1)?) + more) * unit);
            let size = match self.protocol {
                0 | 43 | 60 => length(8, 1),
                44 => Some(8),
                51 => length(4, 2),
                _ => break,
            };
            let Some(size) = size.filter(|size| *size <= rest.len() && rest.len() >= 8) else { return };
            if self.protocol == 44 {
                let word = be16(rest, 2);
                self.fragment |= word & 0xFFF9 != 0;
                self.later_fragment |= word >> 3 != 0;
            }
            self.protocol = rest[0];
            self.transport += size;
            if self.later_fragment {
                break;
            }
        }
        self.complete = !matches!(self.protocol, 0 | 43 | 44 | 51 | 60);
    }

    fn find_ports(&self) -> Option<(u16, u16)> {
        let has = matches!(self.protocol, TCP | UDP | SCTP) && self.complete && !self.later_fragment;
        let at = self.transport;
        (has && self.bytes.len() >= at + 4).then(|| (be16(&self.bytes, at), be16(&self.bytes, at + 2)))
    }

    pub fn is_udp_to(&self, port: u16) -> bool {
        self.protocol == UDP && self.ports.is_some_and(|ports| ports.1 == port)
    }

    pub fn is_udp_from_or_to(&self, port: u16) -> bool {
        self.protocol == UDP && self.ports.is_some_and(|ports| ports.0 == port || ports.1 == port)
    }

    /// First byte of what follows the headers: the type, of ICMP.
    pub fn first_byte(&self) -> Option<u8> {
        self.bytes.get(self.transport).copied()
    }

    /// The flow: addresses, and protocol with ports where all packets of it have them. The function
    /// itself is the worker's: any would do, as long as it is one.
    pub fn flow_hash(&self, world: &World) -> u32 {
        let (from, to) = self.ports.filter(|_| !self.fragment).unwrap_or((0, 0));
        let (ports, protocol) = (u32::from(from) << 16 | u32::from(to), u32::from(self.protocol));
        match (self.source, self.destination) {
            (IpAddr::V4(s), IpAddr::V4(d)) => world.key.flow_v4(s.to_bits(), d.to_bits(), protocol, ports),
            (IpAddr::V6(s), IpAddr::V6(d)) => world.key.flow_v6(s.into(), d.into(), protocol, ports),
            _ => unreachable!("one family"),
        }
    }

    /// Sets TTL and TOS.
    pub fn mark(&mut self, ttl: u8, tos: u8) {
        (self.ttl, self.tos) = (ttl, tos);
        if self.v6 {
            self.bytes[0] = 0x60 | tos >> 4;
            self.bytes[1] = tos << 4 | self.bytes[1] & 15;
            self.bytes[7] = ttl;
        } else {
            (self.bytes[8], self.bytes[1]) = (ttl, tos);
            set_header_checksum(&mut self.bytes);
        }
    }
}

impl Malformed {
    /// Of a packet as it came.
    pub fn outside(self) -> DropReason {
        match self {
            Self::Short4 => DropReason::Ipv4HeaderShort,
            Self::Version4 => DropReason::Ipv4Version,
            Self::HeaderLength4 => DropReason::Ipv4HeaderLength,
            Self::TotalLength4 => DropReason::Ipv4TotalLength,
            Self::Checksum4 => DropReason::Ipv4Checksum,
            Self::SourceRoute => DropReason::Ipv4SourceRoute,
            Self::Options => DropReason::Ipv4OptionsMalformed,
            Self::Short6 => DropReason::Ipv6HeaderShort,
            Self::Version6 => DropReason::Ipv6Version,
            Self::PayloadLength6 => DropReason::Ipv6PayloadLength,
        }
    }

    /// Of a packet out of LISP.
    pub fn inside(self) -> DropReason {
        match self {
            Self::Version4 | Self::Version6 => DropReason::InnerVersion,
            Self::TotalLength4 | Self::PayloadLength6 => DropReason::InnerLength,
            Self::Checksum4 => DropReason::InnerChecksum,
            Self::SourceRoute => DropReason::Ipv4SourceRoute,
            Self::Short4 | Self::HeaderLength4 | Self::Options | Self::Short6 => DropReason::InnerHeader,
        }
    }
}

/// Kinds of addresses (R-011, R-150, R-158; RFC 6890, RFC 4291).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Unicast,
    LinkLocal,
    LinkMulticast,
    Multicast,
    Broadcast,
    Martian,
}

pub fn kind(addr: IpAddr) -> Kind {
    match addr {
        IpAddr::V4(addr) => kind_v4(addr),
        IpAddr::V6(addr) => kind_v6(addr),
    }
}

fn kind_v4(addr: Ipv4Addr) -> Kind {
    match addr.octets() {
        [255, 255, 255, 255] => Kind::Broadcast,
        [0 | 127, ..] | [240..=255, ..] => Kind::Martian,
        [169, 254, ..] => Kind::LinkLocal,
        [224, 0, 0, _] => Kind::LinkMulticast,
        [224..=239, ..] => Kind::Multicast,
        _ => Kind::Unicast,
    }
}

fn kind_v6(addr: Ipv6Addr) -> Kind {
    let segments = addr.segments();
    match segments {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] | [0, 0, 0, 0, 0, 0xFFFF, ..] => Kind::Martian,
        // The scope is the lower half of the second byte, flags the upper one (RFC 4291 section 2.7). Scopes
        // 0 (reserved) and 1 (interface-local) are never on a wire.
        [0xFF00..=0xFFFF, ..] => match segments[0] & 15 {
            0 | 1 => Kind::Martian,
            2 => Kind::LinkMulticast,
            _ => Kind::Multicast,
        },
        [0xFE80..=0xFEBF, ..] => Kind::LinkLocal,
        _ => Kind::Unicast,
    }
}
