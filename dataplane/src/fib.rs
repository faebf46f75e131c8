//! The native FIB of a VRF, and the Ethernet next hops it leads to.
//!
//! Kernel routes and neighbours come in over the feed; a neighbour is a host route.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

use crate::feed::{Adjacency, Reject, Route};
use crate::lpm::{Key4, Key6, Lpm4, Lpm6, LpmError};
use crate::own::Own;
use crate::slots::Slots;
use crate::types::{AdjacencyId, PortId};
use dpdk_sys::Supply;
use ipnet::IpNet;
use std::net::IpAddr;

/// Most next hops of a multipath route.
pub const MAX_PATHS: usize = 256;

/// What the FIB says of a destination: a [`Route`] seen where it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteRef<'a> {
    /// One of our own addresses: to the kernel.
    Local,
    /// Through this next hop.
    Via(AdjacencyId),
    /// Several equal next hops, never none.
    Multipath(&'a [AdjacencyId]),
    /// Directly connected, neighbour not known.
    Glean(PortId),
    /// There is a route and it refuses.
    Reject(Reject),
}

/// A route that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteHit<'a> {
    /// Where to.
    pub route: RouteRef<'a>,
    /// It is the default route (prefix length 0), which R-009 does not count as knowing the
    /// destination.
    pub default: bool,
}

impl RouteHit<'_> {
    /// The next hop of a flow, for routes that lead through one.
    #[inline]
    #[must_use]
    pub fn next_hop(&self, hash: u32) -> Option<AdjacencyId> {
        match self.route {
            RouteRef::Via(adjacency) => Some(adjacency),
            RouteRef::Multipath(paths) => {
                let path = (u64::from(hash) * paths.len() as u64) >> 32;
                paths.get(path as usize).copied()
            }
            _ => None,
        }
    }
}

/// Why a route was refused. Routes travel boxed where they are large: it comes back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FibError {
    /// No or too many next hops, or a number too large to store.
    #[error("route can not be stored: {0:?}")]
    Unfit(Route),
    /// The prefix table is full.
    #[error("prefix table: {0}")]
    Table(LpmError),
}

/// Routes of one VRF.
///
/// A route is one 32-bit word in the prefix table: bit 31 default route, bits 28 to 30 kind, the
/// rest a number. Bits 28 to 31 are never all ones, so that no word means "no match".
#[derive(Debug)]
pub struct Fib {
    v4: Lpm4,
    v6: Lpm6,
    groups: Groups,
    own: Own,
}

const DEFAULT: u32 = 1 << 31;
const KIND_SHIFT: u32 = 28;
const NUMBER: u32 = (1 << KIND_SHIFT) - 1;
const LOCAL: u32 = 0;
const VIA: u32 = 1;
const MULTIPATH: u32 = 2;
const GLEAN: u32 = 3;
const REJECT: u32 = 4;

impl Fib {
    /// An empty FIB that will take up to `max_groups` multipath routes.
    #[must_use]
    pub fn new(supply: &Supply, max_groups: u32) -> Self {
        Self {
            v4: Lpm4::supplied(supply),
            v6: Lpm6::supplied(supply),
            groups: Groups::new(supply, max_groups.min(NUMBER)),
            own: Own::new(supply),
        }
    }

    /// Installs or replaces a route. Returns the former multipath group's memory, if it had one.
    ///
    /// # Errors
    /// The route can not be stored; the table is as it was.
    pub fn set(&mut self, prefix: IpNet, route: Route) -> Result<Option<Box<[AdjacencyId]>>, FibError> {
        let (kind, number) = match route {
            Route::Local => (LOCAL, 0),
            Route::Via(AdjacencyId(id)) if id <= NUMBER => (VIA, id),
            Route::Multipath(paths) if !paths.is_empty() && paths.len() <= MAX_PATHS => {
                (MULTIPATH, self.groups.add(paths).map_err(|paths| FibError::Unfit(Route::Multipath(paths)))?)
            }
            Route::Glean(PortId(port)) => (GLEAN, u32::from(port)),
            Route::Reject(reject) => (REJECT, reject_number(reject)),
            unfit => return Err(FibError::Unfit(unfit)),
        };
        let default = if prefix.prefix_len() == 0 { DEFAULT } else { 0 };
        let word = default | kind << KIND_SHIFT | number;
        let inserted = match prefix {
            IpNet::V4(p) => self.v4.insert(p.network().into(), p.prefix_len(), word),
            IpNet::V6(p) => self.v6.insert(p.network().into(), p.prefix_len(), word),
        };
        match inserted {
            Ok(old) => {
                if is_local(word) {
                    self.own.add(prefix);
                }
                Ok(old.and_then(|word| self.release(prefix, word)))
            }
            Err(error) => match self.release_paths(word) {
                Some(paths) => Err(FibError::Unfit(Route::Multipath(paths))),
                None => Err(FibError::Table(error)),
            },
        }
    }

