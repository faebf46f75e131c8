//! The data plane as control sees it: workers, ports, the feeder, and the kernel's tables.

use super::carrier::Carrier;
use super::counters::RuntimeCounters;
use super::error::Error;
use super::ports;
use super::usage::{self, UsageScan};
use super::workers::Workers;
use crate::api::{self, Worker};
use crate::config::Config;
use crate::engine::event::{Action, EidPrefix, Event, HostSeen, Time};
use crate::feeder::{Feeder, Probe, Refused};
use crate::netlink::{Changed, Netlink, Space};
use ipnet::IpNet;
use pxtr_dataplane::counters::Snapshot;
use pxtr_dataplane::launch::{PortHandle, Running, WorkerHandle};
use pxtr_dataplane::punt::Punt;
use pxtr_dataplane::types::{PortId, RlocId};
use std::collections::{HashMap, VecDeque};

/// How long a restarted engine has to install what it knows before what it does not is withdrawn,
/// milliseconds.
const STALE_AFTER_MS: u64 = 10_000;
/// Entry slots looked at per call while withdrawing, and the pause between calls.
const STALE_SLOTS: u32 = 1_000;
const STALE_PAUSE_MS: u64 = 50;
/// Pause between looks at the links of the ports, milliseconds.
const CARRIER_PAUSE_MS: u64 = 50;
/// The kernel has found out about a neighbour by then, milliseconds: it waits 5 s, then asks 3 times.
const PROBE_MS: u64 = 10_000;
/// Pause between looks for keys that packets came with, milliseconds.
const KEYS_PAUSE_MS: u64 = 500;
/// Pause between looks for dead threads, milliseconds.
const ALIVE_PAUSE_MS: u64 = 1_000;

/// Everything about forwarding.
pub(super) struct Plane {
    pub(super) workers: Workers,
    pub(super) ports: Vec<PortHandle>,
    pub(super) running: Running,
    pub(super) feeder: Feeder,
    pub(super) netlink: Netlink,
    /// Host interfaces whose hosts have no business with the control plane.
    native_interfaces: Vec<String>,
    /// Network namespace of each port's host interface.
    spaces: Vec<Space>,
    pub(super) carrier: Carrier,
    carrier_at: Time,
    native_links: Vec<u32>,
    rloc_base: HashMap<RlocId, (u64, u64)>,
    usage: UsageScan,
    usage_at: Time,
    usage_round: Time,
    keys_at: Time,
    alive_at: Time,
    stale: Option<(Time, u32)>,
    /// Hosts that the kernel was asked about, and when to look at what it found.
    probes: VecDeque<(Time, Probe)>,
    /// Snapshots of the workers from a moment ago, for rates.
    sample: (Time, Vec<Snapshot>),
    sample_before: (Time, Vec<Snapshot>),
}

impl Plane {
    pub(super) fn new(
        workers: Workers,
        handles: Vec<PortHandle>,
        running: Running,
        feeder: Feeder,
        netlink: Netlink,
        config: &Config,
    ) -> Self {
        let mut plane = Self {
            workers,
            ports: handles,
            running,
            feeder,
            netlink,
            native_interfaces: ports::native_interfaces(config),
            spaces: ports::spaces(config),
            carrier: ports::carrier(config),
            carrier_at: Time::default(),
            native_links: Vec::new(),
            rloc_base: HashMap::new(),
            usage: UsageScan::default(),
            usage_at: Time::default(),
            usage_round: Time::default(),
            keys_at: Time::default(),
            alive_at: Time::default(),
            stale: None,
            probes: VecDeque::new(),
            sample: Default::default(),
            sample_before: Default::default(),
        };
        plane.find_native_links();
        plane
    }

    /// Puts a new configuration in force; it needs no restart.
    pub(super) fn reconfigure(&mut self, now: Time, config: &Config) {
        let Some(launch) = config.launch() else { return };
        let spec = ports::feeder_spec(config, &launch, &self.ports);
        self.feeder.reconfigure(now, self.netlink.view(), spec);
        self.native_interfaces = ports::native_interfaces(config);
        self.find_native_links();
    }

    /// Finds the interfaces that lead to native hosts only.
    fn find_native_links(&mut self) {
        let view = self.netlink.view();
        let index = |name: &String| view.link_by_name(0, name).map(|l| l.index);
        self.native_links = self.native_interfaces.iter().filter_map(index).collect();
    }

    pub(super) fn on_kernel(&mut self, now: Time, changes: &[Changed]) {
        if changes.iter().any(|c| matches!(c, Changed::Link(_))) {
            self.find_native_links();
        }
        self.feeder.on_kernel(now, self.netlink.view(), changes);
    }

    /// Does this interface lead to native hosts only?
    pub(super) fn is_native_interface(&self, link: u32) -> bool {
        self.native_links.contains(&link)
    }

    pub(super) fn on_action(&mut self, now: Time, action: &Action) -> Result<(), Refused> {
        self.feeder.on_action(now, self.netlink.view(), action)
    }

