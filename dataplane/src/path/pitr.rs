//! Encapsulation, ITR and PITR alike (R-003 to,
//! R-140; RFC 9300 section 5.3).

use super::ecn;
use super::flow;
use super::gpe;
use super::ip::{self, Ip};
use super::mss;
use super::mtu;
use super::outer::{Parts, marks, with_nonce};
use crate::buffer::PacketBuf;
use crate::feed::{OuterPorts, VrfSpec};
use crate::mapcache::RlocSlot;
use crate::verdict::{DropReason, Verdict};
use crate::wire::{bytes, checksum, ethernet, ipv4, ipv6, lisp, proto, udp};
use std::borrow::Borrow;

/// Bytes that the outer headers add to an IP packet.
#[inline(always)]
pub fn overhead(outer: &RlocSlot) -> usize {
    if outer.is_ipv6() { OVERHEAD_V6 } else { OVERHEAD_V4 }
}

/// Bytes that an IPv4 outer header adds to an IP packet (H of RFC 9300 section 7).
pub const OVERHEAD_V4: usize = RlocSlot::LENGTH_V4 - ethernet::LEN;
/// The same for IPv6.
pub const OVERHEAD_V6: usize = RlocSlot::LENGTH_V6 - ethernet::LEN;

/// Puts the outer headers in front of the IP packet behind the Ethernet header. `forwarded`: take
/// one off the TTL first (all packets but our own). `vrf`: its own. `lisp`: the LISP header without a nonce. Unless it is ready to be sent
/// afterwards, the packet is as it was.
#[inline(always)]
pub fn encapsulate<B: PacketBuf>(
    buf: &mut B,
    ip: &Ip,
    forwarded: bool,
    vrf: &VrfSpec,
    (lisp, outer): ([u8; lisp::LEN], &RlocSlot),
) -> Verdict {
    let overhead = overhead(outer);
    let too_big = match admit(buf, ip, outer, overhead) {
        Ok(too_big) => too_big,
        Err(verdict) => return verdict,
    };
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
    write(buf.data_mut(), &inner, lisp, outer);
    finish(buf, outer, (ip.len as usize + overhead, too_big))
}

/// What comes before headers are written, `added` bytes of them: no third LISP header, room in the MTU, and
/// nothing behind the IP packet. `true`: it fits in fragments of the outer packet only.
///
/// # Errors
/// What becomes of a packet that is not encapsulated.
#[inline(always)]
pub(super) fn admit<B: PacketBuf>(
    buf: &mut B,
    ip: &Ip,
    outer: &RlocSlot,
    added: usize,
) -> Result<bool, Verdict> {
    let room = usize::from(outer.mtu()).saturating_sub(added);
    let too_big = ip.len as usize > room;
    if would_nest(buf.data(), ip) {
        return Err(Verdict::Drop(DropReason::NestedLisp, None));
    }
    if too_big && !mtu::fragments_outside(ip) {
        return Err(mtu::too_big(ip, room as u16));
    }
    // Ethernet pads short packets: what is behind the IP packet must not go into the outer one
    // (wire.md TRAP 6).
    let framed = ethernet::LEN + ip.len as usize;
    if buf.total_len() != framed && !buf.truncate(framed) {
        return Err(Verdict::Drop(DropReason::HeadersSplit, None));
    }
    Ok(too_big)
}

/// Encapsulating it would make a third LISP header.
#[inline(always)]
fn would_nest(frame: &[u8], ip: &Ip) -> bool {
    ip.protocol == proto::UDP && ip.destination_port() == lisp::DATA_PORT && is_nested(frame, ip)
}

/// What is left to do when the headers are written: `len` bytes of outer packet.
#[inline(always)]
pub(super) fn finish<B: PacketBuf>(buf: &mut B, outer: &RlocSlot, (len, too_big): (usize, bool)) -> Verdict {
    if let Some(options) = outer.options() {
        if options.gpe && !options.encrypted {
            gpe::write(buf.data_mut(), outer.is_ipv6());
        }
        if let Some(ports) = options.ports {
            write_ports(buf.data_mut(), ports, outer.is_ipv6());
        }
        if options.udp_checksum {
            write_udp_checksum(buf, outer.is_ipv6());
        }
    }
    let may_fragment = outer.options().is_some_and(|options| options.may_fragment) && !outer.is_ipv6();
    if too_big || (may_fragment && len > mtu::EVERYWHERE) {
        return Verdict::Identify { port: outer.port(), mtu: outer.mtu() };
    }
    Verdict::Encapsulated(outer.port())
}

