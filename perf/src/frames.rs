//! Test packets: who speaks to whom, and the bytes of it.

use pxtr_dataplane::types::{InstanceId, MacAddr};
use pxtr_dataplane::wire::{checksum, ethernet, lisp};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Ethernet address of all ports.
pub const OUR_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
/// Instance-ID of the only VRF.
pub const INSTANCE: InstanceId = InstanceId(7);
/// Mappings that can be told apart.
pub const MAX_MAPPINGS: u32 = 1 << 22;

/// Prefix of mapping `n`: a /24 from 1.0.0.0 to 64.255.255.0, or a /48 below 2001::/16, scattered.
pub fn prefix(n: u32, v6: bool) -> ipnet::IpNet {
    let length = if v6 { 48 } else { 24 };
    ipnet::IpNet::new(eid(n, v6), length).map_or_else(|_| unreachable!("fixed lengths"), |net| net.trunc())
}

/// A host in mapping `n`.
pub fn eid(n: u32, v6: bool) -> IpAddr {
    // Odd multipliers permute the numbers below a power of two.
    if v6 {
        let place = n.wrapping_mul(2_654_435_761);
        Ipv6Addr::from_bits((0x2001_u128 << 32 | u128::from(place)) << 80 | 7).into()
    } else {
        let place = n.wrapping_mul(2_654_435_761) & (MAX_MAPPINGS - 1);
        Ipv4Addr::from_bits(0x0100_0007 + (place << 8)).into()
    }
}

/// An EID that no mapping covers, inside the EID space of the bench `flood`: 96.0.0.0/4 and 3000::/8.
pub fn unresolved(n: u32, v6: bool) -> IpAddr {
    let place = n.wrapping_mul(2_654_435_761);
    if v6 {
        Ipv6Addr::from_bits(0x30 << 120 | u128::from(place) << 72 | 7).into()
    } else {
        Ipv4Addr::from_bits(0x6000_0000 | place & 0x0FFF_FFFF).into()
    }
}

/// Our own RLOC.
pub fn our_rloc(v6: bool) -> IpAddr {
    if v6 { Ipv6Addr::new(0x2001, 0xdb8, 0xc0, 0, 0, 0, 0, 2).into() } else { [198, 51, 100, 2].into() }
}

/// RLOC `n` of the sites.
pub fn rloc(n: u32, v6: bool) -> IpAddr {
    if v6 {
        Ipv6Addr::from_bits(0x2001_0db8_000f_u128 << 80 | u128::from(n)).into()
    } else {
        Ipv4Addr::from_bits(0xCB00_0000 + n).into()
    }
}

/// A host outside of all mappings: 172.16.0.0/12 or 2001:db8:1::/48.
pub fn outsider(n: u32, v6: bool) -> IpAddr {
    if v6 {
        Ipv6Addr::from_bits(0x2001_0db8_0001_u128 << 80 | u128::from(n)).into()
    } else {
        Ipv4Addr::from_bits(0xAC10_0000 + n).into()
    }
}

/// A UDP packet of IPv4 or IPv6.
pub fn ip(source: IpAddr, destination: IpAddr, ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() + 8) as u16;
    let mut packet = match (source, destination) {
        (IpAddr::V4(s), IpAddr::V4(d)) => {
            let mut h = vec![0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 17, 0, 0];
            h[2..4].copy_from_slice(&(length + 20).to_be_bytes());
            h.extend(s.octets());
            h.extend(d.octets());
            let sum = checksum::finish(checksum::add(0, &h));
            h[10..12].copy_from_slice(&sum.to_be_bytes());
            h
        }
        (IpAddr::V6(s), IpAddr::V6(d)) => {
            let mut h = vec![0x60, 0, 0, 0, 0, 0, 17, 64];
            h[4..6].copy_from_slice(&length.to_be_bytes());
            h.extend(s.octets());
            h.extend(d.octets());
            h
        }
        _ => unreachable!("one family"),
    };
    for word in [ports.0, ports.1, length, 0] {
        packet.extend(word.to_be_bytes());
    }
    packet.extend(payload);
    packet
}

/// The packet in a frame for us.
pub fn framed(packet: &[u8]) -> Vec<u8> {
    let ethertype = if packet[0] >> 4 == 4 { ethernet::IPV4 } else { ethernet::IPV6 };
    [&OUR_MAC.0[..], &[6; 6], &ethertype.to_be_bytes(), packet].concat()
}

/// The packet as LISP data from RLOC `n` to ours.
pub fn encapsulated(inner: &[u8], n: u32, outer_v6: bool) -> Vec<u8> {
    encapsulated_for(our_rloc(outer_v6), INSTANCE, inner, n)
}

/// The packet as LISP data from RLOC `n` to one of its family.
pub fn encapsulated_for(to: IpAddr, instance: InstanceId, inner: &[u8], n: u32) -> Vec<u8> {
    let payload = [&lisp::Lisp::header(instance)[..], inner].concat();
    let ports = (49_152 + (n % 16_384) as u16, lisp::DATA_PORT);
    ip(rloc(n, to.is_ipv6()), to, ports, &payload)
}

/// Gives a frame that holds nothing but the IP packet another destination.
pub fn readdress(frame: &mut [u8], destination: IpAddr) {
    let at = ethernet::LEN;
    match destination {
        IpAddr::V4(d) => {
            let sum = {
                let h = &mut frame[at..at + 20];
                h[16..20].copy_from_slice(&d.octets());
                h[10..12].fill(0);
                checksum::finish(checksum::add(0, h))
            };
            frame[at + 10..at + 12].copy_from_slice(&sum.to_be_bytes());
        }
        IpAddr::V6(d) => frame[at + 24..at + 40].copy_from_slice(&d.octets()),
    }
}
