//! `[map_server]`: the sites of role map-server; `[map_resolver]`.

use super::DelegationTable;
use crate::config::leaf::{At, Bounded, Key, Word};
use crate::config::words::{AbsolutePath, ActionWord, AlgorithmWord, HexId, Name, Prefix, SecretText};
use schemars::JsonSchema;
use serde::Deserialize;
use std::net::IpAddr;

/// `[map_server]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MapServerTable {
    /// The addresses of the RTRs that routers behind NATs are told of when they ask.
    ///
    /// Default: `[]`, they learn that they are behind a NAT and of no way through it. Change: live.
    pub rtr_rlocs: Key<Vec<At<Word<IpAddr>>>>,
    /// The choice whether those are told, too, who ask without a key, as lispers.net does.
    ///
    /// Anybody can ask then, in anybody's name; answers are limited by rate and are twice as long.
    /// Default: `false`. Change: live.
    pub info_without_key: Key<bool>,
    /// The sites that may register, one table each; required by role map-server.
    ///
    /// Default: none. Change: live.
    pub site: Key<Vec<At<SiteTable>>>,
    /// The xTRs and proxies that may subscribe to mappings (RFC 9437), one table each.
    ///
    /// Map-Requests of others that want to subscribe are answered as if they did not.
    /// Default: none. Change: live.
    pub subscriber: Key<Vec<At<SubscriberTable>>>,
    /// The EID prefixes for which Map-Requests are answered by policy, one table each.
    ///
    /// Whoever registers them or parts of them. An ETR that answers for itself still speaks for its whole
    /// prefix: one with a policy inside should ask for proxy replies.
    /// Default: none. Change: live.
    pub policy: Key<Vec<At<PolicyTable>>>,
}

/// `[[map_server.policy]]`: what is answered for an EID prefix.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PolicyTable {
    /// The EID prefix.
    ///
    /// Required. Change: live.
    #[schemars(extend("x-required" = true))]
    pub prefix: Key<Word<Prefix>>,
    /// The Instance-ID of the prefix.
    ///
    /// Default: `0`. Change: live.
    pub instance_id: Key<Bounded<0, 4_294_967_295>>,
    /// The action that ITRs are told.
    ///
    /// "natively-forward", "send-map-request", "no-action", "drop-no-reason", "drop-policy-denied",
    /// "drop-auth-failure".
    /// Default: `"drop-policy-denied"`. Change: live.
    pub action: Key<Word<ActionWord>>,
    /// The time for which ITRs keep the answer, in minutes.
    ///
    /// Default: `15`. Change: live.
    pub ttl_minutes: Key<Bounded<1, 1_440>>,
}

/// `[rtr]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RtrTable {
    /// The addresses of the Map-Servers that Map-Registers of routers behind NATs are passed on to.
    ///
    /// Required. Change: live.
    #[schemars(extend("x-required" = true))]
    pub map_servers: Key<Vec<At<Word<IpAddr>>>>,
    /// The number of EID prefixes behind NATs, at most.
    ///
    /// Default: `10000`. Change: live.
    pub max_eid_prefixes: Key<Bounded<1, 1_000_000>>,
}

/// `[[map_server.subscriber]]`: who may subscribe.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SubscriberTable {
    /// The name of the subscriber, unique in this file.
    ///
    /// Required. Change: live.
    #[schemars(extend("x-required" = true))]
    pub name: Key<Word<Name>>,
    /// The xTR-ID of the subscriber, 128 bits in hexadecimal.
    ///
    /// Required. Change: live.
    #[schemars(extend("x-required" = true))]
    pub xtr_id: Key<Word<HexId<16>>>,
    /// The Key ID of the secret, 0 to 255.
    ///
    /// Default: `1`. Change: live.
    pub key_id: Key<Bounded<0, 255>>,
    /// The secret shared with the subscriber, here or in a file by secret_file.
    ///
    /// Required unless `secret_file` is given. Change: live.
    pub secret: Key<Word<SecretText>>,
    /// The path of a file that holds the secret and that others can not read.
    ///
    /// A newline at its end does not belong to the secret.
    /// Default: none. Change: live.
    pub secret_file: Key<Word<AbsolutePath>>,
    /// The algorithm: "hmac-sha256", "hmac-sha256-hkdf", or "hmac-sha1" for old peers.
    ///
    /// Default: `"hmac-sha256"`. Change: live.
    pub algorithm: Key<Word<AlgorithmWord>>,
    /// The addresses to which changes may be sent.
    ///
    /// Default: `[]`, to those that the subscriber names. Change: live.
    pub rlocs: Key<Vec<At<Word<IpAddr>>>>,
    /// The number of subscriptions that the subscriber may have at a time.
    ///
    /// Default: `10000`. Change: live.
    pub max_subscriptions: Key<Bounded<1, 1_000_000>>,
}

