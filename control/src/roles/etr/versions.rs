//! What is said of our mappings in LISP headers: their versions, and who sends to us with old ones (RFC 9302
//! sections 6 and 7.1; ), and the state of their locators (`status.rs`).
//!
//! A version is the operator's: all ETRs of a site must have the same, so that none makes one up.

use super::solicitor::Solicitor;
use super::status::Statuses;
use crate::engine::config::DatabaseMapping;
use crate::engine::event::{Action, EidPrefix, Time};
use crate::engine::{Counter, Cx};
use pxtr_dataplane::trust::{Age, MapVersion, Marks};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

/// How often an ITR is told of a new version (RFC 9302 section 7.1).
const TRIES: u8 = 10;
/// Least time between two tries (RFC 9301 section 6.1).
const INTERVAL_MS: u64 = 3_000;
/// ITRs and EID-prefixes that are kept account of, and after what silence one makes room.
const PAIRS_MAX: usize = 4096;
const PAIR_LIFE_MS: u64 = 600_000;
/// Those that are dropped by the workers, which try them in turn.
const OUTDATED_MAX: usize = 256;

/// What the data plane is told of our mappings, and of whom.
#[derive(Debug, Default)]
pub(super) struct Versions {
    own: BTreeMap<EidPrefix, Own>,
    /// When the former version of a mapping should be forgotten by all.
    ends: BTreeSet<(Time, EidPrefix)>,
    tries: HashMap<(IpAddr, EidPrefix), Tries>,
    outdated: BTreeSet<(IpAddr, EidPrefix)>,
    statuses: Statuses,
}

/// A mapping of ours.
#[derive(Debug)]
struct Own {
    mapping: DatabaseMapping,
    marks: Marks,
}

/// How often an ITR was told.
#[derive(Debug)]
struct Tries {
    count: u8,
    last: Time,
}

impl Own {
    /// Tells the data plane of the locators' state, if that is another one.
    fn say_status(&mut self, cx: &mut Cx<'_>, statuses: &Statuses) {
        let status = statuses.of(cx, &self.mapping);
        if status != self.marks.status {
            self.marks.status = status;
            cx.out.push(Action::Marks { eid: self.mapping.eid, marks: self.marks });
        }
    }
}

impl Versions {
    /// Takes over the configuration. Its versions are those of now: what changed with them is known only of
    /// what changed while we ran, so that at the start they are taken for new.
    pub(super) fn configure(&mut self, cx: &mut Cx<'_>) {
        let mut former = std::mem::take(&mut self.own);
        if !(cx.config.trust.marks() && cx.config.roles.xtr) {
            self.statuses.stop();
            self.ends.clear();
            self.tries.clear();
            return self.let_off(cx, |_| true);
        }
        let config = cx.config;
        for mapping in &config.database {
            let before = former.get(&mapping.eid).map(|own| &own.mapping);
            self.statuses.configure(cx, before, mapping);
            let mut own = match former.remove(&mapping.eid) {
                Some(same) if same.mapping.map_version == mapping.map_version => {
                    if same.mapping.locators != mapping.locators {
                        not_raised(cx, mapping);
                    }
                    Own { mapping: mapping.clone(), ..same }
                }
                other => self.begin(cx, mapping, other.map(|own| own.mapping)),
            };
            own.marks.status = self.statuses.of(cx, &own.mapping);
            // Said each time: the entry of the data plane may be a new one.
            cx.out.push(Action::Marks { eid: mapping.eid, marks: own.marks });
            self.own.insert(mapping.eid, own);
        }
        let Self { own, ends, tries, .. } = self;
        ends.retain(|(_, eid)| own.contains_key(eid));
        tries.retain(|(_, eid), _| own.contains_key(eid));
        self.let_off(cx, |eid| former.contains_key(eid));
    }

    /// A mapping has a new version.
    fn begin(&mut self, cx: &mut Cx<'_>, mapping: &DatabaseMapping, former: Option<DatabaseMapping>) -> Own {
        let version = mapping.map_version;
        let before = former.as_ref().map_or(MapVersion::NONE, |former| former.map_version);
        if !(version.is_none() || before.is_none()) && version.against(before) != Age::Newer {
            not_raised(cx, former.as_ref().unwrap_or(mapping));
        }
        self.ends.retain(|(_, eid)| *eid != mapping.eid);
        self.tries.retain(|(_, eid), _| *eid != mapping.eid);
        self.let_off(cx, |eid| *eid == mapping.eid);
        if !version.is_none() {
            let minutes = former.map_or(mapping.ttl_minutes, |former| former.ttl_minutes);
            self.ends.insert((cx.now.plus_ms(u64::from(minutes) * 60_000), mapping.eid));
        }
        Own { mapping: mapping.clone(), marks: Marks { version, ..Marks::default() } }
    }

