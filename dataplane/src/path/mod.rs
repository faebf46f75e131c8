//! What happens to a packet: pure functions from bytes and read-only tables to a fate.
//!
//! `classify` reads a frame; `petr` strips an encapsulated one; `route` asks map-cache and FIB;
//! `pitr` and `native` rewrite. `mtu` and `icmp` deal with what can not be sent as it is.

#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

pub mod address;
pub mod admission;
pub mod classify;
pub mod core_error;
pub mod crypt;
pub mod ecn;
pub mod flow;
pub mod gpe;
pub mod icmp;
pub mod ip;
pub mod limit;
pub mod mss;
pub mod mtu;
pub mod native;
pub mod outer;
pub mod outer_id;
pub mod petr;
pub mod pitr;
pub mod police;
pub mod route;
pub mod source;
pub mod spread;
pub mod trust;
