//! `[lisp]` and its lists.

use super::{EncryptionTable, KeyTable, PathTable, PeerNonceTable};
use crate::config::leaf::{At, Bounded, Key, Word};
use crate::config::words::{
    AbsolutePath, ActionWord, AlgorithmWord, AwayWord, HexId, Name, Prefix, RoleWord, SecretText, SeenWord,
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::net::IpAddr;

/// `[lisp]`: roles, addresses and mappings.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LispTable {
    /// The roles: "pitr", "petr", "xtr", "map-server", "map-resolver", "ddt-node", in any combination; or "fhr".
    ///
    /// "fhr" is a First-Hop Router: it finds the hosts of `dynamic_eid`, registers them with the xTRs of its
    /// site, which are given as `map_server`, and routes natively.
    /// Required. Change: process restart.
    #[schemars(extend("x-required" = true))]
    pub roles: Key<Vec<At<Word<RoleWord>>>>,
    /// The addresses by which other LISP routers know this one.
    ///
    /// They must be addresses of the host interfaces of underlay ports (of any interface for roles of the
    /// mapping system). The first of each family is used as source. A Map-Resolver or Map-Server on an address that
    /// several machines share lists one of its own first: answers must come back to the machine that asked.
    /// Required. Change: live.
    #[schemars(extend("x-required" = true))]
    pub rlocs: Key<Vec<At<Word<IpAddr>>>>,
    /// The RLOCs that several proxies share as the source of encapsulated packets (anycast).
    ///
    /// In place of `rlocs`, which stay the addresses that Map-Requests and RLOC-probes come from and that
    /// answers go to: those must be this router's alone. LISP data for them is decapsulated, too.
    /// For role pitr. Default: `[]`, `rlocs` are the source. Change: live.
    pub anycast_rlocs: Key<Vec<At<Word<IpAddr>>>>,
    /// The addresses of the Map-Resolvers in the order of preference.
    ///
    /// Default: `[]`. Change: live.
    pub map_resolvers: Key<Vec<At<Word<IpAddr>>>>,
    /// The Proxy ETRs to which an xTR sends what the mapping system says to forward natively.
    ///
    /// Default: `[]`, route it natively. Change: live.
    pub use_petr: Key<Vec<At<LocatorTable>>>,
    /// The nonces that other routers ask for in the LISP data we send to them (RFC 8060 section 5.3).
    ///
    /// Default: `[]`. Change: live.
    pub peer_nonces: Key<Vec<At<PeerNonceTable>>>,
    /// The xTR-ID, 128 bits in hexadecimal, unique among the xTRs of the site.
    ///
    /// Sent together with `site_id` in Map-Registers, and in Map-Requests that subscribe.
    /// Default: none. Change: live.
    pub xtr_id: Key<Word<HexId<16>>>,
    /// The Site-ID, 64 bits in hexadecimal, the same on all xTRs of the site.
    ///
    /// Default: `"0"` when `xtr_id` is given, else none. Change: live.
    pub site_id: Key<Word<HexId<8>>>,
    /// The choice whether an xTR finds out if a NAT is in front of it, and goes through an RTR then.
    ///
    /// It asks its Map-Servers, which must have `rtr_rlocs`, and registers when it has their answer. Behind a
    /// NAT all its traffic takes the way by the RTR. Needs `xtr_id`, and IPv4 towards the Map-Servers.
    /// Default: `false`. Change: process restart.
    pub nat_traversal: Key<bool>,
    /// The Map-Servers that an xTR registers its database with; for role "fhr": the xTRs of the site.
    ///
    /// Default: none. Change: live.
    pub map_server: Key<Vec<At<MapServerPeerTable>>>,
    /// The wish to be told of changes of mappings by the Map-Servers (RFC 9437).
    ///
    /// What is looked up is subscribed to as well; a Map-Server that does not know how answers as ever.
    /// Needs `xtr_id`.
    /// Default: none. Change: live.
    pub pubsub: Key<PubSubTable>,
    /// The EID prefixes of the own site and their locators; required by role xtr.
    ///
    /// Default: none. Change: live.
    pub database: Key<Vec<At<DatabaseTable>>>,
    /// The EID prefixes whose hosts move between sites.
    ///
    /// Default: none. Change: live.
    pub dynamic_eid: Key<Vec<At<DynamicEidTable>>>,
    /// The First-Hop Routers that tell an xTR which hosts are behind them.
    ///
    /// They may tell of hosts in the prefixes of `dynamic_eid` that have `first_hop_ports`.
    /// Default: none. Change: live.
    pub first_hop_router: Key<Vec<At<FirstHopRouterTable>>>,
    /// The mappings that never come from the network.
    ///
    /// Default: none. Change: live.
    pub static_mapping: Key<Vec<At<StaticMappingTable>>>,
    /// The ways to RLOCs that need a special treatment, one table each.
    ///
    /// Default: none. Change: live.
    pub path: Key<Vec<At<PathTable>>>,
    /// The routers with which packets are exchanged encrypted (RFC 8061), one table for each kind.
    ///
    /// The key exchange keeps who only listens from reading. It does not prove who the other end is: a
    /// router between both ends that changes RLOC-probes could sit in between.
    /// Default: none, all packets are clear text. Change: live.
    pub encryption: Key<Vec<At<EncryptionTable>>>,
}

