//! Decapsulation, ETR and PETR alike (R-024 to,
//! RFC 9300 sections 5.3 and 8).

use super::address::{self, Kind};
use super::admission::{self, Known};
use super::crypt;
use super::ecn;
use super::flow::FlowKey;
use super::gpe;
use super::ip::{Addrs, Error, Ip};
use crate::admission::UnknownSources;
use crate::buffer::PacketBuf;
use crate::feed::PortSpec;
use crate::replica::Replica;
use crate::types::{InstanceId, VrfId};
use crate::verdict::DropReason;
use crate::wire::{bytes, checksum, ethernet, ipv4, ipv6, lisp, proto, udp};
use std::net::IpAddr;

/// UDP and LISP headers.
const HEADERS: usize = udp::LEN + lisp::LEN;

/// What came out, besides the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inner {
    /// The VRF of its Instance-ID.
    pub vrf: VrfId,
    /// A combination of ECN bits that RFC 6040 wants counted.
    pub ecn_strange: bool,
    /// The mapping of the inner source is to be asked for, on behalf of this outer source.
    pub ask: Option<IpAddr>,
    /// The LISP header that it had.
    pub lisp: lisp::Lisp,
}

/// How strict to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct How {
    /// Verify a non-zero outer UDP checksum that the NIC has not verified.
    pub verify_checksum: bool,
    /// It has been here before and waited since: what it is now was clear text or has been decrypted.
    pub again: bool,
}

/// Why nothing came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is to be dropped.
    Drop(DropReason),
    /// The inner source, in this VRF, is not known to be behind this outer source yet.
    Unknown(VrfId, IpAddr),
    /// It holds a control message for us.
    Control,
}

impl From<DropReason> for Refusal {
    fn from(reason: DropReason) -> Self {
        Self::Drop(reason)
    }
}

/// Strips a LISP packet for one of our RLOCs. Afterwards `buf` holds 14 bytes for an Ethernet
/// header and the inner packet, nothing behind it, and `ip`, that was about the outer packet, is
/// about the inner one. On an error the packet is as it was, or decrypted.
///
/// `port`: where it arrived.
#[inline(always)]
pub fn decapsulate<B: PacketBuf>(
    buf: &mut B,
    ip: &mut Ip,
    tables: &Replica,
    key: &FlowKey,
    (port, how): (&PortSpec, How),
) -> Result<Inner, Refusal> {
    let data = buf.data();
    let (outer_tos, outer_ttl) = (ip.tos, ip.ttl);
    let guarded = tables.is_guarded().then(|| ip.addrs.source());
    if let Some(outer) = guarded {
        admission::outer(outer, tables)?;
    }
    let udp_at = ethernet::LEN + usize::from(ip.transport);
    let header = udp::Udp::parse(data, udp_at).ok_or(DropReason::OuterUdpLength)?;
    let mut length = usize::from(header.length);
    if length < udp::LEN || length > ip.len as usize - usize::from(ip.transport) {
        return Err(DropReason::OuterUdpLength.into());
    }
    if header.checksum != 0 && how.verify_checksum && !buf.l4_checksum_known_good() {
        verify(data, ip, udp_at, length)?;
    }
    if length < HEADERS {
        return Err(DropReason::LispHeaderShort.into());
    }
    let mut lisp = lisp::Lisp::parse(data, udp_at + udp::LEN).ok_or(DropReason::HeadersSplit)?;
    if lisp.key != 0 {
        length = crypt::open(buf, ip, (udp_at, length), lisp.key, tables)?;
    } else if let (Some(outer), false) = (guarded, how.again) {
        admission::clear_text(outer, tables)?;
    }
    if lisp.is_gpe() {
        let payload = buf.data().get(udp_at + HEADERS..udp_at + length).unwrap_or(&[]);
        lisp = gpe::read(lisp, ip.addrs.source(), payload, tables)?;
    }
    if guarded.is_some() {
        admission::header(lisp, tables)?;
    }
    let Some(vrf) = tables.vrf_by_iid(lisp.instance) else { return Err(no_vrf(port, lisp.instance)) };
    let spec = tables.vrf(vrf).ok_or(DropReason::InstanceUnknown)?;
    if !port.admits(vrf) {
        return Err(DropReason::InstanceNotAdmitted.into());
    }
    let inner_at = udp_at + HEADERS;
    // Nothing is read that lies behind the UDP datagram.
    let data = buf.data();
    let data = data.get(..udp_at + length).unwrap_or(data);
    ip.read(data, inner_at, length - HEADERS, key).map_err(inner_error)?;
    check_addresses(ip, tables)?;
    let mut ask = None;
    if let Some(outer) = guarded
        && admission::inner(vrf, ip.addrs.source(), outer, tables)? == Known::NotYet
    {
        if tables.guard().unknown() != UnknownSources::Admit {
            return Err(Refusal::Unknown(vrf, outer));
        }
        ask = Some(outer);
    }
    let (tos, ecn_strange) = merge_tos(ip.tos, outer_tos, spec.decap_copy_dscp)?;
    let ttl = ip.ttl.min(outer_ttl);
    if (tos, ttl) != (ip.tos, ip.ttl) {
        rewrite(buf.data_mut(), inner_at, ip.is_v6(), tos, ttl);
        (ip.tos, ip.ttl) = (tos, ttl);
    }
    buf.trim_front(inner_at - ethernet::LEN);
    buf.truncate(ethernet::LEN + ip.len as usize);
    Ok(Inner { vrf, ecn_strange, ask, lisp })
}

