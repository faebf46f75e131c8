//! Which packets a watch wants.

use super::record::{Event, Fate};
use crate::types::PortId;
use crate::verdict::DropReason;
use crate::wire::ethernet;
use crate::wire::layers::{Layer, layers, layers_at};
use ipnet::IpNet;

/// Which ends of packets a watch wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ends {
    /// All.
    #[default]
    All,
    /// Only drops.
    Dropped,
    /// Only drops for this reason.
    DroppedFor(DropReason),
}

/// What a packet must be. Each condition may be met by the packet as it is on the wire, or by the one in
/// its LISP encapsulation, so that a flow is seen on both sides of the proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Seen on this port.
    pub port: Option<PortId>,
    /// For each of these prefixes: source or destination lies in it.
    pub about: Vec<IpNet>,
    /// IP protocol.
    pub protocol: Option<u8>,
    /// Source or destination port of TCP, UDP or SCTP.
    pub transport_port: Option<u16>,
    /// How it must end.
    pub ends: Ends,
}

impl Filter {
    /// Whether a frame on this port is wanted, whatever becomes of it.
    pub(super) fn wants(&self, port: PortId, frame: &[u8]) -> bool {
        self.wants_layers(port, || layers(frame))
    }

    /// The same for a packet that waited: its Ethernet header means nothing.
    pub(super) fn wants_packet(&self, port: PortId, frame: &[u8]) -> bool {
        self.wants_layers(port, || layers_at(frame, ethernet::LEN))
    }

    fn wants_layers(&self, port: PortId, layers: impl FnOnce() -> [Option<Layer>; 2]) -> bool {
        if self.port.is_some_and(|wanted| wanted != port) {
            return false;
        }
        if self.about.is_empty() && self.protocol.is_none() && self.transport_port.is_none() {
            return true;
        }
        layers().iter().flatten().any(|layer| self.fits(layer))
    }

    fn fits(&self, layer: &Layer) -> bool {
        let Layer { source, destination, protocol, ports, .. } = layer;
        self.about.iter().all(|prefix| prefix.contains(source) || prefix.contains(destination))
            && self.protocol.is_none_or(|wanted| wanted == *protocol)
            && self.transport_port.is_none_or(|wanted| wanted == ports.0 || wanted == ports.1)
    }

    /// Whether what became of it is wanted.
    pub(super) fn wants_end(&self, event: &Event) -> bool {
        let reason = match event {
            Event::Received(story) | Event::Released(story, _) => match story.fate {
                Fate::Dropped(reason) => Some(reason),
                _ => None,
            },
            Event::Dropped(reason) => Some(*reason),
            Event::Sent { .. } => None,
        };
        match self.ends {
            Ends::All => true,
            Ends::Dropped => reason.is_some(),
            Ends::DroppedFor(wanted) => reason == Some(wanted),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::route::Origin;
    use crate::types::VrfId;
    use crate::watch::Story;

    /// 10.1.1.1 to 10.4.0.7, UDP 5000 to 53, in LISP from 198.51.100.2 to 203.0.113.4; and bare.
    fn frames() -> [Vec<u8>; 2] {
        let inner = etherparse::PacketBuilder::ipv4([10, 1, 1, 1], [10, 4, 0, 7], 9).udp(5000, 53);
        let mut packet = Vec::new();
        inner.write(&mut packet, b"question").expect("inner");
        let builder = etherparse::PacketBuilder::ethernet2([2; 6], [4; 6]);
        let outer = builder.ipv4([198, 51, 100, 2], [203, 0, 113, 4], 9).udp(60_000, 4341);
        let mut lisp = vec![0x88, 0, 0, 1, 0, 0, 0, 0];
        lisp.extend(&packet);
        let mut encapsulated = Vec::new();
        outer.write(&mut encapsulated, &lisp).expect("outer");
        let mut bare = vec![2, 2, 2, 2, 2, 2, 4, 4, 4, 4, 4, 4, 0x81, 0, 0, 7, 8, 0];
        bare.extend(&packet);
        [encapsulated, bare]
    }

    #[test]
    fn a_flow_is_seen_bare_tagged_and_encapsulated() {
        let [encapsulated, bare] = frames();
        let prefix = |text: &str| text.parse::<IpNet>().expect("prefix");
        let about =
            |texts: &[&str]| Filter { about: texts.iter().map(|t| prefix(t)).collect(), ..Filter::default() };
        let port = PortId(1);
        for (filter, on_encapsulated, on_bare) in [
            (Filter::default(), true, true),
            (Filter { port: Some(PortId(1)), ..Filter::default() }, true, true),
            (Filter { port: Some(PortId(2)), ..Filter::default() }, false, false),
            (about(&["10.4.0.0/16"]), true, true),
            (about(&["10.4.0.7/32", "10.1.1.1/32"]), true, true),
            (about(&["203.0.113.4/32"]), true, false),
            (about(&["203.0.113.4/32", "10.1.1.1/32"]), false, false),
            (about(&["2001:db8::/32"]), false, false),
            (Filter { transport_port: Some(53), protocol: Some(17), ..Filter::default() }, true, true),
            (Filter { transport_port: Some(53), protocol: Some(6), ..Filter::default() }, false, false),
            (Filter { transport_port: Some(4341), ..Filter::default() }, true, false),
        ] {
            assert_eq!(filter.wants(port, &encapsulated), on_encapsulated, "{filter:?}");
            assert_eq!(filter.wants(port, &bare), on_bare, "{filter:?}");
        }
    }

    #[test]
    fn frames_cut_anywhere_are_read_as_far_as_they_go() {
        let filter = Filter { about: vec!["10.4.0.7/32".parse().expect("prefix")], ..Filter::default() };
        let [encapsulated, _] = frames();
        let whole = (0..=encapsulated.len()).map(|len| filter.wants(PortId(0), &encapsulated[..len]));
        // Ethernet 14, IPv4 20, UDP 8, LISP 8, and the whole inner header.
        assert_eq!(whole.filter(|wanted| *wanted).count(), encapsulated.len() - (14 + 20 + 8 + 8 + 20) + 1);
    }

    #[test]
    fn ends_are_told_apart() {
        let story = |fate| Story { vrf: VrfId(0), origin: Origin::Native, mapping: None, rloc: None, fate };
        let dropped = Event::Received(story(Fate::Dropped(DropReason::NoRoute)));
        let sent = Event::Received(story(Fate::Forwarded(PortId(0))));
        for (ends, wants_dropped, wants_sent) in [
            (Ends::All, true, true),
            (Ends::Dropped, true, false),
            (Ends::DroppedFor(DropReason::NoRoute), true, false),
            (Ends::DroppedFor(DropReason::MapDrop), false, false),
        ] {
            let filter = Filter { ends, ..Filter::default() };
            assert_eq!(filter.wants_end(&dropped), wants_dropped);
            assert_eq!(filter.wants_end(&sent), wants_sent);
        }
    }
}
