//! Queues: the two verbs of the packet path.

use crate::bindings as c;
use crate::burst::{BURST, Burst};
use crate::port::Device;
use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::Arc;

/// A receive queue; its port stays open as long as it exists.
#[derive(Debug)]
pub struct RxQueue {
    port: u16,
    queue: u16,
    _device: Arc<Device>,
    // One thread at a time: Send, not Sync.
    _owner: PhantomData<Cell<()>>,
}

impl RxQueue {
    pub(crate) fn new(device: Arc<Device>, queue: u16) -> Self {
        Self { port: device.number(), queue, _device: device, _owner: PhantomData }
    }

    /// Receives as many packets as there are and `into` has room for, behind those that are in it
    /// already. Returns how many came. Never blocks.
    #[inline]
    pub fn burst(&mut self, into: &mut Burst) -> usize {
        self.burst_up_to(into, BURST)
    }

    /// The same, but no more than `most` packets.
    #[inline]
    pub fn burst_up_to(&mut self, into: &mut Burst, most: usize) -> usize {
        let room = into.room().min(most);
        if room == 0 {
            return 0;
        }
        // SAFETY: `room` slots are free behind tail_ptr; the driver fills the first `count` of them
        // with mbufs that become ours. The port runs as long as `_device`, and `&mut self` on the only
        // owner of this queue number keeps other threads away from it.
        unsafe {
            let count = c::pxtr_rx_burst(self.port, self.queue, into.tail_ptr(), room as u16);
            into.grow(usize::from(count));
            usize::from(count)
        }
    }

    /// Number of the queue at its port.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.queue
    }
}

/// A transmit queue; its port stays open as long as it exists.
#[derive(Debug)]
pub struct TxQueue {
    port: u16,
    queue: u16,
    /// Offloads are on: the driver may want to prepare packets.
    prepare: bool,
    _device: Arc<Device>,
    _owner: PhantomData<Cell<()>>,
}

impl TxQueue {
    pub(crate) fn new(device: Arc<Device>, queue: u16, prepare: bool) -> Self {
        Self { port: device.number(), queue, prepare, _device: device, _owner: PhantomData }
    }

    /// Sends packets from the front of the burst, as many as the device takes. Those leave the burst
    /// and can not be reached again; the others stay, in order, for the caller to keep or to drop.
    /// Returns how many were sent. Never blocks.
    #[inline]
    pub fn burst(&mut self, from: &mut Burst) -> usize {
        let len = from.len() as u16;
        if len == 0 {
            return 0;
        }
        // SAFETY: the first `len` slots are mbufs of ours; the first `sent` belong to the driver
        // afterwards and are forgotten. The port runs as long as `_device`, and `&mut self` on the
        // only owner of this queue number keeps other threads away from it.
        let sent = unsafe {
            if self.prepare {
                c::pxtr_tx_burst_prepared(self.port, self.queue, from.head_ptr(), len)
            } else {
                c::pxtr_tx_burst(self.port, self.queue, from.head_ptr(), len)
            }
        };
        from.forget_front(usize::from(sent));
        usize::from(sent)
    }

    /// Number of the queue at its port.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.queue
    }
}
