//! What the feeder is told at the start: ports, VRFs, our RLOCs, and how much fits the replicas.

use super::admission::AdmissionSpec;
use super::policers::PolicerFeed;
use crate::engine::event::Iid;
use crate::netlink::Space;
use ipnet::IpNet;
use pxtr_dataplane::admission::Nonce;
use pxtr_dataplane::feed::{PortPolicy, RlocOptions, SourceRules, VrfSpec};
use pxtr_dataplane::trust::Trust;
use pxtr_dataplane::types::{MacAddr, PortId, VrfId};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// A port and its kernel face.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortFeed {
    /// Port.
    pub id: PortId,
    /// Kernel interface that carries its addresses, routes and neighbours.
    pub host_interface: String,
    /// Network namespace that this interface is in.
    pub space: Space,
    /// VRF of native packets that arrive here.
    pub vrf: VrfId,
    /// LISP data is received and sent here.
    pub underlay: bool,
    /// Native packets are accepted here.
    pub native: bool,
    /// The port's MAC address.
    pub mac: MacAddr,
    /// Configured IP MTU, bytes: the interface may lower it, not raise it.
    pub mtu: u16,
    /// What the operator chose for the path.
    pub policy: PortPolicy,
    /// Rules for native sources.
    pub sources: Option<SourceRules>,
    /// VRFs whose Instance-IDs are taken here, in ascending order; `None`: all.
    pub instances: Option<Vec<VrfId>>,
}

/// A VRF.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VrfFeed {
    /// VRF.
    pub id: VrfId,
    /// Its Instance-ID in control messages.
    pub iid: Iid,
    /// What the path is told.
    pub spec: VrfSpec,
    /// Kernel routing table that feeds its native FIB, in the numbers of [`crate::netlink::table_in`].
    pub table: u64,
    /// EID space that this VRF attracts.
    pub eid_space: Vec<IpNet>,
    /// EID-prefixes of our own site.
    pub local_eids: Vec<IpNet>,
}

/// How much fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Map-cache entries, static and attracted prefixes included.
    pub entries: u32,
    /// RLOCs in use at once.
    pub rlocs: u32,
    /// Locator-sets of more than one locator.
    pub locator_sets: u32,
    /// Next hops: gateways, and neighbours on connected links.
    pub adjacencies: u32,
    /// Neighbours being asked for at once.
    pub neighbour_misses: u32,
}

impl Default for Capacity {
    fn default() -> Self {
        Self {
            entries: 1 << 20,
            rlocs: 1 << 17,
            locator_sets: 1 << 17,
            adjacencies: 1 << 16,
            neighbour_misses: 4096,
        }
    }
}

/// Everything the feeder is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeederSpec {
    /// Ports.
    pub ports: Vec<PortFeed>,
    /// VRFs; the first one routes the underlay.
    pub vrfs: Vec<VrfFeed>,
    /// Our RLOCs, in order of preference.
    pub rlocs: Vec<IpAddr>,
    /// RLOCs that we share with other proxies: the source of packets in place of `rlocs`, in the
    /// families that have one.
    pub anycast_rlocs: Vec<IpAddr>,
    /// What is special about the way to RLOCs in a prefix; the longest one counts.
    pub paths: Vec<(IpNet, RlocOptions)>,
    /// RLOCs that packets are encrypted for; `true`: or not sent. No prefix lies inside another one.
    pub encryption: Vec<(IpNet, bool)>,
    /// Who may send LISP data to us.
    pub admission: AdmissionSpec,
    /// What holds tenants and sites to a rate.
    pub policers: Vec<PolicerFeed>,
    /// Whose LISP headers are heeded.
    pub trust: Trust,
    /// The locators of our site, of this router and others, whose state is to be watched.
    pub site_locators: Vec<IpAddr>,
    /// The nonces that other routers ask for, by their RLOCs.
    pub nonces: BTreeMap<IpAddr, Nonce>,
    /// Limits.
    pub capacity: Capacity,
}

impl FeederSpec {
    /// The VRF that routes the underlay.
    pub(super) fn underlay(&self) -> Option<&VrfFeed> {
        self.vrfs.first()
    }

    pub(super) fn is_local_rloc(&self, addr: IpAddr) -> bool {
        self.rlocs.contains(&addr) || self.anycast_rlocs.contains(&addr)
    }

    /// What LISP data is decapsulated for: all our RLOCs.
    pub(super) fn local_rlocs(&self) -> Box<[IpAddr]> {
        self.rlocs.iter().chain(&self.anycast_rlocs).copied().collect()
    }

    /// What is special about the way to an RLOC.
    pub(super) fn options(&self, rloc: IpAddr) -> RlocOptions {
        let inside = self.paths.iter().filter(|(prefix, _)| prefix.contains(&rloc));
        let chosen = inside.max_by_key(|(prefix, _)| prefix.prefix_len()).map(|(_, options)| *options);
        // A nonce takes the place of versions in the header.
        let map_versions =
            self.trust.map_versions && self.trust.has(rloc) && !self.nonces.contains_key(&rloc);
        let status_bits = self.trust.status_bits && self.trust.has(rloc);
        RlocOptions { map_versions, status_bits, ..chosen.unwrap_or_default() }
    }

    /// With whom LISP-GPE is agreed upon, by prefix of RLOCs with exceptions; empty: with nobody.
    pub(super) fn gpe_peers(&self) -> Box<[(IpNet, bool)]> {
        if !self.paths.iter().any(|(_, options)| options.gpe) {
            return Box::default();
        }
        self.paths.iter().map(|(prefix, options)| (*prefix, options.gpe)).collect()
    }

    /// Packets to an RLOC are to be encrypted; `true`: or not sent.
    pub(super) fn encryption(&self, rloc: IpAddr) -> Option<bool> {
        self.encryption.iter().find(|(prefix, _)| prefix.contains(&rloc)).map(|(_, required)| *required)
    }

    pub(super) fn vrf(&self, id: VrfId) -> Option<&VrfFeed> {
        self.vrfs.iter().find(|v| v.id == id)
    }

    pub(super) fn vrf_of_iid(&self, iid: Iid) -> Option<&VrfFeed> {
        self.vrfs.iter().find(|v| v.iid == iid)
    }

    pub(super) fn port(&self, id: PortId) -> Option<&PortFeed> {
        self.ports.iter().find(|p| p.id == id)
    }
}
