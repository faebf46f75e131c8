//! Keeps counters from going backwards when what is below them starts anew.

use std::collections::HashMap;

/// What a series showed before.
#[derive(Clone, Copy, Debug)]
struct Seen {
    /// Last raw value.
    raw: u64,
    /// Sum of the raw values at which it started anew.
    base: u64,
}

/// Memory of all counter series of the last scrape. A series that is away for a scrape is forgotten:
/// when it comes back, Prometheus takes it for a restarted counter.
#[derive(Debug, Default)]
pub(super) struct Ratchet {
    last: HashMap<String, Seen>,
    now: HashMap<String, Seen>,
}

impl Ratchet {
    /// The value to show for a raw value of a series.
    pub(super) fn value(&mut self, series: String, raw: u64) -> u64 {
        let base = match self.last.get(&series) {
            Some(seen) if raw < seen.raw => seen.base.saturating_add(seen.raw),
            Some(seen) => seen.base,
            None => 0,
        };
        self.now.insert(series, Seen { raw, base });
        base.saturating_add(raw)
    }

    /// Ends a scrape.
    pub(super) fn turn(&mut self) {
        self.last = std::mem::take(&mut self.now);
    }
}

#[cfg(test)]
mod tests {
    use super::Ratchet;

    #[test]
    fn a_restart_below_does_not_show() {
        let mut ratchet = Ratchet::default();
        let shown = [5, 9, 2, 3, 0, 4].map(|raw| {
            let value = ratchet.value("a".into(), raw);
            ratchet.turn();
            value
        });
        assert_eq!(shown, [5, 9, 11, 12, 12, 16]);
    }

    #[test]
    fn what_is_away_is_forgotten() {
        let mut ratchet = Ratchet::default();
        ratchet.value("a".into(), 5);
        ratchet.turn();
        ratchet.turn();
        assert_eq!(ratchet.value("a".into(), 2), 2);
        assert!(ratchet.last.is_empty());
    }
}
