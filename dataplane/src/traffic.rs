//! What passes, by VRF, by sub-interface and by policer: tables of counters that one worker writes and control reads.

use crate::counters::Counter;
use crate::slots::SharedSlots;
use crate::types::{PolicerId, PortId, VrfId};
use std::sync::Arc;
use zerocopy::FromZeros;

/// Packets, and their bytes as frames: Ethernet header included, VLAN tags not.
///
/// Written by one worker, read by control: a reader may see the packets a moment before their bytes.
#[derive(Debug, Default, FromZeros)]
#[repr(C)]
pub struct Flow {
    packets: Counter,
    bytes: Counter,
}

impl Flow {
    /// Counts. Only the worker that owns the table may.
    #[inline(always)]
    pub(crate) fn add(&self, packets: u64, bytes: u64) {
        self.packets.add(packets);
        self.bytes.add(bytes);
    }

    /// Packets and bytes.
    #[must_use]
    pub fn read(&self) -> (u64, u64) {
        (self.packets.get(), self.bytes.get())
    }
}

/// What one VRF's packets came to. What every packet touches is one cache line, drops are in the next.
#[derive(Debug, Default, FromZeros)]
#[repr(C, align(64))]
pub struct VrfTraffic {
    /// Received on its ports and sub-interfaces, whatever they were: on an underlay port also the LISP
    /// packets of other VRFs.
    pub received: Flow,
    /// Got LISP headers, as they leave.
    pub encapsulated: Flow,
    /// Came out of LISP headers, as they came out.
    pub decapsulated: Flow,
    /// Went to an Ethernet next hop without LISP headers, those that came out of some included.
    pub forwarded: Flow,
    /// Received and dropped. What is dropped before its VRF is known (outer headers, VLANs) counts with that
    /// of the port; what a queue has no room for (`tx_full`, `tx_port`) with none.
    pub dropped: Counter,
    rest: [Counter; 7],
}

/// What went through a sub-interface.
#[derive(Debug, Default, FromZeros)]
#[repr(C, align(32))]
pub struct SubInterfaceTraffic {
    /// Received.
    pub received: Flow,
    /// Queued for sending on the parent. What the kernel sends by itself is not counted here.
    pub sent: Flow,
}

/// What came to a policer: IP packets, and their bytes from the IP header on, without what LISP adds.
#[derive(Debug, Default, FromZeros)]
#[repr(C, align(32))]
pub struct PolicerTraffic {
    /// Let through.
    pub passed: Flow,
    /// Dropped.
    pub dropped: Flow,
}

/// Policers that count; what is beyond works, and does not count.
pub const MAX_POLICERS: u32 = 1 << 14;

/// The counters of one worker by VRF, by sub-interface and by policer. A clone shows the same ones.
#[derive(Clone, Debug)]
pub struct Traffic {
    vrfs: Arc<SharedSlots<VrfTraffic>>,
    subinterfaces: Arc<SharedSlots<SubInterfaceTraffic>>,
    policers: Arc<SharedSlots<PolicerTraffic>>,
}

impl Traffic {
    pub(crate) fn new(vrfs: u16, ports: u16) -> Self {
        Self {
            vrfs: SharedSlots::new(vrfs.into()),
            subinterfaces: SharedSlots::new(ports.into()),
            policers: SharedSlots::new(MAX_POLICERS),
        }
    }

    /// A VRF's counters; `None`: there can be no such VRF.
    #[inline(always)]
    #[must_use]
    pub fn vrf(&self, vrf: VrfId) -> Option<&VrfTraffic> {
        self.vrfs.get(u32::from(vrf.0))
    }

    /// A sub-interface's counters; those of a port stay zero, the NIC counts for it.
    #[inline]
    #[must_use]
    pub fn subinterface(&self, port: PortId) -> Option<&SubInterfaceTraffic> {
        self.subinterfaces.get(u32::from(port.0))
    }

    /// A policer's counters.
    #[inline]
    #[must_use]
    pub fn policer(&self, id: PolicerId) -> Option<&PolicerTraffic> {
        self.policers.get(id.0)
    }

    /// Takes note that a VRF is in use.
    pub(crate) fn reserve(&self, vrf: VrfId) {
        self.vrfs.reserve(u32::from(vrf.0));
    }

    /// Makes the pages that a VRF counts in: see [`SharedSlots::prepare`].
    pub(crate) fn prepare_vrf(&self, vrf: VrfId) {
        self.vrfs.prepare(u32::from(vrf.0));
    }

    /// The same for a sub-interface.
    pub(crate) fn prepare_subinterface(&self, port: PortId) {
        self.subinterfaces.prepare(u32::from(port.0));
    }

    /// Bytes of memory.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.vrfs.memory_bytes() + self.subinterfaces.memory_bytes() + self.policers.memory_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;

    #[test]
    fn what_every_packet_touches_is_one_cache_line() {
        assert_eq!((size_of::<VrfTraffic>(), align_of::<VrfTraffic>()), (128, 64));
        assert_eq!(offset_of!(VrfTraffic, dropped), 64);
        assert_eq!(size_of::<SubInterfaceTraffic>(), 32);
    }
}
