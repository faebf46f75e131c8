//! The answers to clients: the runtime's state in the API's words.

use super::core::Runtime;
use super::plane::Plane;
use super::subscriptions;
use super::{hosts, nat, tenants};
use crate::api::{
    self, ApiError, ApiSource, AwayEids, Cleared, DaemonInfo, Database, Drops, DynamicEids, Echo, EidFilter,
    EntryAction, EntryOrigin, ErrorCode, Health, HealthCheck, HostPort, Lisp, LispInstance, ListQuery,
    Locator, LocatorState, MapCache, MapCacheEntry, MapCacheQuery, MapResolverState, Nat, Policers, Port,
    PortCounters, Ports, Registrations, Rloc, RlocLocalState, Rlocs, Statistics, Subscriptions, Vrfs,
    Workers,
};
use crate::engine::config::VrfConfig;
use crate::engine::event::{EidPrefix, Event, Locator as Candidate};
use crate::engine::mapping::{Act, Origin};
use crate::engine::select;
use crate::engine::views::{LocatorStatus, LocatorView, MapCacheView, MapResolverView};
use pxtr_dataplane::launch::{PortHandle, Spread};
use pxtr_dataplane::types::PortId;
use std::net::IpAddr;

/// A worker that is further behind than this is not well.
const LAG_WARNING: u64 = 100_000;

impl ApiSource for Runtime {
    fn map_cache(&self, query: &MapCacheQuery) -> MapCache {
        let engine = self.engine.get();
        let mut out =
            MapCache { entries_total: engine.sizes().map_cache_entries as u64, ..MapCache::default() };
        let found: Box<dyn Iterator<Item = MapCacheView>> = match query.eid {
            Some(EidFilter::Address(eid)) => {
                let vrfs = self.config.vrfs.iter().filter(|v| query.instance_id.is_none_or(|i| i == v.iid.0));
                Box::new(vrfs.filter_map(move |v| engine.map_cache_lookup(v.iid, eid)))
            }
            _ => Box::new(engine.map_cache().filter(|view| query.accepts(view.iid.0, &view.prefix))),
        };
        for view in found {
            if out.entries.len() == query.limit() {
                out.truncated = true;
                break;
            }
            out.entries.push(self.map_cache_entry(view));
        }
        out
    }

    fn database(&self, query: &ListQuery) -> Database {
        let engine = self.engine.get();
        let etr = engine.roles().etr().into_iter();
        let views = etr.flat_map(|etr| etr.database(engine.config())).filter(|v| query.accepts(v.eid.iid.0));
        api::database(views, self.clock.now(), query.limit())
    }

    fn registrations(&self, query: &ListQuery) -> Result<Registrations, ApiError> {
        let engine = self.engine.get();
        let map_server = engine.roles().map_server().ok_or_else(|| {
            ApiError::new(
                ErrorCode::Unavailable,
                "this daemon is no Map-Server; ask one whose lisp.roles has it",
            )
        })?;
        let mut out =
            Registrations { registrations_total: map_server.len() as u64, ..Registrations::default() };
        let views = map_server.registrations(engine.config(), self.clock.now());
        for view in views.filter(|v| query.accepts(v.eid.iid.0)) {
            if out.registrations.len() == query.limit() {
                out.truncated = true;
                break;
            }
            out.registrations.push(api::registration(view));
        }
        Ok(out)
    }

    fn dynamic_eids(&self, query: &ListQuery) -> DynamicEids {
        hosts::here(self, query)
    }

    fn nat(&self, query: &ListQuery) -> Nat {
        nat::all(self, query)
    }

    fn away(&self, query: &ListQuery) -> AwayEids {
        hosts::away(self, query)
    }

    fn subscriptions(&self, query: &ListQuery) -> Subscriptions {
        subscriptions::all(self, query)
    }

    fn rlocs(&self, query: &ListQuery) -> Rlocs {
        let views = self.engine.get().rlocs();
        let limit = query.limit();
        Rlocs {
            rlocs_total: views.len() as u64,
            truncated: views.len() > limit,
            rlocs: views.into_iter().take(limit).map(|view| self.rloc(&view)).collect(),
        }
    }

    fn ports(&self) -> Ports {
        let handles = self.plane.iter().flat_map(|p| &p.ports);
        Ports { ports: handles.filter_map(|handle| self.port(handle)).collect() }
    }

    fn vrfs(&self, query: &ListQuery) -> Vrfs {
        tenants::vrfs(self, query)
    }

    fn policers(&self, query: &ListQuery) -> Policers {
        tenants::policers(self, query)
    }

    fn workers(&self) -> Workers {
        Workers { workers: self.plane.as_ref().map(Plane::worker_views).unwrap_or_default() }
    }

