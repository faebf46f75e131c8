//! The IP headers of a frame, outer and inner, read without a check: a packet that is dropped because it
//! is malformed is the very one that somebody looks for.

use super::vlan::Tagging;
use super::{bytes, ethernet, ipv6, lisp, proto, udp, vlan};
use std::net::IpAddr;

/// What is asked of an IP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layer {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    /// What follows the IP header and its extension headers.
    pub(crate) protocol: u8,
    /// Source and destination port; zero: none, or not in this fragment.
    pub(crate) ports: (u16, u16),
    /// Offset of what follows the headers, in the frame.
    pub(crate) payload: usize,
}

/// The IP packets in a frame: as it came, and what is in its LISP encapsulation.
pub(crate) fn layers(frame: &[u8]) -> [Option<Layer>; 2] {
    match vlan::read(frame) {
        Tagging::Short => [None, None],
        Tagging::None(count) | Tagging::Tagged { count, .. } => {
            layers_at(frame, ethernet::LEN + count * vlan::LEN)
        }
    }
}

/// The same for what begins at `at`.
pub(crate) fn layers_at(frame: &[u8], at: usize) -> [Option<Layer>; 2] {
    let Some(outer) = read(frame, at) else { return [None, None] };
    let is_lisp = outer.protocol == proto::UDP && outer.ports.1 == lisp::DATA_PORT;
    let inner = if is_lisp { read(frame, outer.payload + udp::LEN + lisp::LEN) } else { None };
    [Some(outer), inner]
}

/// The packet at `at`.
fn read(frame: &[u8], at: usize) -> Option<Layer> {
    let first = *frame.get(at)?;
    let (source, destination, protocol, offset, whole) = match first >> 4 {
        4 => {
            let header = bytes::chunk::<20>(frame, at)?;
            let [.., s0, s1, s2, s3, d0, d1, d2, d3] = *header;
            let offset = usize::from(first & 0x0F) * 4;
            let later = bytes::be16(header, 6)? & 0x1FFF != 0;
            (IpAddr::from([s0, s1, s2, s3]), IpAddr::from([d0, d1, d2, d3]), header[9], offset, !later)
        }
        6 => {
            let header = bytes::chunk::<40>(frame, at)?;
            let source = *bytes::chunk::<16>(header, 8)?;
            let destination = *bytes::chunk::<16>(header, 24)?;
            let upper = ipv6::walk(frame, at, header[6], frame.len().saturating_sub(at));
            let whole = upper.complete && !upper.later_fragment;
            (
                IpAddr::from(source),
                IpAddr::from(destination),
                upper.protocol,
                usize::from(upper.offset),
                whole,
            )
        }
        _ => return None,
    };
    let has_ports = matches!(protocol, proto::TCP | proto::UDP | proto::SCTP) && whole;
    let ports = if has_ports { udp::ports(frame, at + offset).unwrap_or(0) } else { 0 };
    let ports = ((ports >> 16) as u16, ports as u16);
    Some(Layer { source, destination, protocol, ports, payload: at + offset })
}
