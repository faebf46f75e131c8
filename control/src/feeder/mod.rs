//! The feeder: what the kernel and the engine say becomes deltas for the workers.
//!
//! Pure logic: no I/O, no clock. It owns every slot number of the data plane.
//!
//! - `core`: the [`Feeder`], what comes in and who is told.
//! - `reload`: a new configuration as a difference.
//! - `ports`, `fib`, `hosts`, `hops`: interfaces, native routes, neighbours' host routes, next hops.
//! - `entries`, `sets`, `rlocs`, `path_mtu`: map-cache entries, locator-sets, RLOCs, what their paths carry.
//! - `places`: hosts of dynamic-EID prefixes and where they are.
//! - `admission`: who may send us LISP data; `policers`: and how much.
//! - `site_locators`: which locators of our own site are up.
//! - `slots`: slot numbers and their quarantine. `outbox`: what a worker has yet to be told.

mod admission;
mod core;
mod echoes;
mod entries;
mod fib;
mod hops;
mod hosts;
mod outbox;
mod output;
mod path_mtu;
mod places;
mod policers;
mod ports;
mod reload;
mod rlocs;
mod seals;
mod sets;
mod site_locators;
mod slots;
mod spec;
mod views;

pub use admission::{AdmissionSpec, SiteFeed};
pub use core::{Feeder, Refused};
pub use outbox::Outbox;
pub use output::{Ask, Output, Probe};
pub use policers::PolicerFeed;
pub use rlocs::DownReason;
pub use spec::{Capacity, FeederSpec, PortFeed, VrfFeed};
pub use views::{FeederStats, RlocPath, RlocView};

#[cfg(test)]
mod tests;
