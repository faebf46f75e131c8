//! The first step of the way out: which packets are plain, and what is to be known of them.

use super::columns::{self, Column, FEW, Heads, Pairs, bit, pair, read, word, write};
use super::lanes::each;
use super::outbound::{Lane, Marks, Outbound};
use super::plain;
use crate::buffer::PacketBuf;
use crate::feed::PortSpec;
use crate::io::{BURST, PacketBurst};
use crate::lpm::{Key4, Key6};
use crate::path::address::{self, Kind};
use crate::path::flow::FlowKey;
use crate::replica::Replica;
use crate::wire::bytes::{be32, chunk};
use crate::wire::{ethernet, ipv6, lisp, proto};

/// Bytes that a plain frame has at least: to the ports.
const LEN_V4: usize = ethernet::LEN + columns::HEAD;
const LEN_V6: usize = ethernet::LEN + ipv6::LEN + 4;

/// The first bytes of a burst's frames.
#[derive(Debug)]
pub(super) struct Frames {
    /// From the first byte on: whom it is for.
    to: Pairs,
    /// The end of who sent it, and the EtherType.
    kind: Column,
    /// Whole length.
    total: Column,
    heads: Heads,
}

/// Sets of packets by number.
struct Sets {
    /// Plain IPv4 packets.
    v4: u32,
    /// What is IPv6 by its EtherType.
    v6: u32,
}

/// What packets of a burst are compared with.
struct Door<'a> {
    tables: &'a Replica,
    key: &'a FlowKey,
    mac: [u32; 2],
    own4: u32,
    own6: Key6,
    underlay: bool,
}

impl Outbound {
    /// Finds the plain packets and gathers their keys.
    #[inline(never)]
    pub(super) fn look<P: PacketBurst>(
        &mut self,
        (tables, key): (&Replica, &FlowKey),
        burst: &P,
        port: &PortSpec,
        settled: u32,
    ) {
        let [a, b, c, d, e, f] = port.mac.0;
        let door = Door {
            tables,
            key,
            mac: [u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, 0, 0])],
            own4: port.ipv4.map_or(0, |own| own.to_bits()),
            own6: port.ipv6.map_or(Key6::default(), Key6::from),
            underlay: port.underlay,
        };
        let count = burst.len().min(BURST);
        self.frames.take(burst, count);
        self.v6.clear();
        let sets = if count <= FEW { self.look_v4::<FEW>(&door) } else { self.look_v4::<BURST>(&door) };
        let all = ((1_u64 << count) - 1) as u32 & !settled;
        let mut v4 = sets.v4 & all;
        if door.underlay {
            v4 &= !self.for_us(v4, tables);
        }
        if key.looks_into(proto::GRE) || key.looks_into(proto::ESP) {
            v4 &= !self.are_tunnels(key);
        }
        self.v4.settle(v4, count);
        if sets.v6 & all != 0 {
            self.look_v6(&door, burst, sets.v6 & all);
        }
    }

    #[inline(always)]
    fn look_v4<const N: usize>(&mut self, door: &Door<'_>) -> Sets {
        let mut sets = Sets { v4: 0, v6: 0 };
        let frames = &self.frames;
        let (keys, lanes) = self.v4.columns();
        let [mac, tail] = door.mac;
        let (v4, v6) = (tail | in_kind(ethernet::IPV4), tail | in_kind(ethernet::IPV6));
        let (key, own) = (*door.key, door.own4);
        for at in 0..N {
            let (head, [to, rest]) = (frames.heads.get(at), read(&frames.to, at));
            let kind = rest & 0xFFFF | read(&frames.kind, at) & 0xFFFF_0000;
            let available = read(&frames.total, at).wrapping_sub(ethernet::LEN as u32);
            let goes = (head.ttl_v4() > 1) & (head.source_v4() != own) & !head.is_lisp_v4();
            let plain = head.is_plain_v4(available) & goes;
            sets.v4 |= bit(at, (to == mac) & (kind == v4) & plain);
            sets.v6 |= bit(at, (to == mac) & (kind == v6));
            let (source, destination) = (head.source_v4(), head.destination_v4());
            let hash = key.flow_v4(source, destination, head.protocol_v4(), head.ports_v4());
            write(&mut lanes.hash, at, hash);
            write(&mut lanes.marks, at, head.marks_v4());
            write(&mut lanes.hop, at, head.hop_v4());
            write(keys, at, Key4(destination));
            write(&mut lanes.at, at, at as u8);
        }
        sets
    }

    /// Those of the set that are for one of our RLOCs.
    #[inline(never)]
    fn for_us(&mut self, set: u32, tables: &Replica) -> u32 {
        let (keys, _) = self.v4.columns();
        let ours = each(set).filter(|at| tables.is_local_rloc4(read(keys, *at)));
        ours.fold(0, |set, at| set | 1 << at)
    }

    /// IPv4 packets whose flow is more than addresses and ports.
    #[inline(never)]
    fn are_tunnels(&self, key: &FlowKey) -> u32 {
        let tunnels = |at: &usize| key.looks_into(self.frames.heads.get(*at).protocol_v4() as u8);
        (0..BURST).filter(tunnels).fold(0, |set, at| set | 1 << at)
    }

    /// The plain ones of the IPv6 packets in the set.
    #[inline(never)]
    fn look_v6<P: PacketBurst>(&mut self, door: &Door<'_>, burst: &P, six: u32) {
        let (mut plain, mut marks) = (0, [0; BURST]);
        for at in 0..BURST {
            let head = self.frames.heads.get(at);
            let available = read(&self.frames.total, at).wrapping_sub(ethernet::LEN as u32);
            plain |= bit(at, head.is_plain_v6(available) & (head.ttl_v6() > 1));
            write(&mut marks, at, head.marks_v6());
        }
        for at in each(plain & six) {
            let protocol = self.frames.heads.get(at).protocol_v6() as u8;
            let h = burst.get(at).and_then(|buf| buf.data().first_chunk());
            if let Some((destination, hash)) = h.and_then(|h| door.look_v6(h, protocol)) {
                let (marks, hop) = (Marks(read(&marks, at)), self.frames.heads.get(at).hop_v6());
                self.v6.add(destination, Lane { hash, marks, hop, at: at as u8 });
            }
        }
    }
}

