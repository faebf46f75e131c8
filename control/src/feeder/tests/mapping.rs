//! Map-cache entries, RLOCs, locator-sets.

use super::bed::*;
use pxtr_dataplane::worker::MAX_DELTAS;

#[test]
fn an_rloc_follows_route_and_neighbour() {
    let mut bed = Bed::new();
    bed.install(0, "10.6.0.0/24", &[("192.0.2.6", 1, 100)]).unwrap();
    assert_eq!(bed.encap(0, "10.6.0.1"), ["resolving"]);
    assert_eq!(bed.reachability(), [(ip("192.0.2.6"), true)]);
    bed.known(CORE, GW, MAC_A);
    assert_eq!(bed.encap(0, "10.6.0.1"), ["ready 192.0.2.6"]);
    let path = bed.rloc("192.0.2.6").path.unwrap();
    assert_eq!(
        (path.source, path.port, path.next_hop_mac, path.mtu),
        (ip("198.51.100.2"), PortId(1), MAC_A, 1500)
    );
    // Another MAC: one slot for the RLOC, one for the adjacency.
    bed.known(CORE, GW, MAC_B);
    assert_eq!(bed.deltas, 2);
    assert_eq!(bed.rloc("192.0.2.6").path.unwrap().next_hop_mac, MAC_B);
    // no gateway, no route: down at once, and the engine hears of it.
    bed.neighbour(CORE, GW, NeighbourState::Failed);
    assert_eq!(bed.encap(0, "10.6.0.1"), ["down"]);
    assert_eq!(bed.rloc("192.0.2.6").down, Some(DownReason::NextHop));
    bed.known(CORE, GW, MAC_B);
    let default = bed.via("0.0.0.0/0", &[(CORE, GW)]);
    bed.kernel(Update::RouteDel(default));
    assert_eq!(bed.rloc("192.0.2.6").down, Some(DownReason::NoRoute));
    bed.via("192.0.2.0/24", &[(CORE, GW)]);
    assert_eq!(bed.encap(0, "10.6.0.1"), ["ready 192.0.2.6"]);
    let rloc = ip("192.0.2.6");
    assert_eq!(bed.reachability(), [(rloc, false), (rloc, true), (rloc, false), (rloc, true)]);
    // MTU of the port, and of the route.
    bed.link(CORE, "core", 1400);
    assert_eq!(bed.rloc("192.0.2.6").path.unwrap().mtu, 1400);
}

#[test]
fn the_core_lowers_the_mtu_of_a_path_for_ten_minutes_r120_r121() {
    let mut bed = Bed::new();
    bed.known(CORE, GW, MAC_A);
    bed.via("192.0.2.0/24", &[(CORE, GW)]);
    bed.install(0, "10.6.0.0/24", &[("192.0.2.6", 1, 1)]).unwrap();
    let path = |bed: &Bed| bed.rloc("192.0.2.6").path.map(|p| (p.mtu, p.learnt_until)).unwrap();
    assert_eq!(path(&bed), (1500, None));
    assert!(bed.feeder.on_path_mtu(bed.now, &bed.view, ip("192.0.2.6"), 1400));
    assert_eq!(path(&bed), (1400, Some(bed.now.plus_ms(600_000))));
    assert!(!bed.feeder.on_path_mtu(bed.now, &bed.view, ip("192.0.2.6"), 1450), "only decreases");
    assert!(!bed.feeder.on_path_mtu(bed.now, &bed.view, ip("192.0.2.7"), 1400), "an RLOC that is not in use");
    assert!(bed.feeder.next_deadline().is_some_and(|at| at <= bed.now.plus_ms(600_000)));
    bed.feeder.on_tick(bed.now.plus_ms(600_000), &bed.view);
    assert_eq!(path(&bed), (1500, None), "worth another try");
}

