//! Limits on the ICMP errors that a worker originates (R-147; RFC 4443 section 2.4 f, RFC 1812
//! section 4.3.2.8): one token bucket per interface, one per source out of a fixed table.

use super::flow::FlowKey;
use super::ip::Addrs;
use crate::types::PortId;

/// How many errors a worker may originate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IcmpLimits {
    /// Errors per second about packets received on one interface.
    pub interface_per_second: u32,
    /// Errors in a row about packets received on one interface.
    pub interface_burst: u32,
    /// Errors per second to one source.
    pub source_per_second: u32,
    /// Errors in a row to one source.
    pub source_burst: u32,
}

impl Default for IcmpLimits {
    /// The defaults of R-147.
    fn default() -> Self {
        Self { interface_per_second: 1000, interface_burst: 100, source_per_second: 10, source_burst: 10 }
    }
}

/// A token bucket that counts in clock ticks: `credit` ticks saved, one token costs `cost` ticks.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bucket {
    credit: u64,
    seen: u64,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    cost: u64,
    full: u64,
}

impl Rate {
    pub(super) fn new(ticks_per_second: u64, per_second: u32, burst: u32) -> Self {
        let cost = ticks_per_second.checked_div(u64::from(per_second)).unwrap_or(u64::MAX).max(1);
        Self { cost, full: cost.saturating_mul(u64::from(burst.max(1))) }
    }
}

impl Bucket {
    pub(super) const fn full(rate: Rate) -> Self {
        Self { credit: rate.full, seen: 0 }
    }

    /// Takes a token, if there is one.
    pub(super) fn take(&mut self, now: u64, rate: Rate) -> bool {
        let one = self.refill(now, rate);
        if one {
            self.credit -= rate.cost;
        }
        one
    }

    fn refill(&mut self, now: u64, rate: Rate) -> bool {
        self.credit = self.credit.saturating_add(now.saturating_sub(self.seen)).min(rate.full);
        self.seen = self.seen.max(now);
        self.credit >= rate.cost
    }
}

/// The buckets of one worker. Memory is fixed: sources share buckets by a keyed hash, so nobody
/// outside can choose whose bucket he empties, and no number of sources makes it grow.
#[derive(Debug)]
pub struct IcmpLimiter {
    interfaces: Box<[Bucket]>,
    sources: Box<[Bucket]>,
    interface_rate: Rate,
    source_rate: Rate,
    key: FlowKey,
}

impl IcmpLimiter {
    /// Buckets for sources.
    const SOURCES: usize = 4096;

    /// Full buckets for `ports` interfaces.
    pub fn new(limits: IcmpLimits, ports: usize, ticks_per_second: u64, key: FlowKey) -> Self {
        let interface_rate = Rate::new(ticks_per_second, limits.interface_per_second, limits.interface_burst);
        let source_rate = Rate::new(ticks_per_second, limits.source_per_second, limits.source_burst);
        let buckets = |count, rate| vec![Bucket::full(rate); count].into_boxed_slice();
        Self {
            interfaces: buckets(ports, interface_rate),
            sources: buckets(Self::SOURCES, source_rate),
            interface_rate,
            source_rate,
            key,
        }
    }

    /// Whether an error may be sent now to the source of these addresses about a packet that came
    /// in on `port`. Takes a token of both buckets if so, of none if not.
    pub fn allow(&mut self, port: PortId, addrs: &Addrs, now: u64) -> bool {
        // Not the destination: a spoofer must not get a new bucket per destination. The interface, for
        // tenants have the same addresses and must not have each other's buckets.
        let hash = match *addrs {
            Addrs::V4 { source, .. } => self.key.ipv4(source.0, 0, u64::from(port.0)),
            Addrs::V6 { source, .. } => self.key.ipv6(source, Default::default(), u64::from(port.0)),
        };
        let source = self.sources.get_mut(hash as usize % Self::SOURCES);
        let (Some(interface), Some(source)) = (self.interfaces.get_mut(usize::from(port.0)), source) else {
            return false;
        };
        let both = interface.refill(now, self.interface_rate) & source.refill(now, self.source_rate);
        if both {
            interface.credit -= self.interface_rate.cost;
            source.credit -= self.source_rate.cost;
        }
        both
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lpm::Key4;

    const HZ: u64 = 1_000_000;

    fn from(source: u32) -> Addrs {
        Addrs::V4 { source: Key4(source), destination: Key4(9) }
    }

    fn limiter() -> IcmpLimiter {
        IcmpLimiter::new(IcmpLimits::default(), 2, HZ, FlowKey::new([3, 5, 7, 11]))
    }

    #[test]
    fn one_source_gets_ten_and_then_ten_a_second_r147() {
        let mut limiter = limiter();
        let sent = |limiter: &mut IcmpLimiter, now| {
            (0..50).filter(|_| limiter.allow(PortId(0), &from(1), now)).count()
        };
        assert_eq!(sent(&mut limiter, 0), 10);
        assert_eq!(sent(&mut limiter, HZ / 10), 1);
        assert_eq!(sent(&mut limiter, HZ / 10 + HZ), 10);
        assert_eq!(sent(&mut limiter, 100 * HZ), 10, "credit does not pile up");
    }

    #[test]
    fn many_sources_share_the_interface_r147() {
        let mut limiter = limiter();
        let mut sent = |port, now| (0..5000).filter(|n| limiter.allow(PortId(port), &from(*n), now)).count();
        assert_eq!(sent(0, 0), 100);
        assert_eq!(sent(1, 0), 100, "another interface has its own bucket");
        assert_eq!(sent(0, HZ / 100), 10);
        assert_eq!(sent(7, 0), 0, "a port that does not exist");
    }

    #[test]
    fn a_clock_that_stands_or_goes_back_gives_nothing() {
        let mut limiter = limiter();
        assert_eq!((0..20).filter(|_| limiter.allow(PortId(0), &from(1), 500)).count(), 10);
        assert!(!limiter.allow(PortId(0), &from(1), 0));
    }
}
