//! What the express ways share: packets of one family to be looked up together, and which packets are
//! done.

use super::columns::{mask, read, write};
use crate::io::BURST;
use crate::lpm::NO_MATCH;
use crate::types::PortId;

/// Numbers of packets, each in its place.
#[allow(clippy::indexing_slicing, reason = "worked out by the compiler")]
pub(super) const IN_PLACE: [u8; BURST] = {
    let mut places = [0; BURST];
    let mut at = 0;
    while at < BURST {
        places[at] = at as u8;
        at += 1;
    }
    places
};

/// Packets of the burst that are ready to be sent, and where to.
#[derive(Clone, Copy, Debug)]
pub(in crate::worker) struct Done {
    mask: u32,
    /// Packets that would have to wait and can not.
    doomed: u32,
    ports: [PortId; BURST],
    /// Bytes of these packets as they will be sent.
    pub(in crate::worker) bytes: u64,
}

/// Packets that are being done: kept apart from [`Done`] so that a loop has it in registers.
#[derive(Clone, Copy, Default)]
pub(super) struct Doing {
    mask: u32,
    bytes: u64,
}

impl Doing {
    /// Which these are, by their places in the burst.
    #[inline(always)]
    pub(super) const fn set(self) -> u32 {
        self.mask
    }
}

/// The numbers in a set.
#[inline(always)]
pub(super) fn each(set: u32) -> impl Iterator<Item = usize> {
    let mut left = set;
    std::iter::from_fn(move || {
        let first = left.trailing_zeros();
        left &= left.wrapping_sub(1);
        (first < u32::BITS).then_some(first as usize)
    })
}

impl Done {
    /// None yet.
    pub(in crate::worker) const NONE: Self = Self { mask: 0, doomed: 0, ports: [PortId(0); BURST], bytes: 0 };

    /// This packet, of so many bytes now, is to be sent on this port.
    #[inline(always)]
    pub(super) fn add(&mut self, doing: &mut Doing, at: u8, port: PortId, bytes: usize) {
        let at = usize::from(at) % BURST;
        if let Some(place) = self.ports.get_mut(at) {
            *place = port;
        }
        doing.mask |= 1 << at;
        doing.bytes += bytes as u64;
    }

    /// Of a row these packets are to be sent on these ports, of so many bytes in all. `numbers`: which of the
    /// burst they are, where the row has not all of it. Returns how many packets that is.
    #[inline(always)]
    pub(super) fn add_row(
        &mut self,
        sent: u32,
        numbers: Option<&[u8; BURST]>,
        ports: &[PortId; BURST],
        bytes: u64,
    ) -> u64 {
        self.bytes += bytes;
        match numbers {
            // Packets that are not in the mask have no port, whatever is there.
            None => (self.ports, self.mask) = (*ports, self.mask | sent),
            Some(numbers) => self.add_some(sent, numbers, ports),
        }
        u64::from(sent.count_ones())
    }

    #[inline(never)]
    fn add_some(&mut self, sent: u32, numbers: &[u8; BURST], ports: &[PortId; BURST]) {
        for (at, (number, port)) in numbers.iter().zip(ports).enumerate() {
            let number = usize::from(*number) % BURST;
            if sent >> at & 1 != 0 {
                write(&mut self.ports, number, *port);
                self.mask |= 1 << number;
            }
        }
    }

    /// Takes over what was done. Returns how many packets that is.
    #[inline(always)]
    pub(super) fn take_over(&mut self, doing: Doing) -> u64 {
        self.mask |= doing.mask;
        self.bytes += doing.bytes;
        u64::from(doing.mask.count_ones())
    }

    /// Where this packet goes, if it is ready.
    #[inline(always)]
    pub(in crate::worker) fn port(&self, at: usize) -> Option<PortId> {
        self.ports.get(at).copied().filter(|_| self.mask >> (at & 31) & 1 != 0)
    }

    /// These packets are to be dropped: they would have to wait and can not.
    #[inline(always)]
    pub(super) const fn doom(&mut self, set: u32) {
        self.doomed |= set;
    }

    /// Whether this packet is to be dropped.
    #[inline(always)]
    pub(in crate::worker) const fn is_doomed(&self, at: usize) -> bool {
        self.doomed >> (at & 31) & 1 != 0
    }

