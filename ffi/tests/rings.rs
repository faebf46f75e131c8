//! Owned buffers and bursts over real DPDK: net_ring pairs and net_null, without hugepages.
//!
//! The EAL starts once per process: run with `cargo nextest run` (a process per test). Under plain
//! `cargo test` all but the first test of the process fail with `EalTwice`.

use dpdk_sys::{
    BURST, Burst, Checksum, DeviceSpec, Eal, EalConfig, Error, HEADROOM, Mbuf, OpenPort, Pool, PoolConfig,
    PortConfig, lcore, ring_pair,
};

const COUNT: u32 = 2047;

fn eal() -> Eal {
    let config = EalConfig { memory_mib: 64, ..EalConfig::default() };
    Eal::init(&config).expect("one EAL per process: use `cargo nextest run`")
}

fn pool(eal: &Eal) -> Pool {
    let config = PoolConfig { name: "test".into(), count: COUNT, frame_room: 2048, numa_node: Some(0) };
    Pool::new(eal, &config).expect("pool")
}

fn packet(pool: &Pool, bytes: &[u8]) -> Mbuf {
    let mut mbuf = pool.alloc().expect("free mbuf");
    mbuf.append(bytes.len()).expect("room").copy_from_slice(bytes);
    mbuf
}

#[test]
fn what_is_allocated_comes_back() {
    let pool = pool(&eal());
    assert_eq!((pool.available(), pool.in_use(), pool.size()), (COUNT, 0, COUNT));
    let held: Vec<Mbuf> = std::iter::from_fn(|| pool.alloc()).collect();
    assert_eq!(held.len(), COUNT as usize);
    assert_eq!((pool.available(), pool.in_use()), (0, COUNT));
    assert!(pool.alloc().is_none());
    // The other thread has no cache of its own: both ways back are taken.
    std::thread::spawn(move || drop(held)).join().expect("thread");
    assert_eq!(pool.in_use(), 0);
}

#[test]
fn a_buffer_changes_within_its_bounds_only() {
    let pool = pool(&eal());
    let mut mbuf = packet(&pool, b"payload");
    assert_eq!((mbuf.headroom(), mbuf.data_len(), mbuf.pkt_len()), (usize::from(HEADROOM), 7, 7));
    assert_eq!((mbuf.segments(), mbuf.tailroom()), (1, 2048 - 7));
    mbuf.prepend(4).expect("headroom").copy_from_slice(b"head");
    assert_eq!(mbuf.data(), b"headpayload");
    assert!(mbuf.prepend(usize::from(HEADROOM) - 3).is_none());
    assert_eq!(mbuf.prepend(usize::from(HEADROOM) - 4).expect("all of the headroom").len(), 124);
    assert_eq!((mbuf.headroom(), mbuf.pkt_len()), (0, 135));
    assert!(mbuf.adj(128));
    assert_eq!(mbuf.data(), b"payload");
    assert!(!mbuf.adj(8) && !mbuf.trim_to(8));
    assert!(mbuf.trim_to(3));
    assert_eq!(mbuf.data(), b"pay");
    assert_eq!(mbuf.append(2).expect("tailroom"), [0, 0]);
    assert!(mbuf.append(2048).is_none());
    assert_eq!(mbuf.append(2048 - 5).expect("all of the tailroom").len(), 2043);
    assert_eq!((mbuf.pkt_len(), mbuf.tailroom()), (2048, 0));
    assert!(mbuf.trim_to(0) && mbuf.data().is_empty());
    mbuf.data_mut().fill(1);
    assert_eq!((mbuf.rx_ip_checksum(), mbuf.rx_l4_checksum()), (Checksum::Unknown, Checksum::Unknown));
    assert!(mbuf.linearize());
    drop(mbuf);
    assert_eq!(pool.in_use(), 0);
}

/// The sum of 16-bit words as RFC 1071 defines it.
fn words(bytes: &[u8]) -> u16 {
    let pairs =
        bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |b| u32::from(*b)));
    let sum = pairs.sum::<u32>();
    let sum = (sum & 0xFFFF) + (sum >> 16);
    ((sum & 0xFFFF) + (sum >> 16)) as u16
}

