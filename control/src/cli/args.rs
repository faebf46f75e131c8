//! The command line.

use super::packet_filter::PacketFilter;
use crate::api::{DebugQuery, Direction, EidFilter, ListQuery, MapCacheQuery, MessageKind, Request};
use clap::{Args, Parser, Subcommand};
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// Show and change the state of a running pxtrd.
#[derive(Clone, Debug, Parser)]
#[command(name = "pxtr", version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    /// The daemon's API socket [default: $PXTR_SOCKET, /run/pxtr/pxtr.sock, or the only socket in
    /// /run/pxtr]
    #[arg(long, global = true, value_name = "PATH")]
    pub(super) socket: Option<PathBuf>,
    /// Print the daemon's answer as JSON
    #[arg(long, global = true)]
    pub(super) json: bool,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Clone, Debug, Subcommand)]
pub(super) enum Command {
    /// Show state and counters
    #[command(subcommand)]
    Show(Show),
    /// Forget learnt state
    #[command(subcommand)]
    Clear(Clear),
    /// Watch a running daemon
    #[command(subcommand)]
    Debug(Debug),
    /// Show what was decided about packets
    #[command(subcommand)]
    Trace(Trace),
    /// Write packets to a file as they come and go, those that are dropped with the reason
    ///
    /// The file is pcapng for Wireshark and tshark: a comment of each received packet says what became of
    /// it. FILTER as for `trace add`. While it runs packets take the slower, general way through the
    /// worker; none is lost for it: what comes too fast for the file is left out there and counted.
    /// Ctrl-C ends it.
    Capture(CaptureArgs),
    /// Ask the mapping system for an EID, as RFC 6835 has it
    ///
    /// Sends Map-Requests over a socket of its own: neither the daemon's map-cache nor its budgets
    /// are touched. Without @MAP-RESOLVER, those of the running daemon are asked; with it, no daemon
    /// is needed. Exit code 1: no answer, or `self` found something wrong.
    Lig(LigArgs),
}

#[derive(Clone, Debug, Subcommand)]
pub(super) enum Show {
    /// Mappings that packets are encapsulated by: all, the one for an EID, those inside a prefix
    MapCache(MapCacheArgs),
    /// EID-prefixes of the own site and their registration with the Map-Servers
    Database(ListArgs),
    /// EID-prefixes that ETRs registered with this Map-Server
    Registrations(ListArgs),
    /// The NAT in front of this router, and routers behind NATs that go through it
    Nat(ListArgs),
    /// Subscriptions to mappings: own ones, and those of others with this Map-Server
    Subscriptions(ListArgs),
    /// Hosts of dynamic-EID prefixes that are at this site
    DynamicEid(ListArgs),
    /// Hosts of this site that moved to another one
    Away(ListArgs),
    /// Locators of other routers: reachability, next hop, MTU, packets
    Rlocs(ListArgs),
    /// RLOCs, Map-Resolvers and how they answer, Map-Servers, Instance-IDs
    Lisp,
    /// NIC ports and sub-interfaces: link, counters, kernel interface
    #[command(visible_alias = "interfaces")]
    Ports {
        /// The driver's extended statistics too
        #[arg(long)]
        xstats: bool,
    },
    /// VRFs: Instance-ID, ports, packets and bytes each way, drops
    Vrfs(ListArgs),
    /// Policers: rate, burst, packets and bytes let through and dropped
    Policers(ListArgs),
    /// Workers: load, cycles per packet, feed lag
    Workers {
        /// All counters of each worker too
        #[arg(long)]
        counters: bool,
    },
    /// Dropped packets by reason
    Drops,
    /// Counters of the control plane and of the data plane
    Statistics {
        /// Those that are zero too
        #[arg(long)]
        all: bool,
    },
    /// Whether the daemon is ready, and what is missing
    Health,
}

#[derive(Clone, Debug, Subcommand)]
pub(super) enum Clear {
    /// Forget mappings learnt from the network: all, or those of an EID or inside a prefix
    MapCache(ClearArgs),
}

