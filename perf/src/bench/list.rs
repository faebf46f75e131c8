//! Which benches there are.

use super::{access, churn, failover, flood, lpm, memory, path, scale};
use crate::report::Metric;
use anyhow::Result;
use dpdk_sys::{Eal, Pool};

/// What a bench may use.
#[derive(Debug)]
pub struct Setup {
    /// DPDK.
    pub eal: Eal,
    /// Buffers for packets in rotation.
    pub pool: Pool,
    /// Fewer and shorter samples: shows that it runs, gives no numbers.
    pub quick: bool,
    /// Only cases whose name contains this.
    pub only: Option<String>,
    /// CPU for a second thread, where a bench has one.
    pub second_cpu: usize,
}

impl Setup {
    /// Whether a case was asked for.
    pub fn wants(&self, name: &str) -> bool {
        self.only.as_deref().is_none_or(|only| name.contains(only))
    }
}

/// A bench by its name.
#[derive(Debug)]
pub struct Bench {
    /// Name on the command line.
    pub name: &'static str,
    /// What it measures.
    pub about: &'static str,
    /// Memory that DPDK needs for it, MiB.
    pub memory_mib: u32,
    /// Runs it.
    pub run: fn(&Setup) -> Result<Vec<Metric>>,
}

/// All benches of the packet path.
pub const BENCHES: [Bench; 8] = [
    Bench {
        name: "path",
        about: "TSC cycles a packet of the worker on DPDK mbufs, without a device",
        memory_mib: 128,
        run: path::run,
    },
    Bench {
        name: "lpm",
        about: "lookups and updates against DPDK's rte_fib and rte_fib6",
        memory_mib: 1500,
        run: lpm::run,
    },
    Bench {
        name: "access",
        about: "what a cache line costs that the caches do not hold, by the size of memory and of its pages",
        memory_mib: 128,
        run: access::run,
    },
    Bench {
        name: "memory",
        about: "bytes per mapping of a worker's replica",
        memory_mib: 128,
        run: memory::run,
    },
    Bench {
        name: "failover",
        about: "1,000,000 entries behind one RLOC: from the delta to the first packet on the other way",
        memory_mib: 128,
        run: failover::run,
    },
    Bench {
        name: "churn",
        about: "forwarding while the map-cache takes 1,000 to 100,000 changes a second",
        memory_mib: 128,
        run: churn::run,
    },
    Bench {
        name: "flood",
        about: "hits while every second packet is a miss",
        memory_mib: 128,
        run: flood::run,
    },
    Bench {
        name: "scale",
        about: "two workers against one, and a model of more cores",
        memory_mib: 128,
        run: scale::run,
    },
];
