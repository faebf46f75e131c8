//! What `pxtr show registrations` lists.

use super::registrant::{Registered, RegistrantId};
use super::sites::Sites;
use crate::engine::config::EngineConfig;
use crate::engine::event::{EidPrefix, Time};
use serde::Serialize;
use std::net::{IpAddr, SocketAddr};

/// One ETR's registration of one EID-prefix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RegistrationView {
    /// The site's name.
    pub site: String,
    /// EID-prefix.
    pub eid: EidPrefix,
    /// Where its Map-Registers come from.
    pub registrant: SocketAddr,
    /// By what it is told from others.
    pub id: RegistrantId,
    /// Locators, in the order of Map-Replies.
    pub locators: Vec<LocatorView>,
    /// Record TTL, minutes.
    pub ttl_minutes: u32,
    /// First registration, milliseconds ago.
    pub first_ms_ago: u64,
    /// Last one, milliseconds ago.
    pub last_ms_ago: u64,
    /// Expires in milliseconds.
    pub expires_in_ms: u64,
    /// P: answered by this Map-Server.
    pub proxy_reply: bool,
    /// M: gets Map-Notifies.
    pub want_map_notify: bool,
    /// a: merged with those of others.
    pub merge: bool,
}

/// A registered locator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LocatorView {
    /// Its address, or that of the ETR at the end of its path; `None` when it is of a kind that only the ITR
    /// needs to understand.
    pub rloc: Option<IpAddr>,
    /// The hops of its path, if it is one.
    pub path: Vec<IpAddr>,
    /// Priority.
    pub priority: u8,
    /// Weight.
    pub weight: u8,
    /// R bit.
    pub reachable: bool,
}

pub(super) fn rows(
    row: &Registered,
    sites: &Sites,
    config: &EngineConfig,
    now: Time,
) -> Vec<RegistrationView> {
    let site = sites.config(config, row.site).map(|s| s.name.clone()).unwrap_or_default();
    row.registrants
        .iter()
        .map(|r| RegistrationView {
            site: site.clone(),
            eid: row.eid,
            registrant: r.from,
            id: r.id,
            locators: r
                .locators
                .iter()
                .map(|l| LocatorView {
                    rloc: l.address.etr(),
                    path: l
                        .address
                        .path()
                        .unwrap_or_default()
                        .iter()
                        .filter_map(|h| h.address.rloc())
                        .collect(),
                    priority: l.priority,
                    weight: l.weight,
                    reachable: l.reachable,
                })
                .collect(),
            ttl_minutes: r.ttl_minutes,
            first_ms_ago: now.since(r.first),
            last_ms_ago: now.since(r.last),
            expires_in_ms: r.expires.since(now),
            proxy_reply: r.proxy_reply,
            want_map_notify: r.want_map_notify,
            merge: r.merge,
        })
        .collect()
}