    fn drops(&self) -> Drops {
        api::drops(&self.plane.as_ref().map(Plane::snapshots).unwrap_or_default())
    }

    fn statistics(&self) -> Statistics {
        let snapshots = self.plane.as_ref().map(Plane::snapshots).unwrap_or_default();
        let engine = self.engine.get();
        let (mut counters, dataplane) = api::statistics(engine.counters(), &snapshots);
        let mut own = self.counters;
        if let Some(plane) = &self.plane {
            plane.count(&mut own);
        }
        counters.extend(own.fields().map(|(name, _, value)| (name.to_owned(), value)));
        let (in_use, total) = self.plane.as_ref().map(Plane::mbufs).unwrap_or_default();
        Statistics {
            daemon: self.info(),
            map_cache_entries: engine.sizes().map_cache_entries as u64,
            pending_lookups: engine.sizes().lookups as u64,
            registrations: engine.roles().map_server().map_or(0, |m| m.len() as u64),
            subscriptions_ours: engine.sizes().subscriptions as u64,
            subscriptions_theirs: engine.roles().map_server().map_or(0, |m| m.subscription_count() as u64),
            mbufs_in_use: in_use,
            mbufs_total: total,
            engine: counters,
            dataplane,
        }
    }

    fn health(&self) -> Health {
        let mut checks = Vec::new();
        if let Some(plane) = &self.plane {
            let lag = plane.workers.lag().max().unwrap_or(0);
            checks.push(check("feed", lag < LAG_WARNING, format!("slowest worker {lag} deltas behind")));
            let down = plane.host_interfaces_down();
            let detail = if down.is_empty() { "all up".into() } else { format!("down: {}", down.join(", ")) };
            checks.push(check("host_interfaces", down.is_empty(), detail));
        }
        let engine = self.engine.get();
        if let Some(etr) = engine.roles().etr().filter(|_| !engine.config().map_servers.is_empty()) {
            let all: Vec<_> = etr.database(engine.config()).collect();
            let good = all.iter().filter(|d| d.registrations.iter().any(|r| r.confirmed)).count();
            let detail = format!("{good} of {} EID-prefixes registered", all.len());
            checks.push(check("registration", good == all.len(), detail));
        }
        Health::from_checks(checks)
    }

    fn lisp(&self) -> Lisp {
        let engine = self.engine.get();
        let config = engine.config();
        let resolver = |r: MapResolverView| MapResolverState {
            address: r.address,
            suspect: r.suspect,
            unanswered: r.unanswered,
            rtt_ms: r.rtt_ms,
        };
        let instance = |v: &VrfConfig| LispInstance {
            vrf: v.name.clone(),
            instance_id: v.iid.0,
            eid_space: v.eid_space.clone(),
        };
        Lisp {
            roles: self.info().roles,
            rlocs: config.rlocs.clone(),
            map_resolvers: engine.map_resolvers().map(resolver).collect(),
            map_servers: config.map_servers.iter().map(|m| m.address).collect(),
            instances: config.vrfs.iter().map(instance).collect(),
        }
    }

    fn clear_map_cache(&mut self, query: &MapCacheQuery) -> Cleared {
        let before = self.engine.get().sizes().map_cache_learnt;
        let now = self.clock.now();
        for event in self.clear_events(query) {
            if let Err(e) = self.event(event) {
                self.notices.say(now, "clear_map_cache", &e.to_string());
            }
        }
        let after = self.engine.get().sizes().map_cache_learnt;
        Cleared { entries: before.saturating_sub(after) as u64 }
    }
}

impl Runtime {
    fn info(&self) -> DaemonInfo {
        let roles = self.config.roles;
        let words = [
            (roles.pitr, "pitr"),
            (roles.petr, "petr"),
            (roles.xtr, "xtr"),
            (roles.map_server, "map-server"),
            (roles.map_resolver, "map-resolver"),
            (roles.ddt_node, "ddt-node"),
            (roles.fhr, "fhr"),
        ];
        DaemonInfo {
            name: self.config.daemon.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            roles: words.iter().filter(|(on, _)| *on).map(|(_, word)| (*word).to_owned()).collect(),
            uptime_s: self.clock.now().0 / 1000,
        }
    }

