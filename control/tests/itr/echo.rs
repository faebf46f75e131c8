//! Echo-nonce at an xTR (R-094; RFC 9300 section 10.1).

use crate::world::*;
use pxtr_control::codec::{Address, EidRecord, MapReply, Message};
use pxtr_control::engine::Counter;
use pxtr_control::engine::config::{EngineConfig, Limits};
use pxtr_control::engine::event::{Action, Event};
use pxtr_control::engine::views::LocatorStatus;
use pxtr_dataplane::echo::{EchoMark, EchoNonce, EchoSaid};
use pxtr_dataplane::trust::Trust;

const A: (&str, u8, u8) = ("198.51.100.1", 1, 50);
const B: (&str, u8, u8) = ("198.51.100.2", 2, 50);
const STRANGER: (&str, u8, u8) = ("203.0.113.77", 1, 50);
const WAIT: u64 = 500;
const INTERVAL: u64 = 2_000;

/// A site that trusts 198.51.100.0/24 and probes once a minute.
fn trusting() -> EngineConfig {
    let rlocs = Box::new([net("198.51.100.0/24")]);
    EngineConfig {
        trust: Trust { rlocs, echo_nonce: true, ..Trust::default() },
        limits: Limits {
            probe_interval_ms: 60_000,
            echo_interval_ms: INTERVAL as u32,
            echo_wait_ms: WAIT as u32,
            lookups_per_source_per_second: 10_000,
            ..Limits::default()
        },
        ..xtr()
    }
}

/// Learns a mapping from a router that says whether it echoes.
fn learn(w: &mut World, records: Vec<EidRecord>, echo_nonce: bool) {
    let eid = records[0].eid_prefix().expect("an IP EID").prefix.addr();
    w.miss(&eid.to_string());
    let asked = w.requests().into_iter().find(|r| !r.message.probe).expect("asked");
    let nonce = asked.message.nonce;
    w.receive(&Message::MapReply(MapReply { echo_nonce, ..MapReply::new(nonce, records) }));
    w.take();
}

fn site(locators: &[(&str, u8, u8)]) -> Vec<EidRecord> {
    vec![record("10.1.2.0/24", 1440, locators)]
}

fn world(locators: &[(&str, u8, u8)]) -> World {
    let mut w = World::new(trusting());
    learn(&mut w, site(locators), true);
    w
}

fn said(w: &mut World, rloc: &str, said: EchoSaid, sent: u64) {
    w.step(Event::Echo { rloc: ip(rloc), said, sent });
}

fn echo(rloc: &str, mark: Option<EchoMark>, awaited: Option<EchoNonce>) -> Action {
    Action::Echo { rloc: ip(rloc), mark, awaited }
}

/// What was done, and not about the other locator of the site.
fn take(w: &mut World) -> Vec<Action> {
    let of_b = |action: &Action| matches!(action, Action::Echo { rloc, .. } if *rloc == ip(B.0));
    w.take().into_iter().filter(|action| !of_b(action)).collect()
}

/// Waits for the next round; its nonce.
fn asked(w: &mut World, rloc: &str) -> EchoNonce {
    let end = w.now.plus_ms(2 * INTERVAL);
    while w.now < end {
        w.pass(10);
        answer_all(w);
        for action in w.take() {
            if let Action::Echo { rloc: of, mark: Some(EchoMark::Ask(nonce)), awaited } = action
                && of == ip(rloc)
            {
                assert_eq!(awaited, Some(nonce));
                return nonce;
            }
        }
    }
    panic!("{rloc} was not asked");
}

/// Packets come without the echo while others go there, for longer than it may take.
fn silence(w: &mut World, rloc: &str, nonce: EchoNonce) {
    for sent in 0..=(WAIT / 100 + 2) {
        said(w, rloc, EchoSaid::Missing(nonce), 70 + sent);
        w.pass(100);
    }
}

fn answer_probe(w: &mut World, rloc: &str) {
    let probe =
        w.requests().into_iter().rfind(|r| r.message.probe && r.to.ip() == ip(rloc)).expect("a probe");
    let mut records = site(&[A, B]);
    for locator in records.iter_mut().flat_map(|r| &mut r.locators) {
        locator.probed = locator.address == Address::Ip(ip(rloc));
    }
    let reply = MapReply { probe: true, echo_nonce: true, ..MapReply::new(probe.message.nonce, records) };
    w.receive_from(rloc, &Message::MapReply(reply));
}

