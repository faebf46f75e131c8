//! The packets of a run: written once, sent in turn, stamped when sent.

use crate::frames::{self, eid, encapsulated_for, outsider};
use clap::ValueEnum;
use pxtr_dataplane::types::{InstanceId, MacAddr};
use pxtr_dataplane::wire::{ethernet, ipv4, lisp, udp};
use std::net::{IpAddr, Ipv4Addr};

/// The address that testpmd's flowgen sends to: the same for every generator.
pub const DEVICE_MAC: MacAddr = MacAddr([0, 1, 2, 3, 4, 1]);
/// Our own.
const GENERATOR_MAC: [u8; 6] = [0, 1, 2, 3, 4, 0];
/// RLOC of the device under test.
const DEVICE_RLOC: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 2);
/// Says that a stamp follows. Last in each payload: magic, TSC.
const MAGIC: [u8; 4] = *b"pxTR";
/// Bytes of magic and stamp.
const STAMP: usize = 12;

/// Which way the packets go through the device under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Native packets to EIDs.
    Encap,
    /// LISP data packets to the device's RLOC, for native hosts.
    Decap,
    /// One of each in turn.
    Mixed,
    /// Native packets to native hosts.
    Forward,
}

/// What a stream is made of.
#[derive(Clone, Copy, Debug)]
pub struct StreamConfig {
    /// Which way.
    pub kind: Kind,
    /// EID-prefixes, numbered from 0 as [`frames::prefix`] does.
    pub mappings: u32,
    /// EIDs and native hosts are IPv6.
    pub inner_v6: bool,
    /// Bytes of UDP payload: at least 12 for the stamp; 18 makes a frame of 64 bytes with FCS.
    pub payload: u16,
    /// The device sends everything back as it is.
    pub reflected: bool,
}

/// Packets in turn, one for each mapping.
#[derive(Debug)]
pub struct Stream {
    bytes: Vec<u8>,
    /// Where each frame ends in `bytes`.
    ends: Vec<u32>,
    next: usize,
    /// Lengths with which the frames come back.
    back: [usize; 2],
}

impl Stream {
    /// Writes all packets.
    #[must_use]
    pub fn new(config: StreamConfig) -> Self {
        let count = config.mappings.clamp(1, frames::MAX_MAPPINGS);
        let mut stream = Self { bytes: Vec::new(), ends: Vec::new(), next: 0, back: [0; 2] };
        let outer = ipv4::MIN_LEN + udp::LEN + lisp::LEN;
        // Mixed streams have one frame of each way for each mapping.
        let turns = if config.kind == Kind::Mixed { 2 } else { 1 };
        for n in 0..count * turns {
            let kind = match config.kind {
                Kind::Mixed if n % 2 == 0 => Kind::Encap,
                Kind::Mixed => Kind::Decap,
                kind => kind,
            };
            let frame = frame(kind, n / turns, config);
            stream.back[(n % turns) as usize] = match kind {
                _ if config.reflected => frame.len(),
                Kind::Decap => frame.len() - outer,
                Kind::Forward => frame.len(),
                Kind::Encap | Kind::Mixed => frame.len() + outer,
            };
            stream.push(&frame);
        }
        stream
    }

    /// One packet to an EID, for the first of a conversation.
    #[must_use]
    pub fn to(destination: Ipv4Addr) -> Self {
        let mut stream = Self { bytes: Vec::new(), ends: Vec::new(), next: 0, back: [0; 2] };
        let packet = frames::ip(outsider(1, false), destination.into(), (1024, 2000), &[0; 18]);
        let frame = framed(&packet);
        stream.back = [frame.len() + ipv4::MIN_LEN + udp::LEN + lisp::LEN, 0];
        stream.push(&frame);
        stream
    }

    fn push(&mut self, frame: &[u8]) {
        self.bytes.extend(frame);
        self.ends.push(self.bytes.len() as u32);
    }

    /// The next frame.
    #[inline]
    pub fn next_frame(&mut self) -> &[u8] {
        let index = self.next;
        self.next = if index + 1 == self.ends.len() { 0 } else { index + 1 };
        let start = index.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        let end = self.ends.get(index).copied().unwrap_or(start);
        self.bytes.get(start as usize..end as usize).unwrap_or(&[])
    }

    /// Whether a frame of this length is one of ours that came through.
    #[inline]
    #[must_use]
    pub fn comes_back_as(&self, length: usize) -> bool {
        self.back.contains(&length)
    }
}

/// Writes a stamp at the end of a frame.
#[inline]
pub fn stamp(frame: &mut [u8], now: u64) {
    if let Some(room) = frame.last_chunk_mut::<STAMP>() {
        room[..4].copy_from_slice(&MAGIC);
        room[4..].copy_from_slice(&now.to_le_bytes());
    }
}

/// The stamp at the end of a frame.
#[inline]
#[must_use]
pub fn stamped(frame: &[u8]) -> Option<u64> {
    let room = frame.last_chunk::<STAMP>()?;
    let (magic, stamp) = room.split_first_chunk::<4>()?;
    Some(u64::from_le_bytes(stamp.try_into().ok().filter(|_| *magic == MAGIC)?))
}

fn frame(kind: Kind, n: u32, config: StreamConfig) -> Vec<u8> {
    let v6 = config.inner_v6;
    let payload = vec![0; usize::from(config.payload).max(STAMP)];
    let (native, ports) = (outsider(n % 60_000, v6), (1024 + (n % 60_000) as u16, 2000));
    framed(&match kind {
        Kind::Encap | Kind::Mixed => frames::ip(native, eid(n, v6), ports, &payload),
        Kind::Forward => frames::ip(outsider(n % 60_000 + 70_000, v6), native, ports, &payload),
        Kind::Decap => {
            let inner = frames::ip(eid(n, v6), native, ports, &payload);
            encapsulated_for(IpAddr::V4(DEVICE_RLOC), InstanceId(0), &inner, n % 1000)
        }
    })
}

fn framed(packet: &[u8]) -> Vec<u8> {
    let ethertype = if packet[0] >> 4 == 4 { ethernet::IPV4 } else { ethernet::IPV6 };
    [&DEVICE_MAC.0[..], &GENERATOR_MAC, &ethertype.to_be_bytes(), packet].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(kind: Kind) -> StreamConfig {
        StreamConfig { kind, mappings: 3, inner_v6: false, payload: 18, reflected: false }
    }

    #[test]
    fn frames_are_of_64_bytes_and_go_round() {
        let mut stream = Stream::new(config(Kind::Encap));
        let first = stream.next_frame().to_vec();
        assert_eq!(first.len(), 60, "without FCS");
        assert!(stream.comes_back_as(96) && !stream.comes_back_as(60));
        let others = [stream.next_frame().to_vec(), stream.next_frame().to_vec()];
        assert!(!others.contains(&first));
        assert_eq!(stream.next_frame(), first);
    }

    #[test]
    fn mixed_streams_have_both_ways() {
        let mut stream = Stream::new(config(Kind::Mixed));
        let lengths: Vec<_> = (0..6).map(|_| stream.next_frame().len()).collect();
        assert_eq!(lengths, [60, 96, 60, 96, 60, 96]);
        assert!(stream.comes_back_as(96) && stream.comes_back_as(60));
    }

    #[test]
    fn stamps_are_read_back() {
        let mut frame = vec![0; 60];
        assert_eq!(stamped(&frame), None);
        stamp(&mut frame, 42);
        assert_eq!(stamped(&frame), Some(42));
    }
}
