//! The daemon as a process: start, answers, signals, exit codes. In a network namespace of the test's
//! own thread, which the child inherits; needs root, without it the tests say so and pass.

use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pxtr_control::codec::{AuthData, EidRecord, LocatorRecord, MapRegister, Message, auth};
use pxtr_control::engine::config::Secret;
use pxtr_control::engine::event::{EidPrefix, Iid};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const PXTRD: &str = env!("CARGO_BIN_EXE_pxtrd");

/// A directory of the test's own, and a configuration in it.
struct Place(tempfile::TempDir);

impl Place {
    /// `rest`: what follows `[daemon]`.
    fn new(rest: &str) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        let dir = place.0.path().display();
        let text = format!(
            "[daemon]\nname = \"t\"\napi_socket = \"{dir}/api.sock\"\nhttp_listen = \"127.0.0.1:9399\"\n\
             state_dir = \"{dir}/state\"\n{rest}"
        );
        std::fs::write(place.config(), text).unwrap();
        place
    }

    fn config(&self) -> PathBuf {
        self.0.path().join("pxtrd.toml")
    }

    fn socket(&self) -> PathBuf {
        self.0.path().join("api.sock")
    }

    fn command(&self) -> Command {
        let mut command = Command::new(PXTRD);
        command.arg("--config").arg(self.config()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn ask(&self, request: &str) -> Option<String> {
        let mut stream = UnixStream::connect(self.socket()).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        stream.write_all(request.as_bytes()).ok()?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).ok()?;
        Some(line)
    }
}

const MAP_SERVER: &str = r#"[lisp]
roles = ["map-server", "map-resolver"]
rlocs = ["127.0.0.1"]
[[vrf]]
name = "default"
instance_id = 0
[[map_server.site]]
name = "s"
keys = [{ id = 1, secret = "a-test-secret" }]
algorithms = ["hmac-sha256"]
eid_prefixes = [{ prefix = "10.4.0.0/24", instance_id = 0, accept_more_specifics = false }]
"#;

const MISSING_PORT: &str = r#"[dpdk]
hugepages = false
memory_mib = 64
mbufs = 12288
[workers]
cores = [0]
idle = "sleep"
[[port]]
name = "core"
device = "net_af_packet"
device_args = "iface=nowhere0"
host_interface = "core"
queues = 1
mtu = 1500
underlay = true
native = true
vrf = "default"
[[vrf]]
name = "default"
instance_id = 0
eid_space = ["10.0.0.0/8"]
[lisp]
roles = ["pitr", "petr"]
rlocs = ["198.51.100.2"]
map_resolvers = ["198.51.100.14"]
"#;

fn in_namespace(test: impl FnOnce() + Send + 'static) {
    std::thread::spawn(move || {
        if let Err(e) = unshare(CloneFlags::CLONE_NEWNET) {
            eprintln!("skipped: cannot make a network namespace: {e}");
            return;
        }
        assert!(Command::new("ip").args(["link", "set", "lo", "up"]).status().unwrap().success());
        test();
    })
    .join()
    .unwrap();
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Ends the daemon with a signal. It has two seconds.
fn end(mut child: Child, signal: Signal) -> (Option<i32>, String) {
    kill(Pid::from_raw(child.id() as i32), signal).unwrap();
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        assert!(start.elapsed() < Duration::from_secs(2), "still there two seconds after {signal}");
        std::thread::sleep(Duration::from_millis(5));
    };
    let mut log = String::new();
    child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    (status.code(), log)
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout)
}

#[test]
fn a_mapping_system_daemon_lives_answers_and_ends() {
    in_namespace(|| {
        let place = Place::new(MAP_SERVER);
        let child = place.command().spawn().unwrap();
        until("the API", || {
            place.ask("{\"cmd\":\"show health\"}\n").is_some_and(|a| a.contains("\"ready\":true"))
        });
        let registrations = place.ask("{\"cmd\":\"show registrations\"}\n").unwrap();
        assert!(registrations.contains("\"registrations_total\":0"), "{registrations}");
        let mut http = std::net::TcpStream::connect("127.0.0.1:9399").unwrap();
        http.write_all(b"GET /livez HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        http.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");

        // A second one by mistake is told so, and the first one lives on.
        let second = place.command().output().unwrap();
        assert_eq!(second.status.code(), Some(1));
        let said = text(&second);
        assert!(said.contains("another LISP daemon runs in this network namespace"), "{said}");

        // Its file is read again on SIGHUP: taken over, or refused as a whole.
        let hang_up = || kill(Pid::from_raw(child.id() as i32), Signal::SIGHUP).unwrap();
        let counted = |name: &str, n: u32| {
            let wanted = format!("\"{name}\":{n},");
            until(&wanted, || {
                place.ask("{\"cmd\":\"show statistics\"}\n").is_some_and(|a| a.contains(&wanted))
            });
        };
        let good = std::fs::read_to_string(place.config()).unwrap();
        for (text, counter, n) in [
            (good.replace("10.4.0.0/24", "10.5.0.0/24"), "config_reloads", 1),
            (good.replace("10.4.0.0/24", "nonsense"), "config_reloads_refused", 1),
            (good.replace("127.0.0.1:9399", "127.0.0.1:9398"), "config_reloads_refused", 2),
            (good, "config_reloads", 2),
        ] {
            std::fs::write(place.config(), text).unwrap();
            hang_up();
            counted(counter, n);
        }
        let (code, log) = end(child, Signal::SIGTERM);
        assert_eq!(code, Some(0), "{log}");
        for said in ["pxtrd is up", "is in force", "[daemon] can only change with a restart", "going down"] {
            assert!(log.contains(said), "{said}: {log}");
        }
        assert!(!log.contains('\u{1b}'), "no colours in a file: {log}");
        assert!(!place.socket().exists(), "the socket is removed");
    });
}

