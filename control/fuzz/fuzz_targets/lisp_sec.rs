//! See `checks::lisp_sec`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pxtr_control_fuzz::checks::lisp_sec(bytes));
