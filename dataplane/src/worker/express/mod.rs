//! The express way: plain packets of a burst, in few instructions.
//!
//! Most packets are plain: no options, no fragments, no extension headers, addresses as they should be,
//! a mapping or route that is there, room for the headers. For these the answers of all rules of
//! `path/` are known beforehand, and what is left is to read, look up and write. `outbound` does so for
//! encapsulation and native forwarding, `inbound` for decapsulation.
//!
//! A packet that is not plain in any respect is left exactly as it was, for the stages of `burst`: they
//! alone decide about drops, notices, waiting and everything rare. So a rule that is added to the path
//! needs a thought here only when it concerns plain packets; `tests/path/express.rs` holds both ways to the
//! same bytes and the same counts.

mod columns;
mod decapsulation;
mod encapsulation;
mod frames;
mod head_v4;
mod head_v6;
mod inbound;
mod lanes;
mod misses;
mod native;
mod outbound;
mod plain;
mod reading;
mod unwrapping;

pub(super) use inbound::Inbound;
pub(super) use lanes::Done;
pub(super) use outbound::Outbound;
