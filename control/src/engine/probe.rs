//! RLOC-probing (RFC 9301 sections 5.2, 7.1; ): one probe per RLOC, not per EID-prefix.
//!
//! A healthy RLOC is probed once per interval. An unanswered probe is sent again after the retry
//! time and then after twice that; after `probe_lost_max` losses in a row the RLOC is down. It is
//! probed on, and comes back after `probe_up_count` answers in a row. Retry times never exceed the
//! interval, so that an interval of 200 ms finds a dead RLOC within a second.

use super::counters::Counter;
use super::cx::{CONTROL_PORT, Cx};
use super::event::{EidPrefix, Iid, Time};
use super::rlocs::{PrefixOf, Rlocs};
use super::translated::Translated;
use crate::codec::{Address, MapReply, MapRequest, Message};
use crate::roles::limit::Rate;
use ipnet::{IpNet, Ipv4Net};
use std::net::{IpAddr, SocketAddr};

/// Probes per RLOC whose answer still counts.
const OUTSTANDING: usize = 4;
/// An answer that comes later than that is none.
const NONCE_LIFE_MS: u64 = 30_000;
/// A new RLOC is probed for the first time within that time.
const FIRST_PROBE_MS: u64 = 5_000;
/// Wait when the pace is used up.
const PACE_WAIT_MS: u64 = 20;
/// A hint (ICMP) does not make us probe sooner than that after the last probe.
const HINT_GAP_MS: u64 = 1_000;

/// A probe that waits for its answer.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    /// Nonce.
    pub nonce: u64,
    /// When.
    pub at: Time,
    /// EID-prefix asked for; none for a PETR, which has no mapping to confirm.
    pub eid: Option<EidPrefix>,
}

/// What probing knows of an RLOC.
#[derive(Debug, Default)]
pub struct Probing {
    /// Declared down.
    pub down: bool,
    /// Probes lost in a row.
    pub lost: u8,
    /// Answers in a row since it was declared down.
    pub answers: u8,
    /// Round-trip time of the last answer, milliseconds.
    pub rtt_ms: Option<u32>,
    /// Last answer.
    pub answered_at: Option<Time>,
    /// The last probe has not been answered yet.
    pub waiting: bool,
    /// The last probe.
    pub sent_at: Option<Time>,
    /// Probes whose answers count, oldest first.
    pub outstanding: Vec<Sent>,
    /// Locator-set whose member was asked for last.
    pub cursor: u32,
}

/// What an accepted answer to a probe is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answered {
    /// EID-prefix asked for: the reply may update its mapping.
    pub eid: Option<EidPrefix>,
    /// The RLOC that was probed.
    pub rloc: IpAddr,
}

impl Rlocs {
    /// Starts, keeps or stops the probing of an RLOC, as configuration and underlay want it.
    pub(super) fn reschedule(&mut self, cx: &mut Cx<'_>, slot: u32) {
        let interval = u64::from(cx.config.limits.probe_interval_ms);
        let Some(rloc) = self.table.get_mut(slot) else { return };
        // A NAT lets nothing through to port 4342; the routers behind it say themselves that they live.
        let through_nat = Translated::of(rloc.addr).is_some();
        let unwanted = through_nat || rloc.probers == 0;
        if interval == 0 || !rloc.underlay || !rloc.family || unwanted {
            rloc.probing.waiting = false;
            self.timers.cancel(slot);
            return;
        }
        if self.timers.deadline(slot).is_none() {
            let wait = cx.rng.below(interval.min(FIRST_PROBE_MS));
            self.timers.set(slot, cx.now.plus_ms(wait));
        }
    }

    /// ICMP says that an RLOC can not be reached: only a hint, so probe at once.
    pub fn on_icmp(&mut self, cx: &mut Cx<'_>, addr: IpAddr) {
        if let Some(slot) = self.find(addr) {
            self.probe_soon(cx, slot, false);
        }
    }

