//! Generator and counter of packets on one core, over `net_memif` or any other device. Orders come on
//! standard input, a report in JSON answers each on standard output; `ready` says that the link is up.

use anyhow::{Context, Result, ensure};
use clap::Parser;
use dpdk_sys::{DeviceSpec, Eal, EalConfig, OpenPort, Pool, PoolConfig, PortConfig, lcore};
use pxtr_perf::traffic::{Generator, Kind, Order, Stream, StreamConfig, one_way_ns};
use std::io::BufRead;
use std::time::{Duration, Instant};

/// Sends packets through a device under test and counts what comes back.
#[derive(Parser)]
struct Args {
    /// DPDK device.
    #[arg(long, default_value = "net_memif0")]
    device: String,
    /// Its arguments.
    #[arg(long, default_value = "")]
    device_args: String,
    /// Queue pairs.
    #[arg(long, default_value_t = 1)]
    queues: u16,
    /// CPU to run on.
    #[arg(long, default_value_t = 0)]
    cpu: usize,
    /// Memory without hugepages: shows that it runs, gives no numbers.
    #[arg(long)]
    no_hugepages: bool,
    /// Which way the packets go.
    #[arg(long, value_enum, default_value = "encap")]
    kind: Kind,
    /// EID-prefixes they go to or come from.
    #[arg(long, default_value_t = 1000)]
    mappings: u32,
    /// Sends nothing: prints the nanoseconds that a cache line takes from `--cpu` to this one.
    #[arg(long, value_name = "CPU")]
    distance: Option<usize>,
    /// IPv6 inside.
    #[arg(long)]
    inner_v6: bool,
    /// The device under test sends everything back as it is.
    #[arg(long)]
    reflected: bool,
    /// Bytes of UDP payload.
    #[arg(long, default_value_t = 18)]
    payload: u16,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let config = EalConfig {
        hugepages: !args.no_hugepages,
        memory_mib: 96,
        file_prefix: format!("pxtr-traffic-{}", std::process::id()),
        housekeeping_cpus: vec![args.cpu],
        ..EalConfig::default()
    };
    let eal = Eal::init(&config).context("EAL")?;
    let _registered = lcore::pin_and_register(&eal, args.cpu)?;
    if let Some(other) = args.distance {
        println!("{:.1}", one_way_ns(&eal, other)?);
        return Ok(());
    }
    let pool = PoolConfig { name: "traffic".into(), count: 16_383, frame_room: 2048, numa_node: None };
    let pool = Pool::new(&eal, &pool).context("pool")?;
    let spec = DeviceSpec::new(&args.device, &args.device_args, 0, args.queues, 1600)?;
    let port =
        PortConfig { rx_queues: args.queues, tx_queues: args.queues, mtu: 1600, ..PortConfig::default() };
    let (port, rx, tx) = OpenPort::open(&eal, &spec)?.start(&port, &pool)?;
    let start = Instant::now();
    while !port.link()?.up {
        ensure!(start.elapsed() < Duration::from_secs(20), "the other end of {} is not there", args.device);
        std::thread::sleep(Duration::from_millis(10));
    }
    let mut generator = Generator::new(rx, tx, pool);
    let mut stream = Stream::new(StreamConfig {
        kind: args.kind,
        mappings: args.mappings,
        inner_v6: args.inner_v6,
        payload: args.payload,
        reflected: args.reflected,
    });
    println!("ready");
    for line in std::io::stdin().lock().lines() {
        let round = match line?.parse()? {
            Order::Run { pps, seconds } => generator.run(&mut stream, pps, seconds)?,
            Order::First { eid, count } => generator.first(eid, count)?,
            Order::Quit => break,
        };
        println!("{}", serde_json::to_string(&round)?);
    }
    Ok(())
}
