//! Which worker a frame is for, where the workers share packets out themselves instead of a NIC: RPS, as Linux
//! calls it, or worker hand-off, as VPP does.
//!
//! By the flow of the packet that comes out in the end: of LISP data by the inner one, since all packets of a
//! router may come from one UDP port. Both directions of a flow have one worker, and all fragments of a packet,
//! which have no ports. The hash is keyed: nobody outside can aim at one worker.

use super::flow::FlowKey;
use super::ip::{Addrs, Ip};
use crate::wire::vlan::Tagging;
use crate::wire::{bytes, ethernet, ipv4, lisp, proto, udp, vlan};

/// Headers between an outer IP header and the inner packet.
const BETWEEN: usize = udp::LEN + lisp::LEN;
/// Where an untagged frame has its EtherType.
const ETHERTYPE: usize = 12;

/// Which of `workers` a frame is for; `total` is its length with that of further segments. `None`: whoever received
/// it, as it is no IP packet, or a malformed one.
///
/// LISP data is taken for such wherever it goes: whether it is for us, tables would have to tell. Encrypted data
/// has no inner flow to be seen, and goes by its outer one.
#[inline]
pub fn worker(frame: &[u8], total: usize, key: &FlowKey, workers: usize) -> Option<usize> {
    let hash = flow(frame, total, key)?;
    // Scaled, not modulo: all of the hash counts, and no division.
    Some(((u64::from(hash) * workers as u64) >> 32) as usize)
}

#[inline(always)]
fn flow(frame: &[u8], total: usize, key: &FlowKey) -> Option<u32> {
    match plain(frame, key) {
        None => any(frame, total, key),
        known => known,
    }
}

/// An IPv4 packet without options that has ports, and is no fragment.
#[derive(Clone, Copy)]
struct Plain {
    source: u32,
    destination: u32,
    protocol: u8,
    ports: u32,
}

impl Plain {
    /// Whether its lengths are right is asked where it is dealt with.
    #[inline(always)]
    fn read(frame: &[u8], at: usize) -> Option<Self> {
        /// Version 4, five words of header.
        const FIRST: u8 = 0x45;
        let header: &[u8; ipv4::MIN_LEN] = bytes::chunk(frame, at)?;
        let [first, _, len_a, len_b, _, _, flags, offset, _, protocol, ..] = *header;
        let whole = (flags & 0x3F) | offset == 0;
        let long = u16::from_be_bytes([len_a, len_b]) >= ipv4::MIN_LEN as u16 + 4;
        if first != FIRST || !whole || !long || !matches!(protocol, proto::TCP | proto::UDP) {
            return None;
        }
        let [.., a, b, c, d, e, f, g, h] = *header;
        let (source, destination) = (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]));
        Some(Self { source, destination, protocol, ports: bytes::be32(frame, at + ipv4::MIN_LEN)? })
    }
}

/// The same as [`any`] for what most packets are, with and without LISP headers, in fewer instructions.
#[inline(always)]
fn plain(frame: &[u8], key: &FlowKey) -> Option<u32> {
    const INNER: usize = ethernet::LEN + ipv4::MIN_LEN + BETWEEN;
    if bytes::be16(frame, ETHERTYPE)? != ethernet::IPV4 {
        return None;
    }
    let mut packet = Plain::read(frame, ethernet::LEN)?;
    if packet.protocol == proto::UDP && packet.ports as u16 == lisp::DATA_PORT {
        if lisp::Lisp::parse(frame, INNER - lisp::LEN)?.key != 0 {
            return None;
        }
        packet = Plain::read(frame, INNER)?;
    }
    let Plain { source, destination, protocol, ports } = packet;
    let turned = (source, ports >> 16) > (destination, ports & 0xFFFF);
    let (source, destination) = if turned { (destination, source) } else { (source, destination) };
    let ports = if turned { ports.rotate_left(16) } else { ports };
    Some(key.flow_v4(source, destination, u32::from(protocol), ports))
}

fn any(frame: &[u8], total: usize, key: &FlowKey) -> Option<u32> {
    let mut at = ethernet::LEN;
    let mut ethertype = bytes::be16(frame, ETHERTYPE)?;
    if matches!(ethertype, ethernet::VLAN | ethernet::SERVICE_VLAN) {
        (at, ethertype) = behind_tags(frame)?;
    }
    let version = match ethertype {
        ethernet::IPV4 => 4,
        ethernet::IPV6 => 6,
        _ => return None,
    };
    let outer = read(frame, version, (at, total.checked_sub(at)?), key)?;
    let inner = if outer.protocol == proto::UDP && outer.destination_port() == lisp::DATA_PORT {
        inner(frame, &outer, at + usize::from(outer.transport), key)
    } else {
        None
    };
    Some(both_ways(&inner.unwrap_or(outer), key))
}

