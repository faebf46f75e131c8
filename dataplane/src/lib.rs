//! The data plane. See README.md for the room, `feed` and `punt` for its two ends.

pub mod buffer;
pub mod feed;
pub mod io;
pub mod punt;
pub mod types;
pub mod verdict;
pub mod wire;
