"""Metrics: how samples are summed up, and the JSON of a run; the same shape as perf/src/report.rs."""

import math


def _round(value):
    """Four significant digits: more is noise."""
    if not value or not math.isfinite(value):
        return value
    return round(value, 3 - math.floor(math.log10(abs(value))))


def metric(name, unit, samples, better=max):
    """Median, spread from the 10th to the 90th percentile, and the best sample."""
    values = sorted(samples) if isinstance(samples, (list, tuple)) else [samples]
    if not values:
        raise ValueError(f"{name}: no samples")

    def at(share):
        return values[round((len(values) - 1) * share)]

    return {"metric": name, "value": _round(at(0.5)), "unit": unit, "spread": _round(at(0.9) - at(0.1)),
            "best": _round(better(values))}


def value(results, name):
    """The value of a metric that was taken before."""
    return next(r["value"] for r in results if r["metric"] == name)
