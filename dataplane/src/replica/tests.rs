//! Deltas in, lookups out.

use super::*;
use crate::feed::{
    Adjacency, Delta, MapAction, PortSpec, Reject, RlocOptions, RlocRewrite, RlocState, Route, Target,
    VrfSpec,
};
use crate::fib::RouteRef;
use crate::lpm::{Key4, Key6, NO_MATCH};
use crate::mapcache::{Rloc, RlocSlot};
use crate::types::*;
use dpdk_sys::Level;
use ipnet::IpNet;
use proptest::prelude::*;
use std::net::IpAddr;

const RED: VrfId = VrfId(0);
const BLUE: VrfId = VrfId(3);

fn spec(instance: u32) -> VrfSpec {
    let instance_id = InstanceId(instance);
    VrfSpec { instance_id, pitr: true, petr: true, ..VrfSpec::default() }
}

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn rewrite(destination: &str) -> Box<RlocRewrite> {
    Box::new(RlocRewrite {
        source: ip("192.0.2.1"),
        destination: ip(destination),
        port: PortId(0),
        source_mac: MacAddr([2; 6]),
        next_hop_mac: MacAddr([4; 6]),
        mtu: 1500,
        options: RlocOptions::default(),
        nonce: None,
    })
}

fn port() -> Box<PortSpec> {
    Box::new(PortSpec {
        vrf: RED,
        underlay: true,
        native: true,
        mac: MacAddr([2; 6]),
        mtu: 1500,
        ipv4: None,
        ipv6: None,
        ..PortSpec::default()
    })
}

fn map_set(vrf: VrfId, prefix: &str, entry: u32, action: MapAction) -> Delta {
    Delta::MapSet { vrf, prefix: net(prefix), entry: EntryId(entry), action }
}

/// A replica with two VRFs.
fn replica() -> Replica {
    let mut replica = Replica::new(ReplicaLimits { entries: 1000, routes: 8, ..ReplicaLimits::default() });
    given(&mut replica, Delta::VrfSet(RED, spec(0)));
    given(&mut replica, Delta::VrfSet(BLUE, spec(77)));
    replica
}

/// Applies what the test builds upon.
fn given(replica: &mut Replica, delta: Delta) {
    assert_eq!(replica.apply(delta).outcome, Ok(()));
}

fn apply(replica: &mut Replica, delta: Delta) -> Applied {
    let applied = replica.apply(delta);
    assert_eq!(applied.outcome, Ok(()));
    applied
}

#[test]
fn a_mapping_is_found_counted_changed_and_removed() {
    let mut replica = replica();
    let counters = replica.entry_counters();
    let to = |rloc| MapAction::Encapsulate(Target::Rloc(RlocId(rloc)));
    let applied = apply(&mut replica, map_set(BLUE, "10.1.0.0/16", 5, to(9)));
    assert_eq!(applied.touched, Some(Touched::Mapping { vrf: BLUE, prefix: net("10.1.0.0/16") }));
    given(&mut replica, map_set(BLUE, "2001:db8::/32", 6, MapAction::SendMapRequest));

    assert_eq!(replica.map_lookup(RED, ip("10.1.2.3")), None);
    let entry = replica.map_lookup(BLUE, ip("10.1.2.3")).unwrap();
    assert_eq!((entry, replica.entry(entry)), (EntryId(5), to(9)));
    replica.count(entry, 100);
    assert_eq!(counters.get(EntryId(5)), Some((1, 100)));

    let mut entries = [0; 2];
    replica.map_lookup4_burst(BLUE, &[Key4(0x0a01_0000), Key4(0)], &mut entries);
    assert_eq!(entries, [5, NO_MATCH]);
    replica.map_lookup4_burst(VrfId(9), &[Key4(0x0a01_0000), Key4(0)], &mut entries);
    assert_eq!(entries, [NO_MATCH; 2]);
    replica.map_lookup6_burst(BLUE, &[Key6::from(0x2001_0db8 << 96)], &mut entries);
    assert_eq!(entries[0], 6);

    // Another action leaves the counters alone, another slot begins anew.
    given(&mut replica, map_set(BLUE, "10.1.0.0/16", 5, MapAction::DropNoReason));
    assert_eq!(replica.entry(EntryId(5)), MapAction::DropNoReason);
    assert_eq!(counters.get(EntryId(5)), Some((1, 100)));
    given(&mut replica, map_set(BLUE, "10.1.0.0/16", 8, to(1)));
    assert_eq!(replica.map_lookup(BLUE, ip("10.1.2.3")), Some(EntryId(8)));
    given(&mut replica, map_set(RED, "10.2.0.0/16", 5, to(2)));
    assert_eq!(counters.get(EntryId(5)), Some((0, 0)));

    given(&mut replica, Delta::MapDel { vrf: BLUE, prefix: net("10.1.0.0/16") });
    assert_eq!(replica.map_lookup(BLUE, ip("10.1.2.3")), None);
    let again = replica.apply(Delta::MapDel { vrf: BLUE, prefix: net("10.1.0.0/16") });
    assert_eq!(again.outcome, Err(Ignored::Absent(BLUE)));
    assert_eq!((again.touched, replica.ignored()), (None, 1));
}

