//! What the Map-Server costs: authenticated Map-Registers per second, memory per registered
//! EID-prefix, an idle tick, expiry, and a start with everything registering anew.
//!
//! `cargo run --release -p pxtr-perf --bin perf-map-server -- --prefixes 1000000`

use anyhow::{Context, Result, bail};
use clap::Parser;
use ipnet::{IpNet, Ipv4Net};
use pxtr_control::codec::{AuthData, EidRecord, LocatorRecord, MapRegister, Message, auth};
use pxtr_control::engine::config::{
    AuthAlgorithm, EngineConfig, Key, Limits, Roles, Secret, Site, SitePrefix, VrfConfig,
};
use pxtr_control::engine::event::{Action, EidPrefix, Event, Iid, Time};
use pxtr_control::engine::{Counter, Engine};
use serde::Serialize;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

/// ETRs that register; each is a site with a key of its own.
const SITES: u32 = 1_000;
/// Messages signed at once, outside of what is timed.
const BATCH: u32 = 10_000;

/// Cost of the Map-Server.
#[derive(Parser)]
struct Args {
    /// EID-prefixes to register, each a /28 with one locator.
    #[arg(long, default_value_t = 1_000_000)]
    prefixes: u32,
    /// EID-prefixes in a Map-Register.
    #[arg(long, default_value_t = 1)]
    records: u32,
}

#[derive(Serialize)]
struct Report {
    prefixes: u32,
    records_per_register: u32,
    first_registers_per_second: f64,
    refreshing_registers_per_second: f64,
    forged_registers_per_second: f64,
    replayed_registers_per_second: f64,
    resident_bytes_per_prefix: f64,
    idle_tick_ns: f64,
    empty_engine_idle_tick_ns: f64,
    restart_all_registered_s: f64,
    expiry_ns_per_prefix: f64,
    longest_expiry_step_ms: f64,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let mut empty = Bench::new(&args);
    let empty_tick = empty.idle_tick();
    drop(empty);
    let mut bench = Bench::new(&args);
    let before = resident_bytes()?;
    let first = bench.register_all(1)?;
    if bench.registered() != u64::from(args.prefixes) {
        bail!("{} EID-prefixes registered, {} expected", bench.registered(), args.prefixes);
    }
    let resident = resident_bytes()?.saturating_sub(before);
    let idle_tick = bench.idle_tick();
    let refreshing = bench.register_all(2)?;
    let replayed = bench.some(true, Counter::RegistersReplayed)?;
    let forged = bench.some(false, Counter::RegistersBadAuth)?;
    let (expiry, longest) = bench.expire_all()?;
    let messages = f64::from(args.prefixes.div_ceil(args.records));
    let report = Report {
        prefixes: args.prefixes,
        records_per_register: args.records,
        first_registers_per_second: messages / first.as_secs_f64(),
        refreshing_registers_per_second: messages / refreshing.as_secs_f64(),
        forged_registers_per_second: f64::from(BATCH) / forged.as_secs_f64(),
        replayed_registers_per_second: f64::from(BATCH) / replayed.as_secs_f64(),
        resident_bytes_per_prefix: resident as f64 / f64::from(args.prefixes),
        idle_tick_ns: idle_tick.as_nanos() as f64,
        empty_engine_idle_tick_ns: empty_tick.as_nanos() as f64,
        restart_all_registered_s: first.as_secs_f64(),
        expiry_ns_per_prefix: expiry.as_nanos() as f64 / f64::from(args.prefixes),
        longest_expiry_step_ms: longest.as_secs_f64() * 1e3,
    };
    println!("{}", serde_json::to_string_pretty(&report)?);
    Ok(())
}

struct Bench {
    engine: Engine,
    now: Time,
    prefixes: u32,
    records: u32,
    out: Vec<Action>,
}

impl Bench {
    fn new(args: &Args) -> Self {
        let per_site = args.prefixes.div_ceil(SITES);
        let site = |n: u32| Site {
            name: format!("site-{n}"),
            keys: vec![Key { id: 1, secret: secret(n) }],
            algorithms: vec![AuthAlgorithm::HmacSha256],
            // The prefixes of a site lie together: /28s inside of as many /18s as it takes.
            eid_prefixes: (n * per_site..(n + 1) * per_site)
                .step_by(1024)
                .map(|first| SitePrefix {
                    eid: EidPrefix { iid: Iid(n), prefix: prefix(first, 18) },
                    accept_more_specifics: true,
                })
                .chain(std::iter::once(SitePrefix {
                    eid: EidPrefix { iid: Iid(n), prefix: prefix((n + 1) * per_site - 1, 18) },
                    accept_more_specifics: true,
                }))
                .collect(),
            legacy_nonce: false,
            max_prefixes: 10_000_000,
            lisp_sec: None,
        };
        let vrf = VrfConfig { name: "default".into(), iid: Iid(0), eid_space: Vec::new() };
        let config = EngineConfig {
            roles: Roles { map_server: true, ..Roles::default() },
            rlocs: vec![IpAddr::from([192, 0, 2, 53])],
            vrfs: vec![vrf],
            sites: (0..SITES).map(site).collect(),
            limits: Limits::default(),
            ..EngineConfig::default()
        };
        let mut bench = Self {
            engine: Engine::new(config, [7; 32]),
            now: Time(1_000),
            prefixes: args.prefixes,
            records: args.records.clamp(1, 20),
            out: Vec::new(),
        };
        bench.step(Event::Tick);
        bench
    }

