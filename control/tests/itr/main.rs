//! Conformance of the ITR side: event in, actions out, one sentence and one R-number (or more) per
//! case. Everything is deterministic: virtual time, a fixed seed, no sockets.

mod cache;
mod echo;
mod hostile;
mod locators;
mod paths;
mod replies;
mod requests;
mod smr;
mod status;
mod stranded;
mod versions;
mod world;
