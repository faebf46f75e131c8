//! Longest-prefix match: prefixes of IPv4 or IPv6 addresses to 32-bit values.
//!
//! One writer that is also the reader (a worker and its replica), so there is no lock, no RCU and
//! no guard on a lookup.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod arena;
mod burst;
mod error;
mod key;
mod naive;
mod node;
mod table;
#[cfg(test)]
mod tests;
mod update;

pub use error::LpmError;
pub use key::{Key, Key4, Key6};
pub use naive::NaiveLpm;
pub use table::Lpm;

/// Result of a burst lookup for a key that no prefix covers. Not a value that can be stored.
pub const NO_MATCH: u32 = u32::MAX;

/// Prefixes of IPv4 addresses.
pub type Lpm4 = Lpm<Key4>;
/// Prefixes of IPv6 addresses.
pub type Lpm6 = Lpm<Key6>;
