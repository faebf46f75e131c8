//! The Delegated Database Tree (RFC 8111): how a Map-Resolver finds the Map-Server of an EID without
//! being told of each.
//!
//! - `node`: a DDT node, which refers to those who know more, or says that nobody does.
//! - `referral`: Map-Referrals as nodes and Map-Servers send them.
//! - `client`: the Map-Resolver's way down the tree, with what it remembers of it in `cache`.

mod cache;
mod client;
mod node;
mod pending;
mod referral;

pub use client::DdtClient;
pub use node::DdtNode;
pub(super) use pending::{Question, for_map_server};
pub(super) use referral::{Referring, refer};
