//! Policers of a VRF and of its sites.

use crate::lab::*;
use crate::packets::*;
use pxtr_dataplane::feed::Delta;
use pxtr_dataplane::policer::{Policer, Rate, Reservoirs, Unit, VrfPolicers};
use pxtr_dataplane::types::{PolicerId, VrfId};
use pxtr_dataplane::verdict::DropReason::Policed;

fn policer(id: u32, rate: Rate) -> Policer {
    Policer::new(PolicerId(id), rate, &Reservoirs::default())
}

fn packets(per_second: u64, burst: u64) -> Rate {
    Rate { per_second, burst, unit: Unit::Packets }
}

/// VRF 1 may send ten packets a second, five at once; the default VRF what it likes.
fn lab(express: bool) -> Lab {
    let mut lab = Lab::with(|config| config.express = express);
    let policers = VrfPolicers::new(vec![(policer(3, packets(10, 5)), None)]);
    lab.apply(Delta::Policers(VrfId(1), Some(Box::new(policers))));
    lab
}

fn red(lab: &mut Lab) -> bool {
    let frame = udp("192.0.2.9", "10.4.0.7", 30).frame(OUR_MAC[2], TENANT_MAC);
    match lab.receive(TENANT, &frame) {
        Fate::Tx(CORE, _) => true,
        Fate::Dropped(Policed) => false,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_tenant_is_held_to_its_rate_and_the_others_are_not() {
    for express in [true, false] {
        let mut lab = lab(express);
        let mut passed = 0;
        // Ten seconds at a hundred packets a second each.
        for _ in 0..1000 {
            passed += u64::from(red(&mut lab));
            let frame = udp("192.0.2.9", "10.4.0.7", 30).frame(OUR_MAC[0], HOST_MAC);
            assert!(matches!(lab.receive(NATIVE, &frame), Fate::Tx(CORE, _)));
            lab.advance_ms(10);
        }
        assert_eq!(passed, 104, "a burst of 5, and 10 a second for 9.99 seconds");
        let counters = lab.worker().replica().traffic().policer(PolicerId(3)).unwrap();
        let len = 20 + 8 + 30;
        assert_eq!(counters.passed.read(), (104, 104 * len));
        assert_eq!(counters.dropped.read(), (896, 896 * len));
        let traffic = lab.worker().replica().traffic();
        assert_eq!(traffic.vrf(VrfId(1)).unwrap().dropped.get(), 896);
        assert_eq!(traffic.vrf(VrfId(0)).unwrap().dropped.get(), 0);
        assert_eq!(lab.snapshot().dropped(Policed), 896);
    }
}

#[test]
fn what_comes_out_of_lisp_has_a_bucket_of_its_own() {
    for express in [true, false] {
        let mut lab = lab(express);
        while red(&mut lab) {}
        let inner = udp("10.4.0.7", "192.0.2.9", 12);
        let data = lisp("203.0.113.4", "198.51.100.2", instance(101), &inner.ip());
        let frame = data.frame(OUR_MAC[1], CORE_MAC);
        let passed = (0..20).filter(|_| matches!(lab.receive(CORE, &frame), Fate::Tx(TENANT, _))).count();
        assert_eq!((passed, lab.snapshot().dropped(Policed)), (5, 1 + 15));
        // The other tenant's packets of the same core, to the same address of ours.
        let data = lisp("203.0.113.4", "198.51.100.2", instance(0), &inner.ip());
        let frame = data.frame(OUR_MAC[1], CORE_MAC);
        assert!((0..50).all(|_| matches!(lab.receive(CORE, &frame), Fate::Tx(NATIVE, _))));
    }
}

#[test]
fn a_flood_of_misses_is_held_before_it_fills_the_hold_table() {
    let mut lab = lab(true);
    let policers = VrfPolicers::new(vec![(policer(3, packets(10, 5)), None)]);
    lab.apply(Delta::Policers(VrfId(0), Some(Box::new(policers))));
    for host in 1..=20 {
        let frame = udp("192.0.2.9", &format!("10.77.0.{host}"), 30).frame(OUR_MAC[0], HOST_MAC);
        let fate = lab.receive(NATIVE, &frame);
        assert_eq!(fate, if host <= 5 { Fate::Held } else { Fate::Dropped(Policed) }, "{host}");
    }
}

#[test]
fn what_is_for_us_is_not_policed() {
    let mut lab = lab(true);
    while red(&mut lab) {}
    let ping = udp("192.0.2.9", "192.0.2.1", 30).frame(OUR_MAC[2], TENANT_MAC);
    lab.route(1, "192.0.2.1/32", pxtr_dataplane::feed::Route::Local);
    assert_eq!(lab.receive(TENANT, &ping), Fate::Host);
}

/// Bits are those of the inner packet, from its IP header on: what LISP adds is not the tenant's.
#[test]
fn bits_are_those_of_inner_packets_and_a_site_has_its_own_rate() {
    let mut lab = Lab::new();
    let site = Some(vec!["10.4.0.0/24".parse().unwrap()]);
    let bits = Rate { per_second: 80_000, burst: 16_000, unit: Unit::Bits };
    let policers = VrfPolicers::new(vec![(policer(1, bits), site)]);
    lab.apply(Delta::Policers(VrfId(0), Some(Box::new(policers))));
    let mut send = |to: &str, len| {
        let frame = udp("192.0.2.9", to, len).frame(OUR_MAC[0], HOST_MAC);
        matches!(lab.receive(NATIVE, &frame), Fate::Tx(CORE, _))
    };
    // 1,000 bytes each.
    assert_eq!((0..9).filter(|_| send("10.4.0.7", 972)).count(), 2);
    assert!((0..9).all(|_| send("10.6.0.7", 972)), "another site");
    lab.apply(Delta::Policers(VrfId(0), None));
    let frame = udp("192.0.2.9", "10.4.0.7", 972).frame(OUR_MAC[0], HOST_MAC);
    assert!((0..9).all(|_| matches!(lab.receive(NATIVE, &frame), Fate::Tx(CORE, _))), "taken away");
}