#[test]
fn rlocs_that_must_not_be_used() {
    let mut bed = Bed::new();
    bed.known(CORE, GW, MAC_A);
    bed.known(CORE, GW6, MAC_A);
    bed.via("192.0.9.0/24", &[(NATIVE, "203.0.113.9")]);
    for (rloc, why) in [
        ("10.9.9.9", Some(DownReason::EidSpace)),
        ("10.4.0.9", Some(DownReason::EidSpace)),
        ("198.51.100.2", Some(DownReason::Own)),
        ("203.0.113.1", Some(DownReason::Own)),
        ("127.0.0.1", Some(DownReason::Invalid)),
        ("224.0.0.5", Some(DownReason::Invalid)),
        ("fe80::1", Some(DownReason::Invalid)),
        ("::ffff:192.0.2.1", Some(DownReason::Invalid)),
        ("192.0.9.1", Some(DownReason::NotUnderlay)),
        ("192.0.2.1", None),
        ("2001:db8:ffff::1", None),
    ] {
        bed.install(0, "10.6.0.0/24", &[(rloc, 1, 1)]).unwrap();
        assert_eq!(bed.rloc(rloc).down, why, "{rloc}");
        assert_eq!(bed.feeder.rlocs().count(), 1, "the one before was let go");
    }
}

#[test]
fn a_locator_set_fails_over_by_one_delta() {
    let mut bed = Bed::new();
    bed.known(CORE, GW, MAC_A);
    let set = [("192.0.2.1", 1, 50), ("192.0.2.2", 1, 50), ("192.0.2.3", 2, 100)];
    bed.install(0, "10.6.0.0/24", &set).unwrap();
    bed.install(0, "10.7.0.0/24", &set).unwrap();
    assert_eq!(bed.feeder.stats().locator_sets, 1, "equal sets share a slot");
    assert_eq!(bed.encap(0, "10.6.0.1"), ["ready 192.0.2.1", "ready 192.0.2.2"]);
    bed.action(Action::LocatorState { rloc: ip("192.0.2.1"), up: false }).unwrap();
    assert_eq!(bed.deltas, 2, "the RLOC and the set, not the entries");
    assert_eq!(bed.encap(0, "10.7.0.1"), ["ready 192.0.2.2"]);
    assert_eq!(bed.rloc("192.0.2.1").down, Some(DownReason::Engine));
    bed.action(Action::LocatorState { rloc: ip("192.0.2.2"), up: false }).unwrap();
    assert_eq!(bed.encap(0, "10.6.0.1"), ["ready 192.0.2.3"], "R-080: next priority");
    bed.action(Action::LocatorState { rloc: ip("192.0.2.3"), up: false }).unwrap();
    assert_eq!(bed.encap(0, "10.6.0.1"), ["down"], "R-012");
    for n in 1..=3 {
        bed.action(Action::LocatorState { rloc: ip(&format!("192.0.2.{n}")), up: true }).unwrap();
    }
    assert_eq!(bed.encap(0, "10.6.0.1"), ["ready 192.0.2.1", "ready 192.0.2.2"]);
    // The underlay fails one over without the engine.
    bed.route(TABLE_MAIN, "192.0.2.2/32", RouteKind::Unreachable, false);
    assert_eq!(bed.encap(0, "10.6.0.1"), ["ready 192.0.2.1"]);
}

