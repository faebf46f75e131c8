//! The configured sites: which EID-prefix is whose, and what is remembered per site.

use super::nonces::KeptNonce;
use super::registrant::RegistrantId;
use crate::codec::auth;
use crate::engine::config::{EngineConfig, Key, Site};
use crate::engine::event::{EidPrefix, Time};
use crate::roles::limit::{Bucket, Rate};
use crate::roles::prefix_table::EidTable;
use std::collections::{BTreeMap, HashMap};

/// Registrants whose nonces are remembered, per site.
const REGISTRANTS_PER_SITE: usize = 1024;
/// A registrant not heard of for that long may make room for a new one.
const FORGET_AFTER_MS: u64 = 3_600_000;

/// A site keeps its number over reloads, as long as the daemon runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct SiteId(u32);

/// All sites.
#[derive(Debug, Default)]
pub(super) struct Sites {
    prefixes: EidTable<Configured>,
    ids: BTreeMap<String, SiteId>,
    states: Vec<SiteState>,
    /// Grows with every nonce taken.
    pub(super) nonces_taken: u64,
}

/// A configured EID-prefix.
#[derive(Clone, Copy, Debug)]
pub(super) struct Configured {
    site: SiteId,
    accept_more_specifics: bool,
}

/// What is remembered of a site.
#[derive(Debug, Default)]
pub(super) struct SiteState {
    /// Where it is in the configuration; `None`: no longer there.
    index: Option<usize>,
    /// EID-prefixes registered now.
    pub(super) registered: u32,
    registers: Bucket,
    /// The keys that the nonces belong to, and what tells their secrets apart on disk.
    keys: Vec<(Key, u32)>,
    /// Last nonce by Key ID and registrant.
    nonces: HashMap<(u8, RegistrantId), Seen>,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    nonce: u64,
    at: Time,
}

/// Why a nonce was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NonceRefused {
    /// Not above the last one.
    Replayed,
    /// Too many registrants for this site.
    NoRoom,
}

impl Sites {
    /// Takes over the configured sites; what is remembered of those that stay is kept.
    pub(super) fn configure(&mut self, config: &EngineConfig) {
        self.prefixes = EidTable::default();
        self.states.iter_mut().for_each(|s| s.index = None);
        for (index, site) in config.sites.iter().enumerate() {
            let id = self.id(&site.name);
            if let Some(state) = self.states.get_mut(id.0 as usize) {
                state.index = Some(index);
                state.take_keys(&site.keys);
            }
            for p in &site.eid_prefixes {
                let configured = Configured { site: id, accept_more_specifics: p.accept_more_specifics };
                self.prefixes.insert(p.eid, configured);
            }
        }
    }

    fn id(&mut self, name: &str) -> SiteId {
        if let Some(id) = self.ids.get(name) {
            return *id;
        }
        let id = SiteId(u32::try_from(self.states.len()).unwrap_or(u32::MAX));
        self.ids.insert(name.to_owned(), id);
        self.states.push(SiteState::default());
        id
    }

    /// The site that may register this EID-prefix: it is configured for it, or for a prefix around
    /// it with more-specifics accepted.
    pub(super) fn owner(&self, eid: &EidPrefix) -> Option<SiteId> {
        let (prefix, configured) = self.prefixes.lookup_prefix(eid)?;
        (prefix == eid.prefix || configured.accept_more_specifics).then_some(configured.site)
    }

    /// The configured EID-prefixes.
    pub(super) fn prefixes(&self) -> &EidTable<Configured> {
        &self.prefixes
    }

    /// takes a nonce if it is above the last one of this registrant under this key.
    pub(super) fn take_nonce(
        &mut self,
        now: Time,
        site: SiteId,
        key: (u8, RegistrantId),
        nonce: u64,
    ) -> Result<(), NonceRefused> {
        let state = self.states.get_mut(site.0 as usize).ok_or(NonceRefused::NoRoom)?;
        state.take_nonce(now, key, nonce)?;
        self.nonces_taken += 1;
        Ok(())
    }

    /// All nonces, and when they were heard.
    pub(super) fn nonces(&self) -> impl Iterator<Item = (Time, KeptNonce)> + '_ {
        let sites = self.ids.iter().filter_map(|(name, id)| Some((name, self.states.get(id.0 as usize)?)));
        sites.flat_map(|(name, state)| {
            state.nonces.iter().filter_map(move |(&(key_id, registrant), seen)| {
                let key = state.keys.iter().find(|(key, _)| key.id == key_id)?.1;
                Some((seen.at, KeptNonce { site: name.clone(), key_id, key, registrant, nonce: seen.nonce }))
            })
        })
    }

    /// Takes over a nonce that was kept, if its key is still there.
    pub(super) fn restore_nonce(&mut self, now: Time, kept: &KeptNonce) {
        let id = self.ids.get(&kept.site);
        let Some(state) = id.and_then(|id| self.states.get_mut(id.0 as usize)) else { return };
        if state.keys.iter().any(|(key, print)| (key.id, *print) == (kept.key_id, kept.key)) {
            // A nonce that is not above the last one, or one too many, changes nothing.
            let _ = state.take_nonce(now, (kept.key_id, kept.registrant), kept.nonce);
        }
    }

    /// The configuration of a site.
    pub(super) fn config<'a>(&self, config: &'a EngineConfig, site: SiteId) -> Option<&'a Site> {
        config.sites.get(self.states.get(site.0 as usize)?.index?)
    }

    /// What is remembered of a site.
    pub(super) fn state_mut(&mut self, site: SiteId) -> Option<&mut SiteState> {
        self.states.get_mut(site.0 as usize)
    }
}

impl SiteState {
    /// Map-Registers of one site. Generous enough for a site at its limit that puts every
    /// EID-prefix into a message of its own each minute, with retransmissions.
    pub(super) fn admit(&mut self, now: Time, max_prefixes: u32) -> bool {
        let per_second = (max_prefixes / 10).max(100);
        self.registers.take(now, Rate { per_second, burst: per_second.saturating_mul(2) })
    }

    /// A changed secret starts a new sequence of nonces, and so does one that comes back.
    fn take_keys(&mut self, keys: &[Key]) {
        let before = std::mem::take(&mut self.keys);
        let same = |id: u8| keys.iter().any(|k| k.id == id && before.iter().any(|(old, _)| old == k));
        self.nonces.retain(|(id, _), _| same(*id));
        self.keys = keys.iter().map(|key| (key.clone(), auth::fingerprint(&key.secret))).collect();
    }

    fn take_nonce(&mut self, now: Time, key: (u8, RegistrantId), nonce: u64) -> Result<(), NonceRefused> {
        if let Some(seen) = self.nonces.get_mut(&key) {
            if nonce <= seen.nonce {
                return Err(NonceRefused::Replayed);
            }
            *seen = Seen { nonce, at: now };
            return Ok(());
        }
        if self.nonces.len() >= REGISTRANTS_PER_SITE && !self.forget_oldest(now) {
            return Err(NonceRefused::NoRoom);
        }
        self.nonces.insert(key, Seen { nonce, at: now });
        Ok(())
    }

    /// Bounded by [`REGISTRANTS_PER_SITE`], and only reached with a good MAC.
    fn forget_oldest(&mut self, now: Time) -> bool {
        let oldest = self.nonces.iter().min_by_key(|(key, seen)| (seen.at, **key)).map(|(k, s)| (*k, s.at));
        match oldest {
            Some((key, at)) if now.since(at) > FORGET_AFTER_MS => self.nonces.remove(&key).is_some(),
            _ => false,
        }
    }
}
