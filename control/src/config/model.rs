//! The configuration as the rest of the daemon sees it: complete, checked, without places.

use super::admission::Admission;
use super::policers::Policer;
use super::words::RoleWord;
use crate::engine::config::{
    AnswerPolicy, ConfiguredLocator, DatabaseMapping, Ddt, DynamicEidRange, EncryptionRule, FirstHopRouter,
    Limits, LispSec, MapServerPeer, Roles, Rtr, Site, StaticMapping, Subscriber, Subscribing,
};
use crate::engine::event::Iid;
use ipnet::IpNet;
use pxtr_dataplane::admission::Nonce;
use pxtr_dataplane::feed::RlocOptions;
use pxtr_dataplane::launch::Spread;
use pxtr_dataplane::path::flow::FlowFields;
use pxtr_dataplane::trust::Trust;
use pxtr_dataplane::types::{MacAddr, PortId, Tags, VrfId};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// A whole configuration. Made by [`super::check_config`] and [`super::parse_config`] only.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// The process.
    pub daemon: Daemon,
    /// DPDK's environment.
    pub dpdk: Dpdk,
    /// Workers.
    pub workers: Workers,
    /// Waiting packets.
    pub hold: Hold,
    /// Ports, sub-interfaces behind the others; their index is their [`PortId`].
    pub ports: Vec<Port>,
    /// VRFs; their index is their [`VrfId`]. Never empty; the underlay's VRF comes first.
    pub vrfs: Vec<Vrf>,
    /// Roles.
    pub roles: Roles,
    /// Our own RLOCs.
    pub rlocs: Vec<IpAddr>,
    /// RLOCs shared with other proxies, the source of encapsulated packets; empty: `rlocs`.
    pub anycast_rlocs: Vec<IpAddr>,
    /// What is special about the way to some RLOCs.
    pub paths: Vec<RlocPath>,
    /// Who is spoken to encrypted.
    pub encryption: Vec<EncryptionRule>,
    /// Map-Resolvers in order of preference.
    pub map_resolvers: Vec<IpAddr>,
    /// Proxy ETRs for what is natively forwarded.
    pub use_petr: Vec<ConfiguredLocator>,
    /// xTR-ID and Site-ID.
    pub xtr_id: Option<([u8; 16], u64)>,
    /// Where an xTR registers.
    pub map_servers: Vec<MapServerPeer>,
    /// The own site's mappings.
    pub database: Vec<DatabaseMapping>,
    /// Prefixes whose hosts come and go.
    pub dynamic_eids: Vec<DynamicEidRange>,
    /// First-Hop Routers that tell of hosts.
    pub first_hop_routers: Vec<FirstHopRouter>,
    /// Mappings that never come from the network.
    pub static_mappings: Vec<StaticMapping>,
    /// Sites of the Map-Server.
    pub sites: Vec<Site>,
    /// What the Map-Server answers by policy.
    pub policies: Vec<AnswerPolicy>,
    /// LISP-SEC.
    pub lisp_sec: LispSec,
    /// Who may send LISP data to us.
    pub admission: Admission,
    /// What holds tenants and sites to a rate.
    pub policers: Vec<Policer>,
    /// Whose LISP headers are heeded.
    pub trust: Trust,
    /// The nonces that other routers ask for, by their RLOCs.
    pub peer_nonces: BTreeMap<IpAddr, Nonce>,
    /// Subscribe to what is looked up.
    pub subscribing: Option<Subscribing>,
    /// Who may subscribe at the Map-Server.
    pub subscribers: Vec<Subscriber>,
    /// Map-Servers that a Map-Resolver asks besides the one in this daemon.
    pub map_resolver_forward_to: Vec<IpAddr>,
    /// The Delegated Database Tree.
    pub ddt: Ddt,
    /// Find out whether a NAT is in front of us, and go through an RTR if so.
    pub nat_traversal: bool,
    /// RTRs that a Map-Server tells routers behind NATs of.
    pub rtr_rlocs: Vec<IpAddr>,
    /// A Map-Server answers Info-Requests without a MAC, too.
    pub info_without_key: bool,
    /// RTR for routers behind NATs.
    pub rtr: Option<Rtr>,
    /// Limits and intervals.
    pub limits: Limits,
}

impl Config {
    /// Whether this daemon forwards packets (and therefore has ports and workers).
    #[must_use]
    pub fn forwards(&self) -> bool {
        self.roles.pitr || self.roles.petr || self.roles.xtr || self.roles.fhr
    }

    /// The VRF of that name.
    #[must_use]
    pub fn vrf(&self, name: &str) -> Option<&Vrf> {
        self.vrfs.iter().find(|vrf| vrf.name == name)
    }
}

