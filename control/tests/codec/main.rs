//! The codec against wire.md: its vectors, its traps, every error, and stability.

mod bytes;
mod captures;
mod checks;
mod describe;
mod errors;
mod lisp_sec;
mod regressions;
mod spec_vectors;
mod stable;
mod traps;
