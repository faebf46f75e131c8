//! IPv6 header and extension headers (RFC 8200).

use super::bytes::chunk;
use super::proto;
use std::net::Ipv6Addr;

/// Bytes of the fixed header.
pub const LEN: usize = 40;
/// Extension headers that the walk passes before it gives up.
pub const MAX_EXTENSION_HEADERS: usize = 4;

/// What is wrong with a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The bytes end before the header does.
    Short,
    /// The version is not 6.
    Version,
    /// Payload length above the bytes there are.
    PayloadLength,
}

/// The fixed header's fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv6 {
    /// Traffic class: DSCP and ECN.
    pub traffic_class: u8,
    /// Bytes behind the fixed header.
    pub payload_len: u16,
    /// What follows.
    pub next_header: u8,
    /// Hop limit.
    pub hop_limit: u8,
    /// Source address as a number.
    pub source: u128,
    /// Destination address as a number.
    pub destination: u128,
}

impl Ipv6 {
    /// Reads and validates the header at `offset`; `available` as in [`super::ipv4::Ipv4::parse`].
    #[inline(always)]
    pub fn parse(data: &[u8], offset: usize, available: usize) -> Result<Self, Error> {
        let h: &[u8; LEN] = chunk(data, offset).ok_or(Error::Short)?;
        if h[0] >> 4 != 6 {
            return Err(Error::Version);
        }
        let payload_len = u16::from_be_bytes([h[4], h[5]]);
        if LEN + usize::from(payload_len) > available {
            return Err(Error::PayloadLength);
        }
        Ok(Self {
            traffic_class: h[0] << 4 | h[1] >> 4,
            payload_len,
            next_header: h[6],
            hop_limit: h[7],
            source: address(h, 8),
            destination: address(h, 24),
        })
    }

    /// Source address.
    pub fn source_addr(&self) -> Ipv6Addr {
        Ipv6Addr::from_bits(self.source)
    }

    /// Destination address.
    pub fn destination_addr(&self) -> Ipv6Addr {
        Ipv6Addr::from_bits(self.destination)
    }

    /// Fixed header and payload, bytes.
    #[inline(always)]
    pub fn total_len(&self) -> usize {
        LEN + usize::from(self.payload_len)
    }
}

#[inline(always)]
fn address(h: &[u8; LEN], at: usize) -> u128 {
    chunk(h, at).map_or(0, |b| u128::from_be_bytes(*b))
}

/// Where the extension headers end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upper {
    /// Protocol of what follows, or of the header at which the walk gave up.
    pub protocol: u8,
    /// Offset of what follows from the start of the fixed header.
    pub offset: u16,
    /// A fragment header was passed whose packet is really a fragment (offset or M not zero).
    pub fragment: bool,
    /// That fragment is not the first: what follows is no transport header.
    pub later_fragment: bool,
    /// The walk reached a header that is no extension header: `protocol` is to be believed.
    pub complete: bool,
}

/// Walks the extension headers of the packet whose fixed header is at `offset`, reading nothing
/// beyond `end` bytes from there. Stops after [`MAX_EXTENSION_HEADERS`], at a later fragment, and
/// where the bytes end.
#[inline(always)]
pub fn walk(data: &[u8], offset: usize, first: u8, end: usize) -> Upper {
    let plain =
        Upper { protocol: first, offset: LEN as u16, fragment: false, later_fragment: false, complete: true };
    if !is_extension(first) { plain } else { walk_extensions(data, offset, plain, end) }
}

pub(crate) const fn is_extension(protocol: u8) -> bool {
    use proto::*;
    matches!(protocol, HOP_BY_HOP | ROUTING | FRAGMENT | AUTHENTICATION | DESTINATION_OPTIONS)
}

