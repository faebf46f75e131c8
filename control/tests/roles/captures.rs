//! Packets of `tests/data/vectors`: made by other implementations, see the README there.

use pcap_file::pcap::PcapReader;
use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A UDP packet of a capture.
#[derive(Clone, Debug)]
pub struct Captured {
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub payload: Vec<u8>,
}

/// All control packets of a capture, in order.
pub fn control_packets(name: &str) -> Vec<Captured> {
    let path = format!("{}/tests/data/vectors/{name}.pcap", env!("CARGO_MANIFEST_DIR"));
    let file = File::open(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    let mut reader = PcapReader::new(file).expect("a pcap file");
    let mut packets = Vec::new();
    while let Some(packet) = reader.next_packet() {
        let frame = packet.expect("a packet").data.into_owned();
        packets.extend(udp(&frame).filter(|p| p.to.port() == 4342 || p.from.port() == 4342));
    }
    assert!(!packets.is_empty(), "{name} holds control packets");
    packets
}

fn udp(frame: &[u8]) -> Option<Captured> {
    let packet = frame.get(14..)?;
    let (source, destination, udp): (IpAddr, IpAddr, &[u8]) = match (frame[12], frame[13]) {
        (0x08, 0x00) if packet[9] == 17 => {
            let address =
                |at: usize| Ipv4Addr::new(packet[at], packet[at + 1], packet[at + 2], packet[at + 3]);
            let header = usize::from(packet[0] & 15) * 4;
            (address(12).into(), address(16).into(), &packet[header..])
        }
        (0x86, 0xdd) if packet[6] == 17 => {
            let address = |at: usize| Ipv6Addr::from(*packet[at..].first_chunk::<16>().expect("16 bytes"));
            (address(8).into(), address(24).into(), &packet[40..])
        }
        _ => return None,
    };
    let word = |at: usize| u16::from_be_bytes([udp[at], udp[at + 1]]);
    Some(Captured {
        from: SocketAddr::new(source, word(0)),
        to: SocketAddr::new(destination, word(2)),
        payload: udp[8..usize::from(word(4))].to_vec(),
    })
}
