//! The table of RLOCs: how to reach each, and what went there.

use super::action::RLOCS;
use super::template::{RlocSlot, State, TemplateError};
use crate::feed::RlocState;
use crate::slots::SharedSlots;
use crate::types::RlocId;
use std::sync::Arc;

/// What the path learns of an RLOC.
#[derive(Clone, Copy, Debug)]
pub enum Rloc<'a> {
    /// Put these headers in front.
    Ready(&'a RlocSlot),
    /// The underlay next hop is being resolved: hold.
    Resolving,
    /// No way to it, or a slot that control has not set: drop.
    Down,
}

/// Counters of all RLOCs of one worker, for control.
pub type RlocCounters = Arc<SharedSlots<RlocSlot>>;

/// The RLOCs of one replica, by [`RlocId`]: headers and counters of one lie together, so that a packet
/// touches one cache line.
#[derive(Debug)]
pub struct RlocTable {
    slots: RlocCounters,
}

impl RlocTable {
    /// An empty table for slot numbers below `limit`, and below what an entry has bits for.
    #[must_use]
    pub fn new(limit: u32) -> Self {
        Self { slots: SharedSlots::new(limit.min(RLOCS)) }
    }

    /// Control's view. May be asked for once, at the start: the table grows inside it.
    #[must_use]
    pub fn counters(&self) -> RlocCounters {
        Arc::clone(&self.slots)
    }

    /// How to reach the RLOC.
    #[inline]
    #[must_use]
    pub fn get(&self, id: RlocId) -> Rloc<'_> {
        let Some(slot) = self.slots.get(id.0) else { return Rloc::Down };
        match slot.state() {
            State::ReadyV4 | State::ReadyV6 => Rloc::Ready(slot),
            State::Resolving => Rloc::Resolving,
            State::Down => Rloc::Down,
        }
    }

    /// All slots by number, vacant ones included.
    #[inline(always)]
    #[must_use]
    pub fn slots(&self) -> &[RlocSlot] {
        self.slots.all()
    }

    /// Asks for the first cache line of the slot: all that an IPv4 outer header needs, and the counters.
    #[inline]
    pub fn prefetch(&self, id: RlocId) {
        if let Some(slot) = self.slots.get(id.0) {
            dpdk_sys::prefetch(slot);
        }
    }

    /// Adds to the RLOC's counters: packets, and their outer bytes.
    #[inline]
    pub fn count(&self, id: RlocId, packets: u64, bytes: u64) {
        if let Some(slot) = self.slots.get(id.0) {
            slot.count(packets, bytes);
        }
    }

    /// Changes a slot. `Ok(false)`: the slot number is beyond the limit.
    ///
    /// # Errors
    /// No headers can be made of the rewrite; the slot is `Down` then.
    pub fn set(&mut self, id: RlocId, state: &RlocState) -> Result<bool, TemplateError> {
        let Some(slot) = self.slots.reserve(id.0) else { return Ok(false) };
        slot.close(matches!(state, RlocState::Resolving));
        if let RlocState::Ready(rewrite) = state {
            slot.build(rewrite)?;
        }
        Ok(true)
    }

    /// Bytes of memory.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.slots.memory_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::{RlocOptions, RlocRewrite};
    use crate::types::{MacAddr, PortId};

    fn ready(destination: &str) -> RlocState {
        RlocState::Ready(Box::new(RlocRewrite {
            source: "192.0.2.1".parse().unwrap(),
            destination: destination.parse().unwrap(),
            port: PortId(0),
            source_mac: MacAddr([2; 6]),
            next_hop_mac: MacAddr([4; 6]),
            mtu: 1500,
            options: RlocOptions::default(),
            nonce: None,
        }))
    }

    #[test]
    fn a_slot_goes_through_its_states() {
        let mut table = RlocTable::new(100);
        assert!(matches!(table.get(RlocId(5)), Rloc::Down));
        assert_eq!(table.set(RlocId(5), &RlocState::Resolving), Ok(true));
        assert!(matches!(table.get(RlocId(5)), Rloc::Resolving));
        assert_eq!(table.set(RlocId(5), &ready("203.0.113.1")), Ok(true));
        assert!(matches!(table.get(RlocId(5)), Rloc::Ready(_)));
        let view = table.counters();
        table.count(RlocId(5), 3, 300);
        assert_eq!(view.get(5).map(RlocSlot::counters), Some((3, 300)));
        assert_eq!(table.set(RlocId(5), &RlocState::Down), Ok(true));
        assert!(matches!(table.get(RlocId(5)), Rloc::Down));
        assert_eq!(view.get(5).map(RlocSlot::counters), Some((3, 300)));
    }

    #[test]
    fn what_can_not_be_is_down() {
        let mut table = RlocTable::new(100);
        assert_eq!(table.set(RlocId(100), &RlocState::Resolving), Ok(false));
        assert!(matches!(table.get(RlocId(u32::MAX)), Rloc::Down));
        assert_eq!(table.set(RlocId(1), &ready("203.0.113.1")), Ok(true));
        assert!(table.set(RlocId(1), &ready("2001:db8::1")).is_err());
        assert!(matches!(table.get(RlocId(1)), Rloc::Down));
    }
}