#[test]
fn r094_an_echo_ends_the_round_and_the_next_one_has_another_nonce() {
    let mut w = world(&[A]);
    let first = asked(&mut w, A.0);
    said(&mut w, A.0, EchoSaid::Missing(first), 5);
    w.pass(20);
    said(&mut w, A.0, EchoSaid::Given(first), 9);
    assert_eq!(w.take(), [echo(A.0, None, None)]);
    said(&mut w, A.0, EchoSaid::Given(first), 9);
    let began = w.now;
    let second = asked(&mut w, A.0);
    let pause = w.now.since(began);
    assert!(second != first && (1_800..=2_210).contains(&pause), "{pause} ms later");
    assert_eq!((w.count(Counter::EchoesAsked), w.count(Counter::EchoesReceived)), (2, 1));
    let view = w.engine.rlocs().remove(0).echo.expect("it echoes");
    assert!(view.asking && view.answered_ago_ms.is_some());
}

#[test]
fn r094_data_without_the_echo_is_down_and_the_answer_to_a_probe_is_up_again_r093() {
    let mut w = world(&[A, B]);
    let nonce = asked(&mut w, A.0);
    w.requests();
    let began = w.now;
    silence(&mut w, A.0, nonce);
    let got = take(&mut w);
    assert_eq!(got, [state(A.0, false), echo(A.0, None, None)]);
    assert!(w.now.since(began) <= WAIT + 300);
    let view = w.engine.rlocs().remove(0);
    assert_eq!(view.status, LocatorStatus::NoEcho);
    // What still says that it is missing changes nothing, and neither does an echo that comes late.
    said(&mut w, A.0, EchoSaid::Missing(nonce), 99);
    said(&mut w, A.0, EchoSaid::Given(nonce), 99);
    assert_eq!(w.engine.rlocs()[0].status, LocatorStatus::NoEcho);
    answer_probe(&mut w, A.0);
    assert!(w.take().contains(&state(A.0, true)));
    assert_eq!(w.count(Counter::EchoesMissing), 1);
}

/// RFC 9300 section 10.1: with traffic one way there is no conclusion; RLOC-probes decide.
#[test]
fn r094_one_way_traffic_proves_nothing() {
    let mut w = world(&[A]);
    let nonce = asked(&mut w, A.0);
    w.pass(2 * WAIT + 10);
    assert_eq!(w.take(), [echo(A.0, None, None)], "nothing comes: the round ends");
    said(&mut w, A.0, EchoSaid::Missing(nonce), 9);
    let nonce = asked(&mut w, A.0);
    for _ in 0..40 {
        // Packets come, none goes.
        said(&mut w, A.0, EchoSaid::Missing(nonce), 9);
        w.pass(100);
    }
    let ups =
        |w: &mut World| w.take().into_iter().filter(|a| matches!(a, Action::LocatorState { .. })).count();
    assert_eq!(ups(&mut w), 0);
    assert!(w.count(Counter::EchoesUndecided) >= 2);
    assert_eq!(w.count(Counter::EchoesMissing), 0);
}

/// What was on its way when the round began is no sign, and neither is what comes before an echo may be there.
#[test]
fn r094_an_echo_may_take_its_time() {
    let mut w = world(&[A]);
    let nonce = asked(&mut w, A.0);
    for sent in 0..4 {
        said(&mut w, A.0, EchoSaid::Missing(nonce), sent);
        w.pass(100);
    }
    assert_eq!(w.take(), []);
    said(&mut w, A.0, EchoSaid::Given(nonce), 9);
    assert_eq!(w.take(), [echo(A.0, None, None)]);
}

#[test]
fn r094_forged_echoes_change_nothing() {
    let mut w = world(&[A]);
    let nonce = asked(&mut w, A.0);
    let other = EchoNonce::new(nonce.get() ^ 1);
    said(&mut w, A.0, EchoSaid::Given(other), 9);
    said(&mut w, STRANGER.0, EchoSaid::Given(nonce), 9);
    said(&mut w, B.0, EchoSaid::Given(nonce), 9);
    for sent in 0..20 {
        said(&mut w, A.0, EchoSaid::Missing(other), sent);
        said(&mut w, STRANGER.0, EchoSaid::Missing(nonce), sent);
        said(&mut w, STRANGER.0, EchoSaid::Wanted(nonce), sent);
        w.pass(40);
    }
    assert_eq!(w.take(), []);
    assert_eq!(w.count(Counter::EchoesReceived), 0);
}