    fn step(&mut self, event: Event) {
        self.out.clear();
        self.engine.step(self.now, event, &mut self.out);
    }

    fn registered(&self) -> u64 {
        self.engine.counters().get(Counter::RegistrationsNew)
            - self.engine.counters().get(Counter::RegistrationsExpired)
    }

    fn site_of(&self, n: u32) -> u32 {
        n / self.prefixes.div_ceil(SITES)
    }

    /// A Map-Register for prefixes `first..`, as its site's ETR signs it; with a wrong key if not `good`.
    fn message(&self, first: u32, nonce: u64, good: bool) -> Result<Event> {
        let site = self.site_of(first);
        let records = (first..self.prefixes.min(first + self.records)).filter(|n| self.site_of(*n) == site);
        let record = |n: u32| {
            let mut record = EidRecord::new(EidPrefix { iid: Iid(site), prefix: prefix(n, 28) }, 1440);
            record.locators = vec![LocatorRecord::new(rloc(site), 1, 100)];
            record
        };
        let register = MapRegister {
            proxy_reply: true,
            lisp_sec: false,
            eid_notify: false,
            use_ttl: false,
            merge: false,
            want_map_notify: false,
            nonce,
            auth: AuthData::unsigned(1, 2, 32),
            records: records.map(record).collect(),
            xtr: None,
        };
        let mut payload = Message::MapRegister(register).to_bytes()?;
        auth::sign(&mut payload, &secret(if good { site } else { site + 1 }))?;
        let from = SocketAddr::new(rloc(site), 4342);
        Ok(Event::Datagram { from, to: SocketAddr::from(([192, 0, 2, 53], 4342)), payload })
    }

    /// Registers everything; the time of the engine alone.
    fn register_all(&mut self, round: u64) -> Result<Duration> {
        let mut took = Duration::ZERO;
        let mut first = 0;
        while first < self.prefixes {
            let last = self.prefixes.min(first.saturating_add(BATCH * self.records));
            let events = (first..last)
                .step_by(self.records as usize)
                .map(|n| self.message(n, (round << 32) | (u64::from(n) + 1), true))
                .collect::<Result<Vec<_>>>()?;
            // Sites have a rate; everything within two minutes is what a restart is like.
            self.now = self.now.plus_ms(1_000);
            let start = Instant::now();
            for event in events {
                self.step(event);
            }
            took += start.elapsed();
            first = last;
        }
        Ok(took)
    }

    /// Messages with the lowest nonce of all that are refused, every one for that reason.
    fn some(&mut self, good: bool, why: Counter) -> Result<Duration> {
        let events: Vec<_> = (0..BATCH)
            .map(|n| self.message(n * self.records % self.prefixes, 1, good))
            .collect::<Result<_>>()?;
        let before = self.engine.counters().get(why);
        let start = Instant::now();
        for event in events {
            self.step(event);
        }
        let took = start.elapsed();
        let refused = self.engine.counters().get(why) - before;
        if refused != u64::from(BATCH) {
            bail!("{refused} of {BATCH} refused as {}", why.name());
        }
        Ok(took)
    }

    fn idle_tick(&mut self) -> Duration {
        let rounds = 100_000;
        let start = Instant::now();
        for _ in 0..rounds {
            self.step(Event::Tick);
        }
        start.elapsed() / rounds
    }

    /// Everything falls silent: how long until it is gone, and the longest single step.
    fn expire_all(&mut self) -> Result<(Duration, Duration)> {
        self.now = self.now.plus_ms(600_000);
        let (mut took, mut longest) = (Duration::ZERO, Duration::ZERO);
        for _ in 0..self.prefixes {
            if self.registered() == 0 {
                return Ok((took, longest));
            }
            let start = Instant::now();
            self.step(Event::Tick);
            let one = start.elapsed();
            took += one;
            longest = longest.max(one);
        }
        bail!("{} EID-prefixes never expire", self.registered())
    }
}

fn secret(site: u32) -> Secret {
    Secret::new(format!("secret of site {site}").into_bytes())
}

fn rloc(site: u32) -> IpAddr {
    IpAddr::from(Ipv4Addr::from_bits(0xC612_0001 + site))
}

/// The prefix of length `len` that holds number `n` of the /28s.
fn prefix(n: u32, len: u8) -> IpNet {
    IpNet::from(Ipv4Net::new_assert(Ipv4Addr::from_bits(0x4000_0000 | (n << 4)), len)).trunc()
}

/// Resident memory of this process, bytes.
fn resident_bytes() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("no VmRSS")?;
    let kib: u64 = line.split_whitespace().nth(1).context("no value in VmRSS")?.parse()?;
    Ok(kib * 1024)
}