#[test]
fn vrfs_are_found_by_instance() {
    let mut replica = replica();
    assert_eq!(replica.vrf_by_iid(InstanceId(0)), Some(RED));
    assert_eq!(replica.vrf_by_iid(InstanceId(77)), Some(BLUE));
    assert_eq!(replica.vrf_by_iid(InstanceId(78)), None);
    let taken = replica.apply(Delta::VrfSet(RED, spec(77)));
    assert_eq!(taken.outcome, Err(Ignored::InstanceTaken(InstanceId(77))));
    let reserved = replica.apply(Delta::VrfSet(RED, spec(InstanceId::MAX)));
    assert_eq!(reserved.outcome, Err(Ignored::InstanceRange(InstanceId(InstanceId::MAX))));
    // A changed VRF keeps its tables and leaves its former instance.
    given(&mut replica, map_set(BLUE, "10.0.0.0/8", 1, MapAction::LocalSite));
    given(&mut replica, Delta::VrfSet(BLUE, spec(78)));
    assert_eq!(replica.vrf_by_iid(InstanceId(77)), None);
    assert_eq!(replica.vrf_by_iid(InstanceId(78)), Some(BLUE));
    assert_eq!(replica.map_lookup(BLUE, ip("10.0.0.1")), Some(EntryId(1)));
    assert_eq!(replica.vrf(BLUE).unwrap().instance_id, InstanceId(78));
    assert_eq!(replica.vrf(VrfId(2)), None);
}

#[test]
fn boxes_that_are_replaced_come_back() {
    let mut replica = replica();
    assert_eq!(apply(&mut replica, Delta::PortSet(PortId(1), port())).retired, None);
    let applied = apply(&mut replica, Delta::PortSet(PortId(1), port()));
    assert_eq!(applied.retired, Some(Retired::Port(port())));
    assert_eq!(replica.port(PortId(1)), Some(&*port()));

    let list: Box<[_]> = Box::new([ip("192.0.2.1"), ip("2001:db8::1")]);
    given(&mut replica, Delta::LocalRlocs(list.clone()));
    assert!(replica.is_local_rloc(ip("192.0.2.1")) && replica.is_local_rloc(ip("2001:db8::1")));
    assert!(!replica.is_local_rloc(ip("192.0.2.65")) && !replica.is_local_rloc(ip("2001:db8::2")));
    let applied = apply(&mut replica, Delta::LocalRlocs(Box::default()));
    assert_eq!(applied.retired, Some(Retired::LocalRlocs(list)));
    assert!(!replica.is_local_rloc(ip("192.0.2.1")));

    let ready = RlocState::Ready(rewrite("203.0.113.1"));
    let applied = apply(&mut replica, Delta::RlocSet(RlocId(4), ready));
    assert_eq!(applied.retired, Some(Retired::Rewrite(rewrite("203.0.113.1"))));
    assert_eq!(applied.touched, Some(Touched::Rloc(RlocId(4))));
    assert!(matches!(replica.rloc(RlocId(4)), Rloc::Ready(_)));
    let counters = replica.rloc_counters();
    replica.count_rloc(RlocId(4), 136);
    assert_eq!(counters.get(4).map(RlocSlot::counters), Some((1, 136)));

    let buckets: Box<[_]> = Box::new([RlocId(4), RlocId(5)]);
    given(&mut replica, Delta::LocatorSetSet(LocatorSetId(2), buckets.clone()));
    assert_eq!(replica.set_pick(LocatorSetId(2), u32::MAX), Some(RlocId(5)));
    let applied = apply(&mut replica, Delta::LocatorSetSet(LocatorSetId(2), Box::new([RlocId(4)])));
    assert_eq!(applied.retired, Some(Retired::Buckets(buckets)));
}

