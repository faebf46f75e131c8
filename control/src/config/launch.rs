//! What the data plane is told at start.

use super::model::Config;
use pxtr_dataplane::types::PortId;

/// Everything that the data plane's launch needs: plain data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaunchSpec {
    /// EAL.
    pub eal: EalSpec,
    /// Packet buffers.
    pub mbufs: u32,
    /// Ports in the order of the configuration.
    pub ports: Vec<PortSpec>,
    /// Workers.
    pub workers: WorkersSpec,
    /// Waiting packets.
    pub hold: HoldSpec,
    /// Entries that each worker's map-cache must hold: learnt, static, EID space and own EID prefixes.
    pub map_cache_entries: u32,
}

/// DPDK's environment abstraction layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EalSpec {
    /// Use hugepages.
    pub hugepages: bool,
    /// Memory, MiB.
    pub memory_mib: u32,
    /// Prefix of run-time files.
    pub file_prefix: String,
    /// Further arguments.
    pub extra_args: Vec<String>,
}

/// A port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortSpec {
    /// Index.
    pub id: PortId,
    /// Name.
    pub name: String,
    /// PCI address or virtual device.
    pub device: String,
    /// Device arguments.
    pub device_args: String,
    /// Kernel interface to make as the port's face.
    pub host_interface: Option<String>,
    /// Receive queues.
    pub queues: u16,
    /// Spread over the queues by flow hash.
    pub rss: bool,
    /// IP MTU, bytes.
    pub mtu: u16,
}

/// The workers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkersSpec {
    /// CPU cores.
    pub cores: Vec<usize>,
    /// What an idle worker does.
    pub idle: IdleSpec,
}

/// What an idle worker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdleSpec {
    /// Poll on.
    Poll,
    /// Sleep.
    Sleep {
        /// Microseconds.
        us: u32,
    },
}

/// Limits of the hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldSpec {
    /// Most packets waiting for one destination.
    pub packets_per_destination: u32,
    /// Most packets waiting in one worker.
    pub packets: u32,
    /// Longest wait, milliseconds.
    pub timeout_ms: u32,
}

impl Config {
    /// What the data plane is told; `None` for a daemon without ports.
    #[must_use]
    pub fn launch(&self) -> Option<LaunchSpec> {
        if self.ports.is_empty() {
            return None;
        }
        let spaces: usize = self.vrfs.iter().map(|vrf| vrf.eid_space.len()).sum();
        let own = spaces + self.static_mappings.len() + self.database.len();
        Some(LaunchSpec {
            eal: EalSpec {
                hugepages: self.dpdk.hugepages,
                memory_mib: self.dpdk.memory_mib,
                file_prefix: self.dpdk.file_prefix.clone(),
                extra_args: self.dpdk.extra_args.clone(),
            },
            mbufs: self.dpdk.mbufs,
            ports: self.ports.iter().map(PortSpec::from).collect(),
            workers: WorkersSpec {
                cores: self.workers.cores.clone(),
                idle: self.workers.idle_sleep_us.map_or(IdleSpec::Poll, |us| IdleSpec::Sleep { us }),
            },
            hold: HoldSpec {
                packets_per_destination: self.hold.packets_per_destination,
                packets: self.hold.packets,
                timeout_ms: self.hold.timeout_ms,
            },
            map_cache_entries: self
                .limits
                .map_cache_entries
                .saturating_add(u32::try_from(own).unwrap_or(u32::MAX)),
        })
    }
}

impl From<&super::model::Port> for PortSpec {
    fn from(port: &super::model::Port) -> Self {
        Self {
            id: port.id,
            name: port.name.clone(),
            device: port.device.clone(),
            device_args: port.device_args.clone(),
            host_interface: port.host_interface.clone(),
            queues: port.queues,
            rss: port.rss,
            mtu: port.mtu,
        }
    }
}
