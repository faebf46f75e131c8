//! The world: plays a scenario and watches that nothing breaks the rules.

use super::attack;
use super::generate::stream;
use super::network::{Datagram, Network};
use super::node::Node;
use super::plane::Fate;
use super::rules::{REGISTRATION_MS, SLACK_MS, caps};
use super::scenario::{Op, Scenario};
use super::topology::{self, Kind};
use super::truth::Truth;
use super::watch::Broken;
use crate::codec::CONTROL_PORT;
use crate::engine::event::{Action, Event, Iid};
use crate::engine::{Engine, Rng};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Workers report usage that often.
const USAGE_MS: u64 = 10_000;

/// A rule that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// When, milliseconds since the start.
    pub at: u64,
    /// Which rule.
    pub rule: String,
    /// How.
    pub detail: String,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {} ms: {}", self.rule, self.at, self.detail)
    }
}

/// A scenario that went well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Steps of all engines.
    pub steps: u64,
    /// Datagrams sent.
    pub datagrams: u64,
    /// Of all that was sent: the same scenario gives the same.
    pub digest: u64,
}

/// Told of each step: time, node, event, actions.
pub type Trace<'a> = &'a mut dyn FnMut(u64, &str, &Event, &[Action]);

/// Plays a scenario to its end.
///
/// # Errors
/// The first rule that was broken; a panic of an engine counts as one.
pub fn run<'a>(scenario: &'a Scenario, trace: Option<Trace<'a>>) -> Result<Outcome, Failure> {
    let now = std::cell::Cell::new(0);
    let played = catch_unwind(AssertUnwindSafe(|| World::new(scenario, trace).play(&now)));
    played.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
        Err(Failure { at: now.get(), rule: "panic".into(), detail: text.into() })
    })
}

struct Flow {
    node: usize,
    prefix: usize,
    until: u64,
}

/// The state of a run.
pub(super) struct World<'s> {
    pub(super) scenario: &'s Scenario,
    trace: Option<Trace<'s>>,
    pub(super) now: u64,
    pub(super) nodes: Vec<Node>,
    addresses: BTreeMap<IpAddr, usize>,
    network: Network,
    pub(super) truth: Truth,
    flows: Vec<Flow>,
    /// RLOCs that come back to the underlay of a node.
    underlay: Vec<(u64, usize, IpAddr)>,
    /// Hostile datagrams still to be sent.
    attacks: BTreeMap<(u64, u64), (super::scenario::Attack, usize)>,
    attacker: Rng,
    actions: Vec<Action>,
    outcome: Outcome,
    hasher: DefaultHasher,
    pub(super) calm: bool,
}

impl<'s> World<'s> {
    fn new(scenario: &'s Scenario, trace: Option<Trace<'s>>) -> Self {
        let truth = Truth::new(&scenario.shape);
        let kinds = topology::kinds(&scenario.shape);
        let mut addresses = BTreeMap::new();
        for (n, kind) in kinds.iter().enumerate() {
            addresses.extend(topology::rlocs(&scenario.shape, *kind).into_iter().map(|rloc| (rloc, n)));
        }
        let nodes = kinds
            .into_iter()
            .enumerate()
            .map(|(n, kind)| Node::new(kind, engine(scenario, &truth, kind, n, 1)))
            .collect();
        Self {
            scenario,
            trace,
            now: 0,
            nodes,
            addresses,
            network: Network::new(scenario.net, stream(scenario.seed, 1)),
            truth,
            flows: Vec::new(),
            underlay: Vec::new(),
            attacks: BTreeMap::new(),
            attacker: stream(scenario.seed, 2),
            actions: Vec::new(),
            outcome: Outcome::default(),
            hasher: DefaultHasher::new(),
            calm: scenario.is_calm(),
        }
    }

