//! Map-Resolver (RFC 9301 section 8.4): takes encapsulated Map-Requests and finds who answers. It
//! keeps no mappings.

use super::forward;
use super::reply::{self, AnswerLimits};
use super::secure::{self, Demand};
use crate::codec::{Ecm, EcmAd, MapAction, MapRequest};
use crate::engine::event::EidPrefix;
use crate::engine::{Counter, Cx, Handled, Meta, Role};
use std::net::IpAddr;

/// TTL of an answer about an EID of which nothing is known here, minutes. The hole around it is
/// unknown too: only the EID itself is named, and not for long.
const UNKNOWN_TTL_MINUTES: u32 = 1;

/// Map-Resolver. A Map-Server in the same daemon is asked before it.
#[derive(Debug, Default)]
pub struct MapResolver {
    limits: AnswerLimits,
}

impl MapResolver {
    /// A Map-Resolver.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Nobody to ask: so says a negative Map-Reply for just that EID.
    fn refuse(&mut self, cx: &mut Cx<'_>, meta: &Meta, request: &MapRequest, demand: Option<&Demand>) {
        let Some(to) = reply::destination(cx, meta, request) else {
            cx.count(Counter::RequestsWithoutItrRloc);
            return;
        };
        let eids = request.records.iter().filter_map(|r| r.eid.eid_prefix(r.mask_len));
        let negative =
            |eid: EidPrefix| reply::negative(&eid, MapAction::NativelyForward, UNKNOWN_TTL_MINUTES);
        let mut records = reply::Records::default();
        records.extend(eids.map(negative));
        let Some(records) = records.into_non_empty() else {
            cx.count(Counter::RequestsUnknownEid);
            return;
        };
        if !request.no_reply && self.limits.admit_repeat(cx, to.ip(), &request.records) {
            cx.count(Counter::NegativeRepliesSent);
            let Ok(signer) = demand.map(|demand| demand.answer(&records, false)).transpose() else {
                cx.count(Counter::LispSecRequestsRefused);
                return;
            };
            reply::send_signed(cx, None, to, request, records, signer);
        }
    }
}

/// The one-time key under the secret shared with the Map-Servers. Without such a secret the
/// Map-Request goes on bare; an ITR that requires LISP-SEC will not take the answer.
fn for_map_server(cx: &mut Cx<'_>, demand: &Demand, nonce: u64) -> Option<EcmAd> {
    let key = cx.config.lisp_sec.forward.as_ref();
    let ad = key.and_then(|key| demand.for_map_server(nonce, key).ok());
    if ad.is_none() {
        cx.count(Counter::LispSecStripped);
    }
    ad
}

impl Role for MapResolver {
    fn on_encapsulated_map_request(
        &mut self,
        cx: &mut Cx<'_>,
        meta: &Meta,
        ecm: &Ecm,
        request: &MapRequest,
    ) -> Handled {
        cx.count(Counter::MapRequestsReceived);
        if !self.limits.admit_sender(cx, meta.from.ip()) {
            return Handled::Yes;
        }
        let config = cx.config;
        let accept = config.lisp_sec.accept.iter();
        let Ok(demand) = secure::demand(cx, meta, accept, ecm, request.nonce) else { return Handled::Yes };
        let servers = &config.map_resolver_forward_to;
        if servers.is_empty() {
            self.refuse(cx, meta, request, demand.as_ref());
            return Handled::Yes;
        }
        // One of them, by the nonce: every retransmission has a new one and may reach another.
        let start = usize::try_from(request.nonce % servers.len() as u64).unwrap_or(0);
        let (tail, head) = servers.split_at(start);
        let order: Vec<IpAddr> = head.iter().chain(tail).copied().collect();
        let security = demand.and_then(|demand| for_map_server(cx, &demand, request.nonce));
        forward::forward(cx, &mut self.limits, &order, ecm, security, request);
        Handled::Yes
    }
}