/// `[map_resolver]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MapResolverTable {
    /// The addresses of the Map-Servers that are asked for what a Map-Server in this daemon does not know.
    ///
    /// Default: `[]`, only the Map-Server in this daemon. Change: live.
    pub forward_to: Key<Vec<At<Word<IpAddr>>>>,
    /// The addresses of the roots of the Delegated Database Tree by which Map-Servers are found (RFC 8111).
    ///
    /// Instead of `forward_to`.
    /// Default: `[]`, the tree is not used. Change: live.
    pub ddt_roots: Key<Vec<At<Word<IpAddr>>>>,
    /// The parts of the EID space for which the tree need not be asked from its root.
    ///
    /// Default: none. Change: live.
    pub ddt_hint: Key<Vec<At<DelegationTable>>>,
}

/// `[[map_server.site]]`: who may register what.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SiteTable {
    /// The name of the site, unique in this file.
    ///
    /// Required. Change: live.
    #[schemars(extend("x-required" = true))]
    pub name: Key<Word<Name>>,
    /// The keys that the site's ETRs may use; several while one is replaced by the next.
    ///
    /// Required. Change: live.
    #[schemars(extend("x-required" = true))]
    pub keys: Key<Vec<At<KeyTable>>>,
    /// The algorithms that the site's ETRs may use.
    ///
    /// Default: `["hmac-sha256", "hmac-sha256-hkdf"]`. Change: live.
    pub algorithms: Key<Vec<At<Word<AlgorithmWord>>>>,
    /// The EID prefixes that the site may register.
    ///
    /// Required. Change: live.
    #[schemars(extend("x-required" = true))]
    pub eid_prefixes: Key<Vec<At<SitePrefixTable>>>,
    /// The choice whether nonces of Map-Registers need not grow: for lispers.net, weakens replay protection.
    ///
    /// Default: `false`. Change: live.
    pub legacy_nonce: Key<bool>,
    /// The secret of LISP-SEC shared with the site's ETRs (RFC 9303).
    ///
    /// Must differ from the secrets of ITRs.
    /// Default: none. Change: live.
    pub lisp_sec_key: Key<KeyTable>,
    /// The number of EID prefixes that the site may have registered at a time.
    ///
    /// Default: `10000`. Change: live.
    pub max_prefixes: Key<Bounded<1, 10_000_000>>,
}

/// A key of a site.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct KeyTable {
    /// The Key ID, 0 to 255, unique in the site; 0 for ETRs that follow RFC 6830.
    ///
    /// Required. Change: live.
    #[schemars(extend("x-required" = true))]
    pub id: Key<Bounded<0, 255>>,
    /// The secret shared with the site, here or in a file by secret_file.
    ///
    /// Required unless `secret_file` is given. Change: live.
    pub secret: Key<Word<SecretText>>,
    /// The path of a file that holds the secret and that others can not read.
    ///
    /// A newline at its end does not belong to the secret.
    /// Default: none. Change: live.
    pub secret_file: Key<Word<AbsolutePath>>,
}

/// An EID prefix of a site.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SitePrefixTable {
    /// The EID prefix.
    ///
    /// Required. Change: live.
    #[schemars(extend("x-required" = true))]
    pub prefix: Key<Word<Prefix>>,
    /// The Instance-ID of the prefix.
    ///
    /// Default: `0`. Change: live.
    pub instance_id: Key<Bounded<0, 4_294_967_295>>,
    /// The choice whether prefixes inside this one may be registered too.
    ///
    /// Default: `false`. Change: live.
    pub accept_more_specifics: Key<bool>,
}