    /// Which packets are to be dropped.
    #[inline(always)]
    pub(in crate::worker) const fn doomed_set(&self) -> u32 {
        self.doomed
    }

    /// Of so many packets some are to be dropped, and all others go to one port, if there are others. `None`: it is
    /// not so.
    #[inline]
    pub(in crate::worker) fn one_way(&self, count: usize) -> Option<Option<PortId>> {
        if self.doomed == 0 || !self.all(count) {
            return None;
        }
        let first = self.ports.get(self.mask.trailing_zeros() as usize).copied();
        let others = self.ports.iter().enumerate().filter(|(at, _)| self.mask >> at & 1 != 0);
        others.fold(true, |same, (_, port)| same & (Some(*port) == first)).then_some(first)
    }

    /// Packets to be dropped.
    #[inline(always)]
    pub(in crate::worker) const fn doomed(&self) -> u64 {
        self.doomed.count_ones() as u64
    }

    /// Whether nothing more is to be found out about this packet.
    #[inline(always)]
    pub(in crate::worker) const fn is_settled(&self, at: usize) -> bool {
        (self.mask | self.doomed) >> (at & 31) & 1 != 0
    }

    /// Packets that nothing more is to be found out about.
    #[inline(always)]
    pub(super) const fn settled(&self) -> u32 {
        self.mask | self.doomed
    }

    /// So many packets, of so many bytes together, are to be sent on this port.
    #[inline(always)]
    pub(super) fn add_all(&mut self, set: u32, port: PortId, bytes: u64) {
        if self.mask == 0 {
            self.ports = [port; BURST];
        } else {
            for place in each(set) {
                self.ports.get_mut(place).into_iter().for_each(|place| *place = port);
            }
        }
        self.mask |= set;
        self.bytes += bytes;
    }

    /// All of so many packets are settled.
    #[inline(always)]
    pub(in crate::worker) const fn all(&self, count: usize) -> bool {
        (self.mask | self.doomed).count_ones() as usize == count
    }

    /// The port that all of so many packets go to.
    #[inline(always)]
    pub(in crate::worker) fn one_port(&self, count: usize) -> Option<PortId> {
        let [first, ..] = self.ports;
        let mut mixed = 0;
        for (at, port) in (0_u16..).zip(&self.ports) {
            mixed |= if usize::from(at) < count { port.0 ^ first.0 } else { 0 };
        }
        (mixed == 0 && count > 0 && self.mask.count_ones() as usize == count).then_some(first)
    }
}

/// What is known of a packet besides its key.
pub(super) trait Known: Copy {
    /// That of all packets of a burst.
    type Table: Table<Self>;
}

/// What is known of all packets of a burst.
pub(super) trait Table<L> {
    fn new(blank: L) -> Self;
    fn lane(&self, at: usize) -> Option<L>;
    /// The first so many.
    fn lanes(&self, count: usize) -> impl Iterator<Item = L>;
    fn set_lane(&mut self, at: usize, lane: L);
}

/// One behind the other.
impl<L: Copy> Table<L> for [L; BURST] {
    fn new(blank: L) -> Self {
        [blank; BURST]
    }

    #[inline(always)]
    fn lane(&self, at: usize) -> Option<L> {
        self.get(at).copied()
    }

    #[inline(always)]
    fn lanes(&self, count: usize) -> impl Iterator<Item = L> {
        self.get(..count).unwrap_or(&[]).iter().copied()
    }

    #[inline(always)]
    fn set_lane(&mut self, at: usize, lane: L) {
        write(self, at, lane);
    }
}

/// Packets of one family that are plain: the keys that they are looked up by, what else is known of
/// them, and the answers.
#[derive(Debug)]
pub(super) struct Row<K, L: Known> {
    keys: [K; BURST],
    lanes: L::Table,
    found: [u32; BURST],
    count: usize,
}

impl<K: Copy + Default, L: Known> Row<K, L> {
    pub(super) fn new(blank: L) -> Self {
        Self { keys: [K::default(); BURST], lanes: L::Table::new(blank), found: [0; BURST], count: 0 }
    }

