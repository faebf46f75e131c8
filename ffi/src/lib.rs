//! Safe, owned types over DPDK at burst granularity.
//!
//! This is the only room of the house with `unsafe`. What it promises to the others:
//!
//! - An [`Mbuf`] has one owner. Sending it moves it into the driver; it can not be reached again.
//! - A queue has one owner ([`RxQueue`], [`TxQueue`]: `Send`, neither `Sync` nor `Clone`); a port is
//!   closed when its last queue and handle are gone, never under a thread that polls it.
//! - The memory that mbufs live in stays mapped until the process ends: pools are never freed.
//! - Reading and changing a packet is Rust on known offsets; C is called once per burst.
//!
//! No LISP word, no policy and no logging here. See README.md.

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!("pxtr runs on x86-64 and aarch64 only");

mod bindings;
mod burst;
mod clock;
mod columns;
pub mod cpu;
mod device;
mod eal;
mod error;
#[cfg(feature = "fib")]
pub mod fib;
mod hugepages;
mod layout;
pub mod lcore;
mod mapping;
mod mbuf;
mod pool;
mod port;
mod port_config;
mod queue;
mod ring;
mod spsc;
mod stats;
mod supply;
mod tap;
mod zeroed;

pub use burst::{BURST, Burst, Drain};
pub use clock::{prefetch, tsc, tsc_hz};
pub use columns::{GROUP, ROW, columns};
pub use device::{Device, DeviceSpec};
pub use eal::{Eal, EalConfig, version};
pub use error::Error;
pub use mbuf::{Checksum, HEADROOM, Mbuf};
pub use pool::{Pool, PoolConfig};
pub use port::{OpenPort, Port};
pub use port_config::{Capabilities, PortConfig};
pub use queue::{RxQueue, TxQueue};
pub use ring::ring_pair;
pub use spsc::{Receiver, Sender, spsc};
pub use stats::{Link, PortStats, XStat};
pub use supply::{Depot, Level, List, Lone, Run, Supply};
pub use tap::Tap;
pub use zeroed::Zeroed;
