//! What can go wrong, and what to do about it.

use std::fmt;

/// An errno value as DPDK returned it (positive).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Errno(pub i32);

impl Errno {
    /// From a negative (or positive) C return value.
    pub(crate) fn of(ret: i32) -> Self {
        Self(ret.abs())
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // DPDK's own numbers start at 1000 (RTE_MIN_ERRNO).
        match self.0 {
            1001 => f.write_str("E_RTE_SECONDARY: not allowed in a secondary process"),
            1002 => f.write_str("E_RTE_NO_CONFIG: the EAL is not running"),
            _ => std::io::Error::from_raw_os_error(self.0).fmt(f),
        }
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Every way this room can fail. The text ends with the remedy.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// [`crate::Eal::init`] was called before.
    #[error("the EAL was already started in this process: it can be started once; keep the first `Eal`")]
    EalTwice,
    /// An argument for the EAL holds a zero byte.
    #[error("argument {0:?} for the EAL contains a zero byte: remove it")]
    ZeroByte(String),
    /// The offsets the bindings were made with are not those of the C compiler.
    #[error(
        "struct rte_mbuf differs between the shim and the bindings ({field}: {shim} and {bindings}): \
         rebuild both against one DPDK (cargo clean -p dpdk-sys, then build)"
    )]
    Layout {
        /// Field.
        field: &'static str,
        /// Offset (or size) as compiled into the shim.
        shim: u32,
        /// The same in the bindings.
        bindings: u32,
    },
    /// Less free hugepage memory than asked for.
    #[error(
        "{wanted_mib} MiB of hugepages are wanted, {free_mib} MiB are free: run `{command}` (it lasts until \
         the next boot), or stop what holds them, or lower the memory setting, or turn hugepages off for a lab"
    )]
    Hugepages {
        /// Asked for, MiB.
        wanted_mib: u64,
        /// Free, MiB.
        free_mib: u64,
        /// Shell command that helps.
        command: String,
    },
    /// This kernel has no hugepages at all.
    #[error("this kernel has no hugepage support (no /sys/kernel/mm/hugepages): turn hugepages off")]
    NoHugepageSupport,
    /// `rte_eal_init` failed.
    #[error(
        "the EAL did not start ({errno}) with arguments {args:?}: its own lines on standard error say why. \
         It needs root (or CAP_SYS_ADMIN, CAP_NET_ADMIN, CAP_NET_RAW, CAP_IPC_LOCK), and a NIC needs \
         `dpdk-devbind.py --bind=vfio-pci ADDRESS` first"
    )]
    EalInit {
        /// Why.
        errno: Errno,
        /// With what.
        args: Vec<String>,
    },
    /// A CPU can not be used.
    #[error("cpu {cpu} can not be used ({errno}): allowed are {allowed:?}; correct the list of cores")]
    Cpu {
        /// CPU number.
        cpu: usize,
        /// Why.
        errno: Errno,
        /// CPUs this process may use.
        allowed: Vec<usize>,
    },
    /// More threads than DPDK has lcore ids for.
    #[error("a thread could not be registered with DPDK ({0}): too many workers (at most 127 in all)")]
    ThreadRegister(Errno),
    /// One of DPDK's own prefix tables, for benches.
    #[cfg(feature = "fib")]
    #[error("DPDK could not make a prefix table ({0}): give the bench more hugepages")]
    Fib(Errno),
    /// One registration a thread.
    #[error("this thread is registered with DPDK already: keep its first registration")]
    RegisteredTwice,
    /// A pool could not be made.
    #[error(
        "mbuf pool {name}: {count} mbufs of {bytes} bytes could not be made on NUMA node {node} ({errno}): \
         raise the memory setting (this pool needs about {need_mib} MiB) or lower the number of mbufs"
    )]
    Pool {
        /// Its name.
        name: String,
        /// Mbufs wanted.
        count: u32,
        /// Room for data in each, headroom included.
        bytes: u16,
        /// NUMA node; -1 for any.
        node: i32,
        /// Why.
        errno: Errno,
        /// What it takes, MiB.
        need_mib: u64,
    },
    /// A device name that is neither a PCI address nor a known kind of vdev.
    #[error(
        "device {0:?} is unknown: give a PCI address (0000:3b:00.0) or one of net_af_packet, net_af_xdp, \
         net_tap, net_memif, net_ring, net_null, net_pcap"
    )]
    UnknownDevice(String),
    /// An argument that a device can not do without.
    #[error("device {device} needs argument {argument}: add it to the device arguments, as in {example:?}")]
    MissingArgument {
        /// Device.
        device: String,
        /// Name of the argument.
        argument: &'static str,
        /// How it looks.
        example: &'static str,
    },
    /// A vdev could not be made.
    #[error("device {devargs:?} could not be made ({errno}): {remedy}")]
    Probe {
        /// As handed to DPDK.
        devargs: String,
        /// Why.
        errno: Errno,
        /// What to check.
        remedy: &'static str,
    },
    /// A device is there, a port is not.
    #[error("no DPDK port for device {device}: {remedy}")]
    NoPort {
        /// Device.
        device: String,
        /// What to check.
        remedy: &'static str,
    },
    /// A port that this process opened before.
    #[error("the port of device {device} is in use by this process already: name each device once")]
    PortOwned {
        /// Device.
        device: String,
    },
    /// The device can not do what the configuration asks.
    #[error("device {device} ({driver}) can do {limit} {what}, {wanted} are configured: lower the setting")]
    Limit {
        /// Device.
        device: String,
        /// Its driver.
        driver: String,
        /// Of what.
        what: &'static str,
        /// As configured.
        wanted: u32,
        /// Most (or least) it can.
        limit: u32,
    },
    /// More than one receive queue without a way to spread packets over them.
    #[error("device {device} ({driver}) has no RSS to spread packets over {queues} queues: use queues = 1")]
    NoRss {
        /// Device.
        device: String,
        /// Its driver.
        driver: String,
        /// As configured.
        queues: u16,
    },
    /// A frame of the port's MTU does not fit in one mbuf, nor can the device chain them.
    #[error(
        "device {device}: a frame of MTU {mtu} needs {needed} bytes, the mbufs of its pool have room for \
         {room}: raise the pool's data room or lower the MTU"
    )]
    DataRoom {
        /// Device.
        device: String,
        /// IP MTU.
        mtu: u16,
        /// Bytes a frame may have.
        needed: u32,
        /// Bytes an mbuf holds.
        room: u32,
    },
    /// A step of setting a port up failed.
    #[error("device {device} ({driver}): {step} failed ({errno}): {remedy}")]
    PortStep {
        /// Device.
        device: String,
        /// Its driver.
        driver: String,
        /// Which step.
        step: &'static str,
        /// Why.
        errno: Errno,
        /// What to check.
        remedy: &'static str,
    },
    /// Reading from a port failed.
    #[error("device {device}: {what} could not be read ({errno})")]
    PortRead {
        /// Device.
        device: String,
        /// What.
        what: &'static str,
        /// Why.
        errno: Errno,
    },
    /// A kernel interface could not be made.
    #[error(
        "interface {name:?} could not be made ({errno}): it needs CAP_NET_ADMIN, /dev/net/tun (modprobe tun), and \
         a name of at most 15 letters that no other interface has"
    )]
    Tap {
        /// Its name.
        name: String,
        /// Why.
        errno: Errno,
    },
    /// Rings for a pair of ports could not be made.
    #[error(
        "ring {0:?} could not be made: use another name (at most 20 letters) or raise the memory setting"
    )]
    Ring(String),
}
