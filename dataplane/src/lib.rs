//! The data plane. See README.md for the room, `feed` and `punt` for its two ends.

pub mod buffer;
pub mod feed;
pub mod fib;
pub mod host;
pub mod io;
pub mod launch;
pub mod lpm;
pub mod mapcache;
pub mod punt;
pub mod replica;
pub mod slots;
pub mod types;
pub mod verdict;
pub mod wire;
