//! Encrypted packets (RFC 8061 section 8; R-216): LISP header | IV | ciphertext | integrity check value.
//! What is authenticated besides the payload is the LISP header and the IV.
//!
//! RFC 8061 has no protection against replay, and there is none here: a recorded packet is taken again
//! for as long as its key is kept, as a repeated packet on any network is.

use super::ip::{self, Ip};
use super::mss;
use super::pitr::{self, Inner};
use crate::buffer::PacketBuf;
use crate::crypt::{IV_MAX, Sealer, TAG, iv_bytes};
use crate::feed::VrfSpec;
use crate::mapcache::RlocSlot;
use crate::replica::Replica;
use crate::verdict::{DropReason, Verdict};
use crate::wire::{bytes, checksum, ethernet, ipv4, ipv6, lisp, udp};

/// [`pitr::encapsulate`], and the packet is encrypted.
#[inline(never)]
pub fn encapsulate<B: PacketBuf>(
    buf: &mut B,
    ip: &Ip,
    forwarded: bool,
    vrf: &VrfSpec,
    (mut header, outer): ([u8; lisp::LEN], &RlocSlot),
    sealer: &Sealer,
) -> Verdict {
    let suite = sealer.key().suite();
    let (headers, added) = (pitr::overhead(outer), suite.overhead());
    let too_big = match pitr::admit(buf, ip, outer, headers + added) {
        Ok(too_big) => too_big,
        Err(verdict) => return verdict,
    };
    if !buf.linearize() || buf.append(TAG).is_none() {
        return Verdict::Drop(DropReason::CryptRoom, None);
    }
    let front = headers + suite.iv_len();
    if buf.prepend(front).is_none() {
        return Verdict::Drop(DropReason::NoHeadroom, None);
    }
    let data = buf.data_mut();
    if let Some(packet) = data.get_mut(ethernet::LEN + front..) {
        if let Some(largest) = vrf.clamp_mss_to_mtu {
            mss::clamp(packet, ip, largest);
        }
        if forwarded {
            ip::decrement_ttl(packet, ip.is_v6());
        }
    }
    let len = ip.len as usize + added;
    let inner = Inner {
        len: len as u32,
        hash: ip.hash,
        tos: pitr::outer_tos(ip.tos, vrf, outer),
        ttl: ip.ttl - u8::from(forwarded),
        v6: ip.is_v6(),
        forwarded: false,
    };
    header[0] |= sealer.key().id();
    pitr::write(data, &inner, header, outer);
    if !seal(data, ethernet::LEN + headers - lisp::LEN, sealer) {
        return Verdict::Drop(DropReason::CryptRoom, None);
    }
    pitr::finish(buf, outer, (len + headers, too_big))
}

/// Encrypts what is behind the LISP header at `at`, of which the end is room for the check value.
fn seal(frame: &mut [u8], at: usize, sealer: &Sealer) -> bool {
    let (key, iv) = (sealer.key(), sealer.next_iv());
    let iv_len = key.suite().iv_len();
    let Some((associated, text)) =
        frame.get_mut(at..).and_then(|f| f.split_at_mut_checked(lisp::LEN + iv_len))
    else {
        return false;
    };
    let Some(place) = associated.get_mut(lisp::LEN..) else { return false };
    let bytes = iv_bytes(iv);
    place.copy_from_slice(bytes.get(IV_MAX - iv_len..).unwrap_or(&[]));
    let Some((text, tag)) = text.split_last_chunk_mut::<TAG>() else { return false };
    match key.seal(iv, associated, text) {
        Some(sealed) => {
            *tag = sealed;
            true
        }
        None => false,
    }
}

/// Decrypts a LISP packet of `length` UDP bytes from `udp_at` on: it becomes the clear-text LISP packet
/// that it was made of, with the key-id 0 and no UDP checksum. Returns its UDP length. On an error what is
/// left can only be dropped.
#[inline(never)]
pub fn open<B: PacketBuf>(
    buf: &mut B,
    outer: &mut Ip,
    (udp_at, length): (usize, usize),
    key_id: u8,
    tables: &Replica,
) -> Result<usize, DropReason> {
    const HEADERS: usize = udp::LEN + lisp::LEN;
    let from_to = (outer.addrs.source(), outer.addrs.destination());
    let key = tables.open_key(from_to, key_id).ok_or(DropReason::LispEncrypted)?;
    let added = key.suite().overhead();
    if length < HEADERS + added {
        return Err(DropReason::LispAuthentication);
    }
    // What is behind the outer packet goes with the check value.
    if !buf.truncate(udp_at + length) || !buf.linearize() {
        return Err(DropReason::CryptRoom);
    }
    let iv_len = key.suite().iv_len();
    let parts = buf.data_mut().get_mut(udp_at + udp::LEN..udp_at + length);
    let (associated, text) = parts
        .and_then(|packet| packet.split_at_mut_checked(lisp::LEN + iv_len))
        .ok_or(DropReason::CryptRoom)?;
    let iv = associated.get(lisp::LEN..).unwrap_or(&[]);
    if !key.open(iv, associated, text) {
        return Err(DropReason::LispAuthentication);
    }
    let left = length - added;
    let data = buf.data_mut();
    if let Some(flags) = data.get_mut(udp_at + udp::LEN) {
        *flags &= !lisp::MASK_KEY;
    }
    bytes::put(data, udp_at + 4, (left as u16).to_be_bytes());
    bytes::put(data, udp_at + 6, [0, 0]);
    shorten(data, outer, u32::from(outer.transport) + left as u32);
    // The headers move up to the payload, over the IV.
    data.copy_within(..udp_at + HEADERS, iv_len);
    buf.trim_front(iv_len);
    buf.truncate(udp_at + left);
    Ok(left)
}

/// Writes a new length into the IP header behind the Ethernet header.
fn shorten(frame: &mut [u8], ip: &mut Ip, len: u32) {
    ip.len = len;
    if ip.is_v6() {
        let payload = len.saturating_sub(ipv6::LEN as u32) as u16;
        bytes::put(frame, ethernet::LEN + 4, payload.to_be_bytes());
    } else if let Some(h) = bytes::chunk_mut::<{ ipv4::MIN_LEN }>(frame, ethernet::LEN) {
        let old = u16::from_be_bytes([h[2], h[3]]);
        let sum = checksum::update(u16::from_be_bytes([h[10], h[11]]), old, len as u16);
        [h[2], h[3]] = (len as u16).to_be_bytes();
        [h[10], h[11]] = sum.to_be_bytes();
    }
}
