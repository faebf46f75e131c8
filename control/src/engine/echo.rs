//! Echo-nonce (RFC 9300 section 10.1; R-094): where data flows both ways between two trusted routers, they find
//! out by it whether it gets there, much sooner than by slow RLOC-probes.
//!
//! An RLOC whose router says that it echoes (E of its Map-Replies) is asked once per interval: a *round*.
//! Meanwhile all packets to it have the nonce. The round ends with the echo; or with the RLOC down, when data
//! came from it without the echo for as long as an echo may take, after packets had gone there; or without a
//! conclusion, when too little went or came: then RLOC-probing decides. An RLOC that is down for this is
//! probed at once, and the answer takes it up again. If it answers probes but does not echo, over and
//! over, it stays down for longer each time.
//!
//! Two that ask each other: who is asked puts his own round off for a moment, in which he echoes.

use super::config::EngineConfig;
use super::counters::Counter;
use super::cx::Cx;
use super::event::{Action, Time};
use super::rlocs::{Rloc, Rlocs};
use super::timers::Timers;
use super::translated::Translated;
use crate::roles::limit::{Bucket, Rate};
use pxtr_dataplane::echo::{EchoMark, EchoNonce, EchoSaid};
use std::net::IpAddr;

/// RLOCs asked at a time: the workers keep a list of them.
const ASKED_MAX: usize = 256;
/// Rounds begun, and echoes given, of all RLOCs together.
const ROUNDS: Rate = Rate { per_second: 100, burst: 20 };
const WISHES: Rate = Rate { per_second: 1_000, burst: 1_000 };
/// An echo is given for so long after it was wanted last.
const GIVEN_MS: u64 = 3_000;
/// So many times the wait for an echo lasts a round in which nothing comes back, one in which something does,
/// and one that is put off again and again.
const SILENT: u64 = 2;
const HEARD: u64 = 5;
const LONGEST: u64 = 20;
/// Who answers probes but does not echo stays down for that long at most.
const HOLD_MAX_MS: u64 = 600_000;

/// What is known of the echoes of an RLOC.
#[derive(Debug, Default)]
pub struct Echoing {
    /// Its router says that it echoes.
    able: bool,
    next: Option<Time>,
    round: Option<Round>,
    /// What is echoed, and until when.
    given: Option<(EchoNonce, Time)>,
    /// Declared down for want of an echo: when, and until when answers to probes do not count.
    missing: Option<(Time, Time)>,
    /// Rounds without an echo since the last one with it.
    failures: u32,
    answered: Option<Time>,
    /// What the data plane was told.
    told: (Option<EchoMark>, Option<EchoNonce>),
}

/// A nonce and what came of it so far.
#[derive(Debug)]
struct Round {
    nonce: EchoNonce,
    began: Time,
    ends: Time,
    /// Put off until then.
    paused: Option<Time>,
    /// Not put off again before.
    steady: Time,
    /// Packets that had been sent there when the first one came back without the echo.
    heard: Option<u64>,
    /// More had been by then.
    asked: Option<Time>,
}

/// What all RLOCs share.
#[derive(Debug, Default)]
pub(super) struct Echoes {
    timers: Timers,
    asking: usize,
    rounds: Bucket,
    wishes: Bucket,
}

impl Echoes {
    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.timers.next_deadline()
    }
}

