//! What the engine and the feeder cost: Map-Replies per second (decode, checks, map-cache, deltas for
//! the workers), memory per map-cache entry, an idle tick, the failure of an RLOC, and a new engine in
//! place of one that panicked, at a given number of entries.
//!
//! `cargo run --release -p pxtr-perf --bin perf-engine -- --entries 1000000 --rlocs 1000`

use anyhow::{Context, Result, bail};
use clap::Parser;
use ipnet::{IpNet, Ipv4Net};
use pxtr_control::codec::{EidRecord, LocatorRecord, MapReply, Message};
use pxtr_control::engine::Engine;
use pxtr_control::engine::config::{EngineConfig, Limits, Roles, VrfConfig};
use pxtr_control::engine::event::{Action, EidPrefix, Event, Iid, Time};
use pxtr_control::feeder::{Capacity, Feeder, FeederSpec, VrfFeed};
use pxtr_control::netlink::KernelView;
use pxtr_dataplane::feed::VrfSpec;
use pxtr_dataplane::types::{InstanceId, VrfId};
use serde::Serialize;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

/// Lookups in progress at once: replies are timed in batches of this size.
const BATCH: u32 = 1_000;
/// Slots that the runtime looks at in one go when it withdraws what a new engine did not confirm.
const STALE_SLOTS: u32 = 1_000;

/// Cost of the control engine.
#[derive(Parser)]
struct Args {
    /// Map-cache entries to learn, each a /28 with two locators.
    #[arg(long, default_value_t = 1_000_000)]
    entries: u32,
    /// Different RLOCs that they use.
    #[arg(long, default_value_t = 1_000)]
    rlocs: u32,
}

#[derive(Serialize)]
struct Report {
    entries: u32,
    rlocs: usize,
    locator_sets: usize,
    map_replies_per_second: f64,
    installed_map_replies_per_second: f64,
    misses_per_second: f64,
    engine_and_feeder_bytes_per_entry: f64,
    idle_tick_ns: f64,
    empty_engine_idle_tick_ns: f64,
    used_ns_per_entry: f64,
    rloc_failure_us: f64,
    rloc_failure_actions: usize,
    restart_s: f64,
    stale_withdrawal_s: f64,
    stale_withdrawal_longest_ms: f64,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let empty_idle_tick = Bench::new(&args).idle_tick();
    let mut bench = Bench::new(&args);
    let before = resident_bytes()?;
    let mut missing = Duration::ZERO;
    let mut replying = Duration::ZERO;
    let mut installing = Duration::ZERO;
    let mut at = 0;
    while at < args.entries {
        let batch = at..args.entries.min(at + BATCH);
        // a lookup is remembered for a second after its end.
        bench.now = bench.now.plus_ms(1_000);
        let (requests, took) = bench.miss(batch.clone())?;
        missing += took;
        let (engine, feeder) = bench.reply(batch.clone().zip(requests))?;
        replying += engine;
        installing += engine + feeder;
        at = batch.end;
    }
    let resident = resident_bytes()?.saturating_sub(before);
    // Let the lookups be forgotten, so that an idle tick is idle.
    bench.now = bench.now.plus_ms(5_000);
    bench.step(Event::Tick);
    let sizes = bench.engine.sizes();
    if sizes.map_cache_learnt != args.entries as usize {
        bail!("{} entries learnt, {} expected", sizes.map_cache_learnt, args.entries);
    }
    let (rloc_failure, rloc_failure_actions) = bench.fail_rloc();
    let (idle_tick, used) = (bench.idle_tick(), bench.used());
    let restart = bench.restart(&args);
    let (stale, stale_longest) = bench.withdraw_stale();
    let report = Report {
        entries: args.entries,
        rlocs: sizes.rlocs,
        locator_sets: sizes.locator_sets,
        map_replies_per_second: f64::from(args.entries) / replying.as_secs_f64(),
        installed_map_replies_per_second: f64::from(args.entries) / installing.as_secs_f64(),
        misses_per_second: f64::from(args.entries) / missing.as_secs_f64(),
        engine_and_feeder_bytes_per_entry: resident as f64 / f64::from(args.entries),
        idle_tick_ns: idle_tick.as_nanos() as f64,
        empty_engine_idle_tick_ns: empty_idle_tick.as_nanos() as f64,
        used_ns_per_entry: used.as_nanos() as f64,
        rloc_failure_us: rloc_failure.as_nanos() as f64 / 1000.0,
        rloc_failure_actions,
        restart_s: restart.as_secs_f64(),
        stale_withdrawal_s: stale.as_secs_f64(),
        stale_withdrawal_longest_ms: stale_longest.as_secs_f64() * 1e3,
    };
    println!("{}", serde_json::to_string_pretty(&report)?);
    Ok(())
}

