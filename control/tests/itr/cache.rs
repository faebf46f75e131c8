//! Map-cache upkeep and configuration: R-068 (PETR), R-074 to R-076, reload, clear.

use crate::world::*;
use pxtr_control::codec::{EidRecord, LocatorRecord, MapAction};
use pxtr_control::engine::Counter;
use pxtr_control::engine::config::VrfConfig;
use pxtr_control::engine::event::{Action, EidPrefix, Event, Forwarding, Iid};
use pxtr_control::engine::mapping::Origin;
use pxtr_control::engine::select::shares;

const A: (&str, u8, u8) = ("198.51.100.1", 1, 50);
const B: (&str, u8, u8) = ("198.51.100.2", 1, 50);
const PETR1: (&str, u8, u8) = ("198.51.100.77", 1, 100);
const PETR2: (&str, u8, u8) = ("198.51.100.78", 2, 100);

#[test]
fn r013_at_the_start_eid_space_and_static_mappings_are_installed() {
    let mut config = pitr();
    config.static_mappings =
        vec![static_mapping("10.50.0.0/16", &[A.0]), static_mapping("10.51.0.0/16", &[])];
    let mut w = World::unstarted(config);
    assert_eq!(w.engine.next_deadline().map(|t| t.0), Some(0), "it wants its first step");
    w.step(Event::Tick);
    let expected = [
        install("10.50.0.0/16", &[("198.51.100.1", 1, 100)]),
        install_act("10.51.0.0/16", Forwarding::DropNoReason),
        install_act("10.0.0.0/8", Forwarding::SendMapRequest),
        install_act("2001:db8:e000::/36", Forwarding::SendMapRequest),
    ];
    assert_eq!(w.take(), expected);
    let mut site = World::unstarted(xtr());
    site.step(Event::Tick);
    let all = ["0.0.0.0/0", "::/0"].map(|p| install_act(p, Forwarding::SendMapRequest));
    assert_eq!(site.take(), all, "R-009: a site without EID space asks for everything");
}

#[test]
fn r074_an_entry_leaves_at_the_end_of_its_ttl() {
    let mut w = World::new(pitr());
    w.learn("10.1.2.3", vec![record("10.1.2.0/24", 2, &[A])]);
    w.pass(119_000);
    assert_eq!(w.take(), []);
    w.pass(2_000);
    assert_eq!(w.take(), [withdraw("10.1.2.0/24")]);
    assert_eq!(w.count(Counter::EntriesExpired), 1);
    w.miss("10.1.2.3");
    assert_eq!(w.requests().len(), 1, "and is asked for again");
}

#[test]
fn r074_an_entry_in_use_is_refreshed_before_its_ttl_ends_and_an_unused_one_is_not() {
    let mut w = World::new(pitr());
    w.learn("10.1.2.3", vec![record("10.1.2.0/24", 10, &[A])]);
    w.learn("10.1.3.3", vec![record("10.1.3.0/24", 10, &[A])]);
    for _ in 0..54 {
        w.pass(10_000);
        w.used(&["10.1.2.0/24"]);
    }
    let r = w.request();
    assert_eq!(r.prefix(), eid("10.1.2.0/24"), "R-052: the cached prefix with its mask");
    assert!(r.ecm.is_some(), "R-051: through the mapping system");
    w.reply(r.message.nonce, vec![record("10.1.2.0/24", 10, &[B])]);
    assert_eq!(w.take(), [install("10.1.2.0/24", &[B])], "what changed is told");
    w.pass(70_000);
    assert_eq!(w.take(), [withdraw("10.1.3.0/24")], "the unused one expires");
}

#[test]
fn r074_an_unanswered_refresh_keeps_the_entry_to_the_end() {
    let mut w = World::new(pitr());
    w.learn("10.1.2.3", vec![record("10.1.2.0/24", 10, &[A])]);
    w.pass(539_000);
    w.used(&["10.1.2.0/24"]);
    w.pass(60_000);
    assert_eq!(w.take(), []);
    assert!(w.requests().len() > 3, "tried more than once");
    w.pass(2_000);
    assert_eq!(w.take(), [withdraw("10.1.2.0/24")]);
}

