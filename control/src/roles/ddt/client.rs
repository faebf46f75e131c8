//! The way down the tree (RFC 8111 sections 7.3, 8; R-183): from the roots, or from what is remembered,
//! by referrals to the Map-Server, which passes the Map-Request on to the ETR.

use super::cache::{Kind, Referral, ReferralCache};
use super::pending::{Pending, Question, Step, addresses};
use crate::codec::{MapAction, MapReferral, ReferralAction, ReferralRecord};
use crate::engine::event::{EidPrefix, Time};
use crate::engine::{CONTROL_PORT, Counter, Cx, Meta, Slab, Timers};
use crate::roles::limit::sender;
use crate::roles::prefix_table::EidTable;
use crate::roles::reply::{self, AnswerLimits};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

/// Map-Requests on their way, in all and of one sender.
const PENDING_MAX: usize = 10_000;
const PENDING_PER_SENDER: usize = 1_000;
/// Steps of one Map-Request: more than any tree is deep.
const HOPS_MAX: usize = 32;
/// TTL of "nobody registered this", and of "we can not find out", minutes.
const SHORT_TTL_MINUTES: u32 = 1;

/// Map-Resolver in the tree.
#[derive(Default)]
pub struct DdtClient {
    /// Configured referrals.
    hints: EidTable<Referral>,
    cache: ReferralCache,
    pending: Slab<Pending>,
    timers: Timers,
    by_question: HashMap<(IpAddr, EidPrefix), u32>,
    by_nonce: HashMap<u64, u32>,
    by_sender: HashMap<IpAddr, usize>,
}

impl std::fmt::Debug for DdtClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DdtClient").field("pending", &self.pending.len()).finish_non_exhaustive()
    }
}

impl DdtClient {
    /// Takes over the configured referrals; what was learnt stays.
    pub(in crate::roles) fn configure(&mut self, cx: &mut Cx<'_>) {
        self.hints = EidTable::default();
        for hint in &cx.config.ddt.hints {
            let kind = if hint.map_servers { Kind::MapServers } else { Kind::Nodes };
            self.hints.insert(hint.eid, Referral { eid: hint.eid, kind, to: hint.to.clone() });
        }
    }

    /// Referrals remembered, and Map-Requests on their way.
    #[must_use]
    pub fn sizes(&self) -> (usize, usize) {
        (self.cache.len(), self.pending.len())
    }

    /// Takes a Map-Request to where it belongs. One that is on its way is replaced by its
    /// retransmission: the ITR waits for the newer nonce.
    pub(in crate::roles) fn resolve(
        &mut self,
        cx: &mut Cx<'_>,
        limits: &mut AnswerLimits,
        eid: EidPrefix,
        question: Question,
    ) {
        let who = sender(question.meta.from.ip());
        if let Some(slot) = self.by_question.get(&(who, eid)).copied() {
            self.replace(cx, slot, question);
            return;
        }
        let of_sender = self.by_sender.get(&who).copied().unwrap_or_default();
        if self.pending.len() >= PENDING_MAX || of_sender >= PENDING_PER_SENDER {
            cx.count(Counter::DdtOverPendingLimit);
            return;
        }
        let known = self.best(&eid);
        if let Some(hole) = known.filter(|referral| referral.kind == Kind::Hole) {
            let about = hole.eid;
            deny(cx, limits, &question, about, ReferralAction::DelegationHole.ttl_minutes());
            return;
        }
        let step = known.map_or_else(|| Step::root(&cx.config.ddt.roots), Step::of);
        let via_root = step.last.is_none();
        let nonce = cx.rng.nonce();
        let slot = self.pending.insert(Pending { question, eid, step, hops: 0, via_root, nonce });
        self.by_question.insert((who, eid), slot);
        *self.by_sender.entry(who).or_default() += 1;
        self.begin(cx, limits, slot);
    }

