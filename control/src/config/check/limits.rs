//! `[limits]`: what no range of a single key says.

use super::all::Cx;
use crate::config::error::Problems;

/// Shortest interval of RLOC-probes: below, our own timers and the peers' rate limits spoil the result.
const MIN_PROBE_INTERVAL_MS: u32 = 50;

pub(super) fn check(cx: &Cx<'_>, problems: &mut Problems) {
    let Some(table) = cx.file.limits.get() else { return };
    if let Some(interval) = table.probe_interval_ms.at()
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
    let limits = table.limits();
    let (interval, wait) = (limits.echo_interval_ms, limits.echo_wait_ms);
    if let Some(span) = table.echo_wait_ms.span().or(table.echo_interval_ms.span())
        && interval < 2 * wait
    {
        problems.at(
            span,
            format!(
                "limits.echo_interval_ms = {interval} is less than twice limits.echo_wait_ms = {wait}; raise the \
                 one or lower the other"
            ),
        );
    }
}