#[test]
fn r065_a_ttl_left_to_us_is_the_configured_one() {
    let mut config = pitr();
    config.limits.default_ttl_minutes = 3;
    let mut w = World::new(config);
    w.learn("10.1.2.3", vec![record("10.1.2.0/24", u32::MAX, &[A])]);
    w.pass(179_000);
    assert_eq!(w.take(), []);
    w.pass(2_000);
    assert_eq!(w.take(), [withdraw("10.1.2.0/24")]);
}

#[test]
fn r065_ttl_0_in_a_refresh_takes_the_entry_out_at_once() {
    let mut w = World::new(pitr());
    w.learn("10.1.2.3", vec![record("10.1.2.0/24", 1, &[A])]);
    w.pass(55_000);
    let r = w.request();
    w.reply(r.message.nonce, vec![record("10.1.2.0/24", 0, &[])]);
    assert_eq!(w.take(), [withdraw("10.1.2.0/24")]);
}

#[test]
fn r075_an_idle_entry_leaves_early_and_static_ones_never() {
    let mut config = pitr();
    config.limits.idle_timeout_s = 100;
    config.static_mappings = vec![static_mapping("10.50.0.0/16", &[A.0])];
    let mut w = World::new(config);
    w.learn("10.1.2.3", vec![record("10.1.2.0/24", 1440, &[A])]);
    w.pass(90_000);
    w.used(&["10.1.2.0/24"]);
    w.pass(90_000);
    assert_eq!(w.take(), [], "a packet came in between");
    w.pass(20_000);
    assert_eq!(w.take(), [withdraw("10.1.2.0/24")]);
    w.pass(1_000_000_000);
    assert_eq!(w.take(), []);
}

#[test]
fn r076_a_full_cache_evicts_and_goes_on_negative_entries_first() {
    let mut config = pitr();
    config.limits.map_cache_entries = 8;
    let mut w = World::new(config);
    let deny = |p: &str| vec![negative(p, 15, MapAction::DropNoReason)];
    for i in 0..6 {
        w.learn(&format!("10.1.{i}.1"), vec![record(&format!("10.1.{i}.0/24"), 1440, &[A])]);
    }
    w.learn("10.2.0.1", deny("10.2.0.0/24"));
    w.learn("10.2.1.1", deny("10.2.1.0/24"));
    let got = w.learn("10.1.9.1", vec![record("10.1.9.0/24", 1440, &[A])]);
    assert_eq!(got, [withdraw("10.2.0.0/24"), install("10.1.9.0/24", &[A])], "a negative one first");
    w.used(&["10.1.0.0/24"]);
    let got = w.learn("10.1.10.1", vec![record("10.1.10.0/24", 1440, &[A])]);
    assert_eq!(
        got,
        [withdraw("10.1.1.0/24"), install("10.1.10.0/24", &[A])],
        "then the positive one that was used longest ago; a share stays for negative ones"
    );
    for i in 0..100 {
        w.learn(&format!("10.3.{i}.1"), deny(&format!("10.3.{i}.0/24")));
        assert_eq!(w.engine.sizes().map_cache_learnt, 8);
    }
    let positive = w.engine.map_cache().filter(|v| !v.locators.is_empty()).count();
    assert!(positive >= 6, "a scan does not push the mappings out, {positive} are left");
}

/// Two more instances than the default one.
fn three_instances(per_instance: u32) -> World {
    let mut config = pitr();
    config.limits.map_cache_entries = 12;
    config.limits.map_cache_entries_per_instance = per_instance;
    for iid in [1, 2] {
        let vrf = VrfConfig { name: format!("vrf{iid}"), iid: Iid(iid), ..config.vrfs[0].clone() };
        config.vrfs.push(vrf);
    }
    World::new(config)
}

/// Learns 10.IID.N.0/24 in an instance: how many entries each instance has then.
fn learn_in(w: &mut World, iid: u32, numbers: std::ops::Range<u32>) -> [usize; 3] {
    for n in numbers {
        let prefix = EidPrefix { iid: Iid(iid), prefix: net(&format!("10.{iid}.{n}.0/24")) };
        w.requests();
        w.step(Event::Miss { iid: Iid(iid), eid: prefix.prefix.network(), source: ip("203.0.113.9") });
        let nonce = w.request().message.nonce;
        let locators = vec![LocatorRecord::new(ip(A.0), 1, 100)];
        w.reply(nonce, vec![EidRecord { locators, ..EidRecord::new(prefix, 1440) }]);
    }
    let learnt =
        |iid: u32| w.engine.map_cache().filter(|v| v.iid == Iid(iid) && !v.locators.is_empty()).count();
    [learnt(0), learnt(1), learnt(2)]
}

