//! What a data plane is launched with: plain data, checked by [`LaunchConfig::check`].

use super::error::LaunchError;
use crate::hold::HoldLimits;
use crate::path::flow::FlowFields;
use crate::path::limit::IcmpLimits;
use crate::reassembly::ReassemblyLimits;
use crate::replica::ReplicaLimits;
use crate::types::{PortId, Tags};

/// Everything [`super::launch`] needs to know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LaunchConfig {
    /// DPDK's run time.
    pub eal: EalLaunch,
    /// Packet buffers per NUMA node that has a port.
    pub mbufs: u32,
    /// Ports, numbered 0, 1, 2, ... in this order.
    pub ports: Vec<PortLaunch>,
    /// Sub-interfaces, numbered on from the ports.
    pub subinterfaces: Vec<SubInterfaceLaunch>,
    /// Worker threads.
    pub workers: WorkersLaunch,
    /// Bounds of each worker's tables.
    pub replica: ReplicaLimits,
    /// Bounds of the packets that wait for a mapping or a neighbour, per worker.
    pub hold: HoldLimits,
    /// Bounds of the outer fragments that wait for the rest of their packet, per worker.
    pub reassembly: ReassemblyLimits,
    /// Bounds of the ICMP errors that a worker originates.
    pub icmp: IcmpLimits,
    /// Verify non-zero UDP checksums on port 4341 that the NIC has not verified.
    pub verify_udp_checksum: bool,
    /// What tells flows apart besides addresses and ports.
    pub flow_fields: FlowFields,
}

/// DPDK's run time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EalLaunch {
    /// Memory from hugepages; off costs about three times the cycles per packet.
    pub hugepages: bool,
    /// Memory to set aside, MiB.
    pub memory_mib: u32,
    /// Tells several daemons on one machine apart; may be empty.
    pub file_prefix: String,
    /// Further EAL arguments.
    pub extra_args: Vec<String>,
}

/// One port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortLaunch {
    /// Its place in [`LaunchConfig::ports`].
    pub id: PortId,
    /// The operator's name of it.
    pub name: String,
    /// PCI address, or kind of vdev.
    pub device: String,
    /// Arguments of the device, comma-separated `key=value`.
    pub device_args: String,
    /// Name of the kernel's face of this port; `None`: it has none.
    pub host_interface: Option<String>,
    /// Network namespace of that face, by name or path; `None`: ours.
    pub namespace: Option<String>,
    /// Receive queues: at least one per worker, unless the workers spread packets themselves.
    pub queues: u16,
    /// Who spreads packets over the workers.
    pub spread: Spread,
    /// IP MTU, bytes.
    pub mtu: u16,
}

/// Who spreads the packets of a port over the workers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spread {
    /// The NIC, or what feeds a virtual device, over as many queues as there are workers: RSS.
    #[default]
    Nic,
    /// The workers that poll its queues, of which one will do, hand packets over to each other by the flow of the
    /// packet, inside of LISP data by the inner one: RPS, worker hand-off.
    Software,
}

/// One sub-interface: a port that shares another one by VLAN tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubInterfaceLaunch {
    /// Its place behind all ports.
    pub id: PortId,
    /// The operator's name of it.
    pub name: String,
    /// The port whose frames it shares.
    pub parent: PortId,
    /// Tags of its frames.
    pub tags: Tags,
    /// Name of the kernel's face of it; `None`: it has none.
    pub host_interface: Option<String>,
    /// Network namespace of that face, by name or path; `None`: ours.
    pub namespace: Option<String>,
    /// IP MTU, bytes.
    pub mtu: u16,
}

/// Worker threads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkersLaunch {
    /// CPU of each worker.
    pub cores: Vec<usize>,
    /// What they do when there is nothing to do.
    pub idle: Idle,
}

/// What a worker does when there is nothing to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Idle {
    /// Asks again at once: lowest latency, the CPU is taken whole.
    #[default]
    Poll,
    /// Sleeps this many microseconds: several daemons can share a CPU.
    Sleep {
        /// Microseconds.
        us: u32,
    },
}

/// Longest name of a kernel interface.
const INTERFACE_NAME_MAX: usize = 15;

impl LaunchConfig {
    /// Checks what can be checked without touching the machine.
    ///
    /// # Errors
    /// The first mistake, with its remedy.
    pub fn check(&self) -> Result<(), LaunchError> {
        if self.ports.is_empty() {
            return Err(LaunchError::NoPorts);
        }
        if self.workers.cores.is_empty() {
            return Err(LaunchError::NoWorkers);
        }
        for (index, core) in self.workers.cores.iter().enumerate() {
            if self.workers.cores[..index].contains(core) {
                return Err(LaunchError::CoreTwice(*core));
            }
        }
        for (index, port) in self.ports.iter().enumerate() {
            if usize::from(port.id.0) != index {
                return Err(LaunchError::PortOrder { name: port.name.clone(), id: port.id.0, index });
            }
            self.check_port(index, port)?;
        }
        for (index, sub) in self.subinterfaces.iter().enumerate() {
            self.check_subinterface(index, sub)?;
        }
        Ok(())
    }