    fn play(mut self, clock: &std::cell::Cell<u64>) -> Result<Outcome, Failure> {
        let end = self.scenario.chaos_ms + self.settle_ms();
        let mut ops = self.scenario.ops.iter().filter(|t| t.at < self.scenario.chaos_ms).peekable();
        let (mut second, mut settled) = (0, false);
        loop {
            let op = ops.peek().map(|timed| timed.at);
            let attack = self.attacks.first_key_value().map(|((at, _), _)| *at);
            let quiet = (!settled).then_some(self.scenario.chaos_ms);
            let nodes = self.nodes.iter().filter_map(|node| node.deadline(self.now)).min();
            let next = [op, attack, quiet, nodes, self.network.next(), Some(second)];
            self.now = next.into_iter().flatten().min().unwrap_or(end).max(self.now);
            clock.set(self.now);
            if self.now >= end {
                break;
            }
            self.arrivals()?;
            self.deadlines()?;
            while let Some(timed) = ops.next_if(|timed| timed.at <= self.now) {
                self.operate(&timed.op)?;
            }
            self.attack();
            if self.now >= self.scenario.chaos_ms && !settled {
                settled = true;
                self.settle()?;
            }
            if self.now >= second {
                second += 1_000;
                self.each_second()?;
            }
        }
        self.judge()?;
        self.outcome.datagrams = self.network.sent();
        self.outcome.digest = self.hasher.finish();
        Ok(self.outcome)
    }

    /// How long until everybody must know the truth, once nothing is in the way any more.
    fn settle_ms(&self) -> u64 {
        self.ttl_ms() + REGISTRATION_MS + 2 * SLACK_MS
    }

    pub(super) fn ttl_ms(&self) -> u64 {
        u64::from(self.scenario.shape.ttl_minutes) * 60_000
    }

    fn arrivals(&mut self) -> Result<(), Failure> {
        while let Some(Datagram { from, to, payload }) = self.network.arrived(self.now) {
            let Some(&n) = self.addresses.get(&to.ip()) else { continue };
            if self.nodes.get(n).is_some_and(Node::is_up) {
                self.nodes[n].watch.hears(&payload);
                self.step(n, Event::Datagram { from, to, payload })?;
            }
        }
        Ok(())
    }

    fn deadlines(&mut self) -> Result<(), Failure> {
        for n in 0..self.nodes.len() {
            if self.nodes[n].deadline(self.now).is_some_and(|at| at <= self.now) {
                self.step(n, Event::Tick)?;
            }
        }
        Ok(())
    }

    fn step(&mut self, n: usize, event: Event) -> Result<(), Failure> {
        let mut actions = std::mem::take(&mut self.actions);
        let traced = self.trace.is_some().then(|| event.clone());
        let Some(node) = self.nodes.get_mut(n) else { return Ok(()) };
        node.engine.step(node.local(self.now), event, &mut actions);
        if let (Some(trace), Some(event)) = (self.trace.as_mut(), traced) {
            trace(self.now, &node.kind.to_string(), &event, &actions);
        }
        let result = self.act(n, &actions);
        actions.clear();
        self.actions = actions;
        result
    }

    fn act(&mut self, n: usize, actions: &[Action]) -> Result<(), Failure> {
        self.outcome.steps += 1;
        let Some(node) = self.nodes.get_mut(n) else { return Ok(()) };
        let local = node.local(self.now);
        let mut broken: Option<Broken> = None;
        for action in actions {
            node.plane.apply(action);
            let Action::Send { source, to, payload, .. } = action else { continue };
            (to, payload).hash(&mut self.hasher);
            let per_second = node.engine.config().limits.map_requests_per_second;
            let sent = node.watch.sends(local, *to, payload, node.kind.is_itr(), per_second);
            broken = broken.or(sent.err());
            let own = node.config().rlocs.iter().find(|rloc| rloc.is_ipv4() == to.is_ipv4());
            let Some(from) = source.or(own.copied()) else { continue };
            let datagram =
                Datagram { from: SocketAddr::new(from, CONTROL_PORT), to: *to, payload: payload.clone() };
            let between = self.addresses.get(&to.ip()).map(|&other| (n, other));
            self.network.send(self.now, between, datagram);
        }
        if node.is_busy_for_good(self.now) {
            broken = broken.or(Some(("engine-rests", "steps without time passing".into())));
        }
        broken = broken.or_else(|| caps(node));
        self.verdict(n, broken)
    }

    pub(super) fn verdict(&self, n: usize, broken: Option<Broken>) -> Result<(), Failure> {
        match broken {
            None => Ok(()),
            Some((rule, detail)) => {
                let who = self.nodes.get(n).map(|node| node.kind.to_string()).unwrap_or_default();
                Err(Failure { at: self.now, rule: rule.into(), detail: format!("{who}: {detail}") })
            }
        }
    }

