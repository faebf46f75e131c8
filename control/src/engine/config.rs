//! What the engine must know of the configuration: protocol only, already checked.

use super::event::{EidPrefix, Iid};
use ipnet::IpNet;
use pxtr_dataplane::crypt::Suite;
use pxtr_dataplane::punt::Seen;
use pxtr_dataplane::trust::{MapVersion, Trust};
use pxtr_dataplane::types::PortId;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// A shared secret. Never printed, wiped when dropped.
#[derive(Clone, PartialEq, Eq, zeroize::Zeroize, zeroize::ZeroizeOnDrop)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Takes the bytes as configured.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
    /// The bytes, for MAC computation only.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Authentication algorithm of Map-Register and Map-Notify (wire.md 8.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuthAlgorithm {
    /// ID 1, legacy peers.
    HmacSha1,
    /// ID 2.
    HmacSha256,
    /// ID 3: HMAC-SHA-256 with a per-message key by HKDF.
    HmacSha256Hkdf,
}

/// A key as both ends know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Key ID on the wire; 0 for RFC 6830 peers (TRAP 18).
    pub id: u8,
    /// The secret.
    pub secret: Secret,
}

/// Roles, any combination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)]
pub struct Roles {
    /// Proxy ITR.
    pub pitr: bool,
    /// Proxy ETR.
    pub petr: bool,
    /// Site router: ITR and ETR.
    pub xtr: bool,
    /// Map-Server.
    pub map_server: bool,
    /// Map-Resolver.
    pub map_resolver: bool,
    /// DDT node.
    pub ddt_node: bool,
    /// First-Hop Router: finds hosts and tells the site's xTRs.
    pub fhr: bool,
}

/// A locator of our own database or of a static mapping.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConfiguredLocator {
    /// RLOC.
    pub rloc: IpAddr,
    /// 0..=255, 255 = not for unicast.
    pub priority: u8,
    /// Relative share.
    pub weight: u8,
    /// The routers that re-encapsulate on the way to it, in this order (RFC 8060 section 4.6); mostly none.
    pub via: Vec<IpAddr>,
    /// None of them may be skipped.
    pub strict: bool,
}

impl ConfiguredLocator {
    /// A locator without a path.
    #[must_use]
    pub const fn new(rloc: IpAddr, priority: u8, weight: u8) -> Self {
        Self { rloc, priority, weight, via: Vec::new(), strict: true }
    }
}

/// An EID-prefix that we are authoritative for (xTR).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseMapping {
    /// EID-prefix.
    pub eid: EidPrefix,
    /// Record TTL, minutes.
    pub ttl_minutes: u32,
    /// Locator-set of the site.
    pub locators: Vec<ConfiguredLocator>,
    /// Its version, the operator's to raise (RFC 9302 section 6; R-099).
    pub map_version: MapVersion,
}

/// A prefix whose hosts come and go (xTR; R-185).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DynamicEidRange {
    /// The prefix, and what each live host in it is registered with.
    pub mapping: DatabaseMapping,
    /// Where hosts are looked for.
    pub ports: Vec<PortId>,
    /// Where First-Hop Routers are that tell of hosts; empty: none is believed.
    pub first_hop_ports: Vec<PortId>,
    /// What shows that a host is there.
    pub seen_by: Vec<Seen>,
    /// What comes here for a host that moved away is sent on to its new site, else dropped.
    pub forward_away: bool,
}

/// A First-Hop Router of our site (xTR; R-186).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstHopRouter {
    /// Where its Map-Registers come from, where Map-Notifies and the packets for its hosts go.
    pub address: IpAddr,
    /// Key.
    pub key: Key,
    /// Algorithm.
    pub algorithm: AuthAlgorithm,
}

/// A Map-Server to register with (xTR), or an xTR of the site (First-Hop Router).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapServerPeer {
    /// Address; UDP 4342.
    pub address: IpAddr,
    /// Key.
    pub key: Key,
    /// Algorithm.
    pub algorithm: AuthAlgorithm,
    /// Ask the Map-Server to answer for us (P bit).
    pub proxy_reply: bool,
    /// Ask for Map-Notify (M bit).
    pub want_map_notify: bool,
    /// The secret that it wraps one-time keys for us with (RFC 9303); `None`: no LISP-SEC here.
    pub lisp_sec: Option<Key>,
}

