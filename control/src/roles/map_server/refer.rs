//! DDT Map-Requests at a Map-Server (RFC 8111 section 7.2, R-184).

use super::MapServer;
use super::answer::Decision;
use crate::codec::{MapAction, MapRequest, ReferralAction};
use crate::engine::event::EidPrefix;
use crate::engine::{Counter, Cx, Meta};
use crate::roles::ddt::{Referring, refer};

impl MapServer {
    /// Tells the Map-Resolver what becomes of its request. True: it is worked on besides as any other.
    ///
    /// Which other Map-Servers have the same sites is not configured here: the answers are incomplete,
    /// and a Map-Resolver keeps what it was referred by instead.
    pub(super) fn refer(&self, cx: &mut Cx<'_>, meta: &Meta, request: &MapRequest) -> bool {
        cx.count(Counter::DdtRequestsReceived);
        let Some(asked) = request.records.iter().find_map(|r| r.eid.eid_prefix(r.mask_len)) else {
            cx.count(Counter::RequestsUnknownEid);
            return false;
        };
        let (eid, action) = self.standing(cx, &asked, request);
        let to = if action == ReferralAction::NotAuthoritative { &[][..] } else { &cx.config.rlocs };
        refer(cx, meta, request.nonce, &Referring { eid, action, to, incomplete: true });
        action == ReferralAction::MsAck
    }

    fn standing(&self, cx: &Cx<'_>, asked: &EidPrefix, request: &MapRequest) -> (EidPrefix, ReferralAction) {
        if self.sites.prefixes().lookup_prefix(asked).is_none() && !self.store.policies.covers(asked) {
            return (*asked, ReferralAction::NotAuthoritative);
        }
        match self.decide(cx.config, asked, request, false) {
            Decision::Forward(route) => (route.eid, ReferralAction::MsAck),
            Decision::Answer(records) => {
                let first = records.first();
                let about = first.and_then(|r| r.eid_prefix()).unwrap_or(*asked);
                let absent =
                    first.is_none_or(|r| r.locators.is_empty() && r.action == MapAction::NativelyForward);
                (about, if absent { ReferralAction::MsNotRegistered } else { ReferralAction::MsAck })
            }
        }
    }
}
