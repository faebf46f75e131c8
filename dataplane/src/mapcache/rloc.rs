//! RLOC slots: how to reach each RLOC, and what went there.

use super::template::{OuterTemplate, TemplateError};
use crate::feed::RlocState;
use crate::slots::SharedSlots;
use crate::types::RlocId;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use zerocopy::FromZeros;

/// What the path learns of an RLOC.
#[derive(Clone, Copy, Debug)]
pub enum Rloc<'a> {
    /// Copy these headers in front.
    Ready(&'a OuterTemplate),
    /// The underlay next hop is being resolved: hold.
    Resolving,
    /// No way to it, or a slot that control has not set: drop.
    Down,
}

/// Counters of an RLOC. Written by one worker, read by it and by control.
#[derive(Debug, Default, FromZeros)]
#[repr(C, align(16))]
pub struct RlocSlot {
    packets: AtomicU64,
    bytes: AtomicU64,
}

impl RlocSlot {
    /// Packets and outer bytes (outer IP header to end) sent to this slot, ever. A slot that gets
    /// another RLOC goes on counting: control takes differences.
    #[must_use]
    pub fn counters(&self) -> (u64, u64) {
        (self.packets.load(Relaxed), self.bytes.load(Relaxed))
    }
}

/// Counters of all RLOCs of one worker, for control.
pub type RlocCounters = Arc<SharedSlots<RlocSlot>>;

impl RlocSlot {
    /// Counts packets of that many outer bytes in all. Only the worker that owns the table may.
    #[inline(always)]
    fn count(&self, packets: u64, bytes: u64) {
        self.packets.store(self.packets.load(Relaxed).wrapping_add(packets), Relaxed);
        self.bytes.store(self.bytes.load(Relaxed).wrapping_add(bytes), Relaxed);
    }
}

/// An RLOC that was found: to be asked for, read and counted on without finding it again.
#[derive(Clone, Copy, Debug)]
pub struct RlocWay<'a> {
    state: &'a State,
    counters: &'a RlocSlot,
}

impl<'a> RlocWay<'a> {
    /// Asks for what [`RlocWay::ready`] and `count` touch.
    #[inline(always)]
    pub fn prefetch(&self) {
        dpdk_sys::prefetch(self.state);
        dpdk_sys::prefetch(self.counters);
    }

    /// The headers to copy in front, if the RLOC is ready.
    #[inline(always)]
    #[must_use]
    pub fn ready(&self) -> Option<&'a OuterTemplate> {
        match self.state {
            State::Ready(template) => Some(template),
            State::Resolving | State::Down => None,
        }
    }

    /// Adds to the RLOC's counters: packets, and their outer bytes. Only the worker that owns the table
    /// may.
    #[inline(always)]
    pub(crate) fn count(&self, packets: u64, bytes: u64) {
        self.counters.count(packets, bytes);
    }
}

#[derive(Debug, Default)]
enum State {
    Ready(OuterTemplate),
    Resolving,
    #[default]
    Down,
}

/// The RLOCs of one replica, by [`RlocId`].
#[derive(Debug)]
pub struct RlocTable {
    /// Has room for all that may come, so that none moves: memory is taken as slots are set.
    states: Vec<State>,
    counters: RlocCounters,
}

impl RlocTable {
    /// An empty table for slot numbers below `limit`.
    #[must_use]
    pub fn new(limit: u32) -> Self {
        Self { states: Vec::with_capacity(limit as usize), counters: SharedSlots::new(limit) }
    }

    /// Control's view. May be asked for once, at the start: the table grows inside it.
    #[must_use]
    pub fn counters(&self) -> RlocCounters {
        Arc::clone(&self.counters)
    }

    /// How to reach the RLOC.
    #[inline]
    #[must_use]
    pub fn get(&self, id: RlocId) -> Rloc<'_> {
        match self.states.get(id.0 as usize) {
            Some(State::Ready(template)) => Rloc::Ready(template),
            Some(State::Resolving) => Rloc::Resolving,
            Some(State::Down) | None => Rloc::Down,
        }
    }

    /// The slot, for a packet that will probably go there. `None`: control has never set it.
    #[inline(always)]
    #[must_use]
    pub fn way(&self, id: RlocId) -> Option<RlocWay<'_>> {
        Some(RlocWay { state: self.states.get(id.0 as usize)?, counters: self.counters.get(id.0)? })
    }

    /// Asks for the first cache line of the slot (all that an IPv4 outer header needs) and for its
    /// counters.
    #[inline]
    pub fn prefetch(&self, id: RlocId) {
        if let Some(state) = self.states.get(id.0 as usize) {
            dpdk_sys::prefetch(state);
        }
        if let Some(counters) = self.counters.get(id.0) {
            dpdk_sys::prefetch(counters);
        }
    }

    /// Adds to the RLOC's counters: packets, and their outer bytes.
    #[inline]
    pub fn count(&self, id: RlocId, packets: u64, bytes: u64) {
        if let Some(slot) = self.counters.get(id.0) {
            slot.count(packets, bytes);
        }
    }

    /// Changes a slot. `Ok(false)`: the slot number is beyond the limit.
    ///
    /// # Errors
    /// No headers can be made of the rewrite; the slot is `Down` then.
    pub fn set(&mut self, id: RlocId, state: &RlocState) -> Result<bool, TemplateError> {
        if self.counters.reserve(id.0).is_none() {
            return Ok(false);
        }
        let at = id.0 as usize;
        if at >= self.states.len() {
            self.states.resize_with(at + 1, State::default);
        }
        let Some(slot) = self.states.get_mut(at) else { return Ok(false) };
        *slot = State::Down;
        match state {
            RlocState::Ready(rewrite) => *slot = State::Ready(OuterTemplate::build(rewrite)?),
            RlocState::Resolving => *slot = State::Resolving,
            RlocState::Down => {}
        }
        Ok(true)
    }

    /// Bytes of memory.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        size_of_val(&*self.states) + self.counters.memory_bytes()
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

    #[test]
    fn a_slot_takes_two_cache_lines() {
        assert_eq!(size_of::<State>(), 128);
    }
}
