//! The codec against wire.md: its vectors, its traps, every error, and stability.

mod bytes;
mod captures;
mod describe;
mod errors;
mod lisp_sec;
mod spec_vectors;
mod stable;
mod traps;
