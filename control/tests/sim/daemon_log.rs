//! The event log of a daemon: what is recorded can be replayed, and a replay that goes wrong says where.

use pxtr_control::config::{Config, Machine, parse_config};
use pxtr_control::engine::Engine;
use pxtr_control::engine::event::{Event, Iid, Time};
use pxtr_control::replay::{Journal, PlayError, Played, play};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

fn config(name: &str) -> Config {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs/interworking").join(name);
    let text = std::fs::read_to_string(&path).expect("a configuration file");
    parse_config(&text, &path, &Machine::any()).unwrap_or_else(|e| panic!("{e}"))
}

/// What the daemon does with its engine, and the log of it.
fn recorded(limit: usize) -> String {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("events");
    let mut journal = Journal::create(&path, limit).expect("a journal");
    let mode = std::fs::metadata(&path).expect("the file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "it holds the seed of the nonces");
    let seed = [9; 32];
    journal.start(&seed, 7);
    let mut engine = Engine::new(config("pxtr.toml").engine(7), seed);
    let miss =
        |last: u8| Event::Miss { iid: Iid(0), eid: [10, 4, 0, last].into(), source: [192, 0, 2, 9].into() };
    for n in 0..20u8 {
        let (now, event) = (Time(u64::from(n) * 700), if n % 2 == 0 { Event::Tick } else { miss(n) });
        let mut out = Vec::new();
        journal.step(now, &event);
        engine.step(now, event, &mut out);
        journal.did(&out);
    }
    let (mut out, now) = (Vec::new(), Time(20_000));
    journal.configuration(now);
    engine.reconfigure(now, config("pxtr.toml").engine(7), &mut out);
    journal.did(&out);
    drop(journal);
    std::fs::read_to_string(path).expect("the log")
}

#[test]
fn a_recorded_engine_does_the_same_again() {
    let log = recorded(1 << 20);
    let both = [config("pxtr.toml"), config("pxtr.toml")];
    let mut sends = 0;
    let played = play(log.as_bytes(), &both, &mut |_, _, actions| sends += actions.len());
    assert_eq!(played.expect("the same"), Played { steps: 20, engines: 1, configurations: 1, panics: 0 });
    assert!(sends > 10);
}

#[test]
fn a_replay_says_where_it_goes_another_way() {
    let log = recorded(1 << 20);
    let nothing = &mut |_: Time, _: &Event, _: &[_]| {};
    let missing = play(log.as_bytes(), &[config("pxtr.toml")], nothing);
    assert!(matches!(missing, Err(PlayError::NoConfiguration { number: 2, .. })), "{missing:?}");
    let other = play(log.as_bytes(), &[config("ms.toml"), config("ms.toml")], nothing);
    assert!(matches!(other, Err(PlayError::Differs { line: 3, .. })), "{other:?}");
    let broken = play("nonsense".as_bytes(), &[], nothing);
    assert!(matches!(broken, Err(PlayError::Line { line: 1, .. })));
}

#[test]
fn a_log_ends_at_its_limit_and_is_good_up_to_there() {
    let log = recorded(1500);
    assert!(log.len() <= 1500 && log.ends_with('\n'));
    let both = [config("pxtr.toml"), config("pxtr.toml")];
    let played = play(log.as_bytes(), &both, &mut |_, _, _| {}).expect("what is there");
    assert!((1..20).contains(&played.steps));
}
