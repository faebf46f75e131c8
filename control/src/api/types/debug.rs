//! Control messages as `debug lisp` and `lig` show them. Secrets are not in here: of a MAC only its
//! length is told, of LISP-SEC only that it is there.

use crate::api::request::{DebugQuery, Direction, EidFilter, MessageKind};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};

/// A control message that went by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DebugMessage {
    /// When, milliseconds since 1970 (UTC).
    pub unix_ms: u64,
    /// Received or sent.
    pub direction: Direction,
    /// The other end.
    pub peer: SocketAddr,
    /// Our own address; `null`: the kernel chose it.
    pub local: Option<IpAddr>,
    /// Length of the UDP payload, bytes.
    pub bytes: usize,
    /// Messages that were left out just before this one, because more came than a listener is told.
    pub left_out: u64,
    /// What it says; `null`: it can not be decoded.
    pub message: Option<DecodedMessage>,
    /// Why it can not be decoded.
    pub error: Option<String>,
}

/// A decoded control message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecodedMessage {
    /// Type: `map-request`, `map-reply`, `map-register`, `map-notify`, `map-notify-ack`,
    /// `map-referral`, `info-request`, `info-reply`, `ecm`.
    pub kind: String,
    /// Nonce, 16 hex digits; `null`: the type has none.
    pub nonce: Option<String>,
    /// Flags that are set, in the words of RFC 9301: `probe`, `smr`, `pitr`, `authoritative`, ...
    pub flags: Vec<String>,
    /// Authentication, without the MAC.
    pub auth: Option<DecodedAuth>,
    /// LISP-SEC authentication data is there (RFC 9303); nothing of it is shown.
    pub lisp_sec: bool,
    /// xTR-ID, hex digits.
    pub xtr_id: Option<String>,
    /// Source-EID of a Map-Request.
    pub source_eid: Option<String>,
    /// ITR-RLOCs of a Map-Request.
    pub itr_rlocs: Vec<String>,
    /// EID-records.
    pub records: Vec<DecodedRecord>,
    /// Inner source and destination of an ECM.
    pub inner: Option<(SocketAddr, SocketAddr)>,
    /// The message in an ECM.
    pub encapsulated: Option<Box<DecodedMessage>>,
}

/// Authentication of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecodedAuth {
    /// Key ID.
    pub key_id: u8,
    /// Algorithm ID (RFC 9301 section 12.5).
    pub algorithm_id: u8,
    /// Length of the MAC.
    pub bytes: usize,
}

/// An EID-record, or what a Map-Request asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecodedRecord {
    /// Instance-ID.
    pub instance_id: u32,
    /// EID-prefix; `null`: no IP EID, see `eid`.
    pub eid_prefix: Option<IpNet>,
    /// The EID as text, when it is no IP EID.
    pub eid: Option<String>,
    /// Record TTL, minutes; `null` in a Map-Request.
    pub ttl_minutes: Option<u32>,
    /// Action, when there are no locators.
    pub action: Option<String>,
    /// A.
    pub authoritative: bool,
    /// Subscription wanted (RFC 9437).
    pub subscribe: bool,
    /// Locators.
    pub locators: Vec<DecodedLocator>,
}

/// An RLOC-record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecodedLocator {
    /// The locator as text.
    pub locator: String,
    /// Its address, if it can be encapsulated to; of an explicit path that of the ETR.
    pub rloc: Option<IpAddr>,
    /// Priority; 255: not for unicast.
    pub priority: u8,
    /// Weight.
    pub weight: u8,
    /// L.
    pub local: bool,
    /// p.
    pub probed: bool,
    /// R.
    pub reachable: bool,
}

impl DebugQuery {
    /// Whether a listener with this filter wants the message.
    #[must_use]
    pub fn wants(&self, seen: &DebugMessage) -> bool {
        let kind = |message: &DecodedMessage| {
            self.messages.is_empty() || self.messages.iter().any(|kind| message.is(*kind))
        };
        self.direction.is_none_or(|d| d == seen.direction)
            && match &seen.message {
                None => self.messages.is_empty() && self.about.is_none_or(|about| about.is(seen.peer.ip())),
                Some(message) => {
                    kind(message) && self.about.is_none_or(|a| a.is(seen.peer.ip()) || message.names(&a))
                }
            }
    }
}

impl EidFilter {
    fn is(&self, ip: IpAddr) -> bool {
        self.prefix().contains(&ip)
    }
}

impl DecodedMessage {
    fn is(&self, kind: MessageKind) -> bool {
        let has = |flag: &str| self.flags.iter().any(|f| f == flag);
        let own = match kind {
            MessageKind::RlocProbe => has("probe"),
            MessageKind::Smr => has("smr") || has("smr-invoked"),
            MessageKind::Info => self.kind.starts_with("info-"),
            _ => self.kind == kind.as_str(),
        };
        own || self.encapsulated.as_ref().is_some_and(|inner| inner.is(kind))
    }

    /// An EID-prefix of it holds or lies in what is meant, or a locator is meant.
    fn names(&self, about: &EidFilter) -> bool {
        let wanted = about.prefix();
        let record = |r: &DecodedRecord| {
            r.eid_prefix.is_some_and(|p| p.contains(&wanted) || wanted.contains(&p))
                || r.locators.iter().any(|l| l.rloc.is_some_and(|rloc| wanted.contains(&rloc)))
        };
        self.records.iter().any(record) || self.encapsulated.as_ref().is_some_and(|inner| inner.names(about))
    }
}
