//! The first step of the way out: which packets are plain, and what is to be known of them.

use super::columns::{FEW, NO_ROWS, Rows, bit, groups, read, word, write};
use super::frames::{Frames, LEN, OwnMac, ethertype, take_rows};
use super::head_v6::Head6;
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
use dpdk_sys::ROW;

/// Bytes that a plain IPv6 frame has at least: to the ports.
const LEN_V6: usize = ethernet::LEN + ipv6::LEN + 4;
/// Where its last row begins.
const TAIL: usize = LEN_V6 - ROW;

/// What native packets are read from.
#[derive(Debug)]
pub(super) struct Words {
    frames: Frames,
    /// Of IPv6 packets the row that ends with the ports.
    tails: Rows,
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
    mac: OwnMac,
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
        let own6 = port.ipv6.map_or([0; 16], |own| own.octets());
        let door = Door {
            tables,
            key,
            mac: OwnMac::new(port.mac.0),
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
            let (all, _) = self.words.take::<false, _>((burst, count, all), door.mac);
            let sets = self.read_v4(&door, count);
            let mut v6 = sets.others & all;
            if v6 != 0 {
                v6 &= self.words.take_all_tails(burst);
                v6 &= self.read_v6(&door, count).plain;
            }
            (sets.plain & all, v6)
        } else {
            let (all, whole) = self.words.take::<true, _>((burst, count, all), door.mac);
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
        let frames = &self.words.frames;
        let (keys, lanes) = self.v4.columns();
        let (v4, v6) = (ethertype(ethernet::IPV4), ethertype(ethernet::IPV6));
        let (key, own) = (*door.key, door.own4);
        for at in 0..N {
            let (head, kind) = (frames.head(at), frames.kind(at));
            let goes = (head.ttl() > 1) & (head.source() != own) & !head.is_lisp();
            let plain = head.is_plain(frames.available(at)) & goes;
            sets.plain |= bit(at, (kind == v4) & plain);
            sets.others |= bit(at, kind == v6);
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
        let (mut doubtful, words) = (0, &self.words);
        let (keys, lanes) = self.v6.columns();
        let (v4, v6) = (ethertype(ethernet::IPV4), ethertype(ethernet::IPV6));
        let (key, own) = (*door.key, door.own6);
        for at in 0..N {
            let (head, kind) = (words.head_v6(at), words.frames.kind(at));
            let goes = (head.ttl() > 1) & !head.is_from(own) & !head.is_lisp();
            let plain = head.is_plain(words.frames.available(at)) & goes;
            sets.plain |= bit(at, (kind == v6) & plain);
            sets.others |= bit(at, kind == v4);
            doubtful |= bit(at, head.is_doubtful());
            write(&mut lanes.hash, at, key.flow_v6_of(head.addresses(), head.protocol(), head.ports()));
            write(&mut lanes.marks, at, head.marks());
            write(&mut lanes.hop, at, head.hop());
            write(&mut lanes.at, at, at as u8);
        }
        for at in 0..N {
            write(keys, at, words.head_v6(at).destination());
        }
        if sets.plain & doubtful != 0 {
            sets.plain &= !self.words.not_unicast_v6(sets.plain & doubtful);
        }
        sets
    }

    /// What is left of the sets without those that are for one of our RLOCs, or whose flow is more than addresses
    /// and ports.
    #[inline(never)]
    fn look_closer(&mut self, door: &Door<'_>, v4: u32, v6: u32) -> (u32, u32) {
        let Self { v4: four, v6: six, words, .. } = self;
        let (four, six) = (&*four.columns().0, &*six.columns().0);
        let is_plain = |ours: bool, protocol: u32| !ours && !door.key.looks_into(protocol as u8);
        let stays_v4 = |at: &usize| {
            let ours = door.underlay && door.tables.is_local_rloc4(read(four, *at));
            is_plain(ours, words.frames.head(*at).protocol())
        };
        let stays_v6 = |at: &usize| {
            let ours = door.underlay && door.tables.is_local_rloc6(read(six, *at));
            is_plain(ours, words.head_v6(*at).protocol())
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
    /// Something is to be asked of packets one by one.
    #[inline(always)]
    const fn is_close(&self) -> bool {
        self.underlay || self.key.looks_into(proto::GRE) || self.key.looks_into(proto::ESP)
    }
}

impl Words {
    pub(super) const fn new() -> Self {
        Self { frames: Frames::new(), tails: NO_ROWS }
    }

    /// Takes the first bytes of `count` packets, those of IPv6 packets if so wanted. Returns which of the set are for us,
    /// and which are long enough for IPv6.
    #[inline(always)]
    fn take<const V6: bool, P: PacketBurst>(
        &mut self,
        (burst, count, set): (&P, usize, u32),
        mac: OwnMac,
    ) -> (u32, u32) {
        let (blank, blank_v6, mut differs, mut whole) = (mac.blank::<LEN>(), mac.blank::<LEN_V6>(), 0, 0);
        for first in groups(count) {
            if V6 {
                let (heads, long) = self.frames.heads::<LEN_V6, true, _>(burst, first, &blank_v6);
                if long >> first == 0xFF {
                    differs |= self.frames.take(&heads, first, &blank_v6);
                    take_rows::<TAIL, LEN_V6>(&heads, &mut self.tails, first);
                    whole |= long;
                    continue;
                }
                whole |= self.take_tails(burst, first);
            }
            let (heads, _) = self.frames.heads::<LEN, true, _>(burst, first, &blank);
            differs |= self.frames.take(&heads, first, &blank);
        }
        (set & mac.set(burst, differs), whole)
    }

    /// Takes what IPv6 packets have more, of the eight packets from `first` on. Returns which are long enough.
    #[inline(never)]
    fn take_tails<P: PacketBurst>(&mut self, burst: &P, first: usize) -> u32 {
        let (heads, whole) = self.frames.heads::<LEN_V6, false, _>(burst, first, &[0; LEN_V6]);
        take_rows::<TAIL, LEN_V6>(&heads, &mut self.tails, first);
        whole
    }

    /// The same for all packets, where they were not taken with the first bytes.
    fn take_all_tails<P: PacketBurst>(&mut self, burst: &P) -> u32 {
        groups(burst.len()).fold(0, |whole, first| whole | self.take_tails(burst, first))
    }

    /// The words of an IPv6 packet.
    #[inline(always)]
    fn head_v6(&self, at: usize) -> Head6 {
        let [first, second, a, b, c, d] = self.frames.words(at);
        let Self { tails: [.., f, g, h, ports], frames } = self;
        let destination = [frames.next(at), read(f, at), read(g, at), read(h, at)];
        let [e, f, g, h] = destination;
        Head6::of([first, second], [a, b, c, d, e, f, g, h], read(ports, at))
    }

    /// IPv6 packets of the set that have an address that is not ordinary.
    #[inline(never)]
    fn not_unicast_v6(&self, set: u32) -> u32 {
        let special = |at: &usize| {
            let [a, b, c, d, e, f, g, h] = self.head_v6(*at).addresses();
            let half = |high: u32, low: u32| u64::from(high) << 32 | u64::from(low);
            let keys = [[half(a, b), half(c, d)], [half(e, f), half(g, h)]];
            keys.iter().any(|&[high, low]| address::kind_v6(Key6 { high, low }) != Kind::Unicast)
        };
        all_of(each(set).filter(special))
    }
}
