//! The sans-I/O protocol engine: `step(now, event, actions)`.
//!
//! [`event`] is all that goes in and out; each other file is one state machine or one of the tools
//! they share ([`Cx`], [`Rng`], [`Timers`], [`Counters`]).

pub mod config;
mod core;
mod counters;
mod cx;
pub mod event;
mod hex_bytes;
mod rng;
mod role;
mod role_set;
pub mod select;
mod slab;
mod timers;

pub use core::Engine;
pub use counters::{Counter, Counters};
pub use cx::{CONTROL_PORT, Cx, Handled, InnerAddresses, Meta};
pub use rng::Rng;
pub use role::Role;
pub use role_set::RoleSet;
pub use slab::Slab;
pub use timers::Timers;
