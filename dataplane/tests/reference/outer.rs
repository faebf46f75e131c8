//! On and off with the outer headers (RFC 9300 section 5.3; to
//! etherparse writes the headers.

use super::read::{self, Kind, LISP_DATA, Packet, UDP, be16, kind, set_header_checksum};
use super::world::{World, longest};
use etherparse::{IpDscp, IpEcn, IpNumber, Ipv4Header, Ipv6FlowLabel, Ipv6Header, UdpHeader};
use pxtr_dataplane::admission::UnknownSources;
use pxtr_dataplane::feed::{MapAction, PortSpec, RlocRewrite, VrfSpec};
use pxtr_dataplane::types::VrfId;
use pxtr_dataplane::verdict::{DropReason, Notice};
use std::net::IpAddr;

/// What comes out of a LISP packet.
pub struct Opened {
    pub packet: Packet,
    pub vrf: VrfId,
    pub ecn_strange: bool,
}

/// Why nothing does.
pub enum Refused {
    Drop(DropReason),
    /// The mapping of this inner source is not known yet.
    Wait(VrfId, IpAddr),
}

impl From<DropReason> for Refused {
    fn from(reason: DropReason) -> Self {
        Self::Drop(reason)
    }
}

/// The checks of R-039 in their order.
pub fn decapsulate(world: &World, outer: &Packet, port: &PortSpec) -> Result<Opened, Refused> {
    let asked = &world.admission;
    let listed = world.outer_sources.iter().any(|prefix| prefix.contains(&outer.source));
    if asked.outer_sources && !listed {
        return Err(DropReason::OuterSourceNotAdmitted.into());
    }
    let udp = &outer.bytes[outer.transport..];
    if udp.len() < 8 || be16(udp, 4) < 8 || usize::from(be16(udp, 4)) > udp.len() {
        return Err(DropReason::OuterUdpLength.into());
    }
    let udp = &udp[..usize::from(be16(udp, 4))];
    if world.verify && !udp_checksum_is_right(outer, udp) {
        return Err(DropReason::OuterUdpChecksum.into());
    }
    if udp.len() < 16 {
        return Err(DropReason::LispHeaderShort.into());
    }
    let lisp = &udp[8..16];
    if lisp[0] & 0x03 != 0 {
        return Err(DropReason::LispEncrypted.into());
    }
    // RFC 9305 section 3: where P means something, it takes the place of nonce and versions.
    let mut lisp = <[u8; 8]>::try_from(lisp).unwrap();
    if lisp[0] & 0x04 != 0 && !world.gpe_peers.is_empty() {
        let around = world.gpe_peers.iter().filter(|(prefix, _)| prefix.contains(&outer.source));
        if !around.max_by_key(|(prefix, _)| prefix.prefix_len()).is_some_and(|(_, agreed)| *agreed) {
            return Err(DropReason::GpeNotAgreed.into());
        }
        let version = match lisp[3] {
            1 => 4,
            2 => 6,
            _ => return Err(DropReason::GpeNextProtocol.into()),
        };
        if udp.get(16).is_some_and(|first| first >> 4 != version) {
            return Err(DropReason::InnerVersion.into());
        }
        lisp[0] &= 0x48;
    }
    // with N set it is a nonce, V or not.
    let nonce = u32::from_be_bytes([0, lisp[1], lisp[2], lisp[3]]);
    let agreed = lisp[0] & 0x80 != 0 && asked.nonces.iter().any(|agreed| agreed.get() == nonce);
    if !asked.nonces.is_empty() && !agreed {
        return Err(DropReason::NonceNotAgreed.into());
    }
    // the low eight bits of the second word are status bits.
    let instance = u32::from_be_bytes([0, lisp[4], lisp[5], lisp[6]]);
    let instance = if lisp[0] & 0x08 != 0 { instance } else { 0 };
    let Some(vrf) = world.vrf_of(instance) else { return Err(DropReason::InstanceUnknown.into()) };
    if port.instances.as_ref().is_some_and(|list| !list.contains(&vrf)) {
        return Err(DropReason::InstanceNotAdmitted.into());
    }
    let mut packet = read::read(&udp[16..]).map_err(read::Malformed::inside)?;
    check_addresses(world, &packet)?;
    check_site(world, vrf, packet.source, outer.source)?;
    let (ecn, ecn_strange) = merge_ecn(packet.tos & 3, outer.tos & 3).ok_or(DropReason::EcnInvalid)?;
    //
    let copy_dscp = world.vrf(vrf).is_some_and(|vrf| vrf.decap_copy_dscp);
    let dscp = if copy_dscp { outer.tos } else { packet.tos } & 0xFC;
    packet.mark(packet.ttl.min(outer.ttl), dscp | ecn);
    Ok(Opened { packet, vrf, ecn_strange })
}

///
fn check_addresses(world: &World, packet: &Packet) -> Result<(), DropReason> {
    if kind(packet.source) != Kind::Unicast {
        return Err(DropReason::InnerMartianSource);
    }
    match kind(packet.destination) {
        Kind::Unicast => {}
        Kind::LinkMulticast | Kind::Multicast => return Err(DropReason::InnerMulticast),
        _ => return Err(DropReason::InnerMartianDestination),
    }
    if world.is_local_rloc(packet.source) {
        return Err(DropReason::InnerOwnSource);
    }
    if world.is_local_rloc(packet.destination) {
        return Err(DropReason::InnerOwnDestination);
    }
    Ok(())
}