/// A mapping that never comes from the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticMapping {
    /// EID-prefix.
    pub eid: EidPrefix,
    /// Positive mapping: locators; empty: `action` counts.
    pub locators: Vec<ConfiguredLocator>,
    /// What to do when there are no locators.
    pub action: super::event::Forwarding,
}

/// A site at our Map-Server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Name, for the operator.
    pub name: String,
    /// Keys that its ETRs may use.
    pub keys: Vec<Key>,
    /// Algorithms it may use.
    pub algorithms: Vec<AuthAlgorithm>,
    /// EID-prefixes it may register.
    pub eid_prefixes: Vec<SitePrefix>,
    /// Do not check that nonces grow (lispers.net; R-164).
    pub legacy_nonce: bool,
    /// Most registered prefixes.
    pub max_prefixes: u32,
    /// The secret that one-time keys for its ETRs are wrapped with (RFC 9303).
    pub lisp_sec: Option<Key>,
}

/// LISP-SEC (RFC 9303), the parts that belong to no peer of their own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LispSec {
    /// ITR: the secret shared with the Map-Resolvers; `None`: Map-Requests go without.
    pub itr: Option<Key>,
    /// ITR: Map-Replies without it are not taken.
    pub required: bool,
    /// Map-Resolver, Map-Server: the secrets of those who send encapsulated Map-Requests.
    pub accept: Vec<Key>,
    /// Map-Resolver: the secret shared with the Map-Servers that it forwards to.
    pub forward: Option<Key>,
}

/// How the ITR side subscribes to mappings (RFC 9437).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribing {
    /// The PubSubKey shared with the Map-Servers (RFC 9437 section 7.1).
    pub key: Key,
    /// Algorithm of the Map-Notifies.
    pub algorithm: AuthAlgorithm,
}

/// Who may subscribe at our Map-Server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscriber {
    /// Name, for the operator.
    pub name: String,
    /// xTR-ID, by which it is known.
    pub xtr_id: [u8; 16],
    /// Its PubSubKey.
    pub key: Key,
    /// Algorithm of its Map-Notifies.
    pub algorithm: AuthAlgorithm,
    /// Where its Map-Notifies may go; empty: to any address that it names.
    pub rlocs: Vec<IpAddr>,
    /// Most subscriptions.
    pub max_subscriptions: u32,
}

/// Who knows more about an EID-prefix (RFC 8111).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delegation {
    /// EID-prefix.
    pub eid: EidPrefix,
    /// Addresses; any of them answers for all of it.
    pub to: Vec<IpAddr>,
    /// They are Map-Servers; else DDT nodes.
    pub map_servers: bool,
}

/// The Delegated Database Tree (RFC 8111).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ddt {
    /// Map-Resolver: the DDT nodes that know where to begin.
    pub roots: Vec<IpAddr>,
    /// Map-Resolver: referrals that need no asking.
    pub hints: Vec<Delegation>,
    /// DDT node: what it answers for; empty: everything.
    pub authoritative: Vec<EidPrefix>,
    /// DDT node: to whom it refers.
    pub delegations: Vec<Delegation>,
}

impl Ddt {
    /// A Map-Resolver finds Map-Servers by the tree.
    #[must_use]
    pub fn is_client(&self) -> bool {
        !self.roots.is_empty() || !self.hints.is_empty()
    }
}

/// An RTR for routers behind NATs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rtr {
    /// The Map-Servers that registrations are passed on to.
    pub map_servers: Vec<IpAddr>,
    /// Most EID-prefixes behind NATs.
    pub max_eid_prefixes: u32,
}

/// An EID-prefix of a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SitePrefix {
    /// EID-prefix.
    pub eid: EidPrefix,
    /// Also accept prefixes inside it.
    pub accept_more_specifics: bool,
}

