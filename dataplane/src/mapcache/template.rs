//! The outer headers of an RLOC, built once and copied in front of every packet.

use crate::echo::EchoMark;
use crate::feed::{RlocOptions, RlocRewrite};
use crate::types::PortId;
use crate::wire::lisp;
use std::net::IpAddr;
use thiserror::Error;

/// Ethernet header, bytes.
const ETHERNET: usize = 14;
/// UDP and LISP headers, bytes.
const UDP_LISP: usize = 16;
/// Destination port of LISP data (RFC 9300 section 5.3; R-005).
const LISP_DATA_PORT: u16 = 4341;
const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;
const PROTOCOL_UDP: u8 = 17;

/// Why no outer header can be made of a rewrite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TemplateError {
    /// An IPv4 source for an IPv6 destination or the reverse.
    #[error("outer source {0} and destination {1} are of different families")]
    Family(IpAddr, IpAddr),
}

/// Outer headers with all flow-dependent fields zero:
///
/// ```text
/// 0          14                     34/54       42/62      50/70
/// | Ethernet | IPv4 (20) | IPv6 (40) | UDP (8)  | LISP (8) |
/// ```
///
/// The worker adds: IPv4 TOS, total length, TTL and checksum, or IPv6 traffic class, flow label,
/// payload length and hop limit; UDP source port and length; the LISP I bit and Instance-ID.
/// IPv4 goes with DF=1 and ID 0 (R-118, RFC 6864 section 4.1), UDP with checksum 0 (R-134), LISP
/// with L and V zero (R-006), N where a nonce was agreed upon (R-032), N and E for echoes (R-094).
///
/// What an IPv4 packet needs lies in the first of the two cache lines.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub struct OuterTemplate {
    checksum_partial: u32,
    mtu: u16,
    plain_mtu: u16,
    port: PortId,
    family: Family,
    bytes: [u8; Self::LENGTH_V6],
    options: RlocOptions,
}

/// Outer family. An enum, so that a slot's other states fit in the values it does not use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

impl OuterTemplate {
    /// Bytes of the headers when the outer family is IPv4.
    pub const LENGTH_V4: usize = ETHERNET + 20 + UDP_LISP;
    /// Bytes of the headers when the outer family is IPv6.
    pub const LENGTH_V6: usize = ETHERNET + 40 + UDP_LISP;

