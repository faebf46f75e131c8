//! Map-cache, database, registrations.

use super::text::{Sheet, cut, duration, or_dash, yes};
use crate::api::{Database, EntryOrigin, Locator, MapCache, MapCacheEntry, RegisteredLocator, Registrations};
use std::net::IpAddr;

pub(in super::super) fn map_cache(map_cache: &MapCache) -> String {
    if map_cache.entries.is_empty() {
        return format!("no such map-cache entry ({} in all)\n", map_cache.entries_total);
    }
    let mut sheet = Sheet::new(&[
        ">IID",
        "EID-PREFIX",
        "ORIGIN",
        "ACTION",
        "RLOC",
        ">PRI",
        ">WGT",
        "STATE",
        ">AGE",
        ">EXPIRES",
        ">IDLE",
        ">PACKETS",
        ">BYTES",
    ]);
    for entry in &map_cache.entries {
        let head = head(entry);
        match entry.locators.split_first() {
            None => sheet.row(line(&head, None)),
            Some((first, rest)) => {
                sheet.row(line(&head, Some(first)));
                let blank = std::array::from_fn(|_| String::new());
                rest.iter().for_each(|locator| sheet.row(line(&blank, Some(locator))));
            }
        }
    }
    sheet.finish() + &cut(map_cache.truncated, map_cache.entries.len(), map_cache.entries_total)
}

/// What is said once for an entry: the cells before and behind the locator's.
fn head(entry: &MapCacheEntry) -> [String; 9] {
    let origin = match entry.origin {
        EntryOrigin::Learnt => "learnt",
        EntryOrigin::Static => "static",
        EntryOrigin::Nat => "nat",
        EntryOrigin::EidSpace => "eid-space",
    };
    [
        entry.instance_id.to_string(),
        entry.eid_prefix.to_string(),
        origin.to_owned(),
        entry.action.as_str().to_owned() + if entry.via_petr { " (petr)" } else { "" },
        duration(entry.age_s),
        or_dash(entry.expires_in_s.map(duration)),
        duration(entry.idle_s),
        entry.packets.to_string(),
        entry.bytes.to_string(),
    ]
}

fn line(head: &[String; 9], locator: Option<&Locator>) -> Vec<String> {
    let (before, behind) = head.split_at(4);
    let cells = match locator {
        Some(l) => {
            let state = if l.in_use { "in use" } else { l.state.as_str() };
            [next_hop(l), l.priority.to_string(), l.weight.to_string(), state.to_owned()]
        }
        None => ["-", "-", "-", "-"].map(str::to_owned),
    };
    [before, &cells, behind].concat()
}

/// `198.51.100.2`, or `198.51.100.2 (198.51.100.2 > 198.51.100.6)` with the path that it is a hop of.
fn next_hop(locator: &Locator) -> String {
    match locator.path.as_slice() {
        [] => locator.rloc.to_string(),
        path => format!("{} ({})", locator.rloc, path_text(path)),
    }
}

fn path_text(path: &[IpAddr]) -> String {
    path.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(" > ")
}

/// `198.51.100.6 1/100, 198.51.100.2 > 198.51.100.6 2/100 (down)`: RLOC or path, priority/weight.
fn locators(list: &[RegisteredLocator]) -> String {
    let one = |l: &RegisteredLocator| {
        let down = if l.reachable { "" } else { " (down)" };
        let rloc = match (l.path.as_slice(), l.rloc) {
            ([], None) => "?".to_owned(),
            ([], Some(rloc)) => rloc.to_string(),
            (path, _) => path_text(path),
        };
        format!("{rloc} {}/{}{down}", l.priority, l.weight)
    };
    list.iter().map(one).collect::<Vec<_>>().join(", ")
}

pub(in super::super) fn database(database: &Database) -> String {
    if database.entries.is_empty() {
        return "no EID-prefixes of an own site are configured\n".to_owned();
    }
    let mut sheet = Sheet::new(&[
        ">IID",
        "EID-PREFIX",
        ">TTL",
        "LOCATORS",
        "MAP-SERVER",
        "STATE",
        ">REGISTERED",
        ">NOTIFIED",
        ">RETRIES",
    ]);
    for entry in &database.entries {
        let head = [
            entry.instance_id.to_string(),
            entry.eid_prefix.to_string(),
            duration(u64::from(entry.ttl_minutes) * 60),
            locators(&entry.locators),
        ];
        if entry.registrations.is_empty() {
            let none = ["-", "not registered", "-", "-", "-"].map(str::to_owned);
            sheet.row([&head[..], &none].concat());
        }
        for registration in &entry.registrations {
            let state = if registration.confirmed { "confirmed" } else { "waiting" };
            let cells = [
                registration.map_server.to_string(),
                state.to_owned(),
                or_dash(registration.last_register_s_ago.map(|s| duration(s) + " ago")),
                or_dash(registration.last_notify_s_ago.map(|s| duration(s) + " ago")),
                registration.retries.to_string(),
            ];
            sheet.row([&head[..], &cells].concat());
        }
    }
    sheet.finish() + &cut(database.truncated, database.entries.len(), database.entries_total)
}

pub(in super::super) fn registrations(registrations: &Registrations) -> String {
    if registrations.registrations.is_empty() {
        return "nothing is registered\n".to_owned();
    }
    let mut sheet = Sheet::new(&[
        ">IID",
        "EID-PREFIX",
        "SITE",
        "FROM",
        "XTR-ID",
        "LOCATORS",
        ">TTL",
        ">FIRST",
        ">LAST",
        ">EXPIRES",
        "PROXY",
        "MERGE",
    ]);
    for r in &registrations.registrations {
        sheet.row(vec![
            r.instance_id.to_string(),
            r.eid_prefix.to_string(),
            r.site.clone(),
            r.registrant.to_string(),
            or_dash(r.xtr_id.as_deref()),
            locators(&r.locators),
            duration(u64::from(r.ttl_minutes) * 60),
            duration(r.first_s_ago) + " ago",
            duration(r.last_s_ago) + " ago",
            duration(r.expires_in_s),
            yes(r.proxy_reply),
            yes(r.merge),
        ]);
    }
    sheet.finish()
        + &cut(registrations.truncated, registrations.registrations.len(), registrations.registrations_total)
}
