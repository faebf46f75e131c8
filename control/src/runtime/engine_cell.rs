//! The engine, and a new one when it panics: the workers go on with what they have (design.md
//! section 4).

use super::clock::unix_seconds;
use super::error::Error;
use super::nonce_epoch::NonceEpoch;
use crate::config::Config;
use crate::engine::Engine;
use crate::engine::event::{Action, Event, Time};
use crate::replay::Journal;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Panics within [`WINDOW_MS`] after which the process gives up: its supervisor starts it anew.
const MAX_PANICS: usize = 10;
/// The window of [`MAX_PANICS`], milliseconds.
const WINDOW_MS: u64 = 60_000;

/// What takes steps; a trait so that a panic can be tried out.
pub(super) trait Steps {
    fn step(&mut self, now: Time, event: Event, out: &mut Vec<Action>);
}

impl Steps for Engine {
    fn step(&mut self, now: Time, event: Event, out: &mut Vec<Action>) {
        Self::step(self, now, event, out);
    }
}

/// Makes an engine and says so to the journal.
type Make<E> = Box<dyn Fn(&mut Journal) -> Result<E, Error>>;

/// The engine and what it takes to make another one.
pub(super) struct EngineCell<E = Engine> {
    engine: E,
    make: Make<E>,
    journal: Journal,
    panics: Vec<Time>,
}

impl EngineCell {
    /// An engine for this configuration, whose events go to the journal.
    ///
    /// # Errors
    /// The system has no randomness.
    pub(super) fn start(config: &Config, journal: Journal) -> Result<Self, Error> {
        Self::new(maker(config), journal)
    }

    /// Puts a new configuration in force. `Ok(true)`: the engine panicked over it and is a new one.
    ///
    /// # Errors
    /// As for a step.
    pub(super) fn reconfigure(
        &mut self,
        now: Time,
        config: &Config,
        out: &mut Vec<Action>,
    ) -> Result<bool, Error> {
        self.make = maker(config);
        // The engine lives on, and with it the count of its nonces.
        let wanted = config.engine(self.engine.config().register_nonce_epoch);
        self.journal.configuration(now);
        let before = out.len();
        let restarted = self.survive(now, |engine| engine.reconfigure(now, wanted, out))?;
        self.say_done(restarted, out.get(before..).unwrap_or_default());
        Ok(restarted)
    }
}

impl<E: Steps> EngineCell<E> {
    fn new(make: Make<E>, mut journal: Journal) -> Result<Self, Error> {
        Ok(Self { engine: make(&mut journal)?, make, journal, panics: Vec::new() })
    }

    pub(super) fn get(&self) -> &E {
        &self.engine
    }

    /// One step. `Ok(true)`: the engine panicked over this event and is a new one; what it did
    /// before the panic is in `out` all the same.
    ///
    /// # Errors
    /// It panics all the time, or there is no randomness for a new one.
    pub(super) fn step(&mut self, now: Time, event: Event, out: &mut Vec<Action>) -> Result<bool, Error> {
        self.journal.step(now, &event);
        let before = out.len();
        let restarted = self.survive(now, |engine| engine.step(now, event, out))?;
        self.say_done(restarted, out.get(before..).unwrap_or_default());
        Ok(restarted)
    }

    /// A step that a panic cut short has no end in the journal.
    fn say_done(&mut self, restarted: bool, actions: &[Action]) {
        if !restarted {
            self.journal.did(actions);
        }
    }

    fn survive(&mut self, now: Time, work: impl FnOnce(&mut E)) -> Result<bool, Error> {
        let engine = &mut self.engine;
        // The engine is thrown away when it panics: nobody sees what it left half done.
        if catch_unwind(AssertUnwindSafe(|| work(engine))).is_ok() {
            return Ok(false);
        }
        self.panics.retain(|at| now.since(*at) < WINDOW_MS);
        self.panics.push(now);
        if self.panics.len() > MAX_PANICS {
            return Err(Error::PanicLoop { panics: self.panics.len(), seconds: WINDOW_MS / 1000 });
        }
        tracing::error!(
            panics_lately = self.panics.len(),
            "the protocol engine panicked (please report the message above); a new one takes over, packets flow on"
        );
        self.engine = (self.make)(&mut self.journal)?;
        Ok(true)
    }
}

/// What makes an engine for this configuration.
fn maker(config: &Config) -> Make<Engine> {
    let epoch = NonceEpoch::new(&config.daemon.state_dir, &config.daemon.name);
    let config = config.clone();
    Box::new(move |journal| make(&config, &epoch, journal))
}

fn make(config: &Config, epoch: &NonceEpoch, journal: &mut Journal) -> Result<Engine, Error> {
    let (epoch, kept) = epoch.next(unix_seconds());
    // Only a site router registers; others can do without.
    if let Err(e) = kept
        && !config.map_servers.is_empty()
    {
        tracing::warn!("{e}");
    }
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|e| Error::Randomness(e.to_string()))?;
    journal.start(&seed, epoch);
    Ok(Engine::new(config.engine(epoch), seed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::event::Iid;
    use std::cell::Cell;
    use std::rc::Rc;

    /// Panics over a `Tick` after it has acted.
    struct Fragile {
        life: u32,
    }

    impl Steps for Fragile {
        fn step(&mut self, _: Time, event: Event, out: &mut Vec<Action>) {
            out.push(Action::Abandon { iid: Iid(self.life), eid: [10, 0, 0, 1].into() });
            assert!(event != Event::Tick, "as the test wants it");
        }
    }

    #[test]
    fn a_panic_costs_the_engine_not_the_daemon() {
        let lives = Rc::new(Cell::new(0));
        let make: Make<Fragile> = Box::new(move |_| {
            lives.set(lives.get() + 1);
            Ok(Fragile { life: lives.get() })
        });
        let mut cell = EngineCell::new(make, Journal::off()).unwrap();
        let quiet = Event::ClearMapCache(None);
        let mut out = Vec::new();
        assert!(!cell.step(Time(0), quiet.clone(), &mut out).unwrap());
        assert!(cell.step(Time(1), Event::Tick, &mut out).unwrap());
        assert_eq!(out.len(), 2, "what was done before the panic counts");
        assert!(!cell.step(Time(2), quiet, &mut out).unwrap());
        assert_eq!(cell.get().life, 2);
        // Now and then is survived for ever, all the time is not.
        for n in 0..30 {
            assert!(cell.step(Time(100_000 + n * 10_000), Event::Tick, &mut out).unwrap());
        }
        let last = (0..20).map(|n| cell.step(Time(500_000 + n), Event::Tick, &mut out)).find(Result::is_err);
        assert!(matches!(last, Some(Err(Error::PanicLoop { .. }))));
    }
}
