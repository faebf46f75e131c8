//! One state per RLOC, shared by every locator-set and map-cache entry that holds it.
//!
//! An RLOC carries traffic while the underlay has a way to it, we have an RLOC of its
//! family, neither RLOC-probing (`probe.rs`) nor a missing echo (`echo.rs`) has declared it down
//! and its site has not said so in data either (`status.rs`, R-095). A change
//! is one `LocatorState` action, however many entries are concerned.

use super::config::EngineConfig;
use super::counters::Counter;
use super::cx::Cx;
use super::echo::{Echoes, Echoing};
use super::event::{Action, EidPrefix, Forwarding, Time};
use super::keying::Keying;
use super::locator_sets::{LocatorSet, LocatorSets};
use super::mapping::MappedLocator;
use super::probe::Probing;
use super::slab::Slab;
use super::status::SaidDown;
use super::stranded::Stranded;
use super::timers::Timers;
use super::translated::Translated;
use crate::roles::limit::Bucket;
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

/// State of an RLOC.
#[derive(Debug)]
pub struct Rloc {
    /// The RLOC.
    pub addr: IpAddr,
    /// The underlay has a way to it, as far as we were told.
    pub underlay: bool,
    /// We have an RLOC of its family.
    pub family: bool,
    /// What probing knows.
    pub probing: Probing,
    /// What is known of its echoes, if anything.
    pub echo: Option<Box<Echoing>>,
    /// What its site says of it in LISP headers.
    pub said_down: SaidDown,
    /// Up or down since.
    pub since: Time,
    /// Locator-sets in which it is eligible.
    pub(super) sets: BTreeSet<u32>,
    /// How many of them let it be probed.
    pub(super) probers: usize,
}

impl Rloc {
    /// It may carry traffic.
    #[must_use]
    pub fn is_up(&self) -> bool {
        let echoes = self.echo.as_ref().is_none_or(|echo| !echo.is_missing());
        self.underlay && self.family && !self.probing.down && echoes && !self.said_down.is_so()
    }
}

/// All RLOCs of the map-cache, and the locator-sets made of them.
#[derive(Debug, Default)]
pub struct Rlocs {
    pub(super) table: Slab<Rloc>,
    by_addr: HashMap<IpAddr, u32>,
    sets: LocatorSets,
    /// By RLOC slot: when probing wants to act.
    pub(super) timers: Timers,
    /// Probe nonce -> RLOC slot.
    pub(super) nonces: HashMap<u64, u32>,
    pub(super) pace: Bucket,
    pub(super) stranded: Stranded,
    pub(super) keying: Keying,
    pub(super) echoes: Echoes,
}

impl Rlocs {
    /// A locator-set for a new or changed entry. RLOCs seen for the first time get their state,
    /// and their probes are scheduled. The entry must `join` before the next call.
    pub fn intern(&mut self, cx: &mut Cx<'_>, locators: &[MappedLocator]) -> u32 {
        let (set, new) = self.sets.intern(locators);
        if new {
            for locator in locators.iter().filter(|l| l.is_eligible()) {
                let addr = locator.locator.rloc;
                let slot = self.slot_of(cx, addr);
                let Some(rloc) = self.table.get_mut(slot) else { continue };
                if rloc.sets.insert(set) && locators.iter().any(|l| l.lets_probe(addr)) {
                    rloc.probers += 1;
                    if rloc.probers == 1 {
                        self.reschedule(cx, slot);
                    }
                }
            }
            if self.is_stranded(set) {
                self.stranded.note(cx.now.plus_ms(1), set);
            }
        }
        set
    }

    /// All locators of the set are down that we could use at all.
    pub(super) fn is_stranded(&self, set: u32) -> bool {
        let Some(set) = self.sets.get(set) else { return false };
        let mut usable =
            set.eligible_rlocs().filter_map(|addr| self.get(addr)).filter(|r| r.family).peekable();
        usable.peek().is_some() && !usable.any(Rloc::is_up)
    }

    /// The map-cache slot that has used a set longest.
    pub(super) fn first_member(&self, set: u32) -> Option<u32> {
        self.sets.get(set)?.any_member()
    }

    /// The map-cache slot behind another one in the same set.
    pub(super) fn member_after(&self, member: u32) -> Option<u32> {
        self.sets.member_after(member)
    }