struct Bench {
    engine: Engine,
    feeder: Feeder,
    view: KernelView,
    now: Time,
    rlocs: u32,
    out: Vec<Action>,
}

impl Bench {
    fn engine(args: &Args) -> Engine {
        let config = EngineConfig {
            roles: Roles { pitr: true, ..Roles::default() },
            rlocs: vec![IpAddr::from([192, 0, 2, 1])],
            map_resolvers: vec![IpAddr::from([192, 0, 2, 53])],
            vrfs: vec![VrfConfig {
                name: "default".into(),
                iid: Iid(0),
                eid_space: vec![IpNet::from(Ipv4Net::new_assert(Ipv4Addr::new(64, 0, 0, 0), 2))],
            }],
            limits: Limits {
                map_cache_entries: args.entries,
                map_requests_per_second: 1_000_000,
                lookups_per_source_per_second: 1_000_000,
                idle_timeout_s: 0,
                probe_interval_ms: 0,
                ..Limits::default()
            },
            register_nonce_epoch: 1,
            ..EngineConfig::default()
        };
        Engine::new(config, [7; 32])
    }

    fn new(args: &Args) -> Self {
        let vrf = VrfFeed {
            id: VrfId(0),
            iid: Iid(0),
            spec: VrfSpec { instance_id: InstanceId(0), pitr: true, ..VrfSpec::default() },
            table: 254,
            eid_space: Vec::new(),
            local_eids: Vec::new(),
        };
        let capacity = Capacity { entries: args.entries + 16, ..Capacity::default() };
        let rlocs = vec![IpAddr::from([192, 0, 2, 1])];
        let mut bench = Self {
            engine: Self::engine(args),
            feeder: Feeder::new(FeederSpec { vrfs: vec![vrf], rlocs, capacity, ..FeederSpec::default() }),
            view: KernelView::default(),
            now: Time(1_000),
            rlocs: args.rlocs.max(2),
            out: Vec::new(),
        };
        bench.step(Event::Tick);
        bench.feed();
        bench
    }

    /// The last step's actions become deltas, as in the runtime; workers apply them at once.
    fn feed(&mut self) {
        for action in self.out.drain(..) {
            // Sends and notices are none of the feeder's.
            let _ = self.feeder.on_action(self.now, &self.view, &action);
        }
        self.workers();
    }

    fn workers(&mut self) {
        let out = &mut self.feeder.out;
        out.deltas.clear();
        out.events.clear();
        let sequence = out.sequence();
        self.feeder.acknowledge(sequence);
    }

    fn step(&mut self, event: Event) {
        self.out.clear();
        self.engine.step(self.now, event, &mut self.out);
    }

    fn eid(n: u32) -> Ipv4Addr {
        Ipv4Addr::from_bits(0x4000_0000 | (n << 4))
    }

    /// Misses for entries `batch`; the nonces that were sent for them, and the time.
    fn miss(&mut self, batch: std::ops::Range<u32>) -> Result<(Vec<u64>, Duration)> {
        let mut nonces = Vec::new();
        let mut took = Duration::ZERO;
        for n in batch {
            let source = IpAddr::from(Ipv4Addr::from_bits(0xCB00_0000 | n));
            let event = Event::Miss { iid: Iid(0), eid: Self::eid(n).into(), source };
            let start = Instant::now();
            self.step(event);
            took += start.elapsed();
            nonces.push(self.nonce_sent().context("a miss was not asked for")?);
        }
        Ok((nonces, took))
    }

