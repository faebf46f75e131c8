//! Which addresses can not be our own: a filter in front of the FIB of a VRF. In a flood of misses each packet is held
//! to it, and hardly any is looked up in the FIB for that.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

use crate::lpm::{Key4, Key6};
use dpdk_sys::{Lone, Supply};
use ipnet::IpNet;

/// Places of the filter: an address has two of them.
const PLACES: usize = 1 << PLACE_BITS;
const PLACE_BITS: u32 = 10;

/// What is known of the prefixes whose route is [`Route::Local`](crate::feed::Route::Local).
#[derive(Debug)]
pub(crate) struct Own {
    filter: Option<Lone<Filter>>,
    /// Prefixes of several addresses: while there are any, each address may be our own.
    wide: u32,
    supply: Supply,
}

/// Single addresses.
#[derive(Debug)]
struct Filter {
    bits: [u64; PLACES / 64],
    /// Addresses by place. One with 255 keeps its bit for good.
    counts: [u8; PLACES],
}

impl Own {
    /// Nothing is our own; memory will come from this supply.
    pub(crate) fn new(supply: &Supply) -> Self {
        Self { filter: None, wide: 0, supply: supply.clone() }
    }

    /// A prefix became our own.
    pub(crate) fn add(&mut self, prefix: IpNet) {
        match places_of(prefix) {
            None => self.wide += u32::from(!is_loopback(prefix)),
            Some(places) => {
                let new = || Lone::new(&self.supply, Filter::new());
                let filter = self.filter.get_or_insert_with(new);
                places.into_iter().for_each(|place| filter.change(place, 1));
            }
        }
    }

    /// A prefix that was added is no longer.
    pub(crate) fn remove(&mut self, prefix: IpNet) {
        match (places_of(prefix), &mut self.filter) {
            (None, _) => self.wide -= u32::from(!is_loopback(prefix)),
            (Some(places), Some(filter)) => places.into_iter().for_each(|place| filter.change(place, -1)),
            (Some(_), None) => {}
        }
    }

    /// The address may be one of our own. Not so: it is none. Loopback addresses are not asked about: no packet to
    /// them is plain.
    #[inline(always)]
    pub(crate) fn may_have4(&self, addr: Key4) -> bool {
        self.may_have(places4(addr))
    }

    /// The same for IPv6.
    #[inline(always)]
    pub(crate) fn may_have6(&self, addr: Key6) -> bool {
        self.may_have(places6(addr))
    }

    #[inline(always)]
    fn may_have(&self, [one, other]: [usize; 2]) -> bool {
        let found = self.filter.as_ref().is_some_and(|filter| filter.has(one) && filter.has(other));
        found || self.wide != 0
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.filter.as_ref().map_or(0, Lone::memory_bytes)
    }
}

impl Filter {
    const fn new() -> Self {
        Self { bits: [0; PLACES / 64], counts: [0; PLACES] }
    }

    fn change(&mut self, place: usize, by: i8) {
        let (Some(count), Some(word)) = (self.counts.get_mut(place), self.bits.get_mut(place / 64)) else {
            return;
        };
        if *count < u8::MAX {
            *count = count.saturating_add_signed(by);
        }
        *word = *word & !(1 << (place % 64)) | u64::from(*count != 0) << (place % 64);
    }

    #[inline(always)]
    fn has(&self, place: usize) -> bool {
        self.bits.get(place / 64).is_some_and(|word| word >> (place % 64) & 1 != 0)
    }
}

/// `None`: a prefix of several addresses.
fn places_of(prefix: IpNet) -> Option<[usize; 2]> {
    match prefix {
        IpNet::V4(p) if p.prefix_len() == p.max_prefix_len() => Some(places4(p.network().into())),
        IpNet::V6(p) if p.prefix_len() == p.max_prefix_len() => Some(places6(p.network().into())),
        IpNet::V4(_) | IpNet::V6(_) => None,
    }
}

#[inline(always)]
const fn places4(addr: Key4) -> [usize; 2] {
    places(addr.0.wrapping_mul(0x9E37_79B1))
}

#[inline(always)]
const fn places6(addr: Key6) -> [usize; 2] {
    let mixed = (addr.high.rotate_left(29) ^ addr.low).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    places((mixed >> 32) as u32)
}

#[inline(always)]
const fn places(hash: u32) -> [usize; 2] {
    [(hash >> (32 - PLACE_BITS)) as usize, (hash >> (32 - 2 * PLACE_BITS)) as usize % PLACES]
}

/// Linux has 127.0.0.0/8 among its own.
fn is_loopback(prefix: IpNet) -> bool {
    matches!(prefix, IpNet::V4(p) if p.network().is_loopback() && p.prefix_len() >= 8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    fn may_have(own: &Own, addr: &str) -> bool {
        match addr.parse().unwrap() {
            IpAddr::V4(addr) => own.may_have4(addr.into()),
            IpAddr::V6(addr) => own.may_have6(addr.into()),
        }
    }

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    #[test]
    fn what_was_added_is_found_until_it_is_removed() {
        let (mut own, all) =
            (Own::new(&Supply::default()), ["192.0.2.1", "10.0.0.7", "2001:db8::1", "fe80::1"]);
        assert!(all.iter().all(|addr| !may_have(&own, addr)));
        let net = |addr: &str| IpNet::from(addr.parse::<IpAddr>().unwrap());
        for addr in all {
            own.add(net(addr));
            own.add(net(addr));
        }
        for addr in all {
            own.remove(net(addr));
            assert!(may_have(&own, addr));
            own.remove(net(addr));
            assert!(!may_have(&own, addr));
        }
    }

    #[test]
    fn a_wide_prefix_may_have_all() {
        let mut own = Own::new(&Supply::default());
        own.add(net("127.0.0.0/8"));
        assert!(!may_have(&own, "10.0.0.1"));
        own.add(net("10.0.0.0/8"));
        assert!(may_have(&own, "10.0.0.1") && may_have(&own, "2001:db8::1"));
        own.remove(net("127.0.0.0/8"));
        own.remove(net("10.0.0.0/8"));
        assert!(!may_have(&own, "10.0.0.1"));
    }

    #[test]
    fn few_others_are_taken_for_our_own_and_full_places_stay() {
        let mut own = Own::new(&Supply::default());
        let addr = |n: u32| IpNet::from(IpAddr::from((0x0A00_0001 + (n << 8)).to_be_bytes()));
        (0..32).for_each(|n| own.add(addr(n)));
        let taken = (0..100_000u32).filter(|n| own.may_have4(Key4(0x9910_0000 + n))).count();
        assert!(taken < 1500, "{taken} of 100,000");
        (0..300).for_each(|_| own.add(net("192.0.2.1/32")));
        (0..300).for_each(|_| own.remove(net("192.0.2.1/32")));
        assert!(may_have(&own, "192.0.2.1"), "nobody knows how many there are");
    }
}
