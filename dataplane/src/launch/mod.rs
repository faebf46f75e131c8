//! From a configuration to a running data plane: EAL, pools, ports, host ports, workers.
//!
//! [`launch`] is the way in; what comes out is a [`Dataplane`]: handles for control and the threads.

mod config;
mod error;
mod handle;
mod placement;
mod pools;
mod ports;
mod running;
mod start;
mod worker_handle;

pub use config::{EalLaunch, Idle, LaunchConfig, PortLaunch, Spread, SubInterfaceLaunch, WorkersLaunch};
pub use dpdk_sys::cpu::check as check_cpu;
pub use error::LaunchError;
pub use handle::PortHandle;
pub use running::Running;
pub use start::{Dataplane, launch, launch_on};
pub use worker_handle::WorkerHandle;
