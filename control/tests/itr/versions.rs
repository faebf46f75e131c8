//! Map-Versions at an ITR (R-098, R-099; RFC 9302 sections 6 and 7.2).

use crate::world::*;
use pxtr_control::codec::EidRecord;
use pxtr_control::engine::Counter;
use pxtr_control::engine::config::EngineConfig;
use pxtr_control::engine::event::{Action, Event};
use pxtr_dataplane::trust::{MapVersion, Marks, Said, Trust};

const A: (&str, u8, u8) = ("198.51.100.1", 1, 50);
const B: (&str, u8, u8) = ("198.51.100.2", 1, 50);

/// Who trusts 198.51.100.0/24.
fn trusting() -> EngineConfig {
    let rlocs = Box::new([net("198.51.100.0/24")]);
    EngineConfig { trust: Trust { rlocs, map_versions: true, ..Trust::default() }, ..pitr() }
}

fn versioned(version: u16, locator: (&str, u8, u8)) -> EidRecord {
    EidRecord { map_version: version, ..record("10.1.2.0/24", 1440, &[locator]) }
}

fn marks(version: u16) -> Action {
    let marks = Marks { version: MapVersion::new(version), ..Marks::default() };
    Action::Marks { eid: eid("10.1.2.0/24"), marks }
}

/// A packet of 10.1.2.3 had this version of its source.
fn heard(w: &mut World, rloc: &str, version: u16) {
    let said = Said::SourceNewer(MapVersion::new(version));
    w.step(Event::Header { eid: eid("10.1.2.3/32"), rloc: ip(rloc), said });
}

#[test]
fn the_data_plane_is_told_versions_of_mappings_r099() {
    let mut w = World::new(trusting());
    let install = install("10.1.2.0/24", &[A]);
    assert_eq!(w.learn("10.1.2.3", vec![versioned(7, A)]), [install, marks(7)]);
    w.pass(2_000);
    heard(&mut w, A.0, 8);
    let nonce = w.request().message.nonce;
    w.reply(nonce, vec![versioned(8, A)]);
    assert_eq!(w.take(), [marks(8)], "the same locators under another version");
    w.pass(4_000);
    heard(&mut w, A.0, 9);
    let nonce = w.request().message.nonce;
    w.reply(nonce, vec![versioned(0, A)]);
    assert_eq!(w.take(), [marks(0)], "it has none any more");
}

#[test]
fn without_trust_nothing_is_said_or_heard_r006() {
    let mut w = World::new(pitr());
    assert_eq!(w.learn("10.1.2.3", vec![versioned(7, A)]), [install("10.1.2.0/24", &[A])]);
    w.pass(2_000);
    heard(&mut w, A.0, 8);
    assert!(w.requests().is_empty());
    w.reconfigure(trusting());
    assert_eq!(w.take(), [marks(7)], "what is known is told when trust begins");
    w.reconfigure(trusting());
    assert_eq!(w.take(), [], "once");
}

#[test]
fn a_newer_version_of_the_source_makes_us_ask_r098() {
    let mut w = World::new(trusting());
    w.learn("10.1.2.3", vec![versioned(4095, A)]);
    w.pass(2_000);
    heard(&mut w, "203.0.113.77", 1);
    heard(&mut w, A.0, 4095);
    heard(&mut w, A.0, 4094);
    assert!(w.requests().is_empty(), "a stranger, the same, an older one");
    heard(&mut w, A.0, 1);
    let request = w.request();
    assert_eq!(request.prefix(), eid("10.1.2.0/24"));
    assert_eq!(w.take(), [], "it changes nothing by itself (R-210)");
    w.reply(request.message.nonce, vec![versioned(1, B)]);
    assert_eq!(w.take(), [install("10.1.2.0/24", &[B]), marks(1)]);
    heard(&mut w, B.0, 1);
    assert!(w.requests().is_empty());
    assert_eq!(w.count(Counter::MapVersionsNewerSource), 1);
}

#[test]
fn a_flood_of_versions_is_one_request_in_three_seconds_r098_r210() {
    let mut w = World::new(trusting());
    w.learn("10.1.2.3", vec![versioned(7, A)]);
    w.pass(5_000);
    for version in 8..1_000 {
        heard(&mut w, A.0, version);
    }
    let request = w.request();
    w.reply(request.message.nonce, vec![versioned(7, A)]);
    for version in 8..1_000 {
        heard(&mut w, A.0, version);
    }
    w.pass(2_900);
    assert!(w.requests().is_empty(), "not within 3 s");
    heard(&mut w, "198.51.100.1", 8);
    w.pass(1_000);
    assert_eq!(w.requests().len(), 1);
}

#[test]
fn no_version_is_compared_with_none_r098() {
    let mut w = World::new(trusting());
    w.learn("10.1.2.3", vec![versioned(0, A)]);
    w.pass(2_000);
    heard(&mut w, A.0, 8);
    assert!(w.requests().is_empty());
}
