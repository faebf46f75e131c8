//! `[[lisp.path]]`.

use crate::config::leaf::{At, Key, Word};
use crate::config::words::{ChecksumWord, EcnWord, Prefix};
use schemars::JsonSchema;
use serde::Deserialize;

/// `[[lisp.path]]`: what is special about the way to some RLOCs.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PathTable {
    /// The prefixes of the RLOCs that this is about; of several that hold an RLOC the longest counts.
    ///
    /// `0.0.0.0/0` and `::/0` are all RLOCs of a family.
    /// Required. Change: live.
    #[schemars(extend("x-required" = true))]
    pub rlocs: Key<Vec<At<Word<Prefix>>>>,
    /// The ECN bits of outer headers: "copied" from the inner packet, or "not-ect" (RFC 6040).
    ///
    /// "not-ect" (compatibility mode) is for decapsulators that would lose a congestion mark. It takes
    /// ECN from all flows on this path.
    /// Default: `"copied"`. Change: live.
    pub ecn: Key<Word<EcnWord>>,
    /// The UDP checksum of encapsulated packets: "zero", or "computed" (RFC 9300 section 5.3).
    ///
    /// Computing it reads the whole packet. It is for paths that drop IPv6 packets without one.
    /// Default: `"zero"`; `"computed"` with `gpe`. Change: live.
    pub udp_checksum: Key<Word<ChecksumWord>>,
    /// The choice whether routers must not fragment outer IPv4 packets (DF=1).
    ///
    /// `false` is for paths whose routers drop large packets without saying so. About 480 packets a second
    /// and RLOC can go so, all workers together (RFC 6864): more go with DF=1 and are counted.
    /// Default: `true`. Change: live.
    pub dont_fragment: Key<bool>,
    /// The agreement to speak LISP-GPE (RFC 9305), whose header names what follows: to these RLOCs and from them.
    ///
    /// Both ends need it. They may send without all the same; packets encrypted by `lisp.encryption` go without.
    /// As soon as it is agreed upon with somebody, LISP-GPE from others is dropped as `gpe_not_agreed`; before
    /// that its bit is ignored.
    /// Default: `false`. Change: live.
    pub gpe: Key<bool>,
}
