//! What the path remembers of an IP packet between its stages.

use super::flow::{self, FlowKey};
use crate::lpm::{Key4, Key6};
use crate::wire::{bytes, checksum, ipv4, ipv6, proto, udp};
use std::net::IpAddr;

/// Source and destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addrs {
    /// IPv4.
    V4 {
        /// Source.
        source: Key4,
        /// Destination.
        destination: Key4,
    },
    /// IPv6.
    V6 {
        /// Source.
        source: Key6,
        /// Destination.
        destination: Key6,
    },
}

impl Addrs {
    /// Source address.
    pub fn source(&self) -> IpAddr {
        match *self {
            Self::V4 { source, .. } => IpAddr::V4(source.into()),
            Self::V6 { source, .. } => IpAddr::V6(source.into()),
        }
    }

    /// Destination address.
    pub fn destination(&self) -> IpAddr {
        match *self {
            Self::V4 { destination, .. } => IpAddr::V4(destination.into()),
            Self::V6 { destination, .. } => IpAddr::V6(destination.into()),
        }
    }
}

/// The facts of one IP packet, read once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ip {
    /// Source and destination.
    pub addrs: Addrs,
    /// Whole packet, bytes: from its own header, never from the frame (wire.md TRAP 6).
    pub len: u32,
    /// Flow hash.
    pub hash: u32,
    /// Source and destination port (source in the high half); 0 when there are none or they can
    /// not be read.
    pub ports: u32,
    /// Offset of what follows the IP header and its extension headers.
    pub transport: u16,
    /// Protocol of what is there.
    pub protocol: u8,
    /// TTL or Hop Limit.
    pub ttl: u8,
    /// TOS or Traffic Class.
    pub tos: u8,
    /// A fragment.
    pub fragment: bool,
    /// A fragment that does not hold the transport header.
    pub later_fragment: bool,
    /// IPv4 with DF=1, or IPv6: routers must not fragment it.
    pub dont_fragment: bool,
    /// The source is a link-local address: the packet may be for us, but goes no further. Set by
    /// whoever checked the addresses.
    pub link_local_source: bool,
}

/// What is wrong with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// IPv4 header.
    V4(ipv4::Error),
    /// IPv4 options.
    Options(ipv4::Options),
    /// IPv6 header.
    V6(ipv6::Error),
}

impl Ip {
    /// No packet yet: to be read into.
    pub const fn blank() -> Self {
        let zero = Key4(0);
        Self {
            addrs: Addrs::V4 { source: zero, destination: zero },
            len: 0,
            hash: 0,
            ports: 0,
            transport: 0,
            protocol: 0,
            ttl: 0,
            tos: 0,
            fragment: false,
            later_fragment: false,
            dont_fragment: false,
            link_local_source: false,
        }
    }

    /// Reads the IPv4 packet at `offset`; `available` as in [`ipv4::Ipv4::parse`].
    ///
    /// In place rather than returned: a returned structure is written field by field and copied in
    /// larger pieces, which the CPU can not forward and waits for.
    #[inline(always)]
    pub fn read_v4(
        &mut self,
        data: &[u8],
        offset: usize,
        available: usize,
        known_good: bool,
        key: &FlowKey,
    ) -> Result<(), Error> {
        let ip = ipv4::Ipv4::parse(data, offset, available, known_good).map_err(Error::V4)?;
        if usize::from(ip.header_len) != ipv4::MIN_LEN {
            check_options(data, offset, ip.header_len)?;
        }
        let transport = usize::from(ip.header_len);
        let readable = !ip.is_later_fragment() && transport + 4 <= usize::from(ip.total_len);
        self.addrs = Addrs::V4 { source: Key4(ip.source), destination: Key4(ip.destination) };
        self.len = u32::from(ip.total_len);
        self.ports = ports(data, offset + transport, ip.protocol, readable);
        let end = offset + usize::from(ip.total_len);
        let word = flow_word(data, (offset + transport, end), (ip.protocol, self.ports), readable, key);
        let word = if ip.is_fragment() { 0 } else { word };
        self.hash = key.flow_v4(ip.source, ip.destination, u32::from(ip.protocol), word);
        self.transport = transport as u16;
        self.protocol = ip.protocol;
        self.ttl = ip.ttl;
        self.tos = ip.tos;
        self.fragment = ip.is_fragment();
        self.later_fragment = ip.is_later_fragment();
        self.dont_fragment = ip.dont_fragment();
        self.link_local_source = false;
        Ok(())
    }

