//! `[dpdk]`, `[workers]`, `[hold]` and `[[port]]`.

use super::super::error::Problems;
use super::super::file::{DpdkTable, PortTable, WorkersTable};
use super::super::leaf::At;
use super::super::words::{IdleWord, SpreadWord};
use super::all::{Cx, quoted, unique};
use std::collections::HashSet;

/// EAL arguments that pxtrd derives from other keys.
const OWN_ARGS: [(&str, &str); 15] = [
    ("-l", "workers.cores"),
    ("-c", "workers.cores"),
    ("--lcores", "workers.cores"),
    ("--main-lcore", "workers.cores"),
    ("-m", "dpdk.memory_mib"),
    ("--socket-mem", "dpdk.memory_mib"),
    ("--no-huge", "dpdk.hugepages"),
    ("--file-prefix", "dpdk.file_prefix"),
    ("-a", "port.device"),
    ("--allow", "port.device"),
    ("--vdev", "port.device"),
    ("--proc-type", "nothing: pxtrd is a primary process"),
    ("--no-pci", "port.device"),
    ("--in-memory", "dpdk.hugepages"),
    ("--no-shconf", "dpdk.hugepages"),
];

pub(super) fn check(cx: &Cx<'_>, problems: &mut Problems) {
    if let Some(dpdk) = cx.file.dpdk.get() {
        extra_args(dpdk, problems);
    }
    if let Some(workers) = cx.file.workers.get() {
        cores(cx, workers, problems);
    }
    hold(cx, problems);
    let ports = cx.file.port.items();
    let names = ports.iter().filter_map(|port| port.name.at()).map(|name| (quoted(&name.0.0), name.span()));
    unique("port.name", names, "give each port its own name", problems);
    devices(ports, problems);
    let faces =
        ports.iter().filter_map(|port| port.host_interface.at()).map(|face| (quoted(&face.0.0), face.span()));
    unique("port.host_interface", faces, "give each port its own interface", problems);
    for port in ports {
        face_is_no_device(port, problems);
        queues(cx, port, problems);
        purpose(cx, port, problems);
    }
    one_underlay(cx, problems);
}

fn extra_args(dpdk: &DpdkTable, problems: &mut Problems) {
    for arg in dpdk.extra_args.items() {
        let word = arg.0.0.split('=').next().unwrap_or_default();
        if let Some((_, key)) = OWN_ARGS.iter().find(|(own, _)| *own == word) {
            problems.at(
                arg.span(),
                format!("dpdk.extra_args = \"{word}\" is passed by pxtrd itself; set it through {key}"),
            );
        }
    }
}

fn cores(cx: &Cx<'_>, workers: &WorkersTable, problems: &mut Problems) {
    let cores = workers.cores.items();
    let numbers = cores.iter().map(|core| (core.get::<usize>(), core.span()));
    unique("workers.cores", numbers.clone(), "give each worker its own core", problems);
    if let Some(here) = &cx.machine.cores {
        for (core, span) in numbers.filter(|(core, _)| !here.contains(core)) {
            let list: Vec<_> = here.iter().map(usize::to_string).collect();
            problems.at(
                span,
                format!(
                    "workers.cores = {core} is no core that this process may use; there are {}",
                    list.join(", ")
                ),
            );
        }
    }
    let sleeps =
        problems.was_bad("workers.idle") || workers.idle.get().is_some_and(|idle| idle.0 == IdleWord::Sleep);
    if let Some(us) = workers.idle_sleep_us.at()
        && !sleeps
    {
        problems.at(us.span(), "workers.idle_sleep_us has no effect; set idle = \"sleep\" or remove it");
    }
}

