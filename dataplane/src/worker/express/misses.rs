//! Packets of a burst that would have to wait for a mapping: in a flood of them hardly any can, and all others are turned
//! away here together.

use super::columns::{Column, read, write};
use super::lanes::{Done, Row, each};
use super::outbound::{Lane, Marks};
use crate::io::BURST;
use crate::replica::Replica;
use crate::types::EntryId;

/// By their places in the burst.
#[derive(Debug)]
pub(super) struct Misses {
    set: u32,
    /// What they were found to go to.
    entries: Column,
    /// Lengths of the IP packets.
    lengths: Column,
}

impl Misses {
    pub(super) const fn new() -> Self {
        Self { set: 0, entries: [0; BURST], lengths: [0; BURST] }
    }

    /// Takes these packets of a row, but those that are for ourselves: they do not wait.
    #[inline(never)]
    pub(super) fn take<K: Copy + Default>(
        &mut self,
        row: &Row<K, Lane>,
        numbers: u32,
        is_own: impl Fn(K) -> bool,
    ) {
        let (keys, found, lanes) = (row.all_keys(), row.all_found(), row.table());
        for number in each(numbers) {
            let at = usize::from(read(&lanes.at, number)) % BURST;
            write(&mut self.entries, at, read(found, number));
            write(&mut self.lengths, at, u32::from(Marks(read(&lanes.marks, number)).len()));
            self.set |= u32::from(!is_own(read(keys, number))) << at;
        }
    }

    /// All but the first `openings` are turned away: what `path/route.rs` and the hold table would do with them one by one.
    /// The others are left to these.
    #[inline(never)]
    pub(super) fn turn_away(&mut self, openings: u64, tables: &Replica, done: &mut Done) {
        let mut set = std::mem::take(&mut self.set);
        for _ in 0..openings {
            if set == 0 {
                return;
            }
            set &= set - 1;
        }
        // Most of them go to one entry.
        let (mut entry, mut packets, mut bytes) = (0, 0, 0);
        for at in each(set) {
            let next = read(&self.entries, at);
            if next != entry {
                tables.count_many(EntryId(entry), packets, bytes);
                (entry, packets, bytes) = (next, 0, 0);
            }
            packets += 1;
            bytes += u64::from(read(&self.lengths, at));
        }
        tables.count_many(EntryId(entry), packets, bytes);
        done.doom(set);
    }
}
