//! Echo-nonce between routers that trust each other (R-094; RFC 9300 section 10.1).

use crate::lab::*;
use crate::packets::*;
use pxtr_dataplane::admission::Nonce;
use pxtr_dataplane::echo::{Awaited, EchoMark, EchoNonce, EchoSaid};
use pxtr_dataplane::feed::{Delta, MapAction, RlocOptions, Target};
use pxtr_dataplane::punt::Punt;
use pxtr_dataplane::trust::Trust;
use pxtr_dataplane::types::VrfId;

const RLOC: &str = "203.0.113.4";
const STRANGER: &str = "203.0.114.4";
const OURS: &str = "198.51.100.2";
const REMOTE: &str = "10.4.0.7";
const HOST: &str = "192.0.2.9";

/// A site of 192.0.2.0/24 that trusts 203.0.113.0/24, where 10.4.0.0/24 is.
fn site() -> Lab {
    let mut lab = Lab::new();
    lab.vrf(0, |vrf| (vrf.pitr, vrf.petr, vrf.xtr) = (false, false, true));
    lab.apply(Delta::LocalEidSet { vrf: VrfId(0), prefix: "192.0.2.0/24".parse().unwrap() });
    lab.map(0, "192.0.2.0/24", MapAction::LocalSite);
    lab.map(0, "10.4.0.0/24", MapAction::Encapsulate(Target::Rloc(RLOC_V4)));
    trust(&mut lab, true);
    lab
}

fn trust(lab: &mut Lab, echo_nonce: bool) {
    let rlocs = Box::new(["203.0.113.0/24".parse().unwrap()]);
    lab.apply(Delta::Trust(Box::new(Trust { rlocs, echo_nonce, ..Trust::default() })));
}

fn mark(lab: &mut Lab, echo: Option<EchoMark>) {
    lab.rloc_with(RLOC_V4, OURS, RLOC, 1500, RlocOptions { echo, ..RlocOptions::default() });
}

fn awaits(lab: &mut Lab, rloc: &str, nonce: u32) {
    let awaited = Awaited { rloc: rloc.parse().unwrap(), nonce: EchoNonce::new(nonce) };
    lab.apply(Delta::Awaited(Box::new([awaited])));
}

/// The LISP header of what goes to the remote site.
fn sent(lab: &mut Lab) -> [u8; 8] {
    let (_, seen) = lab.native(&udp(HOST, REMOTE, 9)).sent();
    seen.lisp().header
}

/// A packet with this LISP header; what control is told.
fn hear(lab: &mut Lab, outer: &str, header: [u8; 8]) -> Vec<EchoSaid> {
    let fate = lab.core(&lisp(outer, OURS, header, &udp(REMOTE, HOST, 9).ip()));
    assert!(matches!(fate, Fate::Tx(NATIVE, _)), "it is forwarded as any other: {fate:?}");
    let said = |punt| match punt {
        Punt::Echo { rloc, said } => {
            assert_eq!(rloc.to_string(), outer);
            said
        }
        other => panic!("{other:?}"),
    };
    lab.punts().into_iter().map(said).collect()
}

#[test]
fn r094_nonces_are_asked_for_and_given_in_what_goes_there() {
    let mut lab = site();
    assert_eq!(sent(&mut lab), [0; 8]);
    mark(&mut lab, Some(EchoMark::Ask(EchoNonce::new(0xAB_CDEF))));
    assert_eq!(sent(&mut lab), [0xA0, 0xAB, 0xCD, 0xEF, 0, 0, 0, 0], "N and E (wire.md section 15)");
    mark(&mut lab, Some(EchoMark::Give(EchoNonce::new(0x12_3456))));
    assert_eq!(sent(&mut lab), [0x80, 0x12, 0x34, 0x56, 0, 0, 0, 0], "N alone");
    mark(&mut lab, None);
    assert_eq!(sent(&mut lab), [0; 8]);
}

