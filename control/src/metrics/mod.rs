//! The daemon's state as Prometheus metrics, made from the API's replies.
//!
//! Names start with `pxtr_`, counters end in `_total`, units stand in the name (`_seconds`, `_bytes`,
//! `_percent`). Labels: `worker` (number), `port` and `vrf` (names), `reason` (of a drop), `rloc`, `check`.
//!
//! Counters are those of the daemon since its start; a port restart or a reused slot below does not
//! make them go backwards (module `ratchet`). Per-RLOC series are exported up to [`MAX_RLOCS`]; map-cache
//! entries have no series (there may be millions): `pxtr show map-cache` has their counters.

mod collect;
mod families;
mod ratchet;

pub use collect::{Exporter, MAX_RLOCS, Scrape};

#[cfg(test)]
mod tests;