#[test]
fn routes_and_neighbours() {
    let mut replica = replica();
    let set = |prefix: &str, route| Delta::RouteSet { vrf: RED, prefix: net(prefix), route };
    given(&mut replica, set("0.0.0.0/0", Route::Via(AdjacencyId(1))));
    given(&mut replica, set("10.0.0.0/24", Route::Glean(PortId(2))));
    let paths: Box<[_]> = Box::new([AdjacencyId(1), AdjacencyId(2)]);
    given(&mut replica, set("10.0.0.9/32", Route::Multipath(paths.clone())));
    let hit = replica.fib_lookup(RED, ip("10.0.0.9")).unwrap();
    assert_eq!((hit.route, hit.default), (RouteRef::Multipath(&paths), false));
    let mut words = [0; 3];
    let keys = [Key4(0x0a00_0001), Key4(0x0a00_0009), Key4(1)];
    replica.fib_lookup4_burst(RED, &keys, &mut words);
    let hits = words.map(|word| replica.route(RED, word).unwrap());
    assert_eq!(hits[0].route, RouteRef::Glean(PortId(2)));
    assert_eq!(hits[1].next_hop(0), Some(AdjacencyId(1)));
    assert!(hits[2].default);
    let applied = apply(&mut replica, Delta::RouteDel { vrf: RED, prefix: net("10.0.0.9/32") });
    assert_eq!(applied.retired, Some(Retired::Paths(paths.clone())));
    assert_eq!(applied.touched, Some(Touched::Route { vrf: RED, prefix: net("10.0.0.9/32") }));

    assert_eq!(replica.adjacency(AdjacencyId(1)), Adjacency::Failed);
    let adjacency = Adjacency::Resolving { port: PortId(2), neighbour: ip("10.0.0.1") };
    let applied = apply(&mut replica, Delta::AdjacencySet(AdjacencyId(1), adjacency));
    assert_eq!(applied.touched, Some(Touched::Adjacency(AdjacencyId(1))));
    assert_eq!(replica.adjacency(AdjacencyId(1)), adjacency);

    // Beyond the limit of 8 routes: new ones are refused, old ones can change.
    for n in 0..6 {
        given(&mut replica, set(&format!("172.16.{n}.0/24"), Route::Reject(Reject::Blackhole)));
    }
    let full = replica.apply(set("172.17.0.0/24", Route::Multipath(paths.clone())));
    assert_eq!(full.outcome, Err(Ignored::TableFull(RED)));
    assert_eq!(full.retired, Some(Retired::Paths(paths)));
    given(&mut replica, set("10.0.0.0/24", Route::Local));
    given(&mut replica, Delta::RouteDel { vrf: RED, prefix: net("10.0.0.0/24") });
    given(&mut replica, set("172.17.0.0/24", Route::Local));
}

#[test]
fn local_eids_and_abandoned_ones() {
    let mut replica = replica();
    let prefix = net("2001:db8:1::/48");
    for _ in 0..2 {
        given(&mut replica, Delta::LocalEidSet { vrf: BLUE, prefix });
    }
    assert!(replica.is_local_eid(BLUE, ip("2001:db8:1::5")));
    assert!(!replica.is_local_eid(RED, ip("2001:db8:1::5")));
    given(&mut replica, Delta::LocalEidDel { vrf: BLUE, prefix });
    assert!(!replica.is_local_eid(BLUE, ip("2001:db8:1::5")));
    let applied = apply(&mut replica, Delta::Abandon { vrf: BLUE, eid: ip("10.0.0.1") });
    assert_eq!(applied.touched, Some(Touched::Abandon(Eid { vrf: BLUE, addr: ip("10.0.0.1") })));
}

