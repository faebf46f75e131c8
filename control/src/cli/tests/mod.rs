//! What the command prints, and how it finds its daemon.

use super::args::{Cli, Command, Debug, LigTarget};
use super::run::output;
use super::socket::find;
use crate::api::tests::Fake;
use crate::api::{ApiSource, DebugQuery, Direction, MessageKind, Reply, Worker, Workers};
use clap::{CommandFactory, Parser};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

fn cli(line: &str) -> Cli {
    Cli::try_parse_from(line.split(' ')).unwrap()
}

fn printed(line: &str) -> String {
    let cli = cli(line);
    let reply = Fake::default().answer(&cli.request().unwrap()).unwrap();
    output(&cli, reply)
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

/// `screens.txt` is what the fake daemon looks like; with `PXTR_UPDATE=1` it is written anew.
#[test]
fn tables_look_as_agreed() {
    let commands = [
        "pxtr show map-cache",
        "pxtr show map-cache 10.4.0.1 --limit 1",
        "pxtr show map-cache 192.0.2.1",
        "pxtr show database",
        "pxtr show registrations",
        "pxtr show subscriptions",
        "pxtr show rlocs",
        "pxtr show lisp",
        "pxtr show ports --xstats",
        "pxtr show vrfs",
        "pxtr show policers",
        "pxtr show workers --counters",
        "pxtr show drops",
        "pxtr show statistics",
        "pxtr show health",
        "pxtr clear map-cache 10.4.0.0/16",
    ];
    let text: String = commands.iter().map(|line| format!("$ {line}\n{}\n", printed(line))).collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/tests/screens.txt");
    if std::env::var_os("PXTR_UPDATE").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(there == text, "src/cli/tests/screens.txt differs:\n{text}");
}

#[test]
fn json_is_the_daemons_answer() {
    let text = printed("pxtr --json show workers");
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["version"], 1);
    assert_eq!(value["workers"]["workers"][0]["cycles_per_packet"], 61.25);
    assert_eq!(printed("pxtr show workers --json"), text, "--json may stand anywhere");
}

#[test]
fn what_workers_hand_over_is_shown_where_they_do() {
    let worker = |number, handed, taken, full| {
        let counters = [("handed_over", handed), ("taken_over", taken), ("sent_for_others", 0)];
        let counters = counters.map(|(name, n)| (name.to_owned(), n)).into();
        Worker { worker: number, packets: handed, handover_full: full, counters, ..Worker::default() }
    };
    let shown = |workers| output(&cli("pxtr show workers"), Reply::Workers(Workers { workers }));
    let text = shown(vec![worker(0, 70, 0, 3), worker(1, 0, 70, 0)]);
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[4], ["WORKER", "RECEIVED", "HANDED-OVER", "TAKEN-OVER", "FULL", "SENT-FOR-OTHERS"]);
    assert_eq!(
        (&lines[5][..], &lines[6][..]),
        (&["0", "70", "70", "0", "3", "0"][..], &["1", "0", "0", "70", "0", "0"][..])
    );
    assert!(!shown(vec![worker(0, 0, 0, 0)]).contains("HANDED"));
}

#[test]
fn empty_lists_are_sentences() {
    let cases = [
        ("pxtr show map-cache", Reply::MapCache(Default::default()), "no such map-cache entry (0 in all)"),
        (
            "pxtr show database",
            Reply::Database(Default::default()),
            "no EID-prefixes of an own site are configured",
        ),
        ("pxtr show registrations", Reply::Registrations(Default::default()), "nothing is registered"),
        (
            "pxtr show dynamic-eid",
            Reply::DynamicEid(Default::default()),
            "no host of a dynamic-EID prefix is here",
        ),
        (
            "pxtr show nat",
            Reply::Nat(Default::default()),
            "no router behind a NAT is known here, and lisp.nat_traversal is off",
        ),
        ("pxtr show away", Reply::Away(Default::default()), "no host of this site is at another one"),
        ("pxtr show subscriptions", Reply::Subscriptions(Default::default()), "there are no subscriptions"),
        ("pxtr show rlocs", Reply::Rlocs(Default::default()), "no locators are known"),
        ("pxtr show ports", Reply::Ports(Default::default()), "this daemon has no ports"),
        ("pxtr show vrfs", Reply::Vrfs(Default::default()), "no such VRF (0 in all)"),
        ("pxtr show policers", Reply::Policers(Default::default()), "no such policer (0 in all)"),
        ("pxtr show workers", Reply::Workers(Default::default()), "this daemon has no workers"),
        ("pxtr show drops", Reply::Drops(Default::default()), "no packet was dropped"),
    ];
    for (line, reply, text) in cases {
        assert_eq!(output(&cli(line), reply), format!("{text}\n"));
    }
}

