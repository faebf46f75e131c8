//! The worker: the loop around the path.
//!
//! [`Worker::poll_once`] is one round: a burst from each port through the staged pipeline, what
//! the kernel wants sent, up to [`MAX_DELTAS`] deltas, and now and then some housekeeping. In a
//! round there is no system call, lock, allocation or log line, and no clock but the one handed in.
//!
//! - `burst`: the stages for many packets at once;
//! - `express`: the same for plain packets, in few instructions;
//! - `core`: one packet: how its fate is carried out, ICMP errors, fragmentation, waiting;
//! - `core_errors`: ICMP errors from the core about what we sent;
//! - `egress`: what waits to be sent on a port;
//! - `handover`: packets that one worker receives for all (software spreading);
//! - `fragments`: outer fragments that become a packet again;
//! - `trunk`: sub-interfaces, which share a port by VLAN tags;
//! - `upkeep`: deltas, releases, time-outs;
//! - `identify`: outer packets that may be, or must be, fragmented;
//! - `idle`: what to do when there is nothing to do.

#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

mod burst;
mod config;
mod core;
mod core_errors;
mod egress;
mod express;
mod fragments;
pub(crate) mod handover;
mod identify;
mod idle;
mod news;
mod outcome;
mod run;
mod trunk;
mod upkeep;

pub use config::{Links, WorkerConfig};
pub use handover::Handover;
pub use run::Worker;
pub use trunk::{SubInterface, Trunks};
pub use upkeep::MAX_DELTAS;