fn hold(cx: &Cx<'_>, problems: &mut Problems) {
    let Some(hold) = cx.file.hold.get() else { return };
    let packets: u64 = hold.packets.get().map_or(1024, |n| n.get());
    let each: u64 = hold.packets_per_destination.get().map_or(16, |n| n.get());
    let span = || hold.packets.span().or_else(|| cx.file.hold.span()).unwrap_or_default();
    if each > packets {
        problems.at(
            hold.packets_per_destination.span().unwrap_or_else(span),
            format!("hold.packets_per_destination = {each} is more than hold.packets = {packets}; lower it or raise hold.packets"),
        );
    }
    let mbufs: u64 = cx.file.dpdk.get().and_then(|dpdk| dpdk.mbufs.get()).map_or(65_536, |n| n.get());
    let workers = cx.file.workers.get().map_or(0, |workers| workers.cores.items().len() as u64);
    if packets.saturating_mul(workers) > mbufs / 2 {
        problems.at(
            span(),
            format!(
                "hold.packets = {packets} for {workers} workers is more than half of dpdk.mbufs = {mbufs}; lower it or \
                 raise dpdk.mbufs"
            ),
        );
    }
}

/// The same device twice would be probed once and then fail with an error that names neither port.
fn devices(ports: &[At<PortTable>], problems: &mut Problems) {
    let mut seen = HashSet::new();
    for port in ports {
        let Some(device) = port.device.at() else { continue };
        let args = port.device_args.get().map_or("", |args| args.0.0.as_str());
        let pci = !device.0.0.starts_with("net_");
        if !seen.insert((device.0.0.to_lowercase(), if pci { "" } else { args })) {
            let message = format!(
                "port.device {} {args} is used by another port; give each port its own device or device_args",
                device.0.0
            );
            problems.at(device.span(), message.replace("  ", " "));
        }
    }
}

fn face_is_no_device(port: &PortTable, problems: &mut Problems) {
    let Some(face) = port.host_interface.at() else { return };
    let args = port.device_args.get().map_or("", |args| args.0.0.as_str());
    let used = args.split(',').any(|arg| arg.strip_prefix("iface=") == Some(face.0.0.as_str()));
    if used {
        problems.at(
            face.span(),
            format!(
                "port.host_interface \"{}\" is the interface that the device drives; give the name of an interface to \
                 make",
                face.0.0
            ),
        );
    }
}

fn queues(cx: &Cx<'_>, port: &PortTable, problems: &mut Problems) {
    let Some(queues) = port.queues.at() else { return };
    let workers = cx.file.workers.get().map_or(0, |workers| workers.cores.items().len());
    let wanted: usize = queues.get();
    let software = port.spread.get().is_some_and(|spread| spread.0 == SpreadWord::Software);
    let bad = if software { wanted > workers } else { wanted != workers };
    if !bad || workers == 0 || problems.was_bad("workers.cores") || problems.was_bad("port.spread") {
        return;
    }
    let or =
        if wanted < workers { ", or set spread = \"software\" where the device has no more" } else { "" };
    problems.at(
        queues.span(),
        format!(
            "port.queues = {wanted}, but workers.cores has {workers}; give one queue for each worker or leave the key \
             away{or}"
        ),
    );
}

fn purpose(cx: &Cx<'_>, port: &At<PortTable>, problems: &mut Problems) {
    let on = |key: &super::super::leaf::Key<bool>| key.get().copied().unwrap_or(false);
    let bad = problems.was_bad("port.underlay") || problems.was_bad("port.native");
    if cx.forwards() && !bad && !on(&port.underlay) && !on(&port.native) {
        problems.at(
            port.span(),
            "port accepts neither LISP nor native packets; set underlay = true or native = true or both",
        );
    }
}

/// Locators are looked up in one routing table.
fn one_underlay(cx: &Cx<'_>, problems: &mut Problems) {
    let first_vrf = cx.file.vrf.items().first().and_then(|vrf| vrf.name.get()).map(|name| name.0.0.as_str());
    let vrf_of = |port: &PortTable| {
        port.vrf.get().map(|name| name.0.0.clone()).or_else(|| first_vrf.map(str::to_owned))
    };
    let mut underlay = cx.file.port.items().iter().filter(|port| port.underlay.get() == Some(&true));
    let Some(first) = underlay.next() else { return };
    for port in underlay {
        if let (Some(one), Some(other)) = (vrf_of(first), vrf_of(port))
            && one != other
        {
            let span = port.vrf.span().unwrap_or_else(|| port.span());
            problems.at(
                span,
                format!("port.vrf \"{other}\" of an underlay port differs from \"{one}\"; put all underlay ports into one VRF"),
            );
        }
    }
}