    /// Keys and what else is known of a whole burst, to be written; then [`Row::settle`].
    #[inline(always)]
    pub(super) const fn columns(&mut self) -> (&mut [K; BURST], &mut L::Table) {
        (&mut self.keys, &mut self.lanes)
    }

    /// Of what was written for a burst of `count` packets, only these are to stay.
    #[inline(always)]
    pub(super) fn settle(&mut self, set: u32, count: usize) {
        self.count = if set != 0 { count.min(BURST) } else { 0 };
        if u64::from(set) + 1 != 1 << self.count {
            self.pick(set);
        }
    }

    #[inline(never)]
    fn pick(&mut self, set: u32) {
        self.count = 0;
        for at in each(set) {
            if let (Some(key), Some(lane)) = (self.keys.get(at).copied(), self.lanes.lane(at)) {
                self.add(key, lane);
            }
        }
    }

    #[inline(always)]
    pub(super) fn add(&mut self, key: K, lane: L) {
        let at = self.count;
        if let Some(place) = self.keys.get_mut(at) {
            *place = key;
            self.lanes.set_lane(at, lane);
            self.count = at + 1;
        }
    }

    /// The keys by number; of those beyond the row's length nothing is known.
    #[inline(always)]
    pub(super) const fn all_keys(&self) -> &[K; BURST] {
        &self.keys
    }

    /// The answers in the same way.
    #[inline(always)]
    pub(super) const fn all_found(&self) -> &[u32; BURST] {
        &self.found
    }

    #[inline(always)]
    pub(super) fn clear(&mut self) {
        self.count = 0;
    }

    #[inline(always)]
    pub(super) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Looks all up.
    #[inline(always)]
    pub(super) fn look_up(&mut self, lookup: impl FnOnce(&[K], &mut [u32])) {
        let count = self.count;
        if let (Some(keys), Some(found)) = (self.keys.get(..count), self.found.get_mut(..count)) {
            lookup(keys, found);
        }
    }

    /// What is known of all, by number.
    #[inline(always)]
    pub(super) const fn table(&self) -> &L::Table {
        &self.lanes
    }

    /// How many there are.
    #[inline(always)]
    pub(super) const fn len(&self) -> usize {
        self.count
    }

    /// The answer that all have got.
    #[inline(always)]
    pub(super) fn one_answer(&self) -> Option<u32> {
        let [first, ..] = self.found;
        let mut mixed = 0;
        for at in 0..BURST {
            mixed |= (read(&self.found, at) ^ first) & mask(at < self.count);
        }
        (mixed == 0 && self.count > 0).then_some(first)
    }

    /// All answers by number.
    #[inline(always)]
    pub(super) fn found(&self) -> impl Iterator<Item = (usize, u32)> {
        self.found.get(..self.count).unwrap_or(&[]).iter().copied().enumerate()
    }

    /// All with their answers.
    #[inline(always)]
    pub(super) fn answers(&self) -> impl Iterator<Item = (L, u32)> {
        let found = self.found.get(..self.count).unwrap_or(&[]);
        self.lanes.lanes(self.count).zip(found.iter().copied())
    }

    /// Keeps only those whose answer meets a condition.
    #[inline(always)]
    pub(super) fn keep(&mut self, wanted: impl Fn(u32) -> bool) {
        let mut kept = 0;
        for at in 0..self.count.min(BURST) {
            let (Some(key), Some(lane), Some(found)) =
                (self.keys.get(at).copied(), self.lanes.lane(at), self.found.get(at).copied())
            else {
                break;
            };
            if let (true, Some(place)) = (wanted(found), self.keys.get_mut(kept)) {
                *place = key;
                self.lanes.set_lane(kept, lane);
                kept += 1;
            }
        }
        self.count = kept;
    }

    /// Some answer was that there is none.
    #[inline(always)]
    pub(super) fn any_missing(&self) -> bool {
        self.found().fold(false, |any, (_, found)| any | (found == NO_MATCH))
    }

    /// Some answer was that there is one.
    #[inline(always)]
    pub(super) fn any_found(&self) -> bool {
        self.found().fold(false, |any, (_, found)| any | (found != NO_MATCH))
    }
}
