//! The control plane. See README.md for the room.

pub mod api;
pub mod cli;
pub mod codec;
pub mod config;
pub mod engine;
pub mod feeder;
pub mod http;
pub mod metrics;
pub mod net;
pub mod netlink;
pub mod replay;
pub mod roles;
pub mod runtime;
pub mod sim;