    /// A query without a prefix means everything; one without an instance means each of them.
    fn clear_events(&self, query: &MapCacheQuery) -> Vec<Event> {
        let vrfs = self.config.vrfs.iter().filter(|v| query.instance_id.is_none_or(|i| i == v.iid.0));
        match (query.eid, query.instance_id) {
            (None, None) => vec![Event::ClearMapCache(None)],
            (None, Some(_)) => {
                let all = ["0.0.0.0/0", "::/0"].map(|p| p.parse::<ipnet::IpNet>());
                let prefixes = all.into_iter().flatten();
                let iids: Vec<_> = vrfs.map(|v| v.iid).collect();
                let clear = |prefix| {
                    iids.iter().map(move |iid| Event::ClearMapCache(Some(EidPrefix { iid: *iid, prefix })))
                };
                prefixes.flat_map(clear).collect()
            }
            (Some(eid), _) => {
                let prefix = eid.prefix();
                vrfs.map(|v| Event::ClearMapCache(Some(EidPrefix { iid: v.iid, prefix }))).collect()
            }
        }
    }

    fn map_cache_entry(&self, view: MapCacheView) -> MapCacheEntry {
        let eid = EidPrefix { iid: view.iid, prefix: view.prefix };
        let (packets, bytes) = self.plane.as_ref().map(|p| p.entry_counters(&eid)).unwrap_or_default();
        let locators = locators(&view.locators);
        let usable = locators.iter().any(|l| l.in_use);
        MapCacheEntry {
            instance_id: view.iid.0,
            vrf: self
                .config
                .vrfs
                .iter()
                .find(|v| v.iid == view.iid)
                .map(|v| v.name.clone())
                .unwrap_or_default(),
            eid_prefix: view.prefix,
            origin: match view.origin {
                Origin::EidSpace => EntryOrigin::EidSpace,
                Origin::Static => EntryOrigin::Static,
                Origin::Nat => EntryOrigin::Nat,
                Origin::MapReply | Origin::Hole => EntryOrigin::Learnt,
            },
            action: match view.action {
                Act::Encapsulate if usable => EntryAction::Encapsulate,
                Act::Encapsulate => EntryAction::NoUsableLocator,
                // To a Proxy ETR instead (RFC 6832 section 6.1).
                Act::NativelyForward if view.via_petr && usable => EntryAction::Encapsulate,
                Act::NativelyForward if view.via_petr => EntryAction::NoUsableLocator,
                Act::NativelyForward => EntryAction::NativelyForward,
                Act::NoAction => EntryAction::NoAction,
                Act::SendMapRequest => EntryAction::SendMapRequest,
                Act::DropNoReason => EntryAction::DropNoReason,
                Act::DropPolicyDenied => EntryAction::DropPolicyDenied,
                Act::DropAuthFailure => EntryAction::DropAuthFailure,
            },
            locators,
            via_petr: view.via_petr,
            age_s: view.uptime_s,
            expires_in_s: view.ttl_remaining_s,
            idle_s: view.idle_s,
            packets,
            bytes,
        }
    }

    fn port(&self, handle: &PortHandle) -> Option<Port> {
        let config = &self.config;
        let spec = config.ports.iter().find(|p| p.id == handle.id())?;
        // The link of a device that is gone shows as down.
        let link = handle.link().ok();
        let carrier = self.plane.as_ref().and_then(|p| p.carrier.is_up(handle.id()));
        let parent = handle.parent();
        // What its parent's NIC counts is not its own.
        let xstats = if parent.is_none() { handle.xstats().unwrap_or_default() } else { Vec::new() };
        Some(Port {
            name: spec.name.clone(),
            parent: parent.and_then(|id| self.port_name(id)),
            vlan: spec.sub.map(|(_, tags)| match tags.inner {
                Some(inner) => format!("{}.{inner}", tags.outer),
                None => tags.outer.to_string(),
            }),
            device: handle.device().to_owned(),
            mac: handle.mac().to_string(),
            mtu_bytes: handle.mtu(),
            vrf: config.vrfs.iter().find(|v| v.id == spec.vrf).map(|v| v.name.clone()).unwrap_or_default(),
            underlay: spec.underlay,
            native: spec.native,
            link_up: link.is_some_and(|l| l.up) && carrier != Some(false),
            speed_mbps: link.and_then(|l| l.speed_mbps),
            queues: spec.queues,
            software_spread: spec.spread == Spread::Software,
            counters: match parent {
                Some(_) => tenants::subinterface(self.plane.as_ref(), handle.id()),
                None => nic(handle),
            },
            host: host_port(handle),
            xstats: xstats.into_iter().filter(|x| x.value != 0).map(|x| (x.name, x.value)).collect(),
        })
    }

    fn port_name(&self, id: PortId) -> Option<String> {
        self.config.ports.iter().find(|port| port.id == id).map(|port| port.name.clone())
    }