#[test]
fn r076_an_instance_at_its_bound_evicts_its_own_entries_and_no_others() {
    let mut w = three_instances(4);
    assert_eq!(learn_in(&mut w, 1, 0..3), [0, 3, 0]);
    assert_eq!(learn_in(&mut w, 2, 0..50), [0, 3, 4], "a scan in one");
    assert_eq!(learn_in(&mut w, 1, 3..5), [0, 4, 4]);
    assert_eq!(w.count(Counter::EntriesEvicted), 46 + 1);
}

#[test]
fn r076_where_all_instances_together_are_at_their_bound_the_largest_one_makes_room() {
    let mut w = three_instances(0);
    assert_eq!(learn_in(&mut w, 1, 0..2), [0, 2, 0]);
    assert_eq!(learn_in(&mut w, 2, 0..50), [0, 2, 10], "without a bound of its own");
    assert_eq!(learn_in(&mut w, 0, 0..30), [5, 2, 5], "each gets its share");
    assert_eq!(learn_in(&mut w, 1, 2..30), [4, 4, 4]);
    assert_eq!(w.engine.sizes().map_cache_learnt, 12);
}

#[test]
fn r068_with_a_petr_configured_what_would_go_natively_goes_there() {
    let mut config = xtr();
    config.use_petr = vec![configured(PETR1.0, 1, 100), configured(PETR2.0, 2, 100)];
    let mut w = World::new(config.clone());
    let native = vec![negative("8.0.0.0/7", 15, MapAction::NativelyForward)];
    assert_eq!(w.learn("8.8.8.8", native), [install("8.0.0.0/7", &[PETR1, PETR2])]);
    w.step(Event::UnderlayChanged { rloc: ip(PETR1.0), reachable: false });
    assert_eq!(w.take(), [state(PETR1.0, false)], "a PETR that goes down costs one action");
    w.step(Event::UnderlayChanged { rloc: ip(PETR1.0), reachable: true });
    assert_eq!(w.take(), [state(PETR1.0, true)]);
    let view = w.engine.map_cache().find(|v| v.prefix == net("8.0.0.0/7")).expect("there");
    assert!(view.via_petr && view.locators.len() == 2);
    config.use_petr.clear();
    w.reconfigure(config);
    assert_eq!(w.take(), [install_act("8.0.0.0/7", Forwarding::NativelyForward)], "reload without it");
}

#[test]
fn r068_of_several_petrs_the_best_priority_counts_and_then_the_weights() {
    let petrs = [("198.51.100.71", 1, 70), ("198.51.100.72", 1, 30), ("198.51.100.73", 2, 100)];
    let mut config = xtr();
    config.use_petr = petrs.map(|(rloc, priority, weight)| configured(rloc, priority, weight)).to_vec();
    let mut w = World::new(config);
    let native = vec![negative("8.0.0.0/7", 15, MapAction::NativelyForward)];
    let told = w.learn("8.8.8.8", native);
    assert_eq!(told, [install("8.0.0.0/7", &petrs)], "the data plane has them all, as configured");
    let [Action::Install { forwarding: Forwarding::Encapsulate(locators), .. }] = told.as_slice() else {
        panic!("one positive entry")
    };
    let mut down = Vec::new();
    for (what, rloc, up, expected) in [
        ("both primaries, 70 to 30", petrs[2].0, true, vec![(petrs[0].0, 70), (petrs[1].0, 30)]),
        ("the primary that is left", petrs[0].0, false, vec![(petrs[1].0, 30)]),
        ("the backup, when no primary is left", petrs[1].0, false, vec![(petrs[2].0, 100)]),
        ("a primary again, as soon as one is back", petrs[0].0, true, vec![(petrs[0].0, 70)]),
    ] {
        w.step(Event::UnderlayChanged { rloc: ip(rloc), reachable: up });
        for action in w.take() {
            let Action::LocatorState { rloc, up } = action else { panic!("{what}: {action:?}") };
            down.retain(|other| *other != rloc);
            down.extend((!up).then_some(rloc));
        }
        let expected: Vec<_> = expected.into_iter().map(|(rloc, weight)| (ip(rloc), weight)).collect();
        assert_eq!(shares(locators, |rloc| !down.contains(&rloc)), expected, "{what}");
    }
}

