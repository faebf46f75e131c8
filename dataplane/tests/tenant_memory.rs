//! What a worker's tables take: by what is in them, not by how many tenants share it.
//!
//! The counting allocator counts for the whole process: one test in a binary of its own.

use ipnet::IpNet;
use pxtr_dataplane::feed::{Delta, MapAction, VrfSpec};
use pxtr_dataplane::replica::{Replica, ReplicaLimits};
use pxtr_dataplane::types::{EntryId, InstanceId, VrfId};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;
use std::net::IpAddr;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Scatters numbers as chance would, without two becoming the same.
fn mixed(n: u32) -> u32 {
    let n = (n ^ n >> 16).wrapping_mul(0x7FEB_352D);
    let n = (n ^ n >> 15).wrapping_mul(0x846C_A68B);
    n ^ n >> 16
}

/// Prefix `n` of a tenant, one half IPv4 and one IPv6: /24 and /48, as sites have, scattered.
fn prefix(n: u32) -> IpNet {
    let scattered = mixed(n / 2);
    let (addr, length) = if n.is_multiple_of(2) {
        (IpAddr::from((scattered & 0xFFFF_FF00).to_be_bytes()), 24)
    } else {
        (IpAddr::from((0x2001_0000_0000_0000u128 << 64 | u128::from(scattered) << 80).to_be_bytes()), 48)
    };
    IpNet::new(addr, length).expect("a prefix length").trunc()
}

/// Bytes for so many entries in so many VRFs: by the replica's own account, and by that of the allocator and of
/// its supply.
fn bytes(vrfs: u32, entries: u32) -> (usize, usize) {
    let held = || {
        // What a reallocation adds or takes is in these two already.
        let stats = ALLOCATOR.stats();
        stats.bytes_allocated as isize - stats.bytes_deallocated as isize
    };
    let before = held();
    let mut replica = Replica::new(ReplicaLimits::default());
    for vrf in 0..vrfs {
        let spec = VrfSpec { instance_id: InstanceId(vrf), pitr: true, petr: true, ..VrfSpec::default() };
        assert_eq!(replica.apply(Delta::VrfSet(VrfId(vrf as u16), spec)).outcome, Ok(()));
    }
    for n in 0..entries {
        let (vrf, entry) = (VrfId((n % vrfs) as u16), EntryId(n));
        // Tenants have the same prefixes, as they may.
        let delta = Delta::MapSet { vrf, prefix: prefix(n / vrfs), entry, action: MapAction::SendMapRequest };
        assert_eq!(replica.apply(delta).outcome, Ok(()));
    }
    (replica.memory_bytes(), (held() - before) as usize + replica.supply().used)
}

/// 1,000 VRFs with 1,000 entries each cost no more than one VRF with a million.
#[test]
fn a_thousand_tenants_cost_no_more_than_one() {
    let (one, many) = (bytes(1, 1_000_000), bytes(1000, 1_000_000));
    println!("own account, allocator's and supply's: {one:?} in one VRF, {many:?} in 1000");
    assert!(many.0 <= one.0, "by its own account: 1000 VRFs {}, one VRF {}", many.0, one.0);
    assert!(many.1 <= one.1, "by the allocator's and the supply's: 1000 VRFs {}, one VRF {}", many.1, one.1);
}
