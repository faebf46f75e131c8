//! Lookups in progress: from the wish for a mapping to its reply or its end.
//!
//! A lookup is named by the EID-prefix it asks for; a second wish for the same prefix joins it
//! . It sends at most one Map-Request per second, each with a fresh nonce,
//! and always ends: by a reply, because nobody wants it any more, or after its last try. What ended
//! stays for a while, so that the same question is not asked again at once.

use super::counters::Counter;
use super::cx::Cx;
use super::event::{Action, EidPrefix, Iid, Time};
use super::map_resolvers::MapResolvers;
use super::send::{self, Lookup};
use super::slab::Slab;
use super::subscriptions::{self, SubscribeNonces};
use super::timers::Timers;
use crate::codec::lisp_sec::{HMAC_SHA1_96, HMAC_SHA256_128};
use crate::codec::lisp_sec_keys::KDF_HKDF_SHA256;
use crate::codec::{EcmAd, EidAd, Otk};
use crate::roles::limit::{Bucket, HashedBuckets, Rate, sender};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::net::IpAddr;
use zeroize::Zeroizing;

/// Map-Requests of a lookup: the first and 10 retransmissions.
const TRIES: u32 = 11;
/// Map-Requests of a lookup that an SMR invoked.
const SMR_TRIES: u32 = 3;
/// Pause after the last try.
const HELD_DOWN_MS: u64 = 30_000;
/// Least time between two Map-Requests for an EID-prefix, and after an SMR.
const GAP_MS: u64 = 1_000;
const SMR_GAP_MS: u64 = 3_000;
/// A lookup goes on as long as packets asked for it within that time; workers repeat a miss each
/// second while packets arrive.
const WANTED_MS: u64 = 5_000;
/// A reply to a nonce is accepted that long.
const NONCE_LIFE_MS: u64 = 30_000;
/// Map-Requests of a lookup that also subscribe (RFC 9437); the rest only ask, in case that somebody
/// on the way can not bear the other ones.
const SUBSCRIBE_TRIES: u32 = 3;
/// Wait of a retransmission when the total rate is used up.
const RATE_WAIT_MS: u64 = 100;
/// Buckets of the budget per packet source; 8 bytes each.
const SOURCE_BUCKETS: usize = 16_384;

/// Why a mapping is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// A packet has none.
    Miss,
    /// The TTL of one in use is about to end.
    Refresh,
    /// A peer says that it changed.
    Smr,
    /// All locators of one in use are down.
    Stranded,
}

/// How far a lookup is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Requests are being sent.
    Asking,
    /// Ended; the same question must wait.
    Cooling,
    /// Ended in vain after all tries.
    HeldDown,
}

/// A lookup.
#[derive(Debug)]
pub struct Pending {
    /// EID-prefix asked for.
    pub eid: EidPrefix,
    /// Why.
    pub cause: Cause,
    /// How far it is.
    pub phase: Phase,
    /// Map-Requests sent in this round.
    pub tries: u32,
    /// Map-Requests sent since the last answer, in all rounds: an SMR starts a new round, but no new
    /// count.
    unanswered: u32,
    /// Start of this round of tries.
    pub started: Time,
    /// Map-Resolver asked last.
    pub resolver: Option<IpAddr>,
    source: Option<IpAddr>,
    nonces: Vec<Sent>,
    /// Last time that packets asked for it; `None`: none wait.
    wanted: Option<Time>,
    /// Something that came up meanwhile needs another round once this one has ended.
    again: Option<Cause>,
    last_sent: Time,
    /// The ETR can not do LISP-SEC, and it is not required: the rest of the tries goes without.
    insecure: bool,
    /// The HMAC that LISP-SEC is asked to use.
    hmac_id: u16,
}

/// A Map-Request that may still be answered.
#[derive(Clone, Debug)]
struct Sent {
    nonce: u64,
    at: Time,
    resolver: IpAddr,
    subscribes: bool,
    /// LISP-SEC, if it was sent with it.
    secured: Option<Secured>,
}

/// What the answer to a Map-Request with LISP-SEC is checked by.
#[derive(Clone, Debug)]
pub struct Secured {
    /// The one-time key.
    pub otk: Otk,
    /// The HMAC asked for.
    pub hmac_id: u16,
}

