//! Packets that are too big for their way (R-115 to R-117; RFC 9300 section 7.1, RFC 791 section
//! 3.2).

use super::ip::Ip;
use crate::buffer::PacketBuf;
use crate::io::PacketBurst;
use crate::verdict::{DropReason, Notice, Verdict};
use crate::wire::{bytes, checksum, ethernet, ipv4};

/// Most pieces that a packet is split into: 64 KiB over 1280 bytes needs 53.
pub const MAX_PIECES: usize = 60;
/// Smallest MTU of an IPv6 link.
const MIN_MTU_V6: u16 = 1280;

/// What becomes of a packet of which at most `room` bytes fit.
#[cold]
pub fn too_big(ip: &Ip, room: u16) -> Verdict {
    if !ip.dont_fragment {
        Verdict::Split(room)
    } else if ip.is_v6() && ip.len <= u32::from(MIN_MTU_V6) {
        // the source may not be told less than 1280 bytes, so the outer packet would have
        // to be fragmented, and outer fragmentation is not available.
        Verdict::Drop(DropReason::NotFragmentable, None)
    } else {
        Verdict::Drop(DropReason::PacketTooBig, Some(Notice::TooBig(room)))
    }
}

/// Splits the IPv4 packet behind the Ethernet header into pieces of about equal size, none larger
/// than `room` bytes. The first piece stays in `buf`, the others are put into `pieces` in
/// order, each with 14 bytes for an Ethernet header. `false`: not possible, nothing has changed.
///
/// ID is kept, offsets are added to that of the packet, More Fragments is set on all but the last
/// and kept there, options go along by their copy bit, checksums are new (RFC 791 section 3.2).
pub fn split<P: PacketBurst>(
    buf: &mut P::Buf,
    ip: &Ip,
    room: u16,
    mut alloc: impl FnMut() -> Option<P::Buf>,
    pieces: &mut P,
) -> bool {
    let Some(plan) = Plan::new(buf, ip, usize::from(room)) else { return false };
    for index in 1..plan.count {
        let piece = alloc().and_then(|mut piece| plan.fill(buf.data(), index, &mut piece).then_some(piece));
        if piece.is_none_or(|piece| pieces.push(piece).is_err()) {
            drop(pieces.drain());
            return false;
        }
    }
    plan.cut_first(buf)
}

/// The read-only facts of a split.
struct Plan {
    /// Header of the first piece: that of the packet.
    first_header: usize,
    /// Header of the later pieces, with only the options that are copied.
    later: [u8; 60],
    later_header: usize,
    /// Payload of all pieces but the last, a multiple of 8.
    step: usize,
    payload: usize,
    count: usize,
    /// Flags and offset of the packet.
    fragment: u16,
}

impl Plan {
    fn new<B: PacketBuf>(buf: &B, ip: &Ip, room: usize) -> Option<Self> {
        let data = buf.data();
        let header_len = usize::from(ip.transport);
        let header = data.get(ethernet::LEN..ethernet::LEN + header_len)?;
        let whole = data.len() >= ethernet::LEN + ip.len as usize;
        let step_max = room.checked_sub(header_len)? & !7;
        if !whole || step_max == 0 {
            return None;
        }
        let payload = ip.len as usize - header_len;
        let count = payload.div_ceil(step_max);
        if !(2..=MAX_PIECES).contains(&count) {
            return None;
        }
        let step = payload.div_ceil(count).next_multiple_of(8);
        let fragment = bytes::be16(header, 6)?;
        // The last offset must not run over, as it would in a forged fragment.
        let last = usize::from(fragment & ipv4::OFFSET_MASK) + (count - 1) * step / 8;
        if last > usize::from(ipv4::OFFSET_MASK) {
            return None;
        }
        let (later, later_header) = later_header(header)?;
        // Rounding up may have saved a piece.
        let count = payload.div_ceil(step);
        Some(Self { first_header: header_len, later, later_header, step, payload, count, fragment })
    }

    /// Payload bytes of a piece.
    fn piece(&self, index: usize) -> usize {
        self.step.min(self.payload - index * self.step)
    }

    /// Flags and offset of a piece.
    fn word(&self, index: usize) -> u16 {
        let more = if index + 1 < self.count { ipv4::MORE_FRAGMENTS } else { 0 };
        (self.fragment + (index * self.step / 8) as u16) | more
    }

    /// Makes piece `index` (not the first) out of the original frame.
    fn fill<B: PacketBuf>(&self, frame: &[u8], index: usize, out: &mut B) -> bool {
        let (header, len) = (self.later_header, self.piece(index));
        let from = ethernet::LEN + self.first_header + index * self.step;
        let (Some(payload), Some(options)) = (frame.get(from..from + len), self.later.get(..header)) else {
            return false;
        };
        let Some(room) = out.append(ethernet::LEN + header + len) else { return false };
        room.fill(0);
        let parts =
            room.split_at_mut_checked(ethernet::LEN).and_then(|(_, ip)| ip.split_at_mut_checked(header));
        let Some((head, body)) = parts else { return false };
        head.copy_from_slice(options);
        body.copy_from_slice(payload);
        finish_header(head, header + len, self.word(index))
    }

    /// Cuts the original to the first piece.
    fn cut_first<B: PacketBuf>(&self, buf: &mut B) -> bool {
        let total = self.first_header + self.piece(0);
        let cut = buf.truncate(ethernet::LEN + total);
        let header = buf.data_mut().get_mut(ethernet::LEN..ethernet::LEN + self.first_header);
        cut && header.is_some_and(|header| finish_header(header, total, self.word(0)))
    }
}

/// Writes total length, flags and offset, and the checksum.
fn finish_header(header: &mut [u8], total: usize, fragment: u16) -> bool {
    let written = bytes::put(header, 2, (total as u16).to_be_bytes())
        && bytes::put(header, 6, fragment.to_be_bytes())
        && bytes::put(header, 10, [0, 0]);
    let sum = checksum::finish(checksum::add(0, header));
    written && bytes::put(header, 10, sum.to_be_bytes())
}

/// The header of later fragments: the fixed part and those options whose copy bit is set, padded
/// with "end of options" to a multiple of 4.
fn later_header(header: &[u8]) -> Option<([u8; 60], usize)> {
    let mut later = [0u8; 60];
    let (fixed, mut options) = header.split_at_checked(ipv4::MIN_LEN)?;
    later.get_mut(..ipv4::MIN_LEN)?.copy_from_slice(fixed);
    let mut len = ipv4::MIN_LEN;
    while let [kind, rest @ ..] = options {
        let size = match (kind, rest) {
            (0, _) => break,
            (1, _) => 1,
            (_, [size, ..]) => usize::from(*size).max(2),
            (_, []) => return None,
        };
        let option = options.get(..size)?;
        if kind & 0x80 != 0 {
            later.get_mut(len..len + size)?.copy_from_slice(option);
            len += size;
        }
        options = options.get(size..)?;
    }
    len = len.next_multiple_of(4);
    *later.first_mut()? = 0x40 | (len / 4) as u8;
    Some((later, len))
}
