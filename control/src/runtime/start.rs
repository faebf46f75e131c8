//! From a configuration to a running daemon, and to its end.

use super::clock::{Clock, Timer};
use super::core::Runtime;
use super::engine_cell::EngineCell;
use super::error::Error;
use super::plane::Plane;
use super::ports;
use super::reload::Reload;
use super::sd_notify;
use super::workers::Workers;
use crate::api;
use crate::codec::DATA_PORT;
use crate::config::Config;
use crate::feeder::Feeder;
use crate::http::{self, BoundedListener};
use crate::net::{CONTROL_PORT, ControlSockets};
use crate::netlink::{Netlink, prepare_host_interface, quiet_backing_interface};
use crate::replay::Journal;
use pxtr_dataplane::launch::{Dataplane, LaunchConfig, launch};
use pxtr_dataplane::path::flow::FlowKey;
use std::path::PathBuf;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

/// The kernel has this long to send its tables the first time.
const NETLINK_TIMEOUT: Duration = Duration::from_secs(30);

/// Runs the daemon on this thread until SIGTERM or SIGINT. SIGHUP makes it read its configuration again
/// from `path`. What its engine hears goes to `journal`.
///
/// # Errors
/// It did not start, or met something it can not live with.
pub fn run(config: Config, path: PathBuf, journal: Journal) -> Result<(), Error> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::EventLoop)?;
    runtime.block_on(daemon(config, path, journal))
}

async fn daemon(config: Config, path: PathBuf, journal: Journal) -> Result<(), Error> {
    let clock = Clock::start();
    let reload = Reload::new(path)?;
    // Signals from here on: one that comes during the start ends the start.
    let mut stop = Signals::new()?;
    let timer = Timer::new().map_err(Error::EventLoop)?;
    let (handle, inbox) = api::channel();
    let engine = EngineCell::start(&config, journal)?;
    let daemon = config.daemon.clone();
    // What is cheap to try comes first: a second daemon by mistake fails before it touches a port.
    let (sockets, errors) = ControlSockets::bind(CONTROL_PORT);
    if sockets.is_deaf() {
        return Err(Error::Sockets(errors));
    }
    errors.iter().for_each(|e| tracing::warn!("{e}"));
    let data_sockets = config.nat_traversal.then(|| ControlSockets::bind(DATA_PORT));
    if let Some((_, errors)) = &data_sockets {
        errors.iter().for_each(|e| tracing::warn!("{e}"));
    }
    let sockets = (sockets, data_sockets.map(|(sockets, _)| sockets));
    let (listener, _socket_file) = api::listen(&daemon.api_socket)?;
    let http = match daemon.http_listen {
        Some(address) => Some(BoundedListener::bind(address).await?),
        None => None,
    };
    let plane = tokio::select! {
        plane = bring_up(&config, clock) => plane?,
        () = stop.terminated() => return Ok(()),
    };
    let mut servers = JoinSet::new();
    servers.spawn(api::serve(listener, handle.clone(), std::future::pending()));
    if let Some(http) = http {
        servers.spawn(async {
            if let Err(e) = http::serve(http, handle, std::future::pending()).await {
                tracing::error!("the HTTP server ended: {e}");
            }
        });
    }
    tracing::info!(
        name = daemon.name,
        api = %daemon.api_socket.display(),
        http = daemon.http_listen.map(|a| a.to_string()),
        workers = plane.as_ref().map_or(0, |p| p.workers.links().count()),
        "pxtrd is up"
    );
    sd_notify::say("READY=1");
    let mut runtime = Runtime::new(clock, config, reload, engine, sockets, plane, inbox);
    let result = tokio::select! {
        result = runtime.run(&timer) => result,
        () = stop.terminated() => Ok(()),
    };
    sd_notify::say("STOPPING=1");
    runtime.finish().await;
    // Servers, workers and devices end where they are dropped: here.
    result
}

/// Starts the data plane and learns the kernel's tables. `None`: a daemon without ports.
async fn bring_up(config: &Config, clock: Clock) -> Result<Option<Plane>, Error> {
    let Some(launch_config) = config.launch() else { return Ok(None) };
    let mut netlink = Netlink::open(ports::interest(config, &launch_config), &ports::namespaces(config))?;
    for port in &config.ports {
        let Some(name) = ports::backing_interface(&port.device, &port.device_args) else { continue };
        let Some(handle) = netlink.handle(0) else { continue };
        let done = quiet_backing_interface(handle, name, port.gateway_mac).await?;
        tracing::info!(port = port.name, interface = name, "kernel kept from answering: {}", done.join(", "));
    }
    let Dataplane { workers, ports: handles, running } = start_dataplane(&launch_config)?;
    for (space, want) in ports::host_interfaces(config, &handles) {
        let Some(handle) = netlink.handle(space) else { continue };
        prepare_host_interface(handle, &want).await?;
        tracing::info!(interface = want.name, mac = %want.mac, mtu = want.mtu, "host interface is up");
    }
    let mut feeder = Feeder::new(ports::feeder_spec(config, &launch_config, &handles));
    let sync = async {
        while !netlink.is_synced() {
            let changes = netlink.next().await?;
            feeder.on_kernel(clock.now(), netlink.view(), &changes);
        }
        Ok::<_, Error>(())
    };
    tokio::time::timeout(NETLINK_TIMEOUT, sync)
        .await
        .map_err(|_| Error::NetlinkSilent { seconds: NETLINK_TIMEOUT.as_secs() })??;
    config.advice().iter().for_each(|sentence| tracing::warn!("{sentence}"));
    warn_of_missing_rlocs(config, &netlink);
    Ok(Some(Plane::new(Workers::new(workers), handles, running, feeder, netlink, config)))
}

fn start_dataplane(config: &LaunchConfig) -> Result<Dataplane, Error> {
    let mut key = [0; 4];
    for word in &mut key {
        *word = getrandom::u64().map_err(|e| Error::Randomness(e.to_string()))?;
    }
    Ok(launch(config, FlowKey::new(key))?)
}

/// An RLOC that the kernel does not have gets no ARP or ND answers: most likely a mistake.
fn warn_of_missing_rlocs(config: &Config, netlink: &Netlink) {
    let rlocs = config.rlocs.iter().chain(&config.anycast_rlocs);
    for rloc in rlocs.filter(|rloc| !netlink.view().is_own_address(**rloc)) {
        tracing::warn!(
            %rloc,
            "our RLOC is no address of this machine yet: nobody will find it until it is added to the underlay's host interface (ip address add)"
        );
    }
}

/// SIGTERM and SIGINT end the daemon.
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> Result<Self, Error> {
        let on = |kind| signal(kind).map_err(Error::EventLoop);
        Ok(Self { terminate: on(SignalKind::terminate())?, interrupt: on(SignalKind::interrupt())? })
    }

    async fn terminated(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => tracing::info!("SIGTERM: going down"),
            _ = self.interrupt.recv() => tracing::info!("SIGINT: going down"),
        }
    }
}
