//! Conformance as data: event in, actions out, one sentence each. The cases are the TOML files beside
//! this one, a file for each section of the requirements; `README.md` says how they are written. Each
//! runs on an engine of its own, under virtual time, and hears and says bytes.

mod config;
mod file;
mod message;
mod play;
mod secure;
mod show;
mod words;

use file::File;
use std::path::{Path, PathBuf};

/// Plays every case of these files; what failed, one text each.
fn failures(files: &[PathBuf]) -> (usize, Vec<String>) {
    let (mut played, mut failed) = (0, Vec::new());
    for path in files {
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let text = std::fs::read_to_string(path).expect("readable");
        let file = match File::parse(&text) {
            Ok(file) => file,
            Err(error) => {
                failed.push(format!("{name}: {error}"));
                continue;
            }
        };
        for case in &file.case {
            played += 1;
            if let Err(error) = play::play(&file, case) {
                failed.push(format!("{name}: {}: {}\n{error}", case.r.join(" "), case.says));
            }
        }
    }
    (played, failed)
}

fn files() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let all = std::fs::read_dir(directory).expect("the directory").map(|file| file.expect("a file").path());
    let mut files: Vec<PathBuf> = all.filter(|path| path.extension().is_some_and(|e| e == "toml")).collect();
    files.sort();
    files
}

#[test]
fn every_case_goes_as_it_is_written() {
    let (played, failed) = failures(&files());
    assert!(failed.is_empty(), "{} of {played} cases failed:\n\n{}", failed.len(), failed.join("\n\n"));
    assert!(played > 0);
}

/// A case that expects too little, too much, or something else fails, and so does one that is misspelt.
#[test]
fn a_case_that_is_wrong_fails() {
    let head = "keys = []\n[nodes.itr]\nlisp.roles = [\"pitr\"]\nlisp.rlocs = [\"192.0.2.1\"]\n\
                lisp.map_resolvers = [\"192.0.2.53\"]\nvrf = [{ name = \"default\", instance_id = 0, eid_space = [\"10.0.0.0/8\"] }]\n";
    let case = |steps: &str| {
        let case =
            format!("[[case]]\nr = [\"R-000\"]\nsays = \"x\"\nnode = \"itr\"\nsteps = '''\n{steps}\n'''\n");
        let file = File::parse(&format!("{head}{case}"))?;
        play::play(&file, &file.case[0])
    };
    let asks = "-> 192.0.2.53 ecm map-request 10.1.2.3/32 itr=192.0.2.1 pitr";
    assert_eq!(case(&format!("miss 10.1.2.3 from 203.0.113.9\n{asks}")), Ok(()));
    let wrong = [
        ("miss 10.1.2.3 from 203.0.113.9", "not expected: -> 192.0.2.53"),
        (&format!("miss 10.1.2.3 from 203.0.113.9\n{asks}\n{asks}"), "did not happen"),
        (
            "miss 10.1.2.3 from 203.0.113.9\n-> 192.0.2.53 ecm map-request 10.1.2.3/32 itr=192.0.2.1",
            "did not happen",
        ),
        ("mis 10.1.2.3", "mis is no event"),
        ("~> 192.0.2.53", "~> is no event"),
        ("<- 192.0.2.53 map-reply nonce=7 10.1.2.0/24 ttl=1 rloc=198.51.100.1/1/1", "rloc=198.51.100.1/1/1"),
        ("count map_requests_sent 1", "map_requests_sent is 0"),
        ("wait 5 6", "wait 5 6"),
    ];
    for (steps, expected) in wrong {
        let error = case(steps).expect_err(steps);
        assert!(error.contains(expected), "{steps}: {error}");
    }
    let unknown = format!("{head}[[case]]\nr = []\nsays = \"x\"\nnode = \"itr\"\nsteps = \"\"\nsay = 1\n");
    assert!(File::parse(&unknown).is_err_and(|e| e.contains("unknown field")));
}
