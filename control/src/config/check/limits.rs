//! `[limits]`: what no range of a single key says.

use super::all::Cx;
use crate::config::error::Problems;

/// Shortest interval of RLOC-probes: below, our own timers and the peers' rate limits spoil the result.
const MIN_PROBE_INTERVAL_MS: u32 = 50;

pub(super) fn check(cx: &Cx<'_>, problems: &mut Problems) {
    let Some(limits) = cx.file.limits.get() else { return };
    if let Some(interval) = limits.probe_interval_ms.at()
        && (1..MIN_PROBE_INTERVAL_MS).contains(&interval.get())
    {
        problems.at(
            interval.span(),
            format!(
                "limits.probe_interval_ms = {} is too short; give at least {MIN_PROBE_INTERVAL_MS}, or 0 for no \
                 probing",
                interval.get::<u32>()
            ),
        );
    }
}
