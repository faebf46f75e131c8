//! The codec against wire.md: its vectors, its traps, every error, and stability.

mod bytes;
mod captures;
mod describe;
mod spec_vectors;
