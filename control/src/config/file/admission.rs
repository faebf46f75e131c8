//! `[admission]`: who may send LISP data to us.

use crate::config::leaf::{At, Key, Word};
use crate::config::words::{Name, NonceText, Prefix, UnknownWord};
use schemars::JsonSchema;
use serde::Deserialize;
use std::net::IpAddr;

/// `[admission]`. What is not given is not asked for.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AdmissionTable {
    /// The prefixes of the outer sources (RLOCs) from which LISP data is taken.
    ///
    /// Packets of others are dropped as "outer_source_not_admitted".
    /// Default: none, all may send. Change: live.
    pub outer_sources: Key<Vec<At<Word<Prefix>>>>,
    /// The nonces, 24 bits in hexadecimal, of which LISP data must carry one (RFC 8060 section 5.3).
    ///
    /// Packets without one are dropped as "nonce_not_agreed". Give two while senders change over.
    /// Default: none, with or without a nonce. Change: live.
    pub nonces: Key<Vec<At<Word<NonceText>>>>,
    /// The fate of packets whose inner source is held to its mapping, while that is not known yet: "wait",
    /// "drop" or "admit".
    ///
    /// In each case the mapping is asked for. Those that wait are bounded like all first packets (`[hold]`);
    /// what is not known in time is dropped as "inner_source_unknown". "admit" lets everything of an EID
    /// through until the answer is there.
    /// Default: `"wait"`. Change: live.
    pub unknown_sources: Key<Word<UnknownWord>>,
    /// The LISP sites whose EIDs may be inner sources.
    ///
    /// In a VRF that has any, packets from other sources are dropped as "inner_source_not_site".
    /// Default: none, inner sources are not asked for. Change: live.
    pub site: Key<Vec<At<AdmittedSiteTable>>>,
}

/// `[[admission.site]]`: a LISP site that may send to us.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AdmittedSiteTable {
    /// The name of the site, unique among those that may send.
    ///
    /// Required. Change: live.
    #[schemars(extend("x-required" = true))]
    pub name: Key<Word<Name>>,
    /// The name of the VRF that its EIDs belong to.
    ///
    /// Default: the first VRF. Change: live.
    pub vrf: Key<Word<Name>>,
    /// The EID prefixes of the site.
    ///
    /// Required. Change: live.
    #[schemars(extend("x-required" = true))]
    pub eid_prefixes: Key<Vec<At<Word<Prefix>>>>,
    /// The prefixes of the outer sources that may send in the name of the site.
    ///
    /// Packets of others are dropped as "inner_source_not_bound".
    /// Default: none, whoever may send at all. Change: live.
    pub outer_sources: Key<Vec<At<Word<Prefix>>>>,
    /// The choice whether inner sources of the site must be mapped to the outer source (strict reverse path).
    ///
    /// The mapping system is asked for them; `outer_sources` may send, too. Packets of others are dropped as
    /// "inner_source_not_mapped". The EIDs must lie in the VRF's `eid_space`.
    /// Default: `false`. Change: live.
    pub strict: Key<bool>,
}

/// A nonce that another router asks for.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PeerNonceTable {
    /// The RLOC of the router.
    ///
    /// Required. Change: live.
    #[schemars(extend("x-required" = true))]
    pub rloc: Key<Word<IpAddr>>,
    /// The nonce, 24 bits in hexadecimal.
    ///
    /// Required. Change: live.
    #[schemars(extend("x-required" = true))]
    pub nonce: Key<Word<NonceText>>,
}