    /// Something was heard of an RLOC that a probe will confirm or not. `hope`: it may be back, so that the answer to
    /// one that went out while it was down is not waited for.
    pub(super) fn probe_soon(&mut self, cx: &Cx<'_>, slot: u32, hope: bool) {
        let Some(rloc) = self.table.get(slot) else { return };
        let recent = rloc.probing.sent_at.is_some_and(|at| cx.now.since(at) < HINT_GAP_MS);
        if !recent {
            self.probe_unless(cx, slot, rloc.probing.waiting && !(hope && rloc.probing.down));
        }
    }

    /// Probes an RLOC at once, unless an answer is waited for or it is not probed at all.
    pub(super) fn probe_now(&mut self, cx: &Cx<'_>, slot: u32) {
        self.probe_unless(cx, slot, self.table.get(slot).is_none_or(|rloc| rloc.probing.waiting));
    }

    fn probe_unless(&mut self, cx: &Cx<'_>, slot: u32, waiting: bool) {
        if !waiting && self.timers.deadline(slot).is_some() {
            self.timers.set(slot, cx.now);
        }
    }

    /// Sends the probes that are due and draws the conclusions from those that were not answered.
    pub fn on_tick(&mut self, cx: &mut Cx<'_>, prefix_of: PrefixOf<'_>) {
        while let Some(slot) = self.timers.pop_due(cx.now) {
            self.note_loss(cx, slot);
            let per_second = cx.config.limits.map_requests_per_second;
            let rate = Rate { per_second, burst: per_second / 10 };
            let wait = if self.pace.take(cx.now, rate) {
                self.send_probe(cx, slot, prefix_of);
                self.answer_wait(cx, slot)
            } else {
                cx.rng.jitter(PACE_WAIT_MS, 50)
            };
            // Never at the same instant again: the loop must end.
            self.timers.set(slot, cx.now.plus_ms(wait.max(1)));
        }
    }

