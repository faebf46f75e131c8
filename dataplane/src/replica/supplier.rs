//! What control does for a replica's memory.

use super::tables::Replica;
use crate::feed::Delta;
use crate::mapcache::{EntryCounters, RlocCounters};
use crate::traffic::Traffic;
use dpdk_sys::{Depot, Level};

/// Deltas between two looks at how much there is.
const LOOK: u32 = 32;
/// What a delta takes at most on the average, bytes: a prefix with its node, and shortcuts in the making.
const DELTA: usize = 256;
/// What one takes that makes a VRF, or the first of many slots.
const LARGE_DELTA: usize = 8 << 10;
/// A supply is kept ahead by this part of what is in use, within bounds: bytes.
const AHEAD_PART: usize = 8;
const AHEAD: (usize, usize) = (64 << 10, 2 << 20);
/// Bytes of a region: the smallest, and a hugepage.
const REGION: (usize, usize) = (128 << 10, 2 << 20);
/// The longest piece that tables ask for: the directory of many shortcuts, a chunk of slots for keys.
const LONG: usize = 1 << 20;
/// Regions added at once, at most.
const ROUNDS: usize = 8;

/// Control's hand in the memory of a worker's replica: what a delta will need is there before the worker gets it, so
/// that it meets neither an allocation nor a page fault. One for each replica, on the side that feeds it.
#[derive(Debug)]
pub struct Supplier {
    depot: Depot,
    entries: EntryCounters,
    rlocs: RlocCounters,
    traffic: Traffic,
    /// Deltas until the next look.
    left: u32,
    /// Bytes that larger deltas take which the worker may not have applied.
    owed: usize,
    /// Somebody has given the replica something to keep.
    begun: bool,
}

impl Supplier {
    /// To be called before a delta is handed over; `waiting`: those that the worker has yet to apply. Asks the kernel
    /// for memory now and then: not for workers.
    pub fn before(&mut self, delta: &Delta, waiting: impl FnOnce() -> usize) {
        let mut long = false;
        match delta {
            Delta::MapSet { entry, .. } => self.entries.prepare(*entry),
            Delta::RlocSet(rloc, _) => self.rlocs.prepare(rloc.0),
            Delta::VrfSet(vrf, _) => {
                self.traffic.prepare_vrf(*vrf);
                self.owed += LARGE_DELTA;
            }
            Delta::PortSet(port, _) => self.traffic.prepare_subinterface(*port),
            Delta::SealKey { .. } => long = true,
            _ => {}
        }
        self.begun = true;
        match self.left.checked_sub(1) {
            Some(left) if !long && self.owed < AHEAD.0 / 2 => self.left = left,
            _ => {
                self.left = LOOK;
                self.look(waiting(), long);
            }
        }
    }

    /// To be called now and then: tables are also finished when there are no deltas. `waiting`: as before.
    pub fn top_up(&mut self, waiting: usize) {
        if self.begun {
            self.look(waiting, false);
        }
    }

    /// Looks whether there is enough for what waits and what may come until the next look.
    fn look(&mut self, waiting: usize, long: bool) {
        let coming = waiting + LOOK as usize;
        self.owed = self.owed.min(coming * LARGE_DELTA);
        self.stock(coming * DELTA + self.owed, long);
        if waiting == 0 {
            self.owed = 0;
        }
    }

    /// Adds regions until so much besides what is kept ahead anyway is free.
    fn stock(&mut self, coming: usize, long: bool) {
        for _ in 0..ROUNDS {
            let Level { held, used, longest, .. } = self.depot.level();
            let ahead = (used / AHEAD_PART).clamp(AHEAD.0, AHEAD.1);
            let piece = if long { LONG } else { ahead.min(LONG) };
            if held - used >= ahead + coming && longest >= piece {
                return;
            }
            let bytes = (ahead + coming).max(2 * piece).clamp(REGION.0, REGION.1);
            if !self.depot.add(bytes) {
                return;
            }
        }
    }
}

impl Replica {
    /// For control, which feeds it. Ask once, at the start.
    #[must_use]
    pub fn supplier(&self) -> Supplier {
        Supplier {
            depot: self.supply.depot(),
            entries: self.entry_counters(),
            rlocs: self.rloc_counters(),
            traffic: self.traffic().clone(),
            left: 0,
            owed: 0,
            begun: false,
        }
    }
}
