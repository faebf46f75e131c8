//! Which reply becomes which metric.

use super::families::Families;
use super::ratchet::Ratchet;
use crate::api::{
    ApiError, ApiHandle, Drops, ErrorCode, Health, ListQuery, PolicerState, Policers, Port, Ports, Reply,
    Request, Rloc, RlocLocalState, Rlocs, Statistics, VrfState, Vrfs, Worker, Workers, counter_help,
};
use prometheus::TextEncoder;
use pxtr_dataplane::verdict::DropReason;

/// RLOCs with series of their own; `pxtr_rlocs` counts all of them.
pub const MAX_RLOCS: u32 = 5_000;

/// VRFs with series of their own, nine each: the first ones of the configuration; `pxtr_vrfs` counts all.
pub const MAX_VRFS: u32 = 1_000;

/// Policers with series of their own, four each; `pxtr_policers` counts all.
pub const MAX_POLICERS: u32 = 1_000;

/// What a scrape is made of.
#[derive(Clone, Debug, Default)]
pub struct Scrape {
    /// Counters.
    pub statistics: Statistics,
    /// Workers.
    pub workers: Workers,
    /// Ports.
    pub ports: Ports,
    /// VRFs, up to `MAX_VRFS`.
    pub vrfs: Vrfs,
    /// Policers, up to `MAX_POLICERS`.
    pub policers: Policers,
    /// Drops.
    pub drops: Drops,
    /// RLOCs, up to [`MAX_RLOCS`].
    pub rlocs: Rlocs,
    /// Health.
    pub health: Health,
}

impl Scrape {
    /// Asks the control thread.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn ask(api: &ApiHandle) -> Result<Self, ApiError> {
        /// Asks for one kind of reply.
        macro_rules! ask {
            ($request:expr, $variant:ident) => {
                match api.ask($request).await? {
                    Reply::$variant(reply) => reply,
                    _ => return Err(ApiError::new(ErrorCode::Unavailable, "another reply than asked for")),
                }
            };
        }
        let first = |limit| ListQuery { instance_id: None, limit: Some(limit) };
        Ok(Self {
            statistics: ask!(Request::ShowStatistics, Statistics),
            workers: ask!(Request::ShowWorkers, Workers),
            ports: ask!(Request::ShowPorts, Ports),
            vrfs: ask!(Request::ShowVrfs(first(MAX_VRFS)), Vrfs),
            policers: ask!(Request::ShowPolicers(first(MAX_POLICERS)), Policers),
            drops: ask!(Request::ShowDrops, Drops),
            rlocs: ask!(Request::ShowRlocs(first(MAX_RLOCS)), Rlocs),
            health: ask!(Request::ShowHealth, Health),
        })
    }
}

/// Makes the text of `/metrics`; remembers what it showed.
#[derive(Debug, Default)]
pub struct Exporter {
    ratchet: Ratchet,
}

impl Exporter {
    /// The metrics in Prometheus' text format.
    ///
    /// # Errors
    /// They can not be encoded: a defect.
    pub fn render(&mut self, scrape: &Scrape) -> Result<String, prometheus::Error> {
        let mut families = Families::new(&mut self.ratchet);
        daemon(&mut families, &scrape.statistics);
        health(&mut families, &scrape.health);
        scrape.workers.workers.iter().for_each(|w| worker(&mut families, w));
        drops(&mut families, &scrape.drops, scrape.workers.workers.len());
        scrape.ports.ports.iter().for_each(|p| port(&mut families, p));
        families.gauge("vrfs", "VRFs configured.", &[], scrape.vrfs.vrfs_total as f64);
        scrape.vrfs.vrfs.iter().for_each(|v| vrf(&mut families, v));
        families.gauge("policers", "Policers configured.", &[], scrape.policers.policers_total as f64);
        scrape.policers.policers.iter().for_each(|p| policer(&mut families, p));
        families.gauge("rlocs", "Locators of other routers known.", &[], scrape.rlocs.rlocs_total as f64);
        scrape.rlocs.rlocs.iter().for_each(|r| rloc(&mut families, r));
        TextEncoder::new().encode_to_string(&families.finish())
    }
}

