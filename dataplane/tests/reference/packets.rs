//! Random frames: mostly well formed and about what the tables know, some damaged.

use super::dice::Dice;
use super::make::{self, neighbour, ours};
use super::outer::ones_sum;
use super::read::{LISP_CONTROL, LISP_DATA, be16, set_header_checksum};
use super::world::World;
use ipnet::IpNet;
use pxtr_dataplane::types::PortId;
use std::net::IpAddr;

const SPECIAL_V4: [&str; 10] = [
    "0.0.0.0",
    "127.0.0.1",
    "169.254.1.1",
    "224.0.0.5",
    "239.1.1.1",
    "240.0.0.1",
    "255.255.255.255",
    "198.51.100.2",
    "192.0.2.1",
    "223.255.255.255",
];
const SPECIAL_V6: [&str; 11] = [
    "::",
    "::1",
    "::2",
    "::ffff:10.4.0.1",
    "fe80::1",
    "ff01::1",
    "ff02::1",
    "ff12::1",
    "ff0e::1",
    "2001:db8:c0::2",
    "2001:db8:1::1",
];

/// An address that the tables say something of.
fn known(dice: &mut Dice, world: &World, v6: bool) -> IpAddr {
    let mut prefixes: Vec<IpNet> = Vec::new();
    match dice.below(4) {
        0 => prefixes.extend(world.routes.iter().map(|row| row.1)),
        1 => prefixes.extend(world.local_eids.iter().map(|row| row.1)),
        2 => prefixes.extend(world.sites.iter().map(|row| row.1)),
        _ => {}
    }
    prefixes.extend(world.mappings.iter().map(|row| row.1));
    prefixes.retain(|prefix| prefix.addr().is_ipv6() == v6);
    let within = if prefixes.is_empty() { make::prefix(dice, v6) } else { dice.pick(&prefixes) };
    make::address(dice, within)
}

fn any(dice: &mut Dice, world: &World, v6: bool) -> IpAddr {
    match dice.below(24) {
        0 if v6 => dice.pick(&SPECIAL_V6).parse().unwrap(),
        0 => dice.pick(&SPECIAL_V4).parse().unwrap(),
        _ => known(dice, world, v6),
    }
}

fn size(dice: &mut Dice) -> usize {
    match dice.below(8) {
        0 => dice.below(8),
        1 => 1200 + dice.below(300),
        2 => 1380 + dice.below(130),
        3 if dice.one_in(3) => 1500 + dice.below(500),
        _ => dice.below(100),
    }
}

fn transport_port(dice: &mut Dice) -> u16 {
    match dice.below(10) {
        0 => LISP_DATA,
        1 => LISP_CONTROL,
        2 => 0,
        _ => 1000 + dice.below(8) as u16,
    }
}

/// What an IP packet carries.
fn payload(dice: &mut Dice, world: &World, protocol: u8, depth: usize) -> Vec<u8> {
    let size = size(dice);
    if !matches!(protocol, 6 | 17 | 132) {
        let mut payload = dice.bytes(size);
        if matches!(protocol, 1 | 58)
            && let Some(kind) = payload.first_mut()
        {
            *kind = dice.pick(&[0, 8, 3, 11, 5, 13, 1, 2, 128, 129, 135, 137, 200]);
        }
        return payload;
    }
    let (from, to) = (transport_port(dice), transport_port(dice));
    let body = if protocol == 17 && to == LISP_DATA && depth < 2 {
        [&lisp_header(dice, world)[..], &packet(dice, world, depth + 1)].concat()
    } else {
        dice.bytes(size)
    };
    udp(from, to, &body)
}

fn udp(from: u16, to: u16, body: &[u8]) -> Vec<u8> {
    let length = (8 + body.len()) as u16;
    [&from.to_be_bytes()[..], &to.to_be_bytes(), &length.to_be_bytes(), &[0, 0], body].concat()
}

fn lisp_header(dice: &mut Dice, world: &World) -> [u8; 8] {
    let instance = match dice.below(5) {
        0 | 1 => 101,
        2 => 0xABCDE,
        3 => 77,
        _ => 0,
    };
    let [_, a, b, c] = u32::to_be_bytes(instance);
    let flags = if instance == 0 && !dice.one_in(4) { 0 } else { 0x08 };
    let mut header = [flags, 0, 0, 0, a, b, c, 0];
    if !world.admission.nonces.is_empty() && !dice.one_in(6) {
        header[..4].copy_from_slice(&[flags | 0x80, 0, 1, 2]);
    }
    if dice.one_in(if world.gpe_peers.is_empty() { 16 } else { 3 }) {
        header[0] |= 0x04;
        header[3] = dice.pick(&[1, 1, 2, 2, 3, 0x80]);
    }
    if dice.one_in(8) {
        header[dice.below(8)] ^= dice.byte();
    }
    header
}

