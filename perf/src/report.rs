//! Metrics: how samples are summed up, and the JSON of a run.

use serde::Serialize;

/// One number of a bench.
#[derive(Clone, Debug, Serialize)]
pub struct Metric {
    /// Stable name; issue and results refer to it.
    pub metric: String,
    /// Median over the samples.
    pub value: f64,
    /// Unit of all three.
    pub unit: &'static str,
    /// From the 10th to the 90th percentile of the samples.
    pub spread: f64,
    /// Smallest sample: other load on the machine only adds. Of rates, the largest.
    pub best: f64,
}

impl Metric {
    /// Sums up samples. Without any, the value is 0.
    pub fn of(metric: impl Into<String>, unit: &'static str, mut samples: Vec<f64>) -> Self {
        samples.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let last = samples.len().saturating_sub(1) as f64;
            samples.get((last * share).round() as usize).copied().unwrap_or(0.0)
        };
        let (value, spread, best) = (at(0.5), at(0.9) - at(0.1), at(0.0));
        Self { metric: metric.into(), value: round(value), unit, spread: round(spread), best: round(best) }
    }

    /// The same of what is better the larger it is.
    pub fn rate(metric: impl Into<String>, unit: &'static str, samples: Vec<f64>) -> Self {
        let best = round(samples.iter().copied().fold(0.0, f64::max));
        Self { best, ..Self::of(metric, unit, samples) }
    }

    /// A number that is counted, not sampled.
    pub fn exact(metric: impl Into<String>, unit: &'static str, value: f64) -> Self {
        Self::of(metric, unit, vec![value])
    }
}

/// The middle one of samples; 0 without any.
pub fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}

/// Four significant digits: more is noise.
fn round(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let scale = 10f64.powi(3 - value.abs().log10().floor() as i32);
    (value * scale).round() / scale
}

/// What a run leaves behind.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Name of the bench.
    pub bench: String,
    /// Facts of the machine, as the caller gives them.
    pub machine: serde_json::Value,
    /// Commit that was measured.
    pub commit: String,
    /// TSC ticks per second: the unit "cycles" of the results.
    pub tsc_hz: u64,
    /// The numbers.
    pub results: Vec<Metric>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_summed_up() {
        let metric = Metric::of("x", "ns", (1..=101).map(f64::from).collect());
        assert_eq!((metric.value, metric.spread, metric.best), (51.0, 80.0, 1.0));
        let metric = Metric::of("x", "ns", Vec::new());
        assert_eq!((metric.value, metric.spread, metric.best), (0.0, 0.0, 0.0));
        assert_eq!(Metric::exact("x", "ns", 123.456).value, 123.5);
        let metric = Metric::rate("x", "Mpps", vec![2.0, 9.0, 4.0]);
        assert_eq!((metric.value, metric.best, median(&[2.0, 9.0, 4.0])), (4.0, 9.0, 4.0));
    }
}
