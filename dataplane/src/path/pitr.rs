//! Encapsulation, ITR and PITR alike (R-003 to,
//! R-140; RFC 9300 section 5.3).

use super::ecn;
use super::flow;
use super::ip::{self, Ip};
use super::mss;
use super::mtu;
use crate::buffer::PacketBuf;
use crate::feed::VrfSpec;
use crate::mapcache::OuterTemplate;
use crate::verdict::{DropReason, Verdict};
use crate::wire::{bytes, checksum, ethernet, ipv4, ipv6, lisp, proto, udp};

/// Bytes that the outer headers add to an IP packet.
#[inline(always)]
pub fn overhead(outer: &OuterTemplate) -> usize {
    if outer.is_ipv6() { OVERHEAD_V6 } else { OVERHEAD_V4 }
}

/// Bytes that an IPv4 outer header adds to an IP packet (H of RFC 9300 section 7).
const OVERHEAD_V4: usize = OuterTemplate::LENGTH_V4 - ethernet::LEN;
/// The same for IPv6.
const OVERHEAD_V6: usize = OuterTemplate::LENGTH_V6 - ethernet::LEN;

/// Puts the outer headers in front of the IP packet behind the Ethernet header. `forwarded`: take
/// one off the TTL first (all packets but our own). `vrf`: its own. Unless it is ready to be sent
/// afterwards, the packet is as it was.
#[inline(always)]
pub fn encapsulate<B: PacketBuf>(
    buf: &mut B,
    ip: &Ip,
    forwarded: bool,
    vrf: &VrfSpec,
    outer: &OuterTemplate,
) -> Verdict {
    let overhead = overhead(outer);
    let room = usize::from(outer.mtu()).saturating_sub(overhead);
    let too_big = ip.len as usize > room;
    if too_big && !mtu::fragments_outside(ip) {
        return mtu::too_big(ip, room as u16);
    }
    if ip.protocol == proto::UDP && ip.destination_port() == lisp::DATA_PORT && is_nested(buf.data(), ip) {
        return Verdict::Drop(DropReason::NestedLisp, None);
    }
    // Ethernet pads short packets: what is behind the IP packet must not go into the outer one
    // (wire.md TRAP 6).
    let framed = ethernet::LEN + ip.len as usize;
    if buf.total_len() != framed && !buf.truncate(framed) {
        return Verdict::Drop(DropReason::HeadersSplit, None);
    }
    if buf.prepend(overhead).is_none() {
        return Verdict::Drop(DropReason::NoHeadroom, None);
    }
    if let Some(largest) = vrf.clamp_mss_to_mtu
        && let Some(packet) = buf.data_mut().get_mut(ethernet::LEN + overhead..)
    {
        mss::clamp(packet, ip, largest);
    }
    let tos = outer_tos(ip.tos, vrf, outer);
    let inner = Inner { len: ip.len, hash: ip.hash, tos, ttl: ip.ttl, v6: ip.is_v6(), forwarded };
    write(buf.data_mut(), &inner, lisp::Lisp::header(vrf.instance_id), outer);
    if outer.options().is_some_and(|options| options.udp_checksum) {
        write_udp_checksum(buf, outer.is_ipv6());
    }
    let len = ip.len as usize + overhead;
    let may_fragment = outer.options().is_some_and(|options| options.may_fragment) && !outer.is_ipv6();
    if too_big || (may_fragment && len > mtu::EVERYWHERE) {
        return Verdict::Identify { port: outer.port(), mtu: outer.mtu() };
    }
    Verdict::Encapsulated(outer.port())
}

/// TOS or Traffic Class of the outer header: that of the inner one, unless the VRF has a DSCP
/// or the decapsulator does not know what ECN bits mean.
#[inline(always)]
fn outer_tos(inner: u8, vrf: &VrfSpec, outer: &OuterTemplate) -> u8 {
    let dscp = vrf.encap_dscp.map_or(inner & !ecn::MASK, |dscp| dscp << 2);
    match outer.options() {
        Some(options) if options.ecn_compatible => dscp | ecn::NOT_ECT,
        _ => dscp | inner & ecn::MASK,
    }
}

/// Computes the UDP checksum behind an outer header without options (R-134; RFC 768, RFC 8200 section
/// 8.1). Whole: that of the inner packet is no help, its own may be wrong or absent.
#[cold]
fn write_udp_checksum<B: PacketBuf>(buf: &mut B, v6: bool) {
    // The pseudo header is the addresses, the protocol and the UDP length.
    let (addresses, at) = if v6 { (8, ipv6::LEN) } else { (12, ipv4::MIN_LEN) };
    let at = ethernet::LEN + at;
    let length = buf.total_len().saturating_sub(at);
    let Some(addresses) = buf.data().get(ethernet::LEN + addresses..at) else { return };
    let pseudo = checksum::add(u64::from(proto::UDP) + length as u64, addresses);
    let Some(sum) = buf.sum_from(at) else { return };
    bytes::put(buf.data_mut(), at + 6, checksum::finish_udp(pseudo + sum).to_be_bytes());
}

