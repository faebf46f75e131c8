//! What `pxtr show database` lists.

use super::registrar::Registrar;
use crate::engine::config::{ConfiguredLocator, EngineConfig};
use crate::engine::event::{EidPrefix, Time};
use serde::Serialize;
use std::net::IpAddr;

/// An EID-prefix of ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DatabaseView {
    /// EID-prefix.
    pub eid: EidPrefix,
    /// Record TTL, minutes.
    pub ttl_minutes: u32,
    /// Locator-set.
    pub locators: Vec<ConfiguredLocator>,
    /// One per Map-Server.
    pub registrations: Vec<PeerRegistration>,
}

/// How far the registration of an EID-prefix with one Map-Server is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PeerRegistration {
    /// The Map-Server.
    pub map_server: IpAddr,
    /// It has confirmed the prefix, and nothing sent since then is waiting for an answer.
    pub confirmed: bool,
    /// Last Map-Register.
    pub last_register: Option<Time>,
    /// Last Map-Notify with a good MAC.
    pub last_notify: Option<Time>,
    /// Map-Registers sent again since that Map-Notify.
    pub retries: u32,
}

pub(super) fn database<'a>(
    config: &'a EngineConfig,
    registrar: &'a Registrar,
) -> impl Iterator<Item = DatabaseView> + 'a {
    config.database.iter().enumerate().map(move |(index, mapping)| DatabaseView {
        eid: mapping.eid,
        ttl_minutes: mapping.ttl_minutes,
        locators: mapping.locators.clone(),
        registrations: registrations(config, registrar, index),
    })
}

fn registrations(config: &EngineConfig, registrar: &Registrar, index: usize) -> Vec<PeerRegistration> {
    let of_mapping = registrar.batches().iter().filter(|b| b.members.contains(&index));
    of_mapping
        .filter_map(|batch| {
            Some(PeerRegistration {
                map_server: config.map_servers.get(batch.peer)?.address,
                confirmed: batch.last_notify.is_some() && !batch.is_awaiting(),
                last_register: batch.last_sent,
                last_notify: batch.last_notify,
                retries: batch.retries,
            })
        })
        .collect()
}
