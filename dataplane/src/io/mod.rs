//! Packets in and out of a worker: the [`Io`] trait and its backends.
//!
//! - [`mem`]: queues in memory, for tests and benches without DPDK.
//! - [`dpdk`]: NIC queues and the rings to the host thread.
//! - [`tx_share`]: transmit queues of ports that have fewer of them than there are workers.

mod backend;
pub mod dpdk;
pub mod mem;
pub mod tx_share;

pub use backend::{BURST, Io, PacketBurst, Stage};
