//! `[trusted]`: routers whose LISP headers are believed.

use crate::config::leaf::{At, Key, Word};
use crate::config::words::Prefix;
use schemars::JsonSchema;
use serde::Deserialize;

/// `[trusted]`. For networks of which all routers are the operator's own: on the Internet anybody can write
/// what he likes into the headers of LISP data (RFC 9302 section 8, RFC 9300 section 16).
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TrustedTable {
    /// The prefixes of the RLOCs of the routers that are trusted; nobody else may be able to send from them.
    ///
    /// Required. Change: live.
    #[schemars(extend("x-required" = true))]
    pub rlocs: Key<Vec<At<Word<Prefix>>>>,
    /// The choice whether Map-Versions are put into LISP headers and heeded there (RFC 9302).
    ///
    /// An xTR gives its mappings their versions by `lisp.database.map_version`. Who sends to it with an old
    /// version is told by SMR, up to ten times; what can not be right is dropped as "map_version_...". A newer
    /// version of a sender's mapping makes us ask for it. A Map-Server drops registrations of trusted routers
    /// with an older version than it has.
    /// Packets to trusted routers, and all LISP packets received, take a slower way through the workers.
    /// Default: `false`. Change: live.
    pub map_versioning: Key<bool>,
    /// The choice whether trusted routers are asked to echo nonces, and get theirs echoed (RFC 9300 section 10.1).
    ///
    /// For xTRs at both ends. A locator whose router says that it echoes is asked every
    /// `limits.echo_interval_ms`; one that sends data but no echo counts as down until it answers an RLOC-probe.
    /// Where data goes one way only, RLOC-probes decide alone. Not together with `map_versioning`,
    /// `admission.nonces` or, for a trusted router, `lisp.peer_nonces`: they share their place in the header.
    /// Packets to locators that are being asked, and all LISP packets received, take a slower way through the workers.
    /// Default: `false`. Change: live.
    pub echo_nonce: Key<bool>,
    /// The choice whether Locator-Status-Bits are put into LISP headers and heeded there (RFC 9300 section 10).
    ///
    /// An xTR tells trusted routers by them which locators of its site are up: its own while their port has
    /// its link, those of other routers while there is a route to them. Each xTR must have all locators of
    /// the site in its `lisp.database`. For five minutes after these changed by a reload nothing is said. A
    /// locator of another site that a router of that site says is down is probed at once and not used until it
    /// is said to be up, unless no other one is up.
    /// Packets to trusted routers, and all LISP packets received, take a slower way through the workers.
    /// Default: `false`. Change: live.
    pub locator_status_bits: Key<bool>,
}