#[test]
fn absurd_deltas_are_counted_and_ignored() {
    let mut replica = replica();
    let nowhere = VrfId(u16::MAX);
    let prefix = net("10.0.0.0/8");
    let mixed = RlocState::Ready(rewrite("2001:db8::1"));
    let absurd = [
        (Delta::VrfSet(nowhere, spec(5)), Ignored::Vrf(nowhere)),
        (Delta::PortSet(PortId(u16::MAX), port()), Ignored::Port(PortId(u16::MAX))),
        (Delta::LocalRlocs(vec![ip("::1"); 257].into()), Ignored::LocalRlocs(257)),
        (map_set(nowhere, "10.0.0.0/8", 1, MapAction::LocalSite), Ignored::Vrf(nowhere)),
        (map_set(RED, "10.0.0.0/8", u32::MAX, MapAction::LocalSite), Ignored::Entry(EntryId(u32::MAX))),
        (Delta::MapDel { vrf: nowhere, prefix }, Ignored::Vrf(nowhere)),
        (Delta::RlocSet(RlocId(u32::MAX), RlocState::Down), Ignored::Rloc(RlocId(u32::MAX))),
        (Delta::RlocSet(RlocId(1), mixed), Ignored::Rewrite(RlocId(1))),
        (Delta::LocatorSetSet(LocatorSetId(1), Box::default()), Ignored::LocatorSet(LocatorSetId(1))),
        (Delta::RouteSet { vrf: nowhere, prefix, route: Route::Local }, Ignored::Vrf(nowhere)),
        (Delta::RouteSet { vrf: RED, prefix, route: Route::Multipath(Box::default()) }, Ignored::Route(RED)),
        (Delta::RouteDel { vrf: RED, prefix }, Ignored::Absent(RED)),
        (
            Delta::AdjacencySet(AdjacencyId(u32::MAX), Adjacency::Failed),
            Ignored::Adjacency(AdjacencyId(u32::MAX)),
        ),
        (Delta::LocalEidSet { vrf: nowhere, prefix }, Ignored::Vrf(nowhere)),
        (Delta::LocalEidDel { vrf: RED, prefix }, Ignored::Absent(RED)),
    ];
    for (n, (delta, ignored)) in absurd.into_iter().enumerate() {
        let boxed = Retired::of(delta.clone());
        let applied = replica.apply(delta);
        assert_eq!(applied.outcome, Err(ignored));
        assert_eq!(applied.retired, boxed, "what came in a box goes back: {ignored}");
        assert_eq!(replica.ignored(), n as u64 + 1);
    }
    assert_eq!(replica.map_lookup(RED, ip("10.0.0.1")), None);
}

#[test]
fn memory_follows_use() {
    let empty = Replica::new(ReplicaLimits::default());
    assert!(empty.memory_bytes() < 200 << 10, "{}", empty.memory_bytes());
    // Thousands of mappings in one VRF, or in many, cost much the same.
    let fill = |vrfs: u32| {
        let mut replica = Replica::new(ReplicaLimits::default());
        for vrf in 0..vrfs {
            given(&mut replica, Delta::VrfSet(VrfId(vrf as u16), spec(vrf)));
        }
        for n in 0..20_000u32 {
            let prefix = IpNet::new(IpAddr::from((n / vrfs * 0x0001_3579).to_be_bytes()), 32).unwrap();
            let (vrf, entry) = (VrfId((n % vrfs) as u16), EntryId(n));
            given(&mut replica, Delta::MapSet { vrf, prefix, entry, action: MapAction::SendMapRequest });
        }
        replica.memory_bytes() - empty.memory_bytes()
    };
    let (one, many) = (fill(1), fill(20));
    assert!(one < 20_000 * 90, "{one}");
    assert!(many < one * 3 / 2, "{many} against {one}");
}

/// Little for little, more for what is known to take more, and never more than a bound ahead.
#[test]
fn a_supply_keeps_ahead_in_proportion() {
    let mut replica = Replica::new(ReplicaLimits::default());
    let mut supplier = replica.supplier();
    supplier.top_up(0);
    assert_eq!(replica.supply().held, 0, "nobody asked for anything");
    let mut give = |delta: Delta, waiting: usize| {
        supplier.before(&delta, || waiting);
        given(&mut replica, delta);
        replica.supply()
    };
    give(Delta::VrfSet(RED, spec(7)), 0);
    let level = give(map_set(RED, "10.0.0.0/8", 0, MapAction::LocalSite), 0);
    assert!(level.held <= 256 << 10 && level.misses == 0, "{level:?}");
    let key = Delta::SealKey { rloc: RlocId(1), destination: ip("203.0.113.1"), key: None };
    let level = give(key, 0);
    assert!(level.longest >= 1 << 20, "room for a chunk of keys: {level:?}");
    for n in 0..100_000u32 {
        let prefix = IpNet::new(IpAddr::from((n * 0x9E37).to_be_bytes()), 32).unwrap();
        let (vrf, entry, action) = (RED, EntryId(n), MapAction::SendMapRequest);
        let Level { held, used, misses, .. } = give(Delta::MapSet { vrf, prefix, entry, action }, 64);
        assert!(misses == 0 && held - used < 8 << 20, "{held} bytes for {used}");
    }
}

