//! Subscriptions to mappings (RFC 9437).

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};

/// Subscriptions of ours, and of others with our Map-Server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscriptions {
    /// Subscriptions in all.
    pub subscriptions_total: u64,
    /// The reply ends at its limit.
    pub truncated: bool,
    /// Ours first; each in the order of Instance-ID and prefix.
    pub subscriptions: Vec<Subscription>,
}

/// A subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// Whose it is.
    pub side: SubscriptionSide,
    /// Instance-ID.
    pub instance_id: u32,
    /// EID-prefix; changes inside it are told too.
    pub eid_prefix: IpNet,
    /// Ours: the Map-Server.
    pub map_server: Option<SocketAddr>,
    /// Of others: the configured name.
    pub subscriber: Option<String>,
    /// Of others: xTR-ID in hexadecimal.
    pub xtr_id: Option<String>,
    /// Of others: where changes are sent.
    pub rlocs: Vec<IpAddr>,
    /// Since it was first confirmed, seconds.
    pub age_s: u64,
    /// Until it ends unless it is renewed, seconds.
    pub expires_in_s: u64,
    /// Publications received (ours) or sent (of others).
    pub publications: u64,
    /// How it is.
    pub state: SubscriptionState,
}

/// Whose subscription it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SubscriptionSide {
    /// We are told.
    Ours,
    /// We tell.
    Theirs,
}

/// How a subscription is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SubscriptionState {
    /// Both ends know the same.
    Current,
    /// Something is not acknowledged yet.
    Behind,
    /// It was given up, which the Map-Server has not confirmed yet.
    Leaving,
}

impl SubscriptionState {
    /// As in JSON and in tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Behind => "behind",
            Self::Leaving => "leaving",
        }
    }
}
