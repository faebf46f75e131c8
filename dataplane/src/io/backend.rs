//! The two traits between the worker's loop and whatever moves packets.

use crate::buffer::PacketBuf;
use crate::host::HostClass;
use crate::types::PortId;

/// Packets that the worker asks for at once (one staged pass of the pipeline).
pub const BURST: usize = 32;

/// An ordered row of owned packets with a fixed capacity of at least [`BURST`]; none of its
/// methods allocates.
pub trait PacketBurst: Default {
    /// What it holds.
    type Buf: PacketBuf;

    /// Packets in it.
    fn len(&self) -> usize;
    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Adds a packet at the end; gives it back when full.
    fn push(&mut self, buf: Self::Buf) -> Result<(), Self::Buf>;
    /// Packet number `index`, in order of arrival.
    fn get(&self, index: usize) -> Option<&Self::Buf>;
    /// The same, writable.
    fn get_mut(&mut self, index: usize) -> Option<&mut Self::Buf>;
    /// Moves the packets whose bit is set in `leaving` to the end of `to`; the others close up. `false`, and no change:
    /// there is no room for them.
    fn part(&mut self, leaving: u32, to: &mut Self) -> bool;
    /// Takes all packets out, in order. Those not consumed are freed when the iterator drops.
    fn drain(&mut self) -> impl Iterator<Item = Self::Buf>;
}

/// What was done for all plain packets of a burst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// They were read and checked.
    Read,
    /// They were looked up.
    LookedUp,
    /// They have other headers.
    Rewritten,
}

/// Everything that a worker receives from and sends to. A worker owns its queue of every port, so
/// no method takes a lock or a queue number. None of them blocks or allocates.
pub trait Io {
    /// A packet.
    type Buf: PacketBuf;
    /// A row of packets.
    type Burst: PacketBurst<Buf = Self::Buf>;

    /// Number of ports; they are `PortId(0)` to `PortId(ports - 1)`.
    fn ports(&self) -> usize;
    /// Adds up to [`BURST`] received packets to `out` (as far as there is room); returns how many.
    fn rx(&mut self, port: PortId, out: &mut Self::Burst) -> usize;
    /// Sends from the front of `burst`; what was sent leaves it, the rest stays in order with the
    /// caller. Returns how many were sent.
    fn tx(&mut self, port: PortId, burst: &mut Self::Burst) -> usize;
    /// Hands a packet to the kernel's face of the port it arrived on. Gives it back if the way is
    /// full for its class, or the port has no host interface.
    fn host_tx(&mut self, port: PortId, class: HostClass, buf: Self::Buf) -> Result<(), Self::Buf>;
    /// Adds up to [`BURST`] packets that the kernel wants sent on `port`, unchanged; returns how
    /// many. Only the worker that owns the port's first queue ever gets any.
    fn host_rx(&mut self, port: PortId, out: &mut Self::Burst) -> usize;
    /// Sends what other workers gave for transmit queues of this one, which the port has too few of. Returns how
    /// many packets; they were counted by those workers.
    fn relay(&mut self) -> usize {
        0
    }
    /// An empty buffer with headroom, for a packet that the worker makes itself.
    fn alloc(&mut self) -> Option<Self::Buf>;
    /// The express way of a burst has come so far: for a bench. Devices take no notice, and it costs nothing.
    #[inline(always)]
    fn mark(&self, _stage: Stage) {}
}
