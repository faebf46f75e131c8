//! The kernel's face of a port: a real kernel host on the other end of a veth pair talks to the kernel
//! of the machine that pxtr runs on, through net_af_packet, a worker, the host thread and net_tap.
//!
//! Needs root and a process per test (`cargo nextest run`). Both network namespaces have no name and
//! belong to this process and its child, so that the kernel removes them whatever happens.

use dpdk_sys::lcore;
use ipnet::IpNet;
use pxtr_dataplane::feed::{Delta, PortSpec, Route, VrfSpec};
use pxtr_dataplane::launch::{Dataplane, EalLaunch, Idle, LaunchConfig, PortLaunch, WorkersLaunch, launch};
use pxtr_dataplane::path::flow::FlowKey;
use pxtr_dataplane::types::{InstanceId, PortId, VrfId};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The host: a namespace that lives as long as a child that waits for its standard input to end.
struct Host(Child);

impl Host {
    fn new() -> Self {
        let mut child = Command::new("unshare")
            .args(["--net", "sh", "-c", "echo ready; read -r _"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare of util-linux");
        let mut line = String::new();
        let output = child.stdout.take().expect("piped");
        BufReader::new(output).read_line(&mut line).expect("the child is ready");
        assert_eq!(line.trim(), "ready");
        Self(child)
    }

    /// Runs a shell command in it.
    fn sh(&self, command: &str) -> Output {
        let pid = self.0.id().to_string();
        Command::new("nsenter").args(["-t", &pid, "-n", "sh", "-c", command]).output().expect("nsenter")
    }

    fn must(&self, command: &str) -> String {
        let output = self.sh(command);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{command}: {text}{}", String::from_utf8_lossy(&output.stderr));
        text
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // Its standard input ends, and so does it.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

fn sh(command: &str) {
    let output = Command::new("sh").args(["-c", command]).output().expect("sh");
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A host on `host0`, its machine's neighbour on `nic0`, both of this MTU.
fn network(mtu: u16) -> Host {
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET)
        .expect("this test makes network interfaces: run it as root");
    let host = Host::new();
    sh("ip link set lo up");
    sh(&format!("ip link add nic0 mtu {mtu} type veth peer name host0 mtu {mtu} netns {}", host.0.id()));
    // The kernel sees what the driver's sockets see: it must not answer for itself on nic0.
    sh("sysctl -qw net.ipv6.conf.nic0.disable_ipv6=1 net.ipv4.conf.nic0.rp_filter=1");
    sh("ip link set nic0 arp off; ip link set nic0 up");
    host.must("ip link set lo up; ip link set host0 up; ip addr add 192.0.2.1/24 dev host0");
    host.must("ip -6 addr add 2001:db8::1/64 dev host0 nodad");
    // The driver takes frames as they are: no checksum or segment may be left for hardware to do.
    host.must("ethtool -K host0 tx off tso off gso off gro off");
    host
}

fn start(mtu: u16) -> Dataplane {
    let config = LaunchConfig {
        eal: EalLaunch {
            memory_mib: 256,
            file_prefix: format!("pxtr_test_{}", std::process::id()),
            ..EalLaunch::default()
        },
        mbufs: 8191,
        ports: vec![PortLaunch {
            id: PortId(0),
            name: "lan".into(),
            device: "net_af_packet".into(),
            device_args: "iface=nic0".into(),
            host_interface: Some("lan".into()),
            queues: 1,
            mtu,
            ..PortLaunch::default()
        }],
        workers: WorkersLaunch { cores: vec![lcore::allowed_cpus()[0]], idle: Idle::Sleep { us: 50 } },
        ..LaunchConfig::default()
    };
    let mut dataplane = launch(&config, FlowKey::new([1; 4])).unwrap_or_else(|error| panic!("{error}"));
    sh("ip addr add 192.0.2.254/24 dev lan; ip -6 addr add 2001:db8::254/64 dev lan nodad");
    feed(&mut dataplane, mtu);
    dataplane
}

/// What netlink would tell: the addresses of the host interface are our own.
fn feed(dataplane: &mut Dataplane, mtu: u16) {
    let vrf = VrfId(0);
    let port = PortSpec {
        vrf,
        underlay: false,
        native: true,
        mac: dataplane.ports[0].mac(),
        mtu,
        ipv4: Some([192, 0, 2, 254].into()),
        ipv6: Some("2001:db8::254".parse().expect("address")),
        ..PortSpec::default()
    };
    let spec = VrfSpec { instance_id: InstanceId(0), pitr: true, petr: false, ..VrfSpec::default() };
    let local = |prefix: &str| {
        let prefix: IpNet = prefix.parse().expect("prefix");
        Delta::RouteSet { vrf, prefix, route: Route::Local }
    };
    let deltas = [
        Delta::VrfSet(vrf, spec),
        Delta::PortSet(PortId(0), Box::new(port)),
        local("192.0.2.254/32"),
        local("2001:db8::254/128"),
    ];
    let worker = &mut dataplane.workers[0];
    for delta in deltas {
        worker.feed(delta).expect("room");
    }
    let start = Instant::now();
    while worker.applied_seq() < 4 {
        assert!(start.elapsed() < Duration::from_secs(10), "the worker takes no deltas");
        std::thread::yield_now();
    }
}

fn stop(dataplane: Dataplane) {
    let pools = dataplane.running.pools().to_vec();
    let counts = dataplane.ports[0].host_counts().expect("it has a host interface");
    assert!(counts.to_kernel > 0 && counts.from_kernel > 0, "{counts:?}");
    assert_eq!((counts.to_kernel_refused, counts.from_kernel_full), (0, 0));
    // The worker runs: between two reads of a snapshot a packet may come and go.
    let settled = || {
        (0..500).any(|_| {
            std::thread::sleep(Duration::from_millis(10));
            let snapshot = dataplane.workers[0].snapshot();
            snapshot.received == snapshot.fates()
        })
    };
    assert!(settled(), "{:?}", dataplane.workers[0].snapshot());
    drop(dataplane);
    assert!(pools.iter().all(|pool| pool.in_use() == 0));
    let links = Command::new("ip").args(["-o", "link"]).output().expect("ip").stdout;
    assert!(!String::from_utf8_lossy(&links).contains(" lan:"), "the host interface goes with its port");
}

#[test]
fn arp_nd_ping_and_tcp_reach_the_kernel_through_the_host_port() {
    let host = network(1500);
    let dataplane = start(1500);
    // The kernel's face has the NIC's address.
    let mac = dataplane.ports[0].mac().to_string();
    let links = Command::new("ip").args(["-o", "link", "show", "lan"]).output().expect("ip").stdout;
    assert!(String::from_utf8_lossy(&links).contains(&mac), "{mac}");
    // The first packet included: address resolution goes the same way.
    let text = host.must("ping -c 10 -i 0.05 -W 2 192.0.2.254");
    assert!(text.contains(" 0% packet loss") && !text.contains("DUP"), "{text}");
    let text = host.must("ping -6 -c 10 -i 0.05 -W 2 2001:db8::254");
    assert!(text.contains(" 0% packet loss") && !text.contains("DUP"), "{text}");
    assert!(host.must("ip neigh").contains(&mac), "it was our own address that answered");

    let listener = TcpListener::bind("192.0.2.254:4000").expect("the kernel has the address");
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut bytes = vec![0; 500_000];
        stream.read_exact(&mut bytes).expect("all of it");
        stream.write_all(&bytes).expect("back again");
    });
    let echo = "head -c 500000 /dev/urandom >&3; head -c 500000 <&3 | wc -c";
    let text = host.must(&format!("exec bash -c 'exec 3<>/dev/tcp/192.0.2.254/4000; {echo}'"));
    assert_eq!(text.trim(), "500000");
    server.join().expect("server");
    stop(dataplane);
}

#[test]
fn jumbo_frames_reach_the_kernel_and_come_back() {
    let host = network(9000);
    let dataplane = start(9000);
    let text = host.must("ping -M do -s 8972 -c 5 -i 0.05 -W 2 192.0.2.254");
    assert!(text.contains(" 0% packet loss"), "{text}");
    stop(dataplane);
}
