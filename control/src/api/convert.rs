//! From the views of the engine and the counters of the data plane to what is answered.

use super::types::{
    Database, DatabaseEntry, DropReasonCount, Drops, RegisteredLocator, Registration, RegistrationState,
    Worker, WorkerRates,
};
use crate::engine::config::ConfiguredLocator;
use crate::engine::event::Time;
use crate::engine::{Counter, Counters};
use crate::roles::etr::{DatabaseView, PeerRegistration};
use crate::roles::map_server::{RegistrantId, RegistrationView};
use crate::runtime::RuntimeCounters;
use pxtr_dataplane::counters::{Snapshot, WorkerStats};
use pxtr_dataplane::verdict::DropReason;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::IpAddr;

/// `show database` from the ETR's view of it.
pub fn database(views: impl Iterator<Item = DatabaseView>, now: Time, limit: usize) -> Database {
    let mut database = Database::default();
    for view in views {
        database.entries_total += 1;
        if database.entries.len() < limit {
            database.entries.push(database_entry(view, now));
        } else {
            database.truncated = true;
        }
    }
    database
}

fn database_entry(view: DatabaseView, now: Time) -> DatabaseEntry {
    DatabaseEntry {
        instance_id: view.eid.iid.0,
        eid_prefix: view.eid.prefix,
        ttl_minutes: view.ttl_minutes,
        locators: view
            .locators
            .iter()
            .map(|l| RegisteredLocator {
                rloc: Some(l.rloc),
                path: path(l),
                priority: l.priority,
                weight: l.weight,
                reachable: true,
            })
            .collect(),
        registrations: registration_states(&view.registrations, now),
    }
}

/// The hops of a configured path.
fn path(locator: &ConfiguredLocator) -> Vec<IpAddr> {
    let end = (!locator.via.is_empty()).then_some(locator.rloc);
    locator.via.iter().copied().chain(end).collect()
}

/// How far registrations are.
pub fn registration_states(registrations: &[PeerRegistration], now: Time) -> Vec<RegistrationState> {
    let seconds_ago = |at: Option<Time>| at.map(|at| now.since(at) / 1000);
    let one = |r: &PeerRegistration| RegistrationState {
        map_server: r.map_server,
        confirmed: r.confirmed,
        last_register_s_ago: seconds_ago(r.last_register),
        last_notify_s_ago: seconds_ago(r.last_notify),
        retries: r.retries,
    };
    registrations.iter().map(one).collect()
}

/// An element of `show registrations` from the Map-Server's view of it.
#[must_use]
pub fn registration(view: RegistrationView) -> Registration {
    Registration {
        site: view.site,
        instance_id: view.eid.iid.0,
        eid_prefix: view.eid.prefix,
        registrant: view.registrant,
        xtr_id: match view.id {
            RegistrantId::XtrId(id) => Some(hexadecimal(&id)),
            RegistrantId::Address(_) => None,
        },
        locators: view
            .locators
            .iter()
            .map(|l| RegisteredLocator {
                rloc: l.rloc,
                path: l.path.clone(),
                priority: l.priority,
                weight: l.weight,
                reachable: l.reachable,
            })
            .collect(),
        ttl_minutes: view.ttl_minutes,
        first_s_ago: view.first_ms_ago / 1000,
        last_s_ago: view.last_ms_ago / 1000,
        expires_in_s: view.expires_in_ms / 1000,
        proxy_reply: view.proxy_reply,
        want_map_notify: view.want_map_notify,
        merge: view.merge,
    }
}

