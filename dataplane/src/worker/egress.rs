//! What waits to be sent on one port during a round.

use crate::buffer::PacketBuf;
use crate::counters::WorkerStats;
use crate::io::{Io, PacketBurst};
use crate::types::PortId;
use crate::verdict::DropReason;
use crate::watch::Watchers;

/// Where a packet to be sent comes from: decides what is counted when it can not be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// Received: it has a fate.
    Nic,
    /// Made by us: an ICMP error, an additional fragment.
    Worker,
    /// From the kernel.
    Host,
}

/// What is needed to send.
#[derive(Debug)]
pub(super) struct Out<'a, I> {
    pub(super) io: &'a mut I,
    pub(super) stats: &'a WorkerStats,
    pub(super) watch: &'a mut Watchers,
    pub(super) now: u64,
}

/// Packets for one port. The two masks tell their origin by position.
#[derive(Debug, Default)]
pub(super) struct Egress<P> {
    burst: P,
    worker: u64,
    host: u64,
    /// Bytes of the received packets in the row.
    bytes: u64,
}

/// Positions that the masks have.
const PLACES: usize = u64::BITS as usize;

impl<P: PacketBurst> Egress<P> {
    /// Adds a packet; sends first if there is no room.
    #[inline(always)]
    pub(super) fn push<I: Io<Burst = P, Buf = P::Buf>>(
        &mut self,
        out: &mut Out<'_, I>,
        port: PortId,
        buf: P::Buf,
        from: From,
    ) {
        if self.burst.len() >= PLACES {
            self.flush(out, port);
        }
        let at = self.burst.len();
        let len = buf.total_len() as u64;
        let Err(buf) = self.burst.push(buf) else { return self.mark(at, len, from) };
        self.flush(out, port);
        match self.burst.push(buf) {
            Ok(()) => self.mark(0, len, from),
            Err(_) => count_lost(out.stats, from),
        }
    }

    #[inline(always)]
    fn mark(&mut self, at: usize, len: u64, from: From) {
        match from {
            From::Nic => self.bytes += len,
            From::Worker => self.worker |= 1 << at,
            From::Host => self.host |= 1 << at,
        }
    }

    /// Sends a whole burst of received packets, `bytes` long in all, and what waits before it.
    #[inline(always)]
    pub(super) fn pass<I: Io<Burst = P, Buf = P::Buf>>(
        &mut self,
        out: &mut Out<'_, I>,
        port: PortId,
        burst: &mut P,
        bytes: u64,
    ) {
        self.flush(out, port);
        let count = burst.len();
        let sent = out.io.tx(port, burst).min(count);
        let mut unsent = 0;
        if sent < count {
            for buf in burst.drain() {
                unsent += buf.total_len() as u64;
                count_lost(out.stats, From::Nic);
            }
        }
        out.stats.tx.add(sent as u64);
        out.stats.tx_bytes.add(bytes - unsent);
    }

    /// Sends everything. What the queue does not take is dropped and counted.
    #[inline(always)]
    pub(super) fn flush<I: Io<Burst = P, Buf = P::Buf>>(&mut self, out: &mut Out<'_, I>, port: PortId) {
        let count = self.burst.len();
        if count == 0 {
            return;
        }
        let sent = out.io.tx(port, &mut self.burst).min(count);
        let mut from_nic = count as u64;
        if self.worker | self.host != 0 {
            let mask = u64::MAX.checked_shr(PLACES as u32 - sent as u32).unwrap_or(0);
            out.stats.from_host.add(u64::from((self.host & mask).count_ones()));
            from_nic -= u64::from((self.worker | self.host).count_ones());
        }
        let mut unsent = Unsent::default();
        if sent < count {
            unsent = self.drop_rest(out, port, sent);
        }
        out.stats.tx.add(from_nic - unsent.packets);
        out.stats.tx_bytes.add(self.bytes - unsent.bytes);
        (self.worker, self.host, self.bytes) = (0, 0, 0);
    }

    /// Drops what is left after `sent` packets were sent.
    #[cold]
    fn drop_rest<I: Io<Burst = P, Buf = P::Buf>>(
        &mut self,
        out: &mut Out<'_, I>,
        port: PortId,
        sent: usize,
    ) -> Unsent {
        let mut unsent = Unsent::default();
        for (at, buf) in (sent..).zip(self.burst.drain()) {
            let from = match 1 << at {
                bit if self.worker & bit != 0 => From::Worker,
                bit if self.host & bit != 0 => From::Host,
                _ => From::Nic,
            };
            count_lost(out.stats, from);
            if out.watch.any() {
                out.watch.lost(port, &buf, DropReason::TxFull, out.now);
            }
            if from == From::Nic {
                unsent.packets += 1;
                unsent.bytes += buf.total_len() as u64;
            }
        }
        unsent
    }
}

/// Received packets that were not sent.
#[derive(Clone, Copy, Debug, Default)]
struct Unsent {
    packets: u64,
    bytes: u64,
}

fn count_lost(stats: &WorkerStats, from: From) {
    match from {
        From::Nic => stats.drop_one(DropReason::TxFull),
        From::Worker => stats.originated_lost.add(1),
        From::Host => stats.from_host_lost.add(1),
    }
}
