//! Bucket tables of locator-sets.

use super::locator::{MAX_BUCKETS, pick};
use crate::slots::Slots;
use crate::types::{LocatorSetId, RlocId};
use dpdk_sys::Supply;

/// The bucket tables of one replica, by [`LocatorSetId`]. Control builds them
/// ([`super::locator::build`]) and sends them boxed.
#[derive(Debug)]
pub struct LocatorSets {
    slots: Slots<Box<[RlocId]>>,
}

impl LocatorSets {
    /// An empty table for slot numbers below `limit`.
    #[must_use]
    pub fn new(supply: &Supply, limit: u32) -> Self {
        Self { slots: Slots::new(supply, limit) }
    }

    /// The locator of a flow: the same one for the same hash while the set is unchanged.
    #[inline]
    #[must_use]
    pub fn pick(&self, id: LocatorSetId, hash: u32) -> Option<RlocId> {
        pick(self.slots.get(id.0)?, hash)
    }

    /// Changes a set and returns its former buckets (empty when there were none).
    ///
    /// # Errors
    /// The slot number is beyond the limit, or there are no or too many buckets; they come back.
    pub fn set(&mut self, id: LocatorSetId, buckets: Box<[RlocId]>) -> Result<Box<[RlocId]>, Box<[RlocId]>> {
        if buckets.is_empty() || buckets.len() > MAX_BUCKETS {
            return Err(buckets);
        }
        match self.slots.entry(id.0) {
            Some(slot) => Ok(std::mem::replace(slot, buckets)),
            None => Err(buckets),
        }
    }

    /// Bytes of memory, without the buckets themselves (they are control's allocations).
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.slots.memory_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_replaced_and_bounded() {
        let mut sets = LocatorSets::new(&Supply::default(), 10);
        assert_eq!(sets.pick(LocatorSetId(3), 0), None);
        assert_eq!(sets.set(LocatorSetId(3), Box::new([RlocId(1), RlocId(2)])), Ok(Box::default()));
        assert_eq!(sets.pick(LocatorSetId(3), 0), Some(RlocId(1)));
        assert_eq!(sets.pick(LocatorSetId(3), u32::MAX), Some(RlocId(2)));
        let old = sets.set(LocatorSetId(3), Box::new([RlocId(7)])).unwrap();
        assert_eq!(*old, [RlocId(1), RlocId(2)]);
        assert!(sets.set(LocatorSetId(3), Box::default()).is_err());
        assert!(sets.set(LocatorSetId(3), vec![RlocId(0); 1025].into()).is_err());
        assert!(sets.set(LocatorSetId(10), Box::new([RlocId(1)])).is_err());
        assert_eq!(sets.pick(LocatorSetId(3), 12345), Some(RlocId(7)));
    }
}
