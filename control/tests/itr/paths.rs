//! Explicit locator paths (RFC 8060 section 4.6), as an ITR and as a router on the way see them,
//!

use crate::world::*;
use pxtr_control::codec::{Address, EidRecord, ElpHop, Lcaf, LocatorRecord, MapReply, Message};
use pxtr_control::engine::Counter;
use pxtr_control::engine::config::{ConfiguredLocator, EngineConfig, StaticMapping};
use pxtr_control::engine::event::{Action, Event, Forwarding, Locator};

const R1: &str = "198.51.100.1";
const R2: &str = "198.51.100.2";
const ETR: &str = "198.51.100.9";

/// "a b! c?": `!` strict, `?` lookup, `-` not to be probed.
fn path(hops: &str, priority: u8) -> LocatorRecord {
    let hop = |word: &str| ElpHop {
        lookup: word.ends_with('?'),
        probe: !word.ends_with('-'),
        strict: word.ends_with('!'),
        address: Address::Ip(ip(word.trim_end_matches(['!', '?', '-']))),
    };
    let elp = Lcaf::Elp(hops.split(' ').map(hop).collect());
    LocatorRecord { address: Address::Lcaf(Box::new(elp)), ..LocatorRecord::new(ip(ETR), priority, 100) }
}

fn plain(rloc: &str, priority: u8) -> LocatorRecord {
    LocatorRecord::new(ip(rloc), priority, 100)
}

fn mapping(locators: Vec<LocatorRecord>) -> Vec<EidRecord> {
    vec![EidRecord { locators, ..record("10.1.2.0/24", 60, &[]) }]
}

/// A hop of a path to [`ETR`].
fn hop(rloc: &str, priority: u8, stand_in: bool) -> Locator {
    Locator { stand_in, etr: Some(ip(ETR)), ..Locator::new(ip(rloc), priority, 100) }
}

fn installed(locators: Vec<Locator>) -> Vec<Action> {
    vec![install_act("10.1.2.0/24", Forwarding::Encapsulate(locators))]
}

fn at(rloc: &str) -> EngineConfig {
    EngineConfig { rlocs: vec![ip(rloc)], ..pitr() }
}

#[test]
fn r028_r113_each_router_sends_on_to_the_hop_behind_itself() {
    let records = mapping(vec![path("198.51.100.1! 198.51.100.2! 198.51.100.9!", 1), plain(ETR, 2)]);
    let backup = Locator::new(ip(ETR), 2, 100);
    for (us, next) in [(OUR_V4, R1), (R1, R2), (R2, ETR)] {
        let mut w = World::new(at(us));
        assert_eq!(
            w.learn("10.1.2.3", records.clone()),
            installed(vec![hop(next, 1, false), backup]),
            "at {us}"
        );
        let view = w.engine.map_cache().find(|v| v.prefix == net("10.1.2.0/24")).expect("there");
        assert_eq!(view.locators[0].path, [ip(R1), ip(R2), ip(ETR)], "what is shown is the whole path");
        assert!(view.locators[1].path.is_empty());
    }
}

#[test]
fn r113_hops_that_may_be_skipped_stand_in_for_the_one_before() {
    let mut w = World::new(at(OUR_V4));
    let got = w.learn("10.1.2.3", mapping(vec![path("198.51.100.1 198.51.100.2! 198.51.100.9!", 1)]));
    assert_eq!(got, installed(vec![hop(R1, 1, false), hop(R2, 1, true)]), "R2 must be used");
    w.step(Event::UnderlayChanged { rloc: ip(R1), reachable: false });
    assert_eq!(w.take(), [state(R1, false)], "the data plane takes the other hop by itself");
}

#[test]
fn r113_paths_that_lead_nowhere_are_ignored_and_counted() {
    let backup = Locator::new(ip(ETR), 2, 100);
    // (what, path, what counts it)
    let cases = [
        (
            "it names us twice",
            "198.51.100.1! 198.51.100.2! 198.51.100.1! 198.51.100.9!",
            Counter::PathsLooped,
        ),
        ("the next hop is an EID", "198.51.100.1! 10.9.9.9? 10.8.8.8?", Counter::PathsWithLookup),
        ("it ends at us", "198.51.100.2! 198.51.100.1!", Counter::PathsWithoutHop),
        ("R-008: a hop in EID space", "198.51.100.1! 10.9.9.9! 198.51.100.9!", Counter::PathsWithoutHop),
        (
            "R-150: a hop that nobody can be",
            "198.51.100.1! 127.0.0.1! 198.51.100.9!",
            Counter::PathsWithoutHop,
        ),
    ];
    for (what, hops, counter) in cases {
        let mut w = World::new(at(R1));
        assert_eq!(w.learn("10.1.2.3", mapping(vec![path(hops, 1), plain(ETR, 2)])), installed(vec![backup]));
        assert_eq!(w.count(counter), 1, "{what}");
        // Nothing else: not encapsulated, and not forwarded natively.
        let mut w = World::new(at(R1));
        assert_eq!(w.learn("10.1.2.3", mapping(vec![path(hops, 1)])), installed(vec![]), "{what}");
    }
}

