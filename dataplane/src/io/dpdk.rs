//! The backend of the daemon: NIC queues, and the rings to the host thread.

use super::tx_share::TxWay;
use super::{BURST, Io, PacketBurst};
use crate::buffer::PacketBuf;
use crate::clock::Clock;
use crate::host::{HostClass, WorkerEnd};
use crate::types::PortId;
use dpdk_sys::{Burst, Checksum, Mbuf, Pool, RxQueue};

impl PacketBuf for Mbuf {
    #[inline]
    fn data(&self) -> &[u8] {
        Mbuf::data(self)
    }

    #[inline]
    fn data_mut(&mut self) -> &mut [u8] {
        Mbuf::data_mut(self)
    }

    #[inline]
    fn total_len(&self) -> usize {
        self.pkt_len()
    }

    #[inline]
    fn segments(&self) -> usize {
        Mbuf::segments(self)
    }

    #[inline]
    fn prepend(&mut self, n: usize) -> Option<&mut [u8]> {
        Mbuf::prepend(self, n)
    }

    #[inline]
    fn trim_front(&mut self, n: usize) -> bool {
        self.adj(n)
    }

    #[inline]
    fn truncate(&mut self, len: usize) -> bool {
        self.trim_to(len)
    }

    #[inline]
    fn append(&mut self, n: usize) -> Option<&mut [u8]> {
        Mbuf::append(self, n)
    }

    #[inline(always)]
    fn rehead(&mut self, front: usize, len: usize) -> Option<&mut [u8]> {
        self.frame_from(-(front as isize), len)
    }

    #[inline(always)]
    fn behead(&mut self, front: usize, len: usize) -> Option<&mut [u8]> {
        self.frame_from(front as isize, len)
    }

    fn join(&mut self, tail: Self) -> Result<(), Self> {
        Mbuf::join(self, tail)
    }

    fn linearize(&mut self) -> bool {
        Mbuf::linearize(self)
    }

    fn sum_from(&self, at: usize) -> Option<u64> {
        Mbuf::sum_from(self, at).map(u64::from)
    }

    #[inline]
    fn ip_checksum_known_good(&self) -> bool {
        self.rx_ip_checksum() == Checksum::Good
    }

    #[inline]
    fn l4_checksum_known_good(&self) -> bool {
        self.rx_l4_checksum() == Checksum::Good
    }

    #[inline]
    fn prefetch(&self) {
        Mbuf::prefetch(self);
    }

    #[inline]
    fn prefetch_next(&self) {
        Mbuf::prefetch_next(self);
    }

    #[inline]
    fn prefetch_headroom(&self) {
        Mbuf::prefetch_headroom(self);
    }
}

impl PacketBurst for Burst {
    type Buf = Mbuf;

    #[inline]
    fn len(&self) -> usize {
        Burst::len(self)
    }

    #[inline]
    fn push(&mut self, buf: Mbuf) -> Result<(), Mbuf> {
        Burst::push(self, buf)
    }

    #[inline]
    fn get(&self, index: usize) -> Option<&Mbuf> {
        Burst::get(self, index)
    }

    #[inline]
    fn get_mut(&mut self, index: usize) -> Option<&mut Mbuf> {
        Burst::get_mut(self, index)
    }

    #[inline]
    fn part(&mut self, leaving: u32, to: &mut Self) -> bool {
        Burst::part(self, u64::from(leaving), to)
    }

    #[inline]
    fn drain(&mut self) -> impl Iterator<Item = Mbuf> {
        Burst::drain(self)
    }
}

/// The CPU's time stamp counter.
#[derive(Clone, Copy, Debug)]
pub struct TscClock {
    hz: u64,
}

impl TscClock {
    /// Reads the rate that the EAL measured at its start; without an EAL it counts as 1 GHz.
    #[must_use]
    pub fn new() -> Self {
        let hz = dpdk_sys::tsc_hz();
        Self { hz: if hz == 0 { 1_000_000_000 } else { hz } }
    }
}

impl Default for TscClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for TscClock {
    #[inline(always)]
    fn now(&self) -> u64 {
        dpdk_sys::tsc()
    }

    fn hz(&self) -> u64 {
        self.hz
    }
}

/// What one worker owns of one port.
#[derive(Debug)]
pub struct DpdkPort {
    rx: Vec<RxQueue>,
    /// The receive queue that is asked next.
    next: usize,
    tx: TxWay,
    host: Option<WorkerEnd>,
}

impl DpdkPort {
    /// `rx`: the receive queues that this worker serves, maybe none. `host`: its end of the way to
    /// the kernel, if the port has a host interface.
    #[must_use]
    pub fn new(rx: Vec<RxQueue>, tx: TxWay, host: Option<WorkerEnd>) -> Self {
        Self { rx, next: 0, tx, host }
    }

    /// Asks the receive queues in turn, starting behind the one that was served last.
    #[inline]
    fn receive(&mut self, out: &mut Burst) -> usize {
        for _ in 0..self.rx.len() {
            let turn = self.next;
            self.next = if turn + 1 < self.rx.len() { turn + 1 } else { 0 };
            let count = self.rx.get_mut(turn).map_or(0, |queue| queue.burst_up_to(out, BURST));
            if count > 0 {
                return count;
            }
        }
        0
    }
}

/// One worker's queues of all ports.
#[derive(Debug)]
pub struct DpdkIo {
    ports: Vec<DpdkPort>,
    pool: Pool,
    /// Other workers send by queues of this one.
    relays: bool,
}

impl DpdkIo {
    /// `ports` in the order of their [`PortId`]s; `pool` is where the worker's own packets come from.
    #[must_use]
    pub fn new(ports: Vec<DpdkPort>, pool: Pool) -> Self {
        let relays = ports.iter().any(|port| port.tx.is_shared());
        Self { ports, pool, relays }
    }

    #[inline]
    fn port(&mut self, port: PortId) -> Option<&mut DpdkPort> {
        self.ports.get_mut(usize::from(port.0))
    }
}

impl Io for DpdkIo {
    type Buf = Mbuf;
    type Burst = Burst;

    fn ports(&self) -> usize {
        self.ports.len()
    }

    #[inline]
    fn rx(&mut self, port: PortId, out: &mut Burst) -> usize {
        self.port(port).map_or(0, |port| port.receive(out))
    }

    #[inline]
    fn tx(&mut self, port: PortId, burst: &mut Burst) -> usize {
        self.port(port).map_or(0, |port| port.tx.send(burst))
    }

    #[inline]
    fn host_tx(&mut self, port: PortId, class: HostClass, buf: Mbuf) -> Result<(), Mbuf> {
        match self.port(port).and_then(|port| port.host.as_mut()) {
            Some(host) => host.to_kernel(class, buf),
            None => Err(buf),
        }
    }

    #[inline]
    fn host_rx(&mut self, port: PortId, out: &mut Burst) -> usize {
        self.port(port).and_then(|port| port.host.as_mut()).map_or(0, |host| host.from_kernel(out, BURST))
    }

    #[inline]
    fn relay(&mut self) -> usize {
        if !self.relays {
            return 0;
        }
        self.ports.iter_mut().map(|port| port.tx.relay()).sum()
    }

    #[inline]
    fn alloc(&mut self) -> Option<Mbuf> {
        self.pool.alloc()
    }
}