#[test]
fn packets_join_by_copying_where_there_is_room_and_else_by_chaining() {
    let pool = pool(&eal());
    let mut whole = packet(&pool, &[1; 1000]);
    whole.join(packet(&pool, &[2; 1000])).expect("room");
    assert_eq!((whole.segments(), whole.pkt_len(), pool.in_use()), (1, 2000, 1), "copied");
    whole.join(packet(&pool, &[3; 100])).expect("a chain");
    assert_eq!((whole.segments(), whole.data_len(), whole.pkt_len(), pool.in_use()), (2, 2000, 2100, 2));
    let mut tail = packet(&pool, &[4; 10]);
    tail.join(packet(&pool, &[4; 2040])).expect("a chain");
    whole.join(tail).expect("two chains");
    assert_eq!((whole.segments(), whole.pkt_len(), pool.in_use()), (4, 4150, 4));
    assert!(whole.adj(1999) && whole.trim_to(1 + 100 + 10 + 5));
    assert_eq!((whole.segments(), whole.pkt_len(), pool.in_use()), (4, 116, 4));
    assert!(whole.trim_to(101));
    assert_eq!((whole.segments(), whole.data(), pool.in_use()), (2, &[2u8][..], 2));
    // The Internet checksum goes over all segments, those that begin in the middle of a word too.
    let mut odd = packet(&pool, &[0xAA, 0xAA, 1, 2, 3]);
    odd.join(packet(&pool, &[4; 2048])).expect("a chain");
    assert_eq!((odd.segments(), odd.sum_from(2)), (2, Some(words(&[&[1, 2, 3][..], &[4; 2048]].concat()))));
    assert_eq!((odd.sum_from(5 + 2048), odd.sum_from(5 + 2049)), (Some(0), None));
    drop(odd);
    // A chain has an end.
    let mut refused = 0;
    for _ in 0..40 {
        if let Err(tail) = whole.join(packet(&pool, &[5; 2048])) {
            assert_eq!(tail.data_len(), 2048);
            refused += 1;
        }
    }
    assert_eq!((whole.segments(), refused), (32, 10));
    drop(whole);
    assert_eq!(pool.in_use(), 0);
}

#[test]
fn a_burst_holds_64_in_order_and_frees_what_is_left() {
    let pool = pool(&eal());
    let mut burst = Burst::new();
    for i in 0..BURST {
        burst.push(packet(&pool, &[i as u8])).expect("room");
    }
    let surplus = burst.push(packet(&pool, b"x")).expect_err("full");
    assert_eq!(surplus.data(), b"x");
    assert_eq!((burst.len(), burst.room(), burst[5].data()[0]), (BURST, 0, 5));
    assert!(burst.get(BURST).is_none());
    for mbuf in burst.iter_mut() {
        mbuf.data_mut()[0] ^= 0xff;
    }
    assert_eq!(burst.pop().expect("last").data()[0], 63 ^ 0xff);
    let first: Vec<u8> = burst.drain().take(10).map(|mbuf| mbuf.data()[0] ^ 0xff).collect();
    assert_eq!(first, (0..10).collect::<Vec<u8>>());
    // The rest of the drain was freed; only `surplus` is out.
    assert!(burst.is_empty());
    assert_eq!(pool.in_use(), 1);
    burst.push(surplus).expect("room");
    drop(burst);
    assert_eq!(pool.in_use(), 0);
}