    fn operate(&mut self, op: &Op) -> Result<(), Failure> {
        match *op {
            Op::Flow { itr, prefix, seconds } => {
                let until = self.now + u64::from(seconds) * 1000;
                let prefix = usize::from(prefix);
                self.flows.push(Flow { node: self.itr(itr), prefix, until });
            }
            Op::Move { .. } | Op::Relocate { .. } => {
                for site in self.truth.apply(self.now, op) {
                    self.reconfigure(Kind::Site(site))?;
                }
            }
            Op::Restart { node, keeps_data_plane } => {
                let n = self.node(node);
                self.restart(n, keeps_data_plane)?;
            }
            Op::Crash { node, ms } => {
                let n = self.node(node);
                self.nodes[n].down_until = Some(self.now + u64::from(ms));
            }
            Op::Partition { a, b, ms } => {
                let (a, b) = (self.node(a), self.node(b));
                self.network.part(a, b, self.now + u64::from(ms));
            }
            Op::ClockJump { node, ms } => {
                let n = self.node(node);
                self.nodes[n].jump(self.now, ms.max(-5_000));
            }
            Op::Underlay { itr, site, second, ms } => {
                let rloc = self.site_rlocs(site)[usize::from(second)];
                let n = self.itr(itr);
                self.underlay.push((self.now + u64::from(ms), n, rloc));
                self.tell(n, Event::UnderlayChanged { rloc, reachable: false })?;
            }
            Op::Icmp { itr, site } => {
                let rloc = self.site_rlocs(site)[0];
                self.tell(self.itr(itr), Event::IcmpUnreachable { rloc })?;
            }
            Op::Clear { itr } => {
                let n = self.itr(itr);
                self.nodes[n].watch.clears();
                self.tell(n, Event::ClearMapCache(None))?;
            }
            Op::Hostile { attack, node, times } => {
                let n = self.node(node);
                for i in 0..u64::from(times) {
                    let order = self.attacks.len() as u64;
                    self.attacks.insert((self.now + i, order), (attack, n));
                }
            }
        }
        Ok(())
    }

    fn node(&self, number: u8) -> usize {
        usize::from(number) % self.nodes.len()
    }

    /// Proxies come first, sites last.
    fn itr(&self, number: u8) -> usize {
        let itrs: Vec<usize> = (0..self.nodes.len()).filter(|&n| self.nodes[n].kind.is_itr()).collect();
        itrs[usize::from(number) % itrs.len()]
    }

    fn site_rlocs(&self, site: u8) -> [IpAddr; 2] {
        let shape = &self.scenario.shape;
        topology::site_rlocs(shape, usize::from(site) % usize::from(shape.sites))
    }

    fn tell(&mut self, n: usize, event: Event) -> Result<(), Failure> {
        if self.nodes[n].is_up() { self.step(n, event) } else { Ok(()) }
    }

    fn reconfigure(&mut self, kind: Kind) -> Result<(), Failure> {
        let Some(n) = self.nodes.iter().position(|node| node.kind == kind) else { return Ok(()) };
        let node = &mut self.nodes[n];
        // One that is away reads it when it starts.
        if !node.is_up() {
            return Ok(());
        }
        let config = topology::config(self.scenario, &self.truth, kind, node.config().register_nonce_epoch);
        let mut actions = Vec::new();
        node.engine.reconfigure(node.local(self.now), config, &mut actions);
        if let Some(trace) = self.trace.as_mut() {
            trace(self.now, &format!("{kind} (new configuration)"), &Event::Tick, &actions);
        }
        self.act(n, &actions)
    }

    fn restart(&mut self, n: usize, keeps_data_plane: bool) -> Result<(), Failure> {
        let node = &mut self.nodes[n];
        node.down_until = None;
        let engine = engine(self.scenario, &self.truth, node.kind, n, node.starts + 1);
        node.restart(self.now, engine, keeps_data_plane);
        // the Map-Server's nonces do not survive it, so what was read before could be sent again.
        if matches!(node.kind, Kind::Server(_)) {
            self.network.kept.clear();
        }
        self.step(n, Event::Tick)
    }