    /// Removes a route. `None`: there was none. Otherwise its multipath group's memory, if any.
    pub fn remove(&mut self, prefix: IpNet) -> Option<Option<Box<[AdjacencyId]>>> {
        let word = match prefix {
            IpNet::V4(p) => self.v4.remove(p.network().into(), p.prefix_len()),
            IpNet::V6(p) => self.v6.remove(p.network().into(), p.prefix_len()),
        };
        word.map(|word| self.release(prefix, word))
    }

    /// There is a route for exactly this prefix.
    #[must_use]
    pub fn contains(&self, prefix: IpNet) -> bool {
        match prefix {
            IpNet::V4(p) => self.v4.get(p.network().into(), p.prefix_len()).is_some(),
            IpNet::V6(p) => self.v6.get(p.network().into(), p.prefix_len()).is_some(),
        }
    }

    /// The route of a destination.
    #[inline]
    #[must_use]
    pub fn lookup(&self, destination: IpAddr) -> Option<RouteHit<'_>> {
        let word = match destination {
            IpAddr::V4(addr) => self.v4.lookup(addr.into()),
            IpAddr::V6(addr) => self.v6.lookup(addr.into()),
        };
        self.resolve(word?)
    }

    /// See [`Lpm4::tidy`].
    pub fn tidy(&mut self) -> bool {
        self.v4.tidy() || self.v6.tidy()
    }

    /// Looks up many IPv4 destinations; the words are for [`Fib::resolve`].
    #[inline]
    pub fn lookup4_burst(&self, keys: &[Key4], words: &mut [u32]) {
        self.v4.lookup_burst(keys, words);
    }

    /// Looks up many IPv6 destinations; the words are for [`Fib::resolve`].
    #[inline]
    pub fn lookup6_burst(&self, keys: &[Key6], words: &mut [u32]) {
        self.v6.lookup_burst(keys, words);
    }

    /// The route of this destination says that it is one of our own addresses. Loopback ones are not asked about.
    #[inline(always)]
    pub(crate) fn is_own4(&self, key: Key4) -> bool {
        self.own.may_have4(key) && self.v4.lookup(key).is_some_and(is_local)
    }

    /// The same for IPv6.
    #[inline(always)]
    pub(crate) fn is_own6(&self, key: Key6) -> bool {
        self.own.may_have6(key) && self.v6.lookup(key).is_some_and(is_local)
    }

    /// What a word of a burst lookup means. `None` for [`crate::lpm::NO_MATCH`].
    #[inline]
    #[must_use]
    pub fn resolve(&self, word: u32) -> Option<RouteHit<'_>> {
        let number = word & NUMBER;
        let route = match (word & !DEFAULT) >> KIND_SHIFT {
            LOCAL => RouteRef::Local,
            VIA => RouteRef::Via(AdjacencyId(number)),
            MULTIPATH => RouteRef::Multipath(self.groups.get(number)?),
            GLEAN => RouteRef::Glean(PortId(number as u16)),
            REJECT => RouteRef::Reject(reject_of(number)),
            _ => return None,
        };
        Some(RouteHit { route, default: word & DEFAULT != 0 })
    }

    /// Number of routes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// No routes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory, without the next hops of multipath routes (they are control's allocations).
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.v4.memory_bytes()
            + self.v6.memory_bytes()
            + self.groups.slots.memory_bytes()
            + self.own.memory_bytes()
    }

    /// A route has gone or has another in its place.
    fn release(&mut self, prefix: IpNet, word: u32) -> Option<Box<[AdjacencyId]>> {
        if is_local(word) {
            self.own.remove(prefix);
        }
        self.release_paths(word)
    }

    fn release_paths(&mut self, word: u32) -> Option<Box<[AdjacencyId]>> {
        if (word & !DEFAULT) >> KIND_SHIFT == MULTIPATH { self.groups.remove(word & NUMBER) } else { None }
    }
}

