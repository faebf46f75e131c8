//! Rate limits by remote address in a fixed amount of memory.
//!
//! A table that grows with the number of senders is itself a target, and one that refuses new
//! senders when full lets a flood of forged ones lock out the rest. Here every sender hashes, under
//! a secret key, to one of a fixed number of buckets: a flood from many forged addresses spreads
//! over all buckets and takes only its share of each.

use crate::engine::event::Time;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;

/// A rate: so many at once, and then so many per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Events per second in the long run; 0 lets nothing pass.
    pub per_second: u32,
    /// Events that may come together after a pause; at least 1.
    pub burst: u32,
}

/// Hashed token buckets (GCRA: one time stamp each).
#[derive(Clone, Debug)]
pub struct HashedBuckets {
    key: u64,
    /// Earliest time at which the bucket is full again, microseconds.
    full_at_us: Box<[u64]>,
}

impl HashedBuckets {
    /// `slots` buckets (8 bytes each); `key` comes from the engine's random numbers.
    #[must_use]
    pub fn new(slots: usize, key: u64) -> Self {
        Self { key, full_at_us: vec![0; slots.max(1)].into_boxed_slice() }
    }

    /// Takes one token from the bucket of `who`; false when there is none.
    pub fn take(&mut self, now: Time, who: impl Hash, rate: Rate) -> bool {
        let mut hasher = DefaultHasher::new();
        self.key.hash(&mut hasher);
        who.hash(&mut hasher);
        let slots = self.full_at_us.len() as u64;
        let index = usize::try_from(hasher.finish() % slots).unwrap_or(0);
        self.full_at_us.get_mut(index).is_some_and(|full_at| take_one(full_at, now, rate))
    }
}

/// One token bucket, for limits that are not per sender.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bucket {
    full_at_us: u64,
}

impl Bucket {
    /// Takes one token; false when there is none.
    pub fn take(&mut self, now: Time, rate: Rate) -> bool {
        take_one(&mut self.full_at_us, now, rate)
    }
}

fn take_one(full_at_us: &mut u64, now: Time, rate: Rate) -> bool {
    if rate.per_second == 0 {
        return false;
    }
    let now_us = now.0.saturating_mul(1000);
    let token_us = u64::from(1_000_000 / rate.per_second).max(1);
    let depth_us = token_us.saturating_mul(u64::from(rate.burst.max(1)));
    let full_at = (*full_at_us).max(now_us).saturating_add(token_us);
    if full_at > now_us.saturating_add(depth_us) {
        return false;
    }
    *full_at_us = full_at;
    true
}

/// Who counts as one sender: an IPv4 address, or an IPv6 /64 (one host has all of it).
#[must_use]
pub fn sender(addr: IpAddr) -> IpAddr {
    match addr {
        IpAddr::V4(_) => addr,
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const RATE: Rate = Rate { per_second: 10, burst: 3 };

    #[test]
    fn a_burst_passes_then_the_rate() {
        let mut bucket = Bucket::default();
        let passed = (0..10).filter(|_| bucket.take(Time(5000), RATE)).count();
        assert_eq!(passed, 3);
        assert!(!bucket.take(Time(5099), RATE));
        assert!(bucket.take(Time(5100), RATE));
        assert!(!bucket.take(Time(5100), RATE));
        assert!(!Bucket::default().take(Time(1), Rate { per_second: 0, burst: 9 }));
    }

    #[test]
    fn r206_a_flood_from_forged_senders_leaves_the_others_their_share() {
        let mut buckets = HashedBuckets::new(4096, 42);
        let rate = Rate { per_second: 1000, burst: 1000 };
        let honest = IpAddr::from([192, 0, 2, 1]);
        let mut refused = 0;
        // A million forged requests within a second, an honest one every ten milliseconds.
        for i in 0..1_000_000u32 {
            let now = Time(u64::from(i / 1000));
            let forged = IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + i));
            buckets.take(now, sender(forged), rate);
            if i % 10_000 == 0 && !buckets.take(now, sender(honest), rate) {
                refused += 1;
            }
        }
        assert_eq!(refused, 0);
    }

    #[test]
    fn one_ipv6_host_is_one_sender_whatever_its_interface_identifier() {
        let a: IpAddr = "2001:db8::1".parse().expect("addr");
        let b: IpAddr = "2001:db8::ffff:2".parse().expect("addr");
        let c: IpAddr = "2001:db8:0:1::1".parse().expect("addr");
        assert_eq!(sender(a), sender(b));
        assert_ne!(sender(a), sender(c));
    }
}
