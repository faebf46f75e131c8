//! From the command line to an exit code.

use super::args::{Cli, Command, Show};
use super::render;
use super::socket::{RUN_DIR, find};
use crate::api::{Answer, Client, ClientError, Reply};
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

const FAILED: u8 = 1;
const UNREACHABLE: u8 = 3;

/// Does what the command line says.
#[must_use]
pub fn run(cli: &Cli) -> ExitCode {
    let environment = std::env::var_os("PXTR_SOCKET").map(Into::into);
    let path = match find(cli.socket.as_deref(), environment, Path::new(RUN_DIR)) {
        Ok(path) => path,
        Err(message) => {
            eprintln!("pxtr: {message}");
            return ExitCode::from(UNREACHABLE);
        }
    };
    match ask(cli, &path) {
        Ok(reply) => finish(cli, reply),
        Err(error) => {
            eprintln!("pxtr: {error}");
            ExitCode::from(if matches!(error, ClientError::Api(_)) { FAILED } else { UNREACHABLE })
        }
    }
}

fn ask(cli: &Cli, path: &Path) -> Result<Reply, ClientError> {
    Client::connect(path)?.ask(&cli.request())
}

fn finish(cli: &Cli, reply: Reply) -> ExitCode {
    let ready = !matches!(&reply, Reply::Health(health) if !health.ready);
    let text = output(cli, reply);
    match io::stdout().lock().write_all(text.as_bytes()) {
        // `pxtr ... | head` has all it wants.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("pxtr: can not write: {error}");
            ExitCode::from(FAILED)
        }
        _ if ready => ExitCode::SUCCESS,
        _ => ExitCode::from(FAILED),
    }
}

/// What is printed for a reply.
pub(super) fn output(cli: &Cli, reply: Reply) -> String {
    if cli.json {
        let text = serde_json::to_string_pretty(&Answer::from(reply)).unwrap_or_default();
        return text + "\n";
    }
    match (&reply, &cli.command) {
        (Reply::MapCache(map_cache), _) => render::map_cache(map_cache),
        (Reply::Database(database), _) => render::database(database),
        (Reply::Registrations(registrations), _) => render::registrations(registrations),
        (Reply::DynamicEid(hosts), _) => render::dynamic_eids(hosts),
        (Reply::Away(hosts), _) => render::away(hosts),
        (Reply::Rlocs(rlocs), _) => render::rlocs(rlocs),
        (Reply::Ports(ports), command) => {
            render::ports(ports, matches!(command, Command::Show(Show::Ports { xstats: true })))
        }
        (Reply::Workers(workers), command) => {
            render::workers(workers, matches!(command, Command::Show(Show::Workers { counters: true })))
        }
        (Reply::Drops(drops), _) => render::drops(drops),
        (Reply::Statistics(statistics), command) => {
            render::statistics(statistics, matches!(command, Command::Show(Show::Statistics { all: true })))
        }
        (Reply::Health(health), _) => render::health(health),
        (Reply::Cleared(cleared), _) => render::cleared(*cleared),
        (Reply::Error(error), _) => format!("{error}\n"),
    }
}
