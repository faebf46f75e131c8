//! Nonces of Map-Registers in the form in which they outlive the engine.

use super::MapServer;
use super::registrant::RegistrantId;
use crate::engine::event::Time;
use serde::{Deserialize, Serialize};

/// The last nonce of one ETR under one key: a Map-Register of it must have a greater one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptNonce {
    /// The site's name.
    pub site: String,
    /// Key ID.
    pub key_id: u8,
    /// What tells the secret from another one under the same Key ID: nonces of a secret that was
    /// replaced meanwhile count no more.
    pub key: u32,
    /// The ETR.
    pub registrant: RegistrantId,
    /// The nonce.
    pub nonce: u64,
}

impl MapServer {
    /// Grows with every nonce that is taken: without a change there is nothing new to keep.
    #[must_use]
    pub fn nonces_taken(&self) -> u64 {
        self.sites.nonces_taken
    }

    /// The nonces to keep; of more than `most` those heard last.
    #[must_use]
    pub fn nonces(&self, most: usize) -> Vec<KeptNonce> {
        let mut all: Vec<(Time, KeptNonce)> = self.sites.nonces().collect();
        if all.len() > most {
            all.select_nth_unstable_by_key(most, |(at, _)| std::cmp::Reverse(*at));
            all.truncate(most);
        }
        all.into_iter().map(|(_, kept)| kept).collect()
    }

    /// Takes over what was kept. Sites and keys that are configured no more are left out, and a
    /// greater nonce that was heard meanwhile stays.
    pub(crate) fn restore_nonces(&mut self, now: Time, kept: &[KeptNonce]) {
        for one in kept {
            self.sites.restore_nonce(now, one);
        }
    }
}
