//! The UDP sockets of the control plane: port 4342, one per family.
//!
//! Ordinary kernel sockets on the host ports. Each datagram comes with the address it was sent to
//! and the interface it came in by; each one sent may choose its source address. UDP checksums are
//! the kernel's work: it always computes them, and drops what fails. What it can not refuse
//! is an IPv4 datagram *without* a checksum: UDP over IPv4 allows it and no socket shows it; such a
//! message still has to pass its nonce or authentication. Over IPv6 the kernel drops it.

mod error;
mod sockets;

pub use error::{BindError, SendError};
pub use sockets::{CONTROL_PORT, ControlSockets, Received};
