//! Locator-Status-Bits at an ITR (R-095, R-210; RFC 9300 sections 10 and 13.1).

use crate::world::*;
use pxtr_control::codec::{MapReply, Message};
use pxtr_control::engine::Counter;
use pxtr_control::engine::config::EngineConfig;
use pxtr_control::engine::event::{Action, Event};
use pxtr_control::engine::views::LocatorStatus;
use pxtr_dataplane::trust::{Marks, Said, Status, Trust};

const A: (&str, u8, u8) = ("198.51.100.1", 1, 50);
const B: (&str, u8, u8) = ("198.51.100.2", 1, 50);
const C: (&str, u8, u8) = ("198.51.100.3", 2, 50);
const EID: &str = "10.1.2.0/24";

/// Who trusts 198.51.100.0/24 and probes once a minute.
fn trusting() -> EngineConfig {
    let rlocs = Box::new([net("198.51.100.0/24")]);
    let mut config = EngineConfig { trust: Trust { rlocs, status_bits: true, ..Trust::default() }, ..pitr() };
    config.limits.probe_interval_ms = 60_000;
    config
}

/// What the workers are to have of 10.1.2.0/24.
fn marks(prefix: &str, bits: u32, known: u32) -> Action {
    let marks = Marks { status: Some(Status { bits, known }), ..Marks::default() };
    Action::Marks { eid: eid(prefix), marks }
}

/// A packet of this host came from this RLOC with these bits.
fn heard_of(w: &mut World, host: &str, rloc: &str, bits: u32) {
    let said = Said::SourceStatus(Status { bits, known: u32::MAX });
    w.step(Event::Header { eid: eid(host), rloc: ip(rloc), said });
}

fn heard(w: &mut World, rloc: &str, bits: u32) {
    heard_of(w, "10.1.2.3/32", rloc, bits);
}

fn known(locators: &[(&str, u8, u8)]) -> World {
    let mut w = World::new(trusting());
    w.learn("10.1.2.3", vec![record(EID, 1440, locators)]);
    answer_probes(&mut w, locators);
    w
}

/// Lets the first probes be answered, the next ones are a minute away.
fn answer_probes(w: &mut World, locators: &[(&str, u8, u8)]) {
    w.pass(5_000);
    for request in w.requests() {
        answer(w, &request, locators);
    }
    w.pass(2_000);
    w.take();
}

fn answer(w: &mut World, probe: &Request, locators: &[(&str, u8, u8)]) {
    let mut records = vec![record(EID, 1440, locators)];
    let all = records.iter_mut().flat_map(|record| &mut record.locators);
    all.for_each(|l| l.probed = l.address.rloc() == Some(probe.to.ip()));
    let nonce = probe.message.nonce;
    w.receive(&Message::MapReply(MapReply {
        probe: true,
        echo_nonce: false,
        nonce,
        records,
        security: None,
    }));
}

#[test]
fn a_locator_that_its_site_says_is_down_is_not_used_until_it_says_otherwise_r095() {
    let mut w = World::new(trusting());
    let learnt = w.learn("10.1.2.3", vec![record(EID, 1440, &[A, B])]);
    assert_eq!(learnt, [install(EID, &[A, B]), marks(EID, 0b11, 0b11)]);
    answer_probes(&mut w, &[A, B]);
    heard(&mut w, B.0, 0b10);
    assert_eq!(w.take(), [state(A.0, false), marks(EID, 0b10, 0b11)], "at once");
    let view = w.engine.rlocs().into_iter().find(|view| view.rloc == ip(A.0)).expect("there");
    assert_eq!(view.status, LocatorStatus::SaidDown);
    let probe = w.request();
    assert!(probe.message.probe && probe.to.ip() == ip(A.0), "and it is probed");
    // That its RLOC answers says nothing of what is behind it (RFC 9300 section 10).
    answer(&mut w, &probe, &[A, B]);
    assert_eq!(w.take(), []);
    w.pass(1_000);
    heard(&mut w, B.0, 0b11);
    assert_eq!(w.take(), [state(A.0, true), marks(EID, 0b11, 0b11)]);
    assert_eq!(w.count(Counter::StatusBitsHeeded), 2);
}

