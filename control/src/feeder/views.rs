//! What the feeder can be asked: for the API, metrics and the usage scan.

use super::core::Feeder;
use super::hops::HopState;
use super::rlocs::{DownReason, RlocEntry};
use crate::engine::event::{EidPrefix, Iid, Time};
use ipnet::IpNet;
use pxtr_dataplane::feed::RlocState;
use pxtr_dataplane::types::{EntryId, MacAddr, PolicerId, PortId, RlocId, VrfId};
use std::net::IpAddr;

/// How an RLOC is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RlocView {
    /// RLOC.
    pub addr: IpAddr,
    /// Its slot: counters live there.
    pub slot: RlocId,
    /// `ready`, `resolving` or `down`.
    pub state: &'static str,
    /// Why it is down.
    pub down: Option<DownReason>,
    /// Source, port, next hop's MAC address and MTU, when ready.
    pub path: Option<RlocPath>,
}

/// The outer rewrite, as far as people care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RlocPath {
    /// Our RLOC.
    pub source: IpAddr,
    /// Egress port.
    pub port: PortId,
    /// Underlay next hop.
    pub next_hop_mac: MacAddr,
    /// Largest outer packet, bytes.
    pub mtu: u16,
    /// The core said so; when that is forgotten.
    pub learnt_until: Option<Time>,
}

/// Fill of the tables and what they refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeederStats {
    /// Map-cache entries, attracted and local prefixes included.
    pub entries: u64,
    /// RLOC slots in use, quarantine included.
    pub rlocs: u64,
    /// Locator-set slots in use, quarantine included.
    pub locator_sets: u64,
    /// Adjacency slots in use, quarantine included.
    pub adjacencies: u64,
    /// Native routes.
    pub routes: u64,
    /// Host routes of neighbours.
    pub hosts: u64,
    /// Next hops that did not answer.
    pub adjacencies_failed: u64,
    /// Deltas produced.
    pub deltas: u64,
    /// Things that found no slot, ever: entries, RLOCs, locator-sets, next hops.
    pub refused: [u64; 4],
    /// Neighbours not asked for because too many questions were open.
    pub neighbour_misses_refused: u64,
}

impl Feeder {
    /// Where a policer counts.
    #[must_use]
    pub fn policer(&self, name: &str) -> Option<PolicerId> {
        self.policers.id(name)
    }

    /// Every RLOC in use, by address.
    pub fn rlocs(&self) -> impl Iterator<Item = RlocView> {
        self.rlocs.iter().map(|(addr, entry)| view(addr, entry, self.rlocs.path_mtus.until(addr)))
    }

    /// One RLOC; `None`: it is not in use.
    #[must_use]
    pub fn rloc(&self, addr: IpAddr) -> Option<RlocView> {
        self.rlocs.get(addr).map(|entry| view(addr, entry, self.rlocs.path_mtus.until(addr)))
    }

    /// The slot of a map-cache entry: its counters live there.
    #[must_use]
    pub fn entry_slot(&self, eid: &EidPrefix) -> Option<EntryId> {
        let vrf = self.spec.vrf_of_iid(eid.iid)?.id;
        self.entries.get((vrf, eid.prefix)).map(|e| e.slot)
    }

    /// The EID-prefix in an entry slot.
    #[must_use]
    pub fn eid_of_slot(&self, slot: EntryId) -> Option<EidPrefix> {
        let (vrf, prefix): (VrfId, IpNet) = self.entries.of_slot(slot.0)?;
        Some(EidPrefix { iid: self.iid(vrf)?, prefix })
    }

    /// The locator in an RLOC slot.
    #[must_use]
    pub fn rloc_of_slot(&self, slot: RlocId) -> Option<IpAddr> {
        self.rlocs.of_slot(slot)
    }

    /// Entry slots ever used.
    #[must_use]
    pub fn entry_slot_range(&self) -> u32 {
        self.entries.slot_range()
    }

    /// The Instance-ID of a VRF.
    #[must_use]
    pub fn iid(&self, vrf: VrfId) -> Option<Iid> {
        self.spec.vrf(vrf).map(|v| v.iid)
    }

    /// Name of the host interface of a port.
    #[must_use]
    pub fn host_interface(&self, port: PortId) -> Option<&str> {
        self.spec.port(port).map(|p| p.host_interface.as_str())
    }

    /// Fill of the tables.
    #[must_use]
    pub fn stats(&self) -> FeederStats {
        FeederStats {
            entries: self.entries.len() as u64,
            rlocs: u64::from(self.rlocs.in_use()),
            locator_sets: u64::from(self.sets.in_use()),
            adjacencies: u64::from(self.hops.in_use()),
            routes: self.fib.len() as u64,
            hosts: self.hosts.len() as u64,
            adjacencies_failed: self.hops.count(HopState::Failed) as u64,
            deltas: self.out.sequence(),
            refused: [self.entries.refused, self.rlocs.refused, self.sets.refused, self.hops.refused],
            neighbour_misses_refused: self.hosts.misses_refused,
        }
    }
}

fn view(addr: IpAddr, entry: &RlocEntry, learnt_until: Option<Time>) -> RlocView {
    RlocView {
        addr,
        slot: entry.slot,
        state: match entry.state {
            RlocState::Ready(_) => "ready",
            RlocState::Resolving => "resolving",
            RlocState::Down => "down",
        },
        down: entry.down,
        path: match &entry.state {
            RlocState::Ready(r) => Some(RlocPath {
                source: r.source,
                port: r.port,
                next_hop_mac: r.next_hop_mac,
                mtu: r.mtu,
                learnt_until,
            }),
            RlocState::Resolving | RlocState::Down => None,
        },
    }
}
