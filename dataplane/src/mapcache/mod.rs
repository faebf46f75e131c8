//! What a map-cache entry leads to: the entry's action and counters, RLOC slots with their outer
//! headers, and the bucket tables that share flows between the locators of a locator-set.
//!
//! A prefix leads to an entry, an entry to an RLOC slot (or through a bucket table to one of
//! several). A change of next hop, MTU or reachability of an RLOC therefore touches one slot, not
//! the million entries that use it.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod action;
mod entry;
pub mod locator;
mod options;
mod rloc;
mod sets;
mod template;

pub use entry::{EntryCounters, EntrySlot, EntryTable};
pub use rloc::{Rloc, RlocCounters, RlocTable};
pub use sets::LocatorSets;
pub use template::{RlocSlot, TemplateError};