/// The word of [`Route::Local`].
const fn is_local(word: u32) -> bool {
    (word & !DEFAULT) >> KIND_SHIFT == LOCAL
}

const fn reject_number(reject: Reject) -> u32 {
    match reject {
        Reject::Blackhole => 0,
        Reject::NetUnreachable => 1,
        Reject::HostUnreachable => 2,
        Reject::Prohibited => 3,
    }
}

const fn reject_of(number: u32) -> Reject {
    match number {
        1 => Reject::NetUnreachable,
        2 => Reject::HostUnreachable,
        3 => Reject::Prohibited,
        _ => Reject::Blackhole,
    }
}

/// Multipath groups: one per route that has several next hops; places are used again.
#[derive(Debug)]
struct Groups {
    slots: Slots<Group>,
    used: u32,
    first_free: Option<u32>,
}

#[derive(Debug)]
enum Group {
    Used(Box<[AdjacencyId]>),
    Free { next: Option<u32> },
}

impl Default for Group {
    fn default() -> Self {
        Self::Free { next: None }
    }
}

impl Groups {
    fn new(supply: &Supply, limit: u32) -> Self {
        Self { slots: Slots::new(supply, limit), used: 0, first_free: None }
    }

    fn get(&self, number: u32) -> Option<&[AdjacencyId]> {
        match self.slots.get(number)? {
            Group::Used(paths) => Some(paths),
            Group::Free { .. } => None,
        }
    }

    /// Number of the new group; gives the paths back when there is no room.
    fn add(&mut self, paths: Box<[AdjacencyId]>) -> Result<u32, Box<[AdjacencyId]>> {
        let number = self.first_free.unwrap_or(self.used);
        let Some(slot) = self.slots.entry(number) else { return Err(paths) };
        match std::mem::replace(slot, Group::Used(paths)) {
            Group::Free { next } if self.first_free.is_some() => self.first_free = next,
            _ => self.used += 1,
        }
        Ok(number)
    }

    fn remove(&mut self, number: u32) -> Option<Box<[AdjacencyId]>> {
        let slot = self.slots.get_mut(number)?;
        match std::mem::replace(slot, Group::Free { next: self.first_free }) {
            Group::Used(paths) => {
                self.first_free = Some(number);
                Some(paths)
            }
            free @ Group::Free { .. } => {
                *slot = free;
                None
            }
        }
    }
}

/// Ethernet next hops of a replica, by [`AdjacencyId`].
#[derive(Debug)]
pub struct AdjacencyTable {
    slots: Slots<Option<Adjacency>>,
}

impl AdjacencyTable {
    /// An empty table for slot numbers below `limit`.
    #[must_use]
    pub fn new(supply: &Supply, limit: u32) -> Self {
        Self { slots: Slots::new(supply, limit) }
    }

    /// The next hop; a slot that control has not set has failed.
    #[inline]
    #[must_use]
    pub fn get(&self, id: AdjacencyId) -> Adjacency {
        self.slots.get(id.0).copied().flatten().unwrap_or(Adjacency::Failed)
    }

    /// Changes a slot. False: the slot number is beyond the limit.
    pub fn set(&mut self, id: AdjacencyId, adjacency: Adjacency) -> bool {
        let slot = self.slots.entry(id.0);
        slot.map(|slot| *slot = Some(adjacency)).is_some()
    }