    /// The port or one of its sub-interfaces has a face in the kernel.
    pub(super) fn has_host_way(&self, port: &PortLaunch) -> bool {
        let mut subs = self.subinterfaces.iter().filter(|sub| sub.parent == port.id);
        port.host_interface.is_some() || subs.any(|sub| sub.host_interface.is_some())
    }

    fn check_port(&self, index: usize, port: &PortLaunch) -> Result<(), LaunchError> {
        let name = || port.name.clone();
        let workers = self.workers.cores.len();
        let least = if port.spread == Spread::Software { 1 } else { workers };
        if usize::from(port.queues) < least {
            return Err(LaunchError::TooFewQueues { port: name(), queues: port.queues, workers });
        }
        if !(1280..=9216).contains(&port.mtu) {
            return Err(LaunchError::Mtu { port: name(), mtu: port.mtu });
        }
        let others = self.ports[..index].iter().map(|other| (&other.name, &other.host_interface));
        check_interface(&port.name, port.host_interface.as_deref(), others)
    }

    fn check_subinterface(&self, index: usize, sub: &SubInterfaceLaunch) -> Result<(), LaunchError> {
        let name = || sub.name.clone();
        let place = self.ports.len() + index;
        if usize::from(sub.id.0) != place {
            return Err(LaunchError::PortOrder { name: name(), id: sub.id.0, index: place });
        }
        let Some(parent) = self.ports.get(usize::from(sub.parent.0)) else {
            return Err(LaunchError::NoParent { port: name() });
        };
        if !(1280..=parent.mtu).contains(&sub.mtu) {
            return Err(LaunchError::Mtu { port: name(), mtu: sub.mtu });
        }
        let ids = |sub: &SubInterfaceLaunch| (sub.parent, sub.tags.outer, sub.tags.inner);
        let before = &self.subinterfaces[..index];
        if let Some(other) = before.iter().find(|other| ids(other) == ids(sub)) {
            return Err(LaunchError::TagsTwice { port: name(), other: other.name.clone() });
        }
        let ports = self.ports.iter().map(|other| (&other.name, &other.host_interface));
        let others = ports.chain(before.iter().map(|other| (&other.name, &other.host_interface)));
        check_interface(&sub.name, sub.host_interface.as_deref(), others)
    }
}

/// Names of host interfaces are unique, whatever their namespace: an operator reads them in one list.
fn check_interface<'a>(
    port: &str,
    interface: Option<&str>,
    mut others: impl Iterator<Item = (&'a String, &'a Option<String>)>,
) -> Result<(), LaunchError> {
    let Some(interface) = interface else { return Ok(()) };
    let fits = !interface.is_empty() && interface.len() <= INTERFACE_NAME_MAX;
    let plain = interface.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    if !fits || !plain || interface == "." || interface == ".." {
        return Err(LaunchError::InterfaceName { port: port.to_owned(), interface: interface.to_owned() });
    }
    match others.find(|(_, other)| other.as_deref() == Some(interface)) {
        Some((other, _)) => Err(LaunchError::InterfaceTwice {
            port: port.to_owned(),
            other: other.clone(),
            interface: interface.to_owned(),
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> LaunchConfig {
        let port = |id: u16, name: &str| PortLaunch {
            id: PortId(id),
            name: name.into(),
            device: "net_null".into(),
            host_interface: Some(format!("{name}0")),
            queues: 2,
            mtu: 1500,
            ..PortLaunch::default()
        };
        LaunchConfig {
            mbufs: 8191,
            ports: vec![port(0, "core"), port(1, "native")],
            workers: WorkersLaunch { cores: vec![0, 1], idle: Idle::Poll },
            ..LaunchConfig::default()
        }
    }

    #[test]
    fn each_mistake_has_its_own_words() {
        assert!(config().check().is_ok());
        let mut spread = config();
        (spread.ports[1].queues, spread.ports[1].spread) = (1, Spread::Software);
        assert!(spread.check().is_ok());
        type Change = fn(&mut LaunchConfig);
        let cases: [(Change, &str); 11] = [
            (|c| c.ports.clear(), "no port"),
            (|c| c.workers.cores.clear(), "cores"),
            (|c| c.workers.cores = vec![1, 1], "core 1"),
            (|c| c.ports[1].queues = 1, "set queues = 2, or spread = \"software\""),
            (|c| (c.ports[1].queues, c.ports[1].spread) = (0, Spread::Software), "0 queue(s)"),
            (|c| c.ports[1].id = PortId(7), "number 7"),
            (|c| c.ports[0].mtu = 1279, "1280"),
            (|c| c.ports[0].mtu = 9217, "9216"),
            (|c| c.ports[0].host_interface = Some("a-name-of-16-byt".into()), "15"),
            (|c| c.ports[0].host_interface = Some("a,mac=b".into()), "letters"),
            (|c| c.ports[1].host_interface = Some("core0".into()), "port core"),
        ];
        for (change, word) in cases {
            let mut config = config();
            change(&mut config);
            let text = config.check().expect_err(word).to_string();
            assert!(text.contains(word), "{text}");
        }
    }
}
