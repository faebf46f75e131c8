//! Packets that wait for a mapping, an underlay next hop or a neighbour.
//!
//! Bounded three ways: packets per key, packets in all, time. When one of the first two is reached
//! the oldest packet makes room, but only so often: in a flood of misses a packet that waits is worth more
//! than the next one that comes, which is turned away. Everything is allocated when the table is made.

use crate::path::route::Context;
use crate::replica::Touched;
use crate::types::{Eid, PortId};
use crate::verdict::HoldKey;
use std::cmp::Ordering;
use std::net::{IpAddr, Ipv6Addr};

/// Bounds of a [`HoldTable`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldLimits {
    /// Packets that wait for one mapping, next hop or neighbour.
    pub packets_per_key: usize,
    /// Packets that wait in all, up to [`HoldLimits::MAX_PACKETS`].
    pub packets: usize,
    /// How long a packet may wait. The default is longer than the three seconds in which a kernel gives
    /// up on a silent neighbour: the packets are then answered by ICMP rather than dropped.
    pub timeout_ms: u64,
}

impl HoldLimits {
    /// Most packets that a table holds, whatever the configuration says: it bounds the work of a
    /// worker that is flooded with misses.
    pub const MAX_PACKETS: usize = 16_384;
}

impl Default for HoldLimits {
    fn default() -> Self {
        Self { packets_per_key: 4, packets: 1024, timeout_ms: 4000 }
    }
}

/// A packet that waits, or waited.
#[derive(Debug)]
pub struct Held<B> {
    /// 14 bytes for an Ethernet header, then the IP packet.
    pub buf: B,
    /// What besides its bytes decides its way.
    pub cx: Context,
    /// Tick at which it began to wait; kept when it waits again for something else.
    pub since: u64,
}

/// What came of holding a packet.
#[derive(Debug)]
pub struct HeldNow<B> {
    /// The packet that had to make room.
    pub evicted: Option<Held<B>>,
    /// The packet itself, turned away.
    pub refused: Option<Held<B>>,
    /// Ask control for what the packet waits for: the first time, and again each second.
    pub ask: bool,
}

/// How often packets may make room: per second so many times what the table holds, so that in a flood one
/// that waits does so for a sixteenth of a second at least, time for a mapping to come.
const TURNOVER: u64 = 16;
/// How many may make room at once.
const EVICTIONS_AT_ONCE: u64 = 64;

/// A limit on evictions: the tick at which the next one is due, and how far that may lie ahead.
#[derive(Clone, Copy, Debug)]
struct Evictions {
    interval: u64,
    due: u64,
}

impl Evictions {
    fn new(packets: usize, hz: u64) -> Self {
        Self { interval: hz / (TURNOVER * packets as u64).max(1), due: 0 }
    }

    /// How many are allowed now.
    const fn allowed(&self, now: u64) -> u64 {
        let until = now.saturating_add(self.interval * EVICTIONS_AT_ONCE);
        if self.due > until {
            return 0;
        }
        let first = if self.due > now { self.due } else { now };
        match (until - first).checked_div(self.interval) {
            Some(more) => 1 + more,
            None => u64::MAX,
        }
    }

    const fn is_allowed(&self, now: u64) -> bool {
        self.due <= now.saturating_add(self.interval * EVICTIONS_AT_ONCE)
    }

    fn count(&mut self, now: u64) {
        self.due = self.due.max(now).saturating_add(self.interval);
    }
}

/// "None" in the links.
const END: u32 = u32::MAX;

/// A place for a packet, linked into its key's queue and into the queue of all packets.
#[derive(Debug)]
struct Node<B> {
    held: Option<Held<B>>,
    row: u32,
    next_in_row: u32,
    older: u32,
    newer: u32,
}

/// What packets wait for. A row has at least one packet or is free.
#[derive(Clone, Copy, Debug)]
struct Row {
    key: HoldKey,
    first: u32,
    last: u32,
    count: usize,
    asked: u64,
}

