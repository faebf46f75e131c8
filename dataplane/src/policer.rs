//! Policers: token buckets that hold tenants, and sites of theirs, to a rate.
//!
//! The rate is that of all workers together, as operators of other routers expect. What they share is *time*: a
//! [`Reservoir`] hands out each tick of the clock once, a worker takes a slice of it when it needs one, and turns it into
//! tokens by itself. All numbers are whole and nothing is rounded away: in the long run exactly the rate gets through,
//! whichever workers the packets come to. A worker keeps at most a 64th of the burst beyond what it used.

use crate::counters::Counter;
use crate::lpm::{Lpm4, Lpm6};
use crate::traffic::Traffic;
use crate::types::PolicerId;
use ipnet::IpNet;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What a policer counts in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unit {
    /// Bits of IP packets: the inner ones, from their IP header on.
    #[default]
    Bits,
    /// IP packets.
    Packets,
}

/// How much a policer lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Units a second, at least 1.
    pub per_second: u64,
    /// Units at once after a pause. What is larger than this never gets through.
    pub burst: u64,
    /// What is counted.
    pub unit: Unit,
}

/// Time that workers take from: every tick is handed out once. Ticks that nobody took are lost but for the last ones,
/// as many as the burst is worth.
#[derive(Debug, Default)]
pub struct Reservoir(AtomicU64);

impl Reservoir {
    /// Takes at most `want` ticks; `depth`: how many it holds.
    fn take(&self, now: u64, want: u64, depth: u64) -> u64 {
        let mut taken = 0;
        let left = |spent: u64| {
            // A clock that was ahead, by more than workers' clocks differ, must not shut everybody out.
            let spent = if spent > now.saturating_add(depth) { now } else { spent };
            let from = spent.max(now.saturating_sub(depth));
            taken = now.saturating_sub(from).min(want);
            Some(if taken > 0 { from + taken } else { spent })
        };
        // `left` always gives a value: only another worker's turn makes it try again.
        let _ = self.0.fetch_update(Relaxed, Relaxed, left);
        taken
    }
}

/// The reservoirs of a policer, shared by all workers and kept over changes of others: one for what goes into LISP
/// headers, or comes natively at all, and one for what comes out of them.
pub type Reservoirs = [Arc<Reservoir>; 2];

/// One worker's part of a policer's bucket.
#[derive(Debug)]
struct Bucket {
    reservoir: Arc<Reservoir>,
    /// Units times ticks a second.
    credit: Counter,
}

impl Bucket {
    /// Takes time until there is enough for `need`. Only the worker that owns it may.
    fn fill(&self, rate: &Rate, need: u64, now: u64, hz: u64) -> bool {
        let credit = self.credit.get();
        let Some(missing) = need.checked_sub(credit).filter(|missing| *missing > 0) else { return true };
        let per_second = rate.per_second.max(1);
        let depth = u128::from(rate.burst) * u128::from(hz) / u128::from(per_second);
        let depth = u64::try_from(depth).unwrap_or(u64::MAX);
        let want = missing.div_ceil(per_second).max(depth / 64);
        let taken = self.reservoir.take(now, want, depth);
        let credit = credit.saturating_add(taken.saturating_mul(per_second));
        self.credit.set(credit);
        credit >= need
    }

    fn spend(&self, need: u64) {
        self.credit.set(self.credit.get().saturating_sub(need));
    }
}

/// A policer as one worker has it.
#[derive(Debug)]
pub struct Policer {
    id: PolicerId,
    rate: Rate,
    ways: [Bucket; 2],
}

impl Policer {
    /// `id`: where it counts.
    #[must_use]
    pub fn new(id: PolicerId, rate: Rate, reservoirs: &Reservoirs) -> Self {
        let bucket = |at: usize| Bucket {
            reservoir: Arc::clone(reservoirs.get(at).unwrap_or(&reservoirs[0])),
            credit: Counter::default(),
        };
        Self { id, rate, ways: [bucket(0), bucket(1)] }
    }

    fn need(&self, bytes: u64, hz: u64) -> u64 {
        let units = if self.rate.unit == Unit::Bits { bytes * 8 } else { 1 };
        units.saturating_mul(hz)
    }

    fn bucket(&self, out_of_lisp: bool) -> &Bucket {
        let [into, out] = &self.ways;
        if out_of_lisp { out } else { into }
    }
}