    pub(super) fn on_engine_restart(&mut self, now: Time) {
        self.feeder.on_engine_restart(now, self.netlink.view());
        self.stale = Some((now.plus_ms(STALE_AFTER_MS), 0));
    }

    /// Takes the workers' events and does what is due. Returns what the engine is to know.
    ///
    /// # Errors
    /// A thread of the data plane died.
    pub(super) fn poll(&mut self, now: Time, counters: &mut RuntimeCounters) -> Result<Vec<Event>, Error> {
        let mut events = Vec::new();
        for punt in self.workers.punts() {
            counters.punts += 1;
            self.on_punt(now, punt, &mut events, counters);
        }
        if now >= self.alive_at {
            self.alive_at = now.plus_ms(ALIVE_PAUSE_MS);
            let now_sample = (now, self.snapshots());
            self.sample_before = std::mem::replace(&mut self.sample, now_sample);
            let dead = self.running.dead();
            if !dead.is_empty() {
                return Err(Error::WorkerDied(dead.join(", ")));
            }
        }
        if now >= self.usage_at {
            let (used, complete) = self.usage.step(&self.feeder, |id| self.workers.entry(id).0);
            if !used.is_empty() {
                events.push(Event::EntriesUsed(used));
            }
            self.usage_at = now.plus_ms(usage::PAUSE_MS);
            if complete {
                self.usage_at = self.usage_at.max(self.usage_round.plus_ms(usage::ROUND_MS));
                self.usage_round = self.usage_at;
            }
        }
        if now >= self.keys_at {
            self.keys_at = now.plus_ms(KEYS_PAUSE_MS);
            let used = self.feeder.keys_used();
            if !used.is_empty() {
                events.push(Event::KeysUsed(used));
            }
        }
        if let Some((at, from)) = self.stale
            && now >= at
        {
            let next = self.feeder.withdraw_stale(now, self.netlink.view(), from, STALE_SLOTS);
            self.stale = next.map(|from| (now.plus_ms(STALE_PAUSE_MS), from));
        }
        while let Some(&(_, probe)) = self.probes.front().filter(|(at, _)| *at <= now) {
            self.probes.pop_front();
            let state = self.netlink.view().neighbour(probe.link, probe.eid.prefix.addr());
            let alive = state.is_some_and(|state| state.mac().is_some());
            events.push(Event::HostProbed { eid: probe.eid, alive });
        }
        self.feeder.on_tick(now, self.netlink.view());
        Ok(events)
    }

    fn on_punt(&mut self, now: Time, punt: Punt, events: &mut Vec<Event>, counters: &mut RuntimeCounters) {
        let view = self.netlink.view();
        match punt {
            Punt::Miss { vrf, eid, source } => match self.feeder.iid(vrf) {
                Some(iid) => events.push(Event::Miss { iid, eid, source }),
                None => counters.punts_unknown += 1,
            },
            Punt::NeighbourMiss { port, neighbour } => {
                self.feeder.on_neighbour_miss(now, view, port, neighbour);
            }
            Punt::PathMtu { rloc, .. } | Punt::RlocUnreachable { rloc } if !self.feeder.has_rloc(rloc) => {
                counters.core_hints_unknown += 1;
            }
            Punt::PathMtu { rloc, mtu } => {
                counters.path_mtus_learnt += u64::from(self.feeder.on_path_mtu(now, view, rloc, mtu));
            }
            Punt::RlocUnreachable { rloc } => events.push(Event::IcmpUnreachable { rloc }),
            Punt::RlocWanted(slot) => self.feeder.on_rloc_wanted(now, view, slot),
            Punt::DynamicEid { vrf, eid, port, mac, seen, claim } => match self.feeder.iid(vrf) {
                Some(iid) => {
                    let eid = EidPrefix { iid, prefix: IpNet::from(eid) };
                    events.push(Event::HostSeen(HostSeen { eid, port, mac, seen, claim }));
                }
                None => counters.punts_unknown += 1,
            },
            Punt::Header { vrf, eid, rloc, said } => match self.feeder.iid(vrf) {
                Some(iid) => {
                    let eid = EidPrefix { iid, prefix: IpNet::from(eid) };
                    events.push(Event::Header { eid, rloc, said });
                }
                None => counters.punts_unknown += 1,
            },
            Punt::Echo { rloc, said } => match self.feeder.rloc(rloc) {
                Some(path) => {
                    let (sent, _) = self.workers.rloc(path.slot);
                    events.push(Event::Echo { rloc, said, sent });
                }
                None => counters.punts_unknown += 1,
            },
            Punt::AwayHit { vrf, eid, rloc } => match self.feeder.iid(vrf) {
                Some(iid) => {
                    events.push(Event::AwayHit { eid: EidPrefix { iid, prefix: IpNet::from(eid) }, rloc });
                }
                None => counters.punts_unknown += 1,
            },
        }
    }

    /// Passes changes of the ports' links on. Returns a sentence for each.
    pub(super) fn update_carrier(&mut self, now: Time) -> Vec<String> {
        if now < self.carrier_at {
            return Vec::new();
        }
        self.carrier_at = now.plus_ms(CARRIER_PAUSE_MS);
        let changes = self.carrier.update(&self.ports, &self.netlink);
        let tell = |(port, up, said): (PortId, bool, String)| {
            self.feeder.on_cable(now, self.netlink.view(), port, up);
            said
        };
        changes.into_iter().map(tell).collect()
    }

