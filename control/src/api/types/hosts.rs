//! Hosts of dynamic-EID prefixes: here, and at other sites.

use super::RegistrationState;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Hosts of dynamic-EID prefixes that are at this site.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DynamicEids {
    /// Live hosts in all.
    pub entries_total: u64,
    /// The reply ends at its limit.
    pub truncated: bool,
    /// In the order of Instance-ID and address.
    pub entries: Vec<DynamicEid>,
}

/// A host that is here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DynamicEid {
    /// Instance-ID.
    pub instance_id: u32,
    /// Its address.
    pub eid: IpAddr,
    /// The configured prefix.
    pub eid_prefix: IpNet,
    /// Where it is, unless it is behind a First-Hop Router.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
    /// The First-Hop Router that registered it here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_hop_router: Option<IpAddr>,
    /// Its Ethernet address when it came, unless it is behind a First-Hop Router.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// What showed it: `data`, `arp`, `nd`, or `eid-notify` of a First-Hop Router.
    pub seen_by: String,
    /// Since it came, seconds.
    pub live_s: u64,
    /// Since it was last known to be there, seconds.
    pub confirmed_s_ago: u64,
    /// One for each Map-Server.
    pub registrations: Vec<RegistrationState>,
}

/// Hosts of ours that are at other sites.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AwayEids {
    /// Hosts in all.
    pub entries_total: u64,
    /// The reply ends at its limit.
    pub truncated: bool,
    /// In the order of Instance-ID and address.
    pub entries: Vec<AwayEid>,
}

/// A host that is elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AwayEid {
    /// Instance-ID.
    pub instance_id: u32,
    /// Its address.
    pub eid: IpAddr,
    /// Since we were told, seconds.
    pub away_s: u64,
    /// The Map-Server whose Map-Notify told us.
    pub told_by: IpAddr,
    /// Locators of its mapping now.
    pub rlocs: Vec<IpAddr>,
    /// Until it is forgotten, seconds.
    pub expires_in_s: u64,
    /// Reports of packets that still came here for it, at most one a second and sender.
    pub hits: u64,
    /// Since the last one, seconds.
    pub last_hit_s_ago: Option<u64>,
    /// Its sender.
    pub last_hit_from: Option<IpAddr>,
}
