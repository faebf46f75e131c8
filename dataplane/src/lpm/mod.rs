//! Longest-prefix match: prefixes of IPv4 or IPv6 addresses to 32-bit values.
//!
//! One writer that is also the reader (a worker and its replica), so there is no lock, no RCU and
//! no guard on a lookup.
//!
//! ```
//! use pxtr_dataplane::lpm::{Key4, Lpm4};
//! use std::net::Ipv4Addr;
//!
//! let key = |text: &str| Key4::from(text.parse::<Ipv4Addr>().unwrap());
//! let mut table = Lpm4::new();
//! table.insert(key("10.0.0.0"), 8, 1).unwrap();
//! table.insert(key("10.2.0.0"), 16, 2).unwrap();
//! assert_eq!(table.lookup(key("10.2.3.4")), Some(2));
//! assert_eq!(table.lookup(key("10.3.3.4")), Some(1));
//! assert_eq!(table.lookup(key("11.0.0.1")), None);
//! ```
//!
//! # How it is built
//!
//! The table is a path-compressed trie (`node.rs`): a node looks at six bits and takes one cache
//! line; prefixes that end in it have a bit of their own, up to three longer ones hang directly in
//! each of its 64 slots, and where there are more there is a child node. Nothing is pushed down to
//! leaves: an update touches the records of one node, now and then of its parent, however many
//! prefixes the new one covers.
//!
//! A walk takes a step for each node on the way, and in a large table these are cache misses one
//! after the other. So there are *shortcuts* (`shortcuts.rs`, `keep.rs`): a table by the leading bits
//! that matter, one word or more for each prefix, that leads to where a walk would arrive, or says a
//! prefix that is alone there. Most lookups read one word, most others one or two records more.
//! Shortcuts only repeat what the trie says; they are made, grown and replaced step by step with the
//! updates, and finished between them ([`Lpm::tidy`]). Small tables have none. Prefixes that crowd in few of their
//! blocks, such as the hosts of one subnet, get shortcuts of their own (`crowd.rs`).
//!
//! Tables that the caches do not hold have a *line* for each block in place of a word (`lines.rs`, `gather.rs`): a cache
//! line that tells up to twelve prefixes with their values. A lookup then reads that one line, and an update
//! writes it without a look at the other prefixes of the block.
//!
//! A burst goes level by level (`burst.rs`): what one level reads is asked for while the other keys
//! take their step, so that the memory accesses of a burst overlap. Numbers of blocks, and what words
//! say, are worked out for eight keys with one instruction.
//!
//! All records lie in chunks of 48 or 64 KiB (`arena.rs`). Growth takes another chunk and neither
//! copies nor moves what is there; freed records are joined with their free neighbours and used
//! again. A node's run of prefixes in a large table keeps a little room (`room.rs`): what comes and goes leaves it where it
//! is, and an update touches a node, part of a run and a few words that lie side by side (`follow.rs`). An empty table has no memory but its struct. All memory comes from a *supply* (`dpdk_sys::Supply`), which another
//! thread keeps filled: an update neither allocates nor has a page fault then.
//!
//! Where there are very many tables each may be *thrifty* (`thrift.rs`): a small one then has no shortcuts,
//! and is packed anew when more than an eighth of it lies idle.
//!
//! # Bounds
//!
//! A lookup takes at most 6 (IPv4) or 22 (IPv6) steps. An update copies at most 255 records and 64
//! nodes, and writes at most 1,024 shortcuts or 128 lines, and as many for each of up to four crowds. A table takes 2^27 prefixes.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod arena;
mod burst;
mod climb;
mod crowd;
mod error;
mod follow;
mod gather;
mod keep;
mod key;
mod lines;
mod naive;
mod node;
mod room;
mod sample;
mod shortcuts;
mod table;
#[cfg(test)]
mod tests;
mod thrift;
mod top;
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