#[derive(Clone, Debug, Subcommand)]
pub(super) enum Debug {
    /// Control messages as they come and go, decoded
    ///
    /// Without filter: all. Filters: `received` or `sent`; kinds of messages (map-request, map-reply,
    /// map-register, map-notify, map-notify-ack, map-referral, info, ecm, rloc-probe, smr), one of
    /// which it must be; an address or a prefix, which it must come from, go to, or name. At most
    /// 1000 messages a second are shown; secrets are not.
    Lisp(DebugArgs),
}

#[derive(Clone, Debug, Subcommand)]
pub(super) enum Trace {
    /// Follow the next N packets that match
    ///
    /// FILTER: words, all of which must apply to the packet on the wire or to the one in its LISP
    /// encapsulation: an address or a prefix (source or destination), tcp, udp, sctp, icmp, icmp6, gre,
    /// esp, port=53 (source or destination), dropped, a drop reason of `pxtr show drops`, the name of a
    /// port of the daemon.
    Add(TraceArgs),
}

#[derive(Clone, Debug, Args)]
pub(super) struct TraceArgs {
    /// Received packets to follow
    #[arg(value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub(super) count: u64,
    /// Which ones
    #[arg(value_name = "FILTER")]
    pub(super) filters: Vec<PacketFilter>,
}

#[derive(Clone, Debug, Args)]
pub(super) struct CaptureArgs {
    /// Which packets
    #[arg(value_name = "FILTER")]
    pub(super) filters: Vec<PacketFilter>,
    /// The file; `-`: standard output, for `| tshark -r -`
    #[arg(short, long, value_name = "FILE.pcapng")]
    pub(super) write: PathBuf,
    /// End after so many received packets
    #[arg(long, value_name = "N")]
    pub(super) count: Option<u64>,
    /// Bytes of each frame
    #[arg(long, value_name = "BYTES", default_value_t = 9216, value_parser = clap::value_parser!(u32).range(1..=9216))]
    pub(super) snap: u32,
}

#[derive(Clone, Debug, Args)]
pub(super) struct DebugArgs {
    /// received, sent, a kind of message, an address, a prefix
    #[arg(value_name = "FILTER")]
    pub(super) filters: Vec<DebugFilter>,
    /// End after so many messages
    #[arg(long, value_name = "N")]
    pub(super) count: Option<u64>,
}

/// A word of a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DebugFilter {
    Direction(Direction),
    Message(MessageKind),
    About(EidFilter),
}

impl FromStr for DebugFilter {
    type Err = String;
    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "received" | "in" => return Ok(Self::Direction(Direction::Received)),
            "sent" | "out" => return Ok(Self::Direction(Direction::Sent)),
            _ => {}
        }
        if let Some(kind) = MessageKind::ALL.into_iter().find(|kind| kind.as_str() == word) {
            return Ok(Self::Message(kind));
        }
        word.parse().map(Self::About).map_err(|_| {
            let kinds: Vec<_> = MessageKind::ALL.iter().map(|kind| kind.as_str()).collect();
            format!("neither received, sent, {}, nor an address or prefix", kinds.join(", "))
        })
    }
}

impl DebugArgs {
    /// The filter as the daemon wants it.
    ///
    /// # Errors
    /// Two words that exclude each other.
    pub(super) fn query(&self) -> Result<DebugQuery, String> {
        let mut query = DebugQuery::default();
        for filter in &self.filters {
            let former = match *filter {
                DebugFilter::Message(kind) => {
                    query.messages.push(kind);
                    false
                }
                DebugFilter::Direction(direction) => query.direction.replace(direction).is_some(),
                DebugFilter::About(about) => query.about.replace(about).is_some(),
            };
            if former {
                return Err("give one direction and one address or prefix at most".to_owned());
            }
        }
        Ok(query)
    }
}

