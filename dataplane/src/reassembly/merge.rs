//! Many buffers become one.

use super::table::Part;
use crate::buffer::PacketBuf;
use crate::path::ecn;
use crate::wire::{bytes, checksum, ethernet, ipv6, proto};

/// Joins the parts, which are in order and without gaps, into a packet that was never split:
/// `ecn_seen` has a bit for every codepoint among them. `None`: the buffers can not be joined.
pub(super) fn merge<B: PacketBuf>(parts: &mut Vec<Part<B>>, ecn_seen: u8) -> Option<B> {
    let mut parts = parts.drain(..);
    let mut whole = parts.next()?.buf;
    let v6 = whole.data().get(ethernet::LEN)? >> 4 == 6;
    let header = unfragment(&mut whole, v6)?;
    for part in parts {
        let mut tail = part.buf;
        // What Ethernet padded does not belong to the datagram.
        if !tail.truncate(part.at + part.len as usize) || !tail.trim_front(part.at) {
            return None;
        }
        whole.join(tail).ok()?;
    }
    let total = whole.total_len().checked_sub(ethernet::LEN + header)?;
    finish(whole.data_mut(), v6, header, total, ecn_seen).then_some(whole)
}

/// Takes padding and the IPv6 Fragment header out of the first part. Returns the bytes of the IP
/// header that is left.
fn unfragment<B: PacketBuf>(first: &mut B, v6: bool) -> Option<usize> {
    let data = first.data();
    if !v6 {
        let total = usize::from(bytes::be16(data, ethernet::LEN + 2)?);
        let header = usize::from(data.get(ethernet::LEN)? & 0x0F) * 4;
        return first.truncate(ethernet::LEN + total).then_some(header);
    }
    let total = ipv6::LEN + usize::from(bytes::be16(data, ethernet::LEN + 4)?);
    let cut = first.truncate(ethernet::LEN + total);
    let headers = ethernet::LEN + ipv6::LEN;
    let data = first.data_mut();
    if !cut || data.len() < headers + 8 {
        return None;
    }
    data.copy_within(..headers, 8);
    first.trim_front(8).then_some(ipv6::LEN)
}

/// Writes the length and ECN of the whole packet, and what else a packet has that is no fragment.
fn finish(data: &mut [u8], v6: bool, header: usize, payload: usize, ecn_seen: u8) -> bool {
    let congested = ecn_seen & 1 << ecn::CE != 0;
    let Some(ip) = data.get_mut(ethernet::LEN..ethernet::LEN + header) else { return false };
    if v6 {
        let Ok(len) = u16::try_from(payload) else { return false };
        if let Some(byte) = ip.get_mut(1).filter(|_| congested) {
            *byte |= ecn::CE << 4;
        }
        return bytes::put(ip, 4, len.to_be_bytes()) && bytes::put(ip, 6, [proto::UDP]);
    }
    let Ok(len) = u16::try_from(payload + header) else { return false };
    if let Some(byte) = ip.get_mut(1).filter(|_| congested) {
        *byte |= ecn::CE;
    }
    let written =
        bytes::put(ip, 2, len.to_be_bytes()) && bytes::put(ip, 6, [0; 2]) && bytes::put(ip, 10, [0; 2]);
    let sum = checksum::finish(checksum::add(0, ip));
    written && bytes::put(ip, 10, sum.to_be_bytes())
}
