//! The sans-I/O protocol engine: `step(now, event, actions)`.
//!
//! [`event`] is all that goes in and out; each other file is one state machine or one of the tools
//! they share ([`Cx`], [`Rng`], [`Timers`], [`Counters`]).

pub mod config;
mod counters;
mod cx;
pub mod event;
mod hex_bytes;
mod rng;
pub mod select;
mod timers;

pub use counters::{Counter, Counters};
pub use cx::{CONTROL_PORT, Cx, Handled, InnerAddresses, Meta};
pub use rng::Rng;
pub use timers::Timers;
