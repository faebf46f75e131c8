//! Takes an engine through an event log.

use super::line::{Line, VERSION, seed};
use crate::config::Config;
use crate::engine::Engine;
use crate::engine::event::{Action, Event, Time};
use std::io::{self, BufRead};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How a replay went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Played {
    /// Steps.
    pub steps: u64,
    /// Engines: one, and one for each that panicked.
    pub engines: u64,
    /// Configurations that came into force later.
    pub configurations: usize,
    /// Steps over which the engine panicked in the replay as it did in the daemon.
    pub panics: u64,
}

/// The replay can not go on.
#[derive(Debug, thiserror::Error)]
pub enum PlayError {
    /// The log can not be read.
    #[error("line {line}: {source}")]
    Read {
        /// Counted from 1.
        line: usize,
        /// Why.
        source: io::Error,
    },
    /// A line is none of an event log.
    #[error("line {line}: {source}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// Why.
        source: serde_json::Error,
    },
    /// The first line must start an engine.
    #[error("line {0}: no engine has started")]
    NoEngine(usize),
    /// Made by another version of this program.
    #[error("line {line}: version {version} of the format; this program reads {VERSION}")]
    Version {
        /// Counted from 1.
        line: usize,
        /// The version there.
        version: u32,
    },
    /// The seed is none.
    #[error("line {0}: a seed has 64 hexadecimal digits")]
    Seed(usize),
    /// A configuration is missing.
    #[error("line {line}: configuration {number} came into force, but it was not given")]
    NoConfiguration {
        /// Counted from 1.
        line: usize,
        /// The first is 1.
        number: usize,
    },
    /// The engine does something else than it did then.
    #[error(
        "line {line}: the engine did {then}, and now it does {now}: another configuration, or another version?"
    )]
    Differs {
        /// Counted from 1.
        line: usize,
        /// What it did.
        then: String,
        /// What it does.
        now: String,
    },
    /// The engine panics where it did not.
    #[error("line {0}: the engine panics, which it did not then")]
    Panics(usize),
}

/// What ended, or did not.
enum Last {
    Ended(Vec<Action>),
    Panicked,
    Nothing,
}

/// Replays an event log, with the daemon's configuration at its start and those that came into force
/// later, in their order. `trace` is told each step.
///
/// # Errors
/// The log does not read, or the engine does not do what it did.
pub fn play(
    log: impl BufRead,
    configurations: &[Config],
    trace: &mut dyn FnMut(Time, &Event, &[Action]),
) -> Result<Played, PlayError> {
    let mut player =
        Player { configurations, engine: None, last: Last::Nothing, played: Played::default(), trace };
    for (number, text) in log.lines().enumerate() {
        let line = number + 1;
        let text = text.map_err(|source| PlayError::Read { line, source })?;
        let parsed = serde_json::from_str(&text).map_err(|source| PlayError::Line { line, source })?;
        player.line(line, parsed)?;
    }
    Ok(player.played)
}

struct Player<'a> {
    configurations: &'a [Config],
    engine: Option<Engine>,
    last: Last,
    played: Played,
    trace: &'a mut dyn FnMut(Time, &Event, &[Action]),
}

impl Player<'_> {
    fn line(&mut self, line: usize, content: Line) -> Result<(), PlayError> {
        match content {
            Line::Start { version, .. } if version != VERSION => Err(PlayError::Version { line, version }),
            Line::Start { seed: text, register_nonce_epoch, .. } => {
                if matches!(self.last, Last::Panicked) {
                    self.played.panics += 1;
                }
                let seed = seed(&text).ok_or(PlayError::Seed(line))?;
                let config = self.configuration(line)?.engine(register_nonce_epoch);
                self.engine = Some(Engine::new(config, seed));
                self.played.engines += 1;
                self.last = Last::Nothing;
                Ok(())
            }
            Line::Step { at, event } => {
                self.must_not_have_panicked(line)?;
                self.played.steps += 1;
                let engine = self.engine.as_mut().ok_or(PlayError::NoEngine(line))?;
                let mut actions = Vec::new();
                let copy = event.clone();
                let done = catch_unwind(AssertUnwindSafe(|| engine.step(at, copy, &mut actions)));
                (self.trace)(at, &event, &actions);
                self.last = if done.is_ok() { Last::Ended(actions) } else { Last::Panicked };
                Ok(())
            }
            Line::Configuration { at } => {
                self.must_not_have_panicked(line)?;
                self.played.configurations += 1;
                let epoch = self.engine.as_ref().map(|engine| engine.config().register_nonce_epoch);
                let config = self.configuration(line)?.engine(epoch.ok_or(PlayError::NoEngine(line))?);
                let engine = self.engine.as_mut().ok_or(PlayError::NoEngine(line))?;
                let mut actions = Vec::new();
                let done = catch_unwind(AssertUnwindSafe(|| engine.reconfigure(at, config, &mut actions)));
                self.last = if done.is_ok() { Last::Ended(actions) } else { Last::Panicked };
                Ok(())
            }
            Line::Did { .. } => self.compare(line, &content),
        }
    }

    fn configuration(&self, line: usize) -> Result<&Config, PlayError> {
        let number = self.played.configurations;
        let missing = PlayError::NoConfiguration { line, number: number + 1 };
        self.configurations.get(number).ok_or(missing)
    }

    /// After a panic only a new engine goes on.
    fn must_not_have_panicked(&self, line: usize) -> Result<(), PlayError> {
        if matches!(self.last, Last::Panicked) { Err(PlayError::Panics(line)) } else { Ok(()) }
    }

    fn compare(&mut self, line: usize, then: &Line) -> Result<(), PlayError> {
        match std::mem::replace(&mut self.last, Last::Nothing) {
            Last::Panicked => Err(PlayError::Panics(line)),
            Last::Nothing => Err(PlayError::NoEngine(line)),
            Last::Ended(actions) => {
                let (then, now) = (format!("{then:?}"), format!("{:?}", Line::did(&actions)));
                if then == now { Ok(()) } else { Err(PlayError::Differs { line, then, now }) }
            }
        }
    }
}
