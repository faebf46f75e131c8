//! Mappings: learnt, own, registered.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};

/// The map-cache.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MapCache {
    /// Entries in the whole map-cache.
    pub entries_total: u64,
    /// The reply ends at its limit; more entries are meant by the request.
    pub truncated: bool,
    /// In the order of Instance-ID and prefix.
    pub entries: Vec<MapCacheEntry>,
}

/// A map-cache entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MapCacheEntry {
    /// Instance-ID.
    pub instance_id: u32,
    /// Name of the VRF.
    pub vrf: String,
    /// EID-prefix.
    pub eid_prefix: IpNet,
    /// Where it comes from.
    pub origin: EntryOrigin,
    /// What is done with packets now.
    pub action: EntryAction,
    /// The whole locator-set, in the order of the Map-Reply.
    pub locators: Vec<Locator>,
    /// The mapping says to forward natively, and the locators are those of the Proxy ETRs.
    pub via_petr: bool,
    /// Since the Map-Reply (or the start, for what is configured), seconds.
    pub age_s: u64,
    /// Until its TTL ends, seconds; `null`: never.
    pub expires_in_s: Option<u64>,
    /// Since it was last known to carry packets, seconds; noticed every few seconds.
    pub idle_s: u64,
    /// Packets handled by it, all workers.
    pub packets: u64,
    /// Bytes of these, as received.
    pub bytes: u64,
}

/// Where a map-cache entry comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntryOrigin {
    /// A Map-Reply.
    Learnt,
    /// `[[lisp.static_mapping]]`.
    Static,
    /// Through a NAT, or to the RTR in front of ours.
    Nat,
    /// `vrf.eid_space`: what is not looked up yet.
    EidSpace,
}

/// What is done with packets of an entry (RFC 9301 section 5.4, ACT).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntryAction {
    /// Encapsulated to one of the locators in use.
    Encapsulate,
    /// Dropped: there are locators but none is usable now.
    NoUsableLocator,
    /// ACT 0: dropped.
    NoAction,
    /// ACT 1: routed natively.
    NativelyForward,
    /// ACT 2: looked up.
    SendMapRequest,
    /// ACT 3.
    DropNoReason,
    /// ACT 4.
    DropPolicyDenied,
    /// ACT 5.
    DropAuthFailure,
}

impl EntryAction {
    /// As in JSON and in tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Encapsulate => "encapsulate",
            Self::NoUsableLocator => "no-usable-locator",
            Self::NoAction => "no-action",
            Self::NativelyForward => "natively-forward",
            Self::SendMapRequest => "send-map-request",
            Self::DropNoReason => "drop-no-reason",
            Self::DropPolicyDenied => "drop-policy-denied",
            Self::DropAuthFailure => "drop-auth-failure",
        }
    }
}

/// A locator of a mapping.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Locator {
    /// RLOC.
    pub rloc: IpAddr,
    /// 0 is best, 255 is never used.
    pub priority: u8,
    /// Share among locators of the same priority.
    pub weight: u8,
    /// Whether it can be used.
    pub state: LocatorState,
    /// Whether packets are sent to it now: usable and of the best usable priority.
    pub in_use: bool,
    /// The explicit path that it is the next hop of, or one of the next, all hops from the first to the ETR;
    /// left out: it is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub path: Vec<IpAddr>,
}

/// Whether a locator can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LocatorState {
    /// Usable.
    Up,
    /// Its RLOC-probes are not answered.
    ProbeDown,
    /// It does not echo nonces.
    EchoMissing,
    /// Its site says that it is down, in the headers of its packets (Locator-Status-Bits).
    SaidDown,
    /// The underlay has no way to it.
    NoRoute,
    /// Its mapping says so (R bit), or priority 255.
    NotForUse,
    /// None of our RLOCs has its address family.
    NoFamily,
}

impl LocatorState {
    /// As in JSON and in tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::ProbeDown => "probe-down",
            Self::EchoMissing => "echo-missing",
            Self::SaidDown => "said-down",
            Self::NoRoute => "no-route",
            Self::NotForUse => "not-for-use",
            Self::NoFamily => "no-family",
        }
    }
}

/// The own site's database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Database {
    /// Configured EID-prefixes.
    pub entries_total: u64,
    /// The reply ends at its limit.
    pub truncated: bool,
    /// In the order of the configuration.
    pub entries: Vec<DatabaseEntry>,
}

/// An EID-prefix of the own site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseEntry {
    /// Instance-ID.
    pub instance_id: u32,
    /// EID-prefix.
    pub eid_prefix: IpNet,
    /// Record TTL, minutes.
    pub ttl_minutes: u32,
    /// Locator-set of the site.
    pub locators: Vec<RegisteredLocator>,
    /// One for each Map-Server.
    pub registrations: Vec<RegistrationState>,
}

/// How far the registration with one Map-Server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistrationState {
    /// The Map-Server.
    pub map_server: IpAddr,
    /// It has confirmed the prefix, and nothing sent since waits for an answer.
    pub confirmed: bool,
    /// Since the last Map-Register, seconds.
    pub last_register_s_ago: Option<u64>,
    /// Since the last good Map-Notify, seconds.
    pub last_notify_s_ago: Option<u64>,
    /// Map-Registers sent again since then.
    pub retries: u32,
}

/// A locator of a registration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisteredLocator {
    /// RLOC, of a path that of the ETR; `null`: of a kind that only ITRs need to understand.
    pub rloc: Option<IpAddr>,
    /// The hops of an explicit path, the ETR included; left out: it is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub path: Vec<IpAddr>,
    /// 0 is best, 255 is never used.
    pub priority: u8,
    /// Share among locators of the same priority.
    pub weight: u8,
    /// R bit.
    pub reachable: bool,
}

/// What ETRs registered with this Map-Server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registrations {
    /// Registrations in all.
    pub registrations_total: u64,
    /// The reply ends at its limit.
    pub truncated: bool,
    /// In the order of Instance-ID and prefix.
    pub registrations: Vec<Registration>,
}

/// One ETR's registration of one EID-prefix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// Site of the configuration.
    pub site: String,
    /// Instance-ID.
    pub instance_id: u32,
    /// EID-prefix.
    pub eid_prefix: IpNet,
    /// Where its Map-Registers come from.
    pub registrant: SocketAddr,
    /// xTR-ID in hexadecimal.
    pub xtr_id: Option<String>,
    /// Locator-set.
    pub locators: Vec<RegisteredLocator>,
    /// Record TTL, minutes.
    pub ttl_minutes: u32,
    /// Since the first registration, seconds.
    pub first_s_ago: u64,
    /// Since the last one, seconds.
    pub last_s_ago: u64,
    /// Until it is forgotten, seconds.
    pub expires_in_s: u64,
    /// This Map-Server answers for it (P bit).
    pub proxy_reply: bool,
    /// It gets Map-Notifies (M bit).
    pub want_map_notify: bool,
    /// It is merged with those of other xTRs (a bit).
    pub merge: bool,
}