    /// A locator of our site came up or went down: the next packets say so.
    pub(super) fn on_site_locator(&mut self, cx: &mut Cx<'_>, rloc: IpAddr, up: bool) {
        if self.statuses.set(rloc, up) {
            cx.notice(
                Counter::SiteLocatorsChanged,
                format_args!("{rloc}: {}", if up { "up" } else { "down" }),
            );
            let Self { own, statuses, .. } = self;
            own.values_mut().for_each(|own| own.say_status(cx, statuses));
        }
    }

    /// An ITR has an old version of a mapping of ours: it is told, or given up.
    pub(super) fn on_older(
        &mut self,
        cx: &mut Cx<'_>,
        solicitor: &mut Solicitor,
        (rloc, eid): (IpAddr, EidPrefix),
        version: MapVersion,
    ) {
        let own = self.own.get(&eid).map_or(MapVersion::NONE, |own| own.marks.version);
        if own.is_none() || version.against(own) != Age::Older {
            return;
        }
        let key = (rloc, eid);
        if self.tries.len() >= PAIRS_MAX && !self.tries.contains_key(&key) {
            let now = cx.now;
            self.tries.retain(|_, tries| now.since(tries.last) < PAIR_LIFE_MS);
            if self.tries.len() >= PAIRS_MAX {
                return cx.count(Counter::SmrsNotSent);
            }
        }
        let new = Tries { count: 0, last: Time::default() };
        let tries = self.tries.entry(key).or_insert(new);
        if tries.count > 0 && cx.now.since(tries.last) < INTERVAL_MS {
            return;
        }
        tries.last = cx.now;
        if tries.count < TRIES {
            tries.count += 1;
            cx.count(Counter::MapVersionsOutdated);
            solicitor.solicit_once(cx, rloc, eid);
        } else if self.outdated.len() < OUTDATED_MAX && self.outdated.insert(key) {
            cx.notice(
                Counter::MapVersionsIgnored,
                format_args!("{rloc} goes on with version {} of {}", version.get(), eid.prefix),
            );
            self.tell(cx);
        }
    }

    /// The ITR asked for the mapping: it begins anew.
    pub(super) fn asked(&mut self, cx: &mut Cx<'_>, rloc: IpAddr, eid: &EidPrefix) {
        self.tries.remove(&(rloc, *eid));
        if self.outdated.remove(&(rloc, *eid)) {
            self.tell(cx);
        }
    }

    /// When the TTL of a former version ends, or the time in which the state of locators is not said.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.ends.first().map(|(at, _)| *at).into_iter().chain(self.statuses.next_deadline()).min()
    }

    /// Former versions whose TTL has passed are not to be met any more, nor their locators.
    pub(super) fn on_tick(&mut self, cx: &mut Cx<'_>) {
        while let Some(eid) = self.statuses.pop_due(cx.now) {
            if let Some(own) = self.own.get_mut(&eid) {
                own.say_status(cx, &self.statuses);
            }
        }
        while let Some((_, eid)) = self.ends.first().filter(|(at, _)| *at <= cx.now).copied() {
            self.ends.pop_first();
            if let Some(own) = self.own.get_mut(&eid) {
                own.marks.expired = true;
                cx.out.push(Action::Marks { eid, marks: own.marks });
            }
            self.tries.retain(|(_, other), _| *other != eid);
            self.let_off(cx, |other| *other == eid);
        }
    }

    /// Nobody is outdated any more with regard to these EID-prefixes.
    fn let_off(&mut self, cx: &mut Cx<'_>, eids: impl Fn(&EidPrefix) -> bool) {
        let before = self.outdated.len();
        self.outdated.retain(|(_, eid)| !eids(eid));
        if self.outdated.len() != before {
            self.tell(cx);
        }
    }

    fn tell(&self, cx: &mut Cx<'_>) {
        cx.out.push(Action::Outdated(self.outdated.iter().copied().collect()));
    }
}

/// Those who have the mapping can not see that it changed.
fn not_raised(cx: &mut Cx<'_>, before: &DatabaseMapping) {
    let version = before.map_version;
    if version.is_none() {
        return;
    }
    cx.notice(
        Counter::MapVersionsNotRaised,
        format_args!(
            "{} changed, its map_version must be newer than {}, like {}",
            before.eid.prefix,
            version.get(),
            version.next().get()
        ),
    );
}
