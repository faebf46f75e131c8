//! Outer fragments on their way to be one packet again (R-041, R-123; RFC 9300 section 7.1, RFC 8200
//! section 4.5).
//!
//! One table per worker, set up once: it never allocates, and what it may hold is bounded in
//! datagrams, fragments and bytes, in all and for one source, so that a flood of fragments costs its
//! sender his own share and the others nothing. A NIC must bring all fragments of a datagram to one
//! queue: it does when it hashes fragments by their addresses.
//!
//! - `fragment`: what one fragment says of itself;
//! - `table`: who waits for whom, bounds, time-outs;
//! - `merge`: many buffers become one.

#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

mod fragment;
mod limits;
mod merge;
mod table;

pub use fragment::Fragment;
pub use limits::ReassemblyLimits;
pub use table::{Expired, Reassembly, Taken};
