//! Statistics, health, what was done.

use super::text::{Sheet, duration, yes};
use crate::api::{Cleared, Health, Statistics, counter_help};

pub(in super::super) fn statistics(statistics: &Statistics, all: bool) -> String {
    let daemon = &statistics.daemon;
    let mut text = format!(
        "pxtrd {} \"{}\": {}, up {}\n",
        daemon.version,
        daemon.name,
        daemon.roles.join(" + "),
        duration(daemon.uptime_s)
    );
    text += &format!(
        "{} map-cache entries, {} lookups pending, {} registrations, {} of {} packet buffers in use\n\n",
        statistics.map_cache_entries,
        statistics.pending_lookups,
        statistics.registrations,
        statistics.mbufs_in_use,
        statistics.mbufs_total
    );
    let mut sheet = Sheet::new(&["PART", "COUNTER", ">VALUE", "MEANING"]);
    for (part, counters) in [("engine", &statistics.engine), ("dataplane", &statistics.dataplane)] {
        for (name, value) in counters.iter().filter(|(_, value)| all || **value > 0) {
            sheet.row(vec![
                part.to_owned(),
                name.clone(),
                value.to_string(),
                counter_help(name).unwrap_or_default().to_owned(),
            ]);
        }
    }
    text + &sheet.finish()
}

pub(in super::super) fn health(health: &Health) -> String {
    let mut sheet = Sheet::new(&["CHECK", "OK", "FOUND"]);
    for check in &health.checks {
        sheet.row(vec![check.name.clone(), yes(check.ok), check.detail.clone()]);
    }
    sheet.finish() + if health.ready { "ready\n" } else { "not ready\n" }
}

pub(in super::super) fn cleared(cleared: Cleared) -> String {
    format!("{} map-cache entries removed\n", cleared.entries)
}
