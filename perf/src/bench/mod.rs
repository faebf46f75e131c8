//! The benches. Each returns metrics; none knows how they are printed.

mod access;
mod churn;
mod failover;
mod flood;
mod handover;
mod list;
mod lpm;
mod memory;
mod path;
mod scale;

pub use list::{BENCHES, Bench, Setup};
