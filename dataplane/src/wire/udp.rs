//! UDP header (RFC 768): source port 2 | destination port 2 | length 2 | checksum 2. The ports of
//! TCP and SCTP stand in the same place.

use super::bytes::{be32, chunk};

/// Bytes of the header.
pub const LEN: usize = 8;

/// The header's fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Udp {
    /// Source port.
    pub source: u16,
    /// Destination port.
    pub destination: u16,
    /// Header and payload, bytes.
    pub length: u16,
    /// Checksum field, 0 = none.
    pub checksum: u16,
}

impl Udp {
    /// Reads the header at `offset`; `None` if the bytes end before.
    #[inline(always)]
    pub fn parse(data: &[u8], offset: usize) -> Option<Self> {
        let h: &[u8; LEN] = chunk(data, offset)?;
        Some(Self {
            source: u16::from_be_bytes([h[0], h[1]]),
            destination: u16::from_be_bytes([h[2], h[3]]),
            length: u16::from_be_bytes([h[4], h[5]]),
            checksum: u16::from_be_bytes([h[6], h[7]]),
        })
    }
}

/// Source and destination port as one number, source in the high half.
#[inline(always)]
pub fn ports(data: &[u8], offset: usize) -> Option<u32> {
    be32(data, offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_read_or_refused() {
        let bytes = [0xc0, 0x01, 0x10, 0xf5, 0, 24, 0xab, 0xcd];
        let udp = Udp { source: 0xc001, destination: 4341, length: 24, checksum: 0xabcd };
        assert_eq!(Udp::parse(&bytes, 0), Some(udp));
        assert_eq!(ports(&bytes, 0), Some(0xc001_10f5));
        assert_eq!(Udp::parse(&bytes, 1), None);
        assert_eq!(ports(&bytes, usize::MAX), None);
    }
}
