//! The HTTP server: `/metrics`, `/livez`, `/readyz`.
//!
//! - `/livez`: 200 when the control thread answers within five seconds, else 503: restart the daemon.
//!   (The workers forward without it.)
//! - `/readyz`: 200 when all of the daemon's checks are good, else 503: send no traffic here. One line a
//!   check. Checks, as far as the daemon has the part: the workers run and keep up with the feed (less
//!   than the bound of deltas behind), the host interfaces are up, every EID-prefix of the own site is
//!   confirmed by a Map-Server.
//! - `/metrics`: see [`crate::metrics`].
//!
//! There is neither authentication nor encryption. Connections are bounded in number and in idle time.

mod listener;
mod routes;

pub use listener::{BoundedListener, HttpError};
pub use routes::serve;

#[cfg(test)]
mod tests;
