//! The first step of the way out: which packets are plain, and what is to be known of them.

use super::columns::{self, Column, FEW, Heads, Pairs, bit, pair, read, word, write};
use super::columns_v6::Tails;
use super::lanes::each;
use super::outbound::Outbound;
use crate::buffer::PacketBuf;
use crate::feed::PortSpec;
use crate::io::{BURST, PacketBurst};
use crate::lpm::{Key4, Key6};
use crate::path::address::{self, Kind};
use crate::path::flow::FlowKey;
use crate::replica::Replica;
use crate::wire::bytes::be16;
use crate::wire::{ethernet, ipv6, proto};

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
    tails: Tails,
}

/// Sets of packets by number.
#[derive(Clone, Copy)]
struct Sets {
    /// Plain packets of the family that was asked for.
    plain: u32,
    /// What is of the other family by its EtherType, and for us.
    others: u32,
}

/// What packets of a burst are compared with.
struct Door<'a> {
    tables: &'a Replica,
    key: &'a FlowKey,
    mac: [u32; 2],
    own4: u32,
    own6: [u32; 4],
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
        let own6 = port.ipv6.map_or([0; 16], |own| own.octets());
        let door = Door {
            tables,
            key,
            mac: [u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, 0, 0])],
            own4: port.ipv4.map_or(0, |own| own.to_bits()),
            own6: [0, 4, 8, 12].map(|at| word(&own6, at)),
            underlay: port.underlay,
        };
        let count = burst.len().min(BURST);
        let all = ((1_u64 << count) - 1) as u32 & !settled;
        // Most bursts are of one family, and the first packet tells which.
        let first =
            burst.get(all.trailing_zeros() as usize).and_then(|buf| be16(buf.data(), ethernet::LEN - 2));
        let (v4, v6) = if first != Some(ethernet::IPV6) {
            let _ = self.frames.take::<false, _>(burst, count);
            let sets = self.read_v4(&door, count);
            let mut v6 = sets.others & all;
            if v6 != 0 {
                v6 &= self.frames.take_tails(burst, v6);
                v6 &= self.read_v6(&door, count).plain;
            }
            (sets.plain & all, v6)
        } else {
            let whole = self.frames.take::<true, _>(burst, count);
            let sets = self.read_v6(&door, count);
            let v4 = sets.others & all;
            (if v4 != 0 { self.read_v4(&door, count).plain & v4 } else { 0 }, sets.plain & whole & all)
        };
        let (v4, v6) = if door.is_close() { self.look_closer(&door, v4, v6) } else { (v4, v6) };
        self.v4.settle(v4, count);
        self.v6.settle(v6, count);
    }

    /// IPv4 packets, of which there are so many at most.
    #[inline(never)]
    fn read_v4(&mut self, door: &Door<'_>, count: usize) -> Sets {
        if count <= FEW { self.look_v4::<FEW>(door) } else { self.look_v4::<BURST>(door) }
    }

    #[inline(always)]
    fn look_v4<const N: usize>(&mut self, door: &Door<'_>) -> Sets {
        let mut sets = Sets { plain: 0, others: 0 };
        let frames = &self.frames;
        let (keys, lanes) = self.v4.columns();
        let ([mac, v4], v6) = (door.kind(ethernet::IPV4), door.kind(ethernet::IPV6)[1]);
        let (key, own) = (*door.key, door.own4);
        for at in 0..N {
            let (head, (to, kind)) = (frames.heads.get(at), frames.kind(at));
            let goes = (head.ttl() > 1) & (head.source() != own) & !head.is_lisp();
            let plain = head.is_plain(frames.available(at)) & goes;
            sets.plain |= bit(at, (to == mac) & (kind == v4) & plain);
            sets.others |= bit(at, (to == mac) & (kind == v6));
            let (source, destination) = (head.source(), head.destination());
            write(&mut lanes.hash, at, key.flow_v4(source, destination, head.protocol(), head.ports()));
            write(&mut lanes.marks, at, head.marks());
            write(&mut lanes.hop, at, head.hop());
            write(keys, at, Key4(destination));
            write(&mut lanes.at, at, at as u8);
        }
        sets
    }

    /// The same for IPv6 packets.
    #[inline(never)]
    fn read_v6(&mut self, door: &Door<'_>, count: usize) -> Sets {
        if count <= FEW { self.look_v6::<FEW>(door) } else { self.look_v6::<BURST>(door) }
    }

    #[inline(always)]
    fn look_v6<const N: usize>(&mut self, door: &Door<'_>) -> Sets {
        let mut sets = Sets { plain: 0, others: 0 };
        let (mut doubtful, frames) = (0, &self.frames);
        let (keys, lanes) = self.v6.columns();
        let ([mac, v6], v4) = (door.kind(ethernet::IPV6), door.kind(ethernet::IPV4)[1]);
        let (key, own) = (*door.key, door.own6);
        for at in 0..N {
            let (head, (to, kind)) = (frames.tails.get(&frames.heads, at), frames.kind(at));
            let goes = (head.ttl() > 1) & !head.is_from(own) & !head.is_lisp();
            let plain = head.is_plain(frames.available(at)) & goes;
            sets.plain |= bit(at, (to == mac) & (kind == v6) & plain);
            sets.others |= bit(at, (to == mac) & (kind == v4));
            doubtful |= bit(at, head.is_doubtful());
            write(&mut lanes.hash, at, key.flow_v6_of(head.addresses(), head.protocol(), head.ports()));
            write(&mut lanes.marks, at, head.marks());
            write(&mut lanes.hop, at, head.hop());
            write(&mut lanes.at, at, at as u8);
        }
        for at in 0..N {
            write(keys, at, frames.tails.destination(at));
        }
        if sets.plain & doubtful != 0 {
            sets.plain &= !self.frames.not_unicast_v6(sets.plain & doubtful);
        }
        sets
    }

    /// What is left of the sets without those that are for one of our RLOCs, or whose flow is more than addresses
    /// and ports.
    #[inline(never)]
    fn look_closer(&mut self, door: &Door<'_>, v4: u32, v6: u32) -> (u32, u32) {
        let Self { v4: four, v6: six, frames, .. } = self;
        let Frames { heads, tails, .. } = frames;
        let (four, six) = (&*four.columns().0, &*six.columns().0);
        let is_plain = |ours: bool, protocol: u32| !ours && !door.key.looks_into(protocol as u8);
        let stays_v4 = |at: &usize| {
            let ours = door.underlay && door.tables.is_local_rloc4(read(four, *at));
            is_plain(ours, heads.get(*at).protocol())
        };
        let stays_v6 = |at: &usize| {
            let ours = door.underlay && door.tables.is_local_rloc6(read(six, *at));
            is_plain(ours, tails.get(heads, *at).protocol())
        };
        (all_of(each(v4).filter(stays_v4)), all_of(each(v6).filter(stays_v6)))
    }
}