/// A reply's nonce was ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// EID-prefix asked for.
    pub eid: EidPrefix,
    slot: u32,
}

/// All lookups and their budgets.
#[derive(Debug, Default)]
pub struct Resolver {
    table: Slab<Pending>,
    by_eid: HashMap<EidPrefix, u32>,
    nonces: HashMap<u64, u32>,
    timers: Timers,
    asking: usize,
    per_source: Option<HashedBuckets>,
    total: Bucket,
    /// The configured Map-Resolvers.
    pub resolvers: MapResolvers,
    /// Nonces of the Map-Requests that subscribe.
    pub subscribe_nonces: SubscribeNonces,
}

impl Resolver {
    /// Takes over the configuration.
    pub fn configure(&mut self, cx: &mut Cx<'_>) {
        self.resolvers.configure(&cx.config.map_resolvers);
        self.per_source.get_or_insert_with(|| HashedBuckets::new(SOURCE_BUCKETS, cx.rng.nonce()));
    }

    /// A mapping for `eid` is wanted; `source` is the source of the packet that wants it. False:
    /// refused by a budget; workers repeat a miss while packets arrive, others must ask again.
    pub fn want(&mut self, cx: &mut Cx<'_>, eid: EidPrefix, cause: Cause, source: Option<IpAddr>) -> bool {
        if let Some(&slot) = self.by_eid.get(&eid) {
            self.join(cx, slot, cause, source);
            return true;
        }
        let refused = if !self.has_room(cx, cause) {
            Some(Counter::LookupsOverPendingLimit)
        } else if cause == Cause::Miss && !self.within_source_budget(cx, eid.iid, source) {
            Some(Counter::LookupsOverSourceBudget)
        } else if cause == Cause::Miss && !self.within_rate(cx, cause) {
            Some(Counter::MapRequestsOverRate)
        } else {
            None
        };
        if let Some(refused) = refused {
            cx.count(refused);
            return false;
        }
        self.start(cx, eid, cause, source);
        true
    }

    fn start(&mut self, cx: &mut Cx<'_>, eid: EidPrefix, cause: Cause, source: Option<IpAddr>) {
        let slot = self.table.insert(Pending {
            eid,
            cause,
            phase: Phase::Asking,
            tries: 0,
            unanswered: 0,
            started: cx.now,
            resolver: None,
            source,
            nonces: Vec::new(),
            wanted: (cause == Cause::Miss).then_some(cx.now),
            again: None,
            last_sent: cx.now,
            insecure: false,
            hmac_id: HMAC_SHA256_128,
        });
        self.by_eid.insert(eid, slot);
        self.asking += 1;
        match cause {
            Cause::Miss => self.ask(cx, slot),
            Cause::Refresh | Cause::Smr | Cause::Stranded => self.ask_within_rate(cx, slot),
        }
    }

    fn join(&mut self, cx: &mut Cx<'_>, slot: u32, cause: Cause, source: Option<IpAddr>) {
        let Some(pending) = self.table.get_mut(slot) else { return };
        match (pending.phase, cause) {
            (Phase::HeldDown, Cause::Miss) => {
                let eid = pending.eid;
                cx.count(Counter::MissesHeldDown);
                abandon(cx, &eid);
            }
            (Phase::HeldDown | Phase::Asking, Cause::Refresh | Cause::Stranded) => {}
            (phase, Cause::Miss) => {
                cx.count(Counter::MissesPending);
                pending.wanted = Some(cx.now);
                pending.source = source.or(pending.source);
                if phase == Phase::Cooling {
                    pending.again.get_or_insert(cause);
                }
            }
            // The answer that is on its way may be from before the change.
            (_, Cause::Smr) => {
                cx.count(Counter::SmrsLimited);
                pending.again = Some(cause);
            }
            (Phase::Cooling, Cause::Refresh | Cause::Stranded) => {
                pending.again.get_or_insert(cause);
            }
        }
    }