impl Door<'_> {
    /// Destination and flow hash of a packet that is plain but for its addresses and ports.
    #[inline(always)]
    fn look_v6(&self, h: &[u8; LEN_V6], protocol: u8) -> Option<(Key6, u32)> {
        const SOURCE: usize = ethernet::LEN + 8;
        let half = |at: usize| chunk(h, SOURCE + at).map_or(0, |bytes| u64::from_be_bytes(*bytes));
        let (source, destination) =
            (Key6 { high: half(0), low: half(8) }, Key6 { high: half(16), low: half(24) });
        let ordinary =
            address::kind_v6(source) == Kind::Unicast && address::kind_v6(destination) == Kind::Unicast;
        let ports = plain::ports(protocol, be32(h, LEN_V6 - 4)?, self.key)?;
        if !ordinary || source == self.own6 || is_lisp(protocol, ports) {
            return None;
        }
        if self.underlay && self.tables.is_local_rloc6(destination) {
            return None;
        }
        Some((destination, self.key.flow_v6(source, destination, u32::from(protocol), ports)))
    }
}

impl Frames {
    pub(super) const fn new() -> Self {
        Self { to: [[0; 2]; BURST], kind: [0; BURST], total: [0; BURST], heads: Heads::new() }
    }

    /// Takes the first bytes of `count` packets.
    #[inline(always)]
    fn take<P: PacketBurst>(&mut self, burst: &P, count: usize) {
        for at in 0..count {
            let Some(buf) = burst.get(at) else { break };
            match buf.data().first_chunk::<LEN_V4>() {
                Some(h) => {
                    write(&mut self.to, at, pair(h, 0));
                    write(&mut self.kind, at, word(h, ethernet::LEN - 4));
                    write(&mut self.total, at, buf.total_len() as u32);
                    self.heads.put(at, h, ethernet::LEN);
                }
                None => self.heads.blank(at),
            }
        }
    }
}

/// LISP data, perhaps nested: not plain.
#[inline(always)]
fn is_lisp(protocol: u8, ports: u32) -> bool {
    ports as u16 == lisp::DATA_PORT && protocol == proto::UDP
}

/// An EtherType where [`Frames::kind`] has it.
const fn in_kind(ethertype: u16) -> u32 {
    (ethertype.swap_bytes() as u32) << 16
}