impl Clone for Policer {
    /// For another worker: the same reservoirs, no credit.
    fn clone(&self) -> Self {
        Self::new(self.id, self.rate, &self.ways.each_ref().map(|bucket| Arc::clone(&bucket.reservoir)))
    }
}

/// The policers of a VRF.
#[derive(Clone, Debug, Default)]
pub struct VrfPolicers {
    list: Vec<Policer>,
    /// Of all packets.
    whole: Option<u32>,
    /// By EID-prefix of a site. Made by control, the same for all workers.
    sites: Arc<(Lpm4, Lpm6)>,
}

impl VrfPolicers {
    /// Policers with the EID-prefixes whose packets each is for, `None`: of the whole VRF.
    #[must_use]
    pub fn new(policers: Vec<(Policer, Option<Vec<IpNet>>)>) -> Self {
        let (mut list, mut whole, mut v4, mut v6) = (Vec::new(), None, Lpm4::new(), Lpm6::new());
        for (number, (policer, prefixes)) in (0..).zip(policers) {
            list.push(policer);
            if prefixes.is_none() {
                whole = Some(number);
            }
            for prefix in prefixes.into_iter().flatten() {
                // The number of prefixes is bounded by the configuration, far below what a table holds.
                let _ = match prefix {
                    IpNet::V4(p) => v4.insert(p.network().into(), p.prefix_len(), number),
                    IpNet::V6(p) => v6.insert(p.network().into(), p.prefix_len(), number),
                };
            }
        }
        Self { list, whole, sites: Arc::new((v4, v6)) }
    }

    /// Whether a packet of so many bytes may pass, and counts it. `site`: its address at the LISP site.
    pub(crate) fn allow(&self, packet: &Packet, (now, hz): (u64, u64), traffic: &Traffic) -> bool {
        let by_site = match packet.site {
            IpAddr::V4(eid) => self.sites.0.lookup(eid.into()),
            IpAddr::V6(eid) => self.sites.1.lookup(eid.into()),
        };
        let both = [by_site, self.whole].map(|number| self.list.get(number? as usize));
        let of = |policer: &Policer| (policer.need(packet.bytes, hz), policer.id);
        for policer in both.into_iter().flatten() {
            let (need, id) = of(policer);
            if !policer.bucket(packet.out_of_lisp).fill(&policer.rate, need, now, hz) {
                if let Some(counters) = traffic.policer(id) {
                    counters.dropped.add(1, packet.bytes);
                }
                return false;
            }
        }
        for policer in both.into_iter().flatten() {
            let (need, id) = of(policer);
            policer.bucket(packet.out_of_lisp).spend(need);
            if let Some(counters) = traffic.policer(id) {
                counters.passed.add(1, packet.bytes);
            }
        }
        true
    }
}

impl PartialEq for VrfPolicers {
    /// Of the same policers and the same table: what control needs to know.
    fn eq(&self, other: &Self) -> bool {
        let ids = |all: &Self| all.list.iter().map(|policer| (policer.id, policer.rate)).collect::<Vec<_>>();
        ids(self) == ids(other) && self.whole == other.whole && Arc::ptr_eq(&self.sites, &other.sites)
    }
}

impl Eq for VrfPolicers {}

