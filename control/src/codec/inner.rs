//! The IP and UDP headers inside an ECM, with their checksums (RFC 9301 section 5.8).

use super::read::Reader;
use super::write::{Put, length};
use super::{CONTROL_PORT, DATA_PORT, DecodeError, EncodeError};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const PROTOCOL_UDP: u8 = 17;
/// Next header of an IPv6 Fragment header.
const PROTOCOL_FRAGMENT: u8 = 44;
const UDP_LEN: usize = 8;

/// The inner IP and UDP headers of an ECM. Both addresses are of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct InnerHeader {
    /// Inner source: an address of the ITR; of the EID's family.
    pub source: IpAddr,
    /// Inner destination: the EID asked for.
    pub destination: IpAddr,
    /// Inner source port: where the Map-Reply goes (TRAP 17).
    pub source_port: u16,
    /// Inner destination port: 4342.
    pub destination_port: u16,
    /// TTL or Hop Limit, 1..=255.
    pub ttl: u8,
    /// The UDP checksum is there (and right, if received). lispers.net sends none (TRAP 20); over
    /// IPv6 the receiver of such a message decides.
    pub checksum: bool,
}

impl InnerHeader {
    /// To the control port, with checksum.
    #[must_use]
    pub const fn new(source: IpAddr, source_port: u16, destination: IpAddr) -> Self {
        Self { source, destination, source_port, destination_port: CONTROL_PORT, ttl: 64, checksum: true }
    }

    /// Headers and UDP payload of a packet; bytes behind it are ignored. Also for control messages
    /// that come in a LISP data packet (Data-Map-Notify of the NAT drafts).
    ///
    /// # Errors
    /// The packet is no whole UDP datagram, or its checksums or ports are wrong.
    pub fn decode(packet: &[u8]) -> Result<(Self, &[u8]), DecodeError> {
        match packet.first().ok_or(DecodeError::Truncated("inner IP header"))? >> 4 {
            4 => decode_ipv4(packet),
            6 => decode_ipv6(packet),
            other => Err(DecodeError::InnerVersion(other)),
        }
    }

    pub(super) fn encode(&self, payload: &[u8], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let udp_len = length(payload.len() + UDP_LEN, "inner UDP length")?;
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let start = out.len();
                out.put(&[0x45, 0]);
                out.put_u16(length(payload.len() + UDP_LEN + 20, "inner total length")?);
                out.put_u32(0); // identification, flags, fragment offset
                out.put(&[self.ttl, PROTOCOL_UDP, 0, 0]);
                out.put(&source.octets());
                out.put(&destination.octets());
                let header_checksum = checksum(&[out.get(start..).unwrap_or_default()]);
                out.patch_u16(start + 10, header_checksum);
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                out.put_u32(0x6000_0000);
                out.put_u16(udp_len);
                out.put(&[PROTOCOL_UDP, self.ttl]);
                out.put(&source.octets());
                out.put(&destination.octets());
            }
            _ => return Err(EncodeError::MixedFamilies),
        }
        let start = out.len();
        out.put_u16(self.source_port);
        out.put_u16(self.destination_port);
        out.put_u16(udp_len);
        out.put_u16(0);
        out.put(payload);
        if self.checksum {
            let sum = self.udp_checksum(out.get(start..).unwrap_or_default());
            // TRAP 4: 0 would say "no checksum".
            out.patch_u16(start + 6, if sum == 0 { 0xFFFF } else { sum });
        }
        Ok(())
    }

    /// Over the pseudo-header and a UDP datagram; 0 if the datagram's own checksum is right.
    fn udp_checksum(&self, datagram: &[u8]) -> u16 {
        // The length field of the pseudo-header is the datagram's own: checked against it.
        let tail = u32::try_from(datagram.len()).unwrap_or(u32::MAX).to_be_bytes();
        let protocol = [0, PROTOCOL_UDP];
        match (self.source, self.destination) {
            (IpAddr::V4(s), IpAddr::V4(d)) => {
                checksum(&[&s.octets(), &d.octets(), &protocol, &tail, datagram])
            }
            (IpAddr::V6(s), IpAddr::V6(d)) => {
                checksum(&[&s.octets(), &d.octets(), &protocol, &tail, datagram])
            }
            _ => 0,
        }
    }
}

