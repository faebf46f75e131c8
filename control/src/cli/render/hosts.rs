//! Hosts that move.

use super::text::{Sheet, cut, duration, or_dash};
use crate::api::{AwayEids, DynamicEids};

pub(in super::super) fn dynamic_eids(hosts: &DynamicEids) -> String {
    if hosts.entries.is_empty() {
        return "no host of a dynamic-EID prefix is here\n".to_owned();
    }
    let columns = [">IID", "EID", "WHERE", "MAC", "SEEN-BY", ">LIVE", ">CONFIRMED", "MAP-SERVERS"];
    let mut sheet = Sheet::new(&columns);
    for host in &hosts.entries {
        let confirmed = host.registrations.iter().filter(|r| r.confirmed).count();
        sheet.row(vec![
            host.instance_id.to_string(),
            host.eid.to_string(),
            match host.first_hop_router {
                Some(router) => format!("behind {router}"),
                None => or_dash(host.port.as_ref()),
            },
            or_dash(host.mac.as_ref()),
            host.seen_by.clone(),
            duration(host.live_s),
            duration(host.confirmed_s_ago) + " ago",
            format!("{confirmed} of {} confirmed", host.registrations.len()),
        ]);
    }
    sheet.finish() + &cut(hosts.truncated, hosts.entries.len(), hosts.entries_total)
}

pub(in super::super) fn away(hosts: &AwayEids) -> String {
    if hosts.entries.is_empty() {
        return "no host of this site is at another one\n".to_owned();
    }
    let columns =
        [">IID", "EID", "NOW-AT", "TOLD-BY", ">AWAY", ">EXPIRES", ">HITS", ">LAST-HIT", "LAST-HIT-FROM"];
    let mut sheet = Sheet::new(&columns);
    for host in &hosts.entries {
        let rlocs: Vec<_> = host.rlocs.iter().map(ToString::to_string).collect();
        sheet.row(vec![
            host.instance_id.to_string(),
            host.eid.to_string(),
            if rlocs.is_empty() { "?".to_owned() } else { rlocs.join(",") },
            host.told_by.to_string(),
            duration(host.away_s),
            duration(host.expires_in_s),
            host.hits.to_string(),
            or_dash(host.last_hit_s_ago.map(|s| duration(s) + " ago")),
            or_dash(host.last_hit_from),
        ]);
    }
    sheet.finish() + &cut(hosts.truncated, hosts.entries.len(), hosts.entries_total)
}