    /// Retransmits, gives up and forgets what is due.
    pub fn on_tick(&mut self, cx: &mut Cx<'_>) {
        while let Some(slot) = self.timers.pop_due(cx.now) {
            let Some(pending) = self.table.get(slot) else { continue };
            match (pending.phase, pending.again) {
                (Phase::Asking, _) => self.on_silence(cx, slot),
                (Phase::Cooling | Phase::HeldDown, Some(cause)) => self.restart(cx, slot, cause),
                (Phase::Cooling | Phase::HeldDown, None) => self.forget(slot),
            }
        }
    }

    /// When `on_tick` is wanted next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        self.timers.next_deadline()
    }

    /// Whether a nonce waits for a Map-Reply.
    #[must_use]
    pub fn is_lookup_nonce(&self, nonce: u64) -> bool {
        self.nonces.contains_key(&nonce)
    }

    /// Whether a nonce is that of a Map-Request that subscribes.
    #[must_use]
    pub fn is_subscribe_nonce(&self, nonce: u64) -> bool {
        let pending = self.nonces.get(&nonce).and_then(|&slot| self.table.get(slot));
        pending.is_some_and(|p| p.nonces.iter().any(|sent| sent.nonce == nonce && sent.subscribes))
    }

    /// What went with the Map-Request of this nonce for LISP-SEC.
    #[must_use]
    pub fn secured(&self, nonce: u64) -> Option<Secured> {
        let pending = self.table.get(*self.nonces.get(&nonce)?)?;
        pending.nonces.iter().find(|sent| sent.nonce == nonce)?.secured.clone()
    }

    /// The answer to this nonce is authentic, by another HMAC than was asked for: the next tries, at their
    /// own pace, ask for the other one (RFC 9303 section 6.9, R-201).
    pub fn ask_for_another_hmac(&mut self, nonce: u64) {
        let slot = self.nonces.get(&nonce).copied();
        let Some(pending) = slot.and_then(|slot| self.table.get_mut(slot)) else { return };
        let Some(sent) = pending.nonces.iter().find(|sent| sent.nonce == nonce) else { return };
        pending.hmac_id = match &sent.secured {
            Some(Secured { hmac_id: HMAC_SHA256_128, .. }) => HMAC_SHA1_96,
            _ => HMAC_SHA256_128,
        };
    }

    /// The answer to this nonce can not be signed: the next tries do without LISP-SEC.
    pub fn do_without_security(&mut self, nonce: u64) {
        let slot = self.nonces.get(&nonce).copied();
        if let Some(pending) = slot.and_then(|slot| self.table.get_mut(slot)) {
            pending.insecure = true;
        }
    }

    /// A Map-Reply with this nonce came: what it answers, once. `None`: nothing that was
    /// asked within the last 30 s.
    pub fn answered(&mut self, cx: &mut Cx<'_>, nonce: u64) -> Option<Asked> {
        let slot = self.nonces.remove(&nonce)?;
        let pending = self.table.get_mut(slot)?;
        let at = pending.nonces.iter().position(|sent| sent.nonce == nonce)?;
        let sent = pending.nonces.remove(at);
        let took = cx.now.since(sent.at);
        if took > NONCE_LIFE_MS {
            return None;
        }
        self.resolvers.on_answer(sent.resolver, cx.now, took);
        Some(Asked { eid: pending.eid, slot })
    }

    /// The reply was good: ends the lookup. `resolved`: there is a mapping now; else the packets
    /// that wait are let go.
    pub fn done(&mut self, cx: &mut Cx<'_>, asked: Asked, resolved: bool) {
        let Some(pending) = self.table.get_mut(asked.slot).filter(|p| p.phase == Phase::Asking) else {
            return;
        };
        pending.unanswered = 0;
        if !resolved && pending.wanted.is_some() {
            abandon(cx, &asked.eid);
        }
        cx.count(Counter::ResolutionsDone);
        let gap = if pending.cause == Cause::Smr { SMR_GAP_MS } else { GAP_MS };
        let until = pending.last_sent.plus_ms(gap);
        self.end(cx, asked.slot, Phase::Cooling, until);
    }

    /// Forgets which questions were asked in vain: all, or those inside a prefix.
    pub fn clear(&mut self, inside: Option<&EidPrefix>) {
        let is_inside =
            |eid: &EidPrefix| inside.is_none_or(|i| i.iid == eid.iid && i.prefix.contains(&eid.prefix));
        let held =
            |(slot, p): (u32, &Pending)| (p.phase == Phase::HeldDown && is_inside(&p.eid)).then_some(slot);
        let slots: Vec<u32> = self.table.iter().filter_map(held).collect();
        for slot in slots {
            self.timers.cancel(slot);
            self.forget(slot);
        }
    }

    /// Lookups, those that ended included as long as they are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// All lookups.
    pub fn iter(&self) -> impl Iterator<Item = &Pending> {
        self.table.iter().map(|(_, pending)| pending)
    }

    fn on_silence(&mut self, cx: &mut Cx<'_>, slot: u32) {
        let Some(pending) = self.table.get_mut(slot) else { return };
        let now = cx.now;
        pending.nonces.retain(|sent| {
            let valid = now.since(sent.at) <= NONCE_LIFE_MS;
            if !valid {
                self.nonces.remove(&sent.nonce);
            }
            valid
        });
        // Zero tries: it only waited for the total rate.
        if pending.tries > 0 {
            pending.resolver.take().into_iter().for_each(|r| self.resolvers.on_silence(r));
        }
        let tries = if pending.cause == Cause::Smr && pending.wanted.is_none() { SMR_TRIES } else { TRIES };
        let unwanted =
            pending.cause == Cause::Miss && pending.wanted.is_none_or(|wanted| now.since(wanted) > WANTED_MS);
        if pending.tries < tries && pending.unanswered < TRIES && !unwanted {
            self.ask_within_rate(cx, slot);
            return;
        }
        cx.count(Counter::ResolutionsFailed);
        if pending.wanted.is_some() {
            abandon(cx, &pending.eid);
        }
        if pending.unanswered >= TRIES {
            self.end(cx, slot, Phase::HeldDown, now.plus_ms(HELD_DOWN_MS));
        } else {
            self.end(cx, slot, Phase::Cooling, now.plus_ms(GAP_MS));
        }
    }

    fn restart(&mut self, cx: &mut Cx<'_>, slot: u32, cause: Cause) {
        let Some(pending) = self.table.get_mut(slot) else { return };
        if pending.phase == Phase::HeldDown {
            pending.unanswered = 0;
        }
        pending.cause = cause;
        pending.phase = Phase::Asking;
        pending.tries = 0;
        pending.started = cx.now;
        pending.again = None;
        self.asking += 1;
        self.ask_within_rate(cx, slot);
    }

    fn ask_within_rate(&mut self, cx: &mut Cx<'_>, slot: u32) {
        let Some(cause) = self.table.get(slot).map(|p| p.cause) else { return };
        if self.within_rate(cx, cause) {
            self.ask(cx, slot);
        } else {
            cx.count(Counter::MapRequestsOverRate);
            let wait = cx.rng.jitter(RATE_WAIT_MS, 50);
            self.timers.set(slot, cx.now.plus_ms(wait));
        }
    }

    fn ask(&mut self, cx: &mut Cx<'_>, slot: u32) {
        let Some(pending) = self.table.get_mut(slot) else { return };
        let patient = pending.wanted.is_none();
        // Those of the last 30 s: whom it asked before may have come back.
        let asked: Vec<IpAddr> = pending.nonces.iter().map(|sent| sent.resolver).collect();
        let resolver = self.resolvers.choose(cx, &asked, patient);
        let identity = subscriptions::identity(cx.config).filter(|_| pending.tries < SUBSCRIBE_TRIES);
        let nonce = if identity.is_some() { self.subscribe_nonces.next(cx) } else { cx.rng.nonce() };
        let hmac_id = (!pending.insecure).then_some(pending.hmac_id);
        let (secured, ad) = secure(cx, nonce, hmac_id).unzip();
        let lookup = Lookup {
            eid: pending.eid,
            security: ad,
            subscriber: identity,
            packet_source: pending.source,
            smr_invoked: pending.cause == Cause::Smr,
        };
        let retransmission = pending.tries > 0;
        pending.tries += 1;
        pending.unanswered += 1;
        pending.resolver = resolver;
        pending.last_sent = cx.now;
        // Never less than a second, and not in step with others that began together.
        let base = 1000 << ((pending.tries.saturating_sub(1) / 2).min(3));
        let wait = base + cx.rng.below(base / 10);
        self.timers.set(slot, cx.now.plus_ms(wait));
        let Some(resolver) = resolver else {
            cx.count(Counter::NoMapResolver);
            return;
        };
        if !send::to_map_resolver(cx, resolver, nonce, &lookup) {
            return;
        }
        pending.nonces.push(Sent { nonce, at: cx.now, resolver, subscribes: identity.is_some(), secured });
        self.nonces.insert(nonce, slot);
        cx.count(Counter::MapRequestsSent);
        if identity.is_some() {
            cx.count(Counter::SubscribesSent);
        }
        if retransmission {
            cx.count(Counter::MapRequestsRetransmitted);
        } else if lookup.smr_invoked {
            cx.count(Counter::SmrInvokedSent);
        }
    }

    /// Ends a lookup: its nonces are void from now on.
    fn end(&mut self, cx: &Cx<'_>, slot: u32, phase: Phase, until: Time) {
        let Some(pending) = self.table.get_mut(slot) else { return };
        for sent in std::mem::take(&mut pending.nonces) {
            self.nonces.remove(&sent.nonce);
        }
        pending.phase = phase;
        pending.wanted = None;
        self.asking = self.asking.saturating_sub(1);
        self.timers.set(slot, until.max(cx.now.plus_ms(1)));
    }

    fn forget(&mut self, slot: u32) {
        if let Some(pending) = self.table.remove(slot) {
            self.by_eid.remove(&pending.eid);
        }
    }

    /// Refreshes and SMRs, which keep traffic in progress right, have a reserve that misses
    /// can not use up; what is stranded may take half of what is for misses. What has ended but is still
    /// remembered counts half.
    fn has_room(&self, cx: &Cx<'_>, cause: Cause) -> bool {
        let limit = (cx.config.limits.pending_requests as usize).max(1);
        let limit = match cause {
            Cause::Miss => limit,
            Cause::Refresh | Cause::Smr => limit + limit / 4 + 1,
            Cause::Stranded => limit.div_ceil(2),
        };
        self.asking < limit && self.table.len() < 2 * limit
    }

    /// fair over sources, and over instances, whose addresses may be the same.
    fn within_source_budget(&mut self, cx: &Cx<'_>, iid: Iid, source: Option<IpAddr>) -> bool {
        let per_second = cx.config.limits.lookups_per_source_per_second;
        let (Some(source), Some(buckets)) = (source, &mut self.per_source) else { return true };
        buckets.take(cx.now, (iid, sender(source)), Rate { per_second, burst: per_second })
    }

    fn within_rate(&mut self, cx: &Cx<'_>, cause: Cause) -> bool {
        let per_second = cx.config.limits.map_requests_per_second;
        // A fifth of the bucket is out of reach of misses, half of it of what is stranded.
        let burst = match cause {
            Cause::Miss => per_second / 5 * 4,
            Cause::Refresh | Cause::Smr => per_second,
            Cause::Stranded => per_second / 2,
        };
        self.total.take(cx.now, Rate { per_second, burst })
    }
}

/// A fresh one-time key and what carries it, where LISP-SEC is configured (RFC 9303 section 6.4) and wanted.
fn secure(cx: &mut Cx<'_>, nonce: u64, hmac_id: Option<u16>) -> Option<(Secured, EcmAd)> {
    let (key, hmac_id) = (cx.config.lisp_sec.itr.as_ref()?, hmac_id?);
    let mut bytes = Zeroizing::new([0; 16]);
    cx.rng.fill(bytes.as_mut_slice());
    let otk = Otk::new(*bytes);
    let request = EidAd::request(KDF_HKDF_SHA256);
    match EcmAd::wrap(&otk, nonce, key.id, &key.secret, hmac_id, request) {
        Ok(ad) => Some((Secured { otk, hmac_id }, ad)),
        Err(error) => {
            cx.notice(Counter::EncodeErrors, error);
            None
        }
    }
}

/// Lets go of the packets that wait for an EID. Only host prefixes have such.
fn abandon(cx: &mut Cx<'_>, eid: &EidPrefix) {
    if eid.prefix.prefix_len() == eid.prefix.max_prefix_len() {
        cx.out.push(Action::Abandon { iid: eid.iid, eid: eid.prefix.addr() });
    }
}
