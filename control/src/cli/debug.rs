//! `debug lisp`: prints messages until somebody has seen enough.

use super::args::DebugArgs;
use super::render;
use super::run::{FAILED, USAGE, failed};
use crate::api::{Answer, Client, Reply, Request};
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

/// Listens and prints, a message a line with `json`.
pub(super) fn run(args: &DebugArgs, json: bool, path: &Path) -> ExitCode {
    let query = match args.query() {
        Ok(query) => query,
        Err(why) => {
            eprintln!("pxtr: {why}");
            return ExitCode::from(USAGE);
        }
    };
    let mut left = args.count.unwrap_or(u64::MAX);
    if left == 0 {
        return ExitCode::SUCCESS;
    }
    let mut written = Ok(());
    let streamed = Client::connect(path).and_then(|mut client| {
        eprintln!("pxtr: listening; Ctrl-C ends it");
        client.stream(&Request::DebugLisp(query), |reply| {
            written = io::stdout().lock().write_all(line(reply, json).as_bytes());
            left -= 1;
            written.is_ok() && left > 0
        })
    });
    match (streamed, written) {
        (Err(error), _) => failed(&error),
        (_, Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("pxtr: can not write: {error}");
            ExitCode::from(FAILED)
        }
        _ => ExitCode::SUCCESS,
    }
}

fn line(reply: Reply, json: bool) -> String {
    match reply {
        Reply::Debug(message) if !json => render::debug_message(&message),
        reply => serde_json::to_string(&Answer::from(reply)).unwrap_or_default() + "\n",
    }
}
