//! Our own RLOCs: the outer destinations that are decapsulated.

use crate::lpm::{Key4, Key6};
use std::net::IpAddr;

/// Sorted lists behind a 64-bit filter: most packets are not for us and one bit says so.
#[derive(Debug, Default)]
pub(super) struct LocalRlocs {
    filter: u64,
    v4: Vec<Key4>,
    v6: Vec<Key6>,
    list: Box<[IpAddr]>,
}

impl LocalRlocs {
    /// Room for `limit` addresses, so that a change does not allocate.
    pub(super) fn new(limit: u32) -> Self {
        let limit = limit as usize;
        Self { filter: 0, v4: Vec::with_capacity(limit), v6: Vec::with_capacity(limit), list: Box::default() }
    }

    /// Replaces the list and returns the former one.
    pub(super) fn set(&mut self, list: Box<[IpAddr]>) -> Box<[IpAddr]> {
        self.v4.clear();
        self.v6.clear();
        self.filter = 0;
        for addr in &list {
            match addr {
                IpAddr::V4(addr) => {
                    let key = Key4::from(*addr);
                    self.filter |= bit4(key);
                    self.v4.push(key);
                }
                IpAddr::V6(addr) => {
                    let key = Key6::from(*addr);
                    self.filter |= bit6(key);
                    self.v6.push(key);
                }
            }
        }
        self.v4.sort_unstable();
        self.v6.sort_unstable();
        std::mem::replace(&mut self.list, list)
    }

    #[inline(always)]
    pub(super) fn contains4(&self, key: Key4) -> bool {
        self.filter & bit4(key) != 0 && self.v4.binary_search(&key).is_ok()
    }

    #[inline(always)]
    pub(super) fn contains6(&self, key: Key6) -> bool {
        self.filter & bit6(key) != 0 && self.v6.binary_search(&key).is_ok()
    }

    /// Those of IPv4, sorted.
    #[inline(always)]
    pub(super) fn v4(&self) -> &[Key4] {
        &self.v4
    }

    /// Those of IPv6, sorted.
    #[inline(always)]
    pub(super) fn v6(&self) -> &[Key6] {
        &self.v6
    }

    pub(super) fn list(&self) -> &[IpAddr] {
        &self.list
    }
}

/// The low bits differ most between the addresses of one box.
#[inline]
const fn bit4(key: Key4) -> u64 {
    1 << (key.0 & 63)
}

#[inline]
const fn bit6(key: Key6) -> u64 {
    1 << (key.low & 63)
}
