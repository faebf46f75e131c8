//! What the data plane is told at start.

use super::model::{Config, Port};
use pxtr_dataplane::hold::HoldLimits;
use pxtr_dataplane::launch::{EalLaunch, Idle, LaunchConfig, PortLaunch, SubInterfaceLaunch, WorkersLaunch};
use pxtr_dataplane::replica::ReplicaLimits;

impl Config {
    /// What the data plane is told; `None` for a daemon without ports.
    #[must_use]
    pub fn launch(&self) -> Option<LaunchConfig> {
        if self.ports.is_empty() {
            return None;
        }
        Some(LaunchConfig {
            eal: EalLaunch {
                hugepages: self.dpdk.hugepages,
                memory_mib: self.dpdk.memory_mib,
                file_prefix: self.dpdk.file_prefix.clone(),
                extra_args: self.dpdk.extra_args.clone(),
            },
            mbufs: self.dpdk.mbufs,
            ports: self.ports.iter().filter(|port| port.sub.is_none()).map(|port| self.port(port)).collect(),
            subinterfaces: self.ports.iter().filter_map(|port| self.subinterface(port)).collect(),
            workers: WorkersLaunch {
                cores: self.workers.cores.clone(),
                idle: self.workers.idle_sleep_us.map_or(Idle::Poll, |us| Idle::Sleep { us }),
            },
            replica: self.replica_limits(),
            hold: HoldLimits {
                packets_per_key: self.hold.packets_per_destination as usize,
                packets: self.hold.packets as usize,
                timeout_ms: u64::from(self.hold.timeout_ms),
            },
            flow_fields: self.workers.flow_fields,
            ..LaunchConfig::default()
        })
    }

    /// Room for what is learnt and for what is configured besides: EID space, static mappings, own
    /// EID prefixes.
    fn replica_limits(&self) -> ReplicaLimits {
        let spaces: usize = self.vrfs.iter().map(|vrf| vrf.eid_space.len().max(2)).sum();
        let own = spaces + self.static_mappings.len() + self.database.len() + self.limits_of_hosts();
        let own = u32::try_from(own).unwrap_or(u32::MAX);
        ReplicaLimits {
            entries: self.limits.map_cache_entries.saturating_add(own),
            ..ReplicaLimits::default()
        }
    }

    /// Live hosts and hosts that are away have entries of their own.
    fn limits_of_hosts(&self) -> usize {
        if self.dynamic_eids.is_empty() { 0 } else { 2 * self.limits.dynamic_eids as usize }
    }

    /// Where the kernel's face of a port is made; `None`: at home.
    #[must_use]
    pub fn netns(&self, port: &Port) -> Option<&str> {
        self.vrfs.get(usize::from(port.vrf.0))?.netns.as_deref()
    }

    fn port(&self, port: &Port) -> PortLaunch {
        PortLaunch {
            id: port.id,
            name: port.name.clone(),
            device: port.device.clone(),
            device_args: port.device_args.clone(),
            host_interface: port.host_interface.clone(),
            namespace: self.netns(port).map(str::to_owned),
            queues: port.queues,
            spread: port.spread,
            mtu: port.mtu,
        }
    }

    fn subinterface(&self, port: &Port) -> Option<SubInterfaceLaunch> {
        let (parent, tags) = port.sub?;
        Some(SubInterfaceLaunch {
            id: port.id,
            name: port.name.clone(),
            parent,
            tags,
            host_interface: port.host_interface.clone(),
            namespace: self.netns(port).map(str::to_owned),
            mtu: port.mtu,
        })
    }
}
