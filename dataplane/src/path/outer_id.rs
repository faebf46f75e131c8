//! Identifications of outer packets that may be fragmented on their way (R-117, R-118; RFC 6864 sections
//! 4.2 and 5.2, RFC 7739 section 5.3).
//!
//! Such a number must not come again while fragments of the former packet may still be under way. IPv4
//! has 65,536 of them for a pair of addresses: hence a limit. All workers send from the same addresses,
//! so each has its share of the numbers.

use super::flow::FlowKey;
use super::ip::Addrs;
use super::limit::{Bucket, Rate};

/// Seconds for which fragments live: the maximum datagram lifetime of RFC 6864.
const LIFETIME_S: u32 = 120;
/// Numbers that IPv4 has.
const NUMBERS_V4: u32 = 1 << 16;
/// Counters: pairs of addresses share them by a keyed hash.
const COUNTERS: usize = 256;
/// Told apart from hashes of flows.
const SALT: u64 = 1 << 48;

/// Which share of the numbers is a worker's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Its place among the workers.
    pub index: u16,
    /// Workers there are.
    pub count: u16,
}

impl Default for Share {
    /// All of them.
    fn default() -> Self {
        Self { index: 0, count: 1 }
    }
}

#[derive(Clone, Copy, Debug)]
struct Counter {
    handed_out: u32,
    bucket: Bucket,
}

/// The numbers of one worker. Memory is fixed.
#[derive(Debug)]
pub struct OuterIds {
    counters: Box<[Counter]>,
    rate: Rate,
    index: u32,
    /// Distance of a worker's numbers: a power of two, so that shares stay apart when numbers wrap.
    stride: u32,
    key: FlowKey,
}

impl OuterIds {
    /// For a worker with this share.
    pub fn new(share: Share, ticks_per_second: u64, key: FlowKey) -> Self {
        let stride = u32::from(share.count.max(1)).next_power_of_two();
        let numbers = NUMBERS_V4 / stride;
        let burst = (numbers / 8).max(1);
        let rate = Rate::new(ticks_per_second, ((numbers - burst) / LIFETIME_S).max(1), burst);
        let counter = Counter { handed_out: 0, bucket: Bucket::full(rate) };
        let index = u32::from(share.index) & (stride - 1);
        Self { counters: vec![counter; COUNTERS].into(), rate, index, stride, key }
    }

    /// A number for an IPv4 packet between these addresses; `None`: too many were handed out of late.
    pub fn v4(&mut self, addrs: &Addrs, now: u64) -> Option<u16> {
        let rate = self.rate;
        let (base, number, counter) = self.next(addrs)?;
        if !counter.bucket.take(now, rate) {
            return None;
        }
        counter.handed_out = counter.handed_out.wrapping_add(1);
        Some(base.wrapping_add(number) as u16)
    }

    /// A number for an IPv6 packet: there are enough.
    pub fn v6(&mut self, addrs: &Addrs) -> Option<u32> {
        let (base, number, counter) = self.next(addrs)?;
        counter.handed_out = counter.handed_out.wrapping_add(1);
        Some(base.wrapping_add(number))
    }

    /// Where the numbers of these addresses begin, which nobody outside can tell, how far they are, and
    /// their counter.
    fn next(&mut self, addrs: &Addrs) -> Option<(u32, u32, &mut Counter)> {
        let hash = match *addrs {
            Addrs::V4 { source, destination } => self.key.ipv4(source.0, destination.0, SALT),
            Addrs::V6 { source, destination } => self.key.ipv6(source, destination, SALT),
        };
        let (stride, index) = (self.stride, self.index);
        let [.., spread] = hash.to_be_bytes();
        let counter = self.counters.get_mut(usize::from(spread))?;
        Some((hash, counter.handed_out.wrapping_mul(stride).wrapping_add(index), counter))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lpm::Key4;
    use std::collections::HashSet;

    const HZ: u64 = 1_000_000;

    fn to(last: u32) -> Addrs {
        Addrs::V4 { source: Key4(0xC633_6402), destination: Key4(0xCB00_7100 + last) }
    }

    fn ids(index: u16, count: u16) -> OuterIds {
        OuterIds::new(Share { index, count }, HZ, FlowKey::new([1, 2, 3, 4]))
    }

    /// RFC 6864 section 5.2: no number twice within the lifetime of a datagram, whatever is asked for
    /// and however many workers send.
    #[test]
    fn no_number_comes_again_while_fragments_may_live_r118() {
        for count in [1, 2, 3, 5] {
            let mut workers: Vec<_> = (0..count).map(|index| ids(index, count)).collect();
            let mut last_use = vec![None; 1 << 16];
            let mut given = 0u32;
            // Ten lifetimes, far more asked for than there is.
            for ms in 0..1_200_000u64 {
                for worker in &mut workers {
                    if let Some(id) = worker.v4(&to(9), HZ + ms * 1000) {
                        let before = last_use[usize::from(id)].replace(ms);
                        assert!(
                            before.is_none_or(|before| ms - before >= 119_000),
                            "{id} again after {before:?}"
                        );
                        given += 1;
                    }
                }
            }
            let all = f64::from(given) / (65_536.0 * 10.0);
            assert!((0.4..=1.0).contains(&all), "{all} of what there is, {count} workers");
        }
    }

    #[test]
    fn destinations_have_numbers_of_their_own_and_nobody_can_tell_them() {
        let mut one = ids(0, 1);
        let first: HashSet<_> = (0..64).map(|last| one.v4(&to(last), HZ).expect("a full bucket")).collect();
        assert!(first.len() > 60, "{} different beginnings", first.len());
        let mut other = OuterIds::new(Share::default(), HZ, FlowKey::new([9, 2, 3, 4]));
        assert_ne!(ids(0, 1).v4(&to(1), HZ), other.v4(&to(1), HZ), "another secret, another beginning");
        let [a, b] = [0, 1].map(|index| ids(index, 2).v6(&to(1)).expect("a counter"));
        assert_eq!(b.wrapping_sub(a), 1, "shares lie side by side");
        assert_ne!(one.v6(&to(1)), one.v6(&to(1)));
    }
}
