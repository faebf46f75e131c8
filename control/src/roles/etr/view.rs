//! What `pxtr show database` lists.

use super::batch::Batch;
use super::dynamic::{DynamicEids, Found};
use super::nat::{Asked, Way};
use super::registrar::Registrar;
use crate::engine::config::{ConfiguredLocator, EngineConfig, MapServerPeer};
use crate::engine::event::{EidPrefix, Time};
use serde::Serialize;
use std::net::{IpAddr, SocketAddr};

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
    of_mapping.filter_map(|batch| registration(config, batch)).collect()
}

fn registration(config: &EngineConfig, batch: &Batch) -> Option<PeerRegistration> {
    Some(PeerRegistration {
        map_server: config.map_servers.get(batch.peer)?.address,
        confirmed: batch.last_notify.is_some() && !batch.is_awaiting(),
        last_register: batch.last_sent,
        last_notify: batch.last_notify,
        retries: batch.retries,
    })
}

/// A host of a dynamic-EID prefix that is here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DynamicEidView {
    /// The host, a prefix of full length.
    pub eid: EidPrefix,
    /// The configured prefix that it lies in.
    pub range: EidPrefix,
    /// Where it is, and how it was found.
    pub found: Found,
    /// When it was found.
    pub since: Time,
    /// When it was last known to be there.
    pub confirmed: Time,
    /// One per Map-Server.
    pub registrations: Vec<PeerRegistration>,
}

/// A host of ours that is at another site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AwayView {
    /// The host, a prefix of full length.
    pub eid: EidPrefix,
    /// When we were told.
    pub since: Time,
    /// The Map-Server that told us.
    pub by: IpAddr,
    /// When it is forgotten.
    pub until: Time,
    /// Reports of packets that still came here, at most one a second and sender.
    pub hits: u64,
    /// The last of them, and its outer source.
    pub last_hit: Option<(Time, IpAddr)>,
}

pub(super) fn dynamic_eids<'a>(
    config: &'a EngineConfig,
    dynamic: &'a DynamicEids,
) -> impl Iterator<Item = DynamicEidView> + 'a {
    dynamic.live.iter().filter_map(|(_, live)| {
        Some(DynamicEidView {
            eid: live.eid,
            range: config.dynamic_eids.get(live.range)?.mapping.eid,
            found: live.found,
            since: live.since,
            confirmed: live.confirmed,
            registrations: live.servers.iter().filter_map(|batch| registration(config, batch)).collect(),
        })
    })
}

pub(super) fn away(dynamic: &DynamicEids) -> impl Iterator<Item = AwayView> + '_ {
    dynamic.away.iter().map(|(eid, away)| AwayView {
        eid: *eid,
        since: away.since,
        by: away.by,
        until: away.until,
        hits: away.hits,
        last_hit: away.last_hit,
    })
}

/// What is known of a NAT in front of us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NatView {
    /// No Map-Server has answered yet; nothing is registered.
    pub unknown: bool,
    /// There is one.
    pub behind: bool,
    /// The RTRs that we go through.
    pub rtrs: Vec<IpAddr>,
    /// Those among them in use: the others do not answer.
    pub live: Vec<IpAddr>,
    /// One per Map-Server.
    pub seen: Vec<SeenView>,
}

/// What a Map-Server sees of us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenView {
    /// The Map-Server.
    pub map_server: IpAddr,
    /// The address and port that our Info-Requests have there; `None`: it has not answered.
    pub global: Option<SocketAddr>,
    /// Its last answer.
    pub answered: Option<Time>,
    /// Info-Requests unanswered in a row.
    pub lost: u32,
}

pub(super) fn nat(config: &EngineConfig, way: &Way, live: &[IpAddr], asked: &[Asked]) -> NatView {
    let one = |(server, asked): (&MapServerPeer, &Asked)| SeenView {
        map_server: server.address,
        global: asked.seen.as_ref().map(|seen| seen.global),
        answered: asked.seen.as_ref().map(|seen| seen.at),
        lost: asked.lost,
    };
    NatView {
        unknown: *way == Way::Unknown,
        behind: matches!(way, Way::Through(_)),
        rtrs: way.rtrs().to_vec(),
        live: live.to_vec(),
        seen: config.map_servers.iter().zip(asked).map(one).collect(),
    }
}