fn daemon(to: &mut Families<'_>, s: &Statistics) {
    let labels =
        [("name", &*s.daemon.name), ("version", &*s.daemon.version), ("roles", &*s.daemon.roles.join("+"))];
    to.gauge("build_info", "Always 1; what is running is in the labels.", &labels, 1.0);
    to.gauge("uptime_seconds", "Time since the start of the daemon.", &[], s.daemon.uptime_s as f64);
    let gauges = [
        ("map_cache_entries", "Map-cache entries.", s.map_cache_entries),
        ("pending_lookups", "EIDs being looked up.", s.pending_lookups),
        ("registrations", "Registrations held by the Map-Server.", s.registrations),
        ("subscriptions_ours", "Subscriptions of ours to mappings.", s.subscriptions_ours),
        ("subscriptions_theirs", "Subscriptions of others with the Map-Server.", s.subscriptions_theirs),
        ("mbufs_in_use", "Packet buffers in use.", s.mbufs_in_use),
        ("mbufs", "Packet buffers in all.", s.mbufs_total),
    ];
    for (name, help, value) in gauges {
        to.gauge(name, help, &[], value as f64);
    }
    for (name, value) in &s.engine {
        to.counter(name, counter_help(name).unwrap_or("Counter of the control plane."), &[], *value);
    }
}

fn health(to: &mut Families<'_>, health: &Health) {
    to.gauge("ready", "1: all checks of /readyz are good.", &[], f64::from(u8::from(health.ready)));
    for check in &health.checks {
        let help = "1: this check of /readyz is good.";
        to.gauge("check_ok", help, &[("check", &check.name)], f64::from(u8::from(check.ok)));
    }
}

fn worker(to: &mut Families<'_>, w: &Worker) {
    let number = w.worker.to_string();
    let labels = [("worker", &*number)];
    for (name, value) in &w.counters {
        let help = counter_help(name).unwrap_or("Counter of a worker.");
        // What goes up and down is no counter.
        if name == "held" {
            to.gauge("worker_held_packets", help, &labels, *value as f64);
        } else {
            to.counter(&format!("worker_{}", name.trim_end_matches("_total")), help, &labels, *value);
        }
    }
    let (cycles, busy) =
        w.recent.map_or((w.cycles_per_packet, w.busy_percent), |r| (r.cycles_per_packet, r.busy_percent));
    let gauges = [
        ("worker_core", "CPU core of the worker.", f64::from(w.core)),
        ("worker_feed_lag", "Deltas sent to the worker and not applied yet.", w.feed_lag as f64),
        ("worker_cycles_per_packet", "TSC cycles a packet over the last moments.", cycles),
        ("worker_busy_percent", "Share of time with something to do over the last moments.", busy),
    ];
    for (name, help, value) in gauges {
        to.gauge(name, help, &labels, value);
    }
}

/// Every reason from the start, so that a rate sees the first packet of it.
fn drops(to: &mut Families<'_>, drops: &Drops, workers: usize) {
    for reason in DropReason::ALL {
        let known = drops.reasons.iter().find(|r| r.reason == reason.name());
        for worker in 0..workers {
            let packets = known.and_then(|r| r.packets_by_worker.get(worker)).copied().unwrap_or(0);
            let labels = [("reason", reason.name()), ("worker", &*worker.to_string())];
            to.counter("drops", "Packets dropped, by reason.", &labels, packets);
        }
    }
}

