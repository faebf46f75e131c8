//! The command `pxtr`: asks a daemon over its API socket and prints tables or JSON. `lig` asks the
//! mapping system itself, over its own UDP socket.
//!
//! Exit codes: 0 done; 1 the daemon answered with an error, `show health` found it not ready, or `lig`
//! got no answer; 2 wrong usage; 3 no daemon could be reached.

mod args;
mod debug;
mod exit;
mod lig;
mod packet_filter;
mod pcapng;
mod render;
mod run;
mod socket;
mod watch;

pub use args::Cli;
pub use run::run;

#[cfg(test)]
mod tests;
