//! What one fragment says of itself.

use crate::path::ip::Ip;
use crate::wire::{bytes, ethernet, ipv4, ipv6, lisp, proto};
use std::net::IpAddr;

/// Which datagram a fragment belongs to. The protocol is always UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) id: u32,
}

/// One UDP fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    pub(super) key: Key,
    /// First byte of the datagram's payload that it holds.
    pub(super) offset: u32,
    /// Bytes of payload.
    pub(super) len: u32,
    /// Others follow.
    pub(super) more: bool,
    /// Where its payload begins in the frame.
    pub(super) at: usize,
    /// ECN codepoint.
    pub(super) ecn: u8,
    /// Of the first fragment: whether the datagram is LISP data.
    pub(super) lisp: Option<bool>,
}

/// Largest length field.
const MAX_LEN: u32 = 65_535;

impl Fragment {
    /// Reads the UDP fragment behind the Ethernet header. `None`: it can not be part of a datagram
    /// that an encapsulating router sends: a length or offset that no datagram has, or IPv6
    /// extension headers in front of the Fragment header.
    pub fn read(frame: &[u8], ip: &Ip) -> Option<Self> {
        let (id, word, at, header) =
            if ip.is_v6() { Self::marks_v6(frame)? } else { Self::marks_v4(frame, ip)? };
        let offset = u32::from(word.0) * 8;
        let len = ip.len.checked_sub(header)?;
        let whole_units = len % 8 == 0 || !word.1;
        // IPv6 does not count its fixed header, and the Fragment header goes.
        let room = if ip.is_v6() { MAX_LEN } else { MAX_LEN - header };
        let fits = len > 0 && offset + len <= room;
        let key = Key { source: ip.addrs.source(), destination: ip.addrs.destination(), id };
        let lisp = (offset == 0).then(|| ip.destination_port() == lisp::DATA_PORT);
        (whole_units && fits).then_some(Self { key, offset, len, more: word.1, at, ecn: ip.tos & 3, lisp })
    }

    /// ID, offset in units of 8 bytes with "more fragments", start of the payload, header bytes.
    fn marks_v4(frame: &[u8], ip: &Ip) -> Option<(u32, (u16, bool), usize, u32)> {
        let id = bytes::be16(frame, ethernet::LEN + 4)?;
        let word = bytes::be16(frame, ethernet::LEN + 6)?;
        let marks = (word & ipv4::OFFSET_MASK, word & ipv4::MORE_FRAGMENTS != 0);
        Some((u32::from(id), marks, ethernet::LEN + usize::from(ip.transport), u32::from(ip.transport)))
    }

    fn marks_v6(frame: &[u8]) -> Option<(u32, (u16, bool), usize, u32)> {
        let next = *frame.get(ethernet::LEN + 6)?;
        let h: &[u8; 8] = bytes::chunk(frame, ethernet::LEN + ipv6::LEN)?;
        if next != proto::FRAGMENT || h[0] != proto::UDP {
            return None;
        }
        let word = u16::from_be_bytes([h[2], h[3]]);
        let id = u32::from_be_bytes([h[4], h[5], h[6], h[7]]);
        Some((id, (word >> 3, word & 1 != 0), ethernet::LEN + ipv6::LEN + 8, ipv6::LEN as u32 + 8))
    }

    /// First byte behind what it holds.
    pub(super) const fn end(&self) -> u32 {
        self.offset + self.len
    }
}