/// TOS or Traffic Class of the outer header: that of the inner one, unless the VRF has a DSCP
/// or the decapsulator does not know what ECN bits mean.
#[inline(always)]
pub(super) fn outer_tos(inner: u8, vrf: &VrfSpec, outer: &RlocSlot) -> u8 {
    let dscp = vrf.encap_dscp.map_or(inner & !ecn::MASK, |dscp| dscp << 2);
    match outer.options() {
        Some(options) if options.ecn_compatible => dscp | ecn::NOT_ECT,
        _ => dscp | inner & ecn::MASK,
    }
}

/// Puts the ports of a way through a NAT into the outer header: all flows share them, for the NAT
/// knows no others.
#[cold]
fn write_ports(data: &mut [u8], ports: OuterPorts, v6: bool) {
    let at = ethernet::LEN + if v6 { ipv6::LEN } else { ipv4::MIN_LEN };
    let ports = u32::from(ports.source) << 16 | u32::from(ports.destination);
    bytes::put(data, at, ports.to_be_bytes());
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
    /// Whole packet, bytes: with the outer headers no more than 65,535.
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

/// Writes the headers in front of the packet: `data` begins with the room for them. `lisp` is the LISP
/// header without a nonce.
#[inline(always)]
pub(super) fn write(data: &mut [u8], inner: &Inner, lisp: [u8; lisp::LEN], outer: &RlocSlot) {
    if outer.is_ipv6() {
        write_v6(data, inner, lisp, outer);
    } else {
        write_v4(data, inner, lisp, outer);
    }
}

/// Bytes of an inner packet that are looked at: in every IPv4 header, and in every IPv6 one.
const INNER: usize = 12;

impl Inner {
    /// Takes one off the TTL of the packet, unless it is our own. Returns the outer one.
    #[inline(always)]
    fn decrement(&self, packet: &mut [u8; INNER]) -> u8 {
        if self.forwarded {
            ip::decrement_ttl(packet, self.v6);
        }
        self.ttl.wrapping_sub(u8::from(self.forwarded))
    }

    /// Ports, length and zero checksum of the outer UDP header: the source port by flow.
    #[inline(always)]
    fn udp(&self) -> [u8; udp::LEN] {
        let ports = u64::from(flow::source_port(self.hash)) << 16 | u64::from(lisp::DATA_PORT);
        let length = u64::from(self.len) + (udp::LEN + lisp::LEN) as u64;
        (ports << 32 | length << 16).to_be_bytes()
    }
}

/// Puts together the headers of an IPv4 RLOC: what differs by RLOC, what is always the same, and what depends
/// on the packet: lengths, TTL as inner, TOS, the transport header, Instance-ID. `data` begins
/// with the room for them.
#[inline(always)]
pub fn write_v4(data: &mut [u8], inner: &Inner, lisp: [u8; lisp::LEN], outer: &RlocSlot) {
    const LEN: usize = RlocSlot::LENGTH_V4;
    let Some(h) = data.first_chunk_mut::<{ LEN + INNER }>() else { return };
    let Some((h, packet)) = h.split_first_chunk_mut::<LEN>() else { return };
    let Some(packet) = packet.first_chunk_mut() else { return };
    let ttl = inner.decrement(packet);
    Parts::of(inner.hash, marks(inner.tos, inner.len as u16, ttl)).write(h, lisp, outer);
}

/// The same where the parts that depend on the packet are there, and the word of its own header that has the
/// TTL, smaller by one: see [`ip::hop_at`].
#[inline(always)]
pub fn write_parts<const V6: bool, W: Borrow<u32>>(
    data: &mut [u8],
    (parts, hop): (Parts<W>, u32),
    lisp: [u8; lisp::LEN],
    outer: &RlocSlot,
) {
    const LEN: usize = RlocSlot::LENGTH_V4;
    let Some(h) = data.first_chunk_mut::<{ LEN + INNER }>() else { return };
    let Some((h, packet)) = h.split_first_chunk_mut::<LEN>() else { return };
    bytes::put(packet, ip::hop_at(V6), hop.to_le_bytes());
    parts.write(h, lisp, outer);
}

/// The same for an IPv6 RLOC, with the flow label.
#[inline(always)]
pub fn write_v6(data: &mut [u8], inner: &Inner, lisp: [u8; lisp::LEN], outer: &RlocSlot) {
    const LEN: usize = RlocSlot::LENGTH_V6;
    let Some(h) = data.first_chunk_mut::<{ LEN + INNER }>() else { return };
    let Some((h, packet)) = h.split_first_chunk_mut::<LEN>() else { return };
    let Some(packet) = packet.first_chunk_mut() else { return };
    let first = 0x6000_0000 | u32::from(inner.tos) << 20 | flow::flow_label(inner.hash);
    let length = inner.len + (udp::LEN + lisp::LEN) as u32;
    let second = length << 16 | u32::from(proto::UDP) << 8 | u32::from(inner.decrement(packet));
    let (one, two) = outer.addresses_mac();
    let [a, b, c, d] = outer.addresses_v6();
    bytes::set::<0, _, _>(h, one.to_ne_bytes());
    bytes::set::<4, _, _>(h, two.to_ne_bytes());
    bytes::set::<12, _, _>(h, ethernet::IPV6.to_be_bytes());
    bytes::set::<14, _, _>(h, (u64::from(first) << 32 | u64::from(second)).to_be_bytes());
    bytes::set::<22, _, _>(h, a.to_ne_bytes());
    bytes::set::<30, _, _>(h, b.to_ne_bytes());
    bytes::set::<38, _, _>(h, c.to_ne_bytes());
    bytes::set::<46, _, _>(h, d.to_ne_bytes());
    bytes::set::<54, _, _>(h, inner.udp());
    bytes::set::<62, _, _>(h, with_nonce(lisp, outer));
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
            // A later fragment has no ports.
            let first = bytes::be16(frame, inner + 6).is_some_and(|word| word & ipv4::OFFSET_MASK == 0);
            let udp = first && frame.get(inner + 9) == Some(&proto::UDP);
            udp && header >= ipv4::MIN_LEN && data_port(inner + header)
        }
        Some(&[first, ..]) if first >> 4 == 6 => {
            let end = frame.len() - inner;
            let Some(&next) = frame.get(inner + 6) else { return false };
            let upper = ipv6::walk(frame, inner, next, end);
            let udp = upper.protocol == proto::UDP && !upper.later_fragment;
            udp && data_port(inner + usize::from(upper.offset))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::{RlocOptions, RlocRewrite};
    use crate::types::{MacAddr, PortId};

    const LISP: [u8; lisp::LEN] = [0x08, 0, 0, 0, 0, 0, 7, 0];

    /// The headers in front of a packet of 60 bytes with TTL 64 and TOS 0xb8.
    fn headers(source: &str, destination: &str, len: usize) -> Vec<u8> {
        let outer = RlocSlot::default();
        let rewrite = RlocRewrite {
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
            port: PortId(3),
            source_mac: MacAddr([2, 0, 0, 0, 0, 1]),
            next_hop_mac: MacAddr([2, 0, 0, 0, 0, 2]),
            mtu: 1500,
            options: RlocOptions::default(),
            nonce: Some(crate::admission::Nonce::new(0x0012_3456)),
        };
        outer.build(&rewrite).unwrap();
        let mut data = vec![0xEE; len + 60];
        let inner = Inner { len: 60, hash: 0xABCD_E123, tos: 0xb8, ttl: 64, v6: false, forwarded: true };
        write(&mut data, &inner, LISP, &outer);
        assert_eq!(data[..12], [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]);
        assert_eq!(
            data[len - 16..len],
            [0xe1, 0x23, 0x10, 0xf5, 0, 76, 0, 0, 0x88, 0x12, 0x34, 0x56, 0, 0, 7, 0]
        );
        assert_eq!((data[len + 7], data[len + 8], data[len + 12]), (0xEE, 0xED, 0xEE));
        data
    }

    #[test]
    fn ipv4_headers_dissect() {
        let data = headers("192.0.2.1", "203.0.113.9", RlocSlot::LENGTH_V4);
        assert_eq!(data[12..14], [8, 0]);
        let (ip, _) = etherparse::Ipv4Header::from_slice(&data[14..]).unwrap();
        assert_eq!(ip.calc_header_checksum(), ip.header_checksum);
        assert!(ip.dont_fragment && !ip.more_fragments && ip.identification == 0);
        assert_eq!((ip.protocol, ip.total_len, ip.time_to_live), (etherparse::IpNumber::UDP, 96, 63));
        assert_eq!((data[15], ip.source, ip.destination), (0xb8, [192, 0, 2, 1], [203, 0, 113, 9]));
    }

    #[test]
    fn ipv6_headers_dissect() {
        let data = headers("2001:db8::1", "2001:db8:f::2", RlocSlot::LENGTH_V6);
        assert_eq!(data[12..14], [0x86, 0xdd]);
        let (ip, _) = etherparse::Ipv6Header::from_slice(&data[14..]).unwrap();
        assert_eq!((ip.next_header, ip.payload_length, ip.hop_limit), (etherparse::IpNumber::UDP, 76, 63));
        assert_eq!((ip.traffic_class, ip.flow_label.value()), (0xb8, 0xDE123));
        assert_eq!(ip.source_addr().to_string(), "2001:db8::1");
        assert_eq!(ip.destination_addr().to_string(), "2001:db8:f::2");
    }
}
