//! Looking at packets as they go by: what `pxtr trace` and `pxtr capture` are made of.
//!
//! Control makes a [`Watch`] and hands it to each worker; the worker fills [`Record`]s that control made
//! with copies of the packets that the [`Filter`] wants, and with what it decided about them. A worker
//! that is not watching pays one test of a flag per burst. One that is sends every packet through all
//! stages, since the express way keeps no facts; it still neither allocates, waits nor loses packets:
//! when no empty record is left, the packet is counted as missed and goes its way.
//!
//! - `filter`: which packets;
//! - `record`: what is told of one;
//! - `handle`: both ends of a watch;
//! - `watchers`: the worker's side.

#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

mod filter;
mod handle;
mod record;
mod watchers;

pub use filter::{Ends, Filter};
pub use handle::{Watch, WatchDesk, WatchHandle, WatchLink, watch, watch_link};
pub use record::{Event, Fate, Record, Story};
pub use watchers::MAX_WATCHES;
pub(crate) use watchers::Watchers;