/// No VRF has this Instance-ID. No VRF can have that of control messages for routers behind NATs, which
/// come through the way that the NAT keeps open for data (draft-ermagan-lisp-nat-traversal-19 section 5.4).
#[cold]
fn no_vrf(port: &PortSpec, instance: InstanceId) -> Refusal {
    match port.policy.control_in_data && instance == lisp::CONTROL_INSTANCE {
        true => Refusal::Control,
        false => DropReason::InstanceUnknown.into(),
    }
}

/// The name of what is wrong with the inner packet.
#[cold]
fn inner_error(error: Error) -> DropReason {
    match error {
        Error::V4(ipv4::Error::Version) | Error::V6(ipv6::Error::Version) => DropReason::InnerVersion,
        Error::V4(ipv4::Error::TotalLength) | Error::V6(ipv6::Error::PayloadLength) => {
            DropReason::InnerLength
        }
        Error::V4(ipv4::Error::Checksum) => DropReason::InnerChecksum,
        Error::Options(ipv4::Options::SourceRoute) => DropReason::Ipv4SourceRoute,
        Error::V4(_) | Error::V6(_) | Error::Options(_) => DropReason::InnerHeader,
    }
}

/// nothing comes out that could not have come in natively. Our other addresses are
/// refused as destinations by the FIB lookup that follows.
#[inline(always)]
fn check_addresses(ip: &Ip, tables: &Replica) -> Result<(), DropReason> {
    let (source, destination) = match ip.addrs {
        Addrs::V4 { source, destination } => (address::kind_v4(source.0), address::kind_v4(destination.0)),
        Addrs::V6 { source, destination } => (address::kind_v6(source), address::kind_v6(destination)),
    };
    if source != Kind::Unicast {
        return Err(DropReason::InnerMartianSource);
    }
    if destination != Kind::Unicast {
        return Err(match destination {
            Kind::LinkMulticast | Kind::Multicast => DropReason::InnerMulticast,
            _ => DropReason::InnerMartianDestination,
        });
    }
    if tables.is_local_rloc(ip.addrs.source()) {
        return Err(DropReason::InnerOwnSource);
    }
    if tables.is_local_rloc(ip.addrs.destination()) {
        return Err(DropReason::InnerOwnDestination);
    }
    Ok(())
}

/// DSCP by the VRF's choice, ECN by RFC 6040.
#[inline(always)]
pub fn merge_tos(inner: u8, outer: u8, copy_dscp: bool) -> Result<(u8, bool), DropReason> {
    let ecn = ecn::decapsulate(inner, outer);
    if ecn.drop {
        return Err(DropReason::EcnInvalid);
    }
    let dscp = if copy_dscp { outer } else { inner } & !ecn::MASK;
    Ok((dscp | ecn.codepoint, ecn.strange))
}

/// Writes TOS and TTL of the inner packet, and mends the IPv4 checksum.
#[inline(always)]
pub fn rewrite(data: &mut [u8], at: usize, v6: bool, tos: u8, ttl: u8) {
    if v6 {
        if let Some(h) = bytes::chunk_mut::<8>(data, at) {
            h[0] = 0x60 | tos >> 4;
            h[1] = tos << 4 | (h[1] & 0x0F);
            h[7] = ttl;
        }
    } else if let Some(h) = bytes::chunk_mut::<12>(data, at) {
        let (old_tos, old_ttl) = (u16::from_be_bytes([h[0], h[1]]), u16::from_be_bytes([h[8], h[9]]));
        (h[1], h[8]) = (tos, ttl);
        let field = u16::from_be_bytes([h[10], h[11]]);
        let field = checksum::update(field, old_tos, u16::from_be_bytes([h[0], h[1]]));
        let field = checksum::update(field, old_ttl, u16::from_be_bytes([h[8], h[9]]));
        [h[10], h[11]] = field.to_be_bytes();
    }
}

/// Verifies the outer UDP checksum. Only for packets in one piece: of a chain the NIC's word is
/// all there is, and the checksum may be left alone (RFC 9300 section 5.3).
#[cold]
fn verify(data: &[u8], outer: &Ip, udp_at: usize, length: usize) -> Result<(), DropReason> {
    let Some(segment) = data.get(udp_at..udp_at + length) else { return Ok(()) };
    let pseudo = match outer.addrs {
        Addrs::V4 { source, destination } => {
            checksum::pseudo_v4(source.into(), destination.into(), proto::UDP, length)
        }
        Addrs::V6 { source, destination } => {
            checksum::pseudo_v6(source.into(), destination.into(), proto::UDP, length)
        }
    };
    match checksum::fold(checksum::add(pseudo, segment)) {
        0xFFFF => Ok(()),
        _ => Err(DropReason::OuterUdpChecksum),
    }
}