#[cold]
fn walk_extensions(data: &[u8], offset: usize, mut upper: Upper, end: usize) -> Upper {
    for _ in 0..MAX_EXTENSION_HEADERS {
        let at = usize::from(upper.offset);
        let header: Option<&[u8; 8]> = chunk(data, offset + at).filter(|_| at + 8 <= end);
        let Some(&[next, len, frag_high, frag_low, ..]) = header else { break };
        let size = match upper.protocol {
            proto::FRAGMENT => 8,
            proto::AUTHENTICATION => (usize::from(len) + 2) * 4,
            _ => (usize::from(len) + 1) * 8,
        };
        if at + size > end {
            break;
        }
        if upper.protocol == proto::FRAGMENT {
            let word = u16::from_be_bytes([frag_high, frag_low]);
            upper.fragment |= word & 0xFFF9 != 0;
            upper.later_fragment |= word & 0xFFF8 != 0;
        }
        upper.protocol = next;
        upper.offset = (at + size) as u16;
        if upper.later_fragment || !is_extension(next) {
            return upper;
        }
    }
    Upper { complete: false, ..upper }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(first: u8, extensions: &[u8]) -> Vec<u8> {
        let mut p = vec![0x60, 0, 0, 0, 0, (extensions.len() + 8) as u8, first, 64];
        p.extend([0x20; 16]);
        p.extend([0x30; 16]);
        p.extend(extensions);
        p.extend([0; 8]);
        p
    }

    fn walked(first: u8, extensions: &[u8]) -> Upper {
        let p = packet(first, extensions);
        let ip = Ipv6::parse(&p, 0, p.len()).expect("valid");
        walk(&p, 0, ip.next_header, ip.total_len())
    }

    #[test]
    fn fields_are_read_and_lengths_checked() {
        let mut p = packet(17, &[]);
        p[0] = 0x6b;
        p[1] = 0x8f;
        let ip = Ipv6::parse(&p, 0, p.len()).expect("valid");
        assert_eq!((ip.traffic_class, ip.payload_len, ip.next_header, ip.hop_limit), (0xb8, 8, 17, 64));
        assert_eq!(ip.source_addr(), Ipv6Addr::from([0x20; 16]));
        assert_eq!(ip.destination_addr(), Ipv6Addr::from([0x30; 16]));
        assert_eq!(Ipv6::parse(&p, 0, p.len() - 1), Err(Error::PayloadLength));
        assert_eq!(Ipv6::parse(&p[..39], 0, 39), Err(Error::Short));
        p[0] = 0x45;
        assert_eq!(Ipv6::parse(&p, 0, p.len()), Err(Error::Version));
    }

    #[test]
    fn the_walk_passes_extension_headers_to_the_transport() {
        let up = walked(proto::HOP_BY_HOP, &[60, 0, 5, 2, 0, 0, 0, 0, 17, 0, 1, 4, 0, 0, 0, 0]);
        assert_eq!(
            up,
            Upper { protocol: 17, offset: 56, fragment: false, later_fragment: false, complete: true }
        );
        let up = walked(proto::FRAGMENT, &[17, 0, 0, 1, 0, 0, 0, 9]);
        assert!(up.fragment && !up.later_fragment && up.protocol == 17 && up.complete);
        let up = walked(proto::FRAGMENT, &[17, 0, 0, 8, 0, 0, 0, 9]);
        assert!(up.fragment && up.later_fragment);
        // An "atomic fragment" (RFC 6946) is none.
        assert!(!walked(proto::FRAGMENT, &[17, 0, 0, 0, 0, 0, 0, 9]).fragment);
        assert_eq!(walked(proto::AUTHENTICATION, &[6, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1]).offset, 52);
    }

    #[test]
    fn the_walk_is_bounded_by_number_and_by_length_r159() {
        let chain = [60, 0, 1, 4, 0, 0, 0, 0].repeat(40);
        let up = walked(60, &chain);
        assert_eq!((up.complete, up.offset), (false, 40 + 4 * 8));
        assert!(!walked(60, &[17, 200, 1, 4, 0, 0, 0, 0]).complete, "runs past the packet");
        assert!(!walk(&[0; 44], 0, 60, 44).complete, "ends inside the extension header");
    }
}
