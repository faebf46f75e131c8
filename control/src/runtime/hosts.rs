//! The answers to `show dynamic-eid` and `show away`.

use super::core::Runtime;
use crate::api::{self, AwayEid, AwayEids, DynamicEid, DynamicEids, ListQuery};
use crate::roles::Etr;
use crate::roles::etr::Found;
use pxtr_dataplane::punt::Seen;
use pxtr_dataplane::types::PortId;

pub(super) fn here(runtime: &Runtime, query: &ListQuery) -> DynamicEids {
    let (engine, now) = (runtime.engine.get(), runtime.clock.now());
    let etr = engine.roles().etr().into_iter();
    let views = etr.flat_map(|etr| etr.dynamic_eids(engine.config()));
    let mut views: Vec<_> = views.filter(|v| query.accepts(v.eid.iid.0)).collect();
    views.sort_by_key(|view| view.eid);
    let port = |id: PortId| {
        let port = runtime.config.ports.get(usize::from(id.0));
        port.map_or_else(|| id.0.to_string(), |port| port.name.clone())
    };
    let (entries_total, truncated) = (views.len() as u64, views.len() > query.limit());
    let entries = views.into_iter().take(query.limit()).map(|view| {
        let (seen_port, first_hop_router, mac, seen_by) = match view.found {
            Found::Seen { port: id, mac, by } => (Some(port(id)), None, Some(mac.to_string()), word(by)),
            Found::FirstHop { router } => (None, Some(router), None, "eid-notify"),
        };
        DynamicEid {
            instance_id: view.eid.iid.0,
            eid: view.eid.prefix.addr(),
            eid_prefix: view.range.prefix,
            port: seen_port,
            first_hop_router,
            mac,
            seen_by: seen_by.to_owned(),
            live_s: now.since(view.since) / 1000,
            confirmed_s_ago: now.since(view.confirmed) / 1000,
            registrations: api::registration_states(&view.registrations, now),
        }
    });
    DynamicEids { entries_total, truncated, entries: entries.collect() }
}

pub(super) fn away(runtime: &Runtime, query: &ListQuery) -> AwayEids {
    let (engine, now) = (runtime.engine.get(), runtime.clock.now());
    let views = engine.roles().etr().into_iter().flat_map(Etr::away);
    let views: Vec<_> = views.filter(|v| query.accepts(v.eid.iid.0)).collect();
    let (entries_total, truncated) = (views.len() as u64, views.len() > query.limit());
    let entries = views.into_iter().take(query.limit()).map(|view| {
        let eid = view.eid.prefix.addr();
        let mapping = engine.map_cache_lookup(view.eid.iid, eid);
        AwayEid {
            instance_id: view.eid.iid.0,
            eid,
            away_s: now.since(view.since) / 1000,
            told_by: view.by,
            rlocs: mapping.iter().flat_map(|m| &m.locators).map(|l| l.rloc).collect(),
            expires_in_s: view.until.since(now) / 1000,
            hits: view.hits,
            last_hit_s_ago: view.last_hit.map(|(at, _)| now.since(at) / 1000),
            last_hit_from: view.last_hit.map(|(_, from)| from),
        }
    });
    AwayEids { entries_total, truncated, entries: entries.collect() }
}

const fn word(seen: Seen) -> &'static str {
    match seen {
        Seen::Data => "data",
        Seen::Arp => "arp",
        Seen::Nd => "nd",
    }
}