    /// Bytes of memory.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.slots.memory_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lpm::NO_MATCH;

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn every_kind_of_route_is_found_again() {
        let mut fib = Fib::new(&Supply::default(), 4);
        let paths: Box<[_]> = Box::new([AdjacencyId(1), AdjacencyId(2)]);
        let routes = [
            ("0.0.0.0/0", Route::Via(AdjacencyId(NUMBER)), "8.8.8.8"),
            ("10.0.0.0/8", Route::Glean(PortId(u16::MAX)), "10.1.1.1"),
            ("10.0.0.1/32", Route::Local, "10.0.0.1"),
            ("10.0.0.2/32", Route::Via(AdjacencyId(7)), "10.0.0.2"),
            ("::/0", Route::Multipath(paths.clone()), "2001:db8::1"),
            ("2001:db8:1::/48", Route::Reject(Reject::Blackhole), "2001:db8:1::1"),
            ("2001:db8:2::/48", Route::Reject(Reject::NetUnreachable), "2001:db8:2::1"),
            ("2001:db8:3::/48", Route::Reject(Reject::HostUnreachable), "2001:db8:3::1"),
            ("2001:db8:4::/48", Route::Reject(Reject::Prohibited), "2001:db8:4::1"),
        ];
        assert_eq!(fib.lookup(ip("8.8.8.8")), None);
        for (prefix, route, _) in &routes {
            assert_eq!(fib.set(net(prefix), route.clone()), Ok(None));
        }
        for (prefix, route, destination) in &routes {
            let hit = fib.lookup(ip(destination)).unwrap();
            let expected = match route {
                Route::Local => RouteRef::Local,
                Route::Via(id) => RouteRef::Via(*id),
                Route::Multipath(paths) => RouteRef::Multipath(paths),
                Route::Glean(port) => RouteRef::Glean(*port),
                Route::Reject(reject) => RouteRef::Reject(*reject),
            };
            assert_eq!(hit.route, expected, "{prefix}");
            assert_eq!(hit.default, prefix.ends_with("/0"), "{prefix}");
        }
        assert_eq!(fib.len(), routes.len());
        assert_eq!(fib.resolve(NO_MATCH), None);
        let mut words = [0; 2];
        fib.lookup4_burst(&[Key4(0x0a00_0002), Key4(1)], &mut words);
        assert_eq!(fib.resolve(words[0]).unwrap().next_hop(0), Some(AdjacencyId(7)));
        assert!(fib.resolve(words[1]).unwrap().default);
    }

    #[test]
    fn multipath_groups_come_back_and_are_bounded() {
        let mut fib = Fib::new(&Supply::default(), 2);
        let group = |n: u32| Route::Multipath(Box::new([AdjacencyId(n), AdjacencyId(n + 1)]));
        assert_eq!(fib.set(net("10.0.0.0/8"), group(10)), Ok(None));
        let old = fib.set(net("10.0.0.0/8"), group(20)).unwrap().unwrap();
        assert_eq!(*old, [AdjacencyId(10), AdjacencyId(11)]);
        let hit = fib.lookup(ip("10.1.1.1")).unwrap();
        assert_eq!(hit.next_hop(0), Some(AdjacencyId(20)));
        assert_eq!(hit.next_hop(u32::MAX), Some(AdjacencyId(21)));
        assert_eq!(fib.set(net("11.0.0.0/8"), group(30)), Ok(None));
        assert_eq!(fib.set(net("12.0.0.0/8"), group(40)), Err(FibError::Unfit(group(40))));
        assert_eq!(fib.remove(net("12.0.0.0/8")), None);
        assert!(fib.remove(net("11.0.0.0/8")).unwrap().is_some());
        assert_eq!(fib.set(net("12.0.0.0/8"), group(40)), Ok(None));
        assert_eq!(fib.set(net("12.0.0.0/8"), Route::Local).unwrap().unwrap()[0], AdjacencyId(40));
        let none = Route::Multipath(Box::default());
        assert_eq!(fib.set(net("13.0.0.0/8"), none.clone()), Err(FibError::Unfit(none)));
        let large = Route::Via(AdjacencyId(NUMBER + 1));
        assert_eq!(fib.set(net("13.0.0.0/8"), large.clone()), Err(FibError::Unfit(large)));
    }

    #[test]
    fn an_unset_adjacency_has_failed() {
        let mut table = AdjacencyTable::new(&Supply::default(), 10);
        assert_eq!(table.get(AdjacencyId(3)), Adjacency::Failed);
        let adjacency = Adjacency::Resolving { port: PortId(1), neighbour: ip("10.0.0.9") };
        assert!(table.set(AdjacencyId(3), adjacency));
        assert_eq!(table.get(AdjacencyId(3)), adjacency);
        assert!(!table.set(AdjacencyId(10), adjacency));
    }
}
