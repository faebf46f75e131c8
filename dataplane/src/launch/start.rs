//! The steps from a configuration to a running data plane.

use super::config::{LaunchConfig, SubInterfaceLaunch};
use super::error::LaunchError;
use super::handle::PortHandle;
use super::placement::Placement;
use super::pools::{self, Pools};
use super::ports;
use super::running::Running;
use super::worker_handle::WorkerHandle;
use crate::host::HostThread;
use crate::io::dpdk::DpdkIo;
use crate::path::flow::FlowKey;
use crate::path::outer_id::Share;
use crate::worker::{Handover, SubInterface, Trunks, WorkerConfig};
use dpdk_sys::{Burst, Device, DeviceSpec, Eal, EalConfig, lcore};

/// A running data plane. Control takes it apart: each part may live in another place.
///
/// Everything is given back when all parts are dropped, in any order: threads end with `running`,
/// devices close with the last of `ports` and `running`.
#[derive(Debug)]
pub struct Dataplane {
    /// One handle per worker, in the order of the configured cores.
    pub workers: Vec<WorkerHandle>,
    /// One handle per port, in their order.
    pub ports: Vec<PortHandle>,
    /// The threads.
    pub running: Running,
}

/// Starts the EAL and everything on it. Binds the calling thread, and those that it starts later, to
/// the CPUs that no worker has, if there are any. `flow_key` is the secret of the flow hash.
///
/// # Errors
/// With its remedy. What was started until then is stopped again, but for the EAL.
pub fn launch(config: &LaunchConfig, flow_key: FlowKey) -> Result<Dataplane, LaunchError> {
    let specs = check(config)?;
    let eal = Eal::init(&eal_config(config, &specs))?;
    start(&eal, config, specs, flow_key)
}

/// The same on an EAL that runs already: for tests and benches, whose traffic source lives in the same
/// process.
///
/// # Errors
/// As [`launch`].
pub fn launch_on(eal: &Eal, config: &LaunchConfig, flow_key: FlowKey) -> Result<Dataplane, LaunchError> {
    let specs = check(config)?;
    start(eal, config, specs, flow_key)
}

/// Finds every mistake that can be found before anything is started.
fn check(config: &LaunchConfig) -> Result<Vec<DeviceSpec>, LaunchError> {
    config.check()?;
    let allowed = lcore::allowed_cpus();
    if let Some(core) = config.workers.cores.iter().find(|core| !allowed.contains(core)) {
        return Err(LaunchError::CoreNotAllowed { core: *core, allowed });
    }
    let specs = ports::specs(config)?;
    pools::check_room(config, &specs)?;
    pools::check(config, &specs)?;
    Ok(specs)
}

fn eal_config(config: &LaunchConfig, specs: &[DeviceSpec]) -> EalConfig {
    let pci = specs.iter().filter(|spec| spec.kind == Device::Pci).map(|spec| spec.devargs.clone()).collect();
    let free = |cpu: &usize| !config.workers.cores.contains(cpu);
    EalConfig {
        hugepages: config.eal.hugepages,
        memory_mib: config.eal.memory_mib,
        file_prefix: config.eal.file_prefix.clone(),
        pci,
        // Empty when the workers take all: then the EAL takes all, too.
        housekeeping_cpus: lcore::allowed_cpus().into_iter().filter(free).collect(),
        extra_args: config.eal.extra_args.clone(),
    }
}

fn start(
    eal: &Eal,
    config: &LaunchConfig,
    specs: Vec<DeviceSpec>,
    flow_key: FlowKey,
) -> Result<Dataplane, LaunchError> {
    let opened = ports::open(eal, config, specs)?;
    let pools = Pools::new(eal, config, &opened)?;
    let started = ports::start(eal, config, opened, &pools)?;
    let host = match started.host_ports {
        none if none.is_empty() => None,
        ports => Some(HostThread::spawn(eal, ports).map_err(LaunchError::Thread)?),
    };
    let mut running = Running::new(host, pools.all());
    let settings = WorkerConfig {
        replica: config.replica,
        hold: config.hold,
        reassembly: config.reassembly,
        icmp: config.icmp,
        flow_key: flow_key.with(config.flow_fields),
        verify_udp_checksum: config.verify_udp_checksum,
        express: true,
        share: Share::default(),
        idle: config.workers.idle,
    };
    let trunks = trunks(config);
    let mut handovers = handovers(config);
    let mut workers = Vec::with_capacity(started.workers.len());
    let count = config.workers.cores.len() as u16;
    for ((index, core), ports) in (0..).zip(&config.workers.cores).zip(started.workers) {
        let io = DpdkIo::new(ports, pools.on(lcore::numa_node(*core)).clone());
        workers.push(running.add_worker(
            eal,
            *core,
            (io, trunks.clone(), handovers.next()),
            WorkerConfig { share: Share { index, count }, ..settings },
        )?);
    }
    Ok(Dataplane { workers, ports: started.handles, running })
}

/// The rings between workers, if packets of any port are spread by them.
fn handovers(config: &LaunchConfig) -> impl Iterator<Item = Handover<Burst>> + use<> {
    let placement = Placement::of(config);
    let any = placement.spread().contains(&true);
    let all = any.then(|| Handover::between(placement.readers(), placement.spread()));
    all.into_iter().flatten()
}

/// What the workers know of sub-interfaces.
fn trunks(config: &LaunchConfig) -> Trunks {
    let sub = |sub: &SubInterfaceLaunch| SubInterface { parent: sub.parent, tags: sub.tags };
    Trunks::new(config.ports.len(), &config.subinterfaces.iter().map(sub).collect::<Vec<_>>())
}