/// A locator of a mapping.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LocatorTable {
    /// The address of the locator.
    ///
    /// Required. Change: live.
    #[schemars(extend("x-required" = true))]
    pub rloc: Key<Word<IpAddr>>,
    /// The priority, 0 to 255: the lowest is used; 255 is never used.
    ///
    /// Default: `1`. Change: live.
    pub priority: Key<Bounded<0, 255>>,
    /// The weight, 0 to 255: the share of the flows among locators of one priority.
    ///
    /// Default: `100`. Change: live.
    pub weight: Key<Bounded<0, 255>>,
    /// The routers that packets to the locator are to go through, in this order (explicit locator path, RFC 8060).
    ///
    /// Each of them is an RTR, which re-encapsulates: a router with the roles "pitr" and "petr" that finds the
    /// mapping by its Map-Resolvers. ITRs that do not know paths ignore such a locator: give them another one,
    /// of a higher priority number. Not for `use_petr`.
    /// Default: `[]`, straight to the locator. Change: live.
    pub via: Key<Vec<At<Word<IpAddr>>>>,
    /// The choice whether all of `via` must be gone through; if not, a router that is down is skipped.
    ///
    /// If so, the locator is not used while the next of them is down.
    /// Default: `true`. Change: live.
    pub strict: Key<bool>,
}

/// `[[lisp.map_server]]`: a Map-Server to register with.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MapServerPeerTable {
    /// The address of the Map-Server.
    ///
    /// Required. Change: live.
    #[schemars(extend("x-required" = true))]
    pub address: Key<Word<IpAddr>>,
    /// The Key ID of the secret, 0 to 255; 0 for peers that follow RFC 6830.
    ///
    /// Default: `1`. Change: live.
    pub key_id: Key<Bounded<0, 255>>,
    /// The secret shared with the Map-Server, here or in a file by secret_file.
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
    /// The choice whether the Map-Server answers Map-Requests for us (P bit).
    ///
    /// Default: `false`. Change: live.
    pub proxy_reply: Key<bool>,
    /// The secret of LISP-SEC shared with the Map-Server; with it Map-Replies are signed (RFC 9303).
    ///
    /// Must differ from the secrets of ITRs.
    /// Default: none. Change: live.
    pub lisp_sec_key: Key<KeyTable>,
    /// The choice whether the Map-Server confirms registrations by Map-Notify (M bit).
    ///
    /// Without it nothing shows that a registration was accepted.
    /// Default: `true`. Change: live.
    pub want_map_notify: Key<bool>,
}

/// `[lisp.pubsub]`: the security association with the Map-Servers that publish to us.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PubSubTable {
    /// The Key ID of the secret, 0 to 255.
    ///
    /// Default: `1`. Change: live.
    pub key_id: Key<Bounded<0, 255>>,
    /// The secret shared with the Map-Servers, here or in a file by secret_file.
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
}