    fn attack(&mut self) {
        while let Some(entry) = self.attacks.first_entry().filter(|e| e.key().0 <= self.now) {
            let (attack, n) = entry.remove();
            let Some(target) = self.nodes[n].config().rlocs.first().copied() else { continue };
            let shape = &self.scenario.shape;
            let made = attack::datagram(&mut self.attacker, shape, attack, target, &self.network.kept);
            if let Some(datagram) = made {
                self.network.inject(self.now, None, datagram);
            }
        }
    }

    /// All is well from now on, and every ITR has packets for every EID-prefix.
    fn settle(&mut self) -> Result<(), Failure> {
        self.network.calm();
        self.attacks.clear();
        for n in 0..self.nodes.len() {
            if !self.nodes[n].is_up() {
                self.restart(n, false)?;
            }
        }
        for (_, n, rloc) in std::mem::take(&mut self.underlay) {
            self.step(n, Event::UnderlayChanged { rloc, reachable: true })?;
        }
        let until = self.scenario.chaos_ms + self.settle_ms();
        let itrs = (0..self.nodes.len()).filter(|&n| self.nodes[n].kind.is_itr());
        let prefixes = usize::from(self.scenario.shape.prefixes);
        self.flows =
            itrs.flat_map(|node| (0..prefixes).map(move |prefix| Flow { node, prefix, until })).collect();
        Ok(())
    }

    fn each_second(&mut self) -> Result<(), Failure> {
        for n in 0..self.nodes.len() {
            let node = &mut self.nodes[n];
            if node.down_until.is_some_and(|until| until <= self.now) {
                self.restart(n, false)?;
            }
            let node = &mut self.nodes[n];
            if node.left_over_until.is_some_and(|until| until <= self.now) {
                node.left_over_until = None;
                node.plane.drop_left_over();
            }
        }
        let (back, away) =
            std::mem::take(&mut self.underlay).into_iter().partition(|(at, ..)| *at <= self.now);
        self.underlay = away;
        for (_, n, rloc) in back {
            self.tell(n, Event::UnderlayChanged { rloc, reachable: true })?;
        }
        self.packets()?;
        if self.now.is_multiple_of(USAGE_MS) {
            for n in 0..self.nodes.len() {
                let used = self.nodes[n].plane.take_used();
                if !used.is_empty() {
                    self.tell(n, Event::EntriesUsed(used))?;
                }
            }
            for n in 0..self.nodes.len() {
                self.verdict(n, self.inspect(n))?;
            }
        }
        Ok(())
    }

    fn packets(&mut self) -> Result<(), Failure> {
        self.flows.retain(|flow| flow.until > self.now);
        for i in 0..self.flows.len() {
            let Flow { node: n, prefix, .. } = self.flows[i];
            let node = &mut self.nodes[n];
            let own = matches!(node.kind, Kind::Site(site) if self.truth.owner(prefix) == Some(site));
            if own || !node.is_up() {
                continue;
            }
            let shape = &self.scenario.shape;
            let eid = topology::host(shape, prefix);
            match node.plane.packet(Iid(0), eid) {
                Fate::Miss => {
                    let source = source(shape, eid);
                    node.watch.misses(node.local(self.now), eid);
                    self.step(n, Event::Miss { iid: Iid(0), eid, source })?;
                }
                Fate::Encapsulated(rlocs) => {
                    for rloc in rlocs {
                        self.verdict(n, self.traffic(prefix, rloc))?;
                    }
                }
                Fate::NotLisp | Fate::Other => {}
            }
        }
        Ok(())
    }
}

fn engine(scenario: &Scenario, truth: &Truth, kind: Kind, n: usize, starts: u32) -> Engine {
    let mut seed = [0; 32];
    stream(scenario.seed, 100 + n as u64 + (u64::from(starts) << 32)).fill(&mut seed);
    Engine::new(topology::config(scenario, truth, kind, starts), seed)
}

/// Somebody who sends packets to an EID.
fn source(shape: &super::scenario::Shape, eid: IpAddr) -> IpAddr {
    let n = usize::from(eid.is_ipv6());
    let elsewhere = [[203, 0, 113, 9], [203, 0, 113, 10]];
    match eid {
        IpAddr::V4(_) => IpAddr::from(elsewhere[n]),
        IpAddr::V6(_) => topology::host(shape, 201),
    }
}