    fn best(&self, eid: &EidPrefix) -> Option<&Referral> {
        let hint = self.hints.lookup_prefix(eid).map(|(_, referral)| referral);
        let learnt = self.cache.lookup(eid);
        [learnt, hint].into_iter().flatten().max_by_key(|referral| referral.eid.prefix.prefix_len())
    }

    fn replace(&mut self, cx: &mut Cx<'_>, slot: u32, question: Question) {
        let Some(pending) = self.pending.get_mut(slot) else { return };
        let again = pending.question.request.nonce != question.request.nonce;
        pending.question = question;
        if pending.step.kind == Kind::MapServers && again {
            self.by_nonce.remove(&pending.nonce);
            pending.nonce = pending.question.request.nonce;
            self.by_nonce.insert(pending.nonce, slot);
            if let Some(to) = pending.step.next() {
                self.send(cx, slot, to);
            }
        }
    }

    /// Begins the step that a Map-Request has come to.
    fn begin(&mut self, cx: &mut Cx<'_>, limits: &mut AnswerLimits, slot: u32) {
        let Some(pending) = self.pending.get_mut(slot) else { return };
        pending.hops += 1;
        if pending.hops > HOPS_MAX || pending.step.to.is_empty() {
            self.give_up(cx, limits, slot);
            return;
        }
        self.by_nonce.remove(&pending.nonce);
        pending.nonce = match pending.step.kind {
            Kind::Nodes => cx.rng.nonce(),
            Kind::MapServers | Kind::Hole => pending.question.request.nonce,
        };
        self.by_nonce.insert(pending.nonce, slot);
        self.ask(cx, slot);
    }

    /// Asks the next one of this step; after the last try the Map-Request is forgotten, and its ITR
    /// asks again or gives up.
    fn ask(&mut self, cx: &mut Cx<'_>, slot: u32) {
        let next = self.pending.get_mut(slot).and_then(|pending| pending.step.next());
        match next {
            Some(to) => self.send(cx, slot, to),
            None => {
                cx.count(Counter::DdtUnanswered);
                self.forget(slot);
            }
        }
    }

    fn send(&mut self, cx: &mut Cx<'_>, slot: u32, to: IpAddr) {
        let Some(pending) = self.pending.get(slot) else { return };
        let wait = cx.rng.jitter(pending.step.wait_ms(), 10);
        self.timers.set(slot, cx.now.plus_ms(wait));
        if let Some(payload) = pending.message(cx) {
            cx.count(Counter::DdtRequestsSent);
            cx.send(SocketAddr::new(to, CONTROL_PORT), payload);
        }
    }

    /// Takes a Map-Referral that answers us: right nonce, and from one that was asked.
    pub(in crate::roles) fn on_referral(
        &mut self,
        cx: &mut Cx<'_>,
        limits: &mut AnswerLimits,
        meta: &Meta,
        referral: &MapReferral,
    ) {
        cx.count(Counter::ReferralsReceived);
        let slot = self.by_nonce.get(&referral.nonce).copied();
        let asked = slot.and_then(|slot| Some((slot, self.pending.get(slot)?)));
        let Some((slot, pending)) = asked.filter(|(_, p)| p.step.to.contains(&meta.from.ip())) else {
            cx.count(Counter::ReferralsUnsolicited);
            return;
        };
        let about = |record: &ReferralRecord| {
            record.eid_prefix().filter(|e| e.iid == pending.eid.iid && e.prefix.contains(&pending.eid.prefix))
        };
        let Some((record, eid)) = referral.records.iter().find_map(|r| Some((r, about(r)?))) else {
            cx.notice(Counter::ReferralsUnrelated, format_args!("Map-Referral from {}", meta.from));
            return;
        };
        match record.action {
            ReferralAction::NodeReferral => self.follow(cx, limits, slot, record, eid, Kind::Nodes),
            ReferralAction::MsReferral => self.follow(cx, limits, slot, record, eid, Kind::MapServers),
            ReferralAction::MsAck => self.acknowledged(cx, limits, slot, record, eid, meta),
            ReferralAction::MsNotRegistered => self.not_registered(cx, limits, slot, eid, meta),
            ReferralAction::DelegationHole => self.hole(cx, limits, slot, record, eid),
            ReferralAction::NotAuthoritative => self.ask_root(cx, limits, slot),
            ReferralAction::Unassigned(_) => cx.count(Counter::ReferralsUnrelated),
        }
    }