    /// The entry in map-cache slot `member` now uses `set`.
    pub fn join(&mut self, set: u32, member: u32) {
        self.sets.join(set, member);
    }

    /// The entry no longer uses `set`. RLOCs that nobody uses any more are forgotten; call this
    /// after the data plane was told what the entry does instead.
    pub fn leave(&mut self, cx: &mut Cx<'_>, set: u32, member: u32) {
        let Some(ended) = self.sets.leave(set, member) else {
            return;
        };
        for addr in ended.eligible_rlocs() {
            let Some(&slot) = self.by_addr.get(&addr) else { continue };
            let Some(rloc) = self.table.get_mut(slot) else { continue };
            if rloc.sets.remove(&set) && ended.locators.iter().any(|l| l.lets_probe(addr)) {
                rloc.probers = rloc.probers.saturating_sub(1);
            }
            if rloc.sets.is_empty() {
                self.forget(cx, slot);
            } else if rloc.probers == 0 {
                // Nothing would ever take it up again.
                self.change(cx, slot, "not probed any more", |rloc| rloc.probing.down = false);
                self.reschedule(cx, slot);
            }
        }
    }

    /// What the data plane is told of a locator-set.
    #[must_use]
    pub fn forwarding(&self, set: u32) -> Forwarding {
        let eligible =
            |set: &LocatorSet| set.locators.iter().filter(|l| l.is_eligible()).map(|l| l.locator).collect();
        Forwarding::Encapsulate(self.sets.get(set).map(eligible).unwrap_or_default())
    }

    /// In this set the RLOC is a hop on the way and nothing more: it does not speak for the mapping.
    pub(super) fn is_only_on_the_way(&self, set: u32, rloc: IpAddr) -> bool {
        let mut those = self.locators(set).iter().map(|l| l.locator).filter(|l| l.rloc == rloc).peekable();
        those.peek().is_some() && those.all(|l| l.is_on_the_way())
    }

    /// The locators of a set.
    #[must_use]
    pub fn locators(&self, set: u32) -> &[MappedLocator] {
        self.sets.get(set).map_or(&[], |set| &set.locators)
    }

    /// State of an RLOC, if some mapping holds it.
    #[must_use]
    pub fn get(&self, addr: IpAddr) -> Option<&Rloc> {
        self.table.get(*self.by_addr.get(&addr)?)
    }

    /// Its slot.
    pub(super) fn find(&self, addr: IpAddr) -> Option<u32> {
        self.by_addr.get(&addr).copied()
    }

    /// The RLOC and others of the same sites, as far as its first few locator-sets tell.
    pub(super) fn same_sites(&self, slot: u32) -> BTreeSet<u32> {
        const SETS: usize = 8;
        const RLOCS: usize = 16;
        let sets = self.table.get(slot).into_iter().flat_map(|rloc| rloc.sets.iter().take(SETS));
        let rlocs = sets.filter_map(|&set| self.sets.get(set)).flat_map(LocatorSet::eligible_rlocs);
        std::iter::once(slot).chain(rlocs.filter_map(|addr| self.find(addr)).take(RLOCS)).collect()
    }

