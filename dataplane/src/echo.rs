//! Echo-nonce, between routers that trust each other (RFC 9300 section 10.1; R-094): one puts a nonce and the
//! wish to see it again into the LISP headers of what it sends, the other one puts it into those of what it
//! sends back. Off by default. Part of the [`feed`](crate::feed) and of the [`punt`](crate::punt).

use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// A nonce that is to be echoed: 24 bits, good for a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EchoNonce(u32);

impl EchoNonce {
    /// The low 24 bits.
    #[must_use]
    pub const fn new(bits: u32) -> Self {
        Self(bits & 0x00FF_FFFF)
    }

    /// As a number below 2^24.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// What the LISP headers of packets to an RLOC have of this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EchoMark {
    /// N and E: it is to be echoed.
    Ask(EchoNonce),
    /// N alone: the nonce that was last asked for.
    Give(EchoNonce),
}

/// An RLOC whose echo is awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Awaited {
    /// Outer source of what it sends.
    pub rloc: IpAddr,
    /// What it was asked to echo.
    pub nonce: EchoNonce,
}

/// What a LISP header said of this that control is to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EchoSaid {
    /// The sender wants to see this nonce again.
    Wanted(EchoNonce),
    /// Here is the nonce that it was asked for.
    Given(EchoNonce),
    /// Here is none, and this one is awaited.
    Missing(EchoNonce),
}

impl EchoSaid {
    /// The same of any nonce: what is told often counts as the same, whatever nonces somebody makes up.
    #[must_use]
    pub const fn kind(self) -> Self {
        match self {
            Self::Wanted(_) => Self::Wanted(EchoNonce(0)),
            Self::Given(_) => Self::Given(EchoNonce(0)),
            Self::Missing(_) => Self::Missing(EchoNonce(0)),
        }
    }
}