/// `[daemon]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Daemon {
    /// Name of the daemon.
    pub name: String,
    /// Path of the API's Unix socket.
    pub api_socket: PathBuf,
    /// Address of the HTTP server, if any.
    pub http_listen: Option<SocketAddr>,
    /// Filter for `tracing_subscriber::EnvFilter`.
    pub log: String,
    /// Directory for what survives a restart.
    pub state_dir: PathBuf,
}

/// `[dpdk]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dpdk {
    /// Packet memory comes from hugepages.
    pub hugepages: bool,
    /// DPDK's memory, MiB.
    pub memory_mib: u32,
    /// Packet buffers.
    pub mbufs: u32,
    /// Prefix of run-time files.
    pub file_prefix: String,
    /// Further EAL arguments.
    pub extra_args: Vec<String>,
}

/// `[workers]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workers {
    /// CPU cores, one worker each.
    pub cores: Vec<usize>,
    /// Sleep of an idle worker, microseconds; `None`: poll.
    pub idle_sleep_us: Option<u32>,
    /// What tells flows apart besides addresses and ports.
    pub flow_fields: FlowFields,
}

/// `[hold]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Most packets waiting for one destination.
    pub packets_per_destination: u32,
    /// Most packets waiting in one worker.
    pub packets: u32,
    /// Longest wait, milliseconds.
    pub timeout_ms: u32,
}

/// A `[[port]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Index.
    pub id: PortId,
    /// Name.
    pub name: String,
    /// PCI address or virtual device; empty for a sub-interface.
    pub device: String,
    /// Rest of the device arguments.
    pub device_args: String,
    /// For a sub-interface: the port that it shares, and its tags.
    pub sub: Option<(PortId, Tags)>,
    /// Kernel interface, if any.
    pub host_interface: Option<String>,
    /// Receive queues; none of its own for a sub-interface.
    pub queues: u16,
    /// Who spreads packets over the workers.
    pub spread: Spread,
    /// IP MTU, bytes.
    pub mtu: u16,
    /// LISP data is accepted.
    pub underlay: bool,
    /// VRFs whose Instance-IDs LISP data may carry here; `None`: all.
    pub instances: Option<Vec<VrfId>>,
    /// Native packets are accepted.
    pub native: bool,
    /// VRF.
    pub vrf: VrfId,
    /// Ethernet address in place of the NIC's.
    pub gateway_mac: Option<MacAddr>,
    /// Sources must be routed back by this port, or be dynamic EIDs of it; `None`: where there are any.
    pub strict_source: Option<bool>,
    /// There must be a route to sources, the default route apart, or a map-cache entry.
    pub loose_source: bool,
    /// Drop packets with the address of a live dynamic EID and another Ethernet address.
    pub refuse_claims: bool,
    /// Believe the core about the MTU of paths.
    pub learn_path_mtu: bool,
    /// Pass Time Exceeded from the core on.
    pub relay_time_exceeded: bool,
}

/// A `[[vrf]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vrf {
    /// Index.
    pub id: VrfId,
    /// Name.
    pub name: String,
    /// Instance-ID, unique in its low 24 bits.
    pub iid: Iid,
    /// Kernel routing table.
    pub table: u32,
    /// Network namespace of its ports' kernel interfaces; `None`: ours.
    pub netns: Option<String>,
    /// Inner sources must be mapped to outer sources.
    pub strict_inner_source: bool,
    /// EID space that a PITR attracts.
    pub eid_space: Vec<IpNet>,
    /// DSCP of outer headers; `None`: the inner one.
    pub encap_dscp: Option<u8>,
    /// A decapsulated packet gets the outer DSCP.
    pub decap_copy_dscp: bool,
    /// TCP connections through LISP are held to IP packets of so many bytes.
    pub clamp_mss_to_mtu: Option<u16>,
}

/// A `[[lisp.path]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RlocPath {
    /// RLOCs that it is about.
    pub rlocs: Vec<IpNet>,
    /// How packets go there.
    pub options: RlocOptions,
}

impl RoleWord {
    /// Switches the role on.
    pub(super) fn switch_on(self, roles: &mut Roles) {
        match self {
            Self::Pitr => roles.pitr = true,
            Self::Petr => roles.petr = true,
            Self::Xtr => roles.xtr = true,
            Self::MapServer => roles.map_server = true,
            Self::MapResolver => roles.map_resolver = true,
            Self::DdtNode => roles.ddt_node = true,
            Self::Fhr => roles.fhr = true,
        }
    }
}
