//! TCP maximum segment size, lowered so that segments fit with the outer headers (R-126; RFC 4459 section
//! 3.2, RFC 9293 section 3.7.1).

use super::ip::Ip;
use crate::wire::{bytes, checksum, ipv4, ipv6, proto};

/// TCP header without options.
const TCP: usize = 20;
const SYN: u8 = 0x02;
const END: u8 = 0;
const NO_OPERATION: u8 = 1;
const MSS: u8 = 2;

/// Lowers the MSS option of a SYN so that segments make IP packets of at most `largest` bytes, and the
/// checksum with it. `packet` begins at the IP header that `ip` is about. A SYN without the option is
/// left alone: its sender takes 536 or 1220 bytes.
pub fn clamp(packet: &mut [u8], ip: &Ip, largest: u16) {
    if ip.protocol != proto::TCP || ip.fragment {
        return;
    }
    let headers = TCP + if ip.is_v6() { ipv6::LEN } else { ipv4::MIN_LEN };
    let limit = largest.saturating_sub(headers as u16);
    let end = packet.len().min(ip.len as usize);
    let segment = packet.get_mut(usize::from(ip.transport)..end);
    if let Some(segment) = segment
        && let Some((at, old)) = find(segment)
        && old > limit
    {
        lower(segment, at, old, limit);
    }
}

/// Where a SYN's MSS stands, and what it is.
fn find(segment: &[u8]) -> Option<(usize, u16)> {
    let header = usize::from(segment.get(12)? >> 4) * 4;
    if segment.get(13)? & SYN == 0 {
        return None;
    }
    let options = segment.get(TCP..header)?;
    let mut at = 0;
    while let Some(kind) = options.get(at) {
        let len = match *kind {
            END => return None,
            NO_OPERATION => 1,
            _ => usize::from(*options.get(at + 1)?),
        };
        if *kind == MSS {
            let value = bytes::be16(options, at + 2).filter(|_| len == 4)?;
            return Some((TCP + at + 2, value));
        }
        if len == 0 || (len == 1 && *kind != NO_OPERATION) {
            return None;
        }
        at += len;
    }
    None
}

fn lower(segment: &mut [u8], at: usize, old: u16, new: u16) {
    let Some(field) = bytes::be16(segment, 16) else { return };
    // In the middle of two words the bytes count the other way round (RFC 1071 section 2 B).
    let (from, to) = if at.is_multiple_of(2) { (old, new) } else { (old.swap_bytes(), new.swap_bytes()) };
    let field = checksum::update(field, from, to);
    bytes::put(segment, at, new.to_be_bytes());
    bytes::put(segment, 16, field.to_be_bytes());
}
