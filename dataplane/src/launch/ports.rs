//! Opens and starts ports and their host ports, and deals their queues out to the workers.

use super::config::{LaunchConfig, PortLaunch, Spread, SubInterfaceLaunch};
use super::error::LaunchError;
use super::handle::PortHandle;
use super::placement::Placement;
use super::pools::Pools;
use crate::host::{Face, HostPort, HostStats, SubFace, WorkerEnd, ends, tap_in};
use crate::io::dpdk::DpdkPort;
use crate::io::tx_share::TxWay;
use crate::types::MacAddr;
use dpdk_sys::{Device, DeviceSpec, Eal, OpenPort, PortConfig, RxQueue, Tap, TxQueue};
use std::sync::Arc;

/// A port whose device was found or made, not yet started.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) launch: PortLaunch,
    pub(super) spec: DeviceSpec,
    pub(super) port: OpenPort,
}

/// Everything about ports that runs: what control keeps, what the host thread gets, and per worker
/// its part of every port.
#[derive(Debug, Default)]
pub(super) struct Started {
    pub(super) handles: Vec<PortHandle>,
    pub(super) host_ports: Vec<HostPort>,
    pub(super) workers: Vec<Vec<DpdkPort>>,
}

/// The devices of a configuration, as DPDK wants them named.
pub(super) fn specs(config: &LaunchConfig) -> Result<Vec<DeviceSpec>, LaunchError> {
    let spec = |port: &PortLaunch| {
        DeviceSpec::new(&port.device, &port.device_args, port.id.0, port.queues, port.mtu)
            .map_err(|source| LaunchError::Port { port: port.name.clone(), source: Box::new(source) })
    };
    config.ports.iter().map(spec).collect()
}

/// Finds or makes the devices.
pub(super) fn open(
    eal: &Eal,
    config: &LaunchConfig,
    specs: Vec<DeviceSpec>,
) -> Result<Vec<Opened>, LaunchError> {
    let open = |(launch, spec): (&PortLaunch, DeviceSpec)| match OpenPort::open(eal, &spec) {
        Ok(port) => Ok(Opened { launch: launch.clone(), spec, port }),
        Err(source) => Err(LaunchError::Port { port: launch.name.clone(), source: Box::new(source) }),
    };
    config.ports.iter().zip(specs).map(open).collect()
}

/// Descriptors of each ring. NICs and shared-memory peers fill them while the worker is away; the
/// other drivers have buffers of their own or none.
pub(super) fn descriptors(kind: Device) -> u16 {
    match kind {
        Device::Pci | Device::AfXdp | Device::Memif => 1024,
        Device::AfPacket | Device::Tap | Device::Ring | Device::Null | Device::Pcap => 256,
    }
}

/// Starts all ports, and the kernel's face of each that has one, and of its sub-interfaces.
pub(super) fn start(
    eal: &Eal,
    config: &LaunchConfig,
    opened: Vec<Opened>,
    pools: &Pools,
) -> Result<Started, LaunchError> {
    let workers = config.workers.cores.len();
    let placement = Placement::of(config);
    let mut started = Started { workers: (0..workers).map(|_| Vec::new()).collect(), ..Started::default() };
    let mut subs = Vec::new();
    for Opened { launch, spec, port } in opened {
        let fail = |source| LaunchError::Port { port: launch.name.clone(), source: Box::new(source) };
        let pool = pools.on(port.capabilities().numa_node);
        let most = port.capabilities().max_tx_queues;
        let settings = port_config(&launch, spec.kind, workers, most);
        let (port, rx, tx) = port.start(&settings, pool).map_err(fail)?;
        let mac = MacAddr(port.mac().map_err(fail)?);
        let faces = sub_faces(config, &launch, pools, |sub, host| {
            subs.push(PortHandle::of_subinterface(sub, port.clone(), mac, host));
        })?;
        let mut host_ends = Vec::new();
        let mut host = None;
        if config.has_host_way(&launch) {
            let face = face(eal, &launch, mac, pools)?;
            let stats = Arc::new(HostStats::default());
            let (worker_ends, host_end) = ends(workers);
            host_ends = worker_ends;
            started.host_ports.push(HostPort::new(face, faces, host_end, stats.clone()));
            host = launch.host_interface.clone().map(|interface| (interface, stats));
        }
        deal(&mut started.workers, |queue| placement.worker(&launch, queue), (rx, tx), host_ends);
        started.handles.push(PortHandle::new(&launch, port, mac, host));
    }
    subs.sort_by_key(PortHandle::id);
    started.handles.append(&mut subs);
    Ok(started)
}

