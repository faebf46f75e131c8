//! `pxtrd`: the daemon.

use anyhow::Context;
use clap::Parser;
use pxtr_control::replay::Journal;
use pxtr_control::{config, runtime};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

/// An open LISP Proxy xTR: PITR, PETR, xTR, Map-Server and Map-Resolver in one daemon.
#[derive(Debug, Parser)]
#[command(name = "pxtrd", version)]
struct Arguments {
    /// Configuration file (TOML).
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Read and check the configuration, say what is wrong with it, and end.
    #[arg(long)]
    check_config: bool,
    /// Record all that the protocol engine hears, for `pxtr-sim replay`. The file holds what an
    /// attacker would like to know: it is readable by its owner alone.
    #[arg(long, value_name = "FILE")]
    event_log: Option<PathBuf>,
    /// Where recording ends, MiB.
    #[arg(long, value_name = "MIB", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    event_log_mib: u32,
}

/// Exit code of a configuration that is wrong: EX_CONFIG of sysexits(3).
const EXIT_CONFIG: u8 = 78;
/// Exit code of everything else that went wrong.
const EXIT_FAILURE: u8 = 1;

fn main() -> ExitCode {
    if let Err(lacking) = pxtr_dataplane::launch::check_cpu() {
        eprintln!("pxtrd: {lacking}");
        return ExitCode::from(EXIT_FAILURE);
    }
    let arguments = Arguments::parse();
    let config = match config::check_config(&arguments.config) {
        Ok(config) => config,
        Err(errors) => {
            eprintln!("{errors}");
            return ExitCode::from(EXIT_CONFIG);
        }
    };
    if arguments.check_config {
        for sentence in config.advice() {
            println!("{}: note: {sentence}", arguments.config.display());
        }
        println!("{}: good", arguments.config.display());
        return ExitCode::SUCCESS;
    }
    match serve(config, arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One line for the operator; the chain of causes is part of each message.
            eprintln!("pxtrd: {error:#}");
            ExitCode::from(EXIT_FAILURE)
        }
    }
}

fn serve(config: config::Config, arguments: Arguments) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&config.daemon.log)
        .with_context(|| format!("daemon.log: `{}` is no log filter", config.daemon.log))?;
    // Colours are for people: a log file or the journal gets plain text.
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours).init();
    let journal = match &arguments.event_log {
        Some(path) => Journal::create(path, arguments.event_log_mib as usize * 1_048_576)?,
        None => Journal::off(),
    };
    runtime::run(config, arguments.config, journal)?;
    Ok(())
}
