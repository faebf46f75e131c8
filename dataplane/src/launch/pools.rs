//! Packet buffers: one pool per NUMA node that has a port.

use super::config::LaunchConfig;
use super::error::LaunchError;
use super::placement::Placement;
use super::ports::{Opened, descriptors, tx_queues};
use crate::host;
use dpdk_sys::{Device, DeviceSpec, Eal, Pool, PoolConfig};

/// Mbufs that DPDK keeps in a registered thread's cache, at most (1.5 times the size of 256).
const THREAD_CACHE: usize = 384;
/// Mbufs that a thread works on: a burst in, a burst out.
const THREAD_BURSTS: usize = 128;
/// What else comes and goes: fragments, ICMP errors.
const RESERVE: usize = 256;

/// What fits in a page of 4096 bytes besides an mbuf's headers and headroom, on the safe side.
const XDP_ROOM: u16 = 3600;
/// Ethernet header, two VLAN tags, CRC.
const ETHERNET: u16 = 26;

/// All pools, by NUMA node.
#[derive(Debug)]
pub(super) struct Pools(Vec<(Option<u32>, Pool)>);

impl Pools {
    /// Makes a pool for each node that a port hangs on, with buffers that hold any port's frames.
    pub(super) fn new(eal: &Eal, config: &LaunchConfig, opened: &[Opened]) -> Result<Self, LaunchError> {
        let frame_room =
            opened.iter().map(|port| port.spec.frame_room(port.launch.mtu)).max().unwrap_or(2048);
        let mut pools: Vec<(Option<u32>, Pool)> = Vec::new();
        for node in opened.iter().map(|port| port.port.capabilities().numa_node) {
            if pools.iter().any(|(known, _)| *known == node) {
                continue;
            }
            let name = node.map_or_else(|| "pxtr_any".to_owned(), |node| format!("pxtr_node{node}"));
            let pool = PoolConfig { name, count: config.mbufs, frame_room, numa_node: node };
            pools.push((node, Pool::new(eal, &pool)?));
        }
        Ok(Self(pools))
    }

    /// The pool on a node, or else the first.
    pub(super) fn on(&self, node: Option<u32>) -> &Pool {
        let own = self.0.iter().find(|(known, _)| *known == node);
        // There is at least one port, hence one pool: LaunchConfig::check.
        own.map_or_else(|| &self.0[0].1, |(_, pool)| pool)
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<Pool> {
        self.0.iter().map(|(_, pool)| pool.clone()).collect()
    }
}

/// Bytes an mbuf has to hold: the largest frame of any port, as packets go from one to another.
fn frame_room<'a>(config: &LaunchConfig, specs: impl Iterator<Item = &'a DeviceSpec>) -> u16 {
    config.ports.iter().zip(specs).map(|(port, spec)| spec.frame_room(port.mtu)).max().unwrap_or(0)
}

/// Refuses jumbo frames beside an AF_XDP port.
pub(super) fn check_room(config: &LaunchConfig, specs: &[DeviceSpec]) -> Result<(), LaunchError> {
    let room = frame_room(config, specs.iter());
    let xdp = specs.iter().position(|spec| spec.kind == Device::AfXdp);
    match xdp.and_then(|index| config.ports.get(index)) {
        Some(port) if room > XDP_ROOM => Err(LaunchError::XdpRoom {
            port: port.name.clone(),
            room,
            limit: XDP_ROOM,
            mtu: XDP_ROOM - ETHERNET,
        }),
        _ => Ok(()),
    }
}

/// Refuses a number of mbufs with which the last ones could all lie in rings and caches: the data
/// plane would stand still with no sign but a counter.
pub(super) fn check(config: &LaunchConfig, specs: &[DeviceSpec]) -> Result<(), LaunchError> {
    let workers = config.workers.cores.len();
    let rings: usize = (config.ports.iter().zip(specs))
        .map(|(port, spec)| {
            let queues = usize::from(port.queues) + usize::from(tx_queues(port, spec.kind, workers));
            queues * usize::from(descriptors(spec.kind))
        })
        .sum();
    let host_rings =
        config.ports.iter().filter(|port| config.has_host_way(port)).count() * host::mbufs_in_rings(workers);
    let threads = (workers + 1) * (THREAD_CACHE + THREAD_BURSTS);
    let held = workers * (config.hold.packets + usize::from(config.reassembly.fragments));
    let between = Placement::of(config).mbufs(config);
    let needed = u32::try_from(rings + host_rings + between + threads + held + RESERVE).unwrap_or(u32::MAX);
    if config.mbufs < needed {
        return Err(LaunchError::TooFewMbufs { mbufs: config.mbufs, needed });
    }
    Ok(())
}