/// RFC 8060 section 4.6: of a path whose hops may be skipped, the first that is up is the target.
#[test]
fn a_path_goes_on_by_the_hop_behind_the_one_that_is_down_r113() {
    let mut bed = Bed::new();
    bed.known(CORE, GW, MAC_A);
    let hop = |last: u8, stand_in| {
        let etr = Some(ip("192.0.2.9"));
        Locator { stand_in, etr, ..Locator::new(ip(&format!("192.0.2.{last}")), 1, 50) }
    };
    let set = vec![hop(1, false), hop(2, true), Locator::new(ip("192.0.2.9"), 2, 50)];
    bed.action(Action::Install { eid: eid(0, "10.6.0.0/24"), forwarding: Forwarding::Encapsulate(set) })
        .unwrap();
    for (down, expected) in [(0, "ready 192.0.2.1"), (1, "ready 192.0.2.2"), (2, "ready 192.0.2.9")] {
        if down > 0 {
            let rloc = ip(&format!("192.0.2.{down}"));
            bed.action(Action::LocatorState { rloc, up: false }).unwrap();
        }
        assert_eq!(bed.encap(0, "10.6.0.1"), [expected]);
    }
    // One alone is a set as well: no other hop is tried, and it comes and goes like others.
    let alone = Forwarding::Encapsulate(vec![hop(3, false)]);
    bed.action(Action::Install { eid: eid(0, "10.6.0.0/24"), forwarding: alone }).unwrap();
    assert_eq!(bed.encap(0, "10.6.0.1"), ["ready 192.0.2.3"]);
    bed.action(Action::Withdraw(eid(0, "10.6.0.0/24"))).unwrap();
    assert_eq!((bed.feeder.stats().locator_sets, bed.feeder.rlocs().count()), (0, 0));
}

/// the bound that is no timing. What a worker has to do does not depend on the number of entries,
/// and is done between two bursts.
#[test]
fn r096_an_rloc_that_dies_costs_a_delta_for_each_locator_set_and_one_round_of_a_worker() {
    let mut bed = Bed::new();
    bed.known(CORE, GW, MAC_A);
    for entry in 0..600 {
        let other = format!("192.0.2.{}", 100 + entry % 20);
        let set = [("192.0.2.1", 1, 50), (other.as_str(), 2, 100)];
        bed.install(0, &format!("10.{}.{}.0/24", entry / 200, entry % 200), &set).unwrap();
    }
    assert_eq!(bed.feeder.stats().locator_sets, 20);
    bed.action(Action::LocatorState { rloc: ip("192.0.2.1"), up: false }).unwrap();
    assert_eq!(bed.deltas, 1 + 20, "the RLOC and its sets, for 600 entries");
    assert_eq!(bed.deltas.div_ceil(MAX_DELTAS), 1, "rounds of a worker");
    assert_eq!(bed.encap(0, "10.2.199.1"), ["ready 192.0.2.119"]);
}

#[test]
fn entries_of_every_action_and_their_end() {
    let mut bed = Bed::new();
    let cases = [
        (Forwarding::Encapsulate(vec![]), "NoLocator { unreachable: true }"),
        (Forwarding::NoAction, "NoLocator { unreachable: false }"),
        (Forwarding::NativelyForward, "NativelyForward"),
        (Forwarding::SendMapRequest, "SendMapRequest"),
        (Forwarding::DropNoReason, "DropNoReason"),
        (Forwarding::DropPolicyDenied, "DropPolicyDenied"),
        (Forwarding::DropAuthFailure, "DropAuthFailure"),
    ];
    for (forwarding, expected) in cases {
        bed.action(Action::Install { eid: eid(0, "10.6.0.0/24"), forwarding }).unwrap();
        assert_eq!(bed.encap(0, "10.6.0.1"), [expected]);
    }
    assert_eq!(bed.encap(0, "10.4.0.1"), ["LocalSite"]);
    assert!(bed.replica.is_local_eid(VrfId(0), ip("10.4.0.1")));
    // Our own site is ours, whatever the network says.
    bed.install(0, "10.4.0.0/24", &[("192.0.2.1", 1, 1)]).unwrap();
    bed.action(Action::Withdraw(eid(0, "10.4.0.0/24"))).unwrap();
    assert_eq!(bed.encap(0, "10.4.0.1"), ["LocalSite"]);
    bed.action(Action::Withdraw(eid(0, "10.6.0.0/24"))).unwrap();
    bed.action(Action::Withdraw(eid(0, "10.6.0.0/24"))).unwrap();
    assert_eq!(bed.encap(0, "10.6.0.1"), ["miss"]);
    assert_eq!(bed.install(99, "10.6.0.0/24", &[]), Err(Refused::Instance(99)));
    bed.install(7, "10.6.0.0/24", &[]).unwrap();
    assert_eq!(bed.encap(1, "10.6.0.1"), ["NoLocator { unreachable: true }"]);
}

