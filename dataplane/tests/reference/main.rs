//! The worker against a slow, obvious reference of the same rules: random packets, random tables, random
//! damage; the same fate, the same bytes, the same counts, by the express way and by all stages.
//!
//! The reference is written from the requirements, not from the worker: plain lists searched from end to
//! end, headers read byte by byte, written by etherparse. What both share: the types of the feed, the names
//! of drops, and the flow hash, which any function could be.
//!
//! Not in the reference: reassembly, errors of the core, identifications of outer packets, hosts that move, trusted routers,
//! sub-interfaces, MSS, rate limits. What of them comes up is left out and counted; they have tests of
//! their own in `tests/path/`.
//!
//! `PXTR_REFERENCE_CASES=10000000` compares so many packets (60,000 by default),
//! `PXTR_REFERENCE_SEED=7` from this seed on. A difference names its seed and the fewest packets that show
//! it; it becomes a case of `regression.rs`.

mod compare;
mod dice;
mod judge;
mod make;
mod outer;
mod packets;
mod read;
mod regression;
mod tell;
mod world;

use compare::{Report, compare};
use dice::Dice;
use std::collections::BTreeMap;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

#[test]
fn both_ways_agree_with_the_reference() {
    let wanted = number("PXTR_REFERENCE_CASES").unwrap_or(60_000);
    let first = number("PXTR_REFERENCE_SEED").unwrap_or(1);
    let mut report = Report::default();
    let mut differences: BTreeMap<String, String> = BTreeMap::new();
    let mut seed = first;
    while report.packets < wanted && differences.len() < 50 {
        if let Some(difference) = compare(&mut Dice::seeded(seed), &mut report) {
            let text = difference.text;
            differences.entry(difference.kind).or_insert_with(|| format!("seed {seed}, {text}"));
        }
        seed += 1;
    }
    for (kind, text) in &differences {
        println!("{kind}\n{text}\n");
    }
    assert!(differences.is_empty(), "{} kinds of differences, see above", differences.len());
    println!("{} packets, {} tables: {:#?}", report.packets, seed - first, report);
    if wanted < 20_000 {
        return;
    }
    // The packets reach what they are to reach.
    for fate in ["encapsulated", "decapsulated", "re-encapsulated", "forwarded", "kernel", "waits"] {
        assert!(report.fates.get(fate).is_some_and(|count| *count > 20), "{fate}: {report:?}");
    }
    let beyond: u64 = report.beyond.values().sum();
    assert!(beyond * 20 < report.packets, "left out: {report:?}");
}