    /// Builds the headers.
    ///
    /// # Errors
    /// The two addresses are of different families.
    pub fn build(rewrite: &RlocRewrite) -> Result<Self, TemplateError> {
        let mut writer = Writer::default();
        writer.put(&rewrite.next_hop_mac.0);
        writer.put(&rewrite.source_mac.0);
        let mut checksum_partial = 0;
        let family = match (rewrite.source, rewrite.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let (source, destination) = (source.octets(), destination.octets());
                writer.put(&ETHERTYPE_IPV4.to_be_bytes());
                let fixed = [0x45, 0, 0, 0, 0, 0, 0x40, 0, 0, PROTOCOL_UDP, 0, 0];
                for part in [fixed.as_slice(), &source, &destination] {
                    writer.put(part);
                    checksum_partial += sum_of_words(part);
                }
                Family::V4
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                writer.put(&ETHERTYPE_IPV6.to_be_bytes());
                writer.put(&[0x60, 0, 0, 0, 0, 0, PROTOCOL_UDP, 0]);
                writer.put(&source.octets());
                writer.put(&destination.octets());
                Family::V6
            }
            (source, destination) => return Err(TemplateError::Family(source, destination)),
        };
        writer.put(&0u16.to_be_bytes());
        writer.put(&LISP_DATA_PORT.to_be_bytes());
        writer.put(&[0; 4]);
        writer.put(&first_word(rewrite).to_be_bytes());
        writer.put(&[0; 4]);
        let RlocRewrite { mtu, port, options, .. } = *rewrite;
        let plain_mtu = if options.is_plain() { mtu } else { 0 };
        Ok(Self { checksum_partial, mtu, plain_mtu, port, family, bytes: writer.bytes, options })
    }

    /// The headers when the outer family is IPv4.
    #[inline]
    #[must_use]
    pub fn ipv4(&self) -> Option<&[u8; Self::LENGTH_V4]> {
        if self.is_ipv6() { None } else { self.bytes.first_chunk() }
    }

    /// The first bytes of the headers: all of them when the outer family is IPv4.
    #[inline(always)]
    pub(crate) const fn first_bytes(&self) -> &[u8; Self::LENGTH_V4] {
        match self.bytes.first_chunk() {
            Some(bytes) => bytes,
            None => &[0; Self::LENGTH_V4],
        }
    }

    /// The headers when the outer family is IPv6.
    #[inline]
    #[must_use]
    pub fn ipv6(&self) -> Option<&[u8; Self::LENGTH_V6]> {
        if self.is_ipv6() { Some(&self.bytes) } else { None }
    }

    /// The headers, whatever the family.
    #[inline]
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match self.ipv4() {
            Some(bytes) => bytes,
            None => &self.bytes,
        }
    }

    /// The outer family is IPv6.
    #[inline]
    #[must_use]
    pub const fn is_ipv6(&self) -> bool {
        matches!(self.family, Family::V6)
    }

    /// Sum of the 16-bit words of the outer IPv4 header as in the template, not folded, not
    /// complemented. Add total length, TOS and TTL << 8, fold twice, complement.
    #[inline]
    #[must_use]
    pub const fn checksum_partial(&self) -> u32 {
        self.checksum_partial
    }

    /// Largest outer IP packet, bytes.
    #[inline]
    #[must_use]
    pub const fn mtu(&self) -> u16 {
        self.mtu
    }

    /// The same for packets that only need these headers in front: none, where the way has options.
    #[inline]
    #[must_use]
    pub const fn plain_mtu(&self) -> u16 {
        self.plain_mtu
    }

    /// What is special about the way, if anything is.
    #[inline]
    #[must_use]
    pub fn options(&self) -> Option<RlocOptions> {
        (self.plain_mtu != self.mtu).then_some(self.options)
    }

    /// The RLOC, outer destination.
    #[must_use]
    pub fn destination(&self) -> IpAddr {
        let address = self.bytes.get(ETHERNET..).unwrap_or(&[]);
        match self.family {
            Family::V4 => {
                address.get(16..).and_then(<[u8]>::first_chunk).map_or([0; 4], |a: &[u8; 4]| *a).into()
            }
            Family::V6 => {
                address.get(24..).and_then(<[u8]>::first_chunk).map_or([0; 16], |a: &[u8; 16]| *a).into()
            }
        }
    }

    /// Port the packet leaves from.
    #[inline]
    #[must_use]
    pub const fn port(&self) -> PortId {
        self.port
    }
}

/// Flags and nonce of the LISP header.
fn first_word(rewrite: &RlocRewrite) -> u32 {
    let flags = |flags: u8| u32::from(flags) << 24;
    match (rewrite.options.echo, rewrite.nonce) {
        (Some(EchoMark::Ask(nonce)), _) => flags(lisp::FLAG_NONCE | lisp::FLAG_ECHO) | nonce.get(),
        (Some(EchoMark::Give(nonce)), _) => flags(lisp::FLAG_NONCE) | nonce.get(),
        (None, Some(nonce)) => flags(lisp::FLAG_NONCE) | nonce.get(),
        (None, None) => 0,
    }
}

/// Sum of big-endian 16-bit words; `bytes` has an even length.
fn sum_of_words(bytes: &[u8]) -> u32 {
    let (words, _) = bytes.as_chunks::<2>();
    words.iter().map(|word| u32::from(u16::from_be_bytes(*word))).sum()
}

/// Fills a header from the front.
struct Writer {
    bytes: [u8; OuterTemplate::LENGTH_V6],
    length: usize,
}

impl Default for Writer {
    fn default() -> Self {
        Self { bytes: [0; OuterTemplate::LENGTH_V6], length: 0 }
    }
}

