//! What receiving, touching and sending a packet costs without a device: net_null.
//!
//! ```text
//! cargo run --release -p dpdk-sys --example null_cycles -- [huge|no-huge] [MBUFS]
//! ```
//!
//! Prints TSC cycles a packet, the median of 101 rounds of 1,000 bursts of 32. Numbers taken with
//! no-huge are three times too high: never publish them.

use dpdk_sys::{
    Burst, DeviceSpec, Eal, EalConfig, OpenPort, Pool, PoolConfig, PortConfig, lcore, tsc, version,
};

const ROUNDS: usize = 101;
const BURSTS: u64 = 1000;
const PACKETS: usize = 32;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let hugepages = args.next().is_none_or(|word| word == "huge");
    let count = args.next().map_or(Ok(4095), |text| text.parse())?;
    let eal = Eal::init(&EalConfig { hugepages, memory_mib: 128, ..EalConfig::default() })?;
    let cpu = *lcore::allowed_cpus().last().ok_or("no cpu")?;
    let _registration = lcore::pin_and_register(&eal, cpu)?;
    let pool = PoolConfig { name: "null".into(), count, frame_room: 2048, numa_node: lcore::numa_node(cpu) };
    let pool = Pool::new(&eal, &pool)?;
    let spec = DeviceSpec::new("net_null", "size=64", 0, 1, 1500)?;
    let (_port, mut rx, mut tx) = OpenPort::open(&eal, &spec)?.start(&PortConfig::default(), &pool)?;
    let (rx, tx) = (rx.first_mut().ok_or("no queue")?, tx.first_mut().ok_or("no queue")?);
    let mut burst = Burst::new();
    let mut rounds = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let start = tsc();
        for _ in 0..BURSTS {
            rx.burst_up_to(&mut burst, PACKETS);
            for mbuf in burst.iter_mut() {
                if let Some(byte) = mbuf.data_mut().first_mut() {
                    *byte = byte.wrapping_add(1);
                }
            }
            tx.burst(&mut burst);
            burst.clear();
        }
        rounds.push((tsc() - start) as f64 / (BURSTS * PACKETS as u64) as f64);
    }
    rounds.sort_by(f64::total_cmp);
    let (median, best) = (rounds[ROUNDS / 2], rounds[0]);
    let memory = if hugepages { "hugepages" } else { "no hugepages" };
    println!("{}, {memory}, {count} mbufs: {median:.1} cycles a packet (best {best:.1})", version());
    Ok(())
}
