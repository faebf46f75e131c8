//! From the command line to an exit code.

use super::args::{Cli, Command, Debug, Show, Trace};
use super::exit::{UNREACHABLE, failed, print};
use super::socket::{RUN_DIR, find};
use super::{debug, lig, render, watch};
use crate::api::{Answer, Client, Reply};
use std::path::Path;
use std::process::ExitCode;

/// Does what the command line says.
#[must_use]
pub fn run(cli: &Cli) -> ExitCode {
    let environment = std::env::var_os("PXTR_SOCKET").map(Into::into);
    let found = find(cli.socket.as_deref(), environment, Path::new(RUN_DIR));
    if let Command::Lig(args) = &cli.command {
        return lig::run(args, cli.json, found);
    }
    let path = match found {
        Ok(path) => path,
        Err(message) => {
            eprintln!("pxtr: {message}");
            return ExitCode::from(UNREACHABLE);
        }
    };
    match &cli.command {
        Command::Debug(Debug::Lisp(args)) => debug::run(args, cli.json, &path),
        Command::Trace(Trace::Add(args)) => watch::trace(args, cli.json, &path),
        Command::Capture(args) => watch::capture(args, &path),
        _ => match cli.request() {
            Some(request) => match Client::connect(&path).and_then(|mut client| client.ask(&request)) {
                Ok(reply) => finish(cli, reply),
                Err(error) => failed(&error),
            },
            None => ExitCode::SUCCESS,
        },
    }
}

fn finish(cli: &Cli, reply: Reply) -> ExitCode {
    let ready = !matches!(&reply, Reply::Health(health) if !health.ready);
    let text = output(cli, reply);
    print(&text, ready)
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
        (Reply::Nat(nat), _) => render::nat(nat),
        (Reply::Away(hosts), _) => render::away(hosts),
        (Reply::Subscriptions(list), _) => render::subscriptions(list),
        (Reply::Rlocs(rlocs), _) => render::rlocs(rlocs),
        (Reply::Ports(ports), command) => {
            render::ports(ports, matches!(command, Command::Show(Show::Ports { xstats: true })))
        }
        (Reply::Vrfs(vrfs), _) => render::vrfs(vrfs),
        (Reply::Policers(policers), _) => render::policers(policers),
        (Reply::Workers(workers), command) => {
            render::workers(workers, matches!(command, Command::Show(Show::Workers { counters: true })))
        }
        (Reply::Drops(drops), _) => render::drops(drops),
        (Reply::Statistics(statistics), command) => {
            render::statistics(statistics, matches!(command, Command::Show(Show::Statistics { all: true })))
        }
        (Reply::Health(health), _) => render::health(health),
        (Reply::Lisp(lisp), _) => render::lisp(lisp),
        (Reply::Debug(message), _) => render::debug_message(message),
        (Reply::Packet(packet), _) => render::packet(packet),
        (Reply::WatchDone(done), _) => render::watch_done(*done),
        (Reply::Cleared(cleared), _) => render::cleared(*cleared),
        (Reply::Error(error), _) => format!("{error}\n"),
    }
}
