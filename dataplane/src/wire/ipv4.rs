//! IPv4 header (RFC 791), with the validation every router owes (RFC 1812 section 5.2.2).

use super::bytes::chunk;
use super::checksum;
use std::net::Ipv4Addr;

/// Bytes of a header without options.
pub const MIN_LEN: usize = 20;
/// Don't Fragment, in the flags-and-offset word.
pub const DONT_FRAGMENT: u16 = 0x4000;
/// More Fragments, in the flags-and-offset word.
pub const MORE_FRAGMENTS: u16 = 0x2000;
/// Fragment offset in units of 8 bytes, in the flags-and-offset word.
pub const OFFSET_MASK: u16 = 0x1FFF;

/// What is wrong with a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The bytes end before the header does.
    Short,
    /// The version is not 4.
    Version,
    /// Header length below 20 bytes or above the total length.
    HeaderLength,
    /// Total length above the bytes there are.
    TotalLength,
    /// Header checksum wrong.
    Checksum,
}

/// The header's fields, checked against each other and against the bytes there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv4 {
    /// Header bytes, 20 to 60.
    pub header_len: u8,
    /// DSCP and ECN.
    pub tos: u8,
    /// Header and payload, bytes.
    pub total_len: u16,
    /// Datagram identification.
    pub id: u16,
    /// Flags (3 bits) and fragment offset (13 bits).
    pub fragment: u16,
    /// Time to live.
    pub ttl: u8,
    /// What follows.
    pub protocol: u8,
    /// Source address as a number.
    pub source: u32,
    /// Destination address as a number.
    pub destination: u32,
}

impl Ipv4 {
    /// Reads and validates the header at `offset`. `available` is the number of bytes that the
    /// packet can have from there on (it may exceed the slice when the packet has more segments).
    #[inline(always)]
    pub fn parse(
        data: &[u8],
        offset: usize,
        available: usize,
        checksum_known_good: bool,
    ) -> Result<Self, Error> {
        let h: &[u8; MIN_LEN] = chunk(data, offset).ok_or(Error::Short)?;
        if h[0] >> 4 != 4 {
            return Err(Error::Version);
        }
        let header_len = usize::from(h[0] & 0x0F) * 4;
        let total_len = u16::from_be_bytes([h[2], h[3]]);
        if header_len < MIN_LEN || header_len > usize::from(total_len) {
            return Err(Error::HeaderLength);
        }
        if usize::from(total_len) > available {
            return Err(Error::TotalLength);
        }
        if header_len == MIN_LEN {
            if !checksum_known_good && !header_sum_is_right(h) {
                return Err(Error::Checksum);
            }
        } else {
            Self::check_with_options(data, offset, header_len, checksum_known_good)?;
        }
        Ok(Self {
            header_len: header_len as u8,
            tos: h[1],
            total_len,
            id: u16::from_be_bytes([h[4], h[5]]),
            fragment: u16::from_be_bytes([h[6], h[7]]),
            ttl: h[8],
            protocol: h[9],
            source: u32::from_be_bytes([h[12], h[13], h[14], h[15]]),
            destination: u32::from_be_bytes([h[16], h[17], h[18], h[19]]),
        })
    }

    #[cold]
    fn check_with_options(data: &[u8], offset: usize, len: usize, known_good: bool) -> Result<(), Error> {
        let header = data.get(offset..offset + len).ok_or(Error::Short)?;
        if known_good || checksum::fold(checksum::add(0, header)) == 0xFFFF {
            return Ok(());
        }
        Err(Error::Checksum)
    }

    /// Source address.
    pub fn source_addr(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.source)
    }

    /// Destination address.
    pub fn destination_addr(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.destination)
    }

    /// A fragment of a datagram: the first, a middle one or the last.
    #[inline(always)]
    pub fn is_fragment(&self) -> bool {
        self.fragment & (MORE_FRAGMENTS | OFFSET_MASK) != 0
    }

    /// A fragment that does not hold the transport header.
    #[inline(always)]
    pub fn is_later_fragment(&self) -> bool {
        self.fragment & OFFSET_MASK != 0
    }

    /// The source forbids fragmentation.
    #[inline(always)]
    pub fn dont_fragment(&self) -> bool {
        self.fragment & DONT_FRAGMENT != 0
    }
}

