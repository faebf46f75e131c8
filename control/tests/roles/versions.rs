//! Map-Versions at an ETR and at a Map-Server (R-097, R-099, R-175; RFC 9302 sections 5, 6 and 7.1).

use crate::messages::*;
use crate::node::*;
use pxtr_control::codec::{EidRecord, Message};
use pxtr_control::engine::Counter;
use pxtr_control::engine::config::EngineConfig;
use pxtr_control::engine::event::Event;
use pxtr_dataplane::trust::{MapVersion, Marks, Said, Trust};

const ITR: &str = "198.51.100.1";
const OURS: &str = "10.4.0.0/24";

fn trust() -> Trust {
    Trust { rlocs: Box::new([net("198.51.100.0/24")]), map_versions: true, ..Trust::default() }
}

/// A site whose mapping has this version, and its TTL.
fn site(version: u16, ttl_minutes: u32) -> EngineConfig {
    let mut config = EngineConfig { trust: trust(), ..xtr(&[OURS]) };
    config.database[0].map_version = MapVersion::new(version);
    config.database[0].ttl_minutes = ttl_minutes;
    config
}

/// [`ITR`] sent to 10.4.0.9 by a version.
fn heard(n: &mut Node, said: Said) {
    n.step(Event::Header { eid: eid("10.4.0.9/32"), rloc: ip(ITR), said });
}

fn older(n: &mut Node, version: u16) {
    heard(n, Said::DestinationOlder(MapVersion::new(version)));
}

/// SMRs to [`ITR`] about our mapping since the last call.
fn smrs(n: &mut Node) -> usize {
    let sent = n.take();
    for s in &sent {
        let Message::MapRequest(smr) = &s.message else { panic!("{s:?}") };
        assert!(smr.smr && s.to == at("198.51.100.1:4342"));
        assert_eq!(smr.records[0].eid_prefix(), Some(eid(OURS)));
    }
    sent.len()
}

fn marks(version: u16, expired: bool) -> Marks {
    Marks { version: MapVersion::new(version), expired, ..Marks::default() }
}

#[test]
fn r097_an_itr_with_an_old_version_is_told_ten_times_and_then_dropped() {
    let mut n = Node::new(site(10, 1440));
    assert_eq!(n.marks, [(eid(OURS), marks(10, false))]);
    older(&mut n, 9);
    assert_eq!(smrs(&mut n), 1);
    older(&mut n, 9);
    n.pass(2_900);
    older(&mut n, 8);
    assert_eq!(smrs(&mut n), 0, "at most once in 3 s");
    for _ in 0..9 {
        n.pass(3_100);
        older(&mut n, 9);
        assert_eq!(smrs(&mut n), 1);
    }
    assert_eq!((n.count(Counter::MapVersionsOutdated), n.outdated.len()), (10, 0));
    n.pass(3_100);
    older(&mut n, 9);
    assert_eq!(smrs(&mut n), 0);
    assert_eq!(n.outdated, [vec![(ip(ITR), eid(OURS))]], "the data plane is to drop it");
    assert_eq!(n.count(Counter::MapVersionsIgnored), 1);
    // It asks at last.
    n.hear("203.0.113.53:4342", &in_ecm(&request("10.4.0.9/32", &[ITR])));
    assert_eq!(n.take_one().reply().records[0].map_version, 10);
    assert_eq!(n.outdated.last(), Some(&Vec::new()));
    older(&mut n, 9);
    assert_eq!(smrs(&mut n), 1, "it begins anew");
}

#[test]
fn r097_when_the_ttl_of_the_old_mapping_is_over_nobody_is_told() {
    let mut n = Node::new(site(10, 5));
    n.pass(299_000);
    assert_eq!(n.marks.len(), 1);
    n.pass(1_100);
    assert_eq!(n.marks[1..], [(eid(OURS), marks(10, true))], "the data plane drops them by itself");
    // Another version: the TTL under which the former one was given out counts.
    n.reconfigure(site(11, 1440));
    assert_eq!(n.marks.last(), Some(&(eid(OURS), marks(11, false))));
    n.pass(300_100);
    assert_eq!(n.marks.last(), Some(&(eid(OURS), marks(11, true))));
}

