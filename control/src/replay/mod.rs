//! The event log of a daemon's engine, and its replay.
//!
//! An engine does what follows from its configuration, its seed and its events. [`Journal`] writes
//! seed and events to a file as they come; [`play`](play()) takes a new engine through them, checks that it
//! says the same, and stops where the first one panicked.

mod describe;
mod journal;
mod line;
mod play;

pub use describe::step as describe;
pub use journal::{Journal, JournalError};
pub use play::{PlayError, Played, play};
