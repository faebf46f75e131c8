//! See `checks::message`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pxtr_control_fuzz::checks::message(bytes));
