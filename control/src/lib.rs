//! The control plane. See README.md for the room.

pub mod engine;