/// Where the IP header of a tagged frame is, and its EtherType.
#[cold]
fn behind_tags(frame: &[u8]) -> Option<(usize, u16)> {
    let (Tagging::None(count) | Tagging::Tagged { count, .. }) = vlan::read(frame) else { return None };
    let tags = count * vlan::LEN;
    Some((ethernet::LEN + tags, bytes::be16(frame, ETHERTYPE + tags)?))
}

/// The packet inside of LISP data in clear text; `udp_at`: where its UDP header is.
#[inline(always)]
fn inner(frame: &[u8], outer: &Ip, udp_at: usize, key: &FlowKey) -> Option<Ip> {
    let headers = usize::from(outer.transport) + BETWEEN;
    let available = (outer.len as usize).checked_sub(headers)?;
    let clear = !outer.fragment && lisp::Lisp::parse(frame, udp_at + udp::LEN)?.key == 0;
    let at = udp_at + BETWEEN;
    let version = *frame.get(at)? >> 4;
    if clear { read(frame, version, (at, available), key) } else { None }
}

/// Whether its checksum is right is asked where it is dropped.
#[inline(always)]
fn read(frame: &[u8], version: u8, (at, available): (usize, usize), key: &FlowKey) -> Option<Ip> {
    let mut ip = Ip::blank();
    let done = match version {
        4 => ip.read_v4(frame, at, available, true, key),
        6 => ip.read_v6(frame, at, available, key),
        _ => return None,
    };
    done.ok().map(|()| ip)
}

