//! The one control thread: sockets, netlink, timers, the workers' events and the API, in one loop
//! on a single-threaded event loop. The only place that reads clocks. Workers never wait for it.
//!
//! - `start`: from a configuration to a running daemon. `core`: the loop.
//! - `plane`, `workers`, `ports`, `carrier`, `usage`: the data plane seen from control.
//! - `reload`: a new configuration. `engine_cell`: the engine, replaced when it panics.
//! - `api`: the answers to clients.

mod api;
mod carrier;
mod clock;
mod core;
mod counters;
mod engine_cell;
mod error;
mod hosts;
mod nat;
mod nonce_epoch;
mod nonce_file;
mod notices;
mod plane;
mod police;
mod ports;
mod reload;
mod sd_notify;
mod start;
mod subscriptions;
mod tenants;
mod usage;
mod watching;
mod workers;

pub use counters::RuntimeCounters;
pub use error::Error;
pub use start::run;