/// What our Map-Server says of an EID-prefix, whoever registers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnswerPolicy {
    /// EID-prefix.
    pub eid: EidPrefix,
    /// What the ITRs are to do with its packets.
    pub action: crate::codec::MapAction,
    /// How long they keep that, minutes.
    pub ttl_minutes: u32,
}

/// Limits and intervals; the defaults are those of the requirements' table of constants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Most map-cache entries learnt from the network.
    pub map_cache_entries: u32,
    /// Most of them in one instance; 0: no bound of its own.
    pub map_cache_entries_per_instance: u32,
    /// Most EIDs being resolved at once.
    pub pending_requests: u32,
    /// Map-Requests per second in total.
    pub map_requests_per_second: u32,
    /// New lookups per second per packet source.
    pub lookups_per_source_per_second: u32,
    /// Map-Requests received and answered per second per sender.
    pub map_requests_received_per_source_per_second: u32,
    /// Control messages taken per second per sender; the runtime drops the rest unread.
    pub control_messages_per_source_per_second: u32,
    /// RLOC-probe interval of a locator in use, milliseconds; 0 = probing off.
    pub probe_interval_ms: u32,
    /// First retry after an unanswered probe, milliseconds; doubles once.
    pub probe_retry_ms: u32,
    /// Lost probes until a locator is down.
    pub probe_lost_max: u8,
    /// Replies in a row until a locator that was down is up again.
    pub probe_up_count: u8,
    /// Map-Register interval, milliseconds.
    pub register_interval_ms: u32,
    /// The same behind a NAT, which forgets what is silent; and that of Info-Requests.
    pub nat_keepalive_ms: u32,
    /// Life of a mapping whose TTL says "receiver decides", minutes.
    pub default_ttl_minutes: u32,
    /// Entry without a packet for that long is evicted, seconds; 0: never.
    pub idle_timeout_s: u32,
    /// Smallest prefix length accepted in a positive Map-Reply.
    pub min_prefix_len: u8,
    /// Most live dynamic EIDs.
    pub dynamic_eids: u32,
    /// A dynamic EID that was not heard of for that long is asked whether it is there, seconds
    ///
    pub dynamic_eid_timeout_s: u32,
    /// How long packets for a host that moved away are sent on, minutes.
    pub away_timeout_minutes: u32,
    /// Interval at which a trusted RLOC is asked to echo a nonce.
    pub echo_interval_ms: u32,
    /// How long an echo may take.
    pub echo_wait_ms: u32,
    /// Most subscriptions, ours (ITR) and those of others (Map-Server) each.
    pub subscriptions: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            map_cache_entries: 1_000_000,
            map_cache_entries_per_instance: 0,
            pending_requests: 10_000,
            map_requests_per_second: 5_000,
            lookups_per_source_per_second: 200,
            map_requests_received_per_source_per_second: 1_000,
            control_messages_per_source_per_second: 10_000,
            probe_interval_ms: 60_000,
            probe_retry_ms: 2_000,
            probe_lost_max: 3,
            probe_up_count: 1,
            register_interval_ms: 60_000,
            nat_keepalive_ms: 15_000,
            default_ttl_minutes: 1440,
            idle_timeout_s: 3600,
            min_prefix_len: 1,
            dynamic_eids: 10_000,
            dynamic_eid_timeout_s: 3600,
            away_timeout_minutes: 1440,
            echo_interval_ms: 10_000,
            echo_wait_ms: 1_000,
            subscriptions: 100_000,
        }
    }
}

/// A VRF as the engine sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VrfConfig {
    /// Name.
    pub name: String,
    /// Instance-ID.
    pub iid: Iid,
    /// EID space that a PITR attracts; an xTR uses `0.0.0.0/0` and `::/0` when this is empty.
    pub eid_space: Vec<IpNet>,
}

/// Who is spoken to encrypted (RFC 8061).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncryptionRule {
    /// RLOCs; no other rule is about any of them.
    pub rlocs: Vec<IpNet>,
    /// Clear text is neither sent nor taken.
    pub required: bool,
    /// In order of preference; at least one.
    pub suites: Vec<Suite>,
    /// Life of a key, milliseconds.
    pub rekey_ms: u64,
}

