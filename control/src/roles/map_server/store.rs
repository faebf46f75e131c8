//! The registrations: by EID-prefix, each with a timer. No operation looks at more than one prefix. And the
//! policies that count in their place.

use super::policies::Policies;
use super::registrant::{Registered, Registrant, RegistrantId};
use super::sites::SiteId;
use crate::engine::config::{AuthAlgorithm, Site};
use crate::engine::event::{EidPrefix, Time};
use crate::engine::{Slab, Timers};
use crate::roles::notifier::Addressee;
use crate::roles::prefix_table::EidTable;
use std::net::IpAddr;

/// ETRs that may merge into one EID-prefix.
const REGISTRANTS_PER_PREFIX: usize = 32;

/// All registrations.
#[derive(Debug, Default)]
pub(super) struct Store {
    /// What is answered whoever registers it.
    pub(super) policies: Policies,
    by_eid: EidTable<u32>,
    rows: Slab<Registered>,
    /// Slot of a row; armed for its first expiry or earlier.
    timers: Timers,
}

/// Somebody to be told of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Listener {
    pub(super) address: IpAddr,
    pub(super) key_id: u8,
    pub(super) algorithm: AuthAlgorithm,
}

impl Listener {
    /// With the key that it registered with, if the site still has it.
    pub(super) fn addressee(&self, site: &Site) -> Option<Addressee> {
        let key = site.keys.iter().find(|key| key.id == self.key_id)?.clone();
        Some(Addressee { address: self.address, us: None, key, algorithm: self.algorithm })
    }

    fn of(registrant: &Registrant) -> Self {
        Self { address: registrant.from.ip(), key_id: registrant.key_id, algorithm: registrant.algorithm }
    }
}

/// What a change did.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    /// The EID-prefix is new.
    pub(super) created: bool,
    /// Nobody registers the EID-prefix any more.
    pub(super) removed: bool,
    /// Its locator-set is another one now: these are to know, the one who changed it excepted.
    pub(super) listeners: Vec<Listener>,
    /// Its locator-set is another one now.
    pub(super) changed: bool,
}

impl Store {
    /// EID-prefixes registered.
    pub(super) fn len(&self) -> usize {
        self.by_eid.len()
    }

    /// Registrations of exactly this prefix.
    pub(super) fn get(&self, eid: &EidPrefix) -> Option<&Registered> {
        self.rows.get(*self.by_eid.get(eid)?)
    }

    /// The registered EID-prefixes, with their slots.
    pub(super) fn prefixes(&self) -> &EidTable<u32> {
        &self.by_eid
    }

    /// The row of a slot.
    pub(super) fn row(&self, slot: u32) -> Option<&Registered> {
        self.rows.get(slot)
    }

