//! From a configuration to a running data plane: EAL, pools, ports, host ports, workers.

mod config;
mod error;

pub use config::{EalLaunch, Idle, LaunchConfig, PortLaunch, WorkersLaunch};
pub use error::LaunchError;