#[test]
fn only_a_trusted_router_of_the_site_is_heard_r095_r006_r210() {
    let mut w = known(&[A, B]);
    heard(&mut w, "203.0.113.66", 0b10);
    assert_eq!(w.take(), [], "a stranger");
    heard(&mut w, "198.51.100.66", 0b10);
    assert_eq!((w.take(), w.count(Counter::StatusBitsForeign)), (vec![], 1), "another site's router");
    heard_of(&mut w, "10.9.9.9/32", A.0, 0b10);
    assert_eq!(w.take(), [], "of a source that is not known");
    let mut w = World::new(pitr());
    let learnt = w.learn("10.1.2.3", vec![record(EID, 1440, &[A, B])]);
    assert_eq!(learnt, [install(EID, &[A, B])], "by default nothing is listened to");
    heard(&mut w, B.0, 0b10);
    assert_eq!(w.take(), []);
}

#[test]
fn the_last_locator_stays_in_use_r095_r210() {
    let mut w = known(&[A, B]);
    heard(&mut w, A.0, 0);
    assert_eq!(w.take(), [state(A.0, false), marks(EID, 0, 0b11)], "both are said to be down");
    assert_eq!(w.count(Counter::StatusBitsLastLocator), 1);
    assert_eq!(w.requests().len(), 2, "both are probed");
    // A change over from one to the other in one word.
    w.pass(1_000);
    heard(&mut w, A.0, 0b01);
    assert_eq!(w.take(), [state(A.0, true), state(B.0, false), marks(EID, 0b01, 0b11)]);
    let mut w = known(&[A]);
    heard(&mut w, A.0, 0);
    assert_eq!(w.take(), [marks(EID, 0, 1)]);
}

#[test]
fn a_locator_changes_once_a_second_and_what_is_put_off_is_heard_again_r095_r210() {
    let mut w = known(&[A, B]);
    heard(&mut w, B.0, 0b10);
    assert_eq!(w.take(), [state(A.0, false), marks(EID, 0b10, 0b11)]);
    for bits in [0b11, 0b10, 0b11] {
        heard(&mut w, B.0, bits);
        assert!(matches!(w.take()[..], [Action::Marks { .. }]));
    }
    assert_eq!(w.count(Counter::StatusBitsLimited), 2);
    w.pass(1_000);
    heard(&mut w, B.0, 0b11);
    assert_eq!(w.take(), [state(A.0, true), marks(EID, 0b11, 0b11)]);
    // All sites together.
    let mut w = known(&[A, B]);
    heard(&mut w, B.0, 0b10);
    w.take();
    for _ in 0..300 {
        heard(&mut w, B.0, 0b11);
    }
    assert!(w.take().len() < 100, "what is refused is not even answered");
}

#[test]
fn bits_are_those_of_the_map_reply_and_of_locators_that_count_r095() {
    // Ours comes first in the answer, and is ignored as a locator; the last one is not for unicast.
    let mut w = World::new(trusting());
    let locators = [(OUR_V4, 1, 50), A, B, ("198.51.100.9", 255, 0)];
    let learnt = w.learn("10.1.2.3", vec![record(EID, 1440, &locators)]);
    assert_eq!(learnt, [install(EID, &[A, B]), marks(EID, 0b0110, 0b0110)]);
    heard(&mut w, A.0, 0b0010);
    assert_eq!(w.take(), [state(B.0, false), marks(EID, 0b0010, 0b0110)]);
    // A mapping with other locators begins with what is known of them.
    w.learn("10.1.3.3", vec![record("10.1.3.0/24", 1440, &[B, C])]);
    w.pass(1_000);
    heard_of(&mut w, "10.1.3.3/32", C.0, 0b11);
    assert_eq!(w.take(), [state(B.0, true), marks("10.1.3.0/24", 0b11, 0b11)]);
}

#[test]
fn a_mapping_without_another_locator_is_asked_for_and_what_was_said_is_forgotten_r095() {
    let mut w = known(&[A, B]);
    heard(&mut w, B.0, 0b10);
    w.pass(500);
    w.requests();
    w.take();
    w.step(Event::UnderlayChanged { rloc: ip(B.0), reachable: false });
    w.pass(100);
    let asked = w.requests().into_iter().find(|request| !request.message.probe).expect("asked for");
    assert_eq!(w.take(), [state(B.0, false)]);
    w.reply(asked.message.nonce, vec![record(EID, 1440, &[A, B])]);
    assert_eq!(w.take(), [state(A.0, true)], "better one that was said to be down than none");
}

#[test]
fn trust_that_ends_takes_back_what_it_did_r095() {
    let mut w = known(&[A, B]);
    heard(&mut w, B.0, 0b10);
    w.take();
    w.reconfigure(EngineConfig { trust: Trust::default(), ..trusting() });
    assert_eq!(w.take(), [state(A.0, true)]);
    w.reconfigure(trusting());
    assert_eq!(w.take(), [marks(EID, 0b11, 0b11)], "it begins anew");
}