#[test]
fn slots_run_out_with_a_word_and_come_back() {
    let mut bed = Bed::with(Capacity { entries: 3, rlocs: 2, locator_sets: 1, ..Capacity::default() });
    bed.install(0, "10.6.0.0/24", &[("192.0.2.1", 1, 1)]).unwrap(); // one slot is the local site's
    bed.install(0, "10.7.0.0/24", &[("192.0.2.2", 1, 1)]).unwrap();
    assert_eq!(bed.install(0, "10.8.0.0/24", &[]), Err(Refused::Entries));
    assert_eq!(bed.install(0, "10.7.0.0/24", &[("192.0.2.3", 1, 1)]), Err(Refused::Locators));
    let two = [("192.0.2.1", 1, 1), ("192.0.2.9", 1, 1)];
    assert_eq!(bed.install(0, "10.7.0.0/24", &two), Err(Refused::Locators));
    assert_eq!(bed.feeder.stats().rlocs, 2, "a half-made set holds nothing");
    bed.action(Action::Withdraw(eid(0, "10.6.0.0/24"))).unwrap();
    bed.install(0, "10.8.0.0/24", &[("192.0.2.3", 1, 1)]).unwrap();
    assert_eq!(bed.feeder.stats().refused, [1, 2, 1, 0]);
    assert_eq!(bed.encap(0, "10.8.0.1"), ["down"]);
}

#[test]
fn a_restarted_engine_finds_its_entries_forwarding() {
    let mut bed = Bed::new();
    bed.known(CORE, GW, MAC_A);
    bed.install(0, "10.6.0.0/24", &[("192.0.2.1", 1, 1)]).unwrap();
    bed.install(0, "10.7.0.0/24", &[("192.0.2.2", 1, 1)]).unwrap();
    bed.action(Action::LocatorState { rloc: ip("192.0.2.1"), up: false }).unwrap();
    bed.feeder.on_engine_restart(bed.now, &bed.view);
    bed.pump();
    assert_eq!(bed.encap(0, "10.6.0.1"), ["ready 192.0.2.1"]);
    bed.install(0, "10.6.0.0/24", &[("192.0.2.1", 1, 1)]).unwrap();
    let next = bed.feeder.withdraw_stale(bed.now, &bed.view, 0, 1000);
    bed.pump();
    assert_eq!(next, None);
    assert_eq!(bed.encap(0, "10.6.0.1"), ["ready 192.0.2.1"]);
    assert_eq!(bed.encap(0, "10.7.0.1"), ["miss"]);
    assert_eq!(bed.encap(0, "10.4.0.1"), ["LocalSite"]);
}

#[test]
fn a_cable_that_is_out_takes_all_behind_it_down_at_once() {
    let mut bed = Bed::new();
    bed.known(CORE, GW, MAC_A);
    bed.install(0, "10.6.0.0/24", &[("192.0.2.6", 1, 100)]).unwrap();
    bed.events.clear();
    bed.feeder.on_cable(bed.now, &bed.view, PortId(1), false);
    bed.pump();
    assert_eq!((bed.encap(0, "10.6.0.1"), bed.native(0, "8.8.8.8")), (vec!["down".into()], "failed".into()));
    assert_eq!(bed.reachability(), [(ip("192.0.2.6"), false)]);
    bed.known(CORE, GW, MAC_B);
    assert_eq!(bed.native(0, "8.8.8.8"), "failed", "the kernel remembers, the cable is out");
    bed.feeder.on_cable(bed.now, &bed.view, PortId(1), true);
    bed.pump();
    assert_eq!(bed.encap(0, "10.6.0.1"), ["ready 192.0.2.6"]);
    assert_eq!(bed.native(0, "8.8.8.8"), "port 1 mac 02:00:00:00:00:0b");
}

