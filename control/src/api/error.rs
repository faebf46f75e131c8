//! What can go wrong with a request.

use serde::{Deserialize, Serialize};

/// Kind of error, for scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The request is no JSON, unknown, or has bad arguments.
    BadRequest,
    /// A later protocol version than this daemon's.
    BadVersion,
    /// The request line is too long.
    TooLong,
    /// Too many clients or calls at a time, or no answer in time.
    Busy,
    /// Not available in this daemon: the role or the data plane is off.
    Unavailable,
    /// The daemon is going down.
    Stopping,
}

/// An error as it is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// Kind.
    pub code: ErrorCode,
    /// Sentence for the operator, with a remedy where there is one.
    pub message: String,
}

impl ApiError {
    /// An error.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}