/// The kernel's faces of a port's sub-interfaces; tells of each sub-interface, with or without one.
fn sub_faces(
    config: &LaunchConfig,
    parent: &PortLaunch,
    pools: &Pools,
    mut tell: impl FnMut(&SubInterfaceLaunch, Option<(String, Arc<HostStats>)>),
) -> Result<Vec<SubFace>, LaunchError> {
    let mut faces = Vec::new();
    for sub in config.subinterfaces.iter().filter(|sub| sub.parent == parent.id) {
        let Some(interface) = &sub.host_interface else {
            tell(sub, None);
            continue;
        };
        let tap = tap(&sub.name, interface, sub.namespace.as_deref(), pools)?;
        let stats = Arc::new(HostStats::default());
        tell(sub, Some((interface.clone(), stats.clone())));
        faces.push(SubFace::new(sub.tags, tap, stats));
    }
    Ok(faces)
}

fn tap(port: &str, interface: &str, namespace: Option<&str>, pools: &Pools) -> Result<Tap, LaunchError> {
    tap_in(namespace, interface, pools.on(None)).map_err(|source| LaunchError::Tap {
        port: port.to_owned(),
        interface: interface.to_owned(),
        source: Box::new(source),
    })
}

/// A NIC has as many transmit queues as workers; the other drivers want as many as receive queues.
pub(super) fn tx_queues(launch: &PortLaunch, kind: Device, workers: usize) -> u16 {
    match kind {
        Device::Pci => u16::try_from(workers).unwrap_or(u16::MAX),
        _ => launch.queues,
    }
}

/// `most`: transmit queues that the device can have. Who spreads packets in software makes do with them.
fn port_config(launch: &PortLaunch, kind: Device, workers: usize, most: u16) -> PortConfig {
    let wanted = tx_queues(launch, kind, workers);
    PortConfig {
        rx_queues: launch.queues,
        tx_queues: if launch.spread == Spread::Software { wanted.min(most.max(1)) } else { wanted },
        rx_descriptors: descriptors(kind),
        tx_descriptors: descriptors(kind),
        mtu: launch.mtu,
        promiscuous: false,
        // net_tap only pretends: it would check every packet in software.
        rx_checksum: kind != Device::Tap,
        // Outer checksums come from the RLOC's template; the device could save nothing.
        tx_ip_checksum: false,
    }
}

/// The kernel's face of a port, if it has one.
fn face(eal: &Eal, launch: &PortLaunch, mac: MacAddr, pools: &Pools) -> Result<Face, LaunchError> {
    match (&launch.host_interface, &launch.namespace) {
        (None, _) => Ok(Face::None),
        // DPDK's tap lives in its process's namespace.
        (Some(interface), Some(namespace)) => {
            tap(&launch.name, interface, Some(namespace), pools).map(Face::Tap)
        }
        (Some(interface), None) => {
            let (rx, tx) = start_host_port(eal, launch, interface, mac, pools)?;
            Ok(Face::Queues(rx, tx))
        }
    }
}

/// The kernel's face of a port: a tap with the port's MAC address, MTU and name.
fn start_host_port(
    eal: &Eal,
    launch: &PortLaunch,
    interface: &str,
    mac: MacAddr,
    pools: &Pools,
) -> Result<(RxQueue, TxQueue), LaunchError> {
    let fail = |source| LaunchError::Host {
        port: launch.name.clone(),
        interface: interface.to_owned(),
        source: Box::new(source),
    };
    let name = format!("net_tap_h{}", launch.id.0);
    let args = format!("iface={interface},mac={mac}");
    let spec = DeviceSpec::new(&name, &args, launch.id.0, 1, launch.mtu).map_err(fail)?;
    let config = PortConfig {
        rx_descriptors: 64,
        tx_descriptors: 64,
        mtu: launch.mtu,
        rx_checksum: false,
        tx_ip_checksum: false,
        ..PortConfig::default()
    };
    let open = OpenPort::open(eal, &spec).map_err(fail)?;
    let pool = pools.on(None);
    let (_, rx, tx) = open.start(&config, pool).map_err(fail)?;
    match (rx.into_iter().next(), tx.into_iter().next()) {
        (Some(rx), Some(tx)) => Ok((rx, tx)),
        // One queue pair was configured.
        _ => Err(fail(dpdk_sys::Error::NoPort { device: name, remedy: "report this as a bug" })),
    }
}

/// Gives each worker its part of a port: the receive queues that `reader` says, transmit queue w to worker w; the
/// workers beyond the last one share them.
fn deal(
    workers: &mut [Vec<DpdkPort>],
    reader: impl Fn(usize) -> usize,
    (rx, tx): (Vec<RxQueue>, Vec<TxQueue>),
    host_ends: Vec<WorkerEnd>,
) {
    let mut shares: Vec<Vec<RxQueue>> = (0..workers.len()).map(|_| Vec::new()).collect();
    for (number, queue) in rx.into_iter().enumerate() {
        if let Some(share) = shares.get_mut(reader(number)) {
            share.push(queue);
        }
    }
    let mut host_ends = host_ends.into_iter();
    let ways = TxWay::deal(tx, workers.len());
    for ((worker, rx), tx) in workers.iter_mut().zip(shares).zip(ways) {
        worker.push(DpdkPort::new(rx, tx, host_ends.next()));
    }
}