impl Echoing {
    /// It is down for want of an echo.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        self.missing.is_some()
    }

    /// Its router says that it echoes.
    #[must_use]
    pub fn is_able(&self) -> bool {
        self.able
    }

    /// It is being asked.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.round.is_some()
    }

    /// When it echoed last.
    #[must_use]
    pub fn answered(&self) -> Option<Time> {
        self.answered
    }

    /// What the data plane is to know: the nonce of what is sent there, and that of what is awaited.
    fn tell(&self) -> (Option<EchoMark>, Option<EchoNonce>) {
        let ask = self.round.as_ref().filter(|round| round.paused.is_none());
        let give = || self.given.map(|(nonce, _)| EchoMark::Give(nonce));
        let mark = ask.map(|round| EchoMark::Ask(round.nonce)).or_else(give);
        (mark, self.round.as_ref().map(|round| round.nonce))
    }

    /// Puts the round off, if there is one, because the other end asks as well. `false`: not so soon again.
    fn put_off(&mut self, cx: &mut Cx<'_>) -> bool {
        let wait = u64::from(cx.config.limits.echo_wait_ms);
        let Some(round) = self.round.as_mut().filter(|round| round.paused.is_none()) else { return true };
        let due = cx.now >= round.steady;
        if due {
            let pause = cx.now.plus_ms(wait / 2 + cx.rng.below(wait / 2 + 1));
            (round.paused, round.heard, round.asked) = (Some(pause), None, None);
        }
        due
    }

    fn wake(&self) -> Option<Time> {
        let round = self.round.as_ref().map(|round| round.paused.unwrap_or(round.ends));
        let given = self.given.map(|(_, until)| until);
        [round.or(self.next), given].into_iter().flatten().min()
    }
}

impl Rlocs {
    /// A Map-Reply about an RLOC says whether its router echoes (RFC 9301 section 5.4, E).
    pub(super) fn note_echoing(&mut self, cx: &mut Cx<'_>, addr: IpAddr, echoes: bool) {
        let Some(slot) = self.find(addr).filter(|_| may_echo(cx.config, addr)) else { return };
        let Some(rloc) = self.table.get_mut(slot) else { return };
        if rloc.echo.as_ref().is_some_and(|echo| echo.able) == echoes {
            return;
        }
        let echo = rloc.echo.get_or_insert_default();
        echo.able = echoes;
        let interval = u64::from(cx.config.limits.echo_interval_ms);
        echo.next = echoes.then(|| cx.now.plus_ms(cx.rng.below(interval)));
        if !echoes {
            self.end_round(slot);
            self.change(cx, slot, "does not echo nonces any more", Rloc::forgive_echo);
        }
        self.settle_echo(cx, slot);
    }

    /// A worker tells what the LISP header of a packet from a trusted router said. `sent`: packets that have
    /// gone to its RLOC.
    pub fn on_echo(&mut self, cx: &mut Cx<'_>, addr: IpAddr, said: EchoSaid, sent: u64) {
        // It may have been on its way while the configuration changed.
        let Some(slot) = self.find(addr).filter(|_| may_echo(cx.config, addr)) else { return };
        match said {
            EchoSaid::Wanted(nonce) => self.give_echo(cx, slot, nonce),
            EchoSaid::Given(nonce) => self.take_echo(cx, slot, nonce),
            EchoSaid::Missing(nonce) => self.miss_echo(cx, slot, nonce, sent),
        }
        self.settle_echo(cx, slot);
    }

    /// Puts a nonce into what is sent to the RLOC that it came from, and to others of its site: what we send to
    /// that router may go there.
    fn give_echo(&mut self, cx: &mut Cx<'_>, slot: u32, nonce: EchoNonce) {
        if !self.echoes.wishes.take(cx.now, WISHES) {
            return cx.count(Counter::EchoesNotGiven);
        }
        let Some(rloc) = self.table.get_mut(slot) else { return };
        if !rloc.echo.get_or_insert_default().put_off(cx) {
            return;
        }
        let until = cx.now.plus_ms(GIVEN_MS);
        for other in self.same_sites(slot) {
            let Some(rloc) = self.table.get_mut(other).filter(|r| may_echo(cx.config, r.addr)) else {
                continue;
            };
            let echo = rloc.echo.get_or_insert_default();
            if other == slot && echo.given.is_none_or(|(given, _)| given != nonce) {
                cx.count(Counter::EchoesGiven);
            }
            echo.given = Some((nonce, until));
            self.settle_echo(cx, other);
        }
    }

