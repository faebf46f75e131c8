//! Locator-Status-Bits of our own site (R-095; RFC 9300 sections 10 and 13.1).

use crate::node::*;
use pxtr_control::engine::Counter;
use pxtr_control::engine::config::EngineConfig;
use pxtr_control::engine::event::Event;
use pxtr_dataplane::trust::{MapVersion, Marks, Status, Trust};

const OURS: &str = "10.4.0.0/24";
const SECOND: &str = "203.0.113.9";

/// A site with two locators, the second of which comes first in Map-Replies.
fn site() -> EngineConfig {
    let rlocs = Box::new([net("198.51.100.0/24")]);
    let mut config =
        EngineConfig { trust: Trust { rlocs, status_bits: true, ..Trust::default() }, ..xtr(&[OURS]) };
    config.database[0].locators.push(locator(SECOND, 1, 100));
    config
}

fn goes(n: &mut Node, rloc: &str, up: bool) {
    n.step(Event::SiteLocator { rloc: ip(rloc), up });
}

/// What the data plane was told last of our mapping.
fn said(n: &Node) -> Option<(u32, u32)> {
    let (prefix, marks) = n.marks.last().expect("something");
    assert_eq!(*prefix, eid(OURS));
    marks.status.map(|Status { bits, known }| (bits, known))
}

#[test]
fn r095_bits_say_which_locators_of_the_site_are_up_in_the_order_of_map_replies() {
    let mut n = Node::new(site());
    assert_eq!(said(&n), Some((0b11, 0b11)));
    goes(&mut n, SECOND, false);
    assert_eq!(said(&n), Some((0b10, 0b11)));
    goes(&mut n, US, false);
    assert_eq!(said(&n), Some((0b00, 0b11)));
    goes(&mut n, SECOND, true);
    assert_eq!(said(&n), Some((0b01, 0b11)));
    let told = n.marks.len();
    goes(&mut n, SECOND, true);
    goes(&mut n, "203.0.113.99", false);
    assert_eq!((n.marks.len(), n.count(Counter::SiteLocatorsChanged)), (told, 4), "no news of this mapping");
}

#[test]
fn r095_by_default_nothing_is_said_and_what_is_down_is_known_when_it_begins() {
    let mut n = Node::new(EngineConfig { trust: Trust::default(), ..site() });
    goes(&mut n, SECOND, false);
    assert_eq!(n.marks, []);
    n.reconfigure(site());
    assert_eq!(said(&n), Some((0b10, 0b11)));
    n.reconfigure(EngineConfig {
        trust: Trust { map_versions: true, status_bits: false, ..site().trust },
        ..site()
    });
    assert_eq!(n.marks.last(), Some(&(eid(OURS), Marks::default())));
}

#[test]
fn r095_after_a_change_of_the_locators_nothing_is_said_for_five_minutes() {
    let mut n = Node::new(site());
    let mut config = site();
    config.database[0].locators[1].priority = 2;
    n.reconfigure(config.clone());
    assert_eq!(said(&n), Some((0b11, 0b11)), "priorities move no locator");
    config.database[0].locators.push(locator("203.0.113.200", 1, 100));
    n.reconfigure(config.clone());
    assert_eq!(said(&n), None);
    goes(&mut n, US, false);
    n.pass(299_000);
    assert_eq!(said(&n), None);
    n.pass(1_100);
    assert_eq!(said(&n), Some((0b101, 0b111)));
    // With a new version, too: not everybody has to look at versions.
    config.trust.map_versions = true;
    config.database[0].map_version = MapVersion::new(2);
    config.database[0].locators.pop();
    n.reconfigure(config);
    assert_eq!(said(&n), None);
    assert_eq!(n.marks.last().map(|(_, marks)| marks.version), Some(MapVersion::new(2)));
    n.pass(300_100);
    assert_eq!(said(&n), Some((0b01, 0b11)));
}