/// A Map-Register as a site's ETR sends it, of whatever nonce.
fn map_register(nonce: u64) -> Vec<u8> {
    let eid = EidPrefix { iid: Iid(0), prefix: "10.4.0.0/24".parse().unwrap() };
    let mut record = EidRecord::new(eid, 1440);
    record.locators = vec![LocatorRecord::new([127, 0, 0, 1].into(), 1, 100)];
    let register = MapRegister {
        proxy_reply: true,
        lisp_sec: false,
        eid_notify: false,
        use_ttl: false,
        merge: false,
        want_map_notify: false,
        nonce,
        auth: AuthData::unsigned(1, 2, 32),
        records: vec![record],
        xtr: None,
    };
    let mut payload = Message::MapRegister(register).to_bytes().unwrap();
    auth::sign(&mut payload, &Secret::new(b"a-test-secret".to_vec())).unwrap();
    payload
}

#[test]
fn r164_a_map_register_that_was_recorded_before_a_restart_is_refused_after_it() {
    in_namespace(|| {
        let place = Place::new(MAP_SERVER);
        let etr = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let hears = |nonce, wanted: &str| {
            etr.send_to(&map_register(nonce), "127.0.0.1:4342").unwrap();
            until(wanted, || {
                place.ask("{\"cmd\":\"show statistics\"}\n").is_some_and(|a| a.contains(wanted))
            });
        };
        let ready = || place.ask("{\"cmd\":\"show health\"}\n").is_some_and(|a| a.contains("\"ready\":true"));
        let child = place.command().spawn().unwrap();
        until("the API", ready);
        hears(7, "\"registrations_new\":1,");
        let (_, log) = end(child, Signal::SIGTERM);
        assert!(log.contains("no nonces of Map-Registers are kept"), "the first start: {log}");

        let child = place.command().spawn().unwrap();
        until("the API", ready);
        hears(7, "\"map_registers_replayed\":1,");
        hears(8, "\"registrations_new\":1,");
        let (_, log) = end(child, Signal::SIGTERM);
        assert!(!log.contains("nonces of Map-Registers"), "{log}");
    });
}

#[test]
fn an_interrupt_ends_it_as_well() {
    in_namespace(|| {
        let place = Place::new(MAP_SERVER);
        let child = place.command().spawn().unwrap();
        until("the API", || place.ask("{\"cmd\":\"show health\"}\n").is_some());
        assert_eq!(end(child, Signal::SIGINT).0, Some(0));
    });
}

#[test]
fn a_port_that_is_not_there_ends_the_start_with_a_remedy() {
    in_namespace(|| {
        let place = Place::new(MISSING_PORT);
        let output = place.command().output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        let said = text(&output);
        assert!(said.contains("no interface `nowhere0`"), "{said}");
        assert!(!place.socket().exists());
    });
}

#[test]
fn a_configuration_is_checked_without_starting_anything() {
    let good = Place::new(MAP_SERVER);
    let output = good.command().arg("--check-config").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(!good.socket().exists());

    let bad = Place::new("colour = \"red\"\n[lisp]\nroles = [\"pitr\"]\n");
    for check in [true, false] {
        let mut command = bad.command();
        if check {
            command.arg("--check-config");
        }
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(78));
        assert!(text(&output).contains("colour"), "{}", text(&output));
    }
    let missing = Command::new(PXTRD).args(["--config", "/nowhere.toml"]).output().unwrap();
    assert_eq!(missing.status.code(), Some(78));
    assert!(text(&missing).contains("/nowhere.toml"));
}
