//! The authoritative map-cache: what every EID-prefix is mapped to, and since when (RFC 9300
//! section 6). The data plane hears of a change only when what it is to do changes.
//!
//! One trie per instance and family finds an entry's slot; all that happens to entries by
//! themselves (expiry, refresh, idleness: `map_cache_upkeep.rs`) is driven by one timer per slot.

use super::cx::Cx;
use super::event::{Action, EidPrefix, Forwarding, Iid, Time};
use super::lru::Lru;
use super::mapping::{Act, MappedLocator, Origin};
use super::rlocs::Rlocs;
use super::slab::Slab;
use super::timers::Timers;
use ipnet::IpNet;
use prefix_trie::joint::JointPrefixMap;
use pxtr_dataplane::trust::{MapVersion, Marks};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Expiry of what never expires.
pub const NEVER: Time = Time(u64::MAX);

/// A map-cache entry.
#[derive(Debug)]
pub struct Entry {
    /// EID-prefix.
    pub eid: EidPrefix,
    /// What the mapping says.
    pub act: Act,
    /// Locator-set in use: that of a positive mapping, or of the Proxy ETRs.
    pub set: Option<u32>,
    /// Where it came from.
    pub origin: Origin,
    /// First learnt.
    pub created: Time,
    /// Last confirmed.
    pub confirmed: Time,
    /// End of its TTL, or [`NEVER`].
    pub expires: Time,
    /// Last known to carry packets.
    pub used: Time,
    /// When to ask for it again if it is in use by then, or [`NEVER`].
    pub refresh: Time,
    /// Version of the mapping.
    pub version: MapVersion,
}

impl Entry {
    /// Tells the data plane what is to be said of the mapping in LISP headers, if anything is.
    pub(super) fn mark(&self, cx: &mut Cx<'_>, rlocs: &Rlocs) {
        if self.marks(cx, rlocs) != Marks::default() {
            self.mark_anew(cx, rlocs);
        }
    }

    fn mark_anew(&self, cx: &mut Cx<'_>, rlocs: &Rlocs) {
        if cx.config.trust.marks() {
            let marks = self.marks(cx, rlocs);
            cx.out.push(Action::Marks { eid: self.eid, marks });
        }
    }

    pub(super) fn marks(&self, cx: &Cx<'_>, rlocs: &Rlocs) -> Marks {
        let trust = &cx.config.trust;
        let version = if trust.map_versions { self.version } else { MapVersion::NONE };
        let heard_of = self.set.filter(|_| trust.status_bits && self.origin == Origin::MapReply);
        Marks { version, expired: false, status: heard_of.map(|set| rlocs.status(set)) }
    }
}

/// What is to be put under an EID-prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEntry {
    /// What the mapping says.
    pub act: Act,
    /// Its locators, when it is positive.
    pub locators: Vec<MappedLocator>,
    /// Where it came from.
    pub origin: Origin,
    /// End of its TTL, or [`NEVER`].
    pub expires: Time,
    /// Its version.
    pub version: MapVersion,
}

/// The map-cache.
#[derive(Debug, Default)]
pub struct MapCache {
    pub(super) tries: BTreeMap<Iid, JointPrefixMap<IpNet, u32>>,
    pub(super) entries: Slab<Entry>,
    pub(super) timers: Timers,
    /// Learnt entries.
    pub(super) lru: Lru,
    /// Configured EID space: what an EID-prefix falls back to when its mapping goes.
    pub(super) space: BTreeSet<EidPrefix>,
}

impl MapCache {
    /// The entry of exactly this EID-prefix.
    #[must_use]
    pub fn get(&self, eid: &EidPrefix) -> Option<&Entry> {
        self.entries.get(self.slot(eid)?)
    }

    /// Longest match of an EID.
    #[must_use]
    pub fn lookup(&self, iid: Iid, addr: IpAddr) -> Option<&Entry> {
        self.lookup_prefix(&EidPrefix { iid, prefix: IpNet::from(addr) })
    }

    /// Longest prefix that holds all of `eid`.
    #[must_use]
    pub fn lookup_prefix(&self, eid: &EidPrefix) -> Option<&Entry> {
        let (_, &slot) = self.tries.get(&eid.iid)?.get_lpm(&eid.prefix)?;
        self.entries.get(slot)
    }