    /// Hands the feeder's output on. Returns what the engine is to know.
    pub(super) fn carry(&mut self, now: Time, counters: &mut RuntimeCounters) -> Vec<Event> {
        let out = &mut self.feeder.out;
        for slot in out.rebound_rlocs.drain(..) {
            self.rloc_base.insert(slot, self.workers.rloc(slot));
        }
        for ask in out.asks.drain(..) {
            counters.neighbours_asked += 1;
            counters.netlink_send_failed +=
                u64::from(self.netlink.use_neighbour(ask.link, ask.addr).is_err());
        }
        for route in out.host_routes.drain(..) {
            counters.netlink_send_failed += u64::from(self.netlink.host_route(route).is_err());
        }
        for probe in out.probes.drain(..) {
            self.probes.push_back((now.plus_ms(PROBE_MS), probe));
        }
        self.workers.put(std::mem::take(&mut out.deltas));
        let events = std::mem::take(&mut out.events);
        let (reached, freed) = self.workers.flush();
        self.feeder.acknowledge(reached);
        counters.retired += freed;
        events
    }

    /// Packets and bytes sent to an RLOC since its slot is its own, over all workers.
    pub(super) fn rloc_counters(&self, slot: RlocId) -> (u64, u64) {
        let (packets, bytes) = self.workers.rloc(slot);
        let (packets0, bytes0) = self.rloc_base.get(&slot).copied().unwrap_or_default();
        (packets.wrapping_sub(packets0), bytes.wrapping_sub(bytes0))
    }

    /// Packets and bytes of a map-cache entry, over all workers.
    pub(super) fn entry_counters(&self, eid: &EidPrefix) -> (u64, u64) {
        self.feeder.entry_slot(eid).map(|slot| self.workers.entry(slot)).unwrap_or_default()
    }

    /// The counters of every worker now.
    pub(super) fn snapshots(&self) -> Vec<Snapshot> {
        self.workers.links().map(WorkerHandle::snapshot).collect()
    }

    /// The workers in the API's words.
    pub(super) fn worker_views(&self) -> Vec<Worker> {
        let ((at, sample), (before_at, before)) = (&self.sample, &self.sample_before);
        let recent = |i: usize| {
            let interval_ms = at.since(*before_at);
            Some(api::rates_between(before.get(i)?, sample.get(i)?, interval_ms))
        };
        let put = self.workers.put_so_far();
        self.workers
            .links()
            .zip(put)
            .enumerate()
            .map(|(i, (link, put))| {
                api::worker(i as u32, link.core() as u32, &link.snapshot(), put, recent(i))
            })
            .collect()
    }

    /// Packet buffers in use, and in all.
    pub(super) fn mbufs(&self) -> (u64, u64) {
        let pools = self.running.pools();
        let in_use: u64 = pools.iter().map(|p| u64::from(p.in_use())).sum();
        (in_use, in_use + pools.iter().map(|p| u64::from(p.available())).sum::<u64>())
    }

    /// Copies what the feeder and netlink count.
    pub(super) fn count(&self, counters: &mut RuntimeCounters) {
        let stats = self.feeder.stats();
        let [entries, rlocs, sets, adjacencies] = stats.refused;
        counters.feeder_deltas = stats.deltas;
        counters.feeder_entries_refused = entries;
        counters.feeder_rlocs_refused = rlocs;
        counters.feeder_locator_sets_refused = sets;
        counters.feeder_adjacencies_refused = adjacencies;
        counters.feeder_neighbour_misses_refused = stats.neighbour_misses_refused;
        let view = self.netlink.view().counters();
        counters.kernel_routes_refused = view.routes_refused;
        counters.kernel_neighbours_refused = view.neighbours_refused;
        counters.netlink_overruns = self.netlink.overruns();
        counters.netlink_undecodable = self.netlink.undecodable();
    }

    /// Host interfaces that are down or missing.
    pub(super) fn host_interfaces_down(&self) -> Vec<String> {
        let view = self.netlink.view();
        let faces =
            self.ports.iter().zip(&self.spaces).filter_map(|(p, space)| Some((*space, p.host_interface()?)));
        let down = |(space, name): &(Space, &str)| !view.link_by_name(*space, name).is_some_and(|l| l.up);
        faces.filter(down).map(|(_, name)| name.to_owned()).collect()
    }

    /// Deltas wait for room in a ring: look again soon.
    pub(super) fn has_backlog(&self) -> bool {
        self.workers.backlog().any(|n| n > 0)
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        let stale = self.stale.map(|(at, _)| at);
        let probe = self.probes.front().map(|(at, _)| *at);
        [
            self.feeder.next_deadline(),
            stale,
            probe,
            Some(self.usage_at),
            Some(self.alive_at),
            Some(self.carrier_at),
        ]
        .into_iter()
        .flatten()
        .min()
    }
}
