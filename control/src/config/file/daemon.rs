//! `[daemon]`, `[dpdk]`, `[workers]`, `[hold]`.

use crate::config::leaf::{At, Bounded, Key, Word};
use crate::config::words::{AbsolutePath, FlowWord, IdleWord, LogFilter, Name, Text, UnixPath};
use schemars::JsonSchema;
use serde::Deserialize;
use std::net::SocketAddr;

/// `[daemon]`: the process.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DaemonTable {
    /// The name of this daemon, unique on its machine.
    ///
    /// It stands in logs and metrics and in the default of `api_socket`.
    /// Required. Change: process restart.
    #[schemars(extend("x-required" = true))]
    pub name: Key<Word<Name>>,
    /// The path of the Unix socket that the command `pxtr` speaks to.
    ///
    /// Created with mode 0660: who may connect may read everything but secrets and clear the map-cache.
    /// Default: `/run/pxtr/NAME.sock`. Change: process restart.
    pub api_socket: Key<Word<UnixPath>>,
    /// The address and TCP port for `/metrics`, `/livez` and `/readyz`.
    ///
    /// There is neither authentication nor encryption: keep it on loopback or a management network.
    /// Default: none, no HTTP server. Change: process restart.
    pub http_listen: Key<Word<SocketAddr>>,
    /// The log level: error, warn, info, debug, trace, or levels by part.
    ///
    /// Default: `"info"`. Change: process restart.
    pub log: Key<Word<LogFilter>>,
    /// The directory for what must survive a restart.
    ///
    /// Default: `"/var/lib/pxtr"`. Change: process restart.
    pub state_dir: Key<Word<AbsolutePath>>,
}

/// `[dpdk]`: memory of the data plane.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DpdkTable {
    /// The choice whether packet memory comes from hugepages.
    ///
    /// `false` needs no set-up and is slower: for labs.
    /// Default: `true`. Change: process restart.
    pub hugepages: Key<bool>,
    /// The memory that DPDK takes, in MiB.
    ///
    /// Default: `1024`. Change: process restart.
    pub memory_mib: Key<Bounded<32, 1_048_576>>,
    /// The number of packet buffers, each of about 2.3 KiB.
    ///
    /// Default: `65536`. Change: process restart.
    pub mbufs: Key<Bounded<512, 16_777_216>>,
    /// The prefix of DPDK's run-time files, unique on the machine.
    ///
    /// Default: the daemon's name. Change: process restart.
    pub file_prefix: Key<Word<Name>>,
    /// The further arguments for DPDK's EAL, one element each.
    ///
    /// For drivers and debugging; what pxtrd passes itself is refused.
    /// Default: `[]`. Change: process restart.
    pub extra_args: Key<Vec<At<Word<Text>>>>,
}

/// `[workers]`: who forwards.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WorkersTable {
    /// The CPU cores for the workers, one worker on each.
    ///
    /// In production isolate them (isolcpus, nohz_full) and take cores of the NIC's NUMA node.
    /// Required with ports. Default: `[]`. Change: process restart.
    pub cores: Key<Vec<At<Bounded<0, 4095>>>>,
    /// The way a worker idles: "poll" for production, "sleep" where daemons share a core.
    ///
    /// Default: `"poll"`. Change: process restart.
    pub idle: Key<Word<IdleWord>>,
    /// The sleep of an idle worker in microseconds, with idle = "sleep".
    ///
    /// Default: `100`. Change: process restart.
    pub idle_sleep_us: Key<Bounded<1, 10_000>>,
    /// The fields that tell flows apart where there are no ports: "gre-key", "esp-spi".
    ///
    /// All packets between two tunnel routers have the same addresses; with these their tunnels spread over
    /// locators, next hops and core links.
    /// Default: `[]`, by addresses. Change: process restart.
    pub flow_fields: Key<Vec<At<Word<FlowWord>>>>,
}

/// `[hold]`: packets that wait in a worker until a mapping or a neighbour is known.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HoldTable {
    /// The number of packets that wait for one destination, at most.
    ///
    /// Default: `16`. Change: process restart.
    pub packets_per_destination: Key<Bounded<1, 1024>>,
    /// The number of packets that wait in one worker, at most.
    ///
    /// Default: `1024`. Change: process restart.
    pub packets: Key<Bounded<1, 16_384>>,
    /// The longest wait in milliseconds; then the packet is dropped.
    ///
    /// Default: `4000`. Change: process restart.
    pub timeout_ms: Key<Bounded<10, 60_000>>,
}