    fn rloc(&self, view: &crate::engine::views::RlocView) -> Rloc {
        let path = self.plane.as_ref().and_then(|p| p.feeder.rloc(view.rloc));
        let (packets, bytes) = match (&self.plane, &path) {
            (Some(plane), Some(path)) => plane.rloc_counters(path.slot),
            _ => (0, 0),
        };
        let state = match path.as_ref().map(|p| p.state) {
            Some("ready") => RlocLocalState::Up,
            Some("resolving") => RlocLocalState::Resolving,
            Some(_) => RlocLocalState::Down,
            None if view.status == LocatorStatus::Up => RlocLocalState::Up,
            None => RlocLocalState::Down,
        };
        let detail = match path.as_ref().and_then(|p| p.down) {
            Some(crate::feeder::DownReason::Engine) | None => status_text(view.status),
            Some(why) => why.name(),
        };
        let ready = path.as_ref().and_then(|p| p.path);
        Rloc {
            rloc: view.rloc,
            state,
            detail: detail.to_owned(),
            entries: view.entries as u64,
            port: ready.and_then(|p| self.port_name(p.port)),
            source: ready.map(|p| p.source),
            next_hop_mac: ready.map(|p| p.next_hop_mac.to_string()),
            mtu_bytes: ready.map(|p| p.mtu),
            mtu_learnt_expires_s: ready
                .and_then(|p| p.learnt_until)
                .map(|until| until.since(self.clock.now()) / 1000),
            rtt_ms: view.rtt_ms.map(f64::from),
            last_probe_reply_s_ago: view.answered_ago_ms.map(|ms| ms / 1000),
            probes_lost: u32::from(view.probes_lost),
            echo: view.echo.map(|echo| Echo {
                asking: echo.asking,
                last_echo_s_ago: echo.answered_ago_ms.map(|ms| ms / 1000),
            }),
            packets,
            bytes,
        }
    }
}

fn check(name: &str, ok: bool, detail: String) -> HealthCheck {
    HealthCheck { name: name.to_owned(), ok, detail }
}

fn locators(views: &[LocatorView]) -> Vec<Locator> {
    let up = |rloc: IpAddr| views.iter().any(|l| l.rloc == rloc && l.status == LocatorStatus::Up);
    let candidate =
        |l: &LocatorView| Candidate { stand_in: l.stand_in, ..Candidate::new(l.rloc, l.priority, l.weight) };
    let candidates: Vec<_> = views.iter().map(candidate).collect();
    let in_use = select::in_use(&candidates, up);
    let one = |(l, candidate): (&LocatorView, &Candidate)| Locator {
        rloc: l.rloc,
        priority: l.priority,
        weight: l.weight,
        state: match l.status {
            LocatorStatus::Up => LocatorState::Up,
            LocatorStatus::NoProbeReply => LocatorState::ProbeDown,
            LocatorStatus::NoEcho => LocatorState::EchoMissing,
            LocatorStatus::SaidDown => LocatorState::SaidDown,
            LocatorStatus::NoRoute => LocatorState::NoRoute,
            LocatorStatus::NoLocalRloc => LocatorState::NoFamily,
            LocatorStatus::NotForUnicast | LocatorStatus::NotReachable => LocatorState::NotForUse,
        },
        in_use: in_use.iter().any(|(chosen, _)| std::ptr::eq(*chosen, candidate)),
        path: l.path.clone(),
    };
    views.iter().zip(&candidates).map(one).collect()
}

fn status_text(status: LocatorStatus) -> &'static str {
    match status {
        LocatorStatus::Up => "",
        LocatorStatus::NoProbeReply => "rloc-probes-unanswered",
        LocatorStatus::NoEcho => "nonces-not-echoed",
        LocatorStatus::SaidDown => "said-down-by-its-site",
        LocatorStatus::NoRoute => "no-underlay-route",
        LocatorStatus::NoLocalRloc => "no-rloc-of-this-family",
        LocatorStatus::NotForUnicast => "priority-255",
        LocatorStatus::NotReachable => "r-bit-clear",
    }
}

fn nic(handle: &PortHandle) -> PortCounters {
    // A device that is gone has no counters.
    let stats = handle.stats().unwrap_or_default();
    PortCounters {
        rx_packets: stats.rx_packets,
        rx_bytes: stats.rx_bytes,
        rx_missed: stats.rx_missed,
        rx_errors: stats.rx_errors,
        rx_no_mbuf: stats.rx_no_mbuf,
        tx_packets: stats.tx_packets,
        tx_bytes: stats.tx_bytes,
        tx_errors: stats.tx_errors,
    }
}

fn host_port(handle: &PortHandle) -> Option<HostPort> {
    let counts = handle.host_counts()?;
    Some(HostPort {
        interface: handle.host_interface()?.to_owned(),
        to_kernel: counts.to_kernel,
        to_kernel_refused: counts.to_kernel_refused,
        from_kernel: counts.from_kernel,
        from_kernel_full: counts.from_kernel_full,
    })
}
