//! Which locators of a set carry traffic: priority, then weight (RFC 9300 section 9).
//!
//! A pure function, used by the feeder (bucket tables), by the simulator and by the views.

use super::event::Locator;
use std::net::IpAddr;

/// The locators that carry traffic now, in wire order, with their relative shares.
///
/// Only the best (lowest) priority among those that are up counts; 255 never. When
/// all weights are 0 the shares are equal; a 0 beside other weights gets nothing. Empty:
/// nothing usable.
pub fn shares(locators: &[Locator], is_up: impl Fn(IpAddr) -> bool) -> Vec<(IpAddr, u8)> {
    in_use(locators, is_up).into_iter().map(|(l, share)| (l.rloc, share)).collect()
}

/// The same, the locators themselves. Of a path only the first hop that is up counts (RFC 8060 section 4.6).
pub fn in_use(locators: &[Locator], is_up: impl Fn(IpAddr) -> bool) -> Vec<(&Locator, u8)> {
    let is_usable = |l: &&Locator| l.priority != u8::MAX && is_up(l.rloc);
    let paths = || locators.chunk_by(|_, next| next.stand_in);
    let usable = || paths().filter_map(|hops| hops.iter().find(is_usable));
    let Some(best) = usable().map(|l| l.priority).min() else {
        return Vec::new();
    };
    let best = || usable().filter(|l| l.priority == best);
    if best().all(|l| l.weight == 0) {
        return best().map(|l| (l, 1)).collect();
    }
    best().filter(|l| l.weight != 0).map(|l| (l, l.weight)).collect()
}

#[cfg(test)]
mod tests {
    use super::shares;
    use crate::engine::event::Locator;
    use std::net::{IpAddr, Ipv4Addr};

    fn ip(last: u8) -> IpAddr {
        Ipv4Addr::new(192, 0, 2, last).into()
    }

    #[test]
    fn priority_then_weight() {
        // (what, locators as (last byte, priority, weight), down, expected shares)
        type Case = (&'static str, &'static [(u8, u8, u8)], &'static [u8], &'static [(u8, u8)]);
        let cases: &[Case] = &[
            ("R-078: the lowest priority wins", &[(1, 2, 50), (2, 1, 50)], &[], &[(2, 50)]),
            ("R-078: 255 is never used, alone neither", &[(1, 255, 100)], &[], &[]),
            ("R-079: weights are relative", &[(1, 1, 30), (2, 1, 20)], &[], &[(1, 30), (2, 20)]),
            ("R-079: all zero means equal", &[(1, 1, 0), (2, 1, 0)], &[], &[(1, 1), (2, 1)]),
            ("R-079: zero beside others gets nothing", &[(1, 1, 0), (2, 1, 7)], &[], &[(2, 7)]),
            ("R-079: zero gets all when the others are down", &[(1, 1, 0), (2, 1, 7)], &[2], &[(1, 1)]),
            ("R-080: next priority when the best is down", &[(1, 1, 9), (2, 2, 9)], &[1], &[(2, 9)]),
            ("R-012: nothing up, nothing usable", &[(1, 1, 9), (2, 2, 9)], &[1, 2], &[]),
        ];
        for (what, locators, down, expected) in cases {
            let set: Vec<_> =
                locators.iter().map(|&(l, priority, weight)| Locator::new(ip(l), priority, weight)).collect();
            let got = shares(&set, |rloc| !down.iter().any(|&d| ip(d) == rloc));
            let expected: Vec<_> = expected.iter().map(|&(l, w)| (ip(l), w)).collect();
            assert_eq!(got, expected, "{what}");
        }
    }

    #[test]
    fn r113_the_first_hop_of_a_path_that_is_up_has_the_share_of_the_path() {
        let hop = |l, priority, stand_in| Locator { stand_in, ..Locator::new(ip(l), priority, 50) };
        // A path of 1, 2 and 3, a plain locator beside it, and a backup that the path ends at, too.
        let set = [hop(1, 1, false), hop(2, 1, true), hop(3, 1, true), hop(4, 1, false), hop(3, 2, false)];
        let cases: &[(&[u8], &[u8])] = &[
            (&[], &[1, 4]),
            (&[1], &[2, 4]),
            (&[1, 2], &[3, 4]),
            (&[2], &[1, 4]),
            (&[1, 2, 3], &[4]),
            (&[1, 2, 4], &[3]),
            (&[1, 2, 3, 4], &[]),
        ];
        for (down, expected) in cases {
            let got = shares(&set, |rloc| !down.iter().any(|&d| ip(d) == rloc));
            assert_eq!(got, expected.iter().map(|&l| (ip(l), 50)).collect::<Vec<_>>(), "{down:?}");
        }
    }
}