#[test]
fn r094_only_those_are_asked_who_are_trusted_and_say_that_they_echo_r006() {
    for (says, locator) in [(false, A), (true, STRANGER)] {
        let mut w = World::new(trusting());
        learn(&mut w, site(&[locator]), says);
        w.pass(3 * INTERVAL);
        assert_eq!((w.take(), w.count(Counter::EchoesAsked)), (vec![], 0));
    }
    let mut w = World::new(xtr());
    learn(&mut w, site(&[A]), true);
    said(&mut w, A.0, EchoSaid::Wanted(EchoNonce::new(7)), 9);
    w.pass(3 * INTERVAL);
    assert_eq!((w.take(), w.count(Counter::EchoesAsked)), (vec![], 0), "off by default");
}

#[test]
fn r094_what_is_wanted_is_given_for_a_while() {
    let mut w = World::new(trusting());
    learn(&mut w, site(&[A]), false);
    let give = |nonce| echo(A.0, Some(EchoMark::Give(EchoNonce::new(nonce))), None);
    said(&mut w, A.0, EchoSaid::Wanted(EchoNonce::new(7)), 0);
    assert_eq!(w.take(), [give(7)]);
    w.pass(2_000);
    said(&mut w, A.0, EchoSaid::Wanted(EchoNonce::new(7)), 0);
    w.pass(2_000);
    assert_eq!(w.take(), [], "it is wanted on");
    said(&mut w, A.0, EchoSaid::Wanted(EchoNonce::new(8)), 0);
    assert_eq!(w.take(), [give(8)], "the last one");
    w.pass(3_100);
    assert_eq!(w.take(), [echo(A.0, None, None)]);
    assert_eq!(w.count(Counter::EchoesGiven), 2);
    for nonce in 0..5_000 {
        said(&mut w, A.0, EchoSaid::Wanted(EchoNonce::new(nonce)), 0);
    }
    assert!(w.take().len() <= 1_001 && w.count(Counter::EchoesNotGiven) >= 3_999, "R-210");
}

/// A site's router may send from one locator while we send to another one of its site.
#[test]
fn r094_the_echo_goes_to_all_locators_of_the_site() {
    let mut w = World::new(trusting());
    learn(&mut w, site(&[A, B]), false);
    let give = |rloc: &str| echo(rloc, Some(EchoMark::Give(EchoNonce::new(7))), None);
    said(&mut w, A.0, EchoSaid::Wanted(EchoNonce::new(7)), 0);
    let mut got = w.take();
    got.sort_by_key(|action| format!("{action:?}"));
    assert_eq!(got, [give(A.0), give(B.0)]);
    w.pass(3_100);
    assert_eq!(w.take().len(), 2, "both end");
}

/// Both ask at the same time: who is asked puts his own round off, and gives.
#[test]
fn r094_two_that_ask_each_other_both_get_their_echo() {
    let mut w = world(&[A]);
    let ours = asked(&mut w, A.0);
    let theirs = EchoNonce::new(0xABC);
    said(&mut w, A.0, EchoSaid::Wanted(theirs), 5);
    assert_eq!(take(&mut w), [echo(A.0, Some(EchoMark::Give(theirs)), Some(ours))]);
    // Meanwhile the lack of ours proves nothing.
    for sent in 0..3 {
        said(&mut w, A.0, EchoSaid::Missing(ours), 10 + sent);
        said(&mut w, A.0, EchoSaid::Wanted(theirs), 10);
        w.pass(50);
    }
    assert_eq!(take(&mut w), []);
    w.pass(WAIT);
    assert_eq!(take(&mut w), [echo(A.0, Some(EchoMark::Ask(ours)), Some(ours))], "the round goes on");
    said(&mut w, A.0, EchoSaid::Wanted(theirs), 15);
    assert_eq!(take(&mut w), [], "and is not put off again at once");
    said(&mut w, A.0, EchoSaid::Given(ours), 20);
    assert_eq!(take(&mut w), [echo(A.0, Some(EchoMark::Give(theirs)), None)]);
    assert_eq!(w.count(Counter::EchoesReceived), 1);
}

