//! Packets that are too big for their way (R-115 to R-118; RFC 9300 section 7.1, RFC 791 section 3.2, RFC
//! 8200 section 4.5).

use super::ip::Ip;
use crate::buffer::PacketBuf;
use crate::io::PacketBurst;
use crate::verdict::{DropReason, Notice, Verdict};
use crate::wire::{bytes, checksum, ethernet, ipv4, ipv6, proto};

/// Most pieces that a packet is split into: 64 KiB over 1280 bytes needs 53.
pub const MAX_PIECES: usize = 60;
/// Smallest MTU of an IPv6 link.
const MIN_MTU_V6: u16 = 1280;

/// IPv4 packets of up to so many bytes pass every path that is used: they need no identification.
pub const EVERYWHERE: usize = 576;
/// IPv6 Fragment header, bytes.
const FRAGMENT_HEADER: usize = 8;

/// the source of an IPv6 packet of up to 1280 bytes may not be told to send less (RFC 8200 section
/// 5): where the path carries less, the outer packet is fragmented (RFC 2473 section 7.1).
#[cold]
pub fn fragments_outside(ip: &Ip) -> bool {
    ip.is_v6() && ip.len <= u32::from(MIN_MTU_V6)
}

/// What becomes of a packet of which at most `room` bytes fit.
#[cold]
pub fn too_big(ip: &Ip, room: u16) -> Verdict {
    if !ip.dont_fragment {
        Verdict::Split(room)
    } else if ip.is_v6() && ip.len <= u32::from(MIN_MTU_V6) {
        // On a native link: there is no IPv6 without 1280 bytes, and its source must not be told less.
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

/// Gives the IPv4 packet behind the Ethernet header an identification, and leave to be fragmented.
pub fn let_fragment(frame: &mut [u8], id: u16) {
    let Some(h) = bytes::chunk_mut::<{ ipv4::MIN_LEN }>(frame, ethernet::LEN) else { return };
    let old = [[h[4], h[5]], [h[6], h[7]]].map(u16::from_be_bytes);
    let word = old[1] & !ipv4::DONT_FRAGMENT;
    let field = checksum::update(u16::from_be_bytes([h[10], h[11]]), old[0], id);
    let field = checksum::update(field, old[1], word);
    [h[4], h[5]] = id.to_be_bytes();
    [h[6], h[7]] = word.to_be_bytes();
    [h[10], h[11]] = field.to_be_bytes();
}

/// Splits the IPv6 packet without extension headers behind the Ethernet header into fragments of about
/// equal size, none larger than `room` bytes (RFC 8200 section 4.5), with this identification. The first
/// one stays in `buf`, the others are put into `pieces` in order, each with 14 bytes for an Ethernet
/// header. `false`: not possible, nothing has changed.
pub fn split_v6<P: PacketBurst>(
    buf: &mut P::Buf,
    (room, id): (u16, u32),
    mut alloc: impl FnMut() -> Option<P::Buf>,
    pieces: &mut P,
) -> bool {
    let Some(plan) = PlanV6::new(buf, usize::from(room), id) else { return false };
    for index in 1..plan.count {
        let piece = alloc().and_then(|mut piece| plan.fill(buf.data(), index, &mut piece).then_some(piece));
        if piece.is_none_or(|piece| pieces.push(piece).is_err()) {
            drop(pieces.drain());
            return false;
        }
    }
    let done = plan.cut_first(buf);
    if !done {
        drop(pieces.drain());
    }
    done
}

/// The read-only facts of a split of an IPv6 packet.
struct PlanV6 {
    /// Payload of all pieces but the last, a multiple of 8.
    step: usize,
    payload: usize,
    count: usize,
    next_header: u8,
    id: u32,
}

impl PlanV6 {
    /// Headers of a fragment.
    const HEADERS: usize = ethernet::LEN + ipv6::LEN + FRAGMENT_HEADER;

    fn new<B: PacketBuf>(buf: &B, room: usize, id: u32) -> Option<Self> {
        let data = buf.data();
        let next_header = *data.get(ethernet::LEN + 6)?;
        let payload = data.len().checked_sub(ethernet::LEN + ipv6::LEN)?;
        let step_max = room.checked_sub(ipv6::LEN + FRAGMENT_HEADER)? & !7;
        if buf.segments() != 1 || step_max == 0 {
            return None;
        }
        let count = payload.div_ceil(step_max);
        if !(2..=MAX_PIECES).contains(&count) {
            return None;
        }
        let step = payload.div_ceil(count).next_multiple_of(8);
        Some(Self { step, payload, count: payload.div_ceil(step), next_header, id })
    }

    /// Payload bytes of a piece.
    fn piece(&self, index: usize) -> usize {
        self.step.min(self.payload - index * self.step)
    }

    /// Makes piece `index` (not the first) out of the original frame.
    fn fill<B: PacketBuf>(&self, frame: &[u8], index: usize, out: &mut B) -> bool {
        let len = self.piece(index);
        let from = ethernet::LEN + ipv6::LEN + index * self.step;
        let (Some(payload), Some(header)) =
            (frame.get(from..from + len), frame.get(..ethernet::LEN + ipv6::LEN))
        else {
            return false;
        };
        let Some(room) = out.append(Self::HEADERS + len) else { return false };
        let Some((head, body)) = room.split_at_mut_checked(Self::HEADERS) else { return false };
        if let Some(front) = head.get_mut(..header.len()) {
            front.copy_from_slice(header);
        }
        body.copy_from_slice(payload);
        self.write(head, index)
    }

    /// Cuts the original to the first piece, and makes room for its Fragment header.
    fn cut_first<B: PacketBuf>(&self, buf: &mut B) -> bool {
        let headers = ethernet::LEN + ipv6::LEN;
        if buf.prepend(FRAGMENT_HEADER).is_none() {
            return false;
        }
        buf.data_mut().copy_within(FRAGMENT_HEADER..FRAGMENT_HEADER + headers, 0);
        let cut = buf.truncate(Self::HEADERS + self.piece(0));
        cut && self.write(buf.data_mut(), 0)
    }

    /// Payload length, next header, and the Fragment header of a piece.
    fn write(&self, frame: &mut [u8], index: usize) -> bool {
        let length = (FRAGMENT_HEADER + self.piece(index)) as u16;
        let offset = (index * self.step) as u16 | u16::from(index + 1 < self.count);
        let [o0, o1] = offset.to_be_bytes();
        let [i0, i1, i2, i3] = self.id.to_be_bytes();
        bytes::put(frame, ethernet::LEN + 4, length.to_be_bytes())
            && bytes::put(frame, ethernet::LEN + 6, [proto::FRAGMENT])
            && bytes::put(frame, ethernet::LEN + ipv6::LEN, [self.next_header, 0, o0, o1, i0, i1, i2, i3])
    }
}
