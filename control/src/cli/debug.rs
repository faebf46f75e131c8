//! `debug lisp`: prints messages until somebody has seen enough.

use super::args::DebugArgs;
use super::exit::{json_line, stream, wrong_usage};
use super::render;
use crate::api::{Reply, Request};
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

/// Listens and prints, a message a line with `json`.
pub(super) fn run(args: &DebugArgs, json: bool, path: &Path) -> ExitCode {
    let query = match args.query() {
        Ok(query) => query,
        Err(why) => return wrong_usage(&why),
    };
    let mut left = args.count.unwrap_or(u64::MAX);
    if left == 0 {
        return ExitCode::SUCCESS;
    }
    stream(&Request::DebugLisp(query), path, "listening", |reply| {
        io::stdout().lock().write_all(line(reply, json).as_bytes())?;
        left -= 1;
        Ok(left > 0)
    })
}

fn line(reply: Reply, json: bool) -> String {
    match reply {
        Reply::Debug(message) if !json => render::debug_message(&message),
        reply => json_line(reply),
    }
}