fn decode_ipv4(packet: &[u8]) -> Result<(InnerHeader, &[u8]), DecodeError> {
    let r = &mut Reader::new(packet);
    let [version_ihl, _tos] = r.array("inner IPv4 header")?;
    let total = usize::from(r.u16("inner IPv4 header")?);
    let _identification = r.u16("inner IPv4 header")?;
    let fragment = r.u16("inner IPv4 header")?;
    let [ttl, protocol, _, _] = r.array("inner IPv4 header")?;
    let source = Ipv4Addr::from(r.array::<4>("inner IPv4 header")?);
    let destination = Ipv4Addr::from(r.array::<4>("inner IPv4 header")?);

    let header_len = usize::from(version_ihl & 0x0F) * 4;
    if header_len < 20 {
        return Err(DecodeError::InnerHeader("IHL below 5"));
    }
    let header = packet.get(..header_len).ok_or(DecodeError::Truncated("inner IPv4 options"))?;
    if checksum(&[header]) != 0 {
        return Err(DecodeError::InnerHeader("checksum"));
    }
    let datagram = packet.get(header_len..total).ok_or(DecodeError::InnerHeader("total length"))?;
    // DF and the reserved bit may be set; MF and the offset may not.
    if fragment & 0x3FFF != 0 {
        return Err(DecodeError::InnerFragment);
    }
    if protocol != PROTOCOL_UDP {
        return Err(DecodeError::InnerProtocol(protocol));
    }
    decode_udp(datagram, source.into(), destination.into(), ttl)
}

fn decode_ipv6(packet: &[u8]) -> Result<(InnerHeader, &[u8]), DecodeError> {
    let r = &mut Reader::new(packet);
    let _version_class_label = r.u32("inner IPv6 header")?;
    let len = usize::from(r.u16("inner IPv6 header")?);
    let [protocol, hop_limit] = r.array("inner IPv6 header")?;
    let source = Ipv6Addr::from(r.array::<16>("inner IPv6 header")?);
    let destination = Ipv6Addr::from(r.array::<16>("inner IPv6 header")?);
    let datagram = r.rest().get(..len).ok_or(DecodeError::InnerHeader("payload length"))?;
    match protocol {
        PROTOCOL_UDP => decode_udp(datagram, source.into(), destination.into(), hop_limit),
        PROTOCOL_FRAGMENT => Err(DecodeError::InnerFragment),
        other => Err(DecodeError::InnerProtocol(other)),
    }
}

fn decode_udp(
    bytes: &[u8],
    source: IpAddr,
    destination: IpAddr,
    ttl: u8,
) -> Result<(InnerHeader, &[u8]), DecodeError> {
    let r = &mut Reader::new(bytes);
    let source_port = r.u16("inner UDP header")?;
    let destination_port = r.u16("inner UDP header")?;
    let len = usize::from(r.u16("inner UDP header")?);
    let sent_checksum = r.u16("inner UDP header")?;
    let datagram = bytes.get(..len).ok_or(DecodeError::InnerHeader("UDP length"))?;
    let payload = datagram.get(UDP_LEN..).ok_or(DecodeError::InnerHeader("UDP length"))?;
    // RFC 9301 section 5.8: neither port may be that of data packets.
    if source_port == DATA_PORT || destination_port == DATA_PORT {
        return Err(DecodeError::InnerPorts { source_port, destination_port });
    }
    let checksum = sent_checksum != 0;
    let inner = InnerHeader { source, destination, source_port, destination_port, ttl, checksum };
    if checksum && inner.udp_checksum(datagram) != 0 {
        return Err(DecodeError::InnerChecksum);
    }
    Ok((inner, payload))
}

/// Internet checksum (RFC 1071) of the parts one after the other; all but the last are of even
/// length.
fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum: u64 = 0;
    for part in parts {
        let (pairs, odd) = part.as_chunks::<2>();
        sum += pairs.iter().map(|pair| u64::from(u16::from_be_bytes(*pair))).sum::<u64>();
        sum += odd.first().map_or(0, |byte| u64::from(*byte) << 8);
    }
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    // At most 16 bits by now.
    !(sum as u16)
}
