//! A daemon that is not there, its JSON, and its server over a real Unix socket.

mod convert;
mod debug;
mod fake;
mod json;
mod socket;

pub(crate) use fake::Fake;
