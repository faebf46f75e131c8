//! A Map-Request on its way down the tree, and the step that it has reached.

use super::cache::{Kind, Referral};
use crate::codec::{Address, Ecm, EcmAd, InnerHeader, MapRequest, MapRequestRecord, Message, ReferralRecord};
use crate::engine::event::EidPrefix;
use crate::engine::{CONTROL_PORT, Counter, Cx, Meta};
use crate::roles::forward::can_forward;
use crate::roles::reply;
use crate::roles::secure::Demand;
use std::net::IpAddr;

/// Most tries in one step.
const TRIES_MAX: usize = 8;
/// Waits: half a second, then twice as long with each round over all that may be asked.
const WAIT_MS: u64 = 500;
const WAIT_DOUBLINGS: usize = 3;

/// A Map-Request of an ITR, as it came.
pub(in crate::roles) struct Question {
    pub(in crate::roles) meta: Meta,
    pub(in crate::roles) ecm: Ecm,
    pub(in crate::roles) request: MapRequest,
    /// LISP-SEC, if the ITR wants it.
    pub(in crate::roles) demand: Option<Demand>,
}

/// What is being asked now.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) kind: Kind,
    /// The referral that led here; `None`: the configured roots.
    pub(super) last: Option<EidPrefix>,
    pub(super) to: Vec<IpAddr>,
    pub(super) tries: usize,
    /// Map-Servers that have no registration.
    pub(super) refusals: Vec<IpAddr>,
}

/// A Map-Request on its way.
pub(super) struct Pending {
    pub(super) question: Question,
    pub(super) eid: EidPrefix,
    pub(super) step: Step,
    /// Steps so far.
    pub(super) hops: usize,
    /// It has been at the root: it does not begin there again.
    pub(super) via_root: bool,
    /// The nonce that a Map-Referral must have.
    pub(super) nonce: u64,
}

impl Step {
    pub(super) fn root(roots: &[IpAddr]) -> Self {
        Self { kind: Kind::Nodes, last: None, to: roots.to_vec(), tries: 0, refusals: Vec::new() }
    }

    pub(super) fn of(referral: &Referral) -> Self {
        let (kind, last) = (referral.kind, Some(referral.eid));
        Self { kind, last, to: referral.to.clone(), tries: 0, refusals: Vec::new() }
    }

    /// Whether a referral leads down the tree from here, and not round in a circle: to a part of what
    /// this one was about, or from a node to the Map-Servers of just that.
    pub(super) fn leads_to(&self, eid: &EidPrefix, kind: Kind) -> bool {
        let Some(last) = self.last else { return true };
        let equal_is_deeper = self.kind == Kind::Nodes && kind != Kind::Nodes;
        last.iid == eid.iid && last.prefix.contains(&eid.prefix) && (equal_is_deeper || last != *eid)
    }

    /// Whom to ask next; `None`: enough.
    pub(super) fn next(&mut self) -> Option<IpAddr> {
        let enough = (2 * self.to.len()).clamp(3, TRIES_MAX);
        if self.tries >= enough {
            return None;
        }
        let index = self.tries.checked_rem(self.to.len())?;
        self.tries += 1;
        self.to.get(index).copied()
    }

    /// How long to wait for the answer to the last try.
    pub(super) fn wait_ms(&self) -> u64 {
        let round = self.tries.saturating_sub(1) / self.to.len().max(1);
        WAIT_MS << round.min(WAIT_DOUBLINGS)
    }
}

impl Pending {
    /// The DDT Map-Request of this step (RFC 8111 section 7.3).
    ///
    /// A node gets one of our own, with a nonce that nobody else knows: what it answers is kept for
    /// all, and an ITR that knew the nonce could forge it. A Map-Server gets the ITR's, because it
    /// passes it on, and with it what LISP-SEC needs.
    pub(super) fn message(&self, cx: &mut Cx<'_>) -> Option<Vec<u8>> {
        let ecm = match self.step.kind {
            Kind::Nodes => self.own_request(cx)?,
            Kind::MapServers | Kind::Hole => {
                let nonce = self.question.request.nonce;
                let demand = self.question.demand.as_ref();
                let security = demand.and_then(|demand| for_map_server(cx, demand, nonce));
                Ecm { security, ..Ecm::new(self.question.ecm.inner, self.question.ecm.payload.clone()) }
            }
        };
        reply::encode(cx, &Message::Ecm(Ecm { ddt: true, ..ecm }))
    }

    fn own_request(&self, cx: &mut Cx<'_>) -> Option<Ecm> {
        let itr_rlocs = cx.config.rlocs.iter().map(|rloc| Address::Ip(*rloc)).take(2).collect();
        let network = self.eid.prefix.network();
        let request = MapRequest {
            authoritative: false,
            probe: false,
            smr: false,
            pitr: false,
            smr_invoked: false,
            local_xtr: false,
            no_reply: true,
            nonce: self.nonce,
            source_eid: Address::None,
            itr_rlocs,
            records: vec![MapRequestRecord {
                subscribe: false,
                mask_len: self.eid.prefix.prefix_len(),
                eid: Address::from_eid(self.eid.iid, network),
            }],
            map_data: None,
            xtr: None,
        };
        let payload = reply::encode(cx, &Message::MapRequest(request))?;
        // Of the EID's family (RFC 9301 section 5.8), whatever ours is.
        let source = cx.rloc_like(network).unwrap_or(network);
        Some(Ecm::new(InnerHeader::new(source, CONTROL_PORT, network), payload))
    }
}

/// The one-time key under the secret shared with the Map-Servers. Without such a secret the
/// Map-Request goes on bare; an ITR that requires LISP-SEC will not take the answer.
pub(in crate::roles) fn for_map_server(cx: &mut Cx<'_>, demand: &Demand, nonce: u64) -> Option<EcmAd> {
    let key = cx.config.lisp_sec.forward.as_ref();
    let ad = key.and_then(|key| demand.for_map_server(nonce, key).ok());
    if ad.is_none() {
        cx.count(Counter::LispSecStripped);
    }
    ad
}

/// Whom a referral names, best first; of those alike, any may be the first.
pub(super) fn addresses(cx: &mut Cx<'_>, record: &ReferralRecord) -> Vec<IpAddr> {
    let usable = |ip: &IpAddr| can_forward(cx.config, *ip);
    let mut named: Vec<(u8, u64, IpAddr)> = Vec::new();
    for referral in record.referrals.iter().filter(|r| r.priority != u8::MAX) {
        if let Some(ip) = referral.address.rloc().filter(usable)
            && !named.iter().any(|(_, _, other)| *other == ip)
        {
            named.push((referral.priority, cx.rng.nonce(), ip));
        }
    }
    named.sort_unstable();
    named.into_iter().map(|(_, _, ip)| ip).collect()
}
