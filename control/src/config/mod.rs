//! The configuration: TOML in, one typed and cross-checked [`Config`] out.
//!
//! [`mod@file`] is the shape of the file as written, its documentation, and thereby the JSON Schema and
//! the reference in `configs/`. A file passes four gates, each of which reports everything it finds:
//! TOML syntax; unknown and missing keys; types and ranges; cross-field checks ([`ConfigErrors`]).
//! What comes out is [`Config`], from which [`Config::engine`] and [`Config::launch`] derive what the
//! engine and the data plane are told.

mod admission;
mod advice;
mod build;
mod check;
mod engine;
mod error;
pub mod file;
mod launch;
mod leaf;
mod load;
mod model;
mod parse;
mod policers;
mod schema;
mod words;

pub use admission::{Admission, AdmittedSite};
pub use error::{ConfigErrors, Problem};
pub use leaf::{At, Bounded, Key, Leaf, Word};
pub use load::{Machine, check_config, check_config_for, parse_config};
pub use model::{Config, Daemon, Dpdk, Hold, Port, RlocPath, Vrf, Workers};
pub use policers::Policer;
pub use schema::json_schema;
pub use words::{
    ActionWord, AlgorithmWord, HexId, IdleWord, IfName, LogFilter, Name, Prefix, RoleWord, Text, UnixPath,
};

#[cfg(test)]
mod tests;