    /// Goes where a referral leads. What leads round in a circle, or is said by a Map-Server, to whom
    /// the ITR's own nonce went, is not believed: once more from the root.
    fn follow(
        &mut self,
        cx: &mut Cx<'_>,
        limits: &mut AnswerLimits,
        slot: u32,
        record: &ReferralRecord,
        eid: EidPrefix,
        kind: Kind,
    ) {
        let Some(pending) = self.pending.get_mut(slot) else { return };
        if pending.step.kind != Kind::Nodes || !pending.step.leads_to(&eid, kind) {
            cx.count(Counter::ReferralsCircular);
            self.ask_root(cx, limits, slot);
            return;
        }
        let referral = Referral { eid, kind, to: addresses(cx, record) };
        pending.step = Step::of(&referral);
        if !record.incomplete && !referral.to.is_empty() {
            self.cache.insert(cx.now, referral, record.ttl_minutes);
        }
        self.begin(cx, limits, slot);
    }

    /// The Map-Server has passed the Map-Request on: the answer goes straight to the ITR.
    fn acknowledged(
        &mut self,
        cx: &mut Cx<'_>,
        limits: &mut AnswerLimits,
        slot: u32,
        record: &ReferralRecord,
        eid: EidPrefix,
        meta: &Meta,
    ) {
        let Some(pending) = self.pending.get_mut(slot) else { return };
        if pending.step.kind == Kind::Nodes {
            // What was taken for a node is a Map-Server: it gets the ITR's request now.
            pending.step = Step {
                kind: Kind::MapServers,
                to: vec![meta.from.ip()],
                tries: 0,
                last: pending.step.last,
                refusals: Vec::new(),
            };
            self.begin(cx, limits, slot);
            return;
        }
        cx.count(Counter::DdtAcknowledged);
        if !record.incomplete && pending.step.leads_to(&eid, Kind::MapServers) {
            // Those that were asked, not those that it names: see `follow`.
            let to = pending.step.to.clone();
            self.cache.insert(cx.now, Referral { eid, kind: Kind::MapServers, to }, record.ttl_minutes);
        }
        self.forget(slot);
    }

    /// Asks the other Map-Servers; when none has a registration there is none. That is not remembered
    /// here, but by the ITR, for a minute: a site that comes up is found at once by everybody else.
    fn not_registered(
        &mut self,
        cx: &mut Cx<'_>,
        limits: &mut AnswerLimits,
        slot: u32,
        eid: EidPrefix,
        meta: &Meta,
    ) {
        let Some(pending) = self.pending.get_mut(slot) else { return };
        let step = &mut pending.step;
        if !step.refusals.contains(&meta.from.ip()) {
            step.refusals.push(meta.from.ip());
        }
        if step.refusals.len() < step.to.len() {
            self.ask(cx, slot);
            return;
        }
        let inside = step.last.is_none_or(|last| last.prefix.contains(&eid.prefix));
        let about = if inside { eid } else { pending.eid };
        self.end(cx, limits, slot, about, SHORT_TTL_MINUTES);
    }