/// Checksum of a header without options: five words at once, no loop.
#[inline(always)]
pub(crate) fn header_sum_is_right(h: &[u8; MIN_LEN]) -> bool {
    let word = |a: u8, b: u8, c: u8, d: u8| u64::from(u32::from_be_bytes([a, b, c, d]));
    let sum = word(h[0], h[1], h[2], h[3])
        + word(h[4], h[5], h[6], h[7])
        + word(h[8], h[9], h[10], h[11])
        + word(h[12], h[13], h[14], h[15])
        + word(h[16], h[17], h[18], h[19]);
    checksum::fold(sum) == 0xFFFF
}

/// What the options of a header ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Options {
    /// Nothing that keeps the packet from being forwarded.
    Harmless,
    /// Loose or strict source routing.
    SourceRoute,
    /// They do not parse.
    Malformed,
}

/// Walks the options (the bytes between the fixed header and its end), RFC 791 section 3.1. At
/// most 40 bytes, so at most 40 steps.
pub fn scan_options(mut options: &[u8]) -> Options {
    const LOOSE: u8 = 131;
    const STRICT: u8 = 137;
    loop {
        options = match *options {
            [] | [0, ..] => return Options::Harmless,
            [1, ref rest @ ..] => rest,
            [LOOSE | STRICT, ..] => return Options::SourceRoute,
            [_, len, ..] if len >= 2 => match options.get(usize::from(len)..) {
                Some(rest) => rest,
                None => return Options::Malformed,
            },
            _ => return Options::Malformed,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Vec<u8> {
        let mut h =
            vec![0x45, 0xb8, 0, 24, 0x12, 0x34, 0x20, 0x05, 64, 17, 0, 0, 192, 0, 2, 1, 198, 51, 100, 9];
        let sum = checksum::finish(checksum::add(0, &h));
        h[10..12].copy_from_slice(&sum.to_be_bytes());
        h.extend([1, 2, 3, 4]);
        h
    }

    #[test]
    fn fields_are_read() {
        let h = header();
        let ip = Ipv4::parse(&h, 0, h.len(), false).expect("valid");
        assert_eq!(
            (ip.header_len, ip.tos, ip.total_len, ip.id, ip.ttl, ip.protocol),
            (20, 0xb8, 24, 0x1234, 64, 17)
        );
        assert_eq!(ip.source_addr(), Ipv4Addr::new(192, 0, 2, 1));
        assert_eq!(ip.destination_addr(), Ipv4Addr::new(198, 51, 100, 9));
        assert!(ip.is_fragment() && ip.is_later_fragment() && !ip.dont_fragment());
    }

    #[test]
    fn each_way_to_be_wrong_has_its_error_r144() {
        let check = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut h = header();
            change(&mut h);
            Ipv4::parse(&h, 0, h.len(), false).err()
        };
        assert_eq!(check(&|h| h.truncate(19)), Some(Error::Short));
        assert_eq!(check(&|h| h[0] = 0x65), Some(Error::Version));
        assert_eq!(check(&|h| h[0] = 0x44), Some(Error::HeaderLength));
        assert_eq!(check(&|h| h[0] = 0x4f), Some(Error::HeaderLength));
        assert_eq!(check(&|h| h[3] = 25), Some(Error::TotalLength));
        assert_eq!(check(&|h| h[11] ^= 1), Some(Error::Checksum));
        assert_eq!(check(&|h| h[0] = 0x46), Some(Error::Checksum));
        let mut h = header();
        h[11] ^= 1;
        assert!(Ipv4::parse(&h, 0, h.len(), true).is_ok(), "the NIC has checked it");
        assert_eq!(Ipv4::parse(&h, 20, 4, false), Err(Error::Short));
    }

    #[test]
    fn options_are_walked_to_their_end() {
        assert_eq!(scan_options(&[]), Options::Harmless);
        assert_eq!(scan_options(&[1, 1, 148, 4, 0, 0, 0, 131]), Options::Harmless);
        assert_eq!(scan_options(&[1, 148, 4, 0, 0, 137, 3, 4]), Options::SourceRoute);
        assert_eq!(scan_options(&[7]), Options::Malformed);
        assert_eq!(scan_options(&[7, 1, 1, 1]), Options::Malformed);
        assert_eq!(scan_options(&[7, 9, 1, 1]), Options::Malformed);
    }
}
