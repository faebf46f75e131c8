//! `lpm`: lookups in bursts of 32 and updates, against DPDK's rte_fib (DIR-24-8) and rte_fib6 (trie)
//! with the same prefixes and keys.

use super::list::Setup;
use crate::report::Metric;
use anyhow::{Context, Result, ensure};
use dpdk_sys::fib::{Fib4, Fib6};
use dpdk_sys::{Depot, Supply, tsc, tsc_hz};
use pxtr_dataplane::lpm::{Key, Key4, Key6, Lpm};

const SIZES: [(u32, &str); 4] = [(10_000, "10k"), (200_000, "200k"), (1_000_000, "1m"), (2_000_000, "2m")];
/// Keys that are looked up in turn: more than the caches hold results for.
const KEYS: usize = 1 << 18;
const BURST: usize = 32;
/// Bursts in a sample.
const SAMPLE: usize = 128;

pub(super) fn run(setup: &Setup) -> Result<Vec<Metric>> {
    let mut metrics = Vec::new();
    let mut refused = 0;
    for (count, size) in SIZES {
        if setup.quick && count > 10_000 {
            continue;
        }
        if setup.wants(&format!("lpm_v4_{size}")) {
            refused += v4(setup, &scattered(count), size, &mut metrics)?;
        }
        if setup.wants(&format!("lpm_v6_{size}")) {
            refused += v6(setup, count, size, &mut metrics)?;
        }
    }
    if setup.wants("lpm_v4_hosts") {
        refused += v4(setup, &hosts(), "hosts", &mut metrics)?;
    }
    metrics.push(Metric::exact("lpm_refused_inserts", "prefixes", f64::from(refused)));
    let worst = |metric: &&Metric| metric.metric.ends_with("_update_us_p99");
    let worst = metrics.iter().filter(worst).map(|metric| metric.value).fold(0.0, f64::max);
    metrics.push(Metric::exact("lpm_update_us_p99", "us", worst));
    Ok(metrics)
}

type Prefix4 = (Key4, u8, u32);

/// /16 to /32 all over the address space.
fn scattered(count: u32) -> Vec<Prefix4> {
    let mut random = Random(u64::from(count));
    let mut prefix = |n| {
        let length = match random.below(10) {
            0 => 16 + random.below(5),
            1..=6 => 21 + random.below(4),
            _ => 25 + random.below(8),
        } as u8;
        (Key4(0x0100_0000 + (random.next() as u32 % 0xDF00_0000)).masked(length), length, n)
    };
    (0..count).map(&mut prefix).collect()
}

/// 1,024 hosts of one /22, each of which moves by itself, among 1,000 scattered prefixes that nobody asks for.
fn hosts() -> Vec<Prefix4> {
    let hosts = (0..1024).map(|n| (Key4(0x0AFD_0000 + n), 32, n));
    let others = (0..1000).map(|n| (Key4(0x0100_0000 + ((n * 40_503 % 0x3F_FFFF) << 8)), 24, 1024 + n));
    let space = [(Key4(0), 2, 3000), (Key4(64 << 24), 8, 3001), (Key4(96 << 24), 4, 3002)];
    space.into_iter().chain(others).chain(hosts).collect()
}

fn v4(setup: &Setup, prefixes: &[Prefix4], size: &str, metrics: &mut Vec<Metric>) -> Result<u32> {
    let count = prefixes.len() as u32;
    let mut random = Random(u64::from(count) + 2);
    let asked = if size == "hosts" { 1024 } else { u64::from(count) };
    let key = |random: &mut Random| {
        let (key, length, _) = prefixes[count as usize - 1 - random.below(asked) as usize];
        Key4(key.0 | (random.next() as u32).checked_shr(u32::from(length)).unwrap_or(0))
    };
    let keys: Vec<_> = (0..KEYS).map(|_| key(&mut random)).collect();
    let (mut table, mut depot, refused) = ours(prefixes);
    let mut found = vec![0; KEYS];
    let samples = bursts(setup, |at| table.lookup_burst(&keys[at..at + BURST], &mut found[at..at + BURST]));
    metrics.push(Metric::of(format!("lpm_v4_{size}_ns"), "ns/lookup", samples));
    metrics.extend(updates(setup, (&mut table, &mut depot), prefixes, &format!("lpm_v4_{size}")));

    let groups = (count / 2).max(1 << 14);
    let mut fib = Fib4::new(&setup.eal, &format!("fib4-{size}"), count * 2, groups).context("rte_fib")?;
    let dropped = prefixes.iter().filter(|(key, length, n)| !fib.add(key.0, *length, *n)).count();
    let mut theirs = vec![0; KEYS];
    let mut words: Vec<u32> = keys.iter().map(|key| key.0).collect();
    let samples = bursts(setup, |at| fib.lookup(&mut words[at..at + BURST], &mut theirs[at..at + BURST]));
    metrics.push(Metric::of(format!("rte_fib_v4_{size}_ns"), "ns/lookup", samples));
    metrics.push(Metric::exact(format!("rte_fib_v4_{size}_refused_inserts"), "prefixes", dropped as f64));
    agree(&found, &theirs, dropped)?;
    Ok(refused)
}

