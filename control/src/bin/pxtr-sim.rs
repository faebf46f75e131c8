//! `pxtr-sim`: plays thousands of seeds of the simulator, and replays one. For developers; no part of
//! an installation.

use anyhow::{Context, bail};
use clap::{Args, Parser, Subcommand};
use pxtr_control::config::{self, Machine};
use pxtr_control::engine::event::{Action, Event, Time};
use pxtr_control::replay::{self, Played};
use pxtr_control::sim::{self, Failure, Scenario, shrink};
use std::fs::File;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// The deterministic simulator of the control plane.
#[derive(Debug, Parser)]
#[command(name = "pxtr-sim", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Play seeds; of one that fails, print the smallest scenario that fails in the same way
    Run(RunArguments),
    /// Play a scenario again, step by step
    Replay(ReplayArguments),
}

#[derive(Debug, Args)]
struct RunArguments {
    /// Seeds to play
    #[arg(long, default_value_t = 1000, value_name = "N")]
    seeds: u64,
    /// The first seed
    #[arg(long, default_value_t = 0, value_name = "SEED")]
    first: u64,
    /// Threads [default: one for each CPU]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

#[derive(Debug, Args)]
struct ReplayArguments {
    /// The log that `run` printed, a seed, or the event log of a daemon (`pxtrd --event-log`)
    #[arg(value_name = "FILE|SEED")]
    log: PathBuf,
    /// The configuration of that daemon; again for each one that came into force later (SIGHUP)
    #[arg(long, value_name = "FILE")]
    config: Vec<PathBuf>,
    /// Say only how it ends
    #[arg(long, short)]
    quiet: bool,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Run(arguments) => run(&arguments),
        Command::Replay(arguments) => replay(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pxtr-sim: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Plays the seeds on all threads until one fails.
fn run(arguments: &RunArguments) -> anyhow::Result<()> {
    let started = Instant::now();
    let end = arguments.first.saturating_add(arguments.seeds);
    let (next, steps) = (AtomicU64::new(arguments.first), AtomicU64::new(0));
    let failed: Mutex<Option<(Scenario, Failure)>> = Mutex::new(None);
    let threads = arguments.threads.or_else(|| std::thread::available_parallelism().ok().map(usize::from));
    let play = || loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= end {
            return;
        }
        let scenario = Scenario::generate(seed);
        match sim::run(&scenario, None) {
            Ok(outcome) => _ = steps.fetch_add(outcome.steps, Ordering::Relaxed),
            Err(failure) => {
                next.store(end, Ordering::Relaxed);
                if let Ok(mut failed) = failed.lock() {
                    failed.get_or_insert((scenario, failure));
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads.unwrap_or(1).max(1) {
            scope.spawn(play);
        }
    });
    if let Some((scenario, failure)) = failed.into_inner().ok().flatten() {
        let (small, how) = shrink::shrink(&scenario, &failure);
        println!("# seed {}: {failure}", scenario.seed);
        println!("# the smallest that breaks the same rule: {how}");
        println!("# again: pxtr-sim replay FILE, with this in FILE");
        print!("{}", small.to_log());
        bail!("seed {} breaks the rule {}", scenario.seed, failure.rule);
    }
    println!(
        "{} seeds from {}, {} steps, {:.1} s: no rule broken",
        arguments.seeds,
        arguments.first,
        steps.into_inner(),
        started.elapsed().as_secs_f64()
    );
    Ok(())
}

fn replay(arguments: &ReplayArguments) -> anyhow::Result<()> {
    if !arguments.config.is_empty() {
        return replay_daemon(arguments);
    }
    let scenario = scenario(&arguments.log)?;
    let mut print = |at: u64, node: &str, event: &Event, actions: &[Action]| {
        show(Time(at), node, event, actions);
    };
    let trace: Option<sim::Trace<'_>> = if arguments.quiet { None } else { Some(&mut print) };
    match sim::run(&scenario, trace) {
        Ok(outcome) => {
            println!("{} steps, {} datagrams: no rule broken", outcome.steps, outcome.datagrams);
            Ok(())
        }
        Err(failure) => bail!("{failure}"),
    }
}

fn replay_daemon(arguments: &ReplayArguments) -> anyhow::Result<()> {
    let read = |path: &PathBuf| config::check_config_for(path, &Machine::any());
    let configurations = arguments.config.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let log = File::open(&arguments.log).with_context(|| arguments.log.display().to_string())?;
    let mut print = |at: Time, event: &Event, actions: &[Action]| {
        if !arguments.quiet {
            show(at, "", event, actions);
        }
    };
    let played = replay::play(BufReader::new(log), &configurations, &mut print)
        .with_context(|| arguments.log.display().to_string())?;
    let Played { steps, engines, panics, .. } = played;
    println!("{steps} steps as then, {engines} engines, {panics} panics as then");
    Ok(())
}

/// Ticks over which nothing happens are left out. Who reads no further (`| head`) ends it.
fn show(at: Time, who: &str, event: &Event, actions: &[Action]) {
    if *event == Event::Tick && actions.is_empty() {
        return;
    }
    if writeln!(std::io::stdout(), "{}", replay::describe(at, who, event, actions)).is_err() {
        std::process::exit(0);
    }
}

fn scenario(log: &Path) -> anyhow::Result<Scenario> {
    if let Some(seed) = log.to_str().and_then(|text| text.parse().ok()) {
        return Ok(Scenario::generate(seed));
    }
    let text = std::fs::read_to_string(log).with_context(|| log.display().to_string())?;
    Scenario::from_log(&text).with_context(|| log.display().to_string())
}