#[test]
fn what_one_port_sends_the_other_receives_and_leftovers_stay() {
    let eal = eal();
    let pool = pool(&eal);
    let (a, b) = ring_pair(&eal, "x", 2).expect("pair");
    let config = PortConfig { rx_queues: 2, tx_queues: 2, ..PortConfig::default() };
    let (port_a, rx_a, mut tx_a) = a.start(&config, &pool).expect("a");
    let (_port_b, mut rx_b, tx_b) = b.start(&config, &pool).expect("b");
    let mut out = Burst::new();
    let mut sent = 0u32;
    // A ring of 1024 holds 1023.
    while out.is_empty() {
        while out.room() > 0 {
            out.push(packet(&pool, &(sent + out.len() as u32).to_be_bytes())).expect("room");
        }
        sent += tx_a[1].burst(&mut out) as u32;
    }
    assert_eq!((sent, out.len()), (1023, 1));
    assert_eq!(out[0].data(), 1023u32.to_be_bytes(), "leftovers keep their order");
    assert_eq!(tx_a[1].burst(&mut out), 0);
    let mut seen = 0u32;
    let mut into = Burst::new();
    while rx_b[1].burst(&mut into) > 0 {
        for mbuf in into.drain() {
            assert_eq!(mbuf.data(), seen.to_be_bytes());
            seen += 1;
        }
    }
    assert_eq!((seen, rx_b[0].burst(&mut into)), (1023, 0));
    assert_eq!(tx_a[1].burst(&mut out), 1);
    assert_eq!((pool.in_use(), port_a.stats().expect("stats").tx_packets), (1, 1024));
    // Closing both ports gives back what still lies in the rings.
    drop((port_a, rx_a, tx_a, _port_b, rx_b, tx_b));
    assert_eq!(pool.in_use(), 0);
}

#[test]
fn a_burst_fills_up_behind_what_it_holds() {
    let eal = eal();
    let pool = pool(&eal);
    let (a, b) = ring_pair(&eal, "x", 1).expect("pair");
    let (_a, _rx, mut tx) = a.start(&PortConfig::default(), &pool).expect("a");
    let (_b, mut rx, _tx) = b.start(&PortConfig::default(), &pool).expect("b");
    let mut burst = Burst::new();
    for i in 0..BURST {
        burst.push(packet(&pool, &[i as u8])).expect("room");
    }
    assert_eq!(tx[0].burst(&mut burst), BURST);
    burst.push(packet(&pool, b"first")).expect("room");
    assert_eq!(rx[0].burst(&mut burst), BURST - 1);
    assert_eq!((burst[0].data(), burst[1].data()), (&b"first"[..], &[0u8][..]));
    assert_eq!(rx[0].burst(&mut burst), 0, "a full burst takes no more");
    burst.clear();
    assert_eq!(rx[0].burst(&mut burst), 1);
    burst.clear();
    assert_eq!(pool.in_use(), 0);
}

#[test]
fn net_null_makes_and_takes_packets_without_loss_of_mbufs() {
    let eal = eal();
    let pool = pool(&eal);
    let spec = DeviceSpec::new("net_null", "size=60", 0, 1, 1500).expect("spec");
    let open = OpenPort::open(&eal, &spec).expect("net_null");
    assert_eq!(open.capabilities().driver, "net_null");
    assert!(matches!(OpenPort::open(&eal, &spec), Err(Error::PortOwned { .. })));
    let (port, mut rx, mut tx) = open.start(&PortConfig::default(), &pool).expect("start");
    let mut burst = Burst::new();
    for _ in 0..1000 {
        assert_eq!(rx[0].burst(&mut burst), BURST);
        assert!(burst.iter().all(|mbuf| mbuf.data_len() == 60 && mbuf.port() == port.number()));
        assert_eq!(tx[0].burst(&mut burst), BURST);
    }
    assert_eq!(pool.in_use(), 0);
    assert_eq!(port.stats().expect("stats").rx_packets, 64_000);
    assert!(port.xstats().expect("xstats").iter().any(|x| x.name == "rx_good_packets" && x.value == 64_000));
    assert!(port.link().expect("link").up && port.mac().is_ok());
    drop((port, rx, tx));
    // Closed, it can be made again.
    assert!(OpenPort::open(&eal, &spec).is_ok());
}