/// The set of these.
#[inline(always)]
fn all_of(numbers: impl Iterator<Item = usize>) -> u32 {
    numbers.fold(0, |set, at| set | 1 << (at & 31))
}

impl Door<'_> {
    /// What [`Frames::kind`] is of packets of this EtherType for this port alone.
    #[inline(always)]
    const fn kind(&self, ethertype: u16) -> [u32; 2] {
        let [mac, tail] = self.mac;
        [mac, tail | (ethertype.swap_bytes() as u32) << 16]
    }

    /// Something is to be asked of packets one by one.
    #[inline(always)]
    const fn is_close(&self) -> bool {
        self.underlay || self.key.looks_into(proto::GRE) || self.key.looks_into(proto::ESP)
    }
}

impl Frames {
    pub(super) const fn new() -> Self {
        Self {
            to: [[0; 2]; BURST],
            kind: [0; BURST],
            total: [0; BURST],
            heads: Heads::new(),
            tails: Tails::new(),
        }
    }

    /// The first bytes of whom it is for; the last ones, and the EtherType.
    #[inline(always)]
    fn kind(&self, at: usize) -> (u32, u32) {
        let [to, rest] = read(&self.to, at);
        (to, rest & 0xFFFF | read(&self.kind, at) & 0xFFFF_0000)
    }

    /// Bytes behind the Ethernet header.
    #[inline(always)]
    fn available(&self, at: usize) -> u32 {
        read(&self.total, at).wrapping_sub(ethernet::LEN as u32)
    }

    /// Takes the first bytes of `count` packets, those of IPv6 packets if so wanted. Returns which are long enough.
    #[inline(always)]
    fn take<const V6: bool, P: PacketBurst>(&mut self, burst: &P, count: usize) -> u32 {
        let mut whole = u32::MAX;
        for at in 0..count {
            let Some(buf) = burst.get(at) else { break };
            if V6 {
                if let Some(h) = buf.data().first_chunk::<LEN_V6>() {
                    self.put(at, h, buf.total_len());
                    self.tails.put(at, h, ethernet::LEN);
                    continue;
                }
                whole &= !(1 << at);
            }
            match buf.data().first_chunk::<LEN_V4>() {
                Some(h) => self.put(at, h, buf.total_len()),
                None => self.heads.blank(at),
            }
        }
        whole
    }

    #[inline(always)]
    fn put<const N: usize>(&mut self, at: usize, h: &[u8; N], total: usize) {
        write(&mut self.to, at, pair(h, 0));
        write(&mut self.kind, at, word(h, ethernet::LEN - 4));
        write(&mut self.total, at, total as u32);
        self.heads.put(at, h, ethernet::LEN);
    }

    /// Takes what IPv6 packets have more, of those in the set. Returns which are long enough.
    #[inline(never)]
    fn take_tails<P: PacketBurst>(&mut self, burst: &P, set: u32) -> u32 {
        let mut whole = 0;
        for at in each(set) {
            if let Some(h) = burst.get(at).and_then(|buf| buf.data().first_chunk::<LEN_V6>()) {
                self.tails.put(at, h, ethernet::LEN);
                whole |= 1 << at;
            }
        }
        whole
    }

    /// IPv6 packets of the set that have an address that is not ordinary.
    #[inline(never)]
    fn not_unicast_v6(&self, set: u32) -> u32 {
        let special = |at: &usize| {
            let [a, b, c, d, e, f, g, h] = self.tails.get(&self.heads, *at).addresses();
            let half = |high: u32, low: u32| u64::from(high) << 32 | u64::from(low);
            let keys = [[half(a, b), half(c, d)], [half(e, f), half(g, h)]];
            keys.iter().any(|&[high, low]| address::kind_v6(Key6 { high, low }) != Kind::Unicast)
        };
        all_of(each(set).filter(special))
    }
}
