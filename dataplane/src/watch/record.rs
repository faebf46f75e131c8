//! What is told of a packet.

use crate::path::route::{Mapping, Origin};
use crate::types::{PortId, RlocId, VrfId};
use crate::verdict::{DropReason, Wait};

/// What became of a packet that was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Encapsulated, and queued on this port.
    Encapsulated(PortId),
    /// Queued on this port as native packet.
    Forwarded(PortId),
    /// Cut into pieces of at most so many bytes, which were queued.
    Split(u16),
    /// To the kernel.
    Host,
    /// It waits for this.
    Held(Wait),
    /// It waits for the rest of its fragments, or made a packet whole that went its own way.
    Reassembled,
    /// An ICMP error about a packet of ours, which was taken to heart.
    CoreError,
    /// Dropped.
    Dropped(DropReason),
}

/// What a worker decided about a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Story {
    /// VRF that it was routed in; for LISP packets: that of what was in it.
    pub vrf: VrfId,
    /// As it came, out of an encapsulation, or made by us.
    pub origin: Origin,
    /// What the map-cache said; `None`: it was not asked.
    pub mapping: Option<Mapping>,
    /// The locator that was chosen.
    pub rloc: Option<RlocId>,
    /// What became of it.
    pub fate: Fate,
}

/// Where in its way a packet was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Received from the NIC; the bytes are those that came.
    Received(Story),
    /// Tried again after it waited so many ticks; the bytes begin with an Ethernet header that means
    /// nothing.
    Released(Story, u64),
    /// Queued for sending, as it leaves.
    Sent {
        /// The kernel's, not forwarded by us.
        from_kernel: bool,
    },
    /// Dropped at another place than where it was decided about: it waited too long, or the transmit
    /// queue had no room.
    Dropped(DropReason),
}

/// A packet that was seen.
#[derive(Debug, PartialEq, Eq)]
pub struct Record {
    /// Tick of the round in which it was seen.
    pub tick: u64,
    /// Packets received that this watch wanted until then, this one included: those of one number
    /// belong together.
    pub number: u64,
    /// Where it was received, or is sent.
    pub port: PortId,
    /// Where in its way.
    pub event: Event,
    /// Length of the frame, without FCS.
    pub len: u32,
    /// Its first bytes. The capacity is fixed when control makes the record.
    pub bytes: Vec<u8>,
}

impl Record {
    /// An empty record with room for `snap` bytes.
    pub(super) fn empty(snap: usize) -> Self {
        Self {
            tick: 0,
            number: 0,
            port: PortId(0),
            event: Event::Sent { from_kernel: false },
            len: 0,
            bytes: Vec::with_capacity(snap),
        }
    }
}
