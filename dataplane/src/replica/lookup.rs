//! What the path asks. Nothing here allocates, locks or panics.

use super::guard::Guard;
use super::tables::Replica;
use super::vrf::{LocalEid, Vrf};
use crate::admission::VrfAdmission;
use crate::crypt::{Key as CryptKey, Sealer};
use crate::feed::{Adjacency, MapAction, PortSpec, VrfSpec};
use crate::fib::{Fib, RouteHit};
use crate::lpm::{Key, Key4, Key6, NO_MATCH};
use crate::mapcache::{EntrySlot, Rloc, RlocSlot};
use crate::policer::VrfPolicers;
use crate::trust::Marks;
use crate::types::{AdjacencyId, EntryId, InstanceId, LocatorSetId, PortId, RlocId, SiteId, VrfId};
use std::net::IpAddr;

impl Replica {
    /// A port's properties; `None`: control has not set it up yet.
    #[inline]
    #[must_use]
    pub fn port(&self, id: PortId) -> Option<&PortSpec> {
        self.ports.get(u32::from(id.0))?.as_deref()
    }

    /// A VRF's properties; `None`: control has not set it up yet.
    #[inline]
    #[must_use]
    pub fn vrf(&self, id: VrfId) -> Option<&VrfSpec> {
        Some(&self.tables(id)?.spec)
    }

    /// The VRF of an Instance-ID; 0 is that of packets with I=0 (RFC 9300 section 8).
    #[inline]
    #[must_use]
    pub fn vrf_by_iid(&self, iid: InstanceId) -> Option<VrfId> {
        self.instances.lookup(Key4(iid.0)).map(|vrf| VrfId(vrf as u16))
    }

    /// The address is one of our own RLOCs.
    #[inline]
    #[must_use]
    pub fn is_local_rloc(&self, addr: IpAddr) -> bool {
        match addr {
            IpAddr::V4(addr) => self.local_rlocs.contains4(addr.into()),
            IpAddr::V6(addr) => self.local_rlocs.contains6(addr.into()),
        }
    }

    /// The same for IPv4.
    #[inline(always)]
    pub(crate) fn is_local_rloc4(&self, addr: Key4) -> bool {
        self.local_rlocs.contains4(addr)
    }

    /// The same for IPv6.
    #[inline(always)]
    pub(crate) fn is_local_rloc6(&self, addr: Key6) -> bool {
        self.local_rlocs.contains6(addr)
    }

    /// Our own IPv4 RLOCs, sorted.
    #[inline(always)]
    pub(crate) fn local_rlocs4(&self) -> &[Key4] {
        self.local_rlocs.v4()
    }

    /// Our own IPv6 RLOCs, sorted.
    #[inline(always)]
    pub(crate) fn local_rlocs6(&self) -> &[Key6] {
        self.local_rlocs.v6()
    }

    /// The slots of all entries and of all RLOCs by number: what they say and what they count.
    #[inline(always)]
    pub(crate) fn slots(&self) -> (&[EntrySlot], &[RlocSlot]) {
        (self.entries.slots(), self.rlocs.slots())
    }

    /// Our own RLOCs, in the order that control gave.
    #[must_use]
    pub fn local_rlocs(&self) -> &[IpAddr] {
        self.local_rlocs.list()
    }

    /// The address lies in an EID-prefix of our own site.
    #[inline]
    #[must_use]
    pub fn is_local_eid(&self, vrf: VrfId, addr: IpAddr) -> bool {
        self.local_eid(vrf, addr).is_some_and(|what| !what.is_away())
    }

    /// What our own site has to do with the address; `None`: nothing.
    #[inline]
    #[must_use]
    pub fn local_eid(&self, vrf: VrfId, addr: IpAddr) -> Option<LocalEid> {
        self.tables(vrf)?.local_eids.lookup(addr).map(LocalEid::from_word)
    }

    /// Some host of ours is away.
    #[inline]
    #[must_use]
    pub const fn any_away(&self) -> bool {
        self.used.away > 0
    }