    /// Everything, by instance and prefix.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Registered> {
        self.by_eid.iter().filter_map(|(_, slot)| self.rows.get(*slot))
    }

    /// When something expires next, or earlier.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.timers.next_deadline()
    }

    /// Enters a registration: it replaces that of the same ETR and, unless both merge, those of all
    /// others.
    pub(super) fn register(&mut self, eid: EidPrefix, site: SiteId, mut new: Registrant) -> Change {
        let slot = self.by_eid.get(&eid).copied();
        let Some((slot, row)) = slot.and_then(|s| Some((s, self.rows.get_mut(s)?))) else {
            let expires = new.expires;
            let listeners = self.owners_around(&eid, new.id);
            let slot = self.rows.insert(Registered { eid, site, registrants: vec![new] });
            self.by_eid.insert(eid, slot);
            self.timers.set(slot, expires);
            return Change { created: true, listeners, ..Change::default() };
        };
        row.site = site;
        let id = new.id;
        // The usual case: the one ETR says the same again.
        if let [one] = row.registrants.as_mut_slice()
            && one.id == id
        {
            let changed = one.locators != new.locators;
            new.first = one.first;
            *one = new;
            self.arm(slot);
            return Change { changed, ..Change::default() };
        }
        let before = row.locators();
        let listeners = listeners_but(row, id);
        row.registrants.retain(|r| r.id == id || (new.merge && r.merge));
        match row.registrants.iter_mut().find(|r| r.id == id) {
            Some(own) => {
                new.first = own.first;
                *own = new;
            }
            None => row.registrants.push(new),
        }
        if row.registrants.len() > REGISTRANTS_PER_PREFIX {
            row.registrants.remove(0);
        }
        let changed = row.locators() != before;
        self.arm(slot);
        Change { changed, listeners: if changed { listeners } else { Vec::new() }, ..Change::default() }
    }

    /// A host that registers by itself, inside a prefix of others, left them: they served it until
    /// now, whether or not they had seen it.
    fn owners_around(&self, eid: &EidPrefix, id: RegistrantId) -> Vec<Listener> {
        let host = eid.prefix.prefix_len() == eid.prefix.max_prefix_len();
        let around = self.by_eid.lookup_prefix(eid).filter(|_| host);
        let row = around.and_then(|(_, slot)| self.rows.get(*slot));
        row.filter(|row| !row.registrants.iter().any(|r| r.id == id))
            .map(|row| listeners_but(row, id))
            .unwrap_or_default()
    }

    /// Takes back the registration of one ETR; `None` when it has none (R-165: only a registrant
    /// may).
    pub(super) fn withdraw(&mut self, eid: &EidPrefix, id: RegistrantId) -> Option<Change> {
        let slot = *self.by_eid.get(eid)?;
        let row = self.rows.get(slot)?;
        if !row.registrants.iter().any(|r| r.id == id) {
            return None;
        }
        Some(self.retain(slot, |r| r.id != id))
    }

    /// Drops what expired by `now` from one prefix and says which it was; `None` when nothing is
    /// due any more.
    pub(super) fn expire_one(&mut self, now: Time) -> Option<(EidPrefix, SiteId, Change)> {
        let slot = self.timers.pop_due(now)?;
        let row = self.rows.get(slot)?;
        let (eid, site) = (row.eid, row.site);
        // A refreshed registration leaves its timer where it was; it is set anew here.
        let change = self.retain(slot, |r| r.expires > now);
        Some((eid, site, change))
    }

    /// Drops a prefix whatever its state.
    pub(super) fn remove(&mut self, eid: &EidPrefix) {
        if let Some(slot) = self.by_eid.remove(eid) {
            self.rows.remove(slot);
            self.timers.cancel(slot);
        }
    }

    fn retain(&mut self, slot: u32, keep: impl Fn(&Registrant) -> bool) -> Change {
        let Some(row) = self.rows.get_mut(slot) else { return Change::default() };
        if row.registrants.iter().all(&keep) {
            self.arm(slot);
            return Change::default();
        }
        let before = row.locators();
        row.registrants.retain(keep);
        if row.registrants.is_empty() {
            let eid = row.eid;
            self.remove(&eid);
            return Change { removed: true, changed: true, ..Change::default() };
        }
        let changed = row.locators() != before;
        let listeners = if changed { listeners_but(row, None) } else { Vec::new() };
        self.arm(slot);
        Change { changed, listeners, ..Change::default() }
    }

    /// Moves the timer only to earlier: a refresh costs no heap operation.
    fn arm(&mut self, slot: u32) {
        let Some(expires) = self.rows.get(slot).and_then(Registered::expires) else { return };
        if self.timers.deadline(slot).is_none_or(|at| at > expires) {
            self.timers.set(slot, expires);
        }
    }
}

fn listeners_but(row: &Registered, id: impl Into<Option<RegistrantId>>) -> Vec<Listener> {
    let id = id.into();
    let listening = row.registrants.iter().filter(|r| r.want_map_notify && Some(r.id) != id);
    listening.map(Listener::of).collect()
}