    fn take_echo(&mut self, cx: &mut Cx<'_>, slot: u32, nonce: EchoNonce) {
        if !self.is_awaited(slot, nonce) {
            return;
        }
        self.end_round(slot);
        let next = self.next_round(cx);
        let Some(echo) = self.table.get_mut(slot).and_then(|rloc| rloc.echo.as_mut()) else { return };
        (echo.next, echo.answered, echo.failures) = (Some(next), Some(cx.now), 0);
        cx.count(Counter::EchoesReceived);
    }

    /// Data came without the echo. What was on its way proves nothing: packets must have gone there since the
    /// first such one, and there is still no echo after the time that it may take.
    fn miss_echo(&mut self, cx: &mut Cx<'_>, slot: u32, nonce: EchoNonce, sent: u64) {
        if !self.is_awaited(slot, nonce) {
            return;
        }
        let wait = u64::from(cx.config.limits.echo_wait_ms);
        let round = self.table.get_mut(slot).and_then(|rloc| rloc.echo.as_mut()?.round.as_mut());
        let Some(round) = round.filter(|round| round.paused.is_none()) else { return };
        match (round.heard, round.asked) {
            (None, _) => {
                round.heard = Some(sent);
                round.ends = cx.now.plus_ms(HEARD * wait).min(round.began.plus_ms(LONGEST * wait));
            }
            (Some(before), None) if sent != before => round.asked = Some(cx.now),
            (Some(_), Some(at)) if cx.now.since(at) >= wait => self.declare_missing(cx, slot),
            _ => {}
        }
    }

    fn declare_missing(&mut self, cx: &mut Cx<'_>, slot: u32) {
        self.end_round(slot);
        let (now, interval) = (cx.now, u64::from(cx.config.limits.echo_interval_ms));
        self.change(cx, slot, "does not echo nonces", |rloc| {
            let Some(echo) = rloc.echo.as_mut() else { return };
            // The first time the answer to a probe counts at once.
            let hold = match echo.failures {
                0 => 0,
                again => (interval << again.min(16)).min(HOLD_MAX_MS),
            };
            echo.failures = echo.failures.saturating_add(1);
            (echo.missing, echo.next) = (Some((now, now.plus_ms(hold))), None);
        });
        cx.count(Counter::EchoesMissing);
        self.probe_now(cx, slot);
    }

    /// A probe that took so long was answered: that overrides a missing echo (RFC 9300 section 10.1).
    pub(super) fn answered_in_spite(&mut self, cx: &mut Cx<'_>, slot: u32, rtt_ms: u32) {
        let echo = self.table.get(slot).and_then(|rloc| rloc.echo.as_ref());
        let Some((since, hold)) = echo.and_then(|echo| echo.missing) else { return };
        if cx.now.since(since) < u64::from(rtt_ms) || cx.now < hold {
            return;
        }
        let next = self.next_round(cx);
        self.change(cx, slot, "answers RLOC-probes", |rloc| {
            rloc.forgive_echo();
            rloc.echo.iter_mut().for_each(|echo| echo.next = Some(next));
        });
        self.settle_echo(cx, slot);
    }

    /// Rounds that begin, go on or end.
    pub(super) fn tick_echoes(&mut self, cx: &mut Cx<'_>) {
        while let Some(slot) = self.echoes.timers.pop_due(cx.now) {
            self.echo_due(cx, slot);
            self.settle_echo(cx, slot);
        }
    }

    fn echo_due(&mut self, cx: &mut Cx<'_>, slot: u32) {
        let wait = u64::from(cx.config.limits.echo_wait_ms);
        let next = self.next_round(cx);
        let Some(rloc) = self.table.get_mut(slot) else { return };
        let up = rloc.is_up();
        let Some(echo) = rloc.echo.as_mut() else { return };
        echo.given = echo.given.filter(|(_, until)| *until > cx.now);
        match &mut echo.round {
            Some(round) if up && round.paused.is_some_and(|until| until <= cx.now) => {
                (round.paused, round.steady) = (None, cx.now.plus_ms(wait));
                round.ends = cx.now.plus_ms(SILENT * wait).min(round.began.plus_ms(LONGEST * wait));
            }
            Some(round) if !up || (round.paused.is_none() && round.ends <= cx.now) => {
                echo.next = Some(next);
                cx.count(Counter::EchoesUndecided);
                self.end_round(slot);
            }
            Some(_) => {}
            None if echo.next.is_some_and(|at| at <= cx.now) => {
                echo.next = Some(next);
                let free = self.echoes.asking < ASKED_MAX;
                if up && free && self.echoes.rounds.take(cx.now, ROUNDS) {
                    self.echoes.asking += 1;
                    echo.round = Some(Round::new(cx, wait));
                    cx.count(Counter::EchoesAsked);
                }
            }
            None => {}
        }
    }

