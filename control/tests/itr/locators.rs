//! RLOC states and RLOC-probing.

use crate::world::*;
use pxtr_control::codec::{Address, EidRecord, MapReply, Message};
use pxtr_control::engine::Counter;
use pxtr_control::engine::config::EngineConfig;
use pxtr_control::engine::event::{Event, Time};
use pxtr_control::engine::views::LocatorStatus;

const A: (&str, u8, u8) = ("198.51.100.1", 1, 50);
const B: (&str, u8, u8) = ("198.51.100.2", 1, 50);
const V6: (&str, u8, u8) = ("2001:db8:1::1", 1, 50);

fn probing(interval_ms: u32) -> EngineConfig {
    let mut config = pitr();
    config.limits.probe_interval_ms = interval_ms;
    config
}

/// The answer of the probed RLOC: the EID-record, with the p bit on its own locator.
fn probe_reply(request: &Request, mut records: Vec<EidRecord>) -> Message {
    for locator in records.iter_mut().flat_map(|r| &mut r.locators) {
        locator.probed = locator.address == Address::Ip(request.to.ip());
    }
    let nonce = request.message.nonce;
    Message::MapReply(MapReply { probe: true, echo_nonce: false, nonce, records, security: None })
}

/// Lets `ms` pass; each probe sent is answered at once by the RLOCs in `alive`.
fn pass_answering(w: &mut World, ms: u64, alive: &[&str], records: &[EidRecord]) -> Vec<Request> {
    let end = w.now.plus_ms(ms);
    let mut seen = Vec::new();
    while let Some(at) = w.engine.next_deadline().filter(|&at| at <= end) {
        w.now = w.now.max(at);
        w.step(Event::Tick);
        for request in w.requests() {
            if request.message.probe && alive.iter().any(|a| ip(a) == request.to.ip()) {
                w.receive_from(&request.to.ip().to_string(), &probe_reply(&request, records.to_vec()));
            }
            // Others ask for the mapping, when its last locator is down.
            if request.message.probe {
                seen.push(request);
            }
        }
    }
    w.now = end;
    seen
}

#[test]
fn r084_a_locator_of_a_family_we_have_no_rloc_of_is_down_before_it_is_used() {
    let mut config = pitr();
    config.rlocs = vec![ip(OUR_V4)];
    let mut w = World::new(config.clone());
    let got = w.learn("10.1.2.3", vec![record("10.1.2.0/24", 60, &[A, V6])]);
    assert_eq!(got, [state(V6.0, false), install("10.1.2.0/24", &[A, V6])]);
    config.rlocs.push(ip(OUR_V6));
    w.reconfigure(config);
    assert_eq!(w.take(), [state(V6.0, true)], "a reload that adds the family brings it up");
}

#[test]
fn r092_no_underlay_route_is_down_at_once_one_action_for_all_entries() {
    let mut config = pitr();
    config.limits.lookups_per_source_per_second = 10_000;
    let mut w = World::new(config);
    for i in 0..200 {
        w.learn(&format!("10.1.{i}.1"), vec![record(&format!("10.1.{i}.0/24"), 60, &[A, B])]);
    }
    w.step(Event::UnderlayChanged { rloc: ip(A.0), reachable: false });
    assert_eq!(w.take(), [state(A.0, false)]);
    w.step(Event::UnderlayChanged { rloc: ip(A.0), reachable: false });
    assert_eq!(w.take(), [], "said twice, told once");
    let view = w.engine.rlocs().into_iter().find(|v| v.rloc == ip(A.0)).expect("there");
    assert_eq!((view.status, view.entries), (LocatorStatus::NoRoute, 200));
    w.step(Event::UnderlayChanged { rloc: ip(A.0), reachable: true });
    assert_eq!(w.take(), [state(A.0, true)]);
    assert_eq!((w.count(Counter::RlocsDown), w.count(Counter::RlocsUp)), (1, 1));
}

#[test]
fn r071_an_rloc_keeps_its_state_while_mappings_come_and_go_and_is_forgotten_with_the_last() {
    let mut w = World::new(pitr());
    w.learn("10.1.2.3", vec![record("10.1.2.0/24", 1, &[A])]);
    w.step(Event::UnderlayChanged { rloc: ip(A.0), reachable: false });
    let got = w.learn("10.9.9.9", vec![record("10.9.9.0/24", 2, &[A, B])]);
    assert_eq!(got, [install("10.9.9.0/24", &[A, B])], "it is known to be down");
    w.pass(61_000);
    assert_eq!(w.take(), [withdraw("10.1.2.0/24")]);
    w.pass(61_000);
    assert_eq!(w.take(), [withdraw("10.9.9.0/24"), state(A.0, true)], "then nobody uses it");
    assert_eq!(w.engine.sizes().rlocs, 0);
}