fn v6(setup: &Setup, count: u32, size: &str, metrics: &mut Vec<Metric>) -> Result<u32> {
    let mut random = Random(u64::from(count) + 1);
    let prefixes: Vec<_> = (0..count)
        .map(|n| {
            let length = 48 + random.below(81) as u8;
            let high = 0x2000_0000_0000_0000 | random.next() >> 3;
            (Key6 { high, low: random.next() }.masked(length), length, n)
        })
        .collect();
    let key = |random: &mut Random| {
        let (key, length, _) = prefixes[random.below(u64::from(count)) as usize];
        let host = u128::from(random.next()) << 64 | u128::from(random.next());
        Key6::from(u128::from(key) | host.checked_shr(u32::from(length)).unwrap_or(0))
    };
    let keys: Vec<_> = (0..KEYS).map(|_| key(&mut random)).collect();
    let (mut table, mut depot, refused) = ours(&prefixes);
    let mut found = vec![0; KEYS];
    let samples = bursts(setup, |at| table.lookup_burst(&keys[at..at + BURST], &mut found[at..at + BURST]));
    metrics.push(Metric::of(format!("lpm_v6_{size}_ns"), "ns/lookup", samples));
    metrics.extend(updates(setup, (&mut table, &mut depot), &prefixes, &format!("lpm_v6_{size}")));
    if count > 200_000 {
        // Each prefix takes up to 13 tables of 1 KiB: no machine of this class has the memory.
        return Ok(refused);
    }

    let mut fib = Fib6::new(&setup.eal, &format!("fib6-{size}"), count * 2, 1 << 19).context("rte_fib6")?;
    let octets = |key: Key6| u128::from(key).to_be_bytes();
    let dropped = prefixes.iter().filter(|(key, length, n)| !fib.add(octets(*key), *length, *n)).count();
    let mut theirs = vec![0; KEYS];
    let mut words: Vec<_> = keys.iter().map(|key| octets(*key)).collect();
    let samples = bursts(setup, |at| fib.lookup(&mut words[at..at + BURST], &mut theirs[at..at + BURST]));
    metrics.push(Metric::of(format!("rte_fib6_v6_{size}_ns"), "ns/lookup", samples));
    metrics.push(Metric::exact(format!("rte_fib6_v6_{size}_refused_inserts"), "prefixes", dropped as f64));
    agree(&found, &theirs, dropped)?;
    Ok(refused)
}

/// The same answers, when nothing was refused.
fn agree(ours: &[u32], theirs: &[u64], dropped: usize) -> Result<()> {
    let differ = ours.iter().zip(theirs).filter(|(a, b)| u64::from(**a) != **b).count();
    ensure!(dropped > 0 || differ == 0, "{differ} of {KEYS} answers differ from DPDK's");
    Ok(())
}

fn ours<K: Key>(prefixes: &[(K, u8, u32)]) -> (Lpm<K>, Depot, u32) {
    let supply = Supply::default();
    let (mut table, mut depot) = (Lpm::supplied(&supply), supply.depot());
    let mut insert = |&&(key, length, n): &&(K, u8, u32)| {
        stock(&mut depot);
        table.insert(key, length, n).is_err()
    };
    let refused = prefixes.iter().filter(&mut insert).count();
    (table, depot, refused as u32)
}

/// Keeps a table's memory ahead of it, as control does.
fn stock(depot: &mut Depot) {
    if depot.level().longest < 1 << 20 {
        depot.add(2 << 20);
    }
}

/// Nanoseconds per lookup.
fn bursts(setup: &Setup, mut lookup: impl FnMut(usize)) -> Vec<f64> {
    let (warm_up, samples) = if setup.quick { (1, 2) } else { (KEYS / BURST / SAMPLE, 1000) };
    let (mut at, mut result) = (0, Vec::new());
    for turn in 0..warm_up + samples {
        let start = tsc();
        for _ in 0..SAMPLE {
            lookup(at);
            at = (at + BURST) % KEYS;
        }
        if turn >= warm_up {
            result.push(nanoseconds(tsc() - start) / (SAMPLE * BURST) as f64);
        }
    }
    result
}

/// Each of so many prefixes is taken out and put back.
fn updates<K: Key>(
    setup: &Setup,
    (table, depot): (&mut Lpm<K>, &mut Depot),
    prefixes: &[(K, u8, u32)],
    name: &str,
) -> [Metric; 2] {
    let mut samples = Vec::new();
    for turn in 0..if setup.quick { 100 } else { 50_000 } {
        let (key, length, value) = prefixes[turn * 7919 % prefixes.len()];
        stock(depot);
        let start = tsc();
        let removed = table.remove(key, length);
        let middle = tsc();
        if let Some(former) = removed {
            let _ = table.insert(key, length, former.max(value));
            samples.extend([middle - start, tsc() - middle].map(|ticks| nanoseconds(ticks) / 1000.0));
        }
    }
    let mut sorted = samples.clone();
    sorted.sort_by(f64::total_cmp);
    let p99 = sorted.get(sorted.len() * 99 / 100).copied().unwrap_or(0.0);
    [
        Metric::of(format!("{name}_update_us"), "us", samples),
        Metric::exact(format!("{name}_update_us_p99"), "us", p99),
    ]
}

fn nanoseconds(ticks: u64) -> f64 {
    ticks as f64 * 1e9 / tsc_hz() as f64
}

/// xorshift64*, seeded alike in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.max(1);
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, limit: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(limit)) >> 64) as u64
    }
}