    fn nonce_sent(&self) -> Option<u64> {
        let payload = self.out.iter().find_map(|action| match action {
            Action::Send { payload, .. } => Some(payload),
            _ => None,
        })?;
        let Ok(Message::Ecm(ecm)) = Message::decode(payload) else { return None };
        match Message::decode(&ecm.payload) {
            Ok(Message::MapRequest(request)) => Some(request.nonce),
            _ => None,
        }
    }

    /// Replies, made before the clock starts.
    fn reply(&mut self, requests: impl Iterator<Item = (u32, u64)>) -> Result<(Duration, Duration)> {
        let from = SocketAddr::from(([192, 0, 2, 53], 4342));
        let to = SocketAddr::from(([192, 0, 2, 1], 4342));
        let mut events = Vec::new();
        for (n, nonce) in requests {
            let prefix = IpNet::from(Ipv4Net::new_assert(Self::eid(n), 28));
            let mut record = EidRecord::new(EidPrefix { iid: Iid(0), prefix }, 1440);
            let rloc = |k: u32| IpAddr::from(Ipv4Addr::from_bits(0xC612_0001 + k % self.rlocs));
            record.locators =
                vec![LocatorRecord::new(rloc(n), 1, 50), LocatorRecord::new(rloc(n + 1), 1, 50)];
            let reply =
                MapReply { probe: false, echo_nonce: false, nonce, records: vec![record], security: None };
            let payload = Message::MapReply(reply).to_bytes()?;
            events.push(Event::Datagram { from, to, payload });
        }
        let mut actions = Vec::new();
        let start = Instant::now();
        for event in events {
            self.step(event);
            actions.append(&mut self.out);
        }
        let engine = start.elapsed();
        self.out = actions;
        let start = Instant::now();
        self.feed();
        Ok((engine, start.elapsed()))
    }

    /// What the runtime does when the engine panicked: the workers keep their entries.
    fn restart(&mut self, args: &Args) -> Duration {
        let start = Instant::now();
        self.engine = Self::engine(args);
        self.feeder.on_engine_restart(self.now, &self.view);
        self.step(Event::Tick);
        self.feed();
        start.elapsed()
    }

    /// What the new engine has not installed again goes, bit by bit: all of it, and the longest bit.
    fn withdraw_stale(&mut self) -> (Duration, Duration) {
        let (mut took, mut longest) = (Duration::ZERO, Duration::ZERO);
        let mut from = Some(0);
        while let Some(slot) = from {
            let start = Instant::now();
            from = self.feeder.withdraw_stale(self.now, &self.view, slot, STALE_SLOTS);
            self.workers();
            let one = start.elapsed();
            took += one;
            longest = longest.max(one);
        }
        (took, longest)
    }

    fn idle_tick(&mut self) -> Duration {
        let rounds = 100_000;
        let start = Instant::now();
        for _ in 0..rounds {
            self.step(Event::Tick);
        }
        start.elapsed() / rounds
    }

    /// A usage report of 1,000 entries, per entry.
    fn used(&mut self) -> Duration {
        let prefix = |n| IpNet::from(Ipv4Net::new_assert(Self::eid(n), 28));
        let eids: Vec<_> = (0..1_000).map(|n| EidPrefix { iid: Iid(0), prefix: prefix(n * 7) }).collect();
        let start = Instant::now();
        self.step(Event::EntriesUsed(eids));
        start.elapsed() / 1_000
    }

    fn fail_rloc(&mut self) -> (Duration, usize) {
        let rloc = IpAddr::from(Ipv4Addr::from_bits(0xC612_0001));
        let event = Event::UnderlayChanged { rloc, reachable: false };
        let start = Instant::now();
        self.step(event);
        (start.elapsed(), self.out.len())
    }
}

/// Resident memory of this process, bytes.
fn resident_bytes() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("no VmRSS")?;
    let kib: u64 = line.split_whitespace().nth(1).context("no value in VmRSS")?.parse()?;
    Ok(kib * 1024)
}