impl Writer {
    fn put(&mut self, part: &[u8]) {
        for (to, from) in self.bytes.iter_mut().skip(self.length).zip(part) {
            *to = *from;
            self.length += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::MacAddr;

    fn rewrite(source: &str, destination: &str) -> RlocRewrite {
        RlocRewrite {
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
            port: PortId(3),
            source_mac: MacAddr([2, 0, 0, 0, 0, 1]),
            next_hop_mac: MacAddr([2, 0, 0, 0, 0, 2]),
            mtu: 1500,
            options: RlocOptions::default(),
            nonce: None,
        }
    }

    #[test]
    fn ipv4_headers_dissect() {
        let template = OuterTemplate::build(&rewrite("192.0.2.1", "203.0.113.9")).unwrap();
        let bytes = *template.ipv4().unwrap();
        assert!(template.ipv6().is_none());
        assert_eq!(template.bytes(), bytes);
        let mut packet = bytes;
        // What the worker adds: 60 bytes of inner packet, TTL 63, TOS 0xb8.
        packet[15] = 0xb8;
        packet[16..18].copy_from_slice(&(36u16 + 60).to_be_bytes());
        packet[22] = 63;
        let mut sum = template.checksum_partial() + 0xb8 + 96 + (63 << 8);
        sum = (sum & 0xffff) + (sum >> 16);
        sum = (sum & 0xffff) + (sum >> 16);
        packet[24..26].copy_from_slice(&(!(sum as u16)).to_be_bytes());
        let (ip, rest) = etherparse::Ipv4Header::from_slice(&packet[14..]).unwrap();
        assert_eq!(ip.calc_header_checksum(), ip.header_checksum);
        assert!(ip.dont_fragment && ip.identification == 0);
        assert_eq!(ip.protocol, etherparse::IpNumber::UDP);
        assert_eq!(ip.source, [192, 0, 2, 1]);
        assert_eq!(ip.destination, [203, 0, 113, 9]);
        assert_eq!(rest, [0, 0, 0x10, 0xf5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(&packet[..14], [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0]);
        assert_eq!((template.mtu(), template.port()), (1500, PortId(3)));
        assert_eq!((template.plain_mtu(), template.options()), (1500, None));
        assert_eq!(template.destination(), IpAddr::from([203, 0, 113, 9]));
    }

    #[test]
    fn ipv6_headers_dissect() {
        let template = OuterTemplate::build(&rewrite("2001:db8::1", "2001:db8:f::2")).unwrap();
        let bytes = template.ipv6().unwrap();
        assert!(template.ipv4().is_none());
        assert_eq!(bytes[12..14], [0x86, 0xdd]);
        let (ip, rest) = etherparse::Ipv6Header::from_slice(&bytes[14..]).unwrap();
        assert_eq!(ip.next_header, etherparse::IpNumber::UDP);
        assert_eq!(ip.source_addr().to_string(), "2001:db8::1");
        assert_eq!(ip.destination_addr().to_string(), "2001:db8:f::2");
        assert_eq!(rest[2..4], [0x10, 0xf5]);
        assert_eq!(template.destination().to_string(), "2001:db8:f::2");
        assert_eq!(rest.len(), 16);
    }

    #[test]
    fn ipv4_lies_in_one_cache_line() {
        assert_eq!(size_of::<OuterTemplate>(), 128);
        assert!(std::mem::offset_of!(OuterTemplate, bytes) + OuterTemplate::LENGTH_V4 <= 64);
    }

    #[test]
    fn a_way_with_options_has_no_plain_packets() {
        let options = RlocOptions { udp_checksum: true, ..RlocOptions::default() };
        let rewrite = RlocRewrite { options, ..rewrite("192.0.2.1", "203.0.113.9") };
        let template = OuterTemplate::build(&rewrite).unwrap();
        assert_eq!((template.mtu(), template.plain_mtu(), template.options()), (1500, 0, Some(options)));
    }

    #[test]
    fn families_do_not_mix() {
        let error = OuterTemplate::build(&rewrite("192.0.2.1", "2001:db8::1")).unwrap_err();
        assert!(matches!(error, TemplateError::Family(..)));
    }
}