    /// Reads the IPv6 packet at `offset`.
    #[inline(always)]
    pub fn read_v6(
        &mut self,
        data: &[u8],
        offset: usize,
        available: usize,
        key: &FlowKey,
    ) -> Result<(), Error> {
        let ip = ipv6::Ipv6::parse(data, offset, available).map_err(Error::V6)?;
        let (source, destination) = (Key6::from(ip.source), Key6::from(ip.destination));
        let len = ip.total_len();
        let upper = ipv6::walk(data, offset, ip.next_header, len);
        let transport = usize::from(upper.offset);
        let readable = upper.complete && !upper.later_fragment && transport + 4 <= len;
        self.addrs = Addrs::V6 { source, destination };
        self.len = len as u32;
        self.ports = ports(data, offset + transport, upper.protocol, readable);
        let span = (offset + transport, offset + len);
        let word = flow_word(data, span, (upper.protocol, self.ports), readable, key);
        let word = if upper.fragment { 0 } else { word };
        self.hash = key.flow_v6(source, destination, u32::from(upper.protocol), word);
        self.transport = upper.offset;
        self.protocol = upper.protocol;
        self.ttl = ip.hop_limit;
        self.tos = ip.traffic_class;
        self.fragment = upper.fragment;
        self.later_fragment = upper.later_fragment;
        self.dont_fragment = true;
        self.link_local_source = false;
        Ok(())
    }

    /// Reads whatever IP packet is at `offset`, by its version.
    #[inline(always)]
    pub fn read(&mut self, data: &[u8], offset: usize, available: usize, key: &FlowKey) -> Result<(), Error> {
        match data.get(offset).map(|first| first >> 4) {
            Some(4) => self.read_v4(data, offset, available, false, key),
            Some(6) => self.read_v6(data, offset, available, key),
            Some(_) => Err(Error::V6(ipv6::Error::Version)),
            None => Err(Error::V6(ipv6::Error::Short)),
        }
    }

    /// UDP from or to `port`.
    pub fn is_udp_port(&self, port: u16) -> bool {
        self.protocol == proto::UDP && (self.destination_port() == port || (self.ports >> 16) as u16 == port)
    }

    /// Destination port, 0 if unknown.
    #[inline(always)]
    pub fn destination_port(&self) -> u16 {
        self.ports as u16
    }

    /// IPv6.
    #[inline(always)]
    pub const fn is_v6(&self) -> bool {
        matches!(self.addrs, Addrs::V6 { .. })
    }
}

/// Where in an IP header the word of four bytes lies that has the TTL or Hop Limit, and what changes with it.
#[inline(always)]
pub const fn hop_at(v6: bool) -> usize {
    if v6 { 4 } else { 8 }
}

/// Takes one off TTL or Hop Limit of an IP packet, the IPv4 checksum with it. Only for packets whose
/// TTL is above 1.
#[inline(always)]
pub fn decrement_ttl(packet: &mut [u8], v6: bool) {
    if v6 {
        if let Some(hop_limit) = packet.get_mut(7) {
            *hop_limit = hop_limit.wrapping_sub(1);
        }
    } else if let Some(word) = bytes::chunk_mut::<4>(packet, 8) {
        *word = checksum::less_ttl(u32::from_le_bytes(*word)).to_le_bytes();
    }
}

#[cold]
fn check_options(data: &[u8], offset: usize, header_len: u8) -> Result<(), Error> {
    let options = data.get(offset + ipv4::MIN_LEN..offset + usize::from(header_len));
    match options.map_or(ipv4::Options::Malformed, ipv4::scan_options) {
        // Other options do not change the way of a packet (RFC 7126): it is forwarded with them
        // as they are, without writing record-route or timestamp data into it.
        ipv4::Options::Harmless => Ok(()),
        wrong => Err(Error::Options(wrong)),
    }
}

/// Ports of a protocol that has them where it can have them.
#[inline(always)]
fn ports(data: &[u8], at: usize, protocol: u8, readable: bool) -> u32 {
    if readable && matches!(protocol, proto::TCP | proto::UDP | proto::SCTP) {
        udp::ports(data, at).unwrap_or(0)
    } else {
        0
    }
}

/// What tells flows of equal addresses apart: ports, or what the key looks into instead.
#[inline(always)]
fn flow_word(
    data: &[u8],
    (at, end): (usize, usize),
    (protocol, ports): (u8, u32),
    readable: bool,
    key: &FlowKey,
) -> u32 {
    if readable && key.looks_into(protocol) {
        flow::tunnel_word(protocol, data.get(at..end.min(data.len())).unwrap_or(&[]))
    } else {
        ports
    }
}
