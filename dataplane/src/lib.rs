//! The data plane. See README.md for the room, `feed` and `punt` for its two ends.

pub mod admission;
pub mod buffer;
pub mod clock;
pub mod counters;
pub mod crypt;
pub mod feed;
pub mod fib;
pub mod hold;
pub mod host;
pub mod io;
pub mod launch;
pub mod lpm;
pub mod mapcache;
pub mod path;
pub mod punt;
pub mod reassembly;
pub mod replica;
pub mod ring;
pub mod slots;
pub mod traffic;
pub mod trust;
pub mod types;
pub mod verdict;
pub mod watch;
pub mod wire;
pub mod worker;
