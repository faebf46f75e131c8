//! A capture file (draft-ietf-opsawg-pcapng) whose packets say in a comment what became of them.

use super::render;
use crate::api::{PacketEvent, PacketSeen};
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::{DataLink, PcapError};
use std::borrow::Cow;
use std::io::{self, Write};
use std::time::Duration;

/// Direction of a packet in its flags.
const INBOUND: u32 = 1;
const OUTBOUND: u32 = 2;
/// Timestamps count units of 10 to the minus this seconds.
const NANOSECONDS: u8 = 9;

/// A file that is being written. Every packet is in it when [`CaptureFile::packet`] returns: whoever ends
/// the capture with Ctrl-C loses nothing.
pub(super) struct CaptureFile<W: Write> {
    writer: PcapNgWriter<W>,
    /// Ports seen so far, in the order of their interface blocks.
    ports: Vec<String>,
}

impl<W: Write> CaptureFile<W> {
    /// Begins a file.
    ///
    /// # Errors
    /// It can not be written.
    pub(super) fn new(out: W) -> io::Result<Self> {
        Ok(Self { writer: PcapNgWriter::new(out).map_err(io_error)?, ports: Vec::new() })
    }

    /// Writes a packet. One that waited and went on is not written again: it was when it came, and is
    /// when it leaves.
    ///
    /// # Errors
    /// It can not be written.
    pub(super) fn packet(&mut self, seen: &PacketSeen) -> io::Result<()> {
        let flags = match &seen.event {
            PacketEvent::Sent { .. } => OUTBOUND,
            PacketEvent::Released { .. } if seen.event.dropped().is_none() => return Ok(()),
            PacketEvent::Received { .. } | PacketEvent::Released { .. } | PacketEvent::Dropped { .. } => {
                INBOUND
            }
        };
        let interface_id = self.interface(&seen.port)?;
        let data = render::unhex(&seen.frame);
        let mut options = vec![EnhancedPacketOption::Flags(flags)];
        let comment = render::packet_end(seen);
        if !comment.is_empty() {
            options.insert(0, EnhancedPacketOption::Comment(Cow::Owned(comment)));
        }
        let block = EnhancedPacketBlock {
            interface_id,
            timestamp: Duration::from_micros(seen.unix_us),
            original_len: seen.bytes,
            data: Cow::Owned(data),
            options,
        };
        self.writer.write_pcapng_block(block).map_err(io_error)?;
        self.writer.get_mut().flush()
    }

    /// The number of a port's interface block, which is written when the port is first seen.
    fn interface(&mut self, port: &str) -> io::Result<u32> {
        let known = self.ports.iter().position(|known| known == port);
        if let Some(at) = known {
            return Ok(at as u32);
        }
        let block = InterfaceDescriptionBlock {
            linktype: DataLink::ETHERNET,
            snaplen: 0,
            options: vec![
                InterfaceDescriptionOption::IfName(Cow::Borrowed(port)),
                InterfaceDescriptionOption::IfTsResol(NANOSECONDS),
            ],
        };
        self.writer.write_pcapng_block(block).map_err(io_error)?;
        self.ports.push(port.to_owned());
        Ok(self.ports.len() as u32 - 1)
    }
}

fn io_error(error: PcapError) -> io::Error {
    match error {
        PcapError::IoError(error) => error,
        other => io::Error::other(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{PacketFate, PacketStory, hexadecimal};
    use pcap_file::pcapng::{Block, PcapNgReader};

    fn seen(port: &str, frame: &[u8], event: PacketEvent) -> PacketSeen {
        PacketSeen {
            unix_us: 1_700_000_000_123_456,
            worker: 0,
            port: port.to_owned(),
            number: 1,
            event,
            bytes: 1000,
            frame: hexadecimal(frame),
            left_out: 0,
        }
    }

    fn story(fate: PacketFate) -> PacketStory {
        PacketStory {
            vrf: "default".to_owned(),
            instance_id: 0,
            origin: "native".to_owned(),
            mapping: None,
            rloc: None,
            fate,
        }
    }

    #[test]
    fn a_file_holds_what_came_what_left_and_why_the_rest_did_not() {
        let dropped =
            PacketFate::Dropped { reason: "no_route".to_owned(), text: "There is none.".to_owned() };
        let forwarded = PacketFate::Forwarded { port: "core".to_owned() };
        let packets = [
            seen("lan", &[1, 2, 3], PacketEvent::Received { story: story(dropped) }),
            seen("lan", &[4; 60], PacketEvent::Received { story: story(forwarded.clone()) }),
            seen("core", &[5; 61], PacketEvent::Sent { from_kernel: false }),
            seen("core", &[6; 62], PacketEvent::Released { story: story(forwarded), waited_us: 7 }),
        ];
        let mut bytes = Vec::new();
        let mut file = CaptureFile::new(&mut bytes).expect("a new file");
        packets.iter().for_each(|packet| file.packet(packet).expect("written"));
        drop(file);
        let mut reader = PcapNgReader::new(&bytes[..]).expect("a file");
        let mut read = Vec::new();
        while let Some(block) = reader.next_block() {
            if let Block::EnhancedPacket(packet) = block.expect("a block") {
                read.push(packet.into_owned());
            }
        }
        let names: Vec<_> = reader.interfaces().iter().map(|i| format!("{:?}", i.options[0])).collect();
        assert_eq!(names, ["IfName(\"lan\")", "IfName(\"core\")"]);
        let told: Vec<_> = read.iter().map(|p| (p.interface_id, p.data.len(), p.original_len)).collect();
        assert_eq!(told, [(0, 3, 1000), (0, 60, 1000), (1, 61, 1000)]);
        assert!(read.iter().all(|p| p.timestamp == Duration::from_micros(1_700_000_000_123_456)));
        let comment = |at: usize| format!("{:?}", read[at].options);
        assert!(comment(0).contains("dropped: no_route: There is none."), "{}", comment(0));
        assert!(comment(0).contains("Flags(1)") && comment(2).contains("Flags(2)"));
    }
}