    /// Something is asked of those who send us LISP data.
    #[inline(always)]
    #[must_use]
    pub fn is_guarded(&self) -> bool {
        self.used.guarded > 0 || self.guard.asks()
    }

    /// The LISP headers of somebody are heeded.
    #[inline(always)]
    #[must_use]
    pub const fn is_trusting(&self) -> bool {
        self.used.trusting
    }

    /// Some VRF has policers.
    #[inline(always)]
    #[must_use]
    pub const fn is_policing(&self) -> bool {
        self.used.policed > 0
    }

    /// This VRF has policers.
    #[inline(always)]
    #[must_use]
    pub fn is_policed(&self, vrf: VrfId) -> bool {
        self.is_policing() && self.policers(vrf).is_some()
    }

    /// The policers of a VRF.
    #[inline]
    #[must_use]
    pub fn policers(&self, vrf: VrfId) -> Option<&VrfPolicers> {
        self.tables(vrf)?.policers.as_deref()
    }

    /// What is said of the mapping behind an entry in LISP headers.
    #[inline]
    #[must_use]
    pub fn marks(&self, id: EntryId) -> Marks {
        self.marks.get(id.0).copied().unwrap_or_default()
    }

    /// What is asked of all LISP data.
    #[inline]
    #[must_use]
    pub const fn guard(&self) -> &Guard {
        &self.guard
    }

    /// What is asked of the inner sources of a VRF.
    #[inline]
    #[must_use]
    pub fn vrf_admission(&self, vrf: VrfId) -> VrfAdmission {
        self.tables(vrf).map(|vrf| vrf.admission).unwrap_or_default()
    }

    /// What packets to this RLOC are encrypted with.
    #[inline]
    #[must_use]
    pub fn sealer(&self, id: RlocId) -> Option<&Sealer> {
        self.keyring.sealer(id)
    }

    /// The key of packets from this outer source to this RLOC of ours with this key-id.
    #[inline]
    #[must_use]
    pub fn open_key(&self, from_to: (IpAddr, IpAddr), key_id: u8) -> Option<&CryptKey> {
        self.keyring.open_key(from_to, key_id)
    }

    /// Packets to this RLOC went out under this key-id with such an initialization vector.
    #[must_use]
    pub fn has_issued(&self, destination: IpAddr, key_id: u8, iv: &[u8]) -> bool {
        self.keyring.sealer_of(destination).is_some_and(|sealer| sealer.key().has_issued(key_id, iv))
    }

    /// The LISP site of an EID that may send to us.
    #[inline]
    #[must_use]
    pub fn site(&self, vrf: VrfId, eid: IpAddr) -> Option<SiteId> {
        self.tables(vrf)?.sites.lookup(eid).map(SiteId)
    }

    /// The RLOCs of the mapping behind an entry, where control told them.
    #[inline]
    #[must_use]
    pub fn entry_rlocs(&self, id: EntryId) -> &[IpAddr] {
        self.entry_rlocs.get(id.0).map_or(&[], |rlocs| rlocs)
    }

    /// The map-cache entry of a destination. `None`: not an EID as far as we know.
    #[inline]
    #[must_use]
    pub fn map_lookup(&self, vrf: VrfId, eid: IpAddr) -> Option<EntryId> {
        self.tables(vrf)?.map_cache.lookup(eid).map(EntryId)
    }

    /// Map-cache entries of many IPv4 destinations of one VRF: `entries[i]` becomes the slot number
    /// for `eids[i]`, or [`NO_MATCH`]. Both slices have the same length.
    #[inline]
    pub fn map_lookup4_burst(&self, vrf: VrfId, eids: &[Key4], entries: &mut [u32]) {
        match self.tables(vrf) {
            Some(vrf) => vrf.map_cache.v4.lookup_burst(eids, entries),
            None => entries.fill(NO_MATCH),
        }
    }

    /// The same for IPv6.
    #[inline]
    pub fn map_lookup6_burst(&self, vrf: VrfId, eids: &[Key6], entries: &mut [u32]) {
        match self.tables(vrf) {
            Some(vrf) => vrf.map_cache.v6.lookup_burst(eids, entries),
            None => entries.fill(NO_MATCH),
        }
    }