fn port(to: &mut Families<'_>, p: &Port) {
    let labels = [("port", &*p.name)];
    let c = &p.counters;
    let counters = [
        ("port_rx_packets", "Packets received by the NIC, or the sub-interface.", c.rx_packets),
        ("port_rx_bytes", "Bytes received by the NIC, or the sub-interface.", c.rx_bytes),
        ("port_rx_missed", "Packets lost because the workers did not fetch them in time.", c.rx_missed),
        ("port_rx_errors", "Erroneous packets received by the NIC.", c.rx_errors),
        ("port_rx_no_mbuf", "Times there was no packet buffer for a received packet.", c.rx_no_mbuf),
        ("port_tx_packets", "Packets sent by the NIC, or the sub-interface.", c.tx_packets),
        ("port_tx_bytes", "Bytes sent by the NIC, or the sub-interface.", c.tx_bytes),
        ("port_tx_errors", "Packets that the NIC could not send.", c.tx_errors),
    ];
    for (name, help, value) in counters {
        to.counter(name, help, &labels, value);
    }
    if let Some(h) = &p.host {
        let counters = [
            ("port_to_kernel", "Packets handed to the kernel.", h.to_kernel),
            ("port_to_kernel_refused", "Packets that the kernel did not take.", h.to_kernel_refused),
            ("port_from_kernel", "Packets of the kernel handed to a worker.", h.from_kernel),
            (
                "port_from_kernel_full",
                "Packets of the kernel dropped because the worker did not keep up.",
                h.from_kernel_full,
            ),
        ];
        for (name, help, value) in counters {
            to.counter(name, help, &labels, value);
        }
    }
    to.gauge("port_link_up", "1: the link is up.", &labels, f64::from(u8::from(p.link_up)));
    if let Some(mbps) = p.speed_mbps {
        to.gauge("port_speed_bits_per_second", "Speed of the link.", &labels, f64::from(mbps) * 1e6);
    }
    to.gauge("port_mtu_bytes", "IP MTU.", &labels, f64::from(p.mtu_bytes));
    let info = [("port", &*p.name), ("device", &*p.device), ("vrf", &*p.vrf), ("mac", &*p.mac)];
    to.gauge("port_info", "Always 1; what the port is, is in the labels.", &info, 1.0);
}

fn vrf(to: &mut Families<'_>, v: &VrfState) {
    let directions = [
        ("received", v.received),
        ("encapsulated", v.encapsulated),
        ("decapsulated", v.decapsulated),
        ("forwarded", v.forwarded),
    ];
    for (direction, flow) in directions {
        let labels = [("vrf", &*v.vrf), ("direction", direction)];
        to.counter("vrf_packets", "Packets of the VRF, by what was done.", &labels, flow.packets);
        to.counter("vrf_bytes", "Bytes of these, Ethernet header included.", &labels, flow.bytes);
    }
    to.counter("vrf_dropped_packets", "Packets of the VRF dropped.", &[("vrf", &v.vrf)], v.dropped_packets);
}

fn policer(to: &mut Families<'_>, p: &PolicerState) {
    for (verdict, flow) in [("passed", p.passed), ("dropped", p.dropped)] {
        let labels = [("policer", &*p.policer), ("verdict", verdict)];
        to.counter("policer_packets", "Packets that came to the policer.", &labels, flow.packets);
        to.counter("policer_bytes", "Bytes of these, as inner IP packets.", &labels, flow.bytes);
    }
}

fn rloc(to: &mut Families<'_>, r: &Rloc) {
    let address = r.rloc.to_string();
    let labels = [("rloc", &*address)];
    to.counter("rloc_packets", "Packets encapsulated to the RLOC.", &labels, r.packets);
    to.counter("rloc_bytes", "Bytes of these, outer headers included.", &labels, r.bytes);
    let up = f64::from(u8::from(r.state == RlocLocalState::Up));
    to.gauge("rloc_up", "1: packets can be sent to the RLOC.", &labels, up);
    to.gauge("rloc_entries", "Map-cache entries that name the RLOC.", &labels, r.entries as f64);
    if let Some(ms) = r.rtt_ms {
        to.gauge("rloc_rtt_seconds", "Round-trip time of the last answered RLOC-probe.", &labels, ms / 1e3);
    }
}
