//! A replica that control supplies takes hundreds of thousands of changes without an allocation, a release or a page
//! fault in the worker's thread (issue 6, "update path"); one that nobody supplies works all the same, and counts.
//!
//! The counting allocator counts for the whole process: one test in a binary of its own.

use ipnet::IpNet;
use nix::sys::resource::{UsageWho, getrusage};
use pxtr_dataplane::feed::{Adjacency, Delta, MapAction, Route, Target, VrfSpec};
use pxtr_dataplane::replica::{Applied, Replica, ReplicaLimits, Supplier};
use pxtr_dataplane::types::{AdjacencyId, EntryId, InstanceId, RlocId, VrfId};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;
use std::net::IpAddr;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// VRFs: some with shortcuts for speed, most thrifty.
const VRFS: u32 = 200;
/// Mappings of the first VRF, and of each of the others.
const LARGE: u32 = 80_000;
const SMALL: u32 = 300;
/// Deltas that wait at a time, as in the feed of a worker.
const BATCH: usize = 1024;

/// Allocations and releases so far.
fn touches() -> usize {
    let stats = ALLOCATOR.stats();
    stats.allocations + stats.deallocations + stats.reallocations
}

/// Page faults of this thread so far.
fn faults() -> i64 {
    getrusage(UsageWho::RUSAGE_THREAD).expect("usage").minor_page_faults()
}

/// Scatters numbers as chance would, without two becoming the same.
fn mixed(n: u32) -> u32 {
    let n = (n ^ n >> 16).wrapping_mul(0x7FEB_352D);
    let n = (n ^ n >> 15).wrapping_mul(0x846C_A68B);
    n ^ n >> 16
}

/// Prefix `n`, one half IPv4 and one IPv6; now and then hosts of one subnet.
fn prefix(n: u32) -> IpNet {
    let scattered = mixed(n / 2);
    let (addr, length) = match n % 8 {
        6 => (IpAddr::from((0x0AFD_0000 + n / 8 % 4096).to_be_bytes()), 32),
        even if even % 2 == 0 => {
            (IpAddr::from((scattered & 0xFFFF_FF00).to_be_bytes()), 20 + (scattered % 5) as u8)
        }
        _ => (IpAddr::from((0x2001u128 << 112 | u128::from(scattered) << 80).to_be_bytes()), 48),
    };
    IpNet::new(addr, length).expect("a prefix length").trunc()
}

/// All changes, in order.
fn deltas(large: u32) -> impl Iterator<Item = Delta> {
    let set = |vrf: u32, n: u32, to: u32| Delta::MapSet {
        vrf: VrfId(vrf as u16),
        prefix: prefix(n),
        entry: EntryId(if vrf == 0 { n } else { LARGE + vrf * SMALL + n }),
        action: MapAction::Encapsulate(Target::Rloc(RlocId(to))),
    };
    let del = |vrf: u32, n: u32| Delta::MapDel { vrf: VrfId(vrf as u16), prefix: prefix(n) };
    let vrfs = (0..VRFS).map(|n| {
        let spec = VrfSpec { instance_id: InstanceId(n), pitr: true, petr: true, ..VrfSpec::default() };
        Delta::VrfSet(VrfId(n as u16), spec)
    });
    let adjacencies = (0..3000).map(|n| Delta::AdjacencySet(AdjacencyId(n), Adjacency::Failed));
    let routes = (0..20_000).map(|n| Delta::RouteSet {
        vrf: VrfId((n % 40) as u16),
        prefix: prefix(n),
        route: Route::Via(AdjacencyId(n % 3000)),
    });
    let eids = (0..2000).map(|n| Delta::LocalEidSet { vrf: VrfId((n % VRFS) as u16), prefix: prefix(n) });
    let small = (0..SMALL).flat_map(move |n| (1..VRFS).map(move |vrf| set(vrf, n, n)));
    // Back and forth, so that tables grow, are replaced and shrink.
    let grow = (0..large).flat_map(move |n| {
        let back = (n % 3 == 2).then(|| del(0, n / 2));
        let other = set(0, n - n / 8, n / 2);
        [Some(set(0, n, n)), back, Some(other)].into_iter().flatten()
    });
    let shrink = (0..large / 2).map(move |n| del(0, n));
    let small_gone = (0..SMALL).flat_map(move |n| (1..VRFS).map(move |vrf| del(vrf, n)));
    let again = (0..large / 2).map(move |n| set(0, n, n));
    vrfs.chain(adjacencies)
        .chain(routes)
        .chain(eids)
        .chain(small)
        .chain(grow)
        .chain(shrink)
        .chain(small_gone)
        .chain(again)
}

