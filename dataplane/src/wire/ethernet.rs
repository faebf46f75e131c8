//! Ethernet II (IEEE 802.3): destination 6 | source 6 | EtherType 2.

use super::bytes::{chunk, chunk_mut};
use crate::types::MacAddr;

/// Bytes of the header.
pub const LEN: usize = 14;
/// EtherType of IPv4.
pub const IPV4: u16 = 0x0800;
/// EtherType of ARP.
pub const ARP: u16 = 0x0806;
/// EtherType of an 802.1Q tag.
pub const VLAN: u16 = 0x8100;
/// EtherType of IPv6.
pub const IPV6: u16 = 0x86DD;
/// EtherType of an 802.1ad service tag.
pub const SERVICE_VLAN: u16 = 0x88A8;
/// EtherType of the slow protocols (LACP).
pub const SLOW: u16 = 0x8809;
/// EtherType of LLDP.
pub const LLDP: u16 = 0x88CC;
/// Values below are 802.3 lengths: an LLC frame (spanning tree, IS-IS).
pub const FIRST_ETHERTYPE: u16 = 0x0600;

/// The header's fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ethernet {
    /// Who it is for.
    pub destination: MacAddr,
    /// Who sent it.
    pub source: MacAddr,
    /// What follows.
    pub ethertype: u16,
}

impl Ethernet {
    /// Reads the header; `None` if the frame is shorter.
    #[inline(always)]
    pub fn parse(frame: &[u8]) -> Option<Self> {
        let h: &[u8; LEN] = chunk(frame, 0)?;
        Some(Self {
            destination: MacAddr([h[0], h[1], h[2], h[3], h[4], h[5]]),
            source: MacAddr([h[6], h[7], h[8], h[9], h[10], h[11]]),
            ethertype: u16::from_be_bytes([h[12], h[13]]),
        })
    }

    /// The header as bytes.
    #[inline(always)]
    pub fn bytes(&self) -> [u8; LEN] {
        let (d, s, t) = (self.destination.0, self.source.0, self.ethertype.to_be_bytes());
        [d[0], d[1], d[2], d[3], d[4], d[5], s[0], s[1], s[2], s[3], s[4], s[5], t[0], t[1]]
    }

    /// Writes the header over the first bytes of the frame; `false` if it is shorter.
    #[inline(always)]
    pub fn write(&self, frame: &mut [u8]) -> bool {
        match chunk_mut::<LEN>(frame, 0) {
            Some(room) => {
                *room = self.bytes();
                true
            }
            None => false,
        }
    }
}

/// Broadcast or multicast address (the group bit).
#[inline(always)]
pub const fn is_group(mac: MacAddr) -> bool {
    mac.0[0] & 1 != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_reads_as_it_was_written() {
        let header = Ethernet {
            destination: MacAddr([1, 0x80, 0xc2, 0, 0, 0]),
            source: MacAddr([2, 0, 0, 0, 0, 9]),
            ethertype: LLDP,
        };
        let mut frame = [0u8; 20];
        assert!(header.write(&mut frame));
        assert_eq!(Ethernet::parse(&frame), Some(header));
        assert!(is_group(header.destination) && !is_group(header.source));
        assert!(!header.write(&mut frame[..13]));
        assert_eq!(Ethernet::parse(&frame[..13]), None);
    }
}