#[test]
fn a_reload_is_a_difference() {
    let mut bed = Bed::new();
    bed.known(CORE, GW, MAC_A);
    bed.install(0, "10.6.0.0/24", &[("192.0.2.6", 1, 1)]).unwrap();
    bed.install(0, "10.4.0.0/24", &[("192.0.2.7", 1, 1)]).unwrap();
    let same = bed.feeder.spec.clone();
    bed.reconfigure(same.clone());
    assert_eq!(bed.deltas, 0, "nothing differs, nothing is sent");

    let mut spec = same.clone();
    spec.vrfs[0].local_eids = vec![net("10.6.0.0/24")];
    spec.rlocs = vec![ip("198.51.100.3")];
    bed.reconfigure(spec);
    assert_eq!(bed.encap(0, "10.6.0.1"), ["LocalSite"], "the site moved in");
    assert!(bed.replica.is_local_eid(VrfId(0), ip("10.6.0.1")));
    assert_eq!(bed.encap(0, "10.4.0.1"), ["ready 192.0.2.7"], "the site moved out: the engine's word counts");
    assert!(!bed.replica.is_local_eid(VrfId(0), ip("10.4.0.1")));
    assert!(bed.replica.is_local_rloc(ip("198.51.100.3")) && !bed.replica.is_local_rloc(ip("198.51.100.2")));
    assert_eq!(bed.rloc("192.0.2.7").path.unwrap().source, ip("198.51.100.3"));
    assert_eq!(bed.feeder.rlocs().count(), 1, "what the moved-in site had was let go");

    let mut spec = same.clone();
    spec.vrfs[0].local_eids.clear();
    spec.vrfs[0].eid_space.push(net("192.0.2.0/24"));
    bed.reconfigure(spec);
    assert_eq!(bed.encap(0, "10.6.0.1"), ["miss"]);
    assert_eq!(bed.rloc("192.0.2.7").down, Some(DownReason::EidSpace), "R-008");

    // A port that changes VRF takes its neighbours and routes along.
    bed.known(NATIVE, "203.0.113.7", MAC_B);
    let mut spec = same;
    spec.ports[0].vrf = VrfId(1);
    bed.reconfigure(spec);
    assert_eq!(bed.native(0, "203.0.113.7"), "port 1 mac 02:00:00:00:00:0a");
    assert_eq!(bed.native(1, "203.0.113.7"), "port 0 mac 02:00:00:00:00:0b");
    assert_eq!(bed.replica.port(PortId(0)).unwrap().vrf, VrfId(1));
}

#[test]
fn a_changed_mapping_moves_only_the_flows_that_must_move() {
    let mut bed = Bed::new();
    bed.known(CORE, GW, MAC_A);
    let (one, two, three) = ("192.0.2.1", "192.0.2.2", "192.0.2.3");
    let mut before: Option<Vec<RlocId>> = None;
    for (set, must) in [
        (&[(one, 1, 50), (two, 1, 50)][..], 0),
        (&[(one, 1, 70), (two, 1, 30)], 20),
        (&[(one, 1, 60), (two, 1, 30), (three, 1, 10)], 10),
        (&[(one, 1, 60), (two, 1, 30)], 10),
        (&[(two, 1, 100)], 67),
        (&[(one, 1, 10), (two, 1, 90)], 10),
    ] {
        bed.install(0, "10.6.0.0/24", set).unwrap();
        let flows: Vec<_> = (0..3000u32).map(|n| bed.flow(0, "10.6.0.1", n * (u32::MAX / 3000))).collect();
        if let Some(before) = before {
            let moved = flows.iter().zip(&before).filter(|(a, b)| a != b).count();
            assert!(moved.abs_diff(must * 30) <= 60, "{set:?}: {moved} of 3000 moved");
        }
        before = Some(flows);
    }
}