#[test]
fn r085_probes_go_once_per_rloc_direct_with_a_cached_prefix_and_no_source_eid() {
    let mut config = probing(10_000);
    config.limits.lookups_per_source_per_second = 10_000;
    let mut w = World::new(config);
    let mut records = Vec::new();
    for i in 0..50 {
        let r = record(&format!("10.1.{i}.0/24"), 1440, &[A]);
        w.learn(&format!("10.1.{i}.1"), vec![r.clone()]);
        records.push(r);
    }
    let probes = pass_answering(&mut w, 100_000, &[A.0], &records[..1]);
    assert!((9..=12).contains(&probes.len()), "one per interval, not per prefix: {}", probes.len());
    for p in &probes {
        assert!(p.message.probe && p.ecm.is_none() && p.message.pitr);
        assert_eq!(p.to.to_string(), format!("{}:4342", A.0));
        assert_eq!(p.source, Some(ip(OUR_V4)));
        assert_eq!(p.message.itr_rlocs, [Address::Ip(ip(OUR_V4))], "so that the way back is tested");
        assert_eq!(p.message.source_eid, Address::None);
        assert_eq!(p.prefix().prefix.prefix_len(), 24);
    }
    let view = w.engine.rlocs().remove(0);
    assert_eq!((view.status, view.rtt_ms), (LocatorStatus::Up, Some(0)), "R-090");
    assert_eq!(w.take(), []);
}

#[test]
fn r085_three_lost_probes_take_an_rloc_down_and_one_answer_brings_it_back() {
    let mut w = World::new(probing(60_000));
    let records = [record("10.1.2.0/24", 1440, &[A, B])];
    w.learn("10.1.2.3", records.to_vec());
    pass_answering(&mut w, 200_000, &[A.0, B.0], &records);
    assert_eq!(w.take(), []);
    let before = w.now;
    pass_answering(&mut w, 80_000, &[B.0], &records);
    assert_eq!(w.take(), [state(A.0, false)]);
    assert!(w.now.since(before) >= 10_000);
    let view = w.engine.rlocs().into_iter().find(|v| v.rloc == ip(A.0)).expect("there");
    assert_eq!((view.status, view.probes_lost >= 3), (LocatorStatus::NoProbeReply, true));
    pass_answering(&mut w, 70_000, &[A.0, B.0], &records);
    assert_eq!(w.take(), [state(A.0, true)], "R-093: probes find that it is back");
}

#[test]
fn r085_hysteresis_wants_several_answers_in_a_row() {
    let mut config = probing(1_000);
    config.limits.probe_up_count = 3;
    let mut w = World::new(config);
    let records = [record("10.1.2.0/24", 1440, &[A])];
    w.learn("10.1.2.3", records.to_vec());
    pass_answering(&mut w, 10_000, &[], &records);
    assert_eq!(w.take(), [state(A.0, false)]);
    let mut answers = 0;
    while w.take().is_empty() {
        let probe = loop {
            w.pass(10);
            if let Some(probe) = w.requests().into_iter().rfind(|request| request.message.probe) {
                break probe;
            }
        };
        w.receive_from(A.0, &probe_reply(&probe, records.to_vec()));
        answers += 1;
    }
    assert_eq!(answers, 3);
}

#[test]
fn at_200_ms_a_dead_rloc_is_out_of_use_within_a_second() {
    let mut w = World::new(probing(200));
    let records = [record("10.1.2.0/24", 1440, &[A, B])];
    w.learn("10.1.2.3", records.to_vec());
    for round in 0..20u64 {
        // Die at different points of the probe interval.
        pass_answering(&mut w, 5_000 + round * 13, &[A.0, B.0], &records);
        w.take();
        let died = w.now;
        while w.take().is_empty() {
            pass_answering(&mut w, 10, &[B.0], &records);
        }
        assert!(w.now.since(died) <= 1_000, "took {} ms", w.now.since(died));
    }
}

#[test]
fn r063_only_authoritative_answers_to_probes_count_and_only_once() {
    let mut w = World::new(probing(10_000));
    let good = record("10.1.2.0/24", 1440, &[A]);
    w.learn("10.1.2.3", vec![good.clone()]);
    w.pass(10_000);
    let probe = w.requests().pop().expect("a probe");
    let proxied = EidRecord { authoritative: false, ..good.clone() };
    w.receive_from(A.0, &probe_reply(&probe, vec![proxied]));
    assert_eq!(w.count(Counter::ProbeRepliesNotAuthoritative), 1);
    w.receive_from(A.0, &probe_reply(&probe, vec![good]));
    assert_eq!((w.count(Counter::ProbeReplies), w.count(Counter::MapRepliesUnsolicited)), (0, 1));
}

