//! What a role of the mapping system does: ETR, Map-Server, Map-Resolver, RTR. Pure state machines like
//! the engine that calls them: time, randomness and messages come in, actions go out.

pub mod ddt;
pub mod etr;
mod forward;
pub(crate) mod limit;
pub mod map_resolver;
pub mod map_server;
mod notifier;
pub mod prefix_table;
mod reply;
pub mod rtr;
mod secure;

pub use ddt::DdtNode;
pub use etr::Etr;
pub use map_resolver::MapResolver;
pub use map_server::MapServer;
pub use rtr::Rtr;