/// The packets of one worker that wait.
#[derive(Debug)]
pub struct HoldTable<B> {
    nodes: Vec<Node<B>>,
    free_nodes: Vec<u32>,
    rows: Vec<Row>,
    free_rows: Vec<u32>,
    /// Rows in use, by key: 4 bytes each, so that an insertion moves little memory.
    order: Vec<u32>,
    oldest: u32,
    newest: u32,
    per_key: usize,
    timeout: u64,
    ask_again: u64,
    evictions: Evictions,
}

impl<B> HoldTable<B> {
    /// An empty table for a clock of `hz` ticks a second.
    pub fn new(limits: HoldLimits, hz: u64) -> Self {
        let packets = limits.packets.clamp(1, HoldLimits::MAX_PACKETS);
        let node = || Node { held: None, row: END, next_in_row: END, older: END, newer: END };
        let row = Row {
            key: HoldKey::Neighbour(PortId(0), IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
            first: END,
            last: END,
            count: 0,
            asked: 0,
        };
        Self {
            nodes: std::iter::repeat_with(node).take(packets).collect(),
            free_nodes: (0..packets as u32).rev().collect(),
            rows: vec![row; packets],
            free_rows: (0..packets as u32).rev().collect(),
            order: Vec::with_capacity(packets),
            oldest: END,
            newest: END,
            per_key: limits.packets_per_key.max(1),
            timeout: crate::clock::ticks(hz, limits.timeout_ms),
            ask_again: hz,
            evictions: Evictions::new(packets, hz),
        }
    }

    /// Packets that wait.
    pub fn len(&self) -> usize {
        self.nodes.len() - self.free_nodes.len()
    }

    /// No packet waits.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Of all packets that come now for want of a mapping those after so many are turned away, whatever becomes of
    /// the first ones.
    #[inline]
    pub const fn openings(&self, now: u64) -> u64 {
        if self.free_nodes.is_empty() { self.evictions.allowed(now) } else { u64::MAX }
    }

    /// Keeps a packet for `key`.
    pub fn hold(&mut self, key: HoldKey, packet: Held<B>, now: u64) -> HeldNow<B> {
        let full_row =
            self.find(&key).ok().and_then(|at| self.row(at)).filter(|row| row.count >= self.per_key);
        let make_room = match full_row {
            Some(row) => row.first,
            None if self.free_nodes.is_empty() => self.oldest,
            None => END,
        };
        if make_room != END {
            // What waits for anything but a mapping is rare, and no stranger can make it come in floods.
            if matches!(key, HoldKey::Eid(_)) && !self.evictions.is_allowed(now) {
                return HeldNow { evicted: None, refused: Some(packet), ask: false };
            }
            self.evictions.count(now);
        }
        // Taking a packet out may remove its row and move the others: look the key up afterwards.
        let evicted = self.take(make_room);
        let (row, new) = match self.find(&key) {
            Ok(at) => (self.order.get(at).copied(), false),
            Err(at) => (self.add_row(at, key), true),
        };
        let (Some(row), Some(node)) = (row, self.free_nodes.pop()) else {
            // Cannot be: a place was made above, and there are as many rows as places.
            return HeldNow { evicted, refused: Some(packet), ask: false };
        };
        self.link(node, row, packet);
        let ask_again = self.ask_again;
        let ask = self.rows.get_mut(row as usize).is_some_and(|row| {
            let ask = new || now.saturating_sub(row.asked) >= ask_again;
            if ask {
                row.asked = now;
            }
            ask
        });
        HeldNow { evicted, refused: None, ask }
    }

    /// Takes out all packets that a change concerns, in the order in which they came per key.
    pub fn release(&mut self, touched: &Touched, out: &mut Vec<Held<B>>) {
        match *touched {
            Touched::Mapping { vrf, prefix } => {
                let eid = |addr| HoldKey::Eid(Eid { vrf, addr });
                self.release_range(eid(prefix.network()), eid(prefix.broadcast()), out, |_| true);
            }
            Touched::Route { prefix, .. } => {
                // Neighbours sort after everything else, by port and address: a host route is
                // looked for in each port's part.
                let least = HoldKey::Neighbour(PortId(0), IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED));
                let most = HoldKey::Neighbour(PortId(u16::MAX), IpAddr::V6(Ipv6Addr::from_bits(u128::MAX)));
                self.release_range(
                    least,
                    most,
                    out,
                    |key| matches!(key, HoldKey::Neighbour(_, addr) if prefix.contains(&addr)),
                );
            }
            Touched::Rloc(id) => self.release_key(HoldKey::Rloc(id), out),
            Touched::Adjacency(id) => self.release_key(HoldKey::Adjacency(id), out),
            Touched::Abandon(eid) => self.release_key(HoldKey::Eid(eid), out),
        }
    }