/// Feeds a replica as control does: changes in all, and refused ones.
fn feed(
    all: impl Iterator<Item = Delta>,
    supplier: &mut Supplier,
    give: &SyncSender<Vec<Delta>>,
    back: &Receiver<Vec<Applied>>,
) -> (usize, usize) {
    let mut all = all.fuse();
    let (mut count, mut refused) = (0, 0);
    loop {
        let batch: Vec<_> = all.by_ref().take(BATCH).collect();
        if batch.is_empty() {
            return (count, refused);
        }
        count += batch.len();
        for (waiting, delta) in batch.iter().enumerate() {
            supplier.before(delta, || waiting);
        }
        give.send(batch).expect("the worker");
        // Nothing happens here while the worker is at work.
        let applied = back.recv().expect("the worker");
        refused += applied.iter().filter(|applied| applied.outcome.is_err()).count();
    }
}

/// The worker's side: what the changes cost it.
fn work(
    replica: &mut Replica,
    batches: &Receiver<Vec<Delta>>,
    spent: &SyncSender<Vec<Applied>>,
) -> (usize, i64) {
    let (mut touched, mut faulted) = (0, 0);
    while let Ok(mut batch) = batches.recv() {
        // What comes back is made before, and dropped by the other thread.
        let mut applied = Vec::with_capacity(batch.len());
        applied.extend(std::iter::repeat_with(|| None).take(batch.len()));
        let (before, faults_before) = (touches(), faults());
        for (place, delta) in applied.iter_mut().zip(batch.drain(..)) {
            *place = Some(replica.apply(delta));
        }
        replica.tidy();
        faulted += faults() - faults_before;
        touched += touches() - before;
        if spent.send(applied.into_iter().flatten().collect()).is_err() {
            break;
        }
    }
    (touched, faulted)
}

#[test]
fn a_supplied_replica_changes_without_allocations_or_page_faults() {
    let mut first = Replica::new(ReplicaLimits::default());
    let mut replica = Replica::new(ReplicaLimits::default());
    let (mut supplier, mut first_supplier) = (replica.supplier(), first.supplier());
    let (give, batches) = sync_channel(0);
    let (spent, back) = sync_channel(0);
    let (give_first, first_batches) = sync_channel(0);
    let worker = std::thread::spawn(move || {
        // The pages of stack and code come with another replica.
        work(&mut first, &first_batches, &spent);
        let cost = work(&mut replica, &batches, &spent);
        (cost, replica)
    });
    feed(deltas(LARGE / 8), &mut first_supplier, &give_first, &back);
    drop(give_first);
    let (count, refused) = feed(deltas(LARGE), &mut supplier, &give, &back);
    drop(give);
    let ((touched, faulted), mut replica) = worker.join().expect("the worker");
    println!("{count} changes, {refused} of them refused: {touched} allocations, {faulted} page faults");
    assert!(count > 400_000 && refused < count / 10);
    assert_eq!((touched, faulted, replica.supply().misses), (0, 0, 0));

    // Nobody supplies: the tables grow all the same.
    drop(supplier);
    let mut n = LARGE;
    while replica.supply().misses < 3 && n < 10 * LARGE {
        let action = MapAction::SendMapRequest;
        let delta = Delta::MapSet { vrf: VrfId(0), prefix: prefix(n), entry: EntryId(n), action };
        assert_eq!(replica.apply(delta).outcome, Ok(()));
        n += 1;
    }
    assert_eq!(replica.supply().misses, 3, "after {n} mappings");
}
