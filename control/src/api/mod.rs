//! The daemon's answers: typed requests and replies, one JSON object a line over a Unix socket.
//!
//! ```text
//! pxtr, scripts --JSON line--> server (one task a connection) --\
//! Prometheus  --HTTP--------> crate::http ----------------------- ApiHandle --> ApiInbox --> runtime
//! ```
//! The control thread owns all state and answers between two events: it implements [`ApiSource`] and
//! takes calls from its [`ApiInbox`]. Nothing is shared or locked, and no client can hold it up: what
//! may be long is cut at a limit, encoding and sending happen in the client's own task.
//!
//! Request: `{"cmd":"show map-cache","eid":"10.4.0.1"}`. Reply: `{"version":1,"map_cache":{...}}` or
//! `{"version":1,"error":{"code":"...","message":"..."}}`. See [`Request`] and [`Reply`].

mod channel;
mod client;
mod convert;
mod decoded;
mod desk;
mod error;
mod listener;
mod request;
mod server;
mod source;
mod tap;
mod types;

pub use channel::{ApiCall, ApiHandle, ApiInbox, channel};
pub use client::{Client, ClientError};
pub use convert::{
    counter_help, database, drops, hexadecimal, rates_between, registration, registration_states, statistics,
    worker,
};
pub use decoded::decoded;
pub use desk::{Desk, WATCHES, WatchOrder, busy as watches_busy};
pub use error::{ApiError, ErrorCode};
pub use listener::{ListenError, SocketFile, listen};
pub use request::{
    DebugQuery, Direction, EidFilter, ListQuery, MapCacheQuery, MessageKind, Request, VERSION, WatchQuery,
};
pub use server::serve;
pub use source::ApiSource;
pub use tap::{Passing, Tap};
pub use types::{
    Answer, AwayEid, AwayEids, Cleared, DaemonInfo, Database, DatabaseEntry, DebugMessage, DecodedAuth,
    DecodedLocator, DecodedMessage, DecodedRecord, DropReasonCount, Drops, DynamicEid, DynamicEids, Echo,
    EntryAction, EntryOrigin, Health, HealthCheck, HostPort, Lisp, LispInstance, Locator, LocatorState,
    MapCache, MapCacheEntry, MapResolverState, Nat, NatEid, NatRouter, NatSeen, NatState, OurNat,
    PacketEvent, PacketFate, PacketSeen, PacketStory, PacketsBytes, PolicerState, Policers, Port,
    PortCounters, Ports, RegisteredLocator, Registration, RegistrationState, Registrations, Reply, Rloc,
    RlocLocalState, Rlocs, Statistics, Subscription, SubscriptionSide, SubscriptionState, Subscriptions,
    VrfState, Vrfs, WatchDone, Worker, WorkerRates, Workers,
};

#[cfg(test)]
pub(crate) mod tests;
