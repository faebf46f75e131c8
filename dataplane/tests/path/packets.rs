//! Builds packets with etherparse and takes them apart with it.

use etherparse::{
    Ethernet2Header, IpDscp, IpEcn, IpNumber, Ipv4Header, Ipv6FlowLabel, Ipv6Header, SlicedPacket, UdpHeader,
};
use std::net::IpAddr;

/// A packet to be built.
#[derive(Clone, Debug)]
pub struct Packet {
    pub source: IpAddr,
    pub destination: IpAddr,
    pub ttl: u8,
    pub tos: u8,
    pub dont_fragment: bool,
    /// IPv4 flags and offset beyond DF: more fragments, offset in units of 8 bytes.
    pub fragment: (bool, u16),
    pub protocol: u8,
    /// IPv4 identification.
    pub id: u16,
    /// IPv4 options, a multiple of 4 bytes.
    pub options: Vec<u8>,
    /// Everything behind the IP header.
    pub payload: Vec<u8>,
}

/// UDP from port 1000 to port 2000 with `len` bytes of data.
pub fn udp(source: &str, destination: &str, len: usize) -> Packet {
    udp_ports(source, destination, 1000, 2000, &data(len))
}

/// Recognisable bytes.
pub fn data(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 7 + 3) as u8).collect()
}

/// UDP with these ports and data, and a right checksum.
pub fn udp_ports(source: &str, destination: &str, from: u16, to: u16, data: &[u8]) -> Packet {
    let (source, destination) = (source.parse().unwrap(), destination.parse().unwrap());
    let header = match (source, destination) {
        (IpAddr::V4(s), IpAddr::V4(d)) => {
            UdpHeader::with_ipv4_checksum(from, to, &ipv4(s.octets(), d.octets(), 17, 0), data).unwrap()
        }
        (IpAddr::V6(s), IpAddr::V6(d)) => {
            let header = Ipv6Header { source: s.octets(), destination: d.octets(), ..Default::default() };
            UdpHeader::with_ipv6_checksum(from, to, &header, data).unwrap()
        }
        _ => panic!("mixed families"),
    };
    let payload = [&header.to_bytes()[..], data].concat();
    raw(source, destination, 17, payload)
}

/// Any protocol.
pub fn raw(source: IpAddr, destination: IpAddr, protocol: u8, payload: Vec<u8>) -> Packet {
    Packet {
        source,
        destination,
        ttl: 64,
        tos: 0,
        dont_fragment: true,
        fragment: (false, 0),
        protocol,
        id: 0x1234,
        options: vec![],
        payload,
    }
}

/// Any protocol, addresses as text.
pub fn proto(source: &str, destination: &str, protocol: u8, payload: &[u8]) -> Packet {
    raw(source.parse().unwrap(), destination.parse().unwrap(), protocol, payload.to_vec())
}

fn ipv4(source: [u8; 4], destination: [u8; 4], protocol: u8, len: usize) -> Ipv4Header {
    Ipv4Header::new(len as u16, 64, IpNumber(protocol), source, destination).unwrap()
}

impl Packet {
    pub fn ttl(mut self, ttl: u8) -> Self {
        self.ttl = ttl;
        self
    }

    pub fn tos(mut self, tos: u8) -> Self {
        self.tos = tos;
        self
    }

    pub fn may_fragment(mut self) -> Self {
        self.dont_fragment = false;
        self
    }

    pub fn fragment(mut self, more: bool, offset: u16) -> Self {
        self.dont_fragment = false;
        self.fragment = (more, offset);
        self
    }

    pub fn options(mut self, options: &[u8]) -> Self {
        self.options = options.to_vec();
        self
    }

    /// The IP packet.
    pub fn ip(&self) -> Vec<u8> {
        let (dscp, ecn) = (IpDscp::try_new(self.tos >> 2).unwrap(), IpEcn::try_new(self.tos & 3).unwrap());
        let mut out = Vec::new();
        match (self.source, self.destination) {
            (IpAddr::V4(s), IpAddr::V4(d)) => {
                let mut header = ipv4(s.octets(), d.octets(), self.protocol, self.payload.len());
                header.options = self.options.as_slice().try_into().unwrap();
                header.set_payload_len(self.payload.len()).unwrap();
                (header.time_to_live, header.dscp, header.ecn) = (self.ttl, dscp, ecn);
                header.identification = self.id;
                header.dont_fragment = self.dont_fragment;
                header.more_fragments = self.fragment.0;
                header.fragment_offset = self.fragment.1.try_into().unwrap();
                header.header_checksum = header.calc_header_checksum();
                header.write(&mut out).unwrap();
            }
            (IpAddr::V6(s), IpAddr::V6(d)) => {
                let header = Ipv6Header {
                    traffic_class: self.tos,
                    flow_label: Ipv6FlowLabel::try_new(0x12345).unwrap(),
                    payload_length: self.payload.len() as u16,
                    next_header: IpNumber(self.protocol),
                    hop_limit: self.ttl,
                    source: s.octets(),
                    destination: d.octets(),
                };
                header.write(&mut out).unwrap();
            }
            _ => panic!("mixed families"),
        }
        out.extend(&self.payload);
        out
    }