    /// The nearest entry around `eid`, itself left out.
    #[must_use]
    pub fn covering(&self, eid: &EidPrefix) -> Option<&Entry> {
        self.on_path(eid).filter(|e| e.eid.prefix.prefix_len() < eid.prefix.prefix_len()).last()
    }

    /// All entries, by instance and prefix.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.tries.values().flat_map(|trie| trie.values()).filter_map(|&slot| self.entries.get(slot))
    }

    /// The entries inside `eid`, itself included.
    pub fn inside(&self, eid: &EidPrefix) -> impl Iterator<Item = &Entry> {
        let prefix = eid.prefix;
        let trie = self.tries.get(&eid.iid).into_iter();
        trie.flat_map(move |t| t.children(&prefix)).filter_map(|(_, &slot)| self.entries.get(slot))
    }

    /// The entries around `eid`, itself included, shortest prefix first.
    pub fn on_path(&self, eid: &EidPrefix) -> impl Iterator<Item = &Entry> {
        let prefix = eid.prefix;
        let trie = self.tries.get(&eid.iid).into_iter();
        trie.flat_map(move |t| t.cover(&prefix)).filter_map(|(_, &slot)| self.entries.get(slot))
    }

    /// Entry by slot.
    #[must_use]
    pub fn by_slot(&self, slot: u32) -> Option<&Entry> {
        self.entries.get(slot)
    }

    /// All entries, and the learnt ones among them.
    #[must_use]
    pub fn sizes(&self) -> (usize, usize) {
        (self.entries.len(), self.learnt())
    }

    /// What the data plane was told to do with an entry's packets.
    #[must_use]
    pub fn forwarding(&self, rlocs: &Rlocs, entry: &Entry) -> Forwarding {
        entry.set.map_or_else(|| entry.act.forwarding(), |set| rlocs.forwarding(set))
    }

    /// Puts a mapping under an EID-prefix, in place of a former one. A static mapping is
    /// only replaced by configuration: `false` when one stands there.
    pub fn put(&mut self, cx: &mut Cx<'_>, rlocs: &mut Rlocs, eid: EidPrefix, new: NewEntry) -> bool {
        if let Some(slot) = self.slot(&eid) {
            return self.replace(cx, rlocs, slot, new);
        }
        if new.origin.is_learnt() {
            self.make_room(cx, rlocs, eid.iid);
        }
        let set = wanted_set(cx, rlocs, new.act, &new.locators);
        let entry = Entry {
            eid,
            act: new.act,
            set,
            origin: new.origin,
            created: cx.now,
            confirmed: cx.now,
            expires: new.expires,
            used: cx.now,
            refresh: NEVER,
            version: new.version,
        };
        let forwarding = self.forwarding(rlocs, &entry);
        cx.out.push(Action::Install { eid, forwarding });
        // The data plane may have it from an engine before us, with a version.
        if entry.origin == Origin::MapReply {
            entry.mark_anew(cx, rlocs);
        }
        let slot = self.entries.insert(entry);
        if let Some(set) = set {
            rlocs.join(set, slot);
        }
        self.tries.entry(eid.iid).or_default().insert(eid.prefix, slot);
        self.track(slot);
        self.schedule(cx, slot);
        true
    }

    fn replace(&mut self, cx: &mut Cx<'_>, rlocs: &mut Rlocs, slot: u32, new: NewEntry) -> bool {
        let Some(old) = self.entries.get(slot) else { return false };
        let stands = match old.origin {
            Origin::Static => new.origin != Origin::Static,
            Origin::Nat => new.origin.is_learnt(),
            Origin::EidSpace | Origin::MapReply | Origin::Hole => false,
        };
        if stands {
            return false;
        }
        let before = self.forwarding(rlocs, old);
        let (old_set, same_origin) = (old.set, old.origin == new.origin);
        let old_version = old.version;
        let set = wanted_set(cx, rlocs, new.act, &new.locators);
        let status_bits = cx.config.trust.status_bits && set != old_set;
        let changed = old_version != new.version || status_bits;
        self.untrack(slot);
        if let Some(entry) = self.entries.get_mut(slot) {
            entry.act = new.act;
            entry.expires = new.expires;
            entry.version = new.version;
            entry.confirmed = cx.now;
            if !same_origin {
                entry.origin = new.origin;
                entry.created = cx.now;
                entry.used = cx.now;
            }
        }
        self.track(slot);
        self.switch_set(cx, rlocs, slot, old_set, set, &before);
        if let Some(entry) = self.entries.get(slot).filter(|_| changed) {
            entry.mark_anew(cx, rlocs);
        }
        self.schedule(cx, slot);
        true
    }

    /// Takes an entry out. Where EID space is configured for exactly this prefix, that takes its
    /// place.
    pub fn remove(&mut self, cx: &mut Cx<'_>, rlocs: &mut Rlocs, eid: &EidPrefix) {
        let Some(slot) = self.slot(eid) else { return };
        if self.space.contains(eid) {
            let space = NewEntry {
                act: Act::SendMapRequest,
                locators: Vec::new(),
                origin: Origin::EidSpace,
                expires: NEVER,
                version: MapVersion::NONE,
            };
            // Also where a static mapping stood: it was the configuration that took it out.
            if let Some(entry) = self.entries.get_mut(slot).filter(|e| e.origin == Origin::Static) {
                entry.origin = Origin::EidSpace;
            }
            self.replace(cx, rlocs, slot, space);
            return;
        }
        cx.out.push(Action::Withdraw(*eid));
        self.untrack(slot);
        self.timers.cancel(slot);
        if let Some(trie) = self.tries.get_mut(&eid.iid) {
            trie.remove(&eid.prefix);
            if trie.is_empty() {
                self.tries.remove(&eid.iid);
            }
        }
        if let Some(set) = self.entries.remove(slot).and_then(|entry| entry.set) {
            rlocs.leave(cx, set, slot);
        }
    }

    /// The configured Proxy ETRs changed: what is forwarded natively may now go elsewhere.
    pub fn retarget_native(&mut self, cx: &mut Cx<'_>, rlocs: &mut Rlocs) {
        let native = |(slot, e): (u32, &Entry)| (e.act == Act::NativelyForward).then_some(slot);
        let slots: Vec<u32> = self.entries.iter().filter_map(native).collect();
        for slot in slots {
            let Some(entry) = self.entries.get(slot) else { continue };
            let before = self.forwarding(rlocs, entry);
            let old_set = entry.set;
            let set = wanted_set(cx, rlocs, entry.act, &[]);
            self.switch_set(cx, rlocs, slot, old_set, set, &before);
        }
    }

    pub(super) fn slot(&self, eid: &EidPrefix) -> Option<u32> {
        self.tries.get(&eid.iid)?.get(&eid.prefix).copied()
    }

    /// Puts an entry on another locator-set, and tells the data plane if that changes what it does.
    fn switch_set(
        &mut self,
        cx: &mut Cx<'_>,
        rlocs: &mut Rlocs,
        slot: u32,
        old: Option<u32>,
        new: Option<u32>,
        before: &Forwarding,
    ) {
        let Some(entry) = self.entries.get_mut(slot) else { return };
        entry.set = new;
        let Some(entry) = self.entries.get(slot) else { return };
        let forwarding = self.forwarding(rlocs, entry);
        if forwarding != *before {
            cx.out.push(Action::Install { eid: entry.eid, forwarding });
        }
        if new != old {
            // After the data plane was told, and the new set is known: RLOCs that both sets hold
            // keep their state.
            old.into_iter().for_each(|old| rlocs.leave(cx, old, slot));
            new.into_iter().for_each(|new| rlocs.join(new, slot));
        }
    }
}

/// The locator-set that the data plane uses for a mapping: its own, or for what is forwarded
/// natively that of the Proxy ETRs, where some are configured (R-068, RFC 6832 section 6).
fn wanted_set(cx: &mut Cx<'_>, rlocs: &mut Rlocs, act: Act, own: &[MappedLocator]) -> Option<u32> {
    match act {
        Act::Encapsulate => Some(rlocs.intern(cx, own)),
        Act::NativelyForward if !cx.config.use_petr.is_empty() => {
            let petrs: Vec<_> = cx.config.use_petr.iter().map(MappedLocator::from).collect();
            Some(rlocs.intern(cx, &petrs))
        }
        _ => None,
    }
}
