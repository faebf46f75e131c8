//! The engine itself: one event in, actions out.

use super::config::EngineConfig;
use super::counters::Counters;
use super::cx::Cx;
use super::dispatch;
use super::event::{Action, Event, Time};
use super::header;
use super::hosts;
use super::itr::Itr;
use super::nat;
use super::rng::Rng;
use super::role_set::RoleSet;
use crate::roles::Etr;
use crate::roles::etr::DatabaseView;
use crate::roles::map_server::RegistrationView;

/// All protocol state of one daemon.
#[derive(Debug)]
pub struct Engine {
    config: EngineConfig,
    rng: Rng,
    counters: Counters,
    now: Time,
    started: bool,
    itr: Itr,
    roles: RoleSet,
}

impl Engine {
    /// An engine with its configuration and the seed of all its randomness. Nothing happens before
    /// the first step.
    #[must_use]
    pub fn new(config: EngineConfig, seed: [u8; 32]) -> Self {
        Self {
            roles: RoleSet::new(&config),
            rng: Rng::new(seed),
            counters: Counters::default(),
            now: Time::default(),
            started: false,
            itr: Itr::default(),
            config,
        }
    }

    /// Handles one event at `now`, and whatever is due by then. Actions are appended to `out`, in
    /// the order in which they are to be done. A clock that runs backwards is taken as standing.
    pub fn step(&mut self, now: Time, event: Event, out: &mut Vec<Action>) {
        self.now = self.now.max(now);
        let first = !std::mem::replace(&mut self.started, true);
        let (mut cx, itr, roles) = self.split(out);
        if first {
            configure(&mut cx, itr, roles);
        }
        match event {
            Event::Tick => {}
            Event::Miss { iid, eid, source } => itr.on_miss(&mut cx, iid, eid, source),
            Event::Datagram { from, to, payload } => {
                dispatch::datagram(&mut cx, itr, roles, (from, to), &payload);
            }
            Event::EntriesUsed(eids) => itr.on_used(&mut cx, &eids),
            Event::UnderlayChanged { rloc, reachable } => {
                itr.rlocs.on_underlay(&mut cx, rloc, reachable);
            }
            Event::SiteLocator { rloc, up } => {
                roles.etr_mut().into_iter().for_each(|etr| etr.on_site_locator(&mut cx, rloc, up));
            }
            Event::IcmpUnreachable { rloc } => itr.rlocs.on_icmp(&mut cx, rloc),
            Event::Header { eid, rloc, said } => header::heard(&mut cx, itr, roles, (eid, rloc), said),
            Event::Echo { rloc, said, sent } => itr.rlocs.on_echo(&mut cx, rloc, said, sent),
            Event::NoncesKept(kept) => {
                let now = cx.now;
                roles.map_server_mut().into_iter().for_each(|ms| ms.restore_nonces(now, &kept));
            }
            Event::ClearMapCache(inside) => itr.clear(&mut cx, inside.as_ref()),
            Event::KeysUsed(keys) => {
                roles.etr_mut().into_iter().for_each(|etr| etr.on_keys_used(&mut cx, &keys));
            }
            event @ (Event::HostSeen(_) | Event::AwayHit { .. } | Event::HostProbed { .. }) => {
                roles.etr_mut().into_iter().for_each(|etr| host_event(&mut cx, etr, &event));
            }
        }
        hosts::settle(&mut cx, itr, roles);
        nat::settle(&mut cx, itr, roles);
        itr.on_tick(&mut cx);
        for role in roles.each() {
            if role.next_deadline().is_some_and(|at| at <= cx.now) {
                role.on_tick(&mut cx);
            }
        }
        hosts::settle(&mut cx, itr, roles);
        nat::settle(&mut cx, itr, roles);
    }

    /// When to step with `Event::Tick` if nothing else happens before.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        if !self.started {
            return Some(self.now);
        }
        let roles = self.roles.each_ref().filter_map(super::Role::next_deadline);
        roles.chain(self.itr.next_deadline()).min()
    }

    /// Puts a new configuration in force; what it changes follows as actions.
    pub fn reconfigure(&mut self, now: Time, config: EngineConfig, out: &mut Vec<Action>) {
        self.now = self.now.max(now);
        self.config = config;
        self.roles.choose(&self.config);
        if self.started {
            let (mut cx, itr, roles) = self.split(out);
            configure(&mut cx, itr, roles);
        }
    }

    /// Exact counters since the start.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Our own EID-prefixes (ETR) and how far their registration is.
    pub fn database(&self) -> impl Iterator<Item = DatabaseView> + '_ {
        self.roles.etr().into_iter().flat_map(|etr| etr.database(&self.config))
    }

    /// What is registered with us (Map-Server), by instance and EID-prefix.
    pub fn registrations(&self) -> impl Iterator<Item = RegistrationView> + '_ {
        self.roles.map_server().into_iter().flat_map(|ms| ms.registrations(&self.config, self.now))
    }

    /// The roles of the mapping system that are on.
    #[must_use]
    pub fn roles(&self) -> &RoleSet {
        &self.roles
    }

    pub(super) fn itr(&self) -> &Itr {
        &self.itr
    }

    pub(super) fn now(&self) -> Time {
        self.now
    }

    /// The configuration in force.
    #[must_use]
    pub fn config(&self) -> &EngineConfig {
        &self.config
    }

    /// The state machines, and the surroundings they are called with.
    fn split<'a>(&'a mut self, out: &'a mut Vec<Action>) -> (Cx<'a>, &'a mut Itr, &'a mut RoleSet) {
        let cx =
            Cx { now: self.now, rng: &mut self.rng, out, counters: &mut self.counters, config: &self.config };
        (cx, &mut self.itr, &mut self.roles)
    }
}

/// Events about hosts are the ETR's.
fn host_event(cx: &mut Cx<'_>, etr: &mut Etr, event: &Event) {
    match event {
        Event::HostSeen(seen) => etr.on_host_seen(cx, seen),
        Event::AwayHit { eid, rloc } => etr.on_away_hit(cx, *eid, *rloc),
        Event::HostProbed { eid, alive } => etr.on_host_probed(cx, eid, *alive),
        _ => {}
    }
}

fn configure(cx: &mut Cx<'_>, itr: &mut Itr, roles: &mut RoleSet) {
    itr.configure(cx);
    roles.each().for_each(|role| role.configure(cx));
}