/// An IP packet. One at a depth came out of another one.
fn packet(dice: &mut Dice, world: &World, depth: usize) -> Vec<u8> {
    let v6 = dice.one_in(2);
    let (source, destination) = (any(dice, world, v6), any(dice, world, v6));
    let icmp = if v6 { 58 } else { 1 };
    let protocol = dice.pick(&[17, 17, 17, 6, 6, 132, icmp, icmp, 47, 50, 89]);
    let payload = payload(dice, world, protocol, depth);
    ip(dice, source, destination, protocol, payload)
}

fn ttl(dice: &mut Dice) -> u8 {
    match dice.below(10) {
        0 => dice.below(3) as u8,
        1 => dice.byte(),
        2 => 2,
        _ => 64,
    }
}

fn ip(dice: &mut Dice, source: IpAddr, destination: IpAddr, protocol: u8, payload: Vec<u8>) -> Vec<u8> {
    let tos = if dice.one_in(2) { 0 } else { dice.byte() };
    match (source, destination) {
        (IpAddr::V4(s), IpAddr::V4(d)) => {
            let options = if dice.one_in(12) { options(dice) } else { Vec::new() };
            let fragment: u16 = match dice.below(12) {
                0 => 0x2000,
                1 => (dice.word() as u16 & 0x3FFF) >> dice.below(14),
                2..6 => 0,
                _ => 0x4000,
            };
            let [f0, f1] = fragment.to_be_bytes();
            let header = (20 + options.len()) as u8;
            let [l0, l1] = (usize::from(header) as u16 + payload.len() as u16).to_be_bytes();
            let fixed =
                [0x40 | (header / 4), tos, l0, l1, 0x12, dice.byte(), f0, f1, ttl(dice), protocol, 0, 0];
            let mut packet = [&fixed[..], &s.octets(), &d.octets(), &options, &payload].concat();
            set_header_checksum(&mut packet);
            packet
        }
        (IpAddr::V6(s), IpAddr::V6(d)) => {
            let (first, chain) =
                if dice.one_in(12) { extensions(dice, protocol) } else { (protocol, Vec::new()) };
            let [l0, l1] = ((chain.len() + payload.len()) as u16).to_be_bytes();
            let label = dice.byte() & 15;
            let fixed = [0x60 | tos >> 4, tos << 4 | label, 0x34, 0x56, l0, l1, first, ttl(dice)];
            [&fixed[..], &s.octets(), &d.octets(), &chain, &payload].concat()
        }
        _ => unreachable!("one family"),
    }
}

fn options(dice: &mut Dice) -> Vec<u8> {
    let mut options = match dice.below(6) {
        0 => vec![131, 7, 4, 1, 2, 3, 4],
        1 => vec![1, 137],
        2 => vec![148, 4, 0, 0, 7, 7, 4, 0, 0, 0, 0],
        3 => vec![7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0, 130, 3, 9],
        4 => vec![68, 9],
        _ => (0..dice.below(12)).map(|_| dice.byte()).collect(),
    };
    options.resize(options.len().next_multiple_of(4).max(4), dice.below(2) as u8);
    options
}

fn extensions(dice: &mut Dice, protocol: u8) -> (u8, Vec<u8>) {
    let kinds: Vec<u8> = (0..1 + dice.below(6)).map(|_| dice.pick(&[0, 43, 60, 51, 44])).collect();
    let mut chain = Vec::new();
    for (n, kind) in kinds.iter().enumerate() {
        let next = kinds.get(n + 1).copied().unwrap_or(protocol);
        match kind {
            44 => {
                let word = dice.pick(&[0u16, 0, 1, 8, 0x0101, 6]).to_be_bytes();
                chain.extend([next, 0, word[0], word[1], 1, 2, 3, 4]);
            }
            51 => chain.extend([next, 1, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]),
            _ => {
                let more = dice.below(2);
                chain.extend([next, more as u8]);
                chain.extend(vec![1; 6 + 8 * more]);
            }
        }
    }
    (kinds[0], chain)
}