    /// Nobody is responsible for this part.
    fn hole(
        &mut self,
        cx: &mut Cx<'_>,
        limits: &mut AnswerLimits,
        slot: u32,
        record: &ReferralRecord,
        eid: EidPrefix,
    ) {
        let Some(pending) = self.pending.get(slot) else { return };
        let kept = pending.step.kind == Kind::Nodes;
        if !pending.step.leads_to(&eid, Kind::Hole) {
            cx.count(Counter::ReferralsCircular);
            self.ask_root(cx, limits, slot);
            return;
        }
        let ttl = record.ttl_minutes.clamp(1, ReferralAction::DelegationHole.ttl_minutes());
        if kept && !record.incomplete {
            self.cache.insert(cx.now, Referral { eid, kind: Kind::Hole, to: Vec::new() }, ttl);
        }
        self.end(cx, limits, slot, eid, ttl);
    }

    /// The one that was asked is not responsible, or led nowhere: what led to it is forgotten, and the
    /// root asked, once.
    fn ask_root(&mut self, cx: &mut Cx<'_>, limits: &mut AnswerLimits, slot: u32) {
        let Some(pending) = self.pending.get_mut(slot) else { return };
        if let Some(last) = pending.step.last {
            self.cache.remove(&last);
        }
        if pending.via_root || cx.config.ddt.roots.is_empty() {
            self.give_up(cx, limits, slot);
            return;
        }
        pending.via_root = true;
        pending.step = Step::root(&cx.config.ddt.roots);
        self.begin(cx, limits, slot);
    }

    /// The tree has no answer: so says a negative Map-Reply for just that EID.
    fn give_up(&mut self, cx: &mut Cx<'_>, limits: &mut AnswerLimits, slot: u32) {
        cx.count(Counter::DdtLost);
        if let Some(eid) = self.pending.get(slot).map(|pending| pending.eid) {
            self.end(cx, limits, slot, eid, SHORT_TTL_MINUTES);
        }
    }

    fn end(&mut self, cx: &mut Cx<'_>, limits: &mut AnswerLimits, slot: u32, about: EidPrefix, ttl: u32) {
        if let Some(pending) = self.forget(slot) {
            deny(cx, limits, &pending.question, about, ttl);
        }
    }

    fn forget(&mut self, slot: u32) -> Option<Pending> {
        self.timers.cancel(slot);
        let pending = self.pending.remove(slot)?;
        let who = sender(pending.question.meta.from.ip());
        self.by_question.remove(&(who, pending.eid));
        self.by_nonce.remove(&pending.nonce);
        if let Some(of_sender) = self.by_sender.get_mut(&who) {
            *of_sender -= 1;
            if *of_sender == 0 {
                self.by_sender.remove(&who);
            }
        }
        Some(pending)
    }

    /// Asks again where no answer came, and forgets what has ended.
    pub(in crate::roles) fn on_tick(&mut self, cx: &mut Cx<'_>) {
        self.cache.expire(cx.now);
        while let Some(slot) = self.timers.pop_due(cx.now) {
            self.ask(cx, slot);
        }
    }

    /// When `on_tick` is wanted next.
    pub(in crate::roles) fn next_deadline(&self) -> Option<Time> {
        [self.cache.next_deadline(), self.timers.next_deadline()].into_iter().flatten().min()
    }
}

/// Tells the ITR that there is no mapping (RFC 8111 section 8.1).
fn deny(cx: &mut Cx<'_>, limits: &mut AnswerLimits, question: &Question, about: EidPrefix, ttl: u32) {
    let Question { meta, request, demand, .. } = question;
    let Some(to) = reply::destination(cx, meta, request) else {
        cx.count(Counter::RequestsWithoutItrRloc);
        return;
    };
    if request.no_reply || !limits.admit_repeat(cx, to.ip(), &request.records) {
        return;
    }
    let records = vec![reply::negative(&about, MapAction::NativelyForward, ttl)];
    match demand.as_ref().map(|demand| demand.answer(&records, false)).transpose() {
        Ok(signer) => {
            cx.count(Counter::NegativeRepliesSent);
            reply::send_signed(cx, None, to, request, records, signer);
        }
        Err(error) => cx.notice(Counter::LispSecRequestsRefused, error),
    }
}
