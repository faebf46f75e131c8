//! From the arguments of `lig` to questions, and to what is printed.

use super::ask::{AskError, Question, ask};
use super::report::Report;
use crate::api::{Client, ClientError, Database, Lisp, ListQuery, Reply, Request};
use crate::cli::args::{LigArgs, LigTarget};
use crate::cli::exit::{FAILED, UNREACHABLE, failed, print};
use crate::cli::render;
use crate::engine::event::Iid;
use ipnet::IpNet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// One EID-prefix to ask for.
struct Wanted {
    eid: IpAddr,
    iid: Iid,
    /// `self`: the configured prefix and its locators.
    own: Option<(IpNet, Vec<IpAddr>)>,
}

/// Does it. `socket`: that of the daemon, if there is one.
pub(in crate::cli) fn run(args: &LigArgs, json: bool, socket: Result<PathBuf, String>) -> ExitCode {
    let daemon = match (facts(socket), args.target, args.map_resolver) {
        (Ok(daemon), _, _) => Some(daemon),
        // Everything is known without it.
        (Err(_), LigTarget::Eid(_), Some(_)) => None,
        (Err(Unreachable::Several(message)), ..) => {
            eprintln!("pxtr: {message}");
            return ExitCode::from(UNREACHABLE);
        }
        (Err(Unreachable::Client(error)), ..) => return failed(&error),
    };
    let (lisp, database) = daemon.unwrap_or_default();
    let resolvers = match args.map_resolver {
        Some(one) => vec![one],
        None => lisp.map_resolvers.iter().map(|r| r.address).collect(),
    };
    if resolvers.is_empty() {
        eprintln!("pxtr: the daemon has no Map-Resolvers; give one as @ADDRESS");
        return ExitCode::from(FAILED);
    }
    let wanted = wanted(args, &database);
    if wanted.is_empty() {
        eprintln!("pxtr: the daemon has no EID-prefixes of its own (lisp.database)");
        return ExitCode::from(FAILED);
    }
    let itr_rlocs = args.source.map_or_else(|| one_per_family(&lisp.rlocs), |source| vec![source]);
    let mut reports = Vec::new();
    for one in &wanted {
        match report(args, one, &resolvers, &itr_rlocs) {
            Ok(report) => reports.push(report),
            Err(error) => {
                eprintln!("pxtr: {error}");
                return ExitCode::from(FAILED);
            }
        }
    }
    let good = reports.iter().all(Report::is_good);
    let text = if json {
        serde_json::to_string_pretty(&serde_json::json!({ "version": 1, "lig": reports }))
            .map_or_else(|e| e.to_string(), |text| text + "\n")
    } else {
        render::lig(&reports)
    };
    print(&text, good)
}

enum Unreachable {
    Several(String),
    Client(ClientError),
}

/// What the daemon knows: its place in the mapping system, and its own EID-prefixes.
fn facts(socket: Result<PathBuf, String>) -> Result<(Lisp, Database), Unreachable> {
    let path = socket.map_err(Unreachable::Several)?;
    query(&path).map_err(Unreachable::Client)
}

fn query(path: &Path) -> Result<(Lisp, Database), ClientError> {
    let mut client = Client::connect(path)?;
    let lisp = match client.ask(&Request::ShowLisp)? {
        Reply::Lisp(lisp) => lisp,
        _ => Lisp::default(),
    };
    let database = match client.ask(&Request::ShowDatabase(ListQuery::default()))? {
        Reply::Database(database) => database,
        _ => Database::default(),
    };
    Ok((lisp, database))
}

fn wanted(args: &LigArgs, database: &Database) -> Vec<Wanted> {
    match args.target {
        LigTarget::Eid(eid) => vec![Wanted { eid, iid: Iid(args.instance_id), own: None }],
        LigTarget::Own => database
            .entries
            .iter()
            .map(|entry| Wanted {
                eid: entry.eid_prefix.addr(),
                iid: Iid(entry.instance_id),
                own: Some((entry.eid_prefix, entry.locators.iter().filter_map(|l| l.rloc).collect())),
            })
            .collect(),
    }
}

fn one_per_family(rlocs: &[IpAddr]) -> Vec<IpAddr> {
    let first = |v4: bool| rlocs.iter().copied().find(|r| r.is_ipv4() == v4);
    first(true).into_iter().chain(first(false)).collect()
}

fn report(
    args: &LigArgs,
    wanted: &Wanted,
    resolvers: &[IpAddr],
    itr_rlocs: &[IpAddr],
) -> Result<Report, AskError> {
    let question = Question {
        eid: wanted.eid,
        iid: wanted.iid,
        authoritative: args.authoritative,
        itr_rlocs: itr_rlocs.to_vec(),
        count: args.count,
        timeout: Duration::from_secs(u64::from(args.timeout)),
    };
    let (asked, reply) = ask(&question, resolvers)?;
    let mut report =
        Report { eid: wanted.eid, instance_id: wanted.iid.0, asked, reply, own_prefix: None, wrong: None };
    if let Some((own, locators)) = &wanted.own {
        report.judge(*own, locators);
    }
    Ok(report)
}
