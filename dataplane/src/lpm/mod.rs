//! Longest-prefix match: prefixes of IPv4 or IPv6 addresses to 32-bit values.
//!
//! One writer that is also the reader (a worker and its replica), so there is no lock, no RCU and
//! no guard on a lookup.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod error;
mod key;
mod naive;

pub use error::LpmError;
pub use key::{Key, Key4, Key6};
pub use naive::NaiveLpm;

/// Result of a burst lookup for a key that no prefix covers. Not a value that can be stored.
pub const NO_MATCH: u32 = u32::MAX;

/// Prefixes of IPv4 addresses.
pub type Lpm4 = NaiveLpm<Key4>;
/// Prefixes of IPv6 addresses.
pub type Lpm6 = NaiveLpm<Key6>;