    /// Takes out all packets whose time is over. A packet that began to wait for something else
    /// stands behind those that came meanwhile and may stay until they go.
    pub fn expire(&mut self, now: u64, out: &mut Vec<Held<B>>) {
        let timeout = self.timeout;
        let over = |held: &Held<B>| now.saturating_sub(held.since) >= timeout;
        while self.nodes.get(self.oldest as usize).and_then(|node| node.held.as_ref()).is_some_and(over) {
            out.extend(self.take(self.oldest));
        }
    }

    fn release_key(&mut self, key: HoldKey, out: &mut Vec<Held<B>>) {
        self.release_range(key, key, out, |_| true);
    }

    fn release_range(
        &mut self,
        from: HoldKey,
        to: HoldKey,
        out: &mut Vec<Held<B>>,
        wanted: impl Fn(HoldKey) -> bool,
    ) {
        if self.order.is_empty() {
            return;
        }
        let mut at = self.find(&from).unwrap_or_else(|at| at);
        while let Some(row) = self.row(at).copied().filter(|row| row.key <= to) {
            match wanted(row.key) {
                // The row goes with its last packet, and the next one takes its place.
                true => out.extend(self.take(row.first)),
                false => at += 1,
            }
        }
    }

    fn row(&self, at: usize) -> Option<&Row> {
        self.rows.get(*self.order.get(at)? as usize)
    }

    /// Position of a key in `order`, or where it belongs.
    fn find(&self, key: &HoldKey) -> Result<usize, usize> {
        self.order.binary_search_by(|row| {
            self.rows.get(*row as usize).map_or(Ordering::Less, |row| row.key.cmp(key))
        })
    }

    fn add_row(&mut self, at: usize, key: HoldKey) -> Option<u32> {
        let number = self.free_rows.pop()?;
        let row = self.rows.get_mut(number as usize)?;
        *row = Row { key, first: END, last: END, count: 0, asked: 0 };
        self.order.insert(at, number);
        Some(number)
    }

    /// Puts a packet at the end of its row and of the queue of all.
    fn link(&mut self, number: u32, row_number: u32, packet: Held<B>) {
        let older = self.newest;
        if let Some(node) = self.nodes.get_mut(number as usize) {
            *node = Node { held: Some(packet), row: row_number, next_in_row: END, older, newer: END };
        }
        match self.nodes.get_mut(older as usize) {
            Some(node) => node.newer = number,
            None => self.oldest = number,
        }
        self.newest = number;
        let Some(row) = self.rows.get_mut(row_number as usize) else { return };
        row.count += 1;
        match self.nodes.get_mut(row.last as usize) {
            Some(node) => node.next_in_row = number,
            None => row.first = number,
        }
        row.last = number;
    }