/// What the outer headers take from the packet.
#[derive(Clone, Copy, Debug)]
pub struct Inner {
    /// Whole packet, bytes.
    pub len: u32,
    /// Flow hash.
    pub hash: u32,
    /// TOS or Traffic Class of the outer header.
    pub tos: u8,
    /// TTL or Hop Limit as it came.
    pub ttl: u8,
    /// IPv6.
    pub v6: bool,
    /// Its TTL is to be reduced by one: all packets but our own.
    pub forwarded: bool,
}

impl Inner {
    /// No packet.
    pub const BLANK: Self = Self { len: 0, hash: 0, tos: 0, ttl: 0, v6: false, forwarded: true };
}

/// Writes the headers in front of the packet: `data` begins with the room for them. `lisp` is the LISP
/// header without a nonce.
#[inline(always)]
pub fn write(data: &mut [u8], inner: &Inner, lisp: [u8; lisp::LEN], outer: &OuterTemplate) {
    if inner.forwarded
        && let Some(packet) = data.get_mut(overhead(outer)..)
    {
        ip::decrement_ttl(packet, inner.v6);
    }
    let ttl = inner.ttl.wrapping_sub(u8::from(inner.forwarded));
    write_outer(data, inner, ttl, lisp, outer);
}

/// Copies the RLOC's headers and fills in what depends on the packet: lengths, TTL as inner,
/// TOS, source port and flow label by flow, Instance-ID.
#[inline(always)]
fn write_outer(data: &mut [u8], ip: &Inner, ttl: u8, lisp: [u8; lisp::LEN], outer: &OuterTemplate) {
    if let Some(template) = outer.ipv4() {
        let Some(h) = data.first_chunk_mut::<{ OuterTemplate::LENGTH_V4 }>() else { return };
        *h = *template;
        let total = (ip.len as usize + OVERHEAD_V4) as u16;
        let sum = u64::from(outer.checksum_partial())
            + u64::from(total)
            + u64::from(ip.tos)
            + (u64::from(ttl) << 8);
        h[15] = ip.tos;
        [h[16], h[17]] = total.to_be_bytes();
        h[22] = ttl;
        [h[24], h[25]] = checksum::finish(sum).to_be_bytes();
        if let Some(tail) = h.last_chunk_mut() {
            write_udp_lisp(tail, ip, lisp);
        }
    } else if let Some(template) = outer.ipv6() {
        let Some(h) = data.first_chunk_mut::<{ OuterTemplate::LENGTH_V6 }>() else { return };
        *h = *template;
        let first = 0x6000_0000 | u32::from(ip.tos) << 20 | flow::flow_label(ip.hash);
        [h[14], h[15], h[16], h[17]] = first.to_be_bytes();
        [h[18], h[19]] = ((ip.len as usize + udp::LEN + lisp::LEN) as u16).to_be_bytes();
        h[21] = ttl;
        if let Some(tail) = h.last_chunk_mut() {
            write_udp_lisp(tail, ip, lisp);
        }
    }
}

/// Source port, length, and what the LISP header has besides a nonce; destination port and zero checksum are
/// in the template.
#[inline(always)]
fn write_udp_lisp(h: &mut [u8; udp::LEN + lisp::LEN], ip: &Inner, lisp: [u8; lisp::LEN]) {
    [h[0], h[1]] = flow::source_port(ip.hash).to_be_bytes();
    [h[4], h[5]] = ((ip.len as usize + udp::LEN + lisp::LEN) as u16).to_be_bytes();
    if let Some(tail) = h.last_chunk_mut() {
        // The template may have a nonce there.
        *tail = (u64::from_ne_bytes(*tail) | u64::from_ne_bytes(lisp)).to_ne_bytes();
    }
}

/// Whether a LISP data packet carries another one: a third header is one too many (R-007, RFC 9300
/// section 4). `frame` begins at the Ethernet header.
#[cold]
fn is_nested(frame: &[u8], ip: &Ip) -> bool {
    let inner = ethernet::LEN + usize::from(ip.transport) + udp::LEN + lisp::LEN;
    let data_port = |at: usize| bytes::be16(frame, at + 2) == Some(lisp::DATA_PORT);
    match frame.get(inner..) {
        Some(&[first, ..]) if first >> 4 == 4 => {
            let header = usize::from(first & 0x0F) * 4;
            let udp = frame.get(inner + 9) == Some(&proto::UDP);
            udp && header >= ipv4::MIN_LEN && data_port(inner + header)
        }
        Some(&[first, ..]) if first >> 4 == 6 => {
            let end = frame.len() - inner;
            let Some(&next) = frame.get(inner + 6) else { return false };
            let upper = ipv6::walk(frame, inner, next, end);
            upper.protocol == proto::UDP && data_port(inner + usize::from(upper.offset))
        }
        _ => false,
    }
}