    /// What an RLOC that is no longer used, or no longer trusted, leaves behind.
    pub(super) fn forget_echo(&mut self, cx: &mut Cx<'_>, slot: u32) {
        self.end_round(slot);
        self.echoes.timers.cancel(slot);
        let Some(rloc) = self.table.get_mut(slot) else { return };
        let told = rloc.echo.as_mut().map(|echo| std::mem::take(&mut echo.told)).unwrap_or_default();
        if told != (None, None) {
            cx.out.push(Action::Echo { rloc: rloc.addr, mark: None, awaited: None });
        }
    }

    /// A new configuration: somebody may not be trusted any more.
    pub(super) fn configure_echo(&mut self, cx: &mut Cx<'_>, slot: u32) {
        let Some(rloc) = self.table.get(slot).filter(|rloc| rloc.echo.is_some()) else { return };
        if !may_echo(cx.config, rloc.addr) {
            self.forget_echo(cx, slot);
            self.change(cx, slot, "configuration", |rloc| rloc.echo = None);
        }
    }

    fn is_awaited(&self, slot: u32, nonce: EchoNonce) -> bool {
        let round = self.table.get(slot).and_then(|rloc| rloc.echo.as_ref()?.round.as_ref());
        round.is_some_and(|round| round.nonce == nonce)
    }

    fn end_round(&mut self, slot: u32) {
        let echo = self.table.get_mut(slot).and_then(|rloc| rloc.echo.as_mut());
        let ended = echo.and_then(|echo| echo.round.take()).is_some();
        self.echoes.asking -= usize::from(ended);
    }

    fn next_round(&self, cx: &mut Cx<'_>) -> Time {
        let interval = u64::from(cx.config.limits.echo_interval_ms);
        cx.now.plus_ms(cx.rng.jitter(interval, 10).max(1))
    }

    /// Tells the data plane what is new, and sets the timer.
    fn settle_echo(&mut self, cx: &mut Cx<'_>, slot: u32) {
        let Some(rloc) = self.table.get_mut(slot) else { return };
        let Some(echo) = rloc.echo.as_mut() else { return };
        let told = echo.tell();
        if told != echo.told {
            echo.told = told;
            let (mark, awaited) = told;
            cx.out.push(Action::Echo { rloc: rloc.addr, mark, awaited });
        }
        match echo.wake() {
            Some(at) => self.echoes.timers.set(slot, at.max(cx.now.plus_ms(1))),
            None => self.echoes.timers.cancel(slot),
        }
    }
}

impl Round {
    fn new(cx: &mut Cx<'_>, wait: u64) -> Self {
        Self {
            nonce: EchoNonce::new(cx.rng.nonce() as u32),
            began: cx.now,
            ends: cx.now.plus_ms(SILENT * wait),
            paused: None,
            steady: cx.now,
            heard: None,
            asked: None,
        }
    }
}

impl Rloc {
    /// A missing echo does not count any more.
    fn forgive_echo(&mut self) {
        self.echo.iter_mut().for_each(|echo| echo.missing = None);
    }
}

/// Whether echoes are asked for and given there: not through a NAT, where the outer source is another one.
fn may_echo(config: &EngineConfig, addr: IpAddr) -> bool {
    config.trust.echo_nonce && config.trust.has(addr) && Translated::of(addr).is_none()
}