#[test]
fn r063_the_state_belongs_to_the_locator_with_the_p_bit() {
    let mut w = World::new(probing(60_000));
    let records = [record("10.1.2.0/24", 1440, &[A, B])];
    w.learn("10.1.2.3", records.to_vec());
    w.pass(5_000);
    let probe = w.requests().into_iter().find(|r| r.to.ip() == ip(A.0)).expect("probe to A");
    let mut mapping = records[0].clone();
    mapping.locators[1].probed = true;
    let nonce = probe.message.nonce;
    let reply = MapReply { probe: true, echo_nonce: false, nonce, records: vec![mapping], security: None };
    w.receive_from(A.0, &Message::MapReply(reply));
    let rtt = |w: &World, rloc: &str| {
        w.engine.rlocs().into_iter().find(|v| v.rloc == ip(rloc)).and_then(|v| v.rtt_ms)
    };
    assert!(rtt(&w, A.0).is_none() && rtt(&w, B.0).is_some());
}

#[test]
fn r089_the_answer_to_a_probe_updates_the_mapping() {
    let mut w = World::new(probing(10_000));
    w.learn("10.1.2.3", vec![record("10.1.2.0/24", 1440, &[A])]);
    w.pass(10_000);
    let probe = w.requests().pop().expect("a probe");
    w.take();
    w.receive_from(A.0, &probe_reply(&probe, vec![record("10.1.2.0/24", 1440, &[A, B])]));
    assert_eq!(w.take(), [install("10.1.2.0/24", &[A, B])]);
}

#[test]
fn peers_6_a_petr_is_probed_for_the_default_prefix() {
    let mut config = xtr();
    config.limits.probe_interval_ms = 10_000;
    config.use_petr = vec![configured("198.51.100.77", 1, 100)];
    let mut w = World::new(config);
    let native = negative("8.0.0.0/7", 15, pxtr_control::codec::MapAction::NativelyForward);
    w.learn("8.8.8.8", vec![native]);
    w.pass(10_000);
    let probe = w.requests().pop().expect("a probe");
    assert_eq!((probe.to.ip(), probe.prefix()), (ip("198.51.100.77"), eid("0.0.0.0/0")));
}

#[test]
fn r091_icmp_is_a_hint_that_probes_at_once_and_takes_nothing_down() {
    let mut w = World::new(probing(60_000));
    let records = [record("10.1.2.0/24", 1440, &[A])];
    w.learn("10.1.2.3", records.to_vec());
    pass_answering(&mut w, 20_000, &[A.0], &records);
    for _ in 0..100 {
        w.step(Event::IcmpUnreachable { rloc: ip(A.0) });
    }
    assert_eq!((w.requests().len(), w.take()), (1, vec![]), "one probe, however many errors");
}

#[test]
fn r086_probes_are_paced_over_all_rlocs() {
    let mut config = probing(1_000);
    config.limits.map_requests_per_second = 100;
    config.limits.lookups_per_source_per_second = 10_000;
    let mut w = World::new(config);
    for i in 0..100 {
        for j in 0..5 {
            let rloc = format!("198.18.{i}.{j}");
            let prefix = format!("10.{j}.{i}.0/24");
            w.learn(&format!("10.{j}.{i}.1"), vec![record(&prefix, 1440, &[(&rloc, 1, 1)])]);
            w.pass(10);
        }
    }
    assert_eq!(w.engine.sizes().rlocs, 500);
    w.requests();
    let start: Time = w.now;
    w.pass(10_000);
    let sent = w.requests().iter().filter(|request| request.message.probe).count() as u64;
    assert!(sent <= 100 * w.now.since(start) / 1000 + 10, "{sent} probes in 10 s");
}

#[test]
fn probing_turned_off_by_a_reload_brings_back_what_it_took_down() {
    let mut w = World::new(probing(1_000));
    let records = [record("10.1.2.0/24", 1440, &[A])];
    w.learn("10.1.2.3", records.to_vec());
    pass_answering(&mut w, 10_000, &[], &records);
    assert_eq!(w.take(), [state(A.0, false)]);
    w.reconfigure(pitr());
    assert_eq!(w.take(), [state(A.0, true)]);
    w.pass(100_000);
    assert!(w.requests().iter().all(|request| !request.message.probe));
}
