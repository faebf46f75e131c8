//! Plays a case: an event, what follows from it, the next event.

use super::config::of_case;
use super::file::{Case, File};
use super::message::{Known, build};
use super::show::show;
use super::words::{Read, eid, ip, number, socket};
use pxtr_control::engine::event::{Action, Event, HostSeen, Time};
use pxtr_control::engine::{Counter, Engine};
use pxtr_dataplane::echo::{EchoNonce, EchoSaid};
use pxtr_dataplane::punt::Seen;
use pxtr_dataplane::trust::{Said, Status};
use pxtr_dataplane::types::{MacAddr, PortId};
use std::collections::VecDeque;
use std::net::SocketAddr;

/// Words of what was done that need not be expected: they may be, where a case is about them.
const UNSAID: [&str; 3] = ["nonce=", "inner=", "from="];
/// Steps at one time after which the engine is taken to spin.
const SPINS: u32 = 10_000;

/// Plays it; the error says at which step it went otherwise.
pub fn play(file: &File, case: &Case) -> Read<()> {
    let config = of_case(file, case, &case.node)?;
    let mut stage = Stage {
        engine: Engine::new(config, [7; 32]),
        now: Time(1_000_000),
        since: Time(1_000_000),
        done: VecDeque::new(),
        rest_ignored: false,
        known: Known { keys: file.keys.clone(), ..Known::default() },
    };
    let lines = case.steps.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut lines = lines.peekable();
    // What a start does is looked at by the cases that begin with it.
    stage.step(Event::Tick);
    if lines.next_if_eq(&"start").is_none() {
        stage.done.clear();
    }
    for line in lines {
        let words: Vec<&str> = line.split_whitespace().collect();
        stage.line(file, case, &words).map_err(|error| format!("  at: {line}\n  {error}"))?;
    }
    stage.settle().map_err(|error| format!("  at the end\n  {error}"))
}

struct Stage {
    engine: Engine,
    now: Time,
    /// When the last event came.
    since: Time,
    /// What was done and no line has expected yet.
    done: VecDeque<(Time, Action)>,
    rest_ignored: bool,
    known: Known,
}

impl Stage {
    fn line(&mut self, file: &File, case: &Case, words: &[&str]) -> Read<()> {
        match words {
            ["->" | "=>", ..] => self.expect(words),
            ["..."] => {
                self.rest_ignored = true;
                Ok(())
            }
            ["count", name, value] => self.count(name, number(value)?),
            _ => {
                self.settle()?;
                self.since = self.now;
                self.event(file, case, words)
            }
        }
    }

    /// All that was done has been expected.
    fn settle(&mut self) -> Read<()> {
        let ignored = std::mem::take(&mut self.rest_ignored);
        let left: Vec<String> = self.done.drain(..).filter_map(|(_, a)| show(&mut self.known, &a)).collect();
        if ignored || left.is_empty() { Ok(()) } else { Err(format!("not expected: {}", left.join("\n  "))) }
    }

    fn step(&mut self, event: Event) {
        let mut out = Vec::new();
        self.engine.step(self.now, event, &mut out);
        self.done.extend(out.into_iter().map(|action| (self.now, action)));
    }

    /// Lets time pass, with every deadline kept.
    fn wait(&mut self, ms: u64) -> Read<()> {
        let end = self.now.plus_ms(ms);
        let mut at_once = 0;
        while let Some(next) = self.engine.next_deadline().filter(|next| *next <= end) {
            at_once = if next > self.now { 0 } else { at_once + 1 };
            if at_once > SPINS {
                return Err(format!("the engine spins at {:?}", self.now));
            }
            self.now = self.now.max(next);
            self.step(Event::Tick);
        }
        self.now = end;
        self.step(Event::Tick);
        Ok(())
    }

