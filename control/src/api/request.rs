//! What may be asked.

use super::error::{ApiError, ErrorCode};
use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// Version of requests and replies. Fields and commands are added within a version; a change of
/// meaning makes a new one.
pub const VERSION: u32 = 1;

/// Elements of a list that a reply shows when the request says nothing.
const DEFAULT_LIMIT: u32 = 1_000;
/// Most elements of a list in one reply: bounds memory and the control thread's time.
const MAX_LIMIT: u32 = 100_000;

/// A request. On the wire a JSON object on one line whose `cmd` is the command of `pxtr`; `version`
/// may be left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cmd", deny_unknown_fields)]
pub enum Request {
    /// Map-cache entries.
    #[serde(rename = "show map-cache")]
    ShowMapCache(MapCacheQuery),
    /// The own site's EID-prefixes and their registration.
    #[serde(rename = "show database")]
    ShowDatabase(ListQuery),
    /// What ETRs registered with this Map-Server.
    #[serde(rename = "show registrations")]
    ShowRegistrations(ListQuery),
    /// Hosts of dynamic-EID prefixes that are here.
    #[serde(rename = "show dynamic-eid")]
    ShowDynamicEid(ListQuery),
    /// Hosts of ours that are at other sites.
    #[serde(rename = "show away")]
    ShowAway(ListQuery),
    /// The NAT in front of us, and routers behind NATs that go through us.
    #[serde(rename = "show nat")]
    ShowNat(ListQuery),
    /// Subscriptions to mappings (RFC 9437): ours, and those of others with this Map-Server.
    #[serde(rename = "show subscriptions")]
    ShowSubscriptions(ListQuery),
    /// Locators of other routers that map-cache entries use.
    #[serde(rename = "show rlocs")]
    ShowRlocs(ListQuery),
    /// NIC ports and sub-interfaces.
    #[serde(rename = "show ports")]
    ShowPorts,
    /// VRFs and what their packets came to.
    #[serde(rename = "show vrfs")]
    ShowVrfs(ListQuery),
    /// Policers and what came to them.
    #[serde(rename = "show policers")]
    ShowPolicers(ListQuery),
    /// Workers.
    #[serde(rename = "show workers")]
    ShowWorkers,
    /// Dropped packets by reason.
    #[serde(rename = "show drops")]
    ShowDrops,
    /// Counters of the engine and of the data plane.
    #[serde(rename = "show statistics")]
    ShowStatistics,
    /// Whether the daemon is ready, and what is missing.
    #[serde(rename = "show health")]
    ShowHealth,
    /// What the daemon is in the mapping system: RLOCs, Map-Resolvers, Map-Servers.
    #[serde(rename = "show lisp")]
    ShowLisp,
    /// Show control messages as they come and go, until the client closes the connection.
    #[serde(rename = "debug lisp")]
    DebugLisp(DebugQuery),
    /// Show packets as they go by, until there were enough or the client closes the connection.
    #[serde(rename = "watch packets")]
    WatchPackets(WatchQuery),
    /// Forget mappings learnt from the network.
    #[serde(rename = "clear map-cache")]
    ClearMapCache(MapCacheQuery),
}

/// Which map-cache entries are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MapCacheQuery {
    /// An address: only the entry that decides about it. A prefix: what lies inside it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eid: Option<EidFilter>,
    /// Only this Instance-ID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<u32>,
    /// Most entries in the reply, 1 to 100000. Default 1000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// Which control messages are meant: those to which all of it applies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DebugQuery {
    /// Only these kinds, also inside ECMs; empty: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<MessageKind>,
    /// Only those received, or only those sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// Only those from or to this address or prefix, or that name an EID-prefix or a locator there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about: Option<EidFilter>,
}

/// Which packets are meant: those to which all of it applies, as they are on the wire or as they are in
/// their LISP encapsulation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WatchQuery {
    /// Only on this port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
    /// Source or destination is in each of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub about: Vec<EidFilter>,
    /// IP protocol.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<u8>,
    /// Source or destination port of TCP, UDP or SCTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transport_port: Option<u16>,
    /// Only what is dropped.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dropped: bool,
    /// Only what is dropped for this reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// End after so many received packets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// Bytes of each frame, 1 to 9216. Default 256.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snap: Option<u32>,
}

/// Whether a message came in or went out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// It came in.
    Received,
    /// It went out.
    Sent,
}

/// A kind of control message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MessageKind {
    /// Map-Request.
    MapRequest,
    /// Map-Reply.
    MapReply,
    /// Map-Register.
    MapRegister,
    /// Map-Notify.
    MapNotify,
    /// Map-Notify-Ack.
    MapNotifyAck,
    /// Map-Referral.
    MapReferral,
    /// Info-Request and Info-Reply.
    Info,
    /// Encapsulated Control Message.
    Ecm,
    /// Map-Request and Map-Reply with the P bit.
    RlocProbe,
    /// Map-Request with the S or s bit.
    Smr,
}

