//! Mappings in use whose last locator went down: asked for again, for a site that died can not
//! solicit anything (R-055 and R-057 hold; ).

use crate::world::*;
use pxtr_control::engine::Counter;
use pxtr_control::engine::event::{Event, Iid};

const A: (&str, u8, u8) = ("198.51.100.1", 1, 50);
const B: (&str, u8, u8) = ("198.51.100.2", 1, 50);
const NEW: (&str, u8, u8) = ("198.51.100.9", 1, 50);

fn underlay(w: &mut World, rloc: &str, reachable: bool) {
    w.step(Event::UnderlayChanged { rloc: ip(rloc), reachable });
    w.step(Event::Tick);
}

fn asked(w: &mut World) -> Vec<String> {
    let requests = w.requests().into_iter().filter(|r| !r.message.probe);
    requests.map(|r| r.prefix().prefix.to_string()).collect()
}

#[test]
fn r092_what_is_in_use_and_lost_its_last_locator_is_asked_for_at_once() {
    let mut w = World::new(pitr());
    w.learn("10.1.2.3", vec![record("10.1.2.0/24", 1440, &[A, B])]);
    w.learn("10.1.3.3", vec![record("10.1.3.0/24", 1440, &[A])]);
    w.pass(5_000);
    w.take();
    underlay(&mut w, A.0, false);
    let request = w.request();
    assert_eq!(request.prefix(), eid("10.1.3.0/24"), "the other one has a locator left");
    w.reply(request.message.nonce, vec![record("10.1.3.0/24", 1440, &[NEW])]);
    assert!(w.take().contains(&install("10.1.3.0/24", &[NEW])), "it is served from elsewhere now");
    w.pass(120_000);
    assert!(asked(&mut w).is_empty(), "and there is nothing to ask any more");
    underlay(&mut w, B.0, false);
    assert_eq!(asked(&mut w), ["10.1.2.0/24"], "now it has none either");
}

#[test]
fn as_long_as_the_answer_is_the_old_mapping_it_is_asked_for_less_and_less_often() {
    let mut w = World::new(pitr());
    w.learn("10.1.3.3", vec![record("10.1.3.0/24", 1440, &[A])]);
    w.pass(5_000);
    w.take();
    underlay(&mut w, A.0, false);
    let mut times = Vec::new();
    for _ in 0..1200 {
        for request in w.requests() {
            times.push(w.now.0);
            w.reply(request.message.nonce, vec![record("10.1.3.0/24", 1440, &[A])]);
        }
        w.pass(100);
    }
    let gaps: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.iter().all(|gap| *gap >= 1_000), "R-055: {gaps:?}");
    assert!((6..=9).contains(&times.len()), "1, 2, 4, 8, 16, 30 s: {gaps:?}");
    underlay(&mut w, A.0, true);
    w.take();
    w.pass(120_000);
    assert!(asked(&mut w).is_empty(), "its locator is back");
}

#[test]
fn what_nobody_uses_is_not_asked_for() {
    let mut config = pitr();
    config.limits.idle_timeout_s = 0;
    let mut w = World::new(config);
    w.learn("10.1.3.3", vec![record("10.1.3.0/24", 60, &[A])]);
    w.pass(7 * 60_000);
    w.take();
    underlay(&mut w, A.0, false);
    w.pass(60_000);
    assert!(asked(&mut w).is_empty());
}

#[test]
fn r084_a_family_that_we_do_not_have_is_no_reason_to_ask() {
    let mut config = pitr();
    config.rlocs = vec![ip(OUR_V4)];
    let mut w = World::new(config);
    w.learn("10.1.3.3", vec![record("10.1.3.0/24", 1440, &[("2001:db8:1::1", 1, 1)])]);
    w.take();
    w.pass(120_000);
    assert!(asked(&mut w).is_empty());
}

#[test]
fn r057_a_dead_rloc_with_many_prefixes_is_asked_for_within_the_rate() {
    let mut config = pitr();
    config.limits.map_requests_per_second = 500;
    config.limits.lookups_per_source_per_second = 10_000;
    let mut w = World::new(config);
    let prefixes: Vec<String> = (0..2_000).map(|n| format!("10.{}.{}.0/24", n / 200, n % 200)).collect();
    for prefix in &prefixes {
        w.learn(&prefix.replace(".0/24", ".1"), vec![record(prefix, 1440, &[A])]);
        w.pass(10);
    }
    w.pass(5_000);
    w.take();
    underlay(&mut w, A.0, false);
    let mut per_second = Vec::new();
    for _ in 0..8 {
        let requests = w.requests();
        per_second.push(requests.len());
        for request in requests {
            let prefix = request.prefix().prefix.to_string();
            w.reply(request.message.nonce, vec![record(&prefix, 1440, &[NEW])]);
        }
        w.pass(1_000);
    }
    assert!(per_second.iter().all(|sent| *sent <= 1_100), "{per_second:?}");
    let moved = |p: &String| {
        let host = p.replace(".0/24", ".1");
        w.engine.map_cache_lookup(Iid(0), ip(&host)).is_some_and(|e| e.locators[0].rloc == ip(NEW.0))
    };
    assert_eq!(prefixes.iter().filter(|p| moved(p)).count(), 2_000, "{per_second:?}");
    assert_eq!(w.count(Counter::RlocsDown), 1);
}