#[test]
fn a_registered_thread_uses_its_cache_and_gives_it_back() {
    let eal = eal();
    let pool = pool(&eal);
    let cpu = lcore::allowed_cpus()[0];
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let _registration = lcore::pin_and_register(&eal, cpu).expect("register");
            assert_eq!(lcore::allowed_cpus(), [cpu]);
            assert!(matches!(lcore::register(&eal), Err(Error::RegisteredTwice)));
            for _ in 0..COUNT {
                drop(packet(&pool, b"x"));
            }
        });
    });
    assert_eq!(pool.in_use(), 0);
    let text = std::thread::scope(|scope| {
        let refused = scope.spawn(|| lcore::pin_and_register(&eal, 1000).map(|_| ()));
        refused.join().expect("thread").expect_err("no such cpu").to_string()
    });
    assert!(text.contains("cpu 1000") && text.contains("allowed are"), "{text}");
}

#[test]
fn mistakes_are_named_with_their_remedy() {
    let eal = eal();
    assert!(matches!(Eal::init(&EalConfig::default()), Err(Error::EalTwice)));
    let pool = pool(&eal);
    let huge = PoolConfig { name: "huge".into(), count: 1 << 20, frame_room: 9216, numa_node: None };
    let text = Pool::new(&eal, &huge).expect_err("too large").to_string();
    assert!(text.contains("9600 MiB") && text.contains("raise the memory setting"), "{text}");

    let open = |device: &str, args: &str, queues, mtu| {
        OpenPort::open(&eal, &DeviceSpec::new(device, args, 0, queues, mtu).expect("spec"))
    };
    let text = open("net_af_packet", "iface=nosuch0", 1, 1500).expect_err("no interface").to_string();
    assert!(text.contains("iface=nosuch0") && text.contains("ip link"), "{text}");
    let text = open("0000:ff:1f.7", "", 1, 1500).expect_err("no NIC").to_string();
    assert!(text.contains("dpdk-devbind.py"), "{text}");

    let start = |config: PortConfig| {
        let null = open("net_null", "", 1, 1500).expect("net_null");
        null.start(&config, &pool).map(|_| ()).expect_err("refused").to_string()
    };
    let text = start(PortConfig { rx_queues: 2000, ..PortConfig::default() });
    assert!(text.contains("1024 receive queues, 2000 are configured"), "{text}");
    let text = start(PortConfig { mtu: 9000, ..PortConfig::default() });
    assert!(text.contains("room for 2048") && text.contains("MTU 9000"), "{text}");
    let text = start(PortConfig { mtu: 10, ..PortConfig::default() });
    assert!(text.contains("MTU"), "{text}");
}

#[test]
fn a_burst_is_parted_in_order_and_loses_nothing() {
    let pool = pool(&eal());
    let burst_of = |names: std::ops::Range<u8>| {
        let mut burst = Burst::new();
        for name in names {
            assert!(burst.push(packet(&pool, &[name])).is_ok());
        }
        burst
    };
    let names = |burst: &Burst| burst.iter().map(|mbuf| mbuf.data()[0]).collect::<Vec<_>>();
    let (mut burst, mut gone) = (burst_of(0..6), burst_of(50..51));
    // Bits beyond the end mean nothing.
    assert!(burst.part(0b1100_1010, &mut gone));
    assert_eq!((names(&burst), names(&gone)), (vec![0, 2, 4, 5], vec![50, 1, 3]));
    assert!(burst.part(0, &mut gone) && burst.len() == 4);
    assert!(burst.part(u64::MAX, &mut gone) && burst.is_empty());
    assert_eq!(names(&gone), [50, 1, 3, 0, 2, 4, 5]);
    let (mut full, mut one) = (burst_of(0..BURST as u8), burst_of(99..100));
    assert!(!full.part(u64::MAX, &mut one));
    assert_eq!((full.len(), one.len()), (BURST, 1));
    assert!(full.part(u64::MAX << 1, &mut one));
    assert_eq!((full.len(), one.len(), pool.in_use()), (1, BURST, 7 + 1 + BURST as u32));
    drop((burst, gone, full, one));
    assert_eq!(pool.in_use(), 0);
}
