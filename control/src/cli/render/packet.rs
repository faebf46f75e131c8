//! Packets that were watched.

use crate::api::{PacketEvent, PacketFate, PacketSeen, PacketStory, WatchDone};
use etherparse::{LaxNetSlice, LaxSlicedPacket, TransportSlice};
use std::fmt::Write;
use std::net::IpAddr;

/// LISP data (RFC 9300 section 5): UDP port, and bytes of the header.
const LISP_DATA: u16 = 4341;
const LISP_HEADER: usize = 8;
/// Flag I: an Instance-ID is there.
const INSTANCE: u8 = 0x08;

/// A packet: when and where, what it is, what was decided.
pub(in super::super) fn packet(seen: &PacketSeen) -> String {
    let mut text = String::new();
    if seen.left_out > 0 {
        let _ = writeln!(text, "... {} packets left out", seen.left_out);
    }
    let what = match &seen.event {
        PacketEvent::Received { .. } => "received on",
        PacketEvent::Released { .. } => "after waiting, from",
        PacketEvent::Sent { .. } => "sent on",
        PacketEvent::Dropped { .. } => "dropped, of",
    };
    let number = match seen.number {
        0 => String::new(),
        number => format!("packet {number} "),
    };
    let _ = writeln!(
        text,
        "{} worker {} {number}{what} {}, {} bytes",
        time_of_day(seen.unix_us),
        seen.worker,
        seen.port,
        seen.bytes
    );
    for layer in layers(&unhex(&seen.frame)) {
        let _ = writeln!(text, "    {layer}");
    }
    if let PacketEvent::Received { story } | PacketEvent::Released { story, .. } = &seen.event {
        let _ = writeln!(text, "  {}", way(story));
    }
    let end = packet_end(seen);
    if !end.is_empty() {
        let _ = writeln!(text, "  {end}");
    }
    text
}

/// How it was looked at.
fn way(story: &PacketStory) -> String {
    let PacketStory { vrf, instance_id, origin, mapping, .. } = story;
    let mapping = match mapping.as_deref() {
        None => String::new(),
        Some("none") => ", no map-cache entry: no EID".to_owned(),
        Some(prefix) => format!(", map-cache entry {prefix}"),
    };
    format!("{origin}, VRF {vrf} (instance {instance_id}){mapping}")
}

/// What became of it, in a line; empty: nothing is to be said.
pub(in super::super) fn packet_end(seen: &PacketSeen) -> String {
    let to = |story: &PacketStory| story.rloc.map(|rloc| format!(" to {rloc}")).unwrap_or_default();
    let waited = match &seen.event {
        PacketEvent::Released { waited_us, .. } => format!(" after {:.1} ms", *waited_us as f64 / 1000.0),
        _ => String::new(),
    };
    match &seen.event {
        PacketEvent::Sent { from_kernel: true } => "from the kernel".to_owned(),
        PacketEvent::Sent { from_kernel: false } => String::new(),
        PacketEvent::Dropped { reason, text } => format!("dropped: {reason}: {text}"),
        PacketEvent::Received { story } | PacketEvent::Released { story, .. } => match &story.fate {
            PacketFate::Encapsulated { port } => format!("encapsulated{} on {port}{waited}", to(story)),
            PacketFate::Forwarded { port } => format!("forwarded natively on {port}{waited}"),
            PacketFate::Split { room } => format!("split into packets of at most {room} bytes{waited}"),
            PacketFate::Kernel => "handed to the kernel".to_owned(),
            PacketFate::Held { wait } => format!("waits for {wait}"),
            PacketFate::Reassembled => "waits for the rest of its fragments, or completes them".to_owned(),
            PacketFate::CoreError => "ICMP error about a packet of ours, taken to heart".to_owned(),
            PacketFate::Dropped { reason, text } => format!("dropped: {reason}: {text}{waited}"),
        },
    }
}

pub(in super::super) fn watch_done(done: WatchDone) -> String {
    match done.left_out {
        0 => String::new(),
        count => format!("{count} packets came too fast and were left out\n"),
    }
}

/// The headers of a frame, one in a line: as far as they can be read.
fn layers(frame: &[u8]) -> Vec<String> {
    let Ok(packet) = LaxSlicedPacket::from_ethernet(frame) else {
        return vec!["no Ethernet header".to_owned()];
    };
    let mut lines = Vec::new();
    let tags: Vec<_> = packet.vlan_ids().iter().map(|id| id.value().to_string()).collect();
    if !tags.is_empty() {
        lines.push(format!("VLAN {}", tags.join(", ")));
    }
    ip_layers(&packet, &mut lines);
    lines
}

