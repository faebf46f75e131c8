//! Who may send us LISP data: what differs between two configurations becomes deltas.
//!
//! In an order in which no honest packet is lost on the way: what is new is admitted first, then what is
//! asked for changes, then the old goes.

use super::output::Output;
use super::slots::SlotPool;
use ipnet::IpNet;
use pxtr_dataplane::admission::{Admission, Nonce, SiteRules, UnknownSources, VrfAdmission};
use pxtr_dataplane::feed::Delta;
use pxtr_dataplane::replica::ReplicaLimits;
use pxtr_dataplane::types::{SiteId, VrfId};
use std::collections::{BTreeMap, BTreeSet};

/// What is asked of those who send us LISP data. The default: nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdmissionSpec {
    /// Outer sources; `None`: all.
    pub outer_sources: Option<BTreeSet<IpNet>>,
    /// Nonces of which one is asked for, if there are any.
    pub nonces: Vec<Nonce>,
    /// Of packets whose inner source has no mapping yet.
    pub unknown: UnknownSources,
    /// Outer sources whose packets must be encrypted.
    pub encrypted: BTreeSet<IpNet>,
    /// VRFs in which all inner sources are held to their mappings.
    pub strict: BTreeSet<VrfId>,
    /// Sites by name.
    pub sites: BTreeMap<String, SiteFeed>,
}

/// A LISP site that may send to us.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SiteFeed {
    /// VRF.
    pub vrf: VrfId,
    /// EID-prefixes; each belongs to one site of a VRF.
    pub eid_prefixes: Vec<IpNet>,
    /// What is asked of its packets.
    pub rules: SiteRules,
}

impl AdmissionSpec {
    fn of_vrf(&self, vrf: VrfId) -> VrfAdmission {
        let sites = self.sites.values().any(|site| site.vrf == vrf);
        VrfAdmission { sites, strict: self.strict.contains(&vrf) }
    }

    fn vrfs(&self) -> BTreeSet<VrfId> {
        self.sites.values().map(|site| site.vrf).chain(self.strict.iter().copied()).collect()
    }

    fn overall(&self) -> Admission {
        Admission {
            outer_sources: self.outer_sources.is_some(),
            nonces: self.nonces.clone().into(),
            encrypted: self.encrypted.iter().copied().collect(),
            unknown: self.unknown,
        }
    }

    /// Somebody is held to mappings: the workers must know the RLOCs of each.
    pub(super) fn is_strict(&self) -> bool {
        !self.strict.is_empty() || self.sites.values().any(|site| site.rules.strict)
    }
}

/// What the workers know, and the numbers of sites.
#[derive(Debug)]
pub(super) struct Guard {
    told: AdmissionSpec,
    slots: SlotPool,
    ids: BTreeMap<String, SiteId>,
}

impl Guard {
    pub(super) fn new() -> Self {
        Self {
            told: AdmissionSpec::default(),
            slots: SlotPool::new(ReplicaLimits::default().sites),
            ids: BTreeMap::new(),
        }
    }

    pub(super) fn settle(&mut self, applied: u64) {
        self.slots.settle(applied);
    }

    /// Puts a specification in force. A site that finds no number stays out, and its packets with it.
    pub(super) fn set(&mut self, spec: &AdmissionSpec, out: &mut Output) {
        if *spec == self.told {
            return;
        }
        let old = std::mem::replace(&mut self.told, spec.clone());
        let none = BTreeSet::new();
        let sources = |spec: &AdmissionSpec| spec.outer_sources.as_ref().unwrap_or(&none).clone();
        let (sources_before, sources_now) = (sources(&old), sources(spec));
        let before = self.prefixes(&old);
        for (name, site) in &spec.sites {
            self.site(name, site, old.sites.get(name), out);
        }
        let now = self.prefixes(spec);
        for (&(vrf, prefix), &site) in now.iter().filter(|(key, site)| before.get(key) != Some(site)) {
            out.delta(Delta::SiteSet { vrf, prefix, site });
        }
        for prefix in sources_now.difference(&sources_before) {
            out.delta(Delta::OuterSourceSet(*prefix));
        }
        if spec.overall() != old.overall() {
            out.delta(Delta::Admission(Box::new(spec.overall())));
        }
        for vrf in old.vrfs().union(&spec.vrfs()).copied() {
            if old.of_vrf(vrf) != spec.of_vrf(vrf) {
                out.delta(Delta::VrfAdmission(vrf, spec.of_vrf(vrf)));
            }
        }
        for &(vrf, prefix) in before.keys().filter(|key| !now.contains_key(key)) {
            out.delta(Delta::SiteDel { vrf, prefix });
        }
        for prefix in sources_before.difference(&sources_now) {
            out.delta(Delta::OuterSourceDel(*prefix));
        }
        for name in old.sites.keys().filter(|name| !spec.sites.contains_key(*name)) {
            if let Some(id) = self.ids.remove(name) {
                self.slots.give_back(id.0, out.sequence());
            }
        }
    }

    /// Tells the rules of a site, if they are news.
    fn site(&mut self, name: &str, site: &SiteFeed, before: Option<&SiteFeed>, out: &mut Output) {
        let known = self.ids.get(name).copied();
        let Some(id) = known.or_else(|| self.slots.take().map(SiteId)) else { return };
        self.ids.insert(name.to_owned(), id);
        if known.is_none() || before.is_none_or(|before| before.rules != site.rules) {
            out.delta(Delta::SiteRulesSet(id, Box::new(site.rules.clone())));
        }
    }

    /// Whose each EID-prefix is.
    fn prefixes(&self, spec: &AdmissionSpec) -> BTreeMap<(VrfId, IpNet), SiteId> {
        let of = |(name, site): (&String, &SiteFeed)| {
            let id = self.ids.get(name).copied();
            let keys = site.eid_prefixes.clone().into_iter();
            let vrf = site.vrf;
            id.into_iter().flat_map(move |id| keys.clone().map(move |prefix| ((vrf, prefix), id)))
        };
        spec.sites.iter().flat_map(of).collect()
    }
}
