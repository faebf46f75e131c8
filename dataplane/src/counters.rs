//! What a worker counts. Written by the worker alone with relaxed stores, read by control at any
//! time; a reader may see one counter a moment before another.

use crate::path::icmp;
use crate::verdict::DropReason;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use zerocopy::FromZeros;

/// A counter with one writer: an addition is a load and a store, not a locked instruction.
#[derive(Debug, Default, FromZeros)]
#[repr(transparent)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds. Only the worker calls this.
    #[inline(always)]
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }

    /// Sets, for what goes up and down. Only the worker calls this.
    #[inline(always)]
    pub fn set(&self, n: u64) {
        self.0.store(n, Relaxed);
    }

    /// Reads.
    #[inline(always)]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Declares [`WorkerStats`] and [`Snapshot`] with the same fields: one line is field, name and
/// sentence.
macro_rules! worker_stats {
    ($($field:ident, $text:literal;)*) => {
        /// Counters of one worker. Aligned so that it shares no cache line with another's.
        #[derive(Debug)]
        #[repr(align(128))]
        pub struct WorkerStats {
            $(#[doc = $text] pub $field: Counter,)*
            /// Packets dropped, by [`DropReason::index`].
            pub drops: [Counter; DropReason::COUNT],
            /// ICMP errors originated, by [`icmp::kind`].
            pub icmp: [Counter; icmp::KINDS.len()],
        }

        /// The counters of one worker at one moment.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Snapshot {
            $(#[doc = $text] pub $field: u64,)*
            /// Packets dropped, by [`DropReason::index`].
            pub drops: [u64; DropReason::COUNT],
            /// ICMP errors originated, by [`icmp::kind`].
            pub icmp: [u64; icmp::KINDS.len()],
        }

        impl Default for WorkerStats {
            fn default() -> Self {
                Self {
                    $($field: Counter::default(),)*
                    drops: std::array::from_fn(|_| Counter::default()),
                    icmp: std::array::from_fn(|_| Counter::default()),
                }
            }
        }

        impl WorkerStats {
            /// All counters as they are now.
            pub fn snapshot(&self) -> Snapshot {
                Snapshot {
                    $($field: self.$field.get(),)*
                    drops: std::array::from_fn(|i| self.drops.get(i).map_or(0, Counter::get)),
                    icmp: std::array::from_fn(|i| self.icmp.get(i).map_or(0, Counter::get)),
                }
            }
        }

        impl Snapshot {
            /// The single counters with name and sentence, in order of declaration.
            pub fn fields(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
                [$((stringify!($field), $text, self.$field),)*].into_iter()
            }
        }
    };
}

worker_stats! {
    received, "Packets received from NIC queues.";
    received_bytes, "Bytes received from NIC queues, Ethernet header included.";
    handed_over, "Received packets handed over to the worker of their flow (software spreading), which counts what becomes of them.";
    taken_over, "Packets taken over from the worker that received them (software spreading).";
    taken_over_bytes, "Bytes of these, Ethernet header included.";
    tx, "Received packets that were sent on a port.";
    tx_bytes, "Bytes of these as sent, Ethernet header included.";
    host, "Received packets handed to the kernel.";
    reassembled, "Received fragments that became part of another received packet.";
    core_errors, "Received ICMP errors about packets that we encapsulated, believed.";
    held, "Received packets that wait now, outer fragments included.";
    originated_held, "Packets made by the worker that wait now.";
    encapsulated, "Packets that got LISP headers.";
    decapsulated, "Packets that LISP headers were stripped from.";
    forwarded, "Packets sent to an Ethernet next hop without LISP headers.";
    fragments, "Additional packets made by fragmentation.";
    dont_fragment_kept, "LISP packets sent with DF=1 although routers may fragment them: too many were of late (RFC 6864).";
    originated_lost, "Packets made by the worker (ICMP errors, fragments) that could not be sent.";
    icmp_relayed, "ICMP errors from the core passed on to who sent the inner packet.";
    icmp_limited, "ICMP errors not sent because of the rate limits.";
    icmp_unsendable, "ICMP errors not sent because rules forbid them or there is no source address.";
    ecn_strange, "Decapsulated packets with a combination of ECN bits that should not occur (RFC 6040).";
    from_host, "Packets from the kernel sent on a port.";
    sent_for_others, "Packets of other workers sent on a port with fewer transmit queues than workers; counted as sent by those.";
    from_host_lost, "Packets from the kernel that the port's queue had no room for.";
    held_ever, "Packets that had to wait, each time they began to.";
    punts, "Events sent to control.";
    punts_lost, "Events lost because control's ring was full.";
    applied, "Deltas applied or ignored: the sequence number of the last one.";
    ignored, "Deltas that could not be applied.";
    supply_misses, "Times that the worker had to ask the kernel for memory for its tables: control had prepared too little.";
    bursts, "Receive calls that returned packets.";
    empty_polls, "Rounds over all ports that found nothing to do.";
    cycles_busy, "Clock ticks in rounds that had something to do.";
    cycles_total, "Clock ticks since the worker started.";
}

impl WorkerStats {
    /// Counts a dropped packet.
    #[inline]
    pub fn drop_one(&self, reason: DropReason) {
        self.drop_many(reason, 1);
    }

    /// Counts so many dropped packets.
    #[inline]
    pub fn drop_many(&self, reason: DropReason, packets: u64) {
        if let Some(counter) = self.drops.get(reason.index()) {
            counter.add(packets);
        }
    }
}

impl Snapshot {
    /// Packets dropped for this reason.
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.drops.get(reason.index()).copied().unwrap_or(0)
    }

    /// Packets that came to the worker: from NIC queues, and from other workers.
    pub fn arrived(&self) -> u64 {
        self.received + self.taken_over
    }

    /// All fates together: equal to [`Snapshot::arrived`] whenever the worker is between two bursts. To be handed over is a
    /// fate here, and has one more at the other worker; so over all workers `received` is the sum of all fates but
    /// this one, once nothing is on its way between workers.
    pub fn fates(&self) -> u64 {
        let here = self.tx + self.host + self.held + self.reassembled + self.core_errors;
        here + self.handed_over + self.drops.iter().sum::<u64>()
    }

    /// Drop reasons that have occurred, with their counts.
    pub fn drops_by_reason(&self) -> impl Iterator<Item = (DropReason, u64)> {
        DropReason::ALL.into_iter().zip(self.drops).filter(|(_, count)| *count != 0)
    }

    /// ICMP errors originated, by kind.
    pub fn icmp_by_kind(&self) -> impl Iterator<Item = (&'static str, u64)> {
        icmp::KINDS.into_iter().zip(self.icmp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fates_sum_up_what_was_counted() {
        let stats = WorkerStats::default();
        stats.received.add(6);
        stats.tx.add(2);
        stats.host.add(1);
        stats.held.set(1);
        stats.drop_one(DropReason::NoRoute);
        stats.drop_one(DropReason::TxFull);
        let now = stats.snapshot();
        assert_eq!(now.fates(), now.received);
        stats.received.add(1);
        stats.handed_over.add(1);
        stats.taken_over.add(2);
        stats.tx.add(2);
        let now = stats.snapshot();
        assert_eq!((now.fates(), now.arrived()), (9, 9));
        assert_eq!(
            now.drops_by_reason().collect::<Vec<_>>(),
            [(DropReason::NoRoute, 1), (DropReason::TxFull, 1)]
        );
        assert_eq!(now.fields().find(|(name, ..)| *name == "host").map(|(.., value)| value), Some(1));
        assert_eq!(now.dropped(DropReason::Multicast), 0);
    }

    #[test]
    fn two_workers_share_no_cache_line() {
        assert_eq!(align_of::<WorkerStats>() % 128, 0);
    }
}