    /// Takes out a packet and its row with it if it was the last. In its row it is always the
    /// first: rows are filled at the end, and both evictions and releases take the oldest.
    fn take(&mut self, number: u32) -> Option<Held<B>> {
        let node = self.nodes.get_mut(number as usize)?;
        let held = node.held.take()?;
        let (row_number, next, older, newer) = (node.row, node.next_in_row, node.older, node.newer);
        match self.nodes.get_mut(older as usize) {
            Some(node) => node.newer = newer,
            None => self.oldest = newer,
        }
        match self.nodes.get_mut(newer as usize) {
            Some(node) => node.older = older,
            None => self.newest = older,
        }
        self.free_nodes.push(number);
        if let Some(row) = self.rows.get_mut(row_number as usize) {
            row.first = next;
            row.count -= 1;
            if next == END {
                row.last = END;
                let key = row.key;
                if let Ok(at) = self.find(&key) {
                    self.order.remove(at);
                    self.free_rows.push(row_number);
                }
            }
        }
        Some(held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::route::Origin;
    use crate::types::{RlocId, VrfId};
    use proptest::prelude::*;

    fn packet(number: u32, since: u64) -> Held<u32> {
        let cx = Context { vrf: VrfId(0), port: PortId(0), origin: Origin::Native };
        Held { buf: number, cx, since }
    }

    fn eid(n: u8) -> HoldKey {
        HoldKey::Eid(Eid { vrf: VrfId(0), addr: IpAddr::from([10, 0, n / 16, n]) })
    }

    fn table(per_key: usize, packets: usize) -> HoldTable<u32> {
        HoldTable::new(HoldLimits { packets_per_key: per_key, packets, timeout_ms: 1000 }, 1000)
    }

    #[test]
    fn in_a_flood_who_waits_is_not_pushed_out_by_everybody() {
        let mut table = table(4, 16);
        let key = |n: u32| HoldKey::Eid(Eid { vrf: VrfId(0), addr: IpAddr::V4(n.into()) });
        let flood = |table: &mut HoldTable<u32>, numbers: std::ops::Range<u32>, now| {
            let held: Vec<_> = numbers.map(|n| table.hold(key(n), packet(n, now), now)).collect();
            let count = |what: fn(&HeldNow<u32>) -> bool| held.iter().filter(|held| what(held)).count();
            (count(|held| held.evicted.is_some()), count(|held| held.refused.is_some() && !held.ask))
        };
        assert_eq!(flood(&mut table, 0..16, 1000), (0, 0));
        assert_eq!(table.openings(1000), 65);
        // At 1000 ticks a second one eviction each 3 ticks, and 64 at once.
        assert_eq!(flood(&mut table, 16..1000, 1000), (65, 984 - 65));
        assert_eq!((table.openings(1000), table.len()), (0, 16));
        let opens = (1000..).find(|now| table.openings(*now) > 0).unwrap();
        assert_eq!((opens, table.openings(opens)), (1003, 1));
        assert_eq!(flood(&mut table, 1000..2000, 1300), (65, 935));
        let mut out = Vec::new();
        table.release(&Touched::Mapping { vrf: VrfId(0), prefix: "0.0.0.0/0".parse().unwrap() }, &mut out);
        assert_eq!(numbers(out), (1049..1065).collect::<Vec<_>>());
        assert_eq!(table.openings(1300), u64::MAX, "there is room");
    }

    fn numbers(held: Vec<Held<u32>>) -> Vec<u32> {
        held.into_iter().map(|held| held.buf).collect()
    }

    #[test]
    fn only_what_a_change_concerns_is_released() {
        let mut table = table(4, 16);
        let neighbour = |port, last| HoldKey::Neighbour(PortId(port), IpAddr::from([192, 0, 2, last]));
        let keys =
            [eid(1), eid(17), HoldKey::Rloc(RlocId(1)), neighbour(0, 1), neighbour(3, 1), neighbour(3, 2)];
        for (number, key) in keys.into_iter().enumerate() {
            table.hold(key, packet(number as u32, 0), 0);
        }
        let mut release = |touched| {
            let mut out = Vec::new();
            table.release(&touched, &mut out);
            numbers(out)
        };
        let vrf = VrfId(0);
        assert_eq!(release(Touched::Mapping { vrf: VrfId(1), prefix: "0.0.0.0/0".parse().unwrap() }), []);
        assert_eq!(release(Touched::Mapping { vrf, prefix: "::/0".parse().unwrap() }), []);
        assert_eq!(release(Touched::Mapping { vrf, prefix: "10.0.1.0/24".parse().unwrap() }), [1]);
        assert_eq!(release(Touched::Route { vrf, prefix: "192.0.2.1/32".parse().unwrap() }), [3, 4]);
        assert_eq!(release(Touched::Rloc(RlocId(2))), []);
        assert_eq!(release(Touched::Rloc(RlocId(1))), [2]);
        assert_eq!(release(Touched::Abandon(Eid { vrf, addr: IpAddr::from([10, 0, 0, 1]) })), [0]);
        assert_eq!(table.len(), 1);
    }

    #[test]
    fn the_table_never_holds_more_than_the_absolute_limit() {
        let limits = HoldLimits { packets_per_key: 1, packets: usize::MAX, timeout_ms: 1 };
        assert_eq!(HoldTable::<u32>::new(limits, 1000).nodes.len(), HoldLimits::MAX_PACKETS);
    }

    #[derive(Clone, Debug)]
    enum Act {
        Hold(u8),
        Release(u8, u8),
        Pass(u16),
    }

    fn acts() -> impl Strategy<Value = Vec<Act>> {
        let act = prop_oneof![
            4 => (0u8..40).prop_map(Act::Hold),
            1 => (0u8..3, 24u8..=32).prop_map(|(block, len)| Act::Release(block, len)),
            1 => (0u16..600).prop_map(Act::Pass),
        ];
        proptest::collection::vec(act, 0..200)
    }

    proptest! {
        /// Against the obvious twin: a list of (key, packet, since) in order of arrival.
        #[test]
        fn it_behaves_like_a_list(acts in acts(), per_key in 1usize..5, packets in 1usize..12) {
            let mut table = table(per_key, packets);
            table.evictions.interval = 0;
            let mut list: Vec<(HoldKey, u32, u64)> = Vec::new();
            let (mut now, mut next) = (0u64, 0u32);
            for act in acts {
                let mut out = Vec::new();
                match act {
                    Act::Hold(n) => {
                        let result = table.hold(eid(n), packet(next, now), now);
                        let same = list.iter().filter(|(key, ..)| *key == eid(n)).count();
                        let victim = if same >= per_key {
                            list.iter().position(|(key, ..)| *key == eid(n))
                        } else {
                            (list.len() >= packets).then_some(0)
                        };
                        let evicted = victim.map(|at| list.remove(at).1);
                        prop_assert_eq!(result.evicted.map(|held| held.buf), evicted);
                        list.push((eid(n), next, now));
                        next += 1;
                    }
                    Act::Release(block, len) => {
                        let prefix = ipnet::IpNet::new(IpAddr::from([10, 0, block, block * 16]), len).unwrap();
                        table.release(&Touched::Mapping { vrf: VrfId(0), prefix }, &mut out);
                        let inside = |key: &HoldKey| matches!(key, HoldKey::Eid(eid) if prefix.contains(&eid.addr));
                        let mut gone: Vec<_> = list.iter().filter(|(key, ..)| inside(key)).copied().collect();
                        list.retain(|(key, ..)| !inside(key));
                        // By key, and within a key in order of arrival.
                        gone.sort_by_key(|(key, number, _)| (*key, *number));
                        prop_assert_eq!(numbers(out), gone.iter().map(|(_, number, _)| *number).collect::<Vec<_>>());
                    }
                    Act::Pass(ticks) => {
                        now += u64::from(ticks);
                        table.expire(now, &mut out);
                        let over = |since: &u64| now - since >= 1000;
                        let gone: Vec<_> = list.iter().filter(|(.., since)| over(since)).map(|(_, n, _)| *n).collect();
                        list.retain(|(.., since)| !over(since));
                        prop_assert_eq!(numbers(out), gone);
                    }
                }
                prop_assert_eq!(table.len(), list.len());
                prop_assert_eq!(table.is_empty(), list.is_empty());
            }
        }
    }
}
