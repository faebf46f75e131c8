//! The lines of an event log: one JSON value each.

use crate::engine::event::{Action, Event, Time};
use serde::{Deserialize, Serialize};

/// Version of the format.
pub(super) const VERSION: u32 = 1;

/// A line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Line {
    /// An engine starts: the first line, and again after a panic.
    Start {
        /// [`VERSION`].
        version: u32,
        /// 64 hexadecimal digits.
        seed: String,
        /// Start of the nonces of its Map-Registers.
        register_nonce_epoch: u32,
    },
    /// A step begins.
    Step {
        /// When.
        at: Time,
        /// With what.
        event: Event,
    },
    /// A new configuration comes into force.
    Configuration {
        /// When.
        at: Time,
    },
    /// The step ended. An engine that panics does not get here.
    Did {
        /// Actions.
        actions: usize,
        /// Digest of the messages among them.
        sent: u64,
    },
}

impl Line {
    /// The end of a step.
    pub(super) fn did(actions: &[Action]) -> Self {
        Self::Did { actions: actions.len(), sent: digest(actions) }
    }
}

/// FNV-1a over destinations and bytes of what is sent: the same on every machine and version.
fn digest(actions: &[Action]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut eat = |bytes: &[u8]| {
        for byte in bytes {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    for action in actions {
        if let Action::Send { to, payload, .. } = action {
            eat(to.to_string().as_bytes());
            eat(payload);
        }
    }
    hash
}

/// A seed as text.
pub(super) fn seed_text(seed: &[u8; 32]) -> String {
    seed.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The seed of a text; `None`: it is none.
pub(super) fn seed(text: &str) -> Option<[u8; 32]> {
    let mut seed = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (n, byte) in seed.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * n..2 * n + 2)?, 16).ok()?;
    }
    Some(seed)
}
