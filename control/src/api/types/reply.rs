//! The envelope of all answers.

use super::{
    AwayEids, Cleared, Database, DebugMessage, Drops, DynamicEids, Health, Lisp, MapCache, Nat, PacketSeen,
    Policers, Ports, Registrations, Rlocs, Statistics, Subscriptions, Vrfs, WatchDone, Workers,
};
use crate::api::error::ApiError;
use crate::api::request::VERSION;
use serde::{Deserialize, Serialize};

/// A reply. On the wire an object with `version` and one more key, the snake_case name of the variant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// To `show map-cache`.
    MapCache(MapCache),
    /// To `show database`.
    Database(Database),
    /// To `show registrations`.
    Registrations(Registrations),
    /// To `show dynamic-eid`.
    DynamicEid(DynamicEids),
    /// To `show away`.
    Away(AwayEids),
    /// To `show subscriptions`.
    Subscriptions(Subscriptions),
    /// To `show nat`.
    Nat(Nat),
    /// To `show rlocs`.
    Rlocs(Rlocs),
    /// To `show ports`.
    Ports(Ports),
    /// To `show vrfs`.
    Vrfs(Vrfs),
    /// To `show policers`.
    Policers(Policers),
    /// To `show workers`.
    Workers(Workers),
    /// To `show drops`.
    Drops(Drops),
    /// To `show statistics`.
    Statistics(Statistics),
    /// To `show health`.
    Health(Health),
    /// To `show lisp`.
    Lisp(Lisp),
    /// To `debug lisp`: one such answer a message, until the client goes.
    Debug(Box<DebugMessage>),
    /// To `watch packets`: one such answer a packet.
    Packet(Box<PacketSeen>),
    /// To `watch packets`: that was the last one.
    WatchDone(WatchDone),
    /// To `clear map-cache`.
    Cleared(Cleared),
    /// To anything.
    Error(ApiError),
}

/// A reply with its version, as it is sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// [`VERSION`].
    pub version: u32,
    /// The reply.
    #[serde(flatten)]
    pub reply: Reply,
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        Self { version: VERSION, reply }
    }
}

impl From<Result<Reply, ApiError>> for Answer {
    fn from(result: Result<Reply, ApiError>) -> Self {
        result.unwrap_or_else(Reply::Error).into()
    }
}
