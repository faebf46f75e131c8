//! The *host's way*: packets between the workers and the kernel's face of each NIC port.
//!
//! ```text
//! worker 0 --ring--+                         +--> tx burst --> host port (net_tap) --> kernel
//! worker 1 --ring--+--> host thread, in turn +
//! worker 0 <-ring--------------------------------- rx burst <-- host port <-- kernel
//! ```
//!
//! Every ring is bounded and belongs to one worker, one port and one class of packets ([`HostClass`]): a
//! flood on one port takes nothing from another, and one of pings nothing from BGP. The host thread takes
//! of each class its share while all have something (R-161). A port's sub-interfaces share its rings, each with a tap of its own behind the host
//! thread, which sorts by VLAN tags. A tap costs a system call per packet, so none of this runs on a worker's core.

mod class;
mod face;
mod ring;
mod stats;
mod thread;

pub use class::HostClass;
pub use face::{Face, SubFace, TapError, namespace_path, tap_in};
pub(crate) use ring::mbufs_in_rings;
pub use ring::{HostEnd, WorkerEnd, ends};
pub use stats::{HostCounts, HostStats};
pub use thread::{HostPort, HostThread};