    /// All RLOCs, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &Rloc> {
        self.table.iter().map(|(_, rloc)| rloc)
    }

    /// RLOCs and locator-sets in use.
    #[must_use]
    pub fn sizes(&self) -> (usize, usize) {
        (self.table.len(), self.sets.len())
    }

    /// Map-cache entries that use an RLOC. Costs one step per locator-set.
    #[must_use]
    pub fn entries_using(&self, rloc: &Rloc) -> usize {
        rloc.sets.iter().filter_map(|&set| self.sets.get(set)).map(LocatorSet::len).sum()
    }

    /// The underlay says whether it has a way to an RLOC (R-092: down at once).
    pub fn on_underlay(&mut self, cx: &mut Cx<'_>, addr: IpAddr, reachable: bool) {
        let Some(slot) = self.find(addr) else { return };
        self.change(cx, slot, "underlay route", |rloc| rloc.underlay = reachable);
        self.reschedule(cx, slot);
    }

    /// A new configuration: families and the probe interval may have changed.
    pub fn configure(&mut self, cx: &mut Cx<'_>) {
        let slots: Vec<u32> = self.table.iter().map(|(slot, _)| slot).collect();
        for slot in slots {
            // Without probing nothing would ever take it up again.
            let off = cx.config.limits.probe_interval_ms == 0;
            let deaf = !cx.config.trust.status_bits;
            self.change(cx, slot, "configuration", |rloc| {
                rloc.probing.down &= !off;
                if deaf {
                    rloc.said_down = SaidDown::default();
                }
            });
            self.configure_echo(cx, slot);
            self.reschedule(cx, slot);
        }
        let rlocs: Vec<IpAddr> = self.iter().map(|rloc| rloc.addr).collect();
        self.keying.configure(cx, &rlocs);
    }

    /// Keys that are to be agreed upon, changed or looked after.
    pub(super) fn agree_on_keys(&mut self, cx: &mut Cx<'_>, prefix_of: PrefixOf<'_>) {
        while let Some(rloc) = self.keying.pop_due(cx.now) {
            let slot = self.find(rloc);
            let eid = slot.and_then(|slot| self.sample_member(slot)).and_then(prefix_of);
            self.keying.act(cx, rloc, eid);
        }
    }

    /// An EID-prefix that is mapped to the RLOC, by the map-cache slot of an entry: another one
    /// each time, so that one site's answer does not stand for all.
    pub(super) fn sample_member(&mut self, slot: u32) -> Option<u32> {
        let rloc = self.table.get_mut(slot)?;
        let after = rloc.sets.range(rloc.probing.cursor.saturating_add(1)..).next();
        let set = *after.or_else(|| rloc.sets.first())?;
        rloc.probing.cursor = set;
        self.sets.get(set)?.any_member()
    }

    /// Applies `edit` to an RLOC and tells the data plane and the operator if that takes it up or
    /// down.
    pub(super) fn change(&mut self, cx: &mut Cx<'_>, slot: u32, why: &str, edit: impl FnOnce(&mut Rloc)) {
        let Some(rloc) = self.table.get_mut(slot) else { return };
        let was_up = rloc.is_up();
        rloc.family = has_family(cx.config, rloc.addr);
        edit(rloc);
        let up = rloc.is_up();
        if up == was_up {
            return;
        }
        rloc.since = cx.now;
        let addr = rloc.addr;
        let concerned: Vec<u32> = if up { Vec::new() } else { rloc.sets.iter().copied().collect() };
        for set in concerned {
            if self.is_stranded(set) {
                self.stranded.note(cx.now, set);
            }
        }
        cx.out.push(Action::LocatorState { rloc: addr, up });
        let counter = if up { Counter::RlocsUp } else { Counter::RlocsDown };
        cx.notice(counter, format_args!("{addr}: {why}"));
    }

    fn slot_of(&mut self, cx: &mut Cx<'_>, addr: IpAddr) -> u32 {
        if let Some(&slot) = self.by_addr.get(&addr) {
            return slot;
        }
        let rloc = Rloc {
            addr,
            underlay: true,
            family: has_family(cx.config, addr),
            probing: Probing::default(),
            echo: None,
            said_down: SaidDown::default(),
            since: cx.now,
            sets: BTreeSet::new(),
            probers: 0,
        };
        if !rloc.is_up() {
            cx.out.push(Action::LocatorState { rloc: addr, up: false });
        }
        let slot = self.table.insert(rloc);
        self.by_addr.insert(addr, slot);
        self.keying.add(cx, addr);
        slot
    }

    fn forget(&mut self, cx: &mut Cx<'_>, slot: u32) {
        self.timers.cancel(slot);
        self.forget_echo(cx, slot);
        let Some(rloc) = self.table.remove(slot) else { return };
        self.by_addr.remove(&rloc.addr);
        self.keying.remove(cx, rloc.addr);
        for sent in &rloc.probing.outstanding {
            self.nonces.remove(&sent.nonce);
        }
        if !rloc.is_up() {
            cx.out.push(Action::LocatorState { rloc: rloc.addr, up: true });
        }
    }
}

/// we can only encapsulate to families of which we have an RLOC.
fn has_family(config: &EngineConfig, addr: IpAddr) -> bool {
    let addr = Translated::real(addr);
    config.rlocs.iter().any(|r| r.is_ipv4() == addr.is_ipv4())
}

/// Looks up the EID-prefix of a map-cache slot; handed to probing, which asks for that prefix.
pub type PrefixOf<'a> = &'a dyn Fn(u32) -> Option<EidPrefix>;
