//! The engine's notices in the log: what a remote host can cause is logged at a limited rate.
//!
//! The engine counts exactly; the log has the first few of each kind, then one line per interval
//! with the number of those left out.

use crate::engine::event::{Notice, Time};
use std::collections::HashMap;

/// Lines of a kind before it is limited.
const BURST: u32 = 5;
/// A limited kind gets one line per interval, milliseconds.
const INTERVAL_MS: u64 = 10_000;
/// Kinds remembered. They are constants of the engine; the bound is for the day they are not.
const KINDS: usize = 512;

#[derive(Debug, Default)]
struct Kind {
    since: Time,
    logged: u32,
    left_out: u64,
}

/// Limits log lines by kind.
#[derive(Debug, Default)]
pub(super) struct Notices {
    kinds: HashMap<String, Kind>,
}

impl Notices {
    /// Logs a notice, or counts it among those left out.
    pub(super) fn log(&mut self, now: Time, notice: &Notice) {
        if let Some(left_out) = self.admit(now, &notice.kind) {
            tracing::warn!(kind = notice.kind, left_out, "{}", notice.detail);
        }
    }

    /// The same for the runtime's own words.
    pub(super) fn say(&mut self, now: Time, kind: &str, detail: &str) {
        if let Some(left_out) = self.admit(now, kind) {
            tracing::warn!(kind, left_out, "{detail}");
        }
    }

    /// The number left out since the last line of this kind, if there is to be a line now.
    fn admit(&mut self, now: Time, kind: &str) -> Option<u64> {
        if !self.kinds.contains_key(kind) {
            if self.kinds.len() >= KINDS {
                return None;
            }
            self.kinds.insert(kind.to_owned(), Kind { since: now, ..Kind::default() });
        }
        let entry = self.kinds.get_mut(kind)?;
        if now.since(entry.since) >= INTERVAL_MS {
            // A kind that was quiet for an interval has its burst back.
            let quiet = entry.left_out == 0;
            *entry = Kind { since: now, logged: if quiet { 0 } else { BURST - 1 }, left_out: entry.left_out };
        }
        if entry.logged >= BURST {
            entry.left_out += 1;
            return None;
        }
        entry.logged += 1;
        Some(std::mem::take(&mut entry.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_becomes_a_line_per_interval() {
        let mut notices = Notices::default();
        let lines = |notices: &mut Notices, at: u64, n: usize| -> Vec<u64> {
            (0..n).filter_map(|_| notices.admit(Time(at), "k")).collect()
        };
        assert_eq!(lines(&mut notices, 0, 100), [0; 5]);
        assert_eq!(lines(&mut notices, 10_000, 100), [95]);
        assert_eq!(lines(&mut notices, 20_000, 1), [99]);
        assert_eq!(lines(&mut notices, 40_000, 7), [0; 5], "quiet in between: a new burst");
        assert_eq!(notices.admit(Time(40_000), "other"), Some(0));
    }
}