    fn event(&mut self, file: &File, case: &Case, words: &[&str]) -> Read<()> {
        let event = match words {
            ["wait", ms] => return self.wait(number(ms)?),
            ["every", ms, "for", all, event @ ..] => {
                let ms = number(ms)?;
                for _ in 0..number(all)? / ms.max(1) {
                    self.event(file, case, event)?;
                    self.wait(ms)?;
                }
                return Ok(());
            }
            ["reload", node] => {
                let config = of_case(file, case, node)?;
                let mut out = Vec::new();
                self.engine.reconfigure(self.now, config, &mut out);
                self.done.extend(out.into_iter().map(|action| (self.now, action)));
                Event::Tick
            }
            ["miss", wanted, "from", source] => {
                let wanted = eid(wanted)?;
                Event::Miss { iid: wanted.iid, eid: wanted.prefix.addr(), source: ip(source)? }
            }
            ["used", eids @ ..] => Event::EntriesUsed(eids.iter().map(|e| eid(e)).collect::<Read<_>>()?),
            ["underlay", rloc, way @ ("up" | "down")] => {
                Event::UnderlayChanged { rloc: ip(rloc)?, reachable: *way == "up" }
            }
            ["icmp", rloc] => Event::IcmpUnreachable { rloc: ip(rloc)? },
            ["status", host, "from", rloc, bits] => {
                let known = u32::MAX >> (32 - bits.len().clamp(1, 32));
                let bits = u32::from_str_radix(bits, 2).map_err(|error| error.to_string())?;
                let said = Said::SourceStatus(Status { bits, known });
                Event::Header { eid: eid(host)?, rloc: ip(rloc)?, said }
            }
            ["site-locator", rloc, way @ ("up" | "down")] => {
                Event::SiteLocator { rloc: ip(rloc)?, up: *way == "up" }
            }
            ["clear"] => Event::ClearMapCache(None),
            ["clear", inside] => Event::ClearMapCache(Some(eid(inside)?)),
            ["host", host, "port", port] => Event::HostSeen(HostSeen {
                eid: eid(host)?,
                port: PortId(number(port)? as u16),
                mac: MacAddr([2, 0, 0, 0, 0, 7]),
                seen: Seen::Data,
                claim: false,
            }),
            ["away-hit", host, "from", rloc] => Event::AwayHit { eid: eid(host)?, rloc: ip(rloc)? },
            ["probed", host, how @ ("alive" | "silent")] => {
                Event::HostProbed { eid: eid(host)?, alive: *how == "alive" }
            }
            ["echo", rloc, kind, nonce, sent @ ..] => {
                let (rloc, nonce) = (ip(rloc)?, EchoNonce::new(self.known.number(nonce)? as u32));
                let said = match *kind {
                    "wanted" => EchoSaid::Wanted(nonce),
                    "given" => EchoSaid::Given(nonce),
                    "missing" => EchoSaid::Missing(nonce),
                    other => return Err(format!("{other} is nothing that is said of echoes")),
                };
                let sent = sent.first().map_or(Ok(0), |word| number(word.trim_start_matches("sent=")))?;
                Event::Echo { rloc, said, sent }
            }
            ["<-", from, message @ ..] => {
                let from = socket(from)?;
                let us = self.engine.config().rlocs.iter().find(|ip| ip.is_ipv4() == from.is_ipv4());
                let to = SocketAddr::new(*us.ok_or("we have no RLOC of this family")?, 4342);
                Event::Datagram { from, to, payload: build(&mut self.known, message)? }
            }
            [what, ..] => {
                return Err(format!("{what} is no event that is written like this: {}", words.join(" ")));
            }
            [] => return Ok(()),
        };
        self.step(event);
        Ok(())
    }

    /// One of the things that were done is this; in which order they were done does not matter.
    fn expect(&mut self, words: &[&str]) -> Read<()> {
        let (at, wanted): (Vec<&str>, Vec<&str>) = words.iter().partition(|word| word.starts_with("at="));
        let window = at.first().map(|word| window(word)).transpose()?;
        for i in 0..self.done.len() {
            let (time, action) = &self.done[i];
            let after = time.since(self.since);
            if window.is_some_and(|(from, to)| after < from || after > to) {
                continue;
            }
            let Some(shown) = show(&mut self.known, action) else { continue };
            let got: Vec<&str> = shown.split(' ').collect();
            if self.is(&wanted, &got)? {
                self.done.remove(i);
                return Ok(());
            }
        }
        let (since, known) = (self.since, &mut self.known);
        let all = self
            .done
            .iter()
            .filter_map(|(at, a)| Some(format!("{:>6} ms {}", at.since(since), show(known, a)?)));
        let all: Vec<String> = all.collect();
        Err(format!("did not happen; what did:\n  {}", all.join("\n  ")))
    }

    /// Word by word, in any order: what is expected is there, and nothing else that must be expected.
    fn is(&mut self, wanted: &[&str], got: &[&str]) -> Read<bool> {
        let said =
            |word: &&&str| wanted.contains(*word) || UNSAID.iter().any(|unsaid| word.starts_with(unsaid));
        let nonce = |words: &[&str]| words.iter().find_map(|w| w.strip_prefix("nonce=").map(str::to_owned));
        let plain = wanted.iter().filter(|word| !word.starts_with("nonce="));
        if !plain.clone().all(|word| got.contains(word)) || !got.iter().all(|word| said(&word)) {
            return Ok(false);
        }
        if wanted.iter().filter(|w| !UNSAID.iter().any(|u| w.starts_with(u))).count()
            != got.iter().filter(|w| !UNSAID.iter().any(|u| w.starts_with(u))).count()
        {
            return Ok(false);
        }
        match (nonce(wanted), nonce(got)) {
            (Some(wanted), Some(got)) => self.is_nonce(&wanted, number(&got)?),
            (Some(_), None) => Ok(false),
            (None, _) => Ok(true),
        }
    }

    /// "$q" names a nonce that is new, and is compared with one that has that name; "$r>$q" is a new one
    /// above another, "$r!$q" a new one that differs.
    fn is_nonce(&mut self, wanted: &str, got: u64) -> Read<bool> {
        let (name, good) = match (wanted.split_once('>'), wanted.split_once('!')) {
            (Some((name, above)), _) => (name, got > self.known.number(above)?),
            (_, Some((name, other))) => (name, got != self.known.number(other)?),
            _ => (wanted, true),
        };
        let new = name.strip_prefix('$').filter(|n| !n.contains('+') && !self.known.nonces.contains_key(*n));
        match new {
            Some(new) if good => {
                self.known.nonces.insert(new.to_owned(), got);
                Ok(true)
            }
            Some(_) => Ok(false),
            None => Ok(good && self.known.number(name)? == got),
        }
    }

    fn count(&self, name: &str, wanted: u64) -> Read<()> {
        let counter = Counter::ALL.iter().find(|counter| counter.name() == name);
        let is = self.engine.counters().get(*counter.ok_or_else(|| format!("{name} is no counter"))?);
        if is == wanted { Ok(()) } else { Err(format!("{name} is {is}")) }
    }
}

/// "at=1000..1100": milliseconds since the last event.
fn window(word: &str) -> Read<(u64, u64)> {
    let range = word.trim_start_matches("at=");
    let (from, to) = range.split_once("..").unwrap_or((range, range));
    Ok((number(from)?, number(to)?))
}
