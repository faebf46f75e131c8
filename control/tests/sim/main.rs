//! The simulator itself, a few of its seeds, and those that once broke a rule. Thousands more:
//! `pxtr-sim run`, which `scripts/test.sh` does with the release build.

mod daemon_log;
mod engine_input;

use pxtr_control::sim::{Scenario, run};
use std::path::Path;

#[test]
fn a_few_seeds_break_no_rule() {
    for seed in 0..40 {
        let scenario = Scenario::generate(seed);
        if let Err(failure) = run(&scenario, None) {
            panic!("seed {seed}: {failure}; `pxtr-sim run --first {seed} --seeds 1` makes it small");
        }
    }
}

#[test]
fn the_same_scenario_gives_the_same_to_the_last_bit() {
    for seed in [3, 11, 12] {
        let scenario = Scenario::generate(seed);
        assert_eq!(run(&scenario, None), run(&scenario, None), "seed {seed}");
        assert_ne!(run(&scenario, None), run(&Scenario { seed: 1_000_000, ..scenario }, None));
    }
}

#[test]
fn a_scenario_survives_being_written_down() {
    for seed in 0..50 {
        let scenario = Scenario::generate(seed);
        let read = Scenario::from_log(&scenario.to_log()).expect("what we wrote");
        assert_eq!(read, scenario);
    }
    assert!(Scenario::from_log("").is_err());
    assert!(Scenario::from_log("{\"at\":1,\"op\":{\"clear\":{\"itr\":0}}}").is_err());
}

#[test]
fn scenarios_that_once_broke_a_rule_do_so_no_more() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sim/regressions");
    let mut found = 0;
    for file in std::fs::read_dir(directory).expect("the directory") {
        let path = file.expect("a file").path();
        let text = std::fs::read_to_string(&path).expect("readable");
        let scenario = Scenario::from_log(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        if let Err(failure) = run(&scenario, None) {
            panic!("{}: {failure}", path.display());
        }
        found += 1;
    }
    assert!(found > 0);
}

#[test]
fn whatever_an_engine_hears_it_keeps_its_word() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let mut found = 0;
    for kind in ["seeds/engine", "regressions/engine"] {
        // No regressions, no directory.
        for file in std::fs::read_dir(fuzz.join(kind)).into_iter().flatten() {
            let path = file.expect("a file").path();
            println!("{}", path.display());
            engine_input::engine(&std::fs::read(path).expect("readable"));
            found += 1;
        }
    }
    assert!(found > 5);
}
