//! Who registers an EID-prefix, with what.

use crate::codec::auth::Coverage;
use crate::codec::{EidRecord, LocatorRecord, MapRegister};
use crate::engine::Meta;
use crate::engine::config::AuthAlgorithm;
use crate::engine::event::{EidPrefix, Time};
use crate::roles::reply;
use pxtr_dataplane::trust::{Age, MapVersion};
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};

/// Registration without the T bit lives that long (RFC 9301 section 8.2).
const REGISTRATION_MS: u64 = 180_000;
/// Longest life that a Record TTL can give to a registration with the T bit: a week.
const TTL_MAX_MINUTES: u32 = 7 * 24 * 60;

/// Who an ETR is to us: its xTR-ID, or else the address it registers from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RegistrantId {
    /// xTR-ID (RFC 9301 section 5.6, I bit).
    XtrId([u8; 16]),
    /// Source address of its Map-Registers.
    Address(IpAddr),
}

impl RegistrantId {
    /// Of a Map-Register whose MAC covers that much: an xTR-ID outside of it is only claimed, and
    /// anyone on the path could have changed it.
    pub(super) fn of(meta: &Meta, register: &MapRegister, coverage: Coverage) -> Self {
        match register.xtr {
            Some(xtr) if coverage == Coverage::Whole => Self::XtrId(xtr.xtr_id),
            _ => Self::Address(meta.from.ip()),
        }
    }
}

/// One ETR's registration of one EID-prefix.
#[derive(Clone, Debug)]
pub(super) struct Registrant {
    pub(super) id: RegistrantId,
    /// Where its Map-Registers come from, and where unsolicited Map-Notifies go.
    pub(super) from: SocketAddr,
    /// Sorted, p=0.
    pub(super) locators: Box<[LocatorRecord]>,
    pub(super) ttl_minutes: u32,
    pub(super) map_version: MapVersion,
    pub(super) key_id: u8,
    pub(super) algorithm: AuthAlgorithm,
    /// P: answer for it.
    pub(super) proxy_reply: bool,
    /// S: it does LISP-SEC.
    pub(super) lisp_sec: bool,
    /// a: its locators are added to those of others.
    pub(super) merge: bool,
    /// M: it listens to Map-Notifies.
    pub(super) want_map_notify: bool,
    pub(super) first: Time,
    pub(super) last: Time,
    pub(super) expires: Time,
}

impl Registrant {
    /// What a record of a Map-Register says.
    pub(super) fn new(
        now: Time,
        meta: &Meta,
        id: RegistrantId,
        register: &MapRegister,
        algorithm: AuthAlgorithm,
        record: &EidRecord,
    ) -> Self {
        let mut locators = record.locators.clone();
        // RFC 9301 section 5.4: p is of Map-Replies only.
        locators.iter_mut().for_each(|l| l.probed = false);
        reply::sort_locators(&mut locators);
        // T=1: the Record TTL, in minutes, bounds the registration too.
        let life_ms = if register.use_ttl {
            u64::from(record.ttl_minutes.min(TTL_MAX_MINUTES)) * 60_000
        } else {
            REGISTRATION_MS
        };
        Self {
            id,
            from: meta.from,
            locators: locators.into_boxed_slice(),
            ttl_minutes: record.ttl_minutes,
            map_version: MapVersion::new(record.map_version),
            key_id: register.auth.key_id,
            algorithm,
            proxy_reply: register.proxy_reply,
            lisp_sec: register.lisp_sec,
            merge: register.merge,
            // What is sent to the RTR in between without having been asked for would go no further.
            want_map_notify: register.want_map_notify && meta.inner.is_none(),
            first: now,
            last: now,
            expires: now.plus_ms(life_ms),
        }
    }
}

/// An EID-prefix and all who register it.
#[derive(Clone, Debug)]
pub(super) struct Registered {
    pub(super) eid: EidPrefix,
    pub(super) site: super::sites::SiteId,
    /// In the order of their first registration; several only when they merge.
    pub(super) registrants: Vec<Registrant>,
}

impl Registered {
    /// the union of the registered RLOC-records. Of one RLOC that several register, the
    /// record of the ETR that has it counts, or else the newest.
    pub(super) fn locators(&self) -> Vec<LocatorRecord> {
        if let [one] = self.registrants.as_slice() {
            return one.locators.to_vec();
        }
        let mut by_recency: Vec<&Registrant> = self.registrants.iter().collect();
        by_recency.sort_by_key(|r| std::cmp::Reverse(r.last));
        let mut union: Vec<LocatorRecord> = Vec::new();
        for own_only in [true, false] {
            for locator in by_recency.iter().flat_map(|r| r.locators.iter()) {
                let wanted = !own_only || locator.local;
                if wanted && !union.iter().any(|l| l.address == locator.address) {
                    union.push(locator.clone());
                }
            }
        }
        union.truncate(crate::codec::MAX_LOCATORS);
        reply::sort_locators(&mut union);
        union
    }

    /// Newest of the registered versions; none if nobody gave one.
    pub(super) fn map_version(&self) -> MapVersion {
        let versions = self.registrants.iter().map(|r| r.map_version).filter(|version| !version.is_none());
        let newer = |a: MapVersion, b: MapVersion| if b.against(a) == Age::Newer { b } else { a };
        versions.reduce(newer).unwrap_or_default()
    }

    /// R-169 (4): any ETR asked us to answer for it.
    pub(super) fn proxy_reply(&self) -> bool {
        self.registrants.iter().any(|r| r.proxy_reply)
    }

    /// Shortest of the registered Record TTLs.
    pub(super) fn ttl_minutes(&self) -> u32 {
        self.registrants.iter().map(|r| r.ttl_minutes).min().unwrap_or_default()
    }

    /// When the first of its registrants expires.
    pub(super) fn expires(&self) -> Option<Time> {
        self.registrants.iter().map(|r| r.expires).min()
    }
}
