//! Devices that face the kernel, on veth pairs in a network namespace of each test's own.
//!
//! They need root, and a process per test: run with `cargo nextest run`. The namespace belongs to the
//! test's threads alone, so the kernel removes it with them.

use dpdk_sys::{
    Burst, DeviceSpec, Eal, EalConfig, Mbuf, OpenPort, Pool, PoolConfig, Port, PortConfig, RxQueue, TxQueue,
};
use std::process::Command;
use std::time::{Duration, Instant};

/// An experimental EtherType (IEEE 802), so that the kernel's own packets can be told apart.
const ETHERTYPE: [u8; 2] = [0x88, 0xb5];

struct Setup {
    eal: Eal,
    pool: Pool,
}

fn setup() -> Setup {
    setup_with(9216)
}

fn setup_with(frame_room: u16) -> Setup {
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET)
        .expect("this test makes network interfaces: run it as root");
    ip("link set lo up");
    let config = EalConfig { memory_mib: 128, ..EalConfig::default() };
    let eal = Eal::init(&config).expect("one EAL per process: use `cargo nextest run`");
    let pool = PoolConfig { name: "test".into(), count: 8191, frame_room, numa_node: None };
    let pool = Pool::new(&eal, &pool).expect("pool");
    Setup { eal, pool }
}