fn any_delta() -> impl Strategy<Value = Delta> {
    let vrf = || (0..3u16).prop_map(VrfId);
    let prefix = || {
        let v4 =
            (any::<[u8; 4]>(), 0..=32u8).prop_map(|(ip, len)| IpNet::new(IpAddr::from(ip), len).unwrap());
        let v6 =
            (any::<[u8; 16]>(), 0..=128u8).prop_map(|(ip, len)| IpNet::new(IpAddr::from(ip), len).unwrap());
        prop_oneof![v4, v6].prop_map(|net| net.trunc())
    };
    let action = prop_oneof![
        Just(MapAction::SendMapRequest),
        any::<u32>().prop_map(|id| MapAction::Encapsulate(Target::Set(LocatorSetId(id)))),
    ];
    let route = prop_oneof![
        Just(Route::Local),
        any::<u32>().prop_map(|id| Route::Via(AdjacencyId(id))),
        prop::collection::vec(any::<u32>().prop_map(AdjacencyId), 0..4)
            .prop_map(|paths| Route::Multipath(paths.into())),
    ];
    prop_oneof![
        (vrf(), 0..4u32).prop_map(|(vrf, instance)| Delta::VrfSet(vrf, spec(instance))),
        (vrf(), prefix(), 0..1100u32, action).prop_map(|(vrf, prefix, entry, action)| {
            Delta::MapSet { vrf, prefix, entry: EntryId(entry), action }
        }),
        (vrf(), prefix()).prop_map(|(vrf, prefix)| Delta::MapDel { vrf, prefix }),
        (vrf(), prefix(), route).prop_map(|(vrf, prefix, route)| Delta::RouteSet { vrf, prefix, route }),
        (vrf(), prefix()).prop_map(|(vrf, prefix)| Delta::RouteDel { vrf, prefix }),
        any::<u32>().prop_map(|id| Delta::RlocSet(RlocId(id), RlocState::Resolving)),
        (vrf(), prefix()).prop_map(|(vrf, prefix)| Delta::LocalEidSet { vrf, prefix }),
        (vrf(), prefix()).prop_map(|(vrf, prefix)| Delta::LocalEidDel { vrf, prefix }),
    ]
}

proptest! {
    #[test]
    fn no_sequence_of_deltas_panics(
        deltas in prop::collection::vec(any_delta(), 0..200), probe in any::<[u8; 4]>(),
    ) {
        let mut replica = replica();
        for delta in deltas {
            let _ = replica.apply(delta);
            for vrf in [RED, VrfId(1), BLUE] {
                let addr = IpAddr::from(probe);
                let entry = replica.map_lookup(vrf, addr).unwrap_or_default();
                replica.count(entry, 1);
                let _ = (replica.entry(entry), replica.is_local_eid(vrf, addr));
                let _ = replica.fib_lookup(vrf, addr).and_then(|hit| hit.next_hop(7));
            }
        }
    }
}

#[test]
fn tables_of_all_vrfs_are_tidied_in_turn() {
    let limits = ReplicaLimits { entries: 4000, ..ReplicaLimits::default() };
    let mut replica = Replica::new(limits);
    for vrf in [RED, BLUE] {
        given(&mut replica, Delta::VrfSet(vrf, spec(u32::from(vrf.0))));
        for n in 0..300u32 {
            let prefix = IpNet::new(std::net::Ipv4Addr::from_bits(n.wrapping_mul(0x9E37_79B9)).into(), 24);
            let (prefix, action) = (prefix.unwrap().trunc(), MapAction::SendMapRequest);
            let entry = EntryId(u32::from(vrf.0) * 1000 + n);
            given(&mut replica, Delta::MapSet { vrf, prefix, entry, action });
        }
    }
    let unfinished = |replica: &Replica| {
        let vrfs = replica.vrfs.iter().flatten();
        vrfs.filter(|vrf| vrf.map_cache.v4.is_unfinished()).count()
    };
    assert_eq!(unfinished(&replica), 2);
    (0..1000).for_each(|_| replica.tidy());
    assert_eq!(unfinished(&replica), 0);
}
