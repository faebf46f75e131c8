//! The text reads back, is stable, and never goes backwards.

use super::{Exporter, Scrape};
use crate::api::tests::Fake;
use crate::api::{ApiSource, ListQuery};
use std::collections::{BTreeMap, HashSet};
use std::path::Path;

fn scrape(fake: &Fake) -> Scrape {
    Scrape {
        statistics: fake.statistics(),
        workers: fake.workers(),
        ports: fake.ports(),
        vrfs: fake.vrfs(&ListQuery::default()),
        policers: fake.policers(&ListQuery::default()),
        drops: fake.drops(),
        rlocs: fake.rlocs(&ListQuery::default()),
        health: fake.health(),
    }
}

/// A parsed exposition.
#[derive(Debug, Default)]
struct Parsed {
    help: BTreeMap<String, String>,
    kind: BTreeMap<String, String>,
    /// Series with labels, as text.
    values: BTreeMap<String, f64>,
}

/// Reads the text format, strictly.
fn parse(text: &str) -> Parsed {
    let mut parsed = Parsed::default();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(parsed.help.insert(name.into(), help.into()).is_none(), "{name} has two HELP lines");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(parsed.kind.insert(name.into(), kind.into()).is_none(), "{name} has two TYPE lines");
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let name = series.split('{').next().unwrap();
            assert!(parsed.kind.contains_key(name), "{line} before its TYPE");
            let value = value.parse().unwrap();
            assert!(parsed.values.insert(series.into(), value).is_none(), "{series} twice");
        }
    }
    parsed
}

#[test]
fn the_text_follows_the_format_and_the_conventions() {
    let parsed = parse(&Exporter::default().render(&scrape(&Fake::default())).unwrap());
    assert!(parsed.values.len() > 100, "{}", parsed.values.len());
    for (name, kind) in &parsed.kind {
        assert!(name.starts_with("pxtr_"), "{name}");
        assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'), "{name}");
        assert_eq!(kind == "counter", name.ends_with("_total"), "{name} is a {kind}");
        assert!(parsed.help[name].ends_with('.'), "{name}: {}", parsed.help[name]);
    }
    let known: HashSet<_> = [
        "worker",
        "port",
        "reason",
        "vrf",
        "direction",
        "policer",
        "verdict",
        "rloc",
        "check",
        "device",
        "mac",
        "name",
        "version",
        "roles",
    ]
    .into();
    for series in parsed.values.keys() {
        let labels = series.split_once('{').map_or("", |(_, labels)| labels.trim_end_matches('}'));
        for label in labels.split("\",").filter(|l| !l.is_empty()) {
            let name = label.split('=').next().unwrap();
            assert!(known.contains(name), "{series}");
        }
    }
}

#[test]
fn values_are_those_of_the_daemon() {
    let parsed = parse(&Exporter::default().render(&scrape(&Fake::default())).unwrap());
    let cases = [
        ("pxtr_misses_total", 12.0),
        ("pxtr_map_cache_entries", 4.0),
        ("pxtr_uptime_seconds", 3725.0),
        ("pxtr_ready", 1.0),
        ("pxtr_check_ok{check=\"feed\"}", 1.0),
        ("pxtr_worker_received_total{worker=\"0\"}", 5000.0),
        ("pxtr_worker_cycles_per_packet{worker=\"0\"}", 51.5),
        ("pxtr_worker_cycles_per_packet{worker=\"1\"}", 61.25),
        ("pxtr_drops_total{reason=\"no_route\",worker=\"0\"}", 3.0),
        ("pxtr_drops_total{reason=\"ttl_expired\",worker=\"1\"}", 0.0),
        ("pxtr_port_rx_packets_total{port=\"core\"}", 5000.0),
        ("pxtr_port_speed_bits_per_second{port=\"core\"}", 1e11),
        ("pxtr_rloc_packets_total{rloc=\"198.51.100.6\"}", 700.0),
        ("pxtr_rloc_up{rloc=\"198.51.100.9\"}", 0.0),
        ("pxtr_rloc_rtt_seconds{rloc=\"198.51.100.6\"}", 0.0004),
        ("pxtr_vrfs", 2.0),
        ("pxtr_policer_packets_total{policer=\"red-site\",verdict=\"dropped\"}", 40.0),
        ("pxtr_vrf_packets_total{vrf=\"red\",direction=\"encapsulated\"}", 3.0),
        ("pxtr_vrf_dropped_packets_total{vrf=\"red\"}", 1.0),
        ("pxtr_port_rx_packets_total{port=\"red\"}", 6.0),
        ("pxtr_rlocs", 2.0),
    ];
    for (series, value) in cases {
        assert_eq!(parsed.values.get(series), Some(&value), "{series}");
    }
}

#[test]
fn counters_do_not_go_backwards_when_the_daemons_do() {
    let mut exporter = Exporter::default();
    let mut shown = |packets| {
        let fake = Fake { packets, ..Fake::default() };
        parse(&exporter.render(&scrape(&fake)).unwrap())
    };
    let (before, after) = (shown(10_000), shown(5));
    for (series, value) in &before.values {
        let name = series.split('{').next().unwrap();
        if before.kind[name] == "counter" {
            assert!(after.values[series] >= *value, "{series} went from {value} to {}", after.values[series]);
        }
    }
    assert_eq!(after.values["pxtr_rloc_packets_total{rloc=\"198.51.100.6\"}"], 10_700.0 + 705.0);
}

/// Names are a contract with dashboards and alerts: `names.txt` lists them; `PXTR_UPDATE=1` writes it.
#[test]
fn names_are_stable() {
    let parsed = parse(&Exporter::default().render(&scrape(&Fake::default())).unwrap());
    let text: String =
        parsed.kind.iter().map(|(name, kind)| format!("{name} {kind}: {}\n", parsed.help[name])).collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/metrics/names.txt");
    if std::env::var_os("PXTR_UPDATE").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).unwrap_or_default() == text,
        "src/metrics/names.txt differs:\n{text}"
    );
}

/// Every metric that an alert names is exported, and every drop reason that one matches exists.
#[test]
fn alerts_name_what_there_is() {
    let none = pxtr_dataplane::counters::WorkerStats::default().snapshot();
    let (engine, dataplane) = crate::api::statistics(&crate::engine::Counters::default(), &[]);
    let mut full = scrape(&Fake::default());
    full.statistics.engine = engine;
    full.statistics.dataplane = dataplane;
    full.workers.workers = vec![crate::api::worker(0, 0, &none, 0, None)];
    let exported = Exporter::default().render(&full).unwrap();
    let exported: HashSet<_> =
        exported.split(['\n', '{', ' ']).filter(|word| word.starts_with("pxtr_")).collect();

    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs/prometheus/pxtr.rules.yml");
    let rules = std::fs::read_to_string(rules).unwrap();
    let words = rules.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let mut named = 0;
    for name in words.filter(|word| word.starts_with("pxtr_")) {
        assert!(exported.contains(name), "{name} is not exported");
        named += 1;
    }
    assert!(named > 15, "{named}");
    let reasons = rules.split("reason=~\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    for reason in reasons.split('|').filter(|reason| !reason.contains('*')) {
        assert!(pxtr_dataplane::verdict::DropReason::ALL.iter().any(|r| r.name() == reason), "{reason}");
    }
}
