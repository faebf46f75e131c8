//! The data plane. See README.md for the room, `feed` and `punt` for its two ends.

pub mod feed;
pub mod punt;
pub mod types;
