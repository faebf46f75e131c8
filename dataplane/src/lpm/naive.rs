//! The obvious reference: one ordered map per prefix length, tried from the longest.

use super::{Key, LpmError, NO_MATCH};
use std::collections::BTreeMap;

/// Longest-prefix match that is plainly right. Property tests hold [`super::Lpm`] against it.
#[derive(Clone, Debug, Default)]
pub struct NaiveLpm<K: Key> {
    prefixes: BTreeMap<(u8, K), u32>,
}

impl<K: Key> NaiveLpm<K> {
    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        Self { prefixes: BTreeMap::new() }
    }

    /// Stores `value` for the first `length` bits of `key`. Returns what was there before.
    ///
    /// # Errors
    /// The length or value is out of range.
    pub fn insert(&mut self, key: K, length: u8, value: u32) -> Result<Option<u32>, LpmError> {
        if length > K::BITS {
            return Err(LpmError::Length { length, max: K::BITS });
        }
        if value == NO_MATCH {
            return Err(LpmError::ReservedValue(value));
        }
        Ok(self.prefixes.insert((length, key.masked(length)), value))
    }

    /// Removes a prefix. Returns what was there.
    pub fn remove(&mut self, key: K, length: u8) -> Option<u32> {
        self.prefixes.remove(&(length, key.masked(length)))
    }

    /// The value of exactly this prefix.
    #[must_use]
    pub fn get(&self, key: K, length: u8) -> Option<u32> {
        self.prefixes.get(&(length, key.masked(length))).copied()
    }

    /// The value of the longest prefix that covers `key`.
    #[must_use]
    pub fn lookup(&self, key: K) -> Option<u32> {
        (0..=K::BITS).rev().find_map(|length| self.get(key, length))
    }

    /// Looks up many keys: `values[i]` becomes the value for `keys[i]`, or [`NO_MATCH`].
    pub fn lookup_burst(&self, keys: &[K], values: &mut [u32]) {
        for (key, value) in keys.iter().zip(values) {
            *value = self.lookup(*key).unwrap_or(NO_MATCH);
        }
    }

    /// Number of prefixes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.prefixes.len()
    }

    /// No prefixes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.prefixes.is_empty()
    }

    /// All prefixes as (key, length, value), shortest first.
    pub fn iter(&self) -> impl Iterator<Item = (K, u8, u32)> {
        self.prefixes.iter().map(|((length, key), value)| (*key, *length, *value))
    }
}