#[test]
fn r097_a_version_that_we_do_not_know_is_told_to_the_operator() {
    let mut n = Node::new(site(10, 1440));
    heard(&mut n, Said::DestinationNewer(MapVersion::new(11)));
    assert_eq!((n.count(Counter::MapVersionsUnknown), n.take().len()), (1, 0));
    // What is not older than what is in force by now, or not about us, makes nobody be told.
    older(&mut n, 10);
    older(&mut n, 11);
    let said = Said::DestinationOlder(MapVersion::new(1));
    n.step(Event::Header { eid: eid("10.5.0.9/32"), rloc: ip(ITR), said });
    n.step(Event::Header { eid: eid("10.4.0.9/32"), rloc: ip("192.0.2.77"), said });
    assert!(n.silent());
    n.reconfigure(xtr(&[OURS]));
    older(&mut n, 9);
    assert!(n.silent(), "nobody is trusted by default (R-006)");
}

#[test]
fn r099_versions_are_configured_and_go_with_the_mapping() {
    let mut config = site(4095, 1440);
    config.map_servers.push(peer(MS));
    let mut n = Node::new(config.clone());
    assert_eq!(n.take_one().register().records[0].map_version, 4095);
    n.hear("203.0.113.53:4342", &in_ecm(&request("10.4.0.9/32", &[ITR])));
    assert_eq!(n.take_one().reply().records[0].map_version, 4095);
    // A change without a newer version can not be seen by those who have the mapping.
    config.database[0].locators.push(locator("203.0.113.11", 2, 1));
    n.reconfigure(config.clone());
    assert_eq!(n.count(Counter::MapVersionsNotRaised), 1);
    config.database[0].map_version = MapVersion::new(4094);
    n.reconfigure(config.clone());
    assert_eq!(n.count(Counter::MapVersionsNotRaised), 2);
    config.database[0].map_version = MapVersion::new(4095).next();
    config.database[0].locators.pop();
    n.reconfigure(config);
    assert_eq!(n.count(Counter::MapVersionsNotRaised), 2, "1 is newer than 4094");
    let mut registers = n.take().into_iter().filter_map(|s| match s.message {
        Message::MapRegister(m) => Some(m.records[0].map_version),
        _ => None,
    });
    assert_eq!(registers.next_back(), Some(1), "registered anew");
}

/// With a locator that tells the versions apart.
fn of_version(version: u16) -> Vec<EidRecord> {
    let locator = rloc(&format!("203.0.113.{version}"), 1);
    vec![EidRecord { map_version: version, ..record("10.1.0.0/16", &[locator]) }]
}

#[test]
fn r175_an_older_version_is_not_registered() {
    let sites = vec![crate::node::site("a", "key-a", &["10.1.0.0/16"])];
    let mut n = Node::new(EngineConfig { trust: trust(), ..map_server(sites.clone()) });
    let register = |n: &mut Node, from: &str, nonce: u64, version: u16| {
        n.hear(from, &signed_register(&register(nonce, of_version(version)), "key-a"));
        let taken = n.take().iter().any(|sent| sent.to == at(from));
        let held = n.engine.registrations().next().and_then(|r| r.locators[0].rloc);
        (taken, held.map(|rloc| rloc.to_string().trim_start_matches("203.0.113.").to_owned()))
    };
    let held = |version: u16| Some(version.to_string());
    let (etr, other) = ("198.51.100.21:4342", "198.51.100.22:4342");
    assert_eq!(register(&mut n, etr, 1, 7), (true, held(7)));
    assert_eq!(register(&mut n, etr, 2, 7), (true, held(7)), "the same again");
    assert_eq!(register(&mut n, etr, 3, 6), (false, held(7)), "silently dropped");
    assert_eq!(n.count(Counter::RegisterRecordsOldVersion), 1);
    assert_eq!(register(&mut n, other, 4, 6), (false, held(7)), "of another ETR of the site, too");
    assert_eq!(register(&mut n, other, 5, 8), (true, held(8)));
    assert_eq!(
        register(&mut n, "192.0.2.9:4342", 6, 6),
        (true, held(6)),
        "who is not trusted has no say in it"
    );
    assert_eq!(register(&mut n, etr, 7, 0), (true, held(0)), "it does without from now on");
    // Without trust versions are just passed on.
    let mut n = Node::new(map_server(sites));
    register(&mut n, etr, 1, 7);
    assert_eq!(register(&mut n, etr, 2, 6), (true, held(6)));
}