impl EncryptionRule {
    /// The suite to ask for after so many vain attempts.
    pub(super) fn suite(&self, vain: u8) -> Suite {
        let place = usize::from(vain) % self.suites.len().max(1);
        self.suites.get(place).copied().unwrap_or(Suite::Aes128Gcm)
    }
}

/// Everything the engine is told at start (and, as a whole, at a reload). By default: nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineConfig {
    /// Roles.
    pub roles: Roles,
    /// Our own RLOCs, at most one per family is used as ITR-RLOC.
    pub rlocs: Vec<IpAddr>,
    /// RLOCs that we share with others (anycast): not for Map-Requests, but ours.
    pub shared_rlocs: Vec<IpAddr>,
    /// Map-Resolvers in order of preference.
    pub map_resolvers: Vec<IpAddr>,
    /// VRFs.
    pub vrfs: Vec<VrfConfig>,
    /// xTR: what we are authoritative for.
    pub database: Vec<DatabaseMapping>,
    /// xTR: prefixes whose hosts come and go.
    pub dynamic_eids: Vec<DynamicEidRange>,
    /// xTR: who tells us of hosts behind him.
    pub first_hop_routers: Vec<FirstHopRouter>,
    /// xTR: where we register.
    pub map_servers: Vec<MapServerPeer>,
    /// xTR-ID and Site-ID, sent when present.
    pub xtr_id: Option<([u8; 16], u64)>,
    /// Proxy ETRs for what is natively forwarded, with priority and weight.
    pub use_petr: Vec<ConfiguredLocator>,
    /// Static mappings.
    pub static_mappings: Vec<StaticMapping>,
    /// Map-Server: sites.
    pub sites: Vec<Site>,
    /// Map-Server: what is answered by policy.
    pub policies: Vec<AnswerPolicy>,
    /// LISP-SEC.
    pub lisp_sec: LispSec,
    /// ITR: subscribe to what is looked up.
    pub subscribing: Option<Subscribing>,
    /// Map-Server: who may subscribe.
    pub subscribers: Vec<Subscriber>,
    /// Map-Resolver: Map-Servers that know what a Map-Server in this daemon does not.
    pub map_resolver_forward_to: Vec<IpAddr>,
    /// The Delegated Database Tree.
    pub ddt: Ddt,
    /// Whose LISP headers are heeded.
    pub trust: Trust,
    /// xTR: find out whether a NAT is in front of us, and go through an RTR if so.
    pub nat_traversal: bool,
    /// Map-Server: the RTRs that routers behind NATs are told of.
    pub rtr_rlocs: Vec<IpAddr>,
    /// Map-Server: Info-Requests without a MAC are answered, too (lispers.net).
    pub info_without_key: bool,
    /// RTR for routers behind NATs.
    pub rtr: Option<Rtr>,
    /// Who is spoken to encrypted.
    pub encryption: Vec<EncryptionRule>,
    /// Limits and intervals.
    pub limits: Limits,
    /// Start of the Map-Register nonce: high 32 bits (seconds since the epoch at start; R-178).
    pub register_nonce_epoch: u32,
}

impl EngineConfig {
    /// Whether and how packets to and from an RLOC are encrypted.
    #[must_use]
    pub fn encryption(&self, rloc: IpAddr) -> Option<&EncryptionRule> {
        self.encryption.iter().find(|rule| rule.rlocs.iter().any(|prefix| prefix.contains(&rloc)))
    }

    /// LISP data for this address is for us.
    #[must_use]
    pub fn is_own_rloc(&self, rloc: IpAddr) -> bool {
        self.rlocs.contains(&rloc) || self.shared_rlocs.contains(&rloc)
    }

    /// It looks mappings up: as an ITR, or as a PETR that holds inner sources to their mappings and
    /// therefore has EID space.
    #[must_use]
    pub fn looks_up(&self) -> bool {
        let Roles { pitr, petr, xtr, .. } = self.roles;
        pitr || xtr || (petr && self.vrfs.iter().any(|vrf| !vrf.eid_space.is_empty()))
    }
}
