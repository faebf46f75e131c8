//! Ports, workers, drops, RLOCs.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Locators of other routers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rlocs {
    /// RLOCs known in all.
    pub rlocs_total: u64,
    /// The reply ends at its limit.
    pub truncated: bool,
    /// In the order of addresses.
    pub rlocs: Vec<Rloc>,
}

/// A locator of another router, shared by all map-cache entries that use it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rloc {
    /// Address.
    pub rloc: IpAddr,
    /// Whether packets can be sent to it.
    pub state: RlocLocalState,
    /// Why not, or what is peculiar, in words.
    pub detail: String,
    /// Map-cache entries that name it.
    pub entries: u64,
    /// Port that leads to it.
    pub port: Option<String>,
    /// Our RLOC that is used as outer source.
    pub source: Option<IpAddr>,
    /// MAC address of the next hop.
    pub next_hop_mac: Option<String>,
    /// Largest outer IP packet on the way, bytes.
    pub mtu_bytes: Option<u16>,
    /// The core said that larger ones do not get through; this is forgotten in so many seconds.
    #[serde(default)]
    pub mtu_learnt_expires_s: Option<u64>,
    /// Round-trip time of the last answered RLOC-probe, milliseconds.
    pub rtt_ms: Option<f64>,
    /// Since the last answered RLOC-probe, seconds.
    pub last_probe_reply_s_ago: Option<u64>,
    /// RLOC-probes lost since.
    pub probes_lost: u32,
    /// Echo-nonce with it; `null`: its router does not say that it echoes, or is not trusted.
    #[serde(default)]
    pub echo: Option<Echo>,
    /// Packets encapsulated to it, all workers.
    pub packets: u64,
    /// Bytes of these, outer headers included.
    pub bytes: u64,
}

/// Echo-nonce with an RLOC (RFC 9300 section 10.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Echo {
    /// A nonce was sent, and its echo is awaited.
    pub asking: bool,
    /// Since the last echo, seconds; `null`: none yet.
    pub last_echo_s_ago: Option<u64>,
}

/// Whether packets can be sent to an RLOC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RlocLocalState {
    /// Yes.
    Up,
    /// The next hop is being resolved: packets wait.
    Resolving,
    /// No.
    Down,
}

impl RlocLocalState {
    /// As in JSON and in tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Resolving => "resolving",
            Self::Down => "down",
        }
    }
}

/// NIC ports and their sub-interfaces.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ports {
    /// In the order of the configuration.
    pub ports: Vec<Port>,
}

/// A NIC port, or a sub-interface of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// Name.
    pub name: String,
    /// The port whose frames a sub-interface shares; of a port `null`.
    #[serde(default)]
    pub parent: Option<String>,
    /// VLAN identifier of a sub-interface's frames, or both: `200.7`.
    #[serde(default)]
    pub vlan: Option<String>,
    /// DPDK device.
    pub device: String,
    /// MAC address.
    pub mac: String,
    /// IP MTU, bytes.
    pub mtu_bytes: u16,
    /// VRF.
    pub vrf: String,
    /// LISP data is accepted.
    pub underlay: bool,
    /// Native packets are accepted.
    pub native: bool,
    /// The link is up.
    pub link_up: bool,
    /// Speed of the link, Mbit/s; `null`: unknown.
    pub speed_mbps: Option<u32>,
    /// Receive queues.
    pub queues: u16,
    /// The workers spread its packets themselves.
    #[serde(default)]
    pub software_spread: bool,
    /// Counters of the NIC, which counts those of its sub-interfaces too; of a sub-interface its own frames,
    /// without those that the kernel sends by itself.
    pub counters: PortCounters,
    /// Kernel's face.
    pub host: Option<HostPort>,
    /// Extended statistics of the driver, by its names; those that are not zero.
    pub xstats: BTreeMap<String, u64>,
}

/// Counters of a NIC or a sub-interface, since the start of the daemon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortCounters {
    /// Packets received.
    pub rx_packets: u64,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Packets lost because the workers did not fetch them in time.
    pub rx_missed: u64,
    /// Erroneous packets received.
    pub rx_errors: u64,
    /// Times there was no packet buffer.
    pub rx_no_mbuf: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Packets that could not be sent.
    pub tx_errors: u64,
}

/// The kernel's face of a port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostPort {
    /// Kernel interface.
    pub interface: String,
    /// Packets handed to the kernel.
    pub to_kernel: u64,
    /// Packets that the kernel did not take.
    pub to_kernel_refused: u64,
    /// Packets of the kernel handed to a worker.
    pub from_kernel: u64,
    /// Packets of the kernel dropped because the worker did not keep up.
    pub from_kernel_full: u64,
}

/// Workers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Workers {
    /// By number.
    pub workers: Vec<Worker>,
}

/// A worker.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Worker {
    /// Number.
    pub worker: u32,
    /// CPU core.
    pub core: u32,
    /// Packets received since the start.
    pub packets: u64,
    /// Bytes of these.
    pub bytes: u64,
    /// Receive calls that returned packets.
    pub bursts: u64,
    /// Packets a burst, mean since the start.
    pub packets_per_burst: f64,
    /// TSC cycles a packet that was received or taken over, mean since the start, over rounds that had something to do.
    pub cycles_per_packet: f64,
    /// Share of time in rounds that had something to do, since the start.
    pub busy_percent: f64,
    /// The same over the last moments.
    pub recent: Option<WorkerRates>,
    /// Packets that wait for a mapping or a neighbour now.
    pub held: u64,
    /// Deltas sent to it and not applied yet.
    pub feed_lag: u64,
    /// Deltas that it could not apply: a table is full. See its log line.
    pub feed_ignored: u64,
    /// Packets dropped.
    pub dropped: u64,
    /// Packets dropped of these because the worker of their flow had no room for more.
    #[serde(default)]
    pub handover_full: u64,
    /// All its counters.
    pub counters: BTreeMap<String, u64>,
}

/// Rates of a worker over an interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WorkerRates {
    /// The interval, milliseconds.
    pub interval_ms: u64,
    /// Packets received a second, and taken over from other workers.
    pub packets_per_second: f64,
    /// Bits of these a second.
    pub bits_per_second: f64,
    /// TSC cycles a packet.
    pub cycles_per_packet: f64,
    /// Share of busy time.
    pub busy_percent: f64,
}

/// Dropped packets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drops {
    /// All workers, all reasons.
    pub packets_total: u64,
    /// Reasons that occurred, the most frequent first.
    pub reasons: Vec<DropReasonCount>,
}

/// Packets dropped for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DropReasonCount {
    /// Name of the reason; stable.
    pub reason: String,
    /// What it means.
    pub text: String,
    /// All workers.
    pub packets: u64,
    /// By number of the worker.
    pub packets_by_worker: Vec<u64>,
}