#[test]
fn a_learnt_mapping_of_exactly_the_eid_space_gives_way_to_it_again() {
    let mut config = pitr();
    config.vrfs[0].eid_space = vec![net("10.1.2.0/24")];
    let mut w = World::new(config);
    let got = w.learn("10.1.2.3", vec![record("10.1.2.0/24", 1, &[A])]);
    assert_eq!(got, [install("10.1.2.0/24", &[A])]);
    w.pass(61_000);
    assert_eq!(w.take(), [install_act("10.1.2.0/24", Forwarding::SendMapRequest)]);
    assert_eq!(w.engine.map_cache().map(|v| v.origin).collect::<Vec<_>>(), [Origin::EidSpace]);
}

#[test]
fn a_static_mapping_is_not_replaced_by_a_reply() {
    let mut config = pitr();
    config.static_mappings = vec![static_mapping("10.1.7.0/24", &[B.0])];
    let mut w = World::new(config);
    let records = vec![record("10.1.0.0/16", 60, &[A]), record("10.1.7.0/24", 60, &[A])];
    assert_eq!(w.learn("10.1.2.3", records), [install("10.1.0.0/16", &[A])]);
    w.miss("10.1.7.1");
    assert!(w.requests().is_empty());
    assert_eq!(w.count(Counter::MissesAlreadyMapped), 1);
}

#[test]
fn a_reload_applies_the_difference() {
    let mut config = pitr();
    config.static_mappings = vec![static_mapping("10.50.0.0/16", &[A.0])];
    let mut w = World::new(config.clone());
    w.learn("2001:db8:e000::1", vec![record("2001:db8:e000::/48", 60, &[A])]);
    w.reconfigure(config.clone());
    assert_eq!(w.take(), [], "the same again changes nothing");
    config.static_mappings = vec![static_mapping("10.50.0.0/16", &[B.0])];
    config.vrfs[0].eid_space = vec![net("10.0.0.0/8"), net("172.16.0.0/12")];
    w.reconfigure(config);
    let mut got = w.take();
    got.sort_by_key(|a| format!("{a:?}"));
    let mut expected = [
        withdraw("2001:db8:e000::/36"),
        withdraw("2001:db8:e000::/48"),
        install("10.50.0.0/16", &[(B.0, 1, 100)]),
        install_act("172.16.0.0/12", Forwarding::SendMapRequest),
    ];
    expected.sort_by_key(|a| format!("{a:?}"));
    assert_eq!(got, expected);
}

#[test]
fn clear_forgets_what_was_learnt_and_keeps_what_is_configured() {
    let mut config = pitr();
    config.static_mappings = vec![static_mapping("10.50.0.0/16", &[A.0])];
    let mut w = World::new(config);
    w.learn("10.1.2.3", vec![record("10.1.2.0/24", 60, &[A])]);
    w.learn("10.2.2.3", vec![record("10.2.2.0/24", 60, &[A])]);
    w.step(Event::ClearMapCache(Some(eid("10.1.0.0/16"))));
    assert_eq!(w.take(), [withdraw("10.1.2.0/24")]);
    w.step(Event::ClearMapCache(None));
    assert_eq!(w.take(), [withdraw("10.2.2.0/24")]);
    assert_eq!(w.prefixes(), ["10.0.0.0/8", "10.50.0.0/16", "2001:db8:e000::/36"]);
}

#[test]
fn r074_a_tick_costs_the_same_whatever_the_number_of_entries() {
    // Not a timing: with 20,000 entries whose timers are all ahead, nothing is due and nothing is
    // said, and next_deadline names the first of them.
    let mut config = pitr();
    config.limits.lookups_per_source_per_second = 1_000_000;
    config.limits.map_requests_per_second = 1_000_000;
    let mut w = World::new(config);
    for i in 0..20_000u32 {
        let (a, b) = (i / 250, i % 250);
        w.learn(&format!("10.{a}.{b}.1"), vec![record(&format!("10.{a}.{b}.0/24"), 1440, &[A])]);
    }
    w.pass(5_000);
    let next = w.engine.next_deadline().expect("a deadline");
    assert!(next.since(w.now) > 3_000_000, "idle check in an hour");
    assert_eq!(w.engine.sizes().locator_sets, 1, "one locator-set for all of them");
}

