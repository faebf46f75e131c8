//! Why a data plane did not start, and what to do about it.

/// Each text ends with the remedy.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// Nothing to receive from.
    #[error("no port is configured: add a [[port]], or run without a data plane")]
    NoPorts,
    /// Nobody to do the work.
    #[error("no worker is configured: give [workers] cores = [CPU, ...]")]
    NoWorkers,
    /// Two workers on one CPU would starve each other.
    #[error("core {0} is listed twice: give each worker a core of its own")]
    CoreTwice(usize),
    /// The process may not use this CPU, or there is none.
    #[error("core {core} can not be used: allowed are {allowed:?}; correct [workers] cores")]
    CoreNotAllowed {
        /// As configured.
        core: usize,
        /// CPUs this process may use.
        allowed: Vec<usize>,
    },
    /// A worker panicked before it was ready; what it said is on standard error.
    #[error("the worker on core {0} died at its start: its message is above; report this as a bug")]
    WorkerDied(usize),
    /// Port numbers are places in the list.
    #[error("port {name} has number {id}, its place in the list is {index}: number ports in their order")]
    PortOrder {
        /// Port.
        name: String,
        /// Its number.
        id: u16,
        /// Its place.
        index: usize,
    },
    /// Each worker needs a receive queue of its own on every port whose packets the NIC spreads.
    #[error(
        "port {port} has {queues} queue(s) for {workers} workers, and each worker needs its own: \
         set queues = {workers}, or spread = \"software\" (one queue will do), or list fewer cores"
    )]
    TooFewQueues {
        /// Port.
        port: String,
        /// As configured.
        queues: u16,
        /// Workers.
        workers: usize,
    },
    /// Below IPv6's minimum, or above what is supported.
    #[error("port {port}: an MTU of {mtu} bytes is not supported: give 1280 to 9216")]
    Mtu {
        /// Port.
        port: String,
        /// As configured.
        mtu: u16,
    },
    /// Not a name for a kernel interface.
    #[error(
        "port {port}: host interface {interface:?} can not be a name: use 1 to 15 letters, digits, dots, \
         dashes or underscores"
    )]
    InterfaceName {
        /// Port.
        port: String,
        /// As configured.
        interface: String,
    },
    /// One interface can face one port.
    #[error("port {port}: host interface {interface} belongs to port {other} already: use another name")]
    InterfaceTwice {
        /// Port.
        port: String,
        /// The other port.
        other: String,
        /// Interface.
        interface: String,
    },
    /// A sub-interface of nothing.
    #[error("sub-interface {port}: its parent is no port: name one that has a device")]
    NoParent {
        /// Sub-interface.
        port: String,
    },
    /// Two sub-interfaces could not be told apart.
    #[error("sub-interface {port} has the port and VLAN identifiers of {other}: give it others")]
    TagsTwice {
        /// Sub-interface.
        port: String,
        /// The other one.
        other: String,
    },
    /// The kernel's face of a sub-interface, or in another network namespace, could not be made.
    #[error("port {port}: host interface {interface}: {source}")]
    Tap {
        /// Port or sub-interface.
        port: String,
        /// Interface.
        interface: String,
        /// Why.
        source: Box<crate::host::TapError>,
    },
    /// The pool would run dry.
    #[error(
        "{mbufs} mbufs are too few: receive rings, host rings, held packets and the workers' caches may hold \
         {needed}: set mbufs = {needed} or more, or lower queues or hold limits"
    )]
    TooFewMbufs {
        /// As configured.
        mbufs: u32,
        /// The least that works.
        needed: u32,
    },
    /// AF_XDP hands mbufs to the kernel, which takes none that spans pages; all ports share a pool.
    #[error(
        "port {port}: net_af_xdp needs mbufs of at most {limit} bytes, the ports' MTUs ask for {room}: lower \
         the MTU of every port to {mtu} or less, or use net_af_packet"
    )]
    XdpRoom {
        /// Port.
        port: String,
        /// Bytes that the largest frame of any port takes.
        room: u16,
        /// Bytes that an mbuf may hold.
        limit: u16,
        /// The MTU that fits.
        mtu: u16,
    },
    /// DPDK refuses.
    #[error("{0}")]
    Dpdk(Box<dpdk_sys::Error>),
    /// DPDK refuses something about one port.
    #[error("port {port}: {source}")]
    Port {
        /// Port.
        port: String,
        /// Why.
        source: Box<dpdk_sys::Error>,
    },
    /// The kernel's face of a port could not be made.
    #[error("port {port}: host interface {interface}: {source}")]
    Host {
        /// Port.
        port: String,
        /// Interface.
        interface: String,
        /// Why.
        source: Box<dpdk_sys::Error>,
    },
    /// The system has no thread left, or memory for it.
    #[error("a thread could not be started: raise the limit on processes (ulimit -u)")]
    Thread(#[source] std::io::Error),
}

impl From<dpdk_sys::Error> for LaunchError {
    fn from(error: dpdk_sys::Error) -> Self {
        Self::Dpdk(Box::new(error))
    }
}
