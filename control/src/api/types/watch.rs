//! Packets as `trace` and `capture` show them.

use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// A packet that a worker saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PacketSeen {
    /// When, microseconds since 1970 (UTC).
    pub unix_us: u64,
    /// The worker.
    pub worker: u32,
    /// Port on which it was received, or is sent.
    pub port: String,
    /// Number of the received packet, counted by each worker for each watch: what has the same number
    /// belongs together; 0: it stands alone.
    pub number: u64,
    /// What happened.
    pub event: PacketEvent,
    /// Length of the frame without FCS, bytes.
    pub bytes: u32,
    /// Its first bytes, hex digits. Of a packet that waited the Ethernet header is empty.
    pub frame: String,
    /// Packets that were left out just before this one, because more came than a watch is told.
    pub left_out: u64,
}

/// What happened to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum PacketEvent {
    /// It was received.
    Received {
        /// What was decided.
        story: PacketStory,
    },
    /// It had waited, and was tried again.
    Released {
        /// What was decided then.
        story: PacketStory,
        /// How long it had waited, microseconds.
        waited_us: u64,
    },
    /// It was queued for sending.
    Sent {
        /// For the kernel.
        from_kernel: bool,
    },
    /// It was dropped elsewhere than where it was decided about.
    Dropped {
        /// Why.
        reason: String,
        /// The same in a sentence.
        text: String,
    },
}

/// What a worker decided about a packet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PacketStory {
    /// VRF that it was routed in.
    pub vrf: String,
    /// Its Instance-ID.
    pub instance_id: u32,
    /// How it came: `native`, `decapsulated`, `own`.
    pub origin: String,
    /// The map-cache entry of its destination: an EID-prefix, `none`, or `null`: it was not looked up.
    pub mapping: Option<String>,
    /// The locator that was chosen.
    pub rloc: Option<IpAddr>,
    /// What became of it.
    pub fate: PacketFate,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum PacketFate {
    /// Sent with LISP headers.
    Encapsulated {
        /// Port.
        port: String,
    },
    /// Sent natively.
    Forwarded {
        /// Port.
        port: String,
    },
    /// Cut into pieces.
    Split {
        /// Largest piece, bytes.
        room: u16,
    },
    /// Handed to the kernel.
    Kernel,
    /// It waits.
    Held {
        /// For what.
        wait: String,
    },
    /// It waits for the rest of its fragments.
    Reassembled,
    /// An ICMP error about a packet of ours, taken to heart.
    CoreError,
    /// Dropped.
    Dropped {
        /// Name of the reason, as in `show drops`.
        reason: String,
        /// The same in a sentence.
        text: String,
    },
}

impl PacketEvent {
    /// Why it was dropped, name and sentence; `None`: it was not.
    #[must_use]
    pub fn dropped(&self) -> Option<(&str, &str)> {
        match self {
            Self::Received { story } | Self::Released { story, .. } => match &story.fate {
                PacketFate::Dropped { reason, text } => Some((reason, text)),
                _ => None,
            },
            Self::Dropped { reason, text } => Some((reason, text)),
            Self::Sent { .. } => None,
        }
    }
}

/// The end of a watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchDone {
    /// Packets that were wanted and could not be told, because they came too fast.
    pub left_out: u64,
}
