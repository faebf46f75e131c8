//! The sans-I/O protocol engine: `step(now, event, actions)`.

pub mod config;
pub mod event;
mod hex_bytes;
