//! `[[lisp.encryption]]`.

use crate::config::leaf::{At, Bounded, Key, Word};
use crate::config::words::{EncryptionWord, Prefix, SuiteWord};
use schemars::JsonSchema;
use serde::Deserialize;

/// `[[lisp.encryption]]`: routers with which packets are exchanged encrypted (RFC 8061).
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EncryptionTable {
    /// The prefixes of the RLOCs of the routers.
    ///
    /// Required. Change: live.
    #[schemars(extend("x-required" = true))]
    pub rlocs: Key<Vec<At<Word<Prefix>>>>,
    /// The kind of encryption: "required" or "preferred".
    ///
    /// "required": packets to these RLOCs wait for a key; one that gives none is down ("no-encryption-key"),
    /// and clear text from them is dropped as "lisp_clear_text". "preferred": clear text until there is a
    /// key, and from who wants no encryption.
    /// Default: `"required"`. Change: live.
    pub mode: Key<Word<EncryptionWord>>,
    /// The cipher suites in the order of preference: "x25519-aes128-gcm" (5) and "x25519-chacha20-poly1305" (6).
    ///
    /// Those that are not given are refused to others, too.
    /// Default: `["x25519-aes128-gcm", "x25519-chacha20-poly1305"]`. Change: live.
    pub suites: Key<Vec<At<Word<SuiteWord>>>>,
    /// The life of a key in seconds: then another one is agreed upon. No packet is lost by that.
    ///
    /// Default: `3600`. Change: live.
    pub rekey_interval_s: Key<Bounded<1, 86_400>>,
}
