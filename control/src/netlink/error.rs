//! What can go wrong between us and the kernel.

/// A netlink or sysctl operation that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No netlink socket.
    #[error("cannot open a netlink socket: {0}")]
    Socket(#[source] std::io::Error),
    /// A network namespace that is not there.
    #[error("cannot enter network namespace `{name}`: {source} (make it first: ip netns add {name})")]
    Namespace {
        /// Its name.
        name: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The socket broke while in use.
    #[error("cannot read from the netlink socket: {0}")]
    Receive(#[source] std::io::Error),
    /// A request to the kernel could not be sent.
    #[error("cannot send to the netlink socket: {0}")]
    Send(#[source] std::io::Error),
    /// A dump ended early.
    #[error("cannot read the kernel's {what}: {source}")]
    Dump {
        /// What was asked for.
        what: &'static str,
        /// Why.
        #[source]
        source: Box<rtnetlink::Error>,
    },
    /// No interface of that name in this network namespace.
    #[error("there is no interface `{name}` in this network namespace (see: ip link show)")]
    NoInterface {
        /// Its name.
        name: String,
    },
    /// The kernel refused a change to an interface.
    #[error("cannot set {what} of interface `{name}`: {source} (pxtrd needs CAP_NET_ADMIN)")]
    LinkSet {
        /// Interface.
        name: String,
        /// Which property.
        what: &'static str,
        /// Why.
        #[source]
        source: Box<rtnetlink::Error>,
    },
    /// A sysctl could not be written.
    #[error("cannot write {value} to {path}: {source} (pxtrd needs a writable /proc/sys)")]
    Sysctl {
        /// File under /proc/sys.
        path: String,
        /// What was to be written.
        value: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}
