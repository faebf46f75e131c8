//! NAT traversal: an xTR behind a NAT, and the RTR in front of it.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};

/// What is known of NATs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nat {
    /// The NAT in front of us; absent without `lisp.nat_traversal`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ours: Option<OurNat>,
    /// Routers behind NATs that an RTR knows, in all.
    pub routers_total: u64,
    /// The reply ends at its limit.
    pub truncated: bool,
    /// In the order of their xTR-IDs.
    pub routers: Vec<NatRouter>,
}

/// The NAT in front of us.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OurNat {
    /// Whether there is one.
    pub state: NatState,
    /// The RTRs that we go through.
    pub rtrs: Vec<IpAddr>,
    /// Those among them in use: the others do not answer.
    pub rtrs_in_use: Vec<IpAddr>,
    /// What each Map-Server sees of us.
    pub map_servers: Vec<NatSeen>,
}

/// Whether a NAT is in front of us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NatState {
    /// No Map-Server has said so far; nothing is registered.
    Unknown,
    /// There is none: we register ourselves.
    None,
    /// There is one, and we go through RTRs.
    ThroughRtr,
    /// There is one, and no RTR is known: nobody can reach our site.
    NoRtr,
}

impl NatState {
    /// As in JSON and in tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::None => "none",
            Self::ThroughRtr => "through-rtr",
            Self::NoRtr => "no-rtr",
        }
    }
}

/// What a Map-Server sees of us.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NatSeen {
    /// The Map-Server.
    pub map_server: IpAddr,
    /// Address and port that our Info-Requests have there; absent when it has not answered.
    pub global: Option<SocketAddr>,
    /// Since its last answer, seconds.
    pub answered_s_ago: Option<u64>,
    /// Info-Requests unanswered in a row.
    pub lost: u32,
}

/// A router behind a NAT.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NatRouter {
    /// xTR-ID in hexadecimal.
    pub xtr_id: String,
    /// Where the NAT lets packets through to it.
    pub global: SocketAddr,
    /// Its RLOC as other answers have it.
    pub rloc: IpAddr,
    /// Its own address.
    pub private: IpAddr,
    /// The Map-Server that confirmed it.
    pub map_server: IpAddr,
    /// Since it was first confirmed, seconds.
    pub age_s: u64,
    /// Since it was last confirmed, seconds.
    pub confirmed_s_ago: u64,
    /// How often it had another address or port than before.
    pub moves: u32,
    /// EID-prefixes behind it.
    pub eid_prefixes: Vec<NatEid>,
}

/// An EID-prefix behind a NAT.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NatEid {
    /// Instance-ID.
    pub instance_id: u32,
    /// EID-prefix.
    pub eid_prefix: IpNet,
}