/// What is put off still takes its echo.
#[test]
fn r094_the_echo_may_come_while_the_round_is_put_off() {
    let mut w = world(&[A]);
    let ours = asked(&mut w, A.0);
    let theirs = EchoNonce::new(0xABC);
    said(&mut w, A.0, EchoSaid::Wanted(theirs), 5);
    said(&mut w, A.0, EchoSaid::Given(ours), 6);
    assert_eq!(w.take().pop(), Some(echo(A.0, Some(EchoMark::Give(theirs)), None)));
    assert_eq!(w.count(Counter::EchoesReceived), 1);
}

/// Probes get through, data does not: up for a moment at first, then down for longer and longer.
#[test]
fn r094_probes_do_not_override_for_ever() {
    let mut config = trusting();
    config.limits.probe_interval_ms = 1_000;
    let mut w = World::new(config);
    learn(&mut w, site(&[A, B]), true);
    let mut down_for = Vec::new();
    for _ in 0..4 {
        let nonce = loop {
            let nonce = w.take().into_iter().find_map(|action| match action {
                Action::Echo { rloc, mark: Some(EchoMark::Ask(nonce)), .. } if rloc == ip(A.0) => Some(nonce),
                _ => None,
            });
            if let Some(nonce) = nonce {
                break nonce;
            }
            w.pass(50);
            answer_all(&mut w);
        };
        while w.engine.rlocs()[0].status == LocatorStatus::Up {
            let sent = w.now.0;
            said(&mut w, A.0, EchoSaid::Missing(nonce), sent);
            w.pass(50);
            answer_all(&mut w);
            if w.take().contains(&state(A.0, false)) {
                break;
            }
        }
        let since = w.now;
        while w.engine.rlocs()[0].status != LocatorStatus::Up {
            w.pass(50);
            answer_all(&mut w);
        }
        down_for.push(w.now.since(since));
    }
    let at_least = [0, 2 * INTERVAL, 4 * INTERVAL, 8 * INTERVAL];
    for (down, least) in down_for.iter().zip(at_least) {
        assert!((least.saturating_sub(100)..least + 1_500).contains(down), "{down_for:?}");
    }
}

/// Answers the probes that were sent.
fn answer_all(w: &mut World) {
    for probe in w.requests().into_iter().filter(|r| r.message.probe) {
        let mut records = site(&[A, B]);
        for locator in records.iter_mut().flat_map(|r| &mut r.locators) {
            locator.probed = locator.address == Address::Ip(probe.to.ip());
        }
        let reply = MapReply { probe: true, echo_nonce: true, ..MapReply::new(probe.message.nonce, records) };
        w.receive_from(&probe.to.ip().to_string(), &Message::MapReply(reply));
    }
}

#[test]
fn r094_what_is_no_longer_trusted_or_used_is_forgotten() {
    let mut w = world(&[A]);
    let nonce = asked(&mut w, A.0);
    silence(&mut w, A.0, nonce);
    w.take();
    w.reconfigure(EngineConfig { trust: Trust::default(), ..trusting() });
    assert_eq!(w.take(), [state(A.0, true)], "nothing would take it up again");
    w.pass(3 * INTERVAL);
    assert_eq!(w.count(Counter::EchoesAsked), 1);
    let mut w = world(&[A]);
    asked(&mut w, A.0);
    w.step(Event::ClearMapCache(None));
    assert!(w.take().contains(&echo(A.0, None, None)));
    assert!(w.engine.rlocs().is_empty());
}

#[test]
fn r094_so_many_are_asked_at_a_time() {
    let mut config = trusting();
    config.trust.rlocs = Box::new([net("198.51.100.0/23")]);
    let mut w = World::new(config);
    for i in 0..250 {
        let (a, b) = (format!("198.51.100.{i}"), format!("198.51.101.{i}"));
        learn(&mut w, vec![record(&format!("10.1.{i}.0/24"), 1440, &[(&a, 1, 1), (&b, 1, 1)])], true);
    }
    let mut most = 0;
    for _ in 0..100 {
        w.pass(100);
        most = most.max(w.engine.rlocs().iter().filter(|r| r.echo.is_some_and(|echo| echo.asking)).count());
    }
    let rounds = w.count(Counter::EchoesAsked);
    assert!((80..=121).contains(&most) && (900..=1_020).contains(&rounds), "{most}, {rounds} in ten seconds");
}
