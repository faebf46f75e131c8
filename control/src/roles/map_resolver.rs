//! Map-Resolver (RFC 9301 section 8.4): takes encapsulated Map-Requests and finds who answers. It
//! keeps no mappings.

use super::ddt::{DdtClient, Question, for_map_server};
use super::forward;
use super::reply::{self, AnswerLimits};
use super::secure::{self, Demand};
use crate::codec::{Ecm, MapAction, MapReferral, MapRequest};
use crate::engine::event::{EidPrefix, Time};
use crate::engine::{Counter, Cx, Handled, Meta, Role};
use std::net::IpAddr;

/// TTL of an answer about an EID of which nothing is known here, minutes. The hole around it is
/// unknown too: only the EID itself is named, and not for long.
const UNKNOWN_TTL_MINUTES: u32 = 1;

/// Map-Resolver. A Map-Server in the same daemon is asked before it.
#[derive(Debug, Default)]
pub struct MapResolver {
    limits: AnswerLimits,
    ddt: DdtClient,
}

impl MapResolver {
    /// A Map-Resolver.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The way down the Delegated Database Tree.
    #[must_use]
    pub fn ddt(&self) -> &DdtClient {
        &self.ddt
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

impl Role for MapResolver {
    fn configure(&mut self, cx: &mut Cx<'_>) {
        self.ddt.configure(cx);
    }

    fn on_encapsulated_map_request(
        &mut self,
        cx: &mut Cx<'_>,
        meta: &Meta,
        ecm: &Ecm,
        request: &MapRequest,
    ) -> Handled {
        // Who asks with the D bit wants a node of the tree or a Map-Server (RFC 8111 section 7.1).
        if ecm.ddt {
            return Handled::No;
        }
        cx.count(Counter::MapRequestsReceived);
        if !self.limits.admit_sender(cx, meta.from.ip()) {
            return Handled::Yes;
        }
        let config = cx.config;
        let accept = config.lisp_sec.accept.iter();
        let Ok(demand) = secure::demand(cx, meta, accept, ecm, request.nonce) else { return Handled::Yes };
        let servers = &config.map_resolver_forward_to;
        if servers.is_empty() && config.ddt.is_client() {
            match request.records.iter().find_map(|r| r.eid.eid_prefix(r.mask_len)) {
                Some(eid) => {
                    let question =
                        Question { meta: *meta, ecm: ecm.clone(), request: request.clone(), demand };
                    self.ddt.resolve(cx, &mut self.limits, eid, question);
                }
                None => cx.count(Counter::RequestsUnknownEid),
            }
            return Handled::Yes;
        }
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

    fn on_map_referral(&mut self, cx: &mut Cx<'_>, meta: &Meta, referral: &MapReferral) -> Handled {
        self.ddt.on_referral(cx, &mut self.limits, meta, referral);
        Handled::Yes
    }

    fn on_tick(&mut self, cx: &mut Cx<'_>) {
        self.ddt.on_tick(cx);
    }

    fn next_deadline(&self) -> Option<Time> {
        self.ddt.next_deadline()
    }
}
