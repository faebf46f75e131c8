//! The command `pxtr` as a process: exit codes, streams, environment. What it prints is tested in the
//! library.

use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A daemon that answers every request with the sample reply to its command.
fn daemon(dir: &Path) -> PathBuf {
    let path = dir.join("pxtr.sock");
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/api/tests/replies.json");
    let samples: Vec<Value> = serde_json::from_slice(&std::fs::read(samples).unwrap()).unwrap();
    let listener = UnixListener::bind(&path).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let mut line = String::new();
            stream.read_line(&mut line).unwrap();
            let request: Value = serde_json::from_str(&line).unwrap();
            let sample = samples.iter().find(|sample| sample["request"]["cmd"] == request["cmd"]);
            let error =
                r#"{"version":1,"error":{"code":"unavailable","message":"this daemon is no Map-Server"}}"#;
            let answer = match sample {
                Some(sample) if request["cmd"] != "show registrations" => sample["reply"].to_string(),
                _ => error.to_owned(),
            };
            writeln!(stream.get_mut(), "{answer}").unwrap();
        }
    });
    path
}

fn pxtr(arguments: &[&str], socket: Option<&Path>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pxtr"));
    command.args(arguments).env_remove("PXTR_SOCKET");
    if let Some(socket) = socket {
        command.env("PXTR_SOCKET", socket);
    }
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn answers_go_to_standard_output() {
    let dir = tempfile::tempdir().unwrap();
    let socket = daemon(dir.path());
    let output = pxtr(&["show", "workers"], Some(&socket));
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
    assert!(text(&output.stdout).starts_with("WORKER  CORE"), "{}", text(&output.stdout));

    let given = ["--socket", socket.to_str().unwrap(), "show", "workers", "--json"];
    let value: Value = serde_json::from_slice(&pxtr(&given, None).stdout).unwrap();
    assert_eq!(value["workers"]["workers"][0]["cycles_per_packet"], 61.25);
}

#[test]
fn exit_codes_tell_who_is_at_fault() {
    let dir = tempfile::tempdir().unwrap();
    let socket = daemon(dir.path());
    let cases: [(&[&str], Option<&Path>, i32, &str); 4] = [
        (&["show", "health"], Some(&socket), 0, ""),
        (&["show", "registrations"], Some(&socket), 1, "pxtr: this daemon is no Map-Server\n"),
        (&["show", "registrations", "--limit", "x"], Some(&socket), 2, "invalid value 'x'"),
        (&["show", "health"], Some(Path::new("/nonexistent/x.sock")), 3, "is pxtrd running?"),
    ];
    for (arguments, socket, code, words) in cases {
        let output = pxtr(arguments, socket);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains(words), "{arguments:?}: {}", text(&output.stderr));
    }
}