    /// The frame.
    pub fn frame(&self, to: [u8; 6], from: [u8; 6]) -> Vec<u8> {
        let ether_type = if self.source.is_ipv4() { 0x0800 } else { 0x86DD };
        frame(to, from, ether_type, &self.ip())
    }

    /// The same packet a router further.
    pub fn hop(&self) -> Self {
        self.clone().ttl(self.ttl - 1)
    }
}

/// An Ethernet frame.
pub fn frame(to: [u8; 6], from: [u8; 6], ether_type: u16, payload: &[u8]) -> Vec<u8> {
    let header = Ethernet2Header { source: from, destination: to, ether_type: ether_type.into() };
    [&header.to_bytes()[..], payload].concat()
}

/// A LISP data packet without UDP checksum: outer addresses, LISP header, inner packet.
pub fn lisp(source: &str, destination: &str, header: [u8; 8], inner: &[u8]) -> Packet {
    let mut packet = udp_ports(source, destination, 0xC123, 4341, &[&header[..], inner].concat());
    packet.payload[6..8].copy_from_slice(&[0, 0]);
    packet
}

/// The LISP header for an Instance-ID.
pub fn instance(iid: u32) -> [u8; 8] {
    let [_, a, b, c] = iid.to_be_bytes();
    [0x08, 0, 0, 0, a, b, c, 0]
}

/// A packet taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub to: [u8; 6],
    pub from: [u8; 6],
    pub source: IpAddr,
    pub destination: IpAddr,
    pub ttl: u8,
    pub tos: u8,
    pub protocol: u8,
    /// IPv4: DF, MF, offset in bytes, identification.
    pub fragment: Option<(bool, bool, u16, u16)>,
    pub flow_label: u32,
    /// Everything behind the IP header.
    pub payload: Vec<u8>,
    /// The IP packet.
    pub ip: Vec<u8>,
}

/// Takes a frame apart; panics if anything does not fit exactly or a checksum is wrong.
pub fn dissect(frame: &[u8]) -> Seen {
    let ethernet = Ethernet2Header::from_slice(frame).expect("Ethernet").0;
    let mut seen = dissect_ip(&frame[14..]);
    let expected = if seen.source.is_ipv4() { 0x0800 } else { 0x86DD };
    assert_eq!(ethernet.ether_type.0, expected, "EtherType");
    (seen.to, seen.from) = (ethernet.destination, ethernet.source);
    seen
}

/// The same for an IP packet.
pub fn dissect_ip(packet: &[u8]) -> Seen {
    SlicedPacket::from_ip(packet).expect("etherparse takes the packet apart");
    let blank = |source, destination| Seen {
        to: [0; 6],
        from: [0; 6],
        source,
        destination,
        ttl: 0,
        tos: 0,
        protocol: 0,
        fragment: None,
        flow_label: 0,
        payload: vec![],
        ip: packet.to_vec(),
    };
    if packet[0] >> 4 == 4 {
        let (header, payload) = Ipv4Header::from_slice(packet).expect("IPv4");
        assert_eq!(header.header_checksum, header.calc_header_checksum(), "IPv4 header checksum");
        assert_eq!(usize::from(header.total_len), packet.len(), "IPv4 total length");
        let fragment = (
            header.dont_fragment,
            header.more_fragments,
            header.fragment_offset.byte_offset(),
            header.identification,
        );
        Seen {
            ttl: header.time_to_live,
            tos: header.dscp.value() << 2 | header.ecn.value(),
            protocol: header.protocol.0,
            fragment: Some(fragment),
            payload: payload.to_vec(),
            ..blank(header.source.into(), header.destination.into())
        }
    } else {
        let (header, payload) = Ipv6Header::from_slice(packet).expect("IPv6");
        assert_eq!(40 + usize::from(header.payload_length), packet.len(), "IPv6 payload length");
        Seen {
            ttl: header.hop_limit,
            tos: header.traffic_class,
            protocol: header.next_header.0,
            flow_label: header.flow_label.value(),
            payload: payload.to_vec(),
            ..blank(header.source.into(), header.destination.into())
        }
    }
}

/// A LISP data packet taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LispSeen {
    pub source_port: u16,
    pub header: [u8; 8],
    pub inner: Vec<u8>,
}

impl Seen {
    /// What the LISP packet carries; panics if it is none or its lengths do not agree.
    pub fn lisp(&self) -> LispSeen {
        assert_eq!(self.protocol, 17, "UDP");
        let (udp, rest) = UdpHeader::from_slice(&self.payload).expect("UDP");
        assert_eq!(udp.destination_port, 4341);
        assert_eq!(usize::from(udp.length), self.payload.len(), "UDP length");
        assert_eq!(udp.checksum, 0, "no checksum (R-134)");
        let (header, inner) = rest.split_at(8);
        LispSeen { source_port: udp.source_port, header: header.try_into().unwrap(), inner: inner.to_vec() }
    }
}
