//! What the fuzz targets check; the tests of the control plane check the same on every seed and
//! on every input that once failed.
//!
//! Codec, engine and roles are compiled here from their sources: they need neither runtime nor
//! DPDK, and that this builds proves it.

extern crate self as pxtr_control;

#[path = "../../tests/codec/checks.rs"]
pub mod checks;
#[path = "../../src/codec/mod.rs"]
pub mod codec;
#[path = "../../src/engine/mod.rs"]
pub mod engine;
#[path = "../../tests/sim/engine_input.rs"]
pub mod engine_input;
#[path = "../../src/roles/mod.rs"]
pub mod roles;
