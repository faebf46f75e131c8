//! Subscriptions.

use super::text::{Sheet, cut, duration, or_dash};
use crate::api::{Subscription, SubscriptionSide, Subscriptions};

pub(in super::super) fn subscriptions(list: &Subscriptions) -> String {
    if list.subscriptions.is_empty() {
        return "there are no subscriptions\n".to_owned();
    }
    let columns =
        [">IID", "EID-PREFIX", "SIDE", "PEER", "XTR-ID", "RLOCS", ">AGE", ">EXPIRES", ">PUBLISHED", "STATE"];
    let mut sheet = Sheet::new(&columns);
    list.subscriptions.iter().for_each(|one| sheet.row(row(one)));
    sheet.finish() + &cut(list.truncated, list.subscriptions.len(), list.subscriptions_total)
}

fn row(one: &Subscription) -> Vec<String> {
    let side = match one.side {
        SubscriptionSide::Ours => "ours",
        SubscriptionSide::Theirs => "theirs",
    };
    let peer = one.map_server.map(|at| at.to_string()).or_else(|| one.subscriber.clone());
    let rlocs: Vec<_> = one.rlocs.iter().map(ToString::to_string).collect();
    vec![
        one.instance_id.to_string(),
        one.eid_prefix.to_string(),
        side.to_owned(),
        or_dash(peer),
        or_dash(one.xtr_id.as_deref()),
        or_dash((!rlocs.is_empty()).then(|| rlocs.join(","))),
        duration(one.age_s),
        duration(one.expires_in_s),
        one.publications.to_string(),
        one.state.as_str().to_owned(),
    ]
}
