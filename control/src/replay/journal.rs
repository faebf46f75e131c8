//! Writes the event log of a daemon. Off unless asked for.

use super::line::{Line, VERSION, seed_text};
use crate::engine::event::{Action, Event, Time};
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// What is still in memory is written at least that often, by the engine's clock.
const FLUSH_MS: u64 = 1_000;

/// The file can not be written.
#[derive(Debug, thiserror::Error)]
#[error("event log {path}: {source}")]
pub struct JournalError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// Where events go.
///
/// The file holds the seed of the engine's nonces and everything that it hears: it is readable by its
/// owner alone, and whoever gets it before the daemon has ended can forge answers to it. When the file
/// has reached its size nothing more is recorded: a replay needs the beginning.
#[derive(Debug, Default)]
pub struct Journal(Option<Open>);

#[derive(Debug)]
struct Open {
    out: BufWriter<File>,
    left: usize,
    path: PathBuf,
    flushed: Time,
}

impl Journal {
    /// Records nothing.
    #[must_use]
    pub const fn off() -> Self {
        Self(None)
    }

    /// Records into a new file, or over an old one, at most so many bytes.
    ///
    /// # Errors
    /// It can not be opened.
    pub fn create(path: &Path, limit: usize) -> Result<Self, JournalError> {
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
        let file = file.map_err(|source| JournalError { path: path.to_owned(), source })?;
        let out = BufWriter::new(file);
        Ok(Self(Some(Open { out, left: limit, path: path.to_owned(), flushed: Time::default() })))
    }

    /// An engine with this seed starts.
    pub fn start(&mut self, seed: &[u8; 32], register_nonce_epoch: u32) {
        if self.0.is_some() {
            self.write(&Line::Start { version: VERSION, seed: seed_text(seed), register_nonce_epoch });
        }
    }

    /// A step begins.
    pub fn step(&mut self, at: Time, event: &Event) {
        if self.0.is_some() {
            self.write(&Line::Step { at, event: event.clone() });
            self.flush_when_due(at);
        }
    }

    /// A new configuration comes into force.
    pub fn configuration(&mut self, at: Time) {
        if self.0.is_some() {
            self.write(&Line::Configuration { at });
        }
    }

    /// The step ended, with these actions.
    pub fn did(&mut self, actions: &[Action]) {
        if self.0.is_some() {
            self.write(&Line::did(actions));
        }
    }

    fn write(&mut self, line: &Line) {
        let Some(open) = &mut self.0 else { return };
        let written = serde_json::to_string(line).map_err(io::Error::other).and_then(|mut text| {
            text.push('\n');
            let fits = text.len() <= open.left;
            if fits {
                open.left -= text.len();
                open.out.write_all(text.as_bytes())?;
            }
            Ok(fits)
        });
        match written {
            Ok(true) => return,
            Ok(false) => tracing::warn!("event log {}: full, it ends here", open.path.display()),
            Err(e) => tracing::error!("event log {}: {e}; it ends here", open.path.display()),
        }
        self.0 = None;
    }

    fn flush_when_due(&mut self, now: Time) {
        let Some(open) = &mut self.0 else { return };
        if now.since(open.flushed) >= FLUSH_MS {
            open.flushed = now;
            // What is wrong shows again at the next write.
            let _ = open.out.flush();
        }
    }
}
