//! A deterministic simulator: the engines of many daemons in one process, under virtual time and a
//! seed, with a network that loses, doubles, reorders and delays, with partitions, restarts, clock
//! jumps and hostile nodes. What must always hold is checked all the time.
//!
//! A seed makes a [`Scenario`] (who is there, how bad the network is, what happens when); [`run`] plays
//! it; [`shrink`](shrink::shrink) makes a failing one small. The binary `pxtr-sim` does this for
//! thousands of seeds, and replays one. Nothing here is part of the daemon.

mod attack;
mod generate;
mod log;
mod network;
mod node;
mod plane;
mod rules;
mod scenario;
pub mod shrink;
mod topology;
mod truth;
mod watch;
mod world;

pub use log::LogError;
pub use plane::{Fate, Plane};
pub use scenario::{Attack, Net, Op, Scenario, Shape, Timed};
pub use world::{Failure, Outcome, Trace, run};
