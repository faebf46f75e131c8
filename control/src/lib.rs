//! The control plane. See README.md for the room.

pub mod codec;
pub mod engine;
pub mod roles;