///
fn check_site(world: &World, vrf: VrfId, source: IpAddr, outer: IpAddr) -> Result<(), Refused> {
    let asked = world.vrf_admission[usize::from(vrf.0)];
    let mut strict = asked.strict;
    if asked.sites {
        let Some((_, (_, _, site))) = longest(&world.sites, vrf, source) else {
            return Err(DropReason::InnerSourceNotSite.into());
        };
        let rules = &world.site_rules[site.0 as usize];
        strict |= rules.strict;
        if rules.outer_sources.iter().any(|prefix| prefix.contains(&outer)) {
            return Ok(());
        }
        if !rules.outer_sources.is_empty() && !strict {
            return Err(DropReason::InnerSourceNotBound.into());
        }
    }
    if !strict {
        return Ok(());
    }
    let Some((_, (_, _, (action, rlocs)))) = longest(&world.mappings, vrf, source) else {
        return Err(DropReason::InnerSourceNotMapped.into());
    };
    match (action, world.admission.unknown) {
        (MapAction::SendMapRequest, UnknownSources::Wait) => Err(Refused::Wait(vrf, source)),
        (MapAction::SendMapRequest, UnknownSources::Drop) => Err(DropReason::InnerSourceUnknown.into()),
        (MapAction::SendMapRequest, UnknownSources::Admit) => Ok(()),
        (MapAction::Encapsulate(_) | MapAction::NoLocator { .. }, _) if rlocs.contains(&outer) => Ok(()),
        _ => Err(DropReason::InnerSourceNotMapped.into()),
    }
}

/// RFC 6040 figure 4: the inner field that comes out, and whether the combination is to be counted.
fn merge_ecn(inner: u8, outer: u8) -> Option<(u8, bool)> {
    const NOT_ECT: u8 = 0b00;
    const ECT_1: u8 = 0b01;
    const ECT_0: u8 = 0b10;
    const CE: u8 = 0b11;
    match (inner, outer) {
        (NOT_ECT, CE) => None,
        (NOT_ECT, ECT_0 | ECT_1) => Some((NOT_ECT, true)),
        (CE, ECT_1) => Some((CE, true)),
        (ECT_1, ECT_0) => Some((ECT_1, true)),
        (ECT_0 | ECT_1, CE) => Some((CE, false)),
        (ECT_0, ECT_1) => Some((ECT_1, false)),
        (same, _) => Some((same, false)),
    }
}

/// Zero is none.
fn udp_checksum_is_right(outer: &Packet, udp: &[u8]) -> bool {
    if be16(udp, 6) == 0 {
        return true;
    }
    let addresses = if outer.v6 { &outer.bytes[8..40] } else { &outer.bytes[12..20] };
    let length = (udp.len() as u16).to_be_bytes();
    ones_sum(&[addresses, &[0, UDP], &length, udp].concat()) == 0xFFFF
}

/// Of any number of bytes: a last odd one is padded with zero.
pub fn ones_sum(bytes: &[u8]) -> u16 {
    let even = bytes.len().next_multiple_of(2);
    let mut padded = bytes.to_vec();
    padded.resize(even, 0);
    read::ones_complement_sum(&padded)
}

/// LISP data that carries LISP data.
pub fn is_nested(packet: &Packet) -> bool {
    let is_lisp = |packet: &Packet| packet.is_udp_to(LISP_DATA);
    // What it carries need not be well formed to be one header too many.
    let inner = || packet.bytes.get(packet.transport + 16..).and_then(loosely);
    is_lisp(packet) && inner().is_some_and(|inner| is_lisp(&inner))
}

/// An IP packet as far as it goes, whatever its lengths and checksum say.
fn loosely(bytes: &[u8]) -> Option<Packet> {
    let mut bytes = bytes.to_vec();
    let length = bytes.len() as u16;
    match bytes.first()? >> 4 {
        4 if bytes.len() >= 20 => {
            let header = usize::from(bytes[0] & 15) * 4;
            if header < 20 || header > bytes.len() {
                return None;
            }
            bytes[2..4].copy_from_slice(&length.to_be_bytes());
            bytes[20..header].fill(0);
            set_header_checksum(&mut bytes);
            read::read_v4(&bytes).ok()
        }
        6 if bytes.len() >= 40 => {
            bytes[4..6].copy_from_slice(&(length - 40).to_be_bytes());
            read::read_v6(&bytes).ok()
        }
        _ => None,
    }
}

/// Outer headers for a packet or its pieces.
pub struct Headers<'a> {
    pub rewrite: &'a RlocRewrite,
    pub vrf: &'a VrfSpec,
    pub hash: u32,
    /// Of the inner packet, after the decrement.
    pub ttl: u8,
    pub tos: u8,
}

