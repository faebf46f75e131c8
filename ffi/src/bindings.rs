//! What bindgen made of `csrc/shim.h` at build time.
#![allow(non_camel_case_types, non_upper_case_globals, missing_docs)]
#![allow(clippy::all, clippy::undocumented_unsafe_blocks)]

include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