/// `[[lisp.database]]`: an EID prefix of the own site.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseTable {
    /// The EID prefix of the site.
    ///
    /// Required. Change: live.
    #[schemars(extend("x-required" = true))]
    pub eid_prefix: Key<Word<Prefix>>,
    /// The name of the VRF that the prefix belongs to.
    ///
    /// Default: the first VRF. Change: live.
    pub vrf: Key<Word<Name>>,
    /// The time for which others may keep the mapping, in minutes.
    ///
    /// Default: `1440`. Change: live.
    pub ttl_minutes: Key<Bounded<1, 525_600>>,
    /// The version of the mapping, 1 to 4095, to be raised with every change of it; after 4095 comes 1; 0: none.
    ///
    /// The same on all xTRs of the site. Needs `trusted.map_versioning`.
    /// Default: `0`. Change: live.
    pub map_version: Key<Bounded<0, 4095>>,
    /// The locators of the site, those of its other xTRs included.
    ///
    /// Required. Change: live.
    #[schemars(extend("x-required" = true))]
    pub locators: Key<Vec<At<LocatorTable>>>,
}

/// `[[lisp.dynamic_eid]]`: hosts that come to this site and leave it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DynamicEidTable {
    /// The EID prefix whose hosts may appear here; each one is registered by itself when it speaks.
    ///
    /// Required. Change: live.
    #[schemars(extend("x-required" = true))]
    pub eid_prefix: Key<Word<Prefix>>,
    /// The name of the VRF that the prefix belongs to.
    ///
    /// Default: the first VRF. Change: live.
    pub vrf: Key<Word<Name>>,
    /// The names of the native ports where the hosts are looked for.
    ///
    /// Required unless `first_hop_ports` is given. Change: live.
    pub ports: Key<Vec<At<Word<Name>>>>,
    /// The names of the native ports behind which First-Hop Routers look for the hosts.
    ///
    /// Sources in the prefix are EIDs there, and control messages (UDP 4342) are taken.
    /// Default: `[]`. Change: live.
    pub first_hop_ports: Key<Vec<At<Word<Name>>>>,
    /// The traffic by which a host shows that it is here: "data", "arp", "nd".
    ///
    /// Where layer 2 spans several sites, broadcasts of a host reach all of their routers: give `["data"]`
    /// there, for packets to the gateway go to the nearest one.
    /// Default: `["data", "arp", "nd"]`. Change: live.
    pub seen_by: Key<Vec<At<Word<SeenWord>>>>,
    /// The time for which others may keep the mapping of a host, in minutes.
    ///
    /// Default: `1`. Change: live.
    pub ttl_minutes: Key<Bounded<1, 525_600>>,
    /// The locators that a host has here; for role "fhr": the router's own address.
    ///
    /// Required. Change: live.
    #[schemars(extend("x-required" = true))]
    pub locators: Key<Vec<At<LocatorTable>>>,
    /// The treatment of packets that still come for a host after it moved away: "forward" or "drop".
    ///
    /// In either case their sender is told to ask anew.
    /// Default: `"forward"`. Change: live.
    pub away: Key<Word<AwayWord>>,
}

/// `[[lisp.first_hop_router]]`: a router of the own site that finds hosts (RFC 9301 section 5.6, E bit).
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FirstHopRouterTable {
    /// The address of the router: of its Map-Registers, and next hop of the routes to its hosts.
    ///
    /// The routes are made where the address is on a link of ours; further away a routing protocol must.
    /// Required. Change: live.
    #[schemars(extend("x-required" = true))]
    pub address: Key<Word<IpAddr>>,
    /// The Key ID of the secret, 0 to 255.
    ///
    /// Default: `1`. Change: live.
    pub key_id: Key<Bounded<0, 255>>,
    /// The secret shared with the router, here or in a file by secret_file.
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
}

/// `[[lisp.static_mapping]]`: a mapping of the operator's.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StaticMappingTable {
    /// The EID prefix of the mapping.
    ///
    /// Required. Change: live.
    #[schemars(extend("x-required" = true))]
    pub eid_prefix: Key<Word<Prefix>>,
    /// The name of the VRF that the prefix belongs to.
    ///
    /// Default: the first VRF. Change: live.
    pub vrf: Key<Word<Name>>,
    /// The locators to encapsulate to; either this or action.
    ///
    /// Default: `[]`. Change: live.
    pub locators: Key<Vec<At<LocatorTable>>>,
    /// The action for packets to the prefix; either this or locators.
    ///
    /// "natively-forward", "send-map-request", "no-action", "drop-no-reason", "drop-policy-denied",
    /// "drop-auth-failure".
    /// Default: none. Change: live.
    pub action: Key<Word<ActionWord>>,
}
