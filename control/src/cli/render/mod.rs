//! Replies as tables: one record a line where possible, so that grep and awk see what eyes see.

mod daemon;
mod dataplane;
mod hosts;
mod lisp;
mod mappings;
mod nat;
mod packet;
mod subscriptions;
mod tenants;
mod text;

pub(super) use daemon::{cleared, health, statistics};
pub(super) use dataplane::{drops, ports, rlocs, workers};
pub(super) use hosts::{away, dynamic_eids};
pub(super) use lisp::{debug_message, lig, lisp};
pub(super) use mappings::{database, map_cache, registrations};
pub(super) use nat::nat;
pub(super) use packet::{packet, packet_end, unhex, watch_done};
pub(super) use subscriptions::subscriptions;
pub(super) use tenants::{policers, vrfs};
