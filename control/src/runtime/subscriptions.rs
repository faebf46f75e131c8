//! The answer to `show subscriptions`.

use super::core::Runtime;
use crate::api::{self, ListQuery, Subscription, SubscriptionSide, SubscriptionState, Subscriptions};
use crate::engine::views::SubscriptionView as Ours;
use crate::roles::map_server::SubscriptionView as Theirs;

pub(super) fn all(runtime: &Runtime, query: &ListQuery) -> Subscriptions {
    let (engine, now) = (runtime.engine.get(), runtime.clock.now());
    let map_server = engine.roles().map_server();
    let total = engine.subscriptions().count() + map_server.map_or(0, |ms| ms.subscription_count());
    let theirs = map_server.into_iter().flat_map(|ms| ms.subscriptions(engine.config(), now)).map(theirs);
    let wanted = |one: &Subscription| query.accepts(one.instance_id);
    let mut found = engine.subscriptions().map(ours).chain(theirs).filter(wanted);
    let subscriptions: Vec<_> = found.by_ref().take(query.limit()).collect();
    Subscriptions { subscriptions_total: total as u64, truncated: found.next().is_some(), subscriptions }
}

fn ours(view: Ours) -> Subscription {
    Subscription {
        side: SubscriptionSide::Ours,
        instance_id: view.eid.iid.0,
        eid_prefix: view.eid.prefix,
        map_server: Some(view.map_server),
        subscriber: None,
        xtr_id: None,
        rlocs: Vec::new(),
        age_s: view.since_s,
        expires_in_s: view.expires_in_s,
        publications: view.publications,
        state: if view.leaving { SubscriptionState::Leaving } else { SubscriptionState::Current },
    }
}

fn theirs(view: Theirs) -> Subscription {
    Subscription {
        side: SubscriptionSide::Theirs,
        instance_id: view.eid.iid.0,
        eid_prefix: view.eid.prefix,
        map_server: None,
        subscriber: Some(view.subscriber),
        xtr_id: Some(api::hexadecimal(&view.xtr_id)),
        rlocs: view.itr_rlocs,
        age_s: view.since_ms_ago / 1000,
        expires_in_s: view.expires_in_ms / 1000,
        publications: view.published,
        state: if view.behind { SubscriptionState::Behind } else { SubscriptionState::Current },
    }
}
