//! DPDK's own longest-prefix matches, for benches to compare with. Not part of the packet path.

use crate::bindings as c;
use crate::eal::Eal;
use crate::error::{Errno, Error};
use std::ffi::CString;
use std::ptr::NonNull;

/// What a lookup gives when no route covers the address: the largest next hop that 4 bytes hold beside
/// the bit that DPDK needs.
pub const NO_ROUTE: u64 = u32::MAX as u64 >> 1;

/// `rte_fib`: DIR-24-8, next hops of 4 bytes.
#[derive(Debug)]
pub struct Fib4(NonNull<c::rte_fib>);

/// `rte_fib6`: a trie of 24 and then 8 bits, next hops of 4 bytes.
#[derive(Debug)]
pub struct Fib6(NonNull<c::rte_fib6>);

impl Fib4 {
    /// An empty table with room for `groups` tables of 256 addresses.
    ///
    /// # Errors
    /// DPDK's memory does not suffice.
    pub fn new(_eal: &Eal, name: &str, routes: u32, groups: u32) -> Result<Self, Error> {
        let name = CString::new(name).unwrap_or_default();
        let mut errno = 0;
        // SAFETY: the name is a C string, `errno` may be written to, the EAL runs.
        let raw =
            unsafe { c::pxtr_fib4_create(name.as_ptr(), routes as i32, groups, NO_ROUTE as u32, &mut errno) };
        NonNull::new(raw).map(Self).ok_or(Error::Fib(Errno::of(errno)))
    }

    /// Adds a route. `false`: refused.
    pub fn add(&mut self, key: u32, length: u8, next_hop: u32) -> bool {
        // SAFETY: the table is ours; DPDK checks the length.
        unsafe { c::pxtr_fib4_add(self.0.as_ptr(), key, length, u64::from(next_hop)) == 0 }
    }

    /// Looks all keys up, as many as the shorter slice has. The keys are not changed.
    pub fn lookup(&self, keys: &mut [u32], next_hops: &mut [u64]) {
        let count = keys.len().min(next_hops.len());
        // SAFETY: both slices have `count` elements, and lookups only read the table.
        unsafe {
            c::pxtr_fib4_lookup(self.0.as_ptr(), keys.as_mut_ptr(), next_hops.as_mut_ptr(), count as i32);
        }
    }
}

impl Drop for Fib4 {
    fn drop(&mut self) {
        // SAFETY: the table is ours, and this is its last use.
        unsafe { c::pxtr_fib4_free(self.0.as_ptr()) };
    }
}

impl Fib6 {
    /// An empty table with room for `groups` tables of 256 values of a byte.
    ///
    /// # Errors
    /// DPDK's memory does not suffice.
    pub fn new(_eal: &Eal, name: &str, routes: u32, groups: u32) -> Result<Self, Error> {
        let name = CString::new(name).unwrap_or_default();
        let mut errno = 0;
        // SAFETY: the name is a C string, `errno` may be written to, the EAL runs.
        let raw =
            unsafe { c::pxtr_fib6_create(name.as_ptr(), routes as i32, groups, NO_ROUTE as u32, &mut errno) };
        NonNull::new(raw).map(Self).ok_or(Error::Fib(Errno::of(errno)))
    }

    /// Adds a route. `false`: refused.
    pub fn add(&mut self, key: [u8; 16], length: u8, next_hop: u32) -> bool {
        // SAFETY: the table is ours, the key has 16 bytes; DPDK checks the length.
        unsafe { c::pxtr_fib6_add(self.0.as_ptr(), key.as_ptr(), length, u64::from(next_hop)) == 0 }
    }

    /// Looks all keys up, as many as the shorter slice has. The keys are not changed.
    pub fn lookup(&self, keys: &mut [[u8; 16]], next_hops: &mut [u64]) {
        let count = keys.len().min(next_hops.len());
        // SAFETY: both slices have `count` elements, and lookups only read the table.
        unsafe {
            c::pxtr_fib6_lookup(self.0.as_ptr(), keys.as_mut_ptr(), next_hops.as_mut_ptr(), count as i32);
        }
    }
}

impl Drop for Fib6 {
    fn drop(&mut self) {
        // SAFETY: the table is ours, and this is its last use.
        unsafe { c::pxtr_fib6_free(self.0.as_ptr()) };
    }
}
