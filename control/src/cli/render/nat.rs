//! NAT traversal.

use super::text::{Sheet, cut, duration, or_dash};
use crate::api::{Nat, NatRouter, OurNat};

pub(in super::super) fn nat(nat: &Nat) -> String {
    let mut out = nat.ours.as_ref().map(ours).unwrap_or_default();
    if nat.routers.is_empty() {
        if out.is_empty() {
            out.push_str("no router behind a NAT is known here, and lisp.nat_traversal is off\n");
        }
        return out;
    }
    let columns =
        ["XTR-ID", "GLOBAL", "PRIVATE", "MAP-SERVER", ">AGE", ">CONFIRMED", ">MOVES", "EID-PREFIXES"];
    let mut sheet = Sheet::new(&columns);
    nat.routers.iter().for_each(|router| sheet.row(row(router)));
    out + &sheet.finish() + &cut(nat.truncated, nat.routers.len(), nat.routers_total)
}

fn ours(nat: &OurNat) -> String {
    let list = |rtrs: &[std::net::IpAddr]| {
        let rtrs: Vec<_> = rtrs.iter().map(ToString::to_string).collect();
        or_dash((!rtrs.is_empty()).then(|| rtrs.join(",")))
    };
    let mut sheet = Sheet::new(&["NAT", "RTRS", "IN-USE", "MAP-SERVER", "SEEN-AS", ">ANSWERED", ">LOST"]);
    for seen in &nat.map_servers {
        sheet.row(vec![
            nat.state.as_str().to_owned(),
            list(&nat.rtrs),
            list(&nat.rtrs_in_use),
            seen.map_server.to_string(),
            or_dash(seen.global),
            or_dash(seen.answered_s_ago.map(|s| duration(s) + " ago")),
            seen.lost.to_string(),
        ]);
    }
    sheet.finish()
}

fn row(router: &NatRouter) -> Vec<String> {
    let eids: Vec<_> = router
        .eid_prefixes
        .iter()
        .map(|eid| match eid.instance_id {
            0 => eid.eid_prefix.to_string(),
            iid => format!("{iid} {}", eid.eid_prefix),
        })
        .collect();
    vec![
        router.xtr_id.clone(),
        router.global.to_string(),
        router.private.to_string(),
        router.map_server.to_string(),
        duration(router.age_s),
        duration(router.confirmed_s_ago) + " ago",
        router.moves.to_string(),
        eids.join(","),
    ]
}