#[test]
fn r094_control_is_told_what_headers_say_of_echoes() {
    let (plain, other) = ([0; 8], [0x80, 0, 0, 8, 0, 0, 0, 0]);
    let (echo, wish) = ([0x80, 0, 0, 7, 0, 0, 0, 0], [0xA0, 0, 0, 9, 0, 0, 0, 0]);
    let nonce = EchoNonce::new;
    let mut lab = site();
    // Nothing is awaited.
    assert_eq!(hear(&mut lab, RLOC, plain), []);
    assert_eq!(hear(&mut lab, RLOC, echo), []);
    assert_eq!(hear(&mut lab, RLOC, wish), [EchoSaid::Wanted(nonce(9))]);
    awaits(&mut lab, RLOC, 7);
    lab.advance_ms(200);
    assert_eq!(hear(&mut lab, RLOC, other), [], "a nonce that was not asked for says nothing");
    assert_eq!(
        hear(&mut lab, RLOC, [0x20, 0, 0, 7, 0, 0, 0, 0]),
        [EchoSaid::Missing(nonce(7))],
        "E without N"
    );
    assert_eq!(hear(&mut lab, RLOC, wish), [EchoSaid::Wanted(nonce(9))], "a wish is no lack of an echo");
    assert_eq!(hear(&mut lab, RLOC, echo), [EchoSaid::Given(nonce(7))]);
    // Map-Versions have no room beside a nonce, and are off.
    lab.advance_ms(200);
    assert_eq!(hear(&mut lab, RLOC, [0x10, 0, 0, 7, 0, 0, 0, 0]), [EchoSaid::Missing(nonce(7))]);
    assert_eq!(hear(&mut lab, RLOC, [0x90, 0, 0, 7, 0, 0, 0, 0]), [EchoSaid::Given(nonce(7))], "R-036");
}

#[test]
fn r094_control_is_told_ten_times_a_second_whatever_nonces_there_are_r210() {
    let mut lab = site();
    awaits(&mut lab, RLOC, 7);
    let mut told = 0;
    for nonce in 0..=250 {
        told += hear(&mut lab, RLOC, [0xA0, 0, 0, nonce, 0, 0, 0, 0]).len();
        told += hear(&mut lab, RLOC, [0; 8]).len();
        lab.advance_ms(4);
    }
    assert!((18..=22).contains(&told), "of each kind ten in a second: {told}");
}

#[test]
fn r094_strangers_are_not_heard_and_nobody_is_by_default_r006() {
    let wish = [0xA0, 0, 0, 9, 0, 0, 0, 0];
    let echo = [0x80, 0, 0, 7, 0, 0, 0, 0];
    let mut lab = site();
    awaits(&mut lab, STRANGER, 7);
    for header in [[0; 8], wish, echo] {
        assert_eq!(hear(&mut lab, STRANGER, header), []);
    }
    trust(&mut lab, false);
    awaits(&mut lab, RLOC, 7);
    for header in [[0; 8], wish, echo] {
        assert_eq!(hear(&mut lab, RLOC, header), []);
    }
}

/// Both ways through the worker come to the same, and one that has options is never plain.
#[test]
fn r094_the_express_way_has_the_same_headers_r032() {
    for express in [true, false] {
        let mut lab = Lab::with(|config| config.express = express);
        lab.map(0, "10.4.0.0/24", MapAction::Encapsulate(Target::Rloc(RLOC_V4)));
        lab.nonce(Some(Nonce::new(5)));
        assert_eq!(sent(&mut lab), [0x80, 0, 0, 5, 0, 0, 0, 0], "one that was agreed upon");
        mark(&mut lab, Some(EchoMark::Ask(EchoNonce::new(6))));
        assert_eq!(sent(&mut lab), [0xA0, 0, 0, 6, 0, 0, 0, 0]);
        mark(&mut lab, None);
        assert_eq!(sent(&mut lab), [0; 8]);
    }
}
