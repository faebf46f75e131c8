//! The kernel's view of the network: links, addresses, routes and neighbours, over rtnetlink.
//!
//! The kernel owns all of them (design.md section 5); we keep a copy ([`KernelView`]), follow its
//! changes, and hand out the *keys* of what changed. Nothing here knows LISP.
//!
//! - `model`: the words. `parse`: netlink messages to words. `view`: the copy and its diff.
//! - `monitor`: the socket: dumps, notifications, overrun recovery, neighbour resolution.
//! - `space`: several network namespaces in one view.
//! - `host_route`: the routes to hosts of dynamic-EID prefixes.
//! - `setup`: what we change in the kernel: host interfaces up with MAC and MTU, and the kernel
//!   interface behind an AF_PACKET or AF_XDP port kept quiet.

mod error;
mod host_route;
mod model;
mod monitor;
mod parse;
mod setup;
mod space;
mod view;

pub use error::Error;
pub use host_route::{HostRoute, PROTOCOL};
pub use model::{
    Address, Link, Neighbour, NeighbourState, NextHop, Route, RouteKey, RouteKind, TABLE_LOCAL, TABLE_MAIN,
    Update,
};
pub use monitor::{Netlink, Scope};
pub use setup::{HostInterface, prepare_host_interface, quiet_backing_interface};
pub use space::{MAX_SPACES, Space, link_in, split_link, split_table, table_in, within};
pub use view::{Changed, Interest, KernelView, ViewCounters};
