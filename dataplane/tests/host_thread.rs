//! The host thread between workers and a device that plays the kernel, over net_ring and net_tap.
//!
//! The EAL starts once per process: run with `cargo nextest run`.

use dpdk_sys::{
    Burst, DeviceSpec, Eal, EalConfig, Mbuf, OpenPort, Pool, PoolConfig, PortConfig, RxQueue, TxQueue,
    ring_pair,
};
use pxtr_dataplane::host::{Face, HostClass, HostPort, HostStats, HostThread, WorkerEnd, ends};
use std::sync::Arc;
use std::time::{Duration, Instant};

struct Setup {
    eal: Eal,
    pool: Pool,
}

fn setup() -> Setup {
    let config = EalConfig { memory_mib: 64, ..EalConfig::default() };
    let eal = Eal::init(&config).expect("one EAL per process: use `cargo nextest run`");
    let pool = PoolConfig { name: "test".into(), count: 4095, frame_room: 2048, numa_node: None };
    let pool = Pool::new(&eal, &pool).expect("pool");
    Setup { eal, pool }
}

impl Setup {
    fn packet(&self, number: u32) -> Mbuf {
        let mut mbuf = self.pool.alloc().expect("mbuf");
        mbuf.append(60).expect("room")[..4].copy_from_slice(&number.to_be_bytes());
        mbuf
    }

    fn start(&self, port: OpenPort) -> (RxQueue, TxQueue) {
        let (_, mut rx, mut tx) = port.start(&PortConfig::default(), &self.pool).expect("start");
        (rx.remove(0), tx.remove(0))
    }

    /// A host thread with one port on `device`, for `workers` workers.
    fn thread(&self, device: OpenPort, workers: usize) -> (HostThread, Vec<WorkerEnd>, Arc<HostStats>) {
        let (rx, tx) = self.start(device);
        let (worker_ends, end) = ends(workers);
        let stats = Arc::new(HostStats::default());
        let port = HostPort::new(Face::Queues(rx, tx), Vec::new(), end, stats.clone());
        (HostThread::spawn(&self.eal, vec![port]).expect("thread"), worker_ends, stats)
    }
}

fn number(mbuf: &Mbuf) -> u32 {
    u32::from_be_bytes(mbuf.data()[..4].try_into().expect("4 bytes"))
}

/// Repeats until it is true; ten seconds are a failure.
fn until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(10), "{what}");
        std::thread::yield_now();
    }
}

fn receive(worker: &mut WorkerEnd, into: &mut Vec<u32>) {
    let mut burst = Burst::new();
    worker.from_kernel(&mut burst, 32);
    into.extend(burst.drain().map(|mbuf| number(&mbuf)));
}

#[test]
fn packets_of_all_workers_reach_the_kernel_and_answers_reach_the_first() {
    let setup = setup();
    let (face, kernel) = ring_pair(&setup.eal, "h", 1).expect("pair");
    let (thread, mut workers, stats) = setup.thread(face, 2);
    let (mut kernel_rx, mut kernel_tx) = setup.start(kernel);
    for i in 0..200 {
        let worker = &mut workers[i as usize % 2];
        worker.to_kernel(HostClass::Other, setup.packet(i)).expect("room for 128");
    }
    let (mut burst, mut seen) = (Burst::new(), Vec::new());
    until("200 packets at the kernel", || {
        kernel_rx.burst(&mut burst);
        seen.extend(burst.drain().map(|mbuf| number(&mbuf)));
        seen.len() == 200
    });
    let evens: Vec<u32> = seen.iter().copied().filter(|n| n % 2 == 0).collect();
    assert!(evens.is_sorted(), "a worker's packets keep their order");
    for i in 0..50 {
        burst.push(setup.packet(i)).expect("room");
    }
    assert_eq!(kernel_tx.burst(&mut burst), 50);
    let mut answers = Vec::new();
    until("50 packets at the worker", || {
        receive(&mut workers[0], &mut answers);
        answers.len() == 50
    });
    assert!(answers.is_sorted());
    receive(&mut workers[1], &mut answers);
    assert_eq!(answers.len(), 50, "only the first worker sends for the kernel");
    assert!(thread.is_alive());
    drop(thread);
    let counts = stats.read();
    assert_eq!((counts.to_kernel, counts.from_kernel), (200, 50));
    assert_eq!((counts.to_kernel_refused, counts.from_kernel_full), (0, 0));
    assert_eq!(setup.pool.in_use(), 0);
}