/// The hash of a flow, the same for both its directions. What an operator tells flows apart by besides ports
/// (GRE key, ESP SPI) is another one each way; so is the hash.
#[inline(always)]
fn both_ways(ip: &Ip, key: &FlowKey) -> u32 {
    if key.looks_into(ip.protocol) {
        return ip.hash;
    }
    let ports = if ip.fragment { 0 } else { ip.ports };
    let (from, to) = (ports >> 16, ports & 0xFFFF);
    let protocol = u32::from(ip.protocol);
    match ip.addrs {
        Addrs::V4 { source, destination } if (source, from) > (destination, to) => {
            key.flow_v4(destination.0, source.0, protocol, ports.rotate_left(16))
        }
        Addrs::V4 { source, destination } => key.flow_v4(source.0, destination.0, protocol, ports),
        Addrs::V6 { source, destination } if (source, from) > (destination, to) => {
            key.flow_v6(destination, source, protocol, ports.rotate_left(16))
        }
        Addrs::V6 { source, destination } => key.flow_v6(source, destination, protocol, ports),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use etherparse::PacketBuilder;

    const KEY: FlowKey = FlowKey::new([1, 2, 3, 4]);

    fn udp4(source: [u8; 4], destination: [u8; 4], ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        let packet = PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4(source, destination, 64);
        packet.udp(ports.0, ports.1).write(&mut frame, payload).expect("write");
        frame
    }

    fn tcp6(n: u16, there: bool) -> Vec<u8> {
        let (mut near, mut far) = ([0x20; 16], [0x20; 16]);
        [near[14], near[15]] = n.to_be_bytes();
        far[1] = 9;
        let (from, to) = if there { (near, far) } else { (far, near) };
        let (port, other) = if there { (4000, 443) } else { (443, 4000) };
        let mut frame = Vec::new();
        let packet = PacketBuilder::ethernet2([2; 6], [4; 6]).ipv6(from, to, 64);
        packet.tcp(port, other, 1, 1000).write(&mut frame, b"data").expect("write");
        frame
    }

    /// One router's UDP port, and a flow inside.
    fn lisp_of(inner: &[u8], flags: u8) -> Vec<u8> {
        let payload = [&[flags, 0, 0, 0, 0, 0, 0, 0], &inner[ethernet::LEN..]].concat();
        udp4([203, 0, 113, 4], [198, 51, 100, 2], (4341, 4341), &payload)
    }

    fn of(frame: &[u8], workers: usize) -> Option<usize> {
        worker(frame, frame.len(), &KEY, workers)
    }

    #[test]
    fn plain_packets_have_the_same_flow_in_either_way() {
        for n in 0..500 {
            for frame in [flow_n(n), lisp_of(&flow_n(n), 0), lisp_of(&flow_n(n), 0x88)] {
                assert_eq!(
                    (plain(&frame, &KEY), true),
                    (any(&frame, frame.len(), &KEY), plain(&frame, &KEY).is_some())
                );
            }
            for frame in [tcp6(n as u16, true), lisp_of(&tcp6(1, true), 0), lisp_of(&flow_n(n), 2)] {
                assert_eq!(plain(&frame, &KEY), None);
            }
        }
    }

    fn flow_n(n: u32) -> Vec<u8> {
        udp4([10, 4, (n >> 8) as u8, n as u8], [192, 0, 2, 9], (1000 + (n % 7) as u16, 53), b"query")
    }

    #[test]
    fn flows_spread_evenly_and_those_inside_of_one_outer_flow_too() {
        type Flow = fn(u32) -> Vec<u8>;
        let kinds: [(&str, Flow); 4] = [
            ("native", flow_n),
            ("IPv4 inside of one outer flow", |n| lisp_of(&flow_n(n), 0)),
            ("IPv6 inside of one outer flow", |n| lisp_of(&tcp6(n as u16, true), 0)),
            ("IPv6", |n| tcp6(n as u16, n % 2 == 0)),
        ];
        for (name, frame) in kinds {
            for workers in [2, 3, 5, 8] {
                let mut counts = vec![0; workers];
                for n in 0..8000 {
                    counts[of(&frame(n), workers).expect("IP")] += 1;
                }
                let even = 8000 / workers;
                let near = |count: &usize| (even * 88 / 100..=even * 112 / 100).contains(count);
                assert!(counts.iter().all(near), "{name}: {counts:?}");
            }
        }
    }

    #[test]
    fn both_directions_of_a_flow_are_one_with_and_without_lisp_headers() {
        for n in 0..500u16 {
            let (there, back) = (tcp6(n, true), tcp6(n, false));
            let all =
                [&there, &back, &lisp_of(&there, 0), &lisp_of(&back, 0x80)].map(|frame| of(frame, 1 << 20));
            assert_eq!(all, [all[0]; 4]);
            let tagged = [&there[..12], &[0x81, 0, 0, 7], &there[12..]].concat();
            assert_eq!(of(&tagged, 1 << 20), all[0]);
        }
        let near = udp4([10, 0, 0, 1], [10, 0, 0, 1], (9, 5), b"");
        let far = udp4([10, 0, 0, 1], [10, 0, 0, 1], (5, 9), b"");
        assert_eq!(of(&near, 1 << 20), of(&far, 1 << 20));
    }

    #[test]
    fn fragments_go_by_addresses_and_what_is_encrypted_by_its_outer_flow_r081() {
        let fragment = |frame: &[u8], word: u16| {
            let mut frame = frame.to_vec();
            [frame[20], frame[21]] = word.to_be_bytes();
            frame
        };
        let mut workers = std::collections::HashSet::new();
        for n in 0..64 {
            let whole = flow_n(n);
            let (first, last) = (fragment(&whole, 0x2000), fragment(&whole, 185));
            assert_eq!(of(&first, 1 << 20), of(&last, 1 << 20));
            let same = [&first, &last].map(|frame| of(&lisp_of(frame, 0), 1 << 20));
            assert_eq!(same, [of(&first, 1 << 20); 2]);
            // Of LISP data in outer fragments nothing inside is looked at, encrypted or not.
            workers.insert(of(&fragment(&lisp_of(&whole, 0), 0x2000), 1 << 20));
            workers.insert(of(&fragment(&lisp_of(&whole, 0), 185), 1 << 20));
            assert_eq!(of(&lisp_of(&whole, 1), 1 << 20), of(&lisp_of(&flow_n(n + 1), 1), 1 << 20));
        }
        assert_eq!(workers.len(), 1);
    }

    #[test]
    fn what_is_no_packet_stays_where_it_is_and_nothing_panics() {
        let whole = lisp_of(&tcp6(7, true), 0);
        let arp = [&whole[..12], &[8, 6], &whole[14..]].concat();
        assert_eq!(of(&arp, 8), None);
        for end in 0..whole.len() {
            let cut = &whole[..end];
            let known = of(cut, 8);
            assert!(end >= ethernet::LEN + 28 || known.is_none(), "{end}");
            // A chain whose first segment ends there.
            worker(cut, whole.len(), &KEY, 8);
        }
        for bit in 0..whole.len() * 8 {
            let mut turned = whole.clone();
            turned[bit / 8] ^= 1 << (bit % 8);
            assert!(of(&turned, 8).is_none_or(|worker| worker < 8));
        }
        // What is inside is no packet: the outer flow.
        let junk = udp4([203, 0, 113, 4], [198, 51, 100, 2], (4341, 4341), &[0xFF; 40]);
        assert!(of(&junk, 8).is_some());
    }
}
