//! The *replica*: everything a worker's path reads, in the worker's own memory.
//!
//! [`Replica::apply`] is the only way to change it; lookups take `&self`. Both are called by the
//! one worker that owns it, so nothing is locked. Control shares only the counters of entries and
//! RLOCs, which are atomics with one writer.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod applied;
mod apply;
mod guard;
mod keyring;
mod limits;
mod local_rlocs;
mod lookup;
mod supplier;
mod tables;
#[cfg(test)]
mod tests;
mod vrf;

pub use applied::{Applied, Ignored, Retired, Touched};
pub use guard::Guard;
pub use limits::ReplicaLimits;
pub use supplier::Supplier;
pub use tables::Replica;
pub use vrf::LocalEid;
