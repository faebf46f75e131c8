//! The tables of a PxTR as plain lists: what the reference searches from end to end, and what the worker is
//! told of them.

use ipnet::IpNet;
use pxtr_dataplane::admission::{Admission, SiteRules, VrfAdmission};
use pxtr_dataplane::feed::*;
use pxtr_dataplane::path::flow::FlowKey;
use pxtr_dataplane::types::*;
use std::net::IpAddr;

/// A prefix of a VRF and what is said of it.
pub type Row<T> = (VrfId, IpNet, T);

/// The tables. Slots are numbered by their places in the lists.
#[derive(Clone, Debug)]
pub struct World {
    pub key: FlowKey,
    /// Verify outer UDP checksums that are not zero.
    pub verify: bool,
    pub ports: Vec<Option<PortSpec>>,
    pub vrfs: Vec<Option<VrfSpec>>,
    pub local_rlocs: Vec<IpAddr>,
    pub rlocs: Vec<RlocState>,
    pub sets: Vec<Vec<RlocId>>,
    /// With the RLOCs of the mapping, for strict admission.
    pub mappings: Vec<Row<(MapAction, Vec<IpAddr>)>>,
    pub routes: Vec<Row<Route>>,
    pub adjacencies: Vec<Adjacency>,
    pub local_eids: Vec<Row<()>>,
    pub admission: Admission,
    /// Prefixes of outer sources, and whether LISP-GPE was agreed upon with them.
    pub gpe_peers: Vec<(IpNet, bool)>,
    pub outer_sources: Vec<IpNet>,
    pub sites: Vec<Row<SiteId>>,
    pub site_rules: Vec<SiteRules>,
    pub vrf_admission: Vec<VrfAdmission>,
}

/// The row of the longest prefix that contains the address, and its place in the list.
pub fn longest<T>(rows: &[Row<T>], vrf: VrfId, addr: IpAddr) -> Option<(usize, &Row<T>)> {
    let fitting = rows.iter().enumerate().filter(|(_, row)| row.0 == vrf && row.1.contains(&addr));
    fitting.max_by_key(|(_, row)| row.1.prefix_len())
}

impl World {
    pub fn port(&self, id: PortId) -> Option<&PortSpec> {
        self.ports.get(usize::from(id.0))?.as_ref()
    }

    pub fn vrf(&self, id: VrfId) -> Option<&VrfSpec> {
        self.vrfs.get(usize::from(id.0))?.as_ref()
    }

    pub fn vrf_of(&self, instance: u32) -> Option<VrfId> {
        let has = |vrf: &Option<VrfSpec>| vrf.is_some_and(|vrf| vrf.instance_id.0 == instance);
        self.vrfs.iter().position(has).map(|at| VrfId(at as u16))
    }

    pub fn is_local_rloc(&self, addr: IpAddr) -> bool {
        self.local_rlocs.contains(&addr)
    }

    pub fn is_local_eid(&self, vrf: VrfId, addr: IpAddr) -> bool {
        longest(&self.local_eids, vrf, addr).is_some()
    }

    pub fn route(&self, vrf: VrfId, addr: IpAddr) -> Option<(&IpNet, &Route)> {
        longest(&self.routes, vrf, addr).map(|(_, (_, prefix, route))| (prefix, route))
    }

    pub fn mapping(&self, vrf: VrfId, addr: IpAddr) -> Option<(EntryId, MapAction)> {
        longest(&self.mappings, vrf, addr).map(|(at, row)| (EntryId(at as u32), row.2.0))
    }

    pub fn adjacency(&self, id: AdjacencyId) -> Adjacency {
        self.adjacencies.get(id.0 as usize).copied().unwrap_or(Adjacency::Failed)
    }

    /// The same for a worker, what is referred to before what refers to it.
    pub fn deltas(&self) -> Vec<Delta> {
        let mut out = Vec::new();
        for (n, vrf) in self.vrfs.iter().enumerate() {
            out.extend(vrf.map(|spec| Delta::VrfSet(VrfId(n as u16), spec)));
        }
        for (n, port) in self.ports.iter().enumerate() {
            let set = |spec: &PortSpec| Delta::PortSet(PortId(n as u16), Box::new(spec.clone()));
            out.extend(port.as_ref().map(set));
        }
        out.push(Delta::LocalRlocs(self.local_rlocs.clone().into()));
        let rlocs = self.rlocs.iter().enumerate();
        out.extend(rlocs.map(|(n, state)| Delta::RlocSet(RlocId(n as u32), state.clone())));
        for (n, set) in self.sets.iter().enumerate() {
            out.push(Delta::LocatorSetSet(LocatorSetId(n as u32), set.clone().into()));
        }
        for (n, adjacency) in self.adjacencies.iter().enumerate() {
            out.push(Delta::AdjacencySet(AdjacencyId(n as u32), *adjacency));
        }
        for (vrf, prefix, route) in &self.routes {
            out.push(Delta::RouteSet { vrf: *vrf, prefix: *prefix, route: route.clone() });
        }
        for (n, (vrf, prefix, (action, rlocs))) in self.mappings.iter().enumerate() {
            let entry = EntryId(n as u32);
            out.push(Delta::EntryRlocs(entry, rlocs.clone().into()));
            out.push(Delta::MapSet { vrf: *vrf, prefix: *prefix, entry, action: *action });
        }
        let eids = self.local_eids.iter();
        out.extend(eids.map(|(vrf, prefix, ())| Delta::LocalEidSet { vrf: *vrf, prefix: *prefix }));
        out.extend(self.outer_sources.iter().map(|prefix| Delta::OuterSourceSet(*prefix)));
        for (n, rules) in self.site_rules.iter().enumerate() {
            out.push(Delta::SiteRulesSet(SiteId(n as u32), Box::new(rules.clone())));
        }
        for (vrf, prefix, site) in &self.sites {
            out.push(Delta::SiteSet { vrf: *vrf, prefix: *prefix, site: *site });
        }
        for (n, admission) in self.vrf_admission.iter().enumerate().filter(|(n, _)| self.vrfs[*n].is_some()) {
            out.push(Delta::VrfAdmission(VrfId(n as u16), *admission));
        }
        out.push(Delta::Admission(Box::new(self.admission.clone())));
        out.push(Delta::GpePeers(self.gpe_peers.clone().into()));
        out
    }
}