#[test]
fn a_kernel_that_takes_nothing_and_a_worker_that_sleeps_leak_nothing() {
    let setup = setup();
    let (face, kernel) = ring_pair(&setup.eal, "h", 1).expect("pair");
    let (thread, mut workers, stats) = setup.thread(face, 1);
    let (kernel_rx, mut kernel_tx) = setup.start(kernel);
    // The ring to the kernel holds 1023 and nobody reads it.
    let mut sent = 0;
    while sent < 1500 {
        match workers[0].to_kernel(HostClass::Other, setup.packet(sent)) {
            Ok(()) => sent += 1,
            Err(_full) => std::thread::yield_now(),
        }
    }
    until("477 refusals", || stats.read().to_kernel_refused == 1500 - 1023);
    // The ring to the worker holds 256 and nobody reads it.
    let mut burst = Burst::new();
    for i in 0..300 {
        burst.push(setup.packet(i)).expect("room");
        kernel_tx.burst(&mut burst);
    }
    until("44 drops", || stats.read().from_kernel_full == 300 - 256);
    assert_eq!(setup.pool.in_use(), 1023 + 256);
    drop(thread);
    drop((workers, kernel_rx, kernel_tx));
    assert_eq!(setup.pool.in_use(), 0);
}

#[test]
fn a_flood_of_one_class_leaves_the_others_their_room_and_their_turn_r161() {
    let setup = setup();
    let (face, kernel) = ring_pair(&setup.eal, "h", 1).expect("pair");
    let (rx, tx) = setup.start(face);
    let (mut kernel_rx, _kernel_tx) = setup.start(kernel);
    let (mut workers, end) = ends(1);
    let worker = &mut workers[0];
    let pings = (0..1000).take_while(|i| worker.to_kernel(HostClass::Icmp, setup.packet(*i)).is_ok()).count();
    assert_eq!(pings, 64);
    // What a site that moves solicits for at once, several times over.
    let solicits = (0..1000)
        .take_while(|i| worker.to_kernel(HostClass::Control, setup.packet(2000 + i)).is_ok())
        .count();
    assert_eq!(solicits, 512);
    for i in 0..10 {
        worker.to_kernel(HostClass::Routing, setup.packet(5000 + i)).expect("room");
    }
    let stats = Arc::new(HostStats::default());
    let port = HostPort::new(Face::Queues(rx, tx), Vec::new(), end, stats);
    let _thread = HostThread::spawn(&setup.eal, vec![port]).expect("thread");
    let (mut burst, mut seen) = (Burst::new(), Vec::new());
    until("all packets at the kernel", || {
        kernel_rx.burst(&mut burst);
        seen.extend(burst.drain().map(|mbuf| number(&mbuf)));
        seen.len() == pings + solicits + 10
    });
    let routing: Vec<_> = (0..seen.len()).filter(|at| seen[*at] >= 5000).collect();
    assert_eq!(
        routing,
        [8, 9, 10, 11, 12, 13, 14, 15, 40, 41],
        "its share of each turn, after that of LISP control"
    );
}

#[test]
fn what_the_tap_refuses_is_counted_and_holds_up_nothing_behind_it() {
    // A network namespace of this thread and those it starts; the kernel removes it with them.
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).expect("this test needs root: it makes a tap");
    let setup = setup();
    let spec = DeviceSpec::new("net_tap", "iface=face0", 0, 1, 1500).expect("spec");
    let device = OpenPort::open(&setup.eal, &spec).expect("tap");
    let (thread, mut workers, stats) = setup.thread(device, 1);
    let mut large = setup.packet(0);
    large.append(1900).expect("room");
    for mbuf in [setup.packet(1), large, setup.packet(2)] {
        workers[0].to_kernel(HostClass::Other, mbuf).expect("room");
    }
    until("three packets", || {
        let counts = stats.read();
        counts.to_kernel + counts.to_kernel_refused == 3
    });
    assert_eq!((stats.read().to_kernel, stats.read().to_kernel_refused), (2, 1));
    // The operator takes the interface down: writes fail, and are counted.
    let status = std::process::Command::new("ip").args(["link", "set", "face0", "down"]).status();
    assert!(status.expect("ip").success());
    for i in 0..100 {
        workers[0].to_kernel(HostClass::Other, setup.packet(i)).expect("room");
    }
    until("a hundred refusals", || stats.read().to_kernel_refused == 101);
    drop((thread, workers));
    assert_eq!(setup.pool.in_use(), 0);
}