/// What a policer asks of a packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packet {
    /// From its IP header on, without what LISP adds.
    pub(crate) bytes: u64,
    /// Its address at the LISP site: where it goes, or where it comes from if it came out of LISP headers.
    pub(crate) site: IpAddr,
    pub(crate) out_of_lisp: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bucket(reservoir: &Arc<Reservoir>) -> Bucket {
        Bucket { reservoir: Arc::clone(reservoir), credit: Counter::default() }
    }

    fn rate(per_second: u64, burst: u64) -> Rate {
        Rate { per_second, burst, unit: Unit::Packets }
    }

    /// Whether so many units pass.
    fn pass(bucket: &Bucket, rate: &Rate, units: u64, now: u64, hz: u64) -> bool {
        let passes = bucket.fill(rate, units * hz, now, hz);
        if passes {
            bucket.spend(units * hz);
        }
        passes
    }

    /// A day at rates that no clock divides evenly: what passes is the rate times the time and the burst, to the unit.
    #[test]
    fn the_rate_is_exact_over_a_day() {
        for (hz, per_second, burst) in
            [(2_999_999_937, 7, 3), (1_000_000, 333_333, 50_000), (2_400_000_000, 999_983, 200_000)]
        {
            let (rate, bucket) = (rate(per_second, burst), bucket(&Arc::default()));
            let (start, mut passed) = (77 * hz, 0);
            // Looked at so often that no time is lost, always with more waiting than may pass.
            let day = 86_400;
            let step = (hz * burst / per_second / 2).max(1);
            let chunk = (burst / 4).max(1);
            let mut now = start;
            while now <= start + day * hz {
                while pass(&bucket, &rate, chunk, now, hz) {
                    passed += chunk;
                }
                now += step;
            }
            let whole = u128::from(now - step - start) * u128::from(per_second) / u128::from(hz);
            let most = burst + u64::try_from(whole).unwrap();
            assert!(passed <= most && most - passed <= chunk, "{passed} of {most} at {per_second}/{hz}");
        }
    }

    #[test]
    fn after_a_pause_the_burst_and_no_more() {
        let (rate, bucket, hz) = (rate(100, 20), bucket(&Arc::default()), 1_000_000);
        let count = |now| (0..1000).filter(|_| pass(&bucket, &rate, 1, now, hz)).count();
        assert_eq!(count(5 * hz), 20);
        assert_eq!(count(5 * hz), 0);
        assert_eq!(count(5 * hz + hz / 10), 10);
        assert_eq!(count(5000 * hz), 20, "a pause of more than an hour");
    }

    #[test]
    fn a_clock_that_jumps_neither_floods_nor_starves() {
        let (rate, bucket, hz) = (rate(100, 20), bucket(&Arc::default()), 1_000_000);
        let count = |now| (0..1000).filter(|_| pass(&bucket, &rate, 1, now, hz)).count();
        assert_eq!(count(1_000_000 * hz), 20);
        assert_eq!(count(u64::MAX / 2), 20, "far ahead");
        assert_eq!(count(1_000_000 * hz), 0, "and back: nothing at once");
        assert_eq!(count(1_000_000 * hz + hz / 10), 10, "but from there on as before");
        assert_eq!(count(1_000_000 * hz + hz / 10 - 5), 0, "another worker's clock, a little behind");
        assert_eq!(count(1_000_000 * hz + hz / 5), 10);
        assert_eq!(count(0), 0);
        assert_eq!(count(u64::MAX), 20);
    }

    proptest! {
        /// Several workers, however their packets are spread: together the rate and the burst, a 64th of that a worker more
        /// at most.
        #[test]
        fn workers_share_one_rate(
            steps in proptest::collection::vec((0_usize..4, 0_u64..50_000, 1_u64..40), 1..400),
            per_second in 1_u64..5000,
            burst in 64_u64..2000,
        ) {
            let (hz, reservoir) = (1_000_003, Arc::new(Reservoir::default()));
            let (rate, workers) = (rate(per_second, burst), [(); 4].map(|()| bucket(&reservoir)));
            let (start, mut now, mut passed) = (10_000 * hz, 10_000 * hz, 0);
            for (worker, pause, units) in steps {
                now += pause;
                passed += if pass(&workers[worker], &rate, units, now, hz) { units } else { 0 };
            }
            let most = burst + (u128::from(now - start) * u128::from(per_second) / u128::from(hz)) as u64;
            prop_assert!(passed <= most, "{passed} of {most}");
        }
    }

    #[test]
    fn a_site_and_its_vrf_are_held_both() {
        let policer = |id, per_second| {
            let rate = Rate { per_second, burst: per_second, unit: Unit::Packets };
            Policer::new(PolicerId(id), rate, &Reservoirs::default())
        };
        let site = vec!["10.4.0.0/24".parse().unwrap()];
        let policers = VrfPolicers::new(vec![(policer(0, 10), None), (policer(1, 4), Some(site))]);
        let traffic = Traffic::new(1, 1);
        let allow = |site: &str, out_of_lisp| {
            let packet = Packet { bytes: 100, site: site.parse().unwrap(), out_of_lisp };
            (0..20).filter(|_| policers.allow(&packet, (1 << 40, 1_000_000), &traffic)).count()
        };
        assert_eq!(allow("10.4.0.9", false), 4, "the site's rate");
        assert_eq!(allow("10.5.0.9", false), 6, "what the VRF has left");
        assert_eq!(allow("10.5.0.9", true), 10, "the other way has its own");
        let counts = |id| {
            let counters = traffic.policer(PolicerId(id)).unwrap();
            (counters.passed.read(), counters.dropped.read())
        };
        assert_eq!(counts(0), ((20, 2000), (24, 2400)));
        assert_eq!(counts(1), ((4, 400), (16, 1600)));
    }
}
