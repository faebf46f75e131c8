//! `[ddt_node]`, and the Map-Resolver's place in the Delegated Database Tree (RFC 8111).

use crate::config::leaf::{At, Bounded, Key, Word};
use crate::config::words::Prefix;
use schemars::JsonSchema;
use serde::Deserialize;
use std::net::IpAddr;

/// `[ddt_node]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DdtNodeTable {
    /// The EID prefixes that this node answers for.
    ///
    /// Default: `[]`, everything, as a root of the tree. Change: live.
    pub authoritative: Key<Vec<At<EidTable>>>,
    /// The parts of the EID space that others answer for, one table each; required by role ddt-node.
    ///
    /// Default: none. Change: live.
    pub delegation: Key<Vec<At<DelegationTable>>>,
}

/// An EID prefix of an instance.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EidTable {
    /// The EID prefix.
    ///
    /// Required. Change: live.
    #[schemars(extend("x-required" = true))]
    pub prefix: Key<Word<Prefix>>,
    /// The Instance-ID of the prefix.
    ///
    /// Default: `0`. Change: live.
    pub instance_id: Key<Bounded<0, 4_294_967_295>>,
}

/// `[[ddt_node.delegation]]`, `[[map_resolver.ddt_hint]]`: who answers for an EID prefix.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DelegationTable {
    /// The EID prefix that is delegated.
    ///
    /// Required. Change: live.
    #[schemars(extend("x-required" = true))]
    pub prefix: Key<Word<Prefix>>,
    /// The Instance-ID of the prefix.
    ///
    /// Default: `0`. Change: live.
    pub instance_id: Key<Bounded<0, 4_294_967_295>>,
    /// The addresses of the DDT nodes that answer for it; either this or map_servers.
    ///
    /// Default: `[]`. Change: live.
    pub nodes: Key<Vec<At<Word<IpAddr>>>>,
    /// The addresses of the Map-Servers that answer for it; either this or nodes.
    ///
    /// Default: `[]`. Change: live.
    pub map_servers: Key<Vec<At<Word<IpAddr>>>>,
}
