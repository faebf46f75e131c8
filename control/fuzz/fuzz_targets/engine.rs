//! See `engine_input`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pxtr_control_fuzz::engine_input::engine(bytes));
