//! Every LISP control message in every capture: decoded, compared with what is known of it,
//! authenticated, encoded again. See `tests/data/vectors/README.md` for their provenance.

use crate::bytes::to_hex;
use crate::describe::describe;
use pcap_file::pcap::PcapReader;
use pxtr_control::codec::auth::{self, Coverage};
use pxtr_control::codec::{CONTROL_PORT, DATA_PORT, InnerHeader, Message};
use pxtr_control::engine::config::Secret;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;

/// One UDP datagram of a capture.
pub struct Datagram {
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub payload: Vec<u8>,
}

pub fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/vectors")
}

/// The UDP datagrams of a capture, checksums of the outer headers left aside.
pub fn datagrams(name: &str) -> Vec<Datagram> {
    let file = std::fs::File::open(directory().join(name).with_extension("pcap")).unwrap();
    let mut reader = PcapReader::new(file).unwrap();
    let mut datagrams = Vec::new();
    while let Some(packet) = reader.next_packet() {
        datagrams.push(datagram(&packet.unwrap().data));
    }
    datagrams
}

fn datagram(frame: &[u8]) -> Datagram {
    let ip = &frame[14..];
    let (source, destination, udp) = match ip[0] >> 4 {
        4 => {
            let address = |at: usize| std::net::Ipv4Addr::from(*ip[at..].first_chunk::<4>().unwrap());
            (address(12).into(), address(16).into(), &ip[usize::from(ip[0] & 15) * 4..])
        }
        6 => {
            let address = |at: usize| std::net::Ipv6Addr::from(*ip[at..].first_chunk::<16>().unwrap());
            (address(8).into(), address(24).into(), &ip[40..])
        }
        other => panic!("IP version {other}"),
    };
    let field = |at: usize| u16::from_be_bytes([udp[at], udp[at + 1]]);
    Datagram {
        from: SocketAddr::new(source, field(0)),
        to: SocketAddr::new(destination, field(2)),
        payload: udp[8..usize::from(field(4))].to_vec(),
    }
}

/// The control message in a datagram: its payload, or, in a data packet of the reserved instance,
/// what is behind the inner headers (Data-Map-Notify).
pub fn control_message(datagram: &Datagram) -> Option<Vec<u8>> {
    if datagram.to.port() != DATA_PORT {
        return Some(datagram.payload.clone());
    }
    let inner = datagram.payload.strip_prefix(&[0x08, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0])?;
    let (header, message) = InnerHeader::decode(inner).unwrap();
    assert_eq!((header.source_port, header.destination_port), (CONTROL_PORT, CONTROL_PORT));
    Some(message.to_vec())
}

/// What each file holds, one line a packet. `=`: encoding gives the same bytes again. `~`: it
/// gives what decodes to the same, because the peer sets reserved bits, inner IPv4 header fields
/// that we do not keep, or a wrong LCAF length.
const FACTS: &str = include_str!("captures.txt");

fn facts() -> Vec<(&'static str, Vec<&'static str>)> {
    let mut files: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in FACTS.lines().filter(|line| !line.is_empty()) {
        match line.strip_prefix("# ") {
            Some(name) => files.push((name, Vec::new())),
            None => files.last_mut().unwrap().1.push(line),
        }
    }
    files
}

#[test]
fn every_vector_file_is_covered() {
    let on_disk: BTreeSet<String> = std::fs::read_dir(directory())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "pcap"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    let listed: BTreeSet<String> = facts().iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(on_disk, listed);
}

#[test]
fn every_message_is_what_is_known_of_it() {
    for (name, expected) in facts() {
        let found: Vec<String> = datagrams(name)
            .iter()
            .filter_map(|d| {
                let message = Message::decode(&control_message(d)?).unwrap();
                Some(format!("{} > {} {}", d.from, d.to, describe(&message)))
            })
            .collect();
        let expected: Vec<&str> = expected.iter().map(|line| line.split_at(2).1).collect();
        assert_eq!(found, expected, "{name}\n{}", found.join("\n"));
    }
}

#[test]
fn every_message_is_encoded_again() {
    for (name, expected) in facts() {
        let messages: Vec<_> = datagrams(name).iter().filter_map(control_message).collect();
        for (bytes, line) in messages.iter().zip(expected) {
            let message = Message::decode(bytes).unwrap();
            let again = message.to_bytes().unwrap();
            assert_eq!(Message::decode(&again).as_ref(), Ok(&message), "{name}: {line}");
            match line.split_at(2).0 {
                "= " => assert_eq!(to_hex(&again), to_hex(bytes), "{name}: {line}"),
                "~ " => assert_ne!(again, *bytes, "{name}: {line}: is exact by now"),
                other => panic!("{name}: {other}"),
            }
        }
    }
}

/// The messages with a MAC, those inside of ECMs included.
fn authenticated(bytes: &[u8]) -> Option<Vec<u8>> {
    match Message::decode(bytes).unwrap() {
        Message::Ecm(ecm) => authenticated(&ecm.payload),
        Message::MapRegister(_) | Message::MapNotify(_) | Message::MapNotifyAck(_) => Some(bytes.to_vec()),
        Message::InfoRequest(info) | Message::InfoReply(info) if !info.auth.tag.is_empty() => {
            Some(bytes.to_vec())
        }
        _ => None,
    }
}

#[test]
fn trap_19_every_mac_is_right_under_its_key_and_no_other() {
    let keys = ["site-a-key", "site-b-key", "site-c-key", "rtr-key"];
    let mut verified = 0;
    for (name, _) in facts() {
        for bytes in datagrams(name).iter().filter_map(control_message).filter_map(|b| authenticated(&b)) {
            let right: Vec<_> = keys
                .iter()
                .filter(|key| auth::verify(&bytes, &Secret::new(key.as_bytes().to_vec())).is_ok())
                .collect();
            assert_eq!(right.len(), 1, "{name}: keys {right:?} for {}", to_hex(&bytes));
            let secret = Secret::new(right[0].as_bytes().to_vec());
            assert_eq!(auth::verify(&bytes, &secret), Ok(Coverage::Whole));
            // Signing the same message gives the tag that the other implementation gave.
            let mut ours = bytes.clone();
            ours[16..32].fill(0);
            auth::sign(&mut ours, &secret).unwrap();
            assert_eq!(to_hex(&ours), to_hex(&bytes));
            verified += 1;
        }
    }
    assert_eq!(verified, 20);
}

#[test]
fn nonces_of_answers_are_those_of_what_was_asked() {
    for (name, _) in facts() {
        let mut asked = BTreeSet::new();
        for bytes in datagrams(name).iter().filter_map(control_message) {
            asked.extend(asked_nonce(&Message::decode(&bytes).unwrap()));
        }
        // These two hold replies only.
        if name == "lispers_etr_map_reply_to_oor" {
            continue;
        }
        for bytes in datagrams(name).iter().filter_map(control_message) {
            let answered = match Message::decode(&bytes).unwrap() {
                Message::MapReply(m) => m.nonce,
                Message::MapNotify(m) | Message::MapNotifyAck(m) => m.nonce,
                Message::InfoReply(m) => m.nonce,
                _ => continue,
            };
            assert!(asked.contains(&answered), "{name}: nothing asked with nonce {answered:016x}");
        }
    }
}

fn asked_nonce(message: &Message) -> Option<u64> {
    match message {
        Message::Ecm(ecm) => asked_nonce(&Message::decode(&ecm.payload).unwrap()),
        Message::MapRequest(m) => Some(m.nonce),
        Message::MapRegister(m) => Some(m.nonce),
        Message::InfoRequest(m) => Some(m.nonce),
        _ => None,
    }
}
