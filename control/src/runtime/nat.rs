//! The answer to `show nat`.

use super::core::Runtime;
use crate::api::{self, ListQuery, Nat, NatEid, NatRouter, NatSeen, NatState, OurNat};
use crate::engine::event::Time;
use crate::roles::etr::NatView;
use crate::roles::rtr::BehindView;

pub(super) fn all(runtime: &Runtime, query: &ListQuery) -> Nat {
    let (engine, now) = (runtime.engine.get(), runtime.clock.now());
    let ours = engine.roles().etr().and_then(|etr| etr.nat(engine.config()));
    let rtr = engine.roles().rtr();
    let total = rtr.map_or(0, crate::roles::Rtr::len);
    let routers = rtr.into_iter().flat_map(crate::roles::Rtr::behind).take(query.limit());
    Nat {
        ours: ours.map(|view| our_nat(view, now)),
        routers_total: total as u64,
        truncated: total > query.limit(),
        routers: routers.map(|view| router(view, now)).collect(),
    }
}

fn our_nat(view: NatView, now: Time) -> OurNat {
    let seen = view.seen.into_iter().map(|seen| NatSeen {
        map_server: seen.map_server,
        global: seen.global,
        answered_s_ago: seen.answered.map(|at| now.since(at) / 1000),
        lost: seen.lost,
    });
    OurNat {
        state: match (view.unknown, view.behind) {
            (true, _) => NatState::Unknown,
            (false, false) => NatState::None,
            (false, true) if view.rtrs.is_empty() => NatState::NoRtr,
            (false, true) => NatState::ThroughRtr,
        },
        rtrs: view.rtrs,
        rtrs_in_use: view.live,
        map_servers: seen.collect(),
    }
}

fn router(view: BehindView, now: Time) -> NatRouter {
    let eid =
        |eid: crate::engine::event::EidPrefix| NatEid { instance_id: eid.iid.0, eid_prefix: eid.prefix };
    NatRouter {
        xtr_id: api::hexadecimal(&view.xtr_id),
        global: (view.through.address, view.through.port).into(),
        rloc: view.through.rloc(),
        private: view.private,
        map_server: view.map_server,
        age_s: now.since(view.since) / 1000,
        confirmed_s_ago: now.since(view.confirmed) / 1000,
        moves: view.moves,
        eid_prefixes: view.eids.into_iter().map(eid).collect(),
    }
}
