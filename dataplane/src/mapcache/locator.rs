//! How control builds a locator-set's bucket table, and how the worker picks from it.

use crate::types::RlocId;

/// The locator of a flow: `hash` scaled to the number of buckets. `None`: the table is empty.
#[inline]
#[must_use]
pub fn pick(table: &[RlocId], hash: u32) -> Option<RlocId> {
    let bucket = (u64::from(hash) * table.len() as u64) >> 32;
    table.get(bucket as usize).copied()
}