fn ip_layers(packet: &LaxSlicedPacket<'_>, lines: &mut Vec<String>) {
    let (source, destination, ttl, protocol): (IpAddr, IpAddr, u8, u8) = match &packet.net {
        Some(LaxNetSlice::Ipv4(ip)) => {
            let header = ip.header();
            (header.source_addr().into(), header.destination_addr().into(), header.ttl(), header.protocol().0)
        }
        Some(LaxNetSlice::Ipv6(ip)) => {
            let header = ip.header();
            let next = ip.payload().ip_number.0;
            (header.source_addr().into(), header.destination_addr().into(), header.hop_limit(), next)
        }
        Some(LaxNetSlice::Arp(_)) => return lines.push("ARP".to_owned()),
        None => return lines.push("no IP header that can be read".to_owned()),
    };
    let transport = match &packet.transport {
        Some(TransportSlice::Tcp(tcp)) => format!("TCP {} > {}", tcp.source_port(), tcp.destination_port()),
        Some(TransportSlice::Udp(udp)) => format!("UDP {} > {}", udp.source_port(), udp.destination_port()),
        Some(TransportSlice::Icmpv4(icmp)) => {
            format!("ICMP type {} code {}", icmp.type_u8(), icmp.code_u8())
        }
        Some(TransportSlice::Icmpv6(icmp)) => {
            format!("ICMPv6 type {} code {}", icmp.type_u8(), icmp.code_u8())
        }
        Some(TransportSlice::Igmp(_)) | None => format!("protocol {protocol}"),
    };
    lines.push(format!("{source} > {destination} {transport}, TTL {ttl}"));
    if let Some(TransportSlice::Udp(udp)) = &packet.transport
        && udp.destination_port() == LISP_DATA
        && let Some((header, inner)) = udp.payload().split_at_checked(LISP_HEADER)
    {
        let instance = match header {
            [flags, .., a, b, c, _] if flags & INSTANCE != 0 => u32::from_be_bytes([0, *a, *b, *c]),
            _ => 0,
        };
        lines.push(format!("LISP instance {instance}"));
        match LaxSlicedPacket::from_ip(inner) {
            Ok(inner) => ip_layers(&inner, lines),
            Err(_) => lines.push("no IP header that can be read".to_owned()),
        }
    }
}

/// `13:59:07.250123`, UTC: the same on all routers of a network.
fn time_of_day(unix_us: u64) -> String {
    let s = unix_us / 1_000_000;
    format!("{:02}:{:02}:{:02}.{:06}", s / 3600 % 24, s / 60 % 60, s % 60, unix_us % 1_000_000)
}

/// Bytes from hexadecimal digits; what is no digit ends them.
pub(in super::super) fn unhex(text: &str) -> Vec<u8> {
    let digit = |byte: u8| (byte as char).to_digit(16);
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some((digit(*high)? << 4 | digit(*low)?) as u8),
        _ => None,
    };
    text.as_bytes().chunks(2).map_while(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_to_the_innermost_header() {
        let mut inner = Vec::new();
        let builder = etherparse::PacketBuilder::ipv6([0x20; 16], [0x30; 16], 9);
        builder.udp(5000, 53).write(&mut inner, b"?").expect("inner");
        let lisp = [&[0x88, 0, 0, 1, 0, 0, 0x65, 0][..], &inner].concat();
        let builder = etherparse::PacketBuilder::ethernet2([2; 6], [4; 6]);
        let builder = builder.single_vlan(etherparse::VlanId::try_new(7).expect("id"));
        let mut frame = Vec::new();
        builder
            .ipv4([192, 0, 2, 1], [203, 0, 113, 4], 64)
            .udp(60_000, 4341)
            .write(&mut frame, &lisp)
            .expect("outer");
        let addresses = "2020:2020:2020:2020:2020:2020:2020:2020 > 3030:3030:3030:3030:3030:3030:3030:3030";
        let expected = [
            "VLAN 7".to_owned(),
            "192.0.2.1 > 203.0.113.4 UDP 60000 > 4341, TTL 64".to_owned(),
            "LISP instance 101".to_owned(),
            format!("{addresses} UDP 5000 > 53, TTL 9"),
        ];
        assert_eq!(layers(&frame), expected);
        for len in 0..frame.len() {
            assert!(!layers(&frame[..len]).is_empty(), "{len}");
        }
    }
}