/// `count` entries 10.x.y.0/24, learnt in the same millisecond.
fn many(count: u32, ttl_minutes: u32, pending: u32) -> (World, Vec<String>) {
    let mut config = pitr();
    config.limits.lookups_per_source_per_second = 1_000_000;
    config.limits.map_requests_per_second = 1_000_000;
    config.limits.idle_timeout_s = 0;
    let mut w = World::new(config.clone());
    let prefixes: Vec<String> = (0..count).map(|i| format!("10.{}.{}.0/24", i / 250, i % 250)).collect();
    for prefix in &prefixes {
        w.learn(&prefix.replace("0/24", "1"), vec![record(prefix, ttl_minutes, &[A])]);
    }
    w.pass(5_000);
    config.limits.pending_requests = pending;
    w.reconfigure(config);
    w.take();
    (w, prefixes)
}

#[test]
fn r074_entries_learnt_together_are_not_all_refreshed_together() {
    let (mut w, prefixes) = many(200, 1440, 10_000);
    for minutes in [21 * 60, 60, 60, 59] {
        w.pass(minutes * 60_000);
        prefixes.iter().for_each(|prefix| w.used(&[prefix]));
    }
    let mut first = std::collections::BTreeMap::new();
    for r in w.requests() {
        first.entry(r.prefix()).or_insert(r.at);
    }
    assert_eq!(first.len(), 200, "each is refreshed");
    let (min, max) = (first.values().min().expect("one"), first.values().max().expect("one"));
    assert!(max.since(*min) > 3_600_000, "over hours, not within {} ms", max.since(*min));
}

#[test]
fn r057_refreshes_that_find_no_room_wait_their_turn_before_the_ttl_ends() {
    let (mut w, prefixes) = many(100, 10, 4);
    for prefix in &prefixes {
        w.used(&[prefix]);
    }
    w.pass(500_000);
    for prefix in &prefixes {
        w.used(&[prefix]);
    }
    for _ in 0..1_000 {
        w.pass(100);
        for r in w.requests() {
            let prefix = r.prefix().prefix.to_string();
            w.reply(r.message.nonce, vec![record(&prefix, 10, &[A])]);
        }
    }
    assert_eq!(w.take(), [], "none expired");
    assert!(w.count(Counter::LookupsOverPendingLimit) > 0);
    assert_eq!(w.count(Counter::EntriesExpired), 0);
}

#[test]
fn a_great_many_entries_that_expire_together_do_not_stop_the_engine_for_long() {
    let (mut w, _) = many(10_000, 2, 10_000);
    w.now = w.now.plus_ms(200_000);
    w.step(Event::Tick);
    let first = w.take().len();
    assert!((1_000..5_000).contains(&first), "{first} in one step");
    assert!(w.engine.next_deadline() <= Some(w.now), "the rest at once");
    w.pass(1);
    assert_eq!(first + w.take().len(), 10_000);
}

#[test]
fn an_entry_that_only_the_data_plane_knows_is_learnt_again() {
    // The engine was replaced after a panic; the workers forward with what they have.
    let mut w = World::new(pitr());
    w.used(&["10.1.2.0/24", "172.16.0.0/12"]);
    let r = w.request();
    assert_eq!(r.prefix(), eid("10.1.2.0/24"), "what lies outside our EID space is not asked for");
    w.reply(r.message.nonce, vec![record("10.1.2.0/24", 60, &[A])]);
    assert_eq!(w.take(), [install("10.1.2.0/24", &[A])]);
    w.used(&["10.1.2.0/24"]);
    assert!(w.requests().is_empty());
}

#[test]
fn clear_also_forgets_what_was_asked_in_vain() {
    let mut w = World::new(pitr());
    for _ in 0..60 {
        w.miss("10.1.2.3");
        w.pass(1_000);
    }
    w.requests();
    w.miss("10.1.2.3");
    assert!(w.requests().is_empty(), "R-055: held down");
    w.step(Event::ClearMapCache(Some(eid("10.1.0.0/16"))));
    w.miss("10.1.2.3");
    assert_eq!(w.requests().len(), 1);
}
