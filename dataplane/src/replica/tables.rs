//! The replica itself.

use super::guard::Guard;
use super::keyring::Keyring;
use super::limits::ReplicaLimits;
use super::local_rlocs::LocalRlocs;
use super::vrf::Vrf;
use crate::feed::PortSpec;
use crate::fib::AdjacencyTable;
use crate::lpm::Lpm4;
use crate::mapcache::{EntryCounters, EntryTable, LocatorSets, RlocCounters, RlocTable};
use crate::slots::Slots;
use crate::traffic::Traffic;
use crate::trust::Marks;
use dpdk_sys::{Lone, Supply};
use std::net::IpAddr;

/// Everything a worker's path reads. See the module.
#[derive(Debug)]
pub struct Replica {
    pub(super) limits: ReplicaLimits,
    /// Where the tables' memory comes from, but for that which control reads, too.
    pub(super) supply: Supply,
    pub(super) vrfs: Slots<Option<Lone<Vrf>>>,
    /// Instance-ID (as a host prefix) to VRF number.
    pub(super) instances: Lpm4,
    pub(super) ports: Slots<Option<Box<PortSpec>>>,
    pub(super) local_rlocs: LocalRlocs,
    pub(super) guard: Guard,
    /// By entry: the RLOCs of its mapping.
    pub(super) entry_rlocs: Slots<Box<[IpAddr]>>,
    /// By entry: what is said of its mapping in LISP headers.
    pub(super) marks: Slots<Marks>,
    pub(super) entries: EntryTable,
    pub(super) rlocs: RlocTable,
    pub(super) keyring: Keyring,
    pub(super) sets: LocatorSets,
    pub(super) adjacencies: AdjacencyTable,
    pub(super) traffic: Traffic,
    pub(super) used: Used,
    pub(super) ignored: u64,
    /// The VRF that was tidied last.
    pub(super) tidied: u32,
}

/// Prefixes in use over all VRFs, held against the limits.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Used {
    pub(super) mappings: u32,
    pub(super) routes: u32,
    pub(super) local_eids: u32,
    /// Of these the hosts that are away.
    pub(super) away: u32,
    pub(super) site_prefixes: u32,
    /// VRFs that ask something of inner sources.
    pub(super) guarded: u32,
    /// VRFs with policers.
    pub(super) policed: u32,
    /// Somebody's headers are heeded.
    pub(super) trusting: bool,
}

impl Replica {
    /// An empty replica: some kilobytes. To be made by the thread that will work with it: its memory is near that.
    #[must_use]
    pub fn new(limits: ReplicaLimits) -> Self {
        let supply = Supply::default();
        Self {
            limits,
            vrfs: Slots::new(&supply, u32::from(limits.vrfs)),
            instances: Lpm4::supplied(&supply),
            ports: Slots::new(&supply, u32::from(limits.ports)),
            local_rlocs: LocalRlocs::new(limits.local_rlocs),
            guard: Guard::new(&supply, limits.sites),
            entry_rlocs: Slots::new(&supply, limits.entries),
            marks: Slots::new(&supply, limits.entries),
            entries: EntryTable::new(limits.entries),
            rlocs: RlocTable::new(limits.rlocs),
            keyring: Keyring::new(&supply, limits.rlocs, limits.peers),
            sets: LocatorSets::new(&supply, limits.locator_sets),
            adjacencies: AdjacencyTable::new(&supply, limits.adjacencies),
            supply,
            traffic: Traffic::new(limits.vrfs, limits.ports),
            used: Used::default(),
            ignored: 0,
            tidied: 0,
        }
    }

    /// Counters of all entries, for control. Ask once, at the start.
    #[must_use]
    pub fn entry_counters(&self) -> EntryCounters {
        self.entries.counters()
    }

    /// Counters of all RLOCs, for control. Ask once, at the start.
    #[must_use]
    pub fn rloc_counters(&self) -> RlocCounters {
        self.rlocs.counters()
    }

    /// Counters by VRF and by sub-interface.
    #[inline(always)]
    #[must_use]
    pub const fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// Bytes of memory, without what control allocated and only lent: bucket tables and multipath
    /// groups.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let vrfs: usize =
            self.vrfs.iter().flatten().map(|vrf| vrf.memory_bytes() + Vrf::memory_bytes(vrf)).sum();
        size_of::<Self>()
            + vrfs
            + self.vrfs.memory_bytes()
            + self.instances.memory_bytes()
            + self.ports.memory_bytes()
            + self.guard.memory_bytes()
            + self.entry_rlocs.memory_bytes()
            + self.marks.memory_bytes()
            + self.entries.memory_bytes()
            + self.rlocs.memory_bytes()
            + self.keyring.memory_bytes()
            + self.sets.memory_bytes()
            + self.adjacencies.memory_bytes()
            + self.traffic.memory_bytes()
    }

    /// What the tables take that the worker alone reads, how much more there is for them, and how often the worker had to
    /// ask the kernel because control had prepared too little.
    #[must_use]
    pub fn supply(&self) -> dpdk_sys::Level {
        self.supply.level()
    }

    /// Deltas that were ignored, ever.
    #[must_use]
    pub const fn ignored(&self) -> u64 {
        self.ignored
    }
}