#[test]
fn r113_a_router_on_a_path_follows_no_other_path() {
    let locators = vec![
        path("198.51.100.2! 198.51.100.9!", 1),
        path("198.51.100.1! 198.51.100.9!", 2),
        plain("198.51.100.8", 3),
    ];
    let mut w = World::new(at(R1));
    let plain = Locator::new(ip("198.51.100.8"), 3, 100);
    assert_eq!(w.learn("10.1.2.3", mapping(locators)), installed(vec![hop(ETR, 2, false), plain]));
    assert_eq!(w.count(Counter::PathsElsewhere), 1);
}

#[test]
fn r085_r089_the_next_hop_is_probed_and_does_not_speak_for_the_mapping() {
    let mut config = at(OUR_V4);
    config.limits.probe_interval_ms = 200;
    let mut w = World::new(config);
    w.learn("10.1.2.3", mapping(vec![path("198.51.100.1! 198.51.100.9!", 1), plain(ETR, 2)]));
    let mut probed = std::collections::BTreeSet::new();
    for _ in 0..10 {
        w.pass(100);
        for request in w.requests() {
            probed.insert(request.to.ip());
            // An RTR answers as a Proxy ETR does: for itself.
            let own = LocatorRecord { probed: true, ..LocatorRecord::new(request.to.ip(), 1, 100) };
            let records = vec![EidRecord { locators: vec![own], ..record("10.1.2.0/24", 1440, &[]) }];
            if request.to.ip() == ip(R1) {
                let nonce = request.message.nonce;
                let reply = MapReply { probe: true, echo_nonce: false, nonce, records, security: None };
                w.receive_from(R1, &Message::MapReply(reply));
            }
        }
    }
    assert_eq!(probed, [ip(R1), ip(ETR)].into());
    assert!(w.count(Counter::ProbeReplies) > 2);
    // The ETR is silent, the next hop is not; the mapping is what it was.
    assert_eq!(w.take(), [state(ETR, false)]);
    let view = w.engine.map_cache().find(|v| v.prefix == net("10.1.2.0/24")).expect("there");
    assert_eq!(view.locators.len(), 2);
}

#[test]
fn r085_a_hop_without_the_p_bit_is_never_probed_and_counts_as_up() {
    let mut config = at(OUR_V4);
    config.limits.probe_interval_ms = 200;
    config.limits.lookups_per_source_per_second = 10_000;
    let mut w = World::new(config);
    let anycast = path("198.51.100.1- 198.51.100.9!", 1);
    w.learn("10.1.2.3", mapping(vec![LocatorRecord { address: anycast.address.clone(), ..anycast.clone() }]));
    w.pass(5000);
    let probed: Vec<_> = w.requests().into_iter().map(|r| r.to.ip()).collect();
    assert!(!probed.contains(&ip(R1)) && probed.contains(&ip(ETR)), "{probed:?}");
    // Another mapping has it as a plain locator: that may be probed.
    w.learn("10.3.0.1", vec![record("10.3.0.0/24", 1, &[(R1, 1, 100)])]);
    w.pass(5000);
    assert!(w.requests().iter().any(|r| r.message.probe && r.to.ip() == ip(R1)));
    assert!(w.take().contains(&state(R1, false)), "nobody answered");
    // With it goes what probing found out.
    w.pass(60_000);
    assert!(w.take().contains(&state(R1, true)));
    w.requests();
    w.pass(5000);
    assert!(w.requests().iter().all(|r| !(r.message.probe && r.to.ip() == ip(R1))));
}

#[test]
fn r113_a_static_mapping_may_be_a_path() {
    let locator = ConfiguredLocator { via: vec![ip(R1), ip(R2)], ..ConfiguredLocator::new(ip(ETR), 1, 100) };
    let statics = |locator: &ConfiguredLocator| {
        let action = Forwarding::DropNoReason;
        vec![StaticMapping { eid: eid("10.1.2.0/24"), locators: vec![locator.clone()], action }]
    };
    let mut w = World::unstarted(EngineConfig { static_mappings: statics(&locator), ..at(R1) });
    w.step(Event::Tick);
    let is_it = |a: &Action| matches!(a, Action::Install { eid: e, .. } if *e == eid("10.1.2.0/24"));
    let got: Vec<Action> = w.take().into_iter().filter(is_it).collect();
    assert_eq!(got, installed(vec![hop(R2, 1, false)]));
    // May be skipped.
    let loose = ConfiguredLocator { strict: false, ..locator };
    w.reconfigure(EngineConfig { static_mappings: statics(&loose), ..at(R1) });
    assert_eq!(w.take(), installed(vec![hop(R2, 1, false), hop(ETR, 1, true)]));
}
