//! `[lisp_sec]`: authentic Map-Replies (RFC 9303).

use super::KeyTable;
use crate::config::leaf::{At, Bounded, Key, Word};
use crate::config::words::{AbsolutePath, SecretText};
use schemars::JsonSchema;
use serde::Deserialize;

/// `[lisp_sec]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LispSecTable {
    /// The choice whether Map-Replies without right LISP-SEC data are dropped.
    ///
    /// Needs `secret` or `secret_file`. Without it, Map-Replies that have none are taken, wrong ones never.
    /// Default: `false`. Change: live.
    pub required: Key<bool>,
    /// The Key ID of the secret, 0 to 255.
    ///
    /// Default: `1`. Change: live.
    pub key_id: Key<Bounded<0, 255>>,
    /// The secret that roles pitr and xtr share with the Map-Resolvers, here or in a file by secret_file.
    ///
    /// Default: none, Map-Requests go without LISP-SEC. Change: live.
    pub secret: Key<Word<SecretText>>,
    /// The path of a file that holds the secret and that others can not read.
    ///
    /// A newline at its end does not belong to the secret.
    /// Default: none. Change: live.
    pub secret_file: Key<Word<AbsolutePath>>,
    /// The secrets of those who send Map-Requests to the Map-Resolver and the Map-Server in this daemon.
    ///
    /// ITRs, and Map-Resolvers that forward. Must differ from the secrets shared with ETRs.
    /// Default: `[]`. Change: live.
    pub accept_keys: Key<Vec<At<KeyTable>>>,
    /// The secret that the Map-Resolver in this daemon shares with the Map-Servers it forwards to.
    ///
    /// Default: none, it forwards without LISP-SEC. Change: live.
    pub forward_key: Key<KeyTable>,
}