/// LISP data for one of our RLOCs.
fn lisp(dice: &mut Dice, world: &World) -> Vec<u8> {
    let destination = dice.pick(&world.local_rlocs);
    let source: IpAddr = match (destination, dice.below(10)) {
        (IpAddr::V4(_), 0) => any(dice, world, false),
        (IpAddr::V6(_), 0) => any(dice, world, true),
        (IpAddr::V4(_), _) => format!("203.0.113.{}", dice.below(9)).parse().unwrap(),
        (IpAddr::V6(_), _) => format!("2001:db8:f::{}", dice.below(9)).parse().unwrap(),
    };
    let mut body = [&lisp_header(dice, world)[..], &packet(dice, world, 1)].concat();
    if dice.one_in(12) {
        body.extend(vec![0x45; dice.below(30)]);
    }
    let mut datagram = udp(0xC000 | dice.word() as u16, LISP_DATA, &body);
    match dice.below(16) {
        0 => datagram[5] ^= dice.byte(),
        1 => datagram[4..6].copy_from_slice(&(8 + dice.below(40) as u16).to_be_bytes()),
        2 => datagram[6] = 1,
        3 => {
            let length = (datagram.len() as u16).to_be_bytes();
            let addresses = match (source, destination) {
                (IpAddr::V4(s), IpAddr::V4(d)) => [s.octets(), d.octets()].concat(),
                (IpAddr::V6(s), IpAddr::V6(d)) => [s.octets(), d.octets()].concat(),
                _ => Vec::new(),
            };
            let sum = !ones_sum(&[&addresses[..], &[0, 17], &length, &datagram].concat());
            datagram[6..8].copy_from_slice(&if sum == 0 { 0xFFFF } else { sum }.to_be_bytes());
        }
        _ => {}
    }
    // Sometimes a datagram is shorter than its packet.
    if dice.one_in(30) {
        datagram.extend(vec![0x60; dice.below(50)]);
    }
    ip(dice, source, destination, 17, datagram)
}

/// A frame for a port.
pub fn frame(dice: &mut Dice, world: &World, port: PortId) -> Vec<u8> {
    let underlay = world.port(port).is_some_and(|port| port.underlay);
    let packet = if dice.one_in(3) != underlay { lisp(dice, world) } else { packet(dice, world, 0) };
    let to = match dice.below(30) {
        0 => [0xFF; 6],
        1 => neighbour(1).0,
        2 => [1, 0, 0x5E, 0, 0, 1],
        _ => ours(port.0).0,
    };
    let ethertype = match (dice.below(40), packet[0] >> 4) {
        (0, _) => dice.pick(&[0x0800u16, 0x86DD, 0x0806, 0x8100, 0x88A8, 0x88CC, 0x8809, 0x0100, 0x9000]),
        (_, 4) => 0x0800,
        _ => 0x86DD,
    };
    let from = neighbour(dice.below(6)).0;
    let mut frame = [&to[..], &from, &ethertype.to_be_bytes(), &packet].concat();
    if ethertype == 0x0806 && dice.one_in(2) {
        frame.truncate(14);
        frame.extend([0, 1, 8, 0, 6, 4, 0, 1 + dice.below(3) as u8]);
        frame.extend(vec![7; dice.pick(&[20, 19, 30])]);
    }
    if dice.one_in(3) {
        frame.resize(frame.len().max(60), dice.byte());
    }
    damage(dice, &mut frame);
    frame
}

/// Flips, cuts, lengthens; and mostly mends the IPv4 checksums again, else that is where all would end.
fn damage(dice: &mut Dice, frame: &mut Vec<u8>) {
    if !dice.one_in(5) {
        return;
    }
    for _ in 0..1 + dice.below(3) {
        let at = dice.below(frame.len().min(150));
        if let Some(byte) = frame.get_mut(at) {
            *byte ^= if dice.one_in(2) { 1 << dice.below(8) } else { dice.byte() };
        }
    }
    match dice.below(6) {
        0 => frame.truncate(dice.below(frame.len() + 1)),
        1 => frame.extend(vec![0x45; dice.below(64)]),
        _ => {}
    }
    if dice.one_in(4) {
        return;
    }
    for at in [14, 50, 70] {
        let Some(rest) = frame.get_mut(at..).filter(|rest| rest.len() >= 20 && rest[0] >> 4 == 4) else {
            continue;
        };
        let header = usize::from(rest[0] & 15) * 4;
        if (20..=rest.len()).contains(&header) && be16(rest, 2) != 0 {
            set_header_checksum(rest);
        }
    }
}