impl MessageKind {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::MapRequest,
        Self::MapReply,
        Self::MapRegister,
        Self::MapNotify,
        Self::MapNotifyAck,
        Self::MapReferral,
        Self::Info,
        Self::Ecm,
        Self::RlocProbe,
        Self::Smr,
    ];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MapRequest => "map-request",
            Self::MapReply => "map-reply",
            Self::MapRegister => "map-register",
            Self::MapNotify => "map-notify",
            Self::MapNotifyAck => "map-notify-ack",
            Self::MapReferral => "map-referral",
            Self::Info => "info",
            Self::Ecm => "ecm",
            Self::RlocProbe => "rloc-probe",
            Self::Smr => "smr",
        }
    }

    /// Whether a message of this type on the wire (section 3 of wire formats) may be of this kind.
    const fn may_be(self, wire_type: u8) -> bool {
        const ECM: u8 = 8;
        match self {
            Self::MapRequest | Self::Smr => matches!(wire_type, 1 | ECM),
            Self::RlocProbe => matches!(wire_type, 1 | 2),
            Self::MapReply => wire_type == 2,
            Self::MapRegister => matches!(wire_type, 3 | ECM),
            Self::MapNotify => matches!(wire_type, 4 | ECM),
            Self::MapNotifyAck => wire_type == 5,
            Self::MapReferral => wire_type == 6,
            Self::Info => wire_type == 7,
            Self::Ecm => wire_type == ECM,
        }
    }
}

impl DebugQuery {
    /// Whether a message may be meant, as far as its first byte says.
    pub(super) fn may_want(&self, direction: Direction, wire_type: u8) -> bool {
        self.direction.is_none_or(|wanted| wanted == direction)
            && (self.messages.is_empty() || self.messages.iter().any(|kind| kind.may_be(wire_type)))
    }
}

/// How much of a list is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ListQuery {
    /// Only this Instance-ID (where the elements have one).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<u32>,
    /// Most elements in the reply, 1 to 100000. Default 1000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

impl MapCacheQuery {
    /// The limit in force.
    #[must_use]
    pub fn limit(&self) -> usize {
        limit(self.limit)
    }

    /// Whether an entry is meant, as far as that can be said of an entry alone: for an address, of
    /// all entries that this accepts the one with the longest prefix of each instance is meant.
    #[must_use]
    pub fn accepts(&self, instance_id: u32, prefix: &IpNet) -> bool {
        self.instance_id.is_none_or(|wanted| wanted == instance_id)
            && match &self.eid {
                None => true,
                Some(EidFilter::Address(address)) => prefix.contains(address),
                Some(EidFilter::Prefix(outer)) => outer.contains(prefix),
            }
    }
}

impl ListQuery {
    /// What is in this instance is meant.
    #[must_use]
    pub fn accepts(&self, instance_id: u32) -> bool {
        self.instance_id.is_none_or(|wanted| wanted == instance_id)
    }

    /// The limit in force.
    #[must_use]
    pub fn limit(&self) -> usize {
        limit(self.limit)
    }
}

fn limit(wanted: Option<u32>) -> usize {
    wanted.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT) as usize
}

impl Request {
    /// Reads a request line.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(line: &[u8]) -> Result<Self, ApiError> {
        let bad =
            |error: serde_json::Error| ApiError::new(ErrorCode::BadRequest, format!("bad request: {error}"));
        let mut value: Value = serde_json::from_slice(line).map_err(bad)?;
        let version = value.as_object_mut().and_then(|object| object.remove("version"));
        match version.as_ref().map(Value::as_u64) {
            None => {}
            Some(Some(version)) if version == u64::from(VERSION) => {}
            Some(_) => {
                return Err(ApiError::new(
                    ErrorCode::BadVersion,
                    format!(
                        "this daemon speaks version {VERSION} of the API; use the pxtr that came with it"
                    ),
                ));
            }
        }
        serde_json::from_value(value).map_err(bad)
    }

    /// The request as a line, newline included.
    #[must_use]
    pub fn to_line(&self) -> String {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        if let Some(object) = value.as_object_mut() {
            object.insert("version".into(), VERSION.into());
        }
        format!("{value}\n")
    }
}

/// An EID or an EID-prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EidFilter {
    /// One EID.
    Address(IpAddr),
    /// All EIDs of a prefix; host bits are zero.
    Prefix(IpNet),
}

impl EidFilter {
    /// As a prefix: that of an address has its full length.
    #[must_use]
    pub fn prefix(&self) -> IpNet {
        match self {
            Self::Address(address) => IpNet::from(*address),
            Self::Prefix(prefix) => *prefix,
        }
    }
}

impl FromStr for EidFilter {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        let prefix: IpNet = text
            .parse()
            .map_err(|_| format!("'{text}' is neither an EID like 10.4.0.1 nor a prefix like 10.4.0.0/24"))?;
        if prefix.addr() != prefix.network() {
            return Err(format!("'{text}' has host bits set; give {}", prefix.trunc()));
        }
        Ok(Self::Prefix(prefix))
    }
}

impl fmt::Display for EidFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Prefix(prefix) => prefix.fmt(f),
        }
    }
}

impl Serialize for EidFilter {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EidFilter {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}