/// Bytes as hexadecimal digits.
#[must_use]
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// An element of `show workers`. `sent`: deltas put into its ring since the start.
#[must_use]
pub fn worker(number: u32, core: u32, counts: &Snapshot, sent: u64, recent: Option<WorkerRates>) -> Worker {
    Worker {
        worker: number,
        core,
        packets: counts.received,
        bytes: counts.received_bytes,
        bursts: counts.bursts,
        packets_per_burst: ratio(counts.received, counts.bursts),
        cycles_per_packet: ratio(counts.cycles_busy, counts.arrived()),
        busy_percent: 100.0 * ratio(counts.cycles_busy, counts.cycles_total),
        recent,
        held: counts.held,
        feed_lag: sent.saturating_sub(counts.applied),
        feed_ignored: counts.ignored,
        dropped: counts.drops.iter().sum(),
        handover_full: counts.dropped(DropReason::HandoverFull),
        counters: counts.fields().map(|(name, _, value)| (name.to_owned(), value)).collect(),
    }
}

/// What a worker did between two snapshots.
#[must_use]
pub fn rates_between(before: &Snapshot, after: &Snapshot, interval_ms: u64) -> WorkerRates {
    let grown = |now: u64, then: u64| now.saturating_sub(then);
    let packets = grown(after.arrived(), before.arrived());
    let bytes = |now: &Snapshot| now.received_bytes + now.taken_over_bytes;
    let busy = grown(after.cycles_busy, before.cycles_busy);
    let per_second = |n: u64| ratio(n.saturating_mul(1000), interval_ms);
    WorkerRates {
        interval_ms,
        packets_per_second: per_second(packets),
        bits_per_second: per_second(grown(bytes(after), bytes(before)).saturating_mul(8)),
        cycles_per_packet: ratio(busy, packets),
        busy_percent: 100.0 * ratio(busy, grown(after.cycles_total, before.cycles_total)),
    }
}

/// A quotient to two places; 0 when there is nothing to divide by.
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    (part as f64 / whole as f64 * 10_000.0).round() / 10_000.0
}

/// `show drops` from the workers' counters, in their order.
#[must_use]
pub fn drops(workers: &[Snapshot]) -> Drops {
    let of = |reason: DropReason| -> Vec<u64> { workers.iter().map(|w| w.dropped(reason)).collect() };
    let mut reasons: Vec<DropReasonCount> = DropReason::ALL
        .into_iter()
        .map(|reason| {
            let packets_by_worker = of(reason);
            DropReasonCount {
                reason: reason.name().into(),
                text: reason.text().into(),
                packets: packets_by_worker.iter().sum(),
                packets_by_worker,
            }
        })
        .filter(|reason| reason.packets > 0)
        .collect();
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.packets));
    Drops { packets_total: reasons.iter().map(|reason| reason.packets).sum(), reasons }
}

/// The two counter maps of `show statistics`: the engine's, and the sums over the workers with the
/// originated ICMP errors by kind (`icmp_KIND`).
#[must_use]
pub fn statistics(engine: &Counters, workers: &[Snapshot]) -> (BTreeMap<String, u64>, BTreeMap<String, u64>) {
    let engine = engine.iter().map(|(counter, value)| (counter.name().to_owned(), value)).collect();
    let mut dataplane = BTreeMap::new();
    for worker in workers {
        for (name, _, value) in worker.fields() {
            *dataplane.entry(name.to_owned()).or_default() += value;
        }
        for (kind, value) in worker.icmp_by_kind() {
            *dataplane.entry(format!("icmp_{kind}")).or_default() += value;
        }
        *dataplane.entry("dropped".to_owned()).or_default() += worker.drops.iter().sum::<u64>();
    }
    (engine, dataplane)
}

/// The sentence that explains a counter of [`statistics`] or of a [`Worker`].
#[must_use]
pub fn counter_help(name: &str) -> Option<&'static str> {
    let engine = Counter::ALL.iter().find(|counter| counter.name() == name).map(|counter| counter.help());
    let runtime =
        || RuntimeCounters::default().fields().find(|(field, ..)| *field == name).map(|(_, help, _)| help);
    engine.or_else(runtime).or_else(|| {
        let none = WorkerStats::default().snapshot();
        none.fields().find(|(field, ..)| *field == name).map(|(_, help, _)| help)
    })
}
