//! Metric families under construction: one name, one help, one type, each series once.

use super::ratchet::Ratchet;
use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Labels of a series: name and value.
pub(super) type Labels<'l> = &'l [(&'static str, &'l str)];

/// All families of a scrape.
pub(super) struct Families<'r> {
    families: BTreeMap<String, (MetricFamily, Vec<Metric>)>,
    ratchet: &'r mut Ratchet,
}

impl<'r> Families<'r> {
    pub(super) fn new(ratchet: &'r mut Ratchet) -> Self {
        Self { families: BTreeMap::new(), ratchet }
    }

    /// Adds a counter's series: `pxtr_NAME_total`.
    pub(super) fn counter(&mut self, name: &str, help: &str, labels: Labels<'_>, raw: u64) {
        let name = format!("pxtr_{name}_total");
        let series = labels.iter().fold(name.clone(), |text, (_, value)| text + "\0" + value);
        let mut counter = Counter::default();
        counter.set_value(self.ratchet.value(series, raw) as f64);
        let mut metric = Metric::from_label(pairs(labels));
        metric.set_counter(counter);
        self.add(name, help, MetricType::COUNTER, metric);
    }

    /// Adds a gauge's series: `pxtr_NAME`.
    pub(super) fn gauge(&mut self, name: &str, help: &str, labels: Labels<'_>, value: f64) {
        let mut gauge = Gauge::default();
        gauge.set_value(value);
        let mut metric = Metric::from_label(pairs(labels));
        metric.set_gauge(gauge);
        self.add(format!("pxtr_{name}"), help, MetricType::GAUGE, metric);
    }

    fn add(&mut self, name: String, help: &str, kind: MetricType, metric: Metric) {
        match self.families.entry(name) {
            Entry::Occupied(mut family) => family.get_mut().1.push(metric),
            Entry::Vacant(place) => {
                let mut family = MetricFamily::default();
                family.set_name(place.key().clone());
                family.set_help(help.to_owned());
                family.set_field_type(kind);
                place.insert((family, vec![metric]));
            }
        }
    }

    /// All of them by name.
    pub(super) fn finish(self) -> Vec<MetricFamily> {
        self.ratchet.turn();
        let finish = |(mut family, metrics): (MetricFamily, Vec<Metric>)| {
            family.set_metric(metrics);
            family
        };
        self.families.into_values().map(finish).collect()
    }
}

fn pairs(labels: Labels<'_>) -> Vec<LabelPair> {
    labels
        .iter()
        .map(|(name, value)| {
            let mut pair = LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value((*value).to_owned());
            pair
        })
        .collect()
}