    /// What an entry does.
    #[inline]
    #[must_use]
    pub fn entry(&self, id: EntryId) -> MapAction {
        self.entries.action(id)
    }

    /// Counts one packet on an entry; `bytes` of the inner packet from its IP header on.
    #[inline]
    pub fn count(&self, id: EntryId, bytes: u64) {
        self.entries.count(id, 1, bytes);
    }

    /// The number of packets of an entry began again: see [`EntrySlot::count`].
    #[cold]
    pub(crate) fn lap(&self, id: EntryId) {
        self.entries.lap(id);
    }

    /// Counts so many packets, of so many bytes together.
    #[inline]
    pub(crate) fn count_many(&self, id: EntryId, packets: u32, bytes: u64) {
        self.entries.count(id, packets, bytes);
    }

    /// Asks for an entry's memory ahead of [`Replica::entry`]. No effect but speed.
    #[inline]
    pub fn prefetch_entry(&self, id: EntryId) {
        self.entries.prefetch(id);
    }

    /// Asks for an RLOC's memory ahead of [`Replica::rloc`]. No effect but speed.
    #[inline]
    pub fn prefetch_rloc(&self, id: RlocId) {
        self.rlocs.prefetch(id);
    }

    /// How to reach an RLOC.
    #[inline]
    #[must_use]
    pub fn rloc(&self, id: RlocId) -> Rloc<'_> {
        self.rlocs.get(id)
    }

    /// Counts one packet on an RLOC; `bytes` of the outer packet from its IP header on.
    #[inline]
    pub fn count_rloc(&self, id: RlocId, bytes: u64) {
        self.rlocs.count(id, 1, bytes);
    }

    /// The locator of a flow in a locator-set. `None`: a set that control has not sent.
    #[inline]
    #[must_use]
    pub fn set_pick(&self, id: LocatorSetId, hash: u32) -> Option<RlocId> {
        self.sets.pick(id, hash)
    }

    /// The native routes of a VRF.
    #[inline]
    pub(crate) fn fib(&self, vrf: VrfId) -> Option<&Fib> {
        Some(&self.tables(vrf)?.fib)
    }

    /// The native route of a destination.
    #[inline]
    #[must_use]
    pub fn fib_lookup(&self, vrf: VrfId, destination: IpAddr) -> Option<RouteHit<'_>> {
        self.tables(vrf)?.fib.lookup(destination)
    }

    /// Native routes of many IPv4 destinations of one VRF, as words for [`Replica::route`].
    #[inline]
    pub fn fib_lookup4_burst(&self, vrf: VrfId, destinations: &[Key4], words: &mut [u32]) {
        match self.tables(vrf) {
            Some(vrf) => vrf.fib.lookup4_burst(destinations, words),
            None => words.fill(NO_MATCH),
        }
    }

    /// The same for IPv6.
    #[inline]
    pub fn fib_lookup6_burst(&self, vrf: VrfId, destinations: &[Key6], words: &mut [u32]) {
        match self.tables(vrf) {
            Some(vrf) => vrf.fib.lookup6_burst(destinations, words),
            None => words.fill(NO_MATCH),
        }
    }

    /// What a word of a burst lookup in the FIB of this VRF means.
    #[inline]
    #[must_use]
    pub fn route(&self, vrf: VrfId, word: u32) -> Option<RouteHit<'_>> {
        self.tables(vrf)?.fib.resolve(word)
    }

    /// State of an Ethernet next hop; one that control has not set has failed.
    #[inline]
    #[must_use]
    pub fn adjacency(&self, id: AdjacencyId) -> Adjacency {
        self.adjacencies.get(id)
    }

    #[inline]
    fn tables(&self, id: VrfId) -> Option<&Vrf> {
        self.vrfs.get(u32::from(id.0))?.as_deref()
    }
}

/// Instance-IDs are kept as host prefixes.
pub(super) const INSTANCE_BITS: u8 = Key4::BITS;
