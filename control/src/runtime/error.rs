//! Why the daemon did not start, or ends.

/// The runtime's errors; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No event loop.
    #[error("cannot start the control thread's event loop: {0} (see ulimit -n)")]
    EventLoop(#[source] std::io::Error),
    /// No randomness from the system.
    #[error("cannot get randomness from the system: {0}")]
    Randomness(String),
    /// The data plane did not start.
    #[error("cannot start the data plane: {0}")]
    Launch(#[from] pxtr_dataplane::launch::LaunchError),
    /// The kernel's tables are out of reach.
    #[error(transparent)]
    Netlink(#[from] crate::netlink::Error),
    /// The kernel's tables did not come in time.
    #[error("the kernel did not send its interfaces and routes within {seconds} s")]
    NetlinkSilent {
        /// Seconds waited.
        seconds: u64,
    },
    /// No control socket.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Sockets(Vec<crate::net::BindError>),
    /// No API socket.
    #[error(transparent)]
    Api(#[from] crate::api::ListenError),
    /// No HTTP server.
    #[error(transparent)]
    Http(#[from] crate::http::HttpError),
    /// A thread of the data plane ended by itself.
    #[error("data-plane thread(s) {0} died (please report the message above): restart pxtrd")]
    WorkerDied(String),
    /// The engine panics over and over.
    #[error(
        "the protocol engine panicked {panics} times within {seconds} s (please report the messages above)"
    )]
    PanicLoop {
        /// Panics.
        panics: usize,
        /// Window, seconds.
        seconds: u64,
    },
}
