//! Runs one bench and prints its report as JSON. `perf/run.sh` calls it with hugepages, on a CPU of
//! its own, and knows the machine.

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use dpdk_sys::{Eal, EalConfig, Pool, PoolConfig, lcore, tsc_hz};
use pxtr_perf::bench::{BENCHES, Setup};
use pxtr_perf::report::Report;

#[derive(Parser)]
struct Args {
    /// Name of the bench, or `list`.
    bench: String,
    /// Memory from hugepages. Without it no number is printed, only that the bench runs.
    #[arg(long)]
    hugepages: bool,
    /// Few and short samples.
    #[arg(long)]
    quick: bool,
    /// Only cases whose name contains this.
    #[arg(long)]
    only: Option<String>,
    /// Facts of the machine, a JSON object.
    #[arg(long, default_value = "{}")]
    machine: String,
    /// Commit that is measured.
    #[arg(long, default_value = "")]
    commit: String,
}

fn main() -> Result<()> {
    let args = Args::parse();
    if args.bench == "list" {
        for bench in &BENCHES {
            println!("{:10} {}", bench.name, bench.about);
        }
        return Ok(());
    }
    let Some(bench) = BENCHES.iter().find(|bench| bench.name == args.bench) else {
        bail!("there is no bench {:?}; see: list", args.bench);
    };
    let mut cpus = lcore::allowed_cpus();
    let cpu = cpus.pop().context("no CPU to run on")?;
    let config = EalConfig {
        hugepages: args.hugepages,
        memory_mib: bench.memory_mib,
        housekeeping_cpus: vec![cpu],
        ..EalConfig::default()
    };
    let eal = Eal::init(&config).context("EAL")?;
    let pool = PoolConfig { name: "bench".into(), count: 16_383, frame_room: 2048, numa_node: None };
    let setup = Setup {
        pool: Pool::new(&eal, &pool).context("pool")?,
        quick: args.quick,
        only: args.only,
        second_cpu: cpus.pop().unwrap_or(cpu),
        eal,
    };
    let results = (bench.run)(&setup)?;
    ensure!(!results.is_empty(), "no case has that name");
    if !args.hugepages {
        println!(
            "{}: runs; {} metrics, not shown: without hugepages they mean nothing",
            args.bench,
            results.len()
        );
        return Ok(());
    }
    let report = Report {
        bench: args.bench,
        machine: serde_json::from_str(&args.machine).context("--machine")?,
        commit: args.commit,
        tsc_hz: tsc_hz(),
        results,
    };
    println!("{}", serde_json::to_string_pretty(&report)?);
    Ok(())
}
