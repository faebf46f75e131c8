//! How the command ends: exit codes, and what is printed before.

use crate::api::{Answer, Client, ClientError, Reply, Request};
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

pub(super) const FAILED: u8 = 1;
/// Wrong usage.
pub(super) const USAGE: u8 = 2;
pub(super) const UNREACHABLE: u8 = 3;

/// Says why the daemon did not do it.
pub(super) fn failed(error: &ClientError) -> ExitCode {
    eprintln!("pxtr: {error}");
    ExitCode::from(if matches!(error, ClientError::Api(_)) { FAILED } else { UNREACHABLE })
}

/// Says what is wrong with the command line.
pub(super) fn wrong_usage(why: &str) -> ExitCode {
    eprintln!("pxtr: {why}");
    ExitCode::from(USAGE)
}

/// Prints, and ends well if all is `good`.
pub(super) fn print(text: &str, good: bool) -> ExitCode {
    let code = written(io::stdout().lock().write_all(text.as_bytes()));
    if good { code } else { ExitCode::from(FAILED) }
}

/// The end of what was written.
fn written(result: io::Result<()>) -> ExitCode {
    match result {
        // `pxtr ... | head` has all it wants.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("pxtr: can not write: {error}");
            ExitCode::from(FAILED)
        }
        _ => ExitCode::SUCCESS,
    }
}

/// Asks the daemon for a stream, says that it is `doing` so, and hands each reply to `each`, until that can
/// not write it or says that it was the last.
pub(super) fn stream(
    request: &Request,
    path: &Path,
    doing: &str,
    mut each: impl FnMut(Reply) -> io::Result<bool>,
) -> ExitCode {
    let mut result = Ok(());
    let streamed = Client::connect(path).and_then(|mut client| {
        eprintln!("pxtr: {doing}; Ctrl-C ends it");
        client.stream(request, |reply| match each(reply) {
            Ok(more) => more,
            Err(error) => {
                result = Err(error);
                false
            }
        })
    });
    match streamed {
        Err(error) => failed(&error),
        Ok(()) => written(result),
    }
}

/// A reply as one line of JSON.
pub(super) fn json_line(reply: Reply) -> String {
    serde_json::to_string(&Answer::from(reply)).unwrap_or_default() + "\n"
}