    /// When probing wants to act next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        self.timers.next_deadline()
    }

    /// A Map-Reply with P=1. `None`: it answers no probe of ours, or must not be believed.
    pub fn on_probe_reply(&mut self, cx: &mut Cx<'_>, reply: &MapReply) -> Option<Answered> {
        let Some(slot) = self.nonces.remove(&reply.nonce) else {
            cx.count(Counter::MapRepliesUnsolicited);
            return None;
        };
        let rloc = self.table.get_mut(slot)?;
        let at = rloc.probing.outstanding.iter().position(|s| s.nonce == reply.nonce)?;
        let sent = rloc.probing.outstanding.remove(at);
        if cx.now.since(sent.at) > NONCE_LIFE_MS {
            cx.count(Counter::MapRepliesUnsolicited);
            return None;
        }
        // RFC 9301 section 5.4: every record of a probe reply is authoritative, else discard.
        if !reply.records.iter().all(|r| r.authoritative) {
            cx.count(Counter::ProbeRepliesNotAuthoritative);
            return None;
        }
        cx.count(Counter::ProbeReplies);
        let asked = rloc.addr;
        // The state belongs to the locator with the p bit, not to the reply's source.
        let probed = reply.records.iter().flat_map(|r| &r.locators).find(|l| l.probed);
        let owner = probed.and_then(|l| l.address.rloc()).and_then(|addr| self.find(addr)).unwrap_or(slot);
        let rtt = u32::try_from(cx.now.since(sent.at)).unwrap_or(u32::MAX);
        self.note_answer(cx, owner, rtt);
        if let Some(addr) = self.table.get(owner).map(|rloc| rloc.addr) {
            self.note_echoing(cx, addr, reply.echo_nonce);
        }
        Some(Answered { eid: sent.eid, rloc: asked })
    }

    fn note_answer(&mut self, cx: &mut Cx<'_>, slot: u32, rtt_ms: u32) {
        let limits = &cx.config.limits;
        let (up_count, interval) = (limits.probe_up_count.max(1), u64::from(limits.probe_interval_ms));
        let retry = u64::from(limits.probe_retry_ms).min(interval);
        let Some(rloc) = self.table.get_mut(slot) else { return };
        let probing = &mut rloc.probing;
        probing.rtt_ms = Some(rtt_ms);
        probing.answered_at = Some(cx.now);
        probing.waiting = false;
        probing.lost = 0;
        probing.answers = probing.answers.saturating_add(1);
        let recovering = probing.down && probing.answers < up_count;
        if probing.down && !recovering {
            self.change(cx, slot, "answers RLOC-probes again", |rloc| rloc.probing.down = false);
        }
        self.answered_in_spite(cx, slot, rtt_ms);
        if self.timers.deadline(slot).is_some() {
            let wait = if recovering { retry } else { cx.rng.jitter(interval, 10) };
            self.timers.set(slot, cx.now.plus_ms(wait));
        }
    }

    /// The timer ran out: a probe that still waits is lost.
    fn note_loss(&mut self, cx: &mut Cx<'_>, slot: u32) {
        let lost_max = cx.config.limits.probe_lost_max.max(1);
        let Some(rloc) = self.table.get_mut(slot) else { return };
        let probing = &mut rloc.probing;
        if !std::mem::take(&mut probing.waiting) {
            return;
        }
        probing.lost = probing.lost.saturating_add(1);
        probing.answers = 0;
        let down = probing.lost >= lost_max && !probing.down;
        cx.count(Counter::ProbesLost);
        if down {
            self.change(cx, slot, "does not answer RLOC-probes", |rloc| rloc.probing.down = true);
        }
    }

    /// How long to wait for the answer to a probe just sent.
    fn answer_wait(&self, cx: &mut Cx<'_>, slot: u32) -> u64 {
        let limits = &cx.config.limits;
        let interval = u64::from(limits.probe_interval_ms);
        let retry = u64::from(limits.probe_retry_ms);
        let Some(rloc) = self.table.get(slot) else { return interval };
        match (rloc.probing.down, rloc.probing.lost) {
            (true, _) => cx.rng.jitter(interval, 10),
            (false, 0) => retry.min(interval),
            (false, _) => retry.saturating_mul(2).min(interval),
        }
    }

    fn send_probe(&mut self, cx: &mut Cx<'_>, slot: u32, prefix_of: PrefixOf<'_>) {
        let eid = self.sample_member(slot).and_then(prefix_of);
        let nonce = cx.rng.nonce();
        let Some(rloc) = self.table.get_mut(slot) else { return };
        let Some(source) = cx.rloc_like(rloc.addr) else { return };
        let Some(payload) = probe_request(cx, nonce, source, eid) else { return };
        let probing = &mut rloc.probing;
        while probing.outstanding.len() >= OUTSTANDING {
            let oldest = probing.outstanding.remove(0);
            self.nonces.remove(&oldest.nonce);
        }
        probing.outstanding.push(Sent { nonce, at: cx.now, eid });
        probing.waiting = true;
        probing.sent_at = Some(cx.now);
        self.nonces.insert(nonce, slot);
        cx.count(Counter::ProbesSent);
        let to = SocketAddr::new(rloc.addr, CONTROL_PORT);
        cx.send_from(Some(source), to, payload);
    }

    /// A nonce of a probe that has not been answered: a plain Map-Reply must not use it.
    #[must_use]
    pub fn is_probe_nonce(&self, nonce: u64) -> bool {
        self.nonces.contains_key(&nonce)
    }
}

/// The probe: P=1, no Source-EID, one ITR-RLOC (of the RLOC's family, so that the answer tests the
/// way back), the cached EID-prefix. A PETR is asked for the default prefix, as other ITRs do
/// (peers.md 6). First byte 0x12, which lispers.net insists on.
fn probe_request(cx: &mut Cx<'_>, nonce: u64, source: IpAddr, eid: Option<EidPrefix>) -> Option<Vec<u8>> {
    let asked = eid.unwrap_or(EidPrefix { iid: Iid(0), prefix: IpNet::V4(Ipv4Net::default()) });
    let request = MapRequest {
        probe: true,
        pitr: cx.config.roles.pitr,
        ..MapRequest::new(nonce, asked, vec![Address::Ip(source)])
    };
    super::send::encode(cx, &Message::MapRequest(request))
}
