//! A generator and counter of packets on one core, in front of a device under test: what `testpmd` has
//! no packets for (LISP), rates below the highest, latency by stamp, first packets.
//!
//! `stream` makes the packets, `generator` sends, receives and counts, `orders` reads what to do,
//! `distance` measures the machine.

mod distance;
mod generator;
mod orders;
mod stream;

pub use distance::one_way_ns;
pub use generator::{Generator, Round};
pub use orders::Order;
pub use stream::{Kind, Stream, StreamConfig};
