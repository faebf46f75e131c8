//! The engine, and a new one when it panics: the workers go on with what they have (design.md
//! section 4).

use super::clock::unix_seconds;
use super::error::Error;
use super::nonce_epoch::NonceEpoch;
use crate::config::Config;
use crate::engine::Engine;
use crate::engine::event::{Action, Event, Time};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Panics within [`WINDOW_MS`] after which the process gives up: its supervisor starts it anew.
const MAX_PANICS: usize = 10;
/// The window of [`MAX_PANICS`], milliseconds.
const WINDOW_MS: u64 = 60_000;

/// The engine and what it takes to make another one.
pub(super) struct EngineCell {
    engine: Engine,
    config: Config,
    epoch: NonceEpoch,
    panics: Vec<Time>,
    /// Panics survived.
    pub(super) restarts: u64,
}

impl EngineCell {
    pub(super) fn new(config: Config) -> Result<Self, Error> {
        let epoch = NonceEpoch::new(&config.daemon.state_dir, &config.daemon.name);
        let engine = make(&config, &epoch)?;
        Ok(Self { engine, config, epoch, panics: Vec::new(), restarts: 0 })
    }

    pub(super) fn get(&self) -> &Engine {
        &self.engine
    }

    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// One step. `Ok(true)`: the engine panicked over this event and is a new one; what it did
    /// before the panic is in `out` all the same.
    ///
    /// # Errors
    /// It panics all the time, or there is no randomness for a new one.
    pub(super) fn step(&mut self, now: Time, event: Event, out: &mut Vec<Action>) -> Result<bool, Error> {
        let engine = &mut self.engine;
        // The engine is thrown away when it panics: nobody sees what it left half done.
        if catch_unwind(AssertUnwindSafe(|| engine.step(now, event, out))).is_ok() {
            return Ok(false);
        }
        self.restarts += 1;
        self.panics.retain(|at| now.since(*at) < WINDOW_MS);
        self.panics.push(now);
        if self.panics.len() > MAX_PANICS {
            return Err(Error::PanicLoop { panics: self.panics.len(), seconds: WINDOW_MS / 1000 });
        }
        tracing::error!(
            restarts = self.restarts,
            "the protocol engine panicked (please report the message above); a new one takes over, packets flow on"
        );
        self.engine = make(&self.config, &self.epoch)?;
        Ok(true)
    }
}

fn make(config: &Config, epoch: &NonceEpoch) -> Result<Engine, Error> {
    let (epoch, kept) = epoch.next(unix_seconds());
    // Only a site router registers; others can do without.
    if let Err(e) = kept
        && !config.map_servers.is_empty()
    {
        tracing::warn!("{e}");
    }
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|e| Error::Randomness(e.to_string()))?;
    Ok(Engine::new(config.engine(epoch), seed))
}
