//! Who may send us LISP data: what the replica keeps of it.

use super::vrf::Prefixes;
use crate::admission::{Admission, Nonce, SiteRules, UnknownSources};
use crate::echo::{Awaited, EchoNonce};
use crate::slots::Slots;
use crate::trust::{Outdated, Trust};
use crate::types::{SiteId, VrfId};
use dpdk_sys::Supply;
use ipnet::IpNet;
use std::net::IpAddr;

/// Rules for senders, and what they refer to. The EID-prefixes of sites are with their VRFs.
#[derive(Debug)]
pub struct Guard {
    admission: Box<Admission>,
    outer_sources: Prefixes,
    prefixes: u32,
    sites: Slots<Option<Box<SiteRules>>>,
    trust: Box<Trust>,
    outdated: Box<[Outdated]>,
    awaited: Box<[Awaited]>,
    gpe_peers: Box<[(IpNet, bool)]>,
}

impl Guard {
    pub(super) fn new(supply: &Supply, sites: u32) -> Self {
        Self {
            admission: Box::default(),
            outer_sources: Prefixes::new(supply),
            prefixes: 0,
            sites: Slots::new(supply, sites),
            trust: Box::default(),
            outdated: Box::default(),
            awaited: Box::default(),
            gpe_peers: Box::default(),
        }
    }

    /// Something is asked of every packet.
    pub(super) fn asks(&self) -> bool {
        self.admission.outer_sources
            || !self.admission.nonces.is_empty()
            || !self.admission.encrypted.is_empty()
    }

    /// Packets with this outer source are taken.
    #[inline]
    #[must_use]
    pub fn is_outer_source(&self, source: IpAddr) -> bool {
        !self.admission.outer_sources || self.outer_sources.lookup(source).is_some()
    }

    /// One of these must be in the LISP header, if there are any.
    #[inline]
    #[must_use]
    pub fn nonces(&self) -> &[Nonce] {
        &self.admission.nonces
    }

    /// Packets from this outer source must be encrypted.
    #[inline]
    #[must_use]
    pub fn is_encrypted(&self, source: IpAddr) -> bool {
        self.admission.encrypted.iter().any(|prefix| prefix.contains(&source))
    }

    /// What is asked of packets from this site.
    #[inline]
    #[must_use]
    pub fn rules(&self, site: SiteId) -> Option<&SiteRules> {
        self.sites.get(site.0)?.as_deref()
    }

    /// What becomes of packets whose inner source has no mapping yet.
    #[inline]
    #[must_use]
    pub const fn unknown(&self) -> UnknownSources {
        self.admission.unknown
    }

    /// Whose headers are heeded.
    #[inline]
    #[must_use]
    pub const fn trust(&self) -> &Trust {
        &self.trust
    }

    /// Who sends from there goes on with an old version of our mapping of this EID although he was told.
    #[must_use]
    pub fn is_outdated(&self, rloc: IpAddr, vrf: VrfId, eid: IpAddr) -> bool {
        let is = |it: &Outdated| it.rloc == rloc && it.vrf == vrf && it.prefix.contains(&eid);
        self.outdated.iter().any(is)
    }

    /// What was asked for from there to be echoed.
    #[must_use]
    pub fn awaited(&self, rloc: IpAddr) -> Option<EchoNonce> {
        let at = self.awaited.binary_search_by_key(&rloc, |awaited| awaited.rloc).ok()?;
        self.awaited.get(at).map(|awaited| awaited.nonce)
    }

    pub(super) fn set_awaited(&mut self, list: Box<[Awaited]>) -> Box<[Awaited]> {
        std::mem::replace(&mut self.awaited, list)
    }

    /// LISP-GPE was agreed upon with somebody: its bit in LISP headers means something (RFC 9305).
    #[inline]
    #[must_use]
    pub const fn knows_gpe(&self) -> bool {
        !self.gpe_peers.is_empty()
    }

    /// It was agreed upon with who sends from there.
    #[must_use]
    pub fn is_gpe_peer(&self, source: IpAddr) -> bool {
        let around = self.gpe_peers.iter().filter(|(prefix, _)| prefix.contains(&source));
        around.max_by_key(|(prefix, _)| prefix.prefix_len()).is_some_and(|(_, agreed)| *agreed)
    }

    pub(super) fn set_gpe_peers(&mut self, list: Box<[(IpNet, bool)]>) -> Box<[(IpNet, bool)]> {
        std::mem::replace(&mut self.gpe_peers, list)
    }

    pub(super) fn set_trust(&mut self, trust: Box<Trust>) -> Box<Trust> {
        std::mem::replace(&mut self.trust, trust)
    }

    pub(super) fn set_outdated(&mut self, list: Box<[Outdated]>) -> Box<[Outdated]> {
        std::mem::replace(&mut self.outdated, list)
    }

    pub(super) fn set(&mut self, admission: Box<Admission>) -> Box<Admission> {
        std::mem::replace(&mut self.admission, admission)
    }

    /// `false`: there are too many.
    pub(super) fn add_outer_source(&mut self, prefix: IpNet, limit: u32) -> bool {
        let new = self.outer_sources.get(prefix).is_none();
        let done = !(new && self.prefixes >= limit) && self.outer_sources.insert(prefix, 0).is_ok();
        self.prefixes += u32::from(done && new);
        done
    }

    /// `false`: it is not there.
    pub(super) fn remove_outer_source(&mut self, prefix: IpNet) -> bool {
        let done = self.outer_sources.remove(prefix).is_some();
        self.prefixes -= u32::from(done);
        done
    }

    /// Gives the former rules back, or these if there is no such slot.
    pub(super) fn set_rules(
        &mut self,
        site: SiteId,
        rules: Box<SiteRules>,
    ) -> Result<Option<Box<SiteRules>>, Box<SiteRules>> {
        match self.sites.entry(site.0) {
            Some(slot) => Ok(slot.replace(rules)),
            None => Err(rules),
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.outer_sources.memory_bytes() + self.sites.memory_bytes()
    }
}
