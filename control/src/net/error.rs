//! What can go wrong at the sockets.

use nix::errno::Errno;
use std::net::{IpAddr, SocketAddr};

/// A socket that could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}, UDP port {port}: {source}; {}", remedy(source))]
pub struct BindError {
    /// Wildcard address of the family.
    pub address: IpAddr,
    /// Port.
    pub port: u16,
    /// Why.
    #[source]
    pub source: std::io::Error,
}

fn remedy(source: &std::io::Error) -> &'static str {
    match source.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EADDRINUSE) => {
            "another LISP daemon runs in this network namespace (see: ss -lunp 'sport = :4342')"
        }
        Some(Errno::EACCES | Errno::EPERM) => "pxtrd needs CAP_NET_ADMIN and CAP_NET_RAW",
        Some(Errno::EAFNOSUPPORT | Errno::EADDRNOTAVAIL) => {
            "this kernel has the address family switched off (see: sysctl net.ipv6.conf.all.disable_ipv6)"
        }
        _ => "see dmesg and ulimit -n",
    }
}

/// A datagram that could not be sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// There is no socket of this family.
    #[error("no socket of the family of {0}")]
    NoSocket(SocketAddr),
    /// The source is of another family than the destination.
    #[error("source {source_address} and destination {to} are of different families")]
    MixedFamilies {
        /// Source asked for.
        source_address: IpAddr,
        /// Destination.
        to: SocketAddr,
    },
    /// The kernel refused.
    #[error("cannot send {bytes} bytes to {to}: {source}")]
    Kernel {
        /// Destination.
        to: SocketAddr,
        /// Size of the payload.
        bytes: usize,
        /// Why: no route, source address not ours, buffer full, too long.
        #[source]
        source: std::io::Error,
    },
}
