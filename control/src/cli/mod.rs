//! The command `pxtr`: asks a daemon over its API socket and prints tables or JSON.
//!
//! Exit codes: 0 done; 1 the daemon answered with an error, or `show health` found it not ready;
//! 2 wrong usage; 3 no daemon could be reached.

mod args;
mod render;
mod run;
mod socket;

pub use args::Cli;
pub use run::run;

#[cfg(test)]
mod tests;
