//! The daemon as a whole.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is running.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaemonInfo {
    /// `daemon.name`.
    pub name: String,
    /// Version of the program.
    pub version: String,
    /// Roles, as in the configuration.
    pub roles: Vec<String>,
    /// Since the start, seconds.
    pub uptime_s: u64,
}

/// Counters, all since the start of the daemon.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statistics {
    /// What is running.
    pub daemon: DaemonInfo,
    /// Map-cache entries now.
    pub map_cache_entries: u64,
    /// EIDs being looked up now.
    pub pending_lookups: u64,
    /// Registrations held by the Map-Server now.
    pub registrations: u64,
    /// Subscriptions of ours (RFC 9437).
    #[serde(default)]
    pub subscriptions_ours: u64,
    /// Subscriptions of others with our Map-Server.
    #[serde(default)]
    pub subscriptions_theirs: u64,
    /// Packet buffers in use now.
    pub mbufs_in_use: u64,
    /// Packet buffers in all.
    pub mbufs_total: u64,
    /// Counters of the engine by name.
    pub engine: BTreeMap<String, u64>,
    /// Counters of the data plane by name, sums over the workers.
    pub dataplane: BTreeMap<String, u64>,
}

/// Whether the daemon can do its work.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// All checks are good.
    pub ready: bool,
    /// What is checked.
    pub checks: Vec<HealthCheck>,
}

/// One condition of being ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// Short constant name: `data_plane`, `feed`, `registration`, ...
    pub name: String,
    /// Good.
    pub ok: bool,
    /// What was found.
    pub detail: String,
}

impl Health {
    /// From checks.
    #[must_use]
    pub fn from_checks(checks: Vec<HealthCheck>) -> Self {
        Self { ready: checks.iter().all(|check| check.ok), checks }
    }
}

/// What was forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cleared {
    /// Map-cache entries removed.
    pub entries: u64,
}
