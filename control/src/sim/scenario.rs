//! What is played: plain values, readable as JSON, small enough to be read by a human.

use serde::{Deserialize, Serialize};

/// Who is there, how bad the network is, and what happens when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Seed of all that is left to chance: the network's moods, the engines' randomness.
    pub seed: u64,
    /// Who is there.
    pub shape: Shape,
    /// How bad the network is until everything calms down.
    pub net: Net,
    /// When everything calms down: the network is good, nobody attacks, nothing changes any more.
    pub chaos_ms: u64,
    /// What happens, by time.
    pub ops: Vec<Timed>,
}

/// The topology and the configuration of its nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::struct_excessive_bools)]
pub struct Shape {
    /// Proxy xTRs.
    pub proxies: u8,
    /// Map-Resolvers.
    pub resolvers: u8,
    /// Map-Servers; every site registers with all of them.
    pub servers: u8,
    /// Sites with one xTR each.
    pub sites: u8,
    /// EID-prefixes of all sites together.
    pub prefixes: u8,
    /// Record TTL of the sites' mappings.
    pub ttl_minutes: u8,
    /// Map-Servers answer for the sites.
    pub proxy_reply: bool,
    /// Sites register with an xTR-ID.
    pub xtr_id: bool,
    /// Every other EID-prefix is IPv6, and every site has an IPv6 RLOC.
    pub ipv6: bool,
    /// RLOC-probe interval; 0: off.
    pub probe_interval_ms: u32,
    /// Most learnt map-cache entries.
    pub map_cache_entries: u32,
    /// Most lookups at a time.
    pub pending_requests: u32,
    /// Map-Requests per second.
    pub map_requests_per_second: u32,
    /// Entries that no packet uses go after that.
    pub idle_timeout_s: u32,
}

/// How bad the network is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Net {
    /// Datagrams lost, percent.
    pub loss_percent: u8,
    /// Datagrams that come twice, percent.
    pub duplicate_percent: u8,
    /// Shortest time a datagram takes.
    pub delay_min_ms: u32,
    /// Longest; in between at random, so that datagrams overtake each other.
    pub delay_max_ms: u32,
}

/// Something that happens at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timed {
    /// Milliseconds since the start.
    pub at: u64,
    /// What.
    pub op: Op,
}

/// What can happen. Numbers that name something wrap around, so that every scenario means
/// something whatever its shape: `node` counts proxies, Map-Resolvers, Map-Servers, sites; `itr`
/// proxies and sites.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Op {
    /// A packet a second from an ITR to a host of an EID-prefix (or of none, beyond the last).
    Flow {
        /// From.
        itr: u8,
        /// To.
        prefix: u8,
        /// For so long.
        seconds: u16,
    },
    /// An EID-prefix moves to another site.
    Move {
        /// Which.
        prefix: u8,
        /// Where to.
        site: u8,
    },
    /// A site changes which of its two RLOCs it uses, and how.
    Relocate {
        /// Which.
        site: u8,
        /// 0: the first; 1: the second; 2: both alike; 3: the first, the second as a reserve.
        choice: u8,
    },
    /// A daemon starts anew.
    Restart {
        /// Which.
        node: u8,
        /// Only its engine: the workers go on with what they have.
        keeps_data_plane: bool,
    },
    /// A daemon is away for a while, and starts anew.
    Crash {
        /// Which.
        node: u8,
        /// For so long.
        ms: u32,
    },
    /// Two nodes do not reach each other.
    Partition {
        /// One.
        a: u8,
        /// The other.
        b: u8,
        /// For so long.
        ms: u32,
    },
    /// A node's clock jumps; backwards by less than 5 s.
    ClockJump {
        /// Which.
        node: u8,
        /// By.
        ms: i64,
    },
    /// The underlay of an ITR loses its way to a site's RLOC, and finds it again.
    Underlay {
        /// Whose.
        itr: u8,
        /// To whose RLOC.
        site: u8,
        /// First or second.
        second: bool,
        /// For so long.
        ms: u32,
    },
    /// ICMP says to an ITR that a site's RLOC can not be reached.
    Icmp {
        /// To whom.
        itr: u8,
        /// Whose RLOC.
        site: u8,
    },
    /// The operator clears the map-cache.
    Clear {
        /// Whose.
        itr: u8,
    },
    /// A hostile node does something.
    Hostile {
        /// What.
        attack: Attack,
        /// To whom.
        node: u8,
        /// How often, a millisecond apart.
        times: u16,
    },
}

/// What a hostile node sends. It is off the path, but it may have read any message that was sent, and
/// it invents source addresses. It knows no key but that of a site of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Attack {
    /// Random bytes behind a good first byte.
    Garbage,
    /// A message that was sent, with some bits changed, of a Map-Reply in any case one of its nonce.
    Mutate,
    /// A message that was sent, to whom it was sent, from the hostile node.
    Replay,
    /// The same from the address it came from.
    ReplaySpoofed,
    /// A Map-Reply that maps all EIDs to the hostile node.
    ForgedReply,
    /// A Solicit-Map-Request.
    Smr,
    /// A Map-Request for some EID, in an ECM.
    Request,
    /// An RLOC-probe.
    Probe,
    /// A Map-Register for an EID-prefix of others with a bad MAC.
    RegisterBadMac,
    /// The same with a good MAC, by the key of another site.
    RegisterForeignKey,
    /// A Map-Notify with a bad MAC.
    NotifyBadMac,
}

impl Attack {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Garbage,
        Self::Mutate,
        Self::Replay,
        Self::ReplaySpoofed,
        Self::ForgedReply,
        Self::Smr,
        Self::Request,
        Self::Probe,
        Self::RegisterBadMac,
        Self::RegisterForeignKey,
        Self::NotifyBadMac,
    ];
}

impl Scenario {
    /// Nothing goes wrong by itself and nobody attacks: changes must be followed at once.
    #[must_use]
    pub fn is_calm(&self) -> bool {
        let mild = |op: &Op| matches!(op, Op::Flow { .. } | Op::Move { .. } | Op::Relocate { .. });
        self.net.loss_percent == 0 && self.ops.iter().all(|timed| mild(&timed.op))
    }
}