impl Headers<'_> {
    /// The whole frame.
    pub fn in_front_of(&self, inner: &[u8]) -> Vec<u8> {
        let Self { rewrite, vrf, .. } = self;
        let [_, a, b, c] = vrf.instance_id.0.to_be_bytes();
        let mut lisp = [if vrf.instance_id.0 == 0 { 0 } else { 0x08 }, 0, 0, 0, a, b, c, 0];
        if let Some(nonce) = rewrite.nonce {
            lisp[0] |= 0x80;
            lisp[1..4].copy_from_slice(&nonce.get().to_be_bytes()[1..]);
        }
        if rewrite.options.gpe {
            lisp[0] = lisp[0] & 0x08 | 0x04;
            lisp[1..4].copy_from_slice(&[0, 0, if inner[0] >> 4 == 6 { 2 } else { 1 }]);
        }
        let payload = [&lisp[..], inner].concat();
        let dscp = vrf.encap_dscp.unwrap_or(self.tos >> 2);
        let ecn = if rewrite.options.ecn_compatible { 0 } else { self.tos & 3 };
        let from = 0xC000 | (self.hash & 0x3FFF) as u16;
        let length = (8 + payload.len()) as u16;
        let plain = UdpHeader { source_port: from, destination_port: LISP_DATA, length, checksum: 0 };
        let checked = rewrite.options.udp_checksum;
        let mut frame = [rewrite.next_hop_mac.0, rewrite.source_mac.0].concat();
        let udp = match (rewrite.source, rewrite.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let (s, d) = (source.octets(), destination.octets());
                let mut ip = Ipv4Header::new(length, self.ttl, IpNumber::UDP, s, d).unwrap();
                (ip.dscp, ip.ecn) = (IpDscp::try_new(dscp).unwrap(), IpEcn::try_new(ecn).unwrap());
                ip.dont_fragment = true;
                ip.header_checksum = ip.calc_header_checksum();
                frame.extend([0x08, 0x00]);
                frame.extend(ip.to_bytes());
                let sum = || UdpHeader::with_ipv4_checksum(from, LISP_DATA, &ip, &payload).unwrap();
                if checked { sum() } else { plain }
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let ip = Ipv6Header {
                    traffic_class: dscp << 2 | ecn,
                    flow_label: Ipv6FlowLabel::try_new(self.hash & 0xF_FFFF).unwrap(),
                    payload_length: length,
                    next_header: IpNumber::UDP,
                    hop_limit: self.ttl,
                    source: source.octets(),
                    destination: destination.octets(),
                };
                frame.extend([0x86, 0xDD]);
                frame.extend(ip.to_bytes());
                let sum = || UdpHeader::with_ipv6_checksum(from, LISP_DATA, &ip, &payload).unwrap();
                if checked { sum() } else { plain }
            }
            _ => unreachable!("one family"),
        };
        [&frame[..], &udp.to_bytes(), &payload].concat()
    }
}

/// cut, or told.
pub fn too_big(packet: &Packet, room: u16) -> Result<Vec<Vec<u8>>, (DropReason, Option<Notice>)> {
    if packet.dont_fragment {
        return Err((DropReason::PacketTooBig, Some(Notice::TooBig(room))));
    }
    cut(packet, usize::from(room)).ok_or((DropReason::NotFragmentable, None))
}

/// Fragments of about equal size (RFC 791 section 3.2).
fn cut(packet: &Packet, room: usize) -> Option<Vec<Vec<u8>>> {
    let header = &packet.bytes[..packet.transport];
    let payload = &packet.bytes[packet.transport..];
    let fewest = payload.len().div_ceil((room - header.len()) / 8 * 8);
    let each = payload.len().div_ceil(fewest).next_multiple_of(8);
    let (flags, offset) = (be16(header, 6) & 0xE000, be16(header, 6) & 0x1FFF);
    let later = [&header[..20], &copied_options(&header[20..])].concat();
    let last = payload.len().div_ceil(each) - 1;
    let pieces = payload.chunks(each).enumerate().map(|(n, part)| {
        let mut piece = [if n == 0 { header } else { &later }, part].concat();
        let header = if n == 0 { header.len() } else { later.len() };
        let offset = usize::from(offset) + n * each / 8;
        let more = if n < last { 0x2000 } else { 0 };
        piece[0] = 0x40 | (header / 4) as u8;
        let length = (piece.len() as u16).to_be_bytes();
        piece[2..4].copy_from_slice(&length);
        piece[6..8].copy_from_slice(&(flags | more | offset as u16).to_be_bytes());
        set_header_checksum(&mut piece);
        (offset <= 0x1FFF).then_some(piece)
    });
    pieces.collect()
}

/// Options of later fragments: those with the copy bit, padded with "end of options".
fn copied_options(options: &[u8]) -> Vec<u8> {
    let mut copied = Vec::new();
    let mut at = 0;
    while at < options.len() && options[at] != 0 {
        let length = if options[at] == 1 { 1 } else { usize::from(options[at + 1]) };
        if options[at] & 0x80 != 0 {
            copied.extend(&options[at..at + length]);
        }
        at += length;
    }
    copied.resize(copied.len().next_multiple_of(4), 0);
    copied
}
