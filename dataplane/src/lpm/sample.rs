//! Some prefixes from all over a table, to find out where most of them lie.

use super::Key;
use super::table::Lpm;
use std::ops::{Deref, DerefMut};

/// Prefixes that are looked at.
pub(super) const SAMPLES: usize = 64;

/// Keys of prefixes that stand for all, in order, no two alike: those that were met twice would pass for a crowd.
pub(super) struct Sample<K> {
    keys: [K; SAMPLES],
    count: usize,
}

impl<K> Deref for Sample<K> {
    type Target = [K];

    fn deref(&self) -> &[K] {
        self.keys.get(..self.count).unwrap_or_default()
    }
}

impl<K> DerefMut for Sample<K> {
    fn deref_mut(&mut self) -> &mut [K] {
        self.keys.get_mut(..self.count).unwrap_or_default()
    }
}

impl<K: Key> Lpm<K> {
    /// The same ones for the same table.
    pub(super) fn sample(&self) -> Sample<K> {
        let mut sample = Sample { keys: [K::default(); SAMPLES], count: 0 };
        for (place, leaf) in sample.keys.iter_mut().zip(self.leaves.sample(SAMPLES)) {
            *place = leaf.key;
            sample.count += 1;
        }
        sample.sort_unstable();
        let mut all = sample.keys.into_iter().take(sample.count);
        let mut last = all.next();
        let mut count = 0;
        for place in &mut sample.keys {
            let Some(key) = last else { break };
            *place = key;
            count += 1;
            last = all.find(|other| *other != key);
        }
        sample.count = count;
        sample
    }
}
