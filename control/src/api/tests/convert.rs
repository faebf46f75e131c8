//! Conversions keep numbers, units and order.

use crate::api::*;
use crate::engine::config::ConfiguredLocator;
use crate::engine::event::{EidPrefix, Iid, Time};
use crate::engine::{Counter, Counters};
use crate::roles::etr::{DatabaseView, PeerRegistration};
use crate::roles::map_server::{LocatorView, RegistrantId, RegistrationView};
use pxtr_dataplane::counters::{Snapshot, WorkerStats};
use pxtr_dataplane::verdict::DropReason;

fn snapshot(packets: u64, busy: u64) -> Snapshot {
    let stats = WorkerStats::default();
    stats.received.add(packets);
    stats.received_bytes.add(packets * 100);
    stats.bursts.add(packets / 4);
    stats.cycles_busy.add(busy);
    stats.cycles_total.add(busy * 4);
    stats.applied.add(7);
    stats.drop_one(DropReason::NoRoute);
    stats.snapshot()
}

#[test]
fn a_worker_shows_means_and_lag() {
    let worker = worker(1, 3, &snapshot(400, 20_000), 9, None);
    assert_eq!((worker.cycles_per_packet, worker.packets_per_burst, worker.busy_percent), (50.0, 4.0, 25.0));
    assert_eq!((worker.feed_lag, worker.dropped, worker.counters["received"]), (2, 1, 400));
    let idle = worker_idle();
    assert_eq!((idle.cycles_per_packet, idle.busy_percent), (0.0, 0.0));
}

fn worker_idle() -> Worker {
    worker(0, 0, &WorkerStats::default().snapshot(), 0, None)
}

#[test]
fn rates_are_of_the_interval() {
    let rates = rates_between(&snapshot(400, 20_000), &snapshot(1400, 50_000), 500);
    assert_eq!(rates.packets_per_second, 2000.0);
    assert_eq!(rates.bits_per_second, 1_600_000.0);
    assert_eq!(rates.cycles_per_packet, 30.0);
    assert_eq!(rates.busy_percent, 25.0);
    assert_eq!(rates_between(&snapshot(1, 1), &snapshot(0, 0), 0), WorkerRates::default());
}

#[test]
fn drops_are_summed_and_sorted() {
    let (a, b) = (WorkerStats::default(), WorkerStats::default());
    a.drop_one(DropReason::TtlExpired);
    b.drop_one(DropReason::NoRoute);
    a.drop_one(DropReason::NoRoute);
    let drops = drops(&[a.snapshot(), b.snapshot()]);
    assert_eq!(drops.packets_total, 3);
    assert_eq!(drops.reasons.len(), 2);
    assert_eq!(
        (&*drops.reasons[0].reason, &drops.reasons[0].packets_by_worker[..]),
        ("no_route", &[1, 1][..])
    );
}

#[test]
fn statistics_name_every_counter() {
    let mut counters = Counters::default();
    counters.add(Counter::Misses, 5);
    let (engine, dataplane) = statistics(&counters, &[snapshot(4, 1), snapshot(6, 1)]);
    assert_eq!((engine["misses"], engine.len()), (5, Counter::ALL.len()));
    assert_eq!((dataplane["received"], dataplane["dropped"], dataplane["icmp_too_big"]), (10, 2, 0));
}

#[test]
fn the_database_counts_from_now() {
    let view = |prefix: &str| DatabaseView {
        eid: EidPrefix { iid: Iid(7), prefix: prefix.parse().unwrap() },
        ttl_minutes: 60,
        locators: vec![ConfiguredLocator::new("198.51.100.2".parse().unwrap(), 1, 2)],
        registrations: vec![PeerRegistration {
            map_server: "198.51.100.14".parse().unwrap(),
            confirmed: true,
            last_register: Some(Time(5_000)),
            last_notify: None,
            retries: 3,
        }],
    };
    let database = database([view("10.0.0.0/8"), view("10.1.0.0/16")].into_iter(), Time(17_999), 1);
    assert_eq!((database.entries_total, database.truncated, database.entries.len()), (2, true, 1));
    let entry = &database.entries[0];
    assert_eq!((entry.instance_id, entry.registrations[0].last_register_s_ago), (7, Some(12)));
    assert_eq!((entry.registrations[0].last_notify_s_ago, entry.registrations[0].retries), (None, 3));
}

#[test]
fn a_registration_names_its_xtr() {
    let view = RegistrationView {
        site: "a".into(),
        eid: EidPrefix { iid: Iid(0), prefix: "10.4.0.0/24".parse().unwrap() },
        registrant: "198.51.100.6:4342".parse().unwrap(),
        id: RegistrantId::XtrId([0xab; 16]),
        locators: vec![LocatorView { rloc: None, path: Vec::new(), priority: 1, weight: 2, reachable: true }],
        ttl_minutes: 1,
        first_ms_ago: 3_999,
        last_ms_ago: 999,
        expires_in_ms: 179_001,
        proxy_reply: true,
        want_map_notify: false,
        merge: true,
    };
    let by_address =
        RegistrationView { id: RegistrantId::Address("198.51.100.6".parse().unwrap()), ..view.clone() };
    let shown = registration(view);
    assert_eq!(shown.xtr_id.as_deref(), Some("abababababababababababababababab"));
    assert_eq!((shown.first_s_ago, shown.last_s_ago, shown.expires_in_s), (3, 0, 179));
    assert_eq!(registration(by_address).xtr_id, None);
}
