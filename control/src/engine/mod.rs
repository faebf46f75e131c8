//! The sans-I/O protocol engine: `step(now, event, actions)`.
//!
//! [`event`] is all that goes in and out; each other file is one state machine or one of the tools
//! they share ([`Cx`], [`Rng`], [`Timers`], [`Counters`]).

mod accept;
pub mod config;
mod configured;
mod core;
mod counters;
mod cx;
mod dispatch;
mod echo;
mod elp;
pub mod event;
pub mod exchange;
mod header;
mod hex_bytes;
mod hosts;
mod itr;
mod keying;
mod lists;
mod locator_sets;
mod lru;
mod map_cache;
mod map_cache_upkeep;
mod map_resolvers;
pub mod mapping;
mod nat;
mod probe;
mod publications;
mod resolve;
mod rlocs;
mod rng;
mod role;
mod role_set;
mod secure;
pub mod select;
mod send;
mod slab;
mod status;
mod stranded;
mod subscriptions;
mod timers;
mod translated;
pub mod views;

pub use self::core::Engine;
pub use counters::{Counter, Counters};
pub use cx::{CONTROL_PORT, Cx, Handled, InnerAddresses, Meta};
pub use nat::NatChange;
pub use resolve::Cause;
pub use rng::Rng;
pub use role::Role;
pub use role_set::RoleSet;
pub use slab::Slab;
pub use timers::Timers;
pub use translated::Translated;
