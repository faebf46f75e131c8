//! The command-line client. See [`pxtr_control::cli`].

use clap::Parser;
use pxtr_control::cli::{Cli, run};
use std::process::ExitCode;

fn main() -> ExitCode {
    run(&Cli::parse())
}
