//! The worker against the slow reference of `tests/reference/`: the input chooses tables and frames; both
//! ways through the worker and the reference must come to the same.

#![no_main]

#[allow(unused)]
#[path = "../../tests/reference/compare.rs"]
mod compare;
#[allow(unused)]
#[path = "../../tests/reference/dice.rs"]
mod dice;
#[path = "../../tests/reference/judge.rs"]
mod judge;
#[path = "../../tests/reference/make.rs"]
mod make;
#[path = "../../tests/reference/outer.rs"]
mod outer;
#[path = "../../tests/reference/packets.rs"]
mod packets;
#[path = "../../tests/reference/read.rs"]
mod read;
#[path = "../../tests/reference/tell.rs"]
mod tell;
#[path = "../../tests/reference/world.rs"]
mod world;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let mut report = compare::Report::default();
    if let Some(difference) = compare::compare(&mut dice::Dice::fed(input), &mut report) {
        panic!("{}\n{}", difference.kind, difference.text);
    }
});