#[derive(Clone, Debug, Args)]
pub(super) struct LigArgs {
    /// An EID, or `self`: all EID-prefixes of the daemon's own site
    #[arg(value_name = "EID")]
    pub(super) target: LigTarget,
    /// Ask this Map-Resolver
    #[arg(value_name = "@MAP-RESOLVER", value_parser = at_address)]
    pub(super) map_resolver: Option<IpAddr>,
    /// Instance-ID
    #[arg(long, value_name = "IID", default_value_t = 0)]
    pub(super) instance_id: u32,
    /// Map-Requests before giving up
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=5))]
    pub(super) count: u8,
    /// Seconds to wait for the answer to each
    #[arg(long, value_name = "S", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=5))]
    pub(super) timeout: u8,
    /// The site itself shall answer, no proxy for it (A bit)
    #[arg(long)]
    pub(super) authoritative: bool,
    /// Our address for the answer [default: the daemon's RLOC, or what the kernel chooses]
    #[arg(long, value_name = "ADDRESS")]
    pub(super) source: Option<IpAddr>,
}

/// What `lig` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LigTarget {
    Eid(IpAddr),
    Own,
}

impl FromStr for LigTarget {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "self" {
            return Ok(Self::Own);
        }
        text.parse().map(Self::Eid).map_err(|_| "neither an EID like 10.4.0.1 nor `self`".to_owned())
    }
}

fn at_address(text: &str) -> Result<IpAddr, String> {
    let address = text.strip_prefix('@').ok_or("a Map-Resolver is given as @ADDRESS")?;
    address.parse().map_err(|_| format!("'{address}' is no IP address"))
}

#[derive(Clone, Debug, Args)]
pub(super) struct MapCacheArgs {
    /// An EID, or an EID-prefix
    #[arg(value_name = "EID")]
    pub(super) eid: Option<EidFilter>,
    #[command(flatten)]
    pub(super) list: ListArgs,
}

#[derive(Clone, Debug, Args)]
pub(super) struct ClearArgs {
    /// An EID-prefix, or an EID
    #[arg(value_name = "PREFIX")]
    pub(super) eid: Option<EidFilter>,
    /// Only this Instance-ID
    #[arg(long, value_name = "IID")]
    pub(super) instance_id: Option<u32>,
}

#[derive(Clone, Debug, Args)]
pub(super) struct ListArgs {
    /// Only this Instance-ID
    #[arg(long, value_name = "IID")]
    pub(super) instance_id: Option<u32>,
    /// Most lines to show [default: 1000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(super) limit: Option<u32>,
}

impl From<&ListArgs> for ListQuery {
    fn from(args: &ListArgs) -> Self {
        Self { instance_id: args.instance_id, limit: args.limit }
    }
}

impl Cli {
    /// What to ask the daemon; `None`: it is more than a question.
    pub(super) fn request(&self) -> Option<Request> {
        match &self.command {
            Command::Show(show) => Some(show.request()),
            Command::Clear(Clear::MapCache(args)) => Some(Request::ClearMapCache(MapCacheQuery {
                eid: args.eid,
                instance_id: args.instance_id,
                limit: None,
            })),
            Command::Debug(_) | Command::Lig(_) | Command::Trace(_) | Command::Capture(_) => None,
        }
    }
}

impl Show {
    fn request(&self) -> Request {
        match self {
            Self::MapCache(args) => Request::ShowMapCache(MapCacheQuery {
                eid: args.eid,
                instance_id: args.list.instance_id,
                limit: args.list.limit,
            }),
            Self::Database(args) => Request::ShowDatabase(args.into()),
            Self::Registrations(args) => Request::ShowRegistrations(args.into()),
            Self::DynamicEid(args) => Request::ShowDynamicEid(args.into()),
            Self::Away(args) => Request::ShowAway(args.into()),
            Self::Nat(args) => Request::ShowNat(args.into()),
            Self::Subscriptions(args) => Request::ShowSubscriptions(args.into()),
            Self::Rlocs(args) => Request::ShowRlocs(args.into()),
            Self::Lisp => Request::ShowLisp,
            Self::Ports { .. } => Request::ShowPorts,
            Self::Vrfs(args) => Request::ShowVrfs(args.into()),
            Self::Policers(args) => Request::ShowPolicers(args.into()),
            Self::Workers { .. } => Request::ShowWorkers,
            Self::Drops => Request::ShowDrops,
            Self::Statistics { .. } => Request::ShowStatistics,
            Self::Health => Request::ShowHealth,
        }
    }
}
