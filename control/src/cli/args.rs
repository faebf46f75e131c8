//! The command line.

use crate::api::{EidFilter, ListQuery, MapCacheQuery, Request};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

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
}

#[derive(Clone, Debug, Subcommand)]
pub(super) enum Show {
    /// Mappings that packets are encapsulated by: all, the one for an EID, those inside a prefix
    MapCache(MapCacheArgs),
    /// EID-prefixes of the own site and their registration with the Map-Servers
    Database(ListArgs),
    /// EID-prefixes that ETRs registered with this Map-Server
    Registrations(ListArgs),
    /// Hosts of dynamic-EID prefixes that are at this site
    DynamicEid(ListArgs),
    /// Hosts of this site that moved to another one
    Away(ListArgs),
    /// Locators of other routers: reachability, next hop, MTU, packets
    Rlocs(ListArgs),
    /// NIC ports: link, counters, kernel interface
    Ports {
        /// The driver's extended statistics too
        #[arg(long)]
        xstats: bool,
    },
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
    /// What to ask the daemon.
    pub(super) fn request(&self) -> Request {
        match &self.command {
            Command::Show(show) => show.request(),
            Command::Clear(Clear::MapCache(args)) => Request::ClearMapCache(MapCacheQuery {
                eid: args.eid,
                instance_id: args.instance_id,
                limit: None,
            }),
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
            Self::Rlocs(args) => Request::ShowRlocs(args.into()),
            Self::Ports { .. } => Request::ShowPorts,
            Self::Workers { .. } => Request::ShowWorkers,
            Self::Drops => Request::ShowDrops,
            Self::Statistics { .. } => Request::ShowStatistics,
            Self::Health => Request::ShowHealth,
        }
    }
}