/// Runs `ip` and returns what it prints.
fn ip(arguments: &str) -> String {
    let output =
        Command::new("ip").args(arguments.split_whitespace()).output().expect("iproute2 is installed");
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn veth(mtu: u16) {
    ip(&format!("link add va mtu {mtu} type veth peer name vb mtu {mtu}"));
    ip("link set va up");
    ip("link set vb up");
}

impl Setup {
    fn port(&self, device: &str, args: &str, queues: u16, mtu: u16) -> (Port, Vec<RxQueue>, Vec<TxQueue>) {
        let spec = DeviceSpec::new(device, args, 0, queues, mtu).expect("spec");
        let config = PortConfig { rx_queues: queues, tx_queues: queues, mtu, ..PortConfig::default() };
        let open = OpenPort::open(&self.eal, &spec).unwrap_or_else(|error| panic!("{error}"));
        open.start(&config, &self.pool).unwrap_or_else(|error| panic!("{error}"))
    }

    /// A frame of `len` bytes in all, from and to anybody.
    fn frame(&self, len: usize, number: u8) -> Mbuf {
        let mut mbuf = self.pool.alloc().expect("mbuf");
        let data = mbuf.append(len).expect("room");
        data[..6].fill(0xff);
        data[6..12].copy_from_slice(&[2, 0, 0, 0, 0, number]);
        data[12..14].copy_from_slice(&ETHERTYPE);
        data[14..].fill(number);
        mbuf
    }
}

/// Sends frames of these lengths and waits until all have come, whole and in order.
fn exchange(setup: &Setup, tx: &mut TxQueue, rx: &mut [RxQueue], lengths: &[usize]) {
    let (mut burst, mut unsent) = (Burst::new(), Burst::new());
    for (number, len) in lengths.iter().enumerate() {
        unsent.push(setup.frame(*len, number as u8)).expect("room");
    }
    let start = Instant::now();
    let mut seen = Vec::new();
    while seen.len() < lengths.len() {
        assert!(start.elapsed() < Duration::from_secs(5), "{} of {lengths:?} came", seen.len());
        // A memif server can not send before its client has looked for packets once.
        tx.burst(&mut unsent);
        for queue in rx.iter_mut() {
            queue.burst(&mut burst);
        }
        for mbuf in burst.drain().filter(|mbuf| mbuf.data()[12..14] == ETHERTYPE) {
            assert_eq!(mbuf.segments(), 1);
            assert!(mbuf.data()[14..].iter().all(|b| *b == mbuf.data()[14]));
            seen.push(mbuf.pkt_len());
        }
    }
    assert_eq!(seen, lengths);
}

#[test]
fn af_packet_moves_jumbo_frames_both_ways() {
    let setup = setup();
    veth(1500);
    let (a, mut rx_a, mut tx_a) = setup.port("net_af_packet1", "iface=va", 1, 9000);
    let (_b, mut rx_b, mut tx_b) = setup.port("net_af_packet2", "iface=vb", 1, 9000);
    exchange(&setup, &mut tx_a[0], &mut rx_b, &[60, 1514, 4000, 9014, 61]);
    exchange(&setup, &mut tx_b[0], &mut rx_a, &[9014, 60]);
    assert!(a.link().expect("link").up);
    let mac = a.mac().expect("mac").map(|byte| format!("{byte:02x}")).join(":");
    let kernel = ip("-o link show va");
    assert!(kernel.contains("mtu 9000") && kernel.contains(&mac), "{kernel}");
    drop((a, rx_a, tx_a, _b, rx_b, tx_b));
    assert_eq!(setup.pool.in_use(), 0);
}

#[test]
fn af_packet_spreads_over_two_queues() {
    let setup = setup();
    veth(1500);
    let (_a, rx_a, mut tx_a) = setup.port("net_af_packet1", "iface=va", 2, 1500);
    let (_b, mut rx_b, tx_b) = setup.port("net_af_packet2", "iface=vb", 2, 1500);
    assert_eq!((rx_a.len(), tx_a.len(), rx_b.len(), tx_b.len()), (2, 2, 2, 2));
    exchange(&setup, &mut tx_a[0], &mut rx_b, &[100, 200]);
    exchange(&setup, &mut tx_a[1], &mut rx_b, &[300, 400]);
}

#[test]
fn a_tap_has_the_mac_the_mtu_and_takes_jumbo_frames() {
    let setup = setup();
    let (port, mut rx, mut tx) = setup.port("net_tap1", "iface=face0,mac=02:11:22:33:44:55", 1, 9000);
    assert_eq!(port.mac().expect("mac"), [2, 0x11, 0x22, 0x33, 0x44, 0x55]);
    let kernel = ip("-o link show face0");
    assert!(kernel.contains("mtu 9000") && kernel.contains("02:11:22:33:44:55"), "{kernel}");
    let mut burst = Burst::new();
    for len in [60, 1514, 9014] {
        burst.push(setup.frame(len, 1)).expect("room");
    }
    assert_eq!(tx[0].burst(&mut burst), 3);
    // From the kernel: a large ping to a neighbour that needs no ARP.
    ip("address add 192.0.2.1/24 dev face0");
    ip("neighbour add 192.0.2.2 lladdr 02:00:00:00:00:02 dev face0");
    let ping =
        Command::new("ping").args(["-c", "1", "-W", "1", "-M", "do", "-s", "8972", "192.0.2.2"]).output();
    assert!(ping.is_ok());
    let start = Instant::now();
    loop {
        assert!(start.elapsed() < Duration::from_secs(5), "the ping did not come");
        rx[0].burst(&mut burst);
        if burst.drain().any(|mbuf| mbuf.pkt_len() == 9014 && mbuf.segments() == 1) {
            break;
        }
    }
    drop((port, rx, tx));
    assert_eq!(setup.pool.in_use(), 0);
    assert!(!ip("-o link").contains("face0"), "the interface goes with its port");
}

#[test]
fn af_xdp_and_af_packet_understand_each_other() {
    // The kernel wants an mbuf in one page.
    let setup = setup_with(2048);
    veth(1500);
    let (_a, mut rx_a, mut tx_a) = setup.port("net_af_xdp1", "iface=va", 1, 1500);
    let (_b, mut rx_b, mut tx_b) = setup.port("net_af_packet2", "iface=vb", 1, 1500);
    exchange(&setup, &mut tx_b[0], &mut rx_a, &[60, 1514, 500]);
    exchange(&setup, &mut tx_a[0], &mut rx_b, &[60, 1514, 500]);
}

#[test]
fn memif_moves_jumbo_frames_between_server_and_client() {
    let setup = setup();
    let socket = std::env::temp_dir().join(format!("pxtr_memif_{}.sock", std::process::id()));
    let args = |role| format!("role={role},id=0,socket={},socket-abstract=no", socket.display());
    let (a, mut rx_a, mut tx_a) = setup.port("net_memif1", &args("server"), 1, 9000);
    let (b, mut rx_b, mut tx_b) = setup.port("net_memif2", &args("client"), 1, 9000);
    let start = Instant::now();
    while !(a.link().expect("link").up && b.link().expect("link").up) {
        assert!(start.elapsed() < Duration::from_secs(5), "the two did not connect");
        std::thread::yield_now();
    }
    exchange(&setup, &mut tx_a[0], &mut rx_b, &[60, 1514, 9014]);
    exchange(&setup, &mut tx_b[0], &mut rx_a, &[60, 1514, 9014]);
}
