//! Who sends too much is not read: the first thing that happens to a control datagram.
//!
//! Decoding and checking a MAC cost a hundred times what this does. Senders hash to a fixed number
//! of buckets under a secret key, so that forged addresses neither grow a table nor choose whom they
//! share a bucket with.

use crate::engine::event::Time;
use crate::roles::limit::{HashedBuckets, Rate, sender};
use std::net::IpAddr;

/// Buckets; 8 bytes each.
const BUCKETS: usize = 16_384;

/// The rate of each sender.
#[derive(Debug)]
pub(super) struct Police(HashedBuckets);

impl Default for Police {
    /// Under a key that senders do not know. (A system without randomness has no engine either.)
    fn default() -> Self {
        Self(HashedBuckets::new(BUCKETS, getrandom::u64().unwrap_or_default()))
    }
}

impl Police {
    /// Whether a datagram of this sender is read; `per_second` in the long run, and as many at once.
    pub(super) fn admit(&mut self, now: Time, from: IpAddr, per_second: u32) -> bool {
        self.0.take(now, sender(from), Rate { per_second, burst: per_second })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r161_a_flood_leaves_the_others_alone() {
        let mut police = Police::default();
        let (attacker, honest) = (IpAddr::from([203, 0, 113, 9]), IpAddr::from([198, 51, 100, 6]));
        let mut admitted = 0;
        for n in 0..100_000_u64 {
            // A hundred a millisecond for a second.
            admitted += u32::from(police.admit(Time(n / 100), attacker, 1_000));
            assert!(n % 1_000 != 0 || police.admit(Time(n / 100), honest, 1_000), "the honest one at {n}");
        }
        assert!((1_000..=2_100).contains(&admitted), "{admitted}");
    }
}