#[test]
fn wrong_usage_is_refused() {
    for line in
        ["pxtr", "pxtr show", "pxtr show mapcache", "pxtr show map-cache 10.4", "pxtr show rlocs --limit 0"]
    {
        let error = Cli::try_parse_from(line.split(' ')).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{line}");
    }
    let error = Cli::try_parse_from(["pxtr", "clear", "map-cache", "10.4.0.1/16"]).unwrap_err().to_string();
    assert!(error.contains("has host bits set; give 10.4.0.0/16"), "{error}");
}

#[test]
fn filters_of_debug_are_words() {
    let query = |line: &str| match cli(line).command {
        Command::Debug(Debug::Lisp(args)) => args.query(),
        other => panic!("{other:?}"),
    };
    let found = query("pxtr debug lisp in map-reply rloc-probe 10.4.0.0/24").unwrap();
    assert_eq!(found.direction, Some(Direction::Received));
    assert_eq!(found.messages, [MessageKind::MapReply, MessageKind::RlocProbe]);
    assert_eq!(found.about, Some("10.4.0.0/24".parse().unwrap()));
    assert_eq!(query("pxtr debug lisp").unwrap(), DebugQuery::default());
    assert!(query("pxtr debug lisp in out").is_err() && query("pxtr debug lisp ::1 10.0.0.1").is_err());
    assert!(Cli::try_parse_from(["pxtr", "debug", "lisp", "map-replies"]).is_err());
}

#[test]
fn a_map_resolver_of_lig_is_given_with_an_at() {
    let Command::Lig(args) = cli("pxtr lig 10.4.0.1 @198.51.100.14 --count 5").command else { panic!() };
    assert_eq!((args.map_resolver, args.count), ("198.51.100.14".parse().ok(), 5));
    assert!(matches!(cli("pxtr lig self").command, Command::Lig(a) if a.target == LigTarget::Own));
    for wrong in ["pxtr lig", "pxtr lig 10.4.0.0/24", "pxtr lig self 192.0.2.1", "pxtr lig self --count 6"] {
        assert!(Cli::try_parse_from(wrong.split(' ')).is_err(), "{wrong}");
    }
}

#[test]
fn the_socket_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path();
    let default = run.join("pxtr.sock");
    let given = Path::new("/x/y.sock");
    assert_eq!(find(Some(given), Some("/e.sock".into()), run).unwrap(), given);
    assert_eq!(find(None, Some("/e.sock".into()), run).unwrap(), Path::new("/e.sock"));
    assert_eq!(
        find(None, Some(PathBuf::new()), run).unwrap(),
        default,
        "nothing there: the default is named"
    );
    assert_eq!(find(None, None, &run.join("none")).unwrap(), run.join("none/pxtr.sock"));

    std::fs::write(run.join("notes.sock"), "no socket").unwrap();
    let _a = UnixListener::bind(run.join("ms.sock")).unwrap();
    assert_eq!(find(None, None, run).unwrap(), run.join("ms.sock"), "the only one");
    let _b = UnixListener::bind(run.join("xtr4.sock")).unwrap();
    let error = find(None, None, run).unwrap_err();
    assert!(
        error.contains("several daemons") && error.contains("ms.sock") && error.contains("xtr4.sock"),
        "{error}"
    );
    let _c = UnixListener::bind(&default).unwrap();
    assert_eq!(find(None, None, run).unwrap(), default);
}
