//! Ports: found or made, configured, started; closed when the last handle or queue is gone.

use crate::bindings as c;
use crate::device::{self, DeviceSpec};
use crate::eal::Eal;
use crate::error::{Errno, Error};
use crate::pool::Pool;
use crate::port_config::{Capabilities, PortConfig};
use crate::queue::{RxQueue, TxQueue};
use crate::ring::Rings;
use crate::stats::{Link, PortStats, XStat};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CString;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Numbers of the ports that have an owner in this process.
static OWNED: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// Ports that wait under their name for whoever opens them: see [`OpenPort::park`].
static PARKED: Mutex<BTreeMap<String, OpenPort>> = Mutex::new(BTreeMap::new());

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What the mutexes here guard has no state that a panic could leave half-changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The open device behind handles and queues.
#[derive(Debug)]
pub(crate) struct Device {
    number: u16,
    name: String,
    /// A vdev of our own making: taken off its bus when closed.
    made_here: bool,
    /// DPDK's control calls on one port exclude each other.
    control: Mutex<()>,
    /// The rings behind a port of `ring_pair`; they outlive the port.
    _rings: Option<Arc<Rings>>,
}

impl Device {
    pub(crate) fn number(&self) -> u16 {
        self.number
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        // SAFETY: the number is ours by OWNED; queues hold an Arc on this, so none is polled any more.
        unsafe { c::pxtr_port_close(self.number) };
        if self.made_here
            && let Ok(name) = CString::new(self.name.as_str())
        {
            // SAFETY: a string that outlives the call; the port on it is closed.
            unsafe { c::pxtr_vdev_remove(name.as_ptr()) };
        }
        lock(&OWNED).remove(&self.number);
    }
}

/// A port that is there but not configured yet.
#[derive(Debug)]
pub struct OpenPort {
    device: Arc<Device>,
    capabilities: Capabilities,
}

impl OpenPort {
    /// Takes the port of a device: one the EAL found at its start, or a vdev, made now.
    ///
    /// # Errors
    /// No such device, or it has an owner already.
    pub fn open(_eal: &Eal, spec: &DeviceSpec) -> Result<Self, Error> {
        if let Some(parked) = lock(&PARKED).remove(&spec.name) {
            return Ok(parked);
        }
        let name = CString::new(spec.name.as_str()).map_err(|_| Error::ZeroByte(spec.name.clone()))?;
        let devargs =
            CString::new(spec.devargs.as_str()).map_err(|_| Error::ZeroByte(spec.devargs.clone()))?;
        let find = || {
            let mut number = 0u16;
            // SAFETY: a string and a place for the number, both alive during the call.
            (unsafe { c::pxtr_port_by_name(name.as_ptr(), &mut number) } == 0).then_some(number)
        };
        let mut made_here = false;
        let found = match find() {
            None if spec.kind != device::Device::Pci => {
                // SAFETY: a string that outlives the call; DPDK copies it.
                let ret = unsafe { c::pxtr_dev_probe(devargs.as_ptr()) };
                if ret < 0 {
                    return Err(Error::Probe {
                        devargs: spec.devargs.clone(),
                        errno: Errno::of(ret),
                        remedy: remedy(spec.kind),
                    });
                }
                made_here = true;
                find()
            }
            found => found,
        };
        let number =
            found.ok_or_else(|| Error::NoPort { device: spec.name.clone(), remedy: remedy(spec.kind) })?;
        Self::own(number, spec.name.clone(), made_here, None)
    }

    /// Leaves it to be opened later by its name, which is returned: how one end of a
    /// [`crate::ring_pair`] is handed to code that knows devices by name only.
    #[must_use]
    pub fn park(self) -> String {
        let name = self.device.name.clone();
        lock(&PARKED).insert(name.clone(), self);
        name
    }

    /// Becomes the owner of a port number.
    pub(crate) fn own(
        number: u16,
        name: String,
        made_here: bool,
        rings: Option<Arc<Rings>>,
    ) -> Result<Self, Error> {
        if !lock(&OWNED).insert(number) {
            return Err(Error::PortOwned { device: name });
        }
        let device = Arc::new(Device { number, name, made_here, control: Mutex::new(()), _rings: rings });
        // SAFETY: an all-zero pxtr_port_info is valid: numbers only.
        let mut info: c::pxtr_port_info = unsafe { std::mem::zeroed() };
        // SAFETY: the port is there, `info` is a place for the answer.
        let ret = unsafe { c::pxtr_port_info(number, &mut info) };
        if ret < 0 {
            let device = device.name.clone();
            return Err(Error::PortRead { device, what: "capabilities", errno: Errno::of(ret) });
        }
        Ok(Self { device, capabilities: Capabilities::of(&info) })
    }

    /// What it offers.
    #[must_use]
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// Configures and starts it. Received frames are put into mbufs of `pool`.
    ///
    /// # Errors
    /// More than the device can do, or a step that the driver refuses.
    pub fn start(
        self,
        config: &PortConfig,
        pool: &Pool,
    ) -> Result<(Port, Vec<RxQueue>, Vec<TxQueue>), Error> {
        let conf = self.capabilities.plan(&self.device.name, config, pool)?;
        let mut step = c::pxtr_step_PXTR_STEP_INFO;
        // SAFETY: `conf` and `step` are alive during the call; pools live as long as the process.
        let ret = unsafe { c::pxtr_port_configure(self.device.number, &conf, pool.as_ptr(), &mut step) };
        if ret < 0 {
            return Err(self.failed(step, ret));
        }
        // SAFETY: the port is configured.
        let ret = unsafe { c::pxtr_port_start(self.device.number) };
        if ret < 0 {
            return Err(self.failed(c::pxtr_step_PXTR_STEP_START, ret));
        }
        let port = Port { device: self.device, capabilities: self.capabilities, mtu: config.mtu };
        port.receive_what_is_wanted(config.promiscuous);
        let rx = (0..config.rx_queues).map(|queue| RxQueue::new(port.device.clone(), queue)).collect();
        let prepare = conf.tx_ip_checksum != 0;
        let tx =
            (0..config.tx_queues).map(|queue| TxQueue::new(port.device.clone(), queue, prepare)).collect();
        Ok((port, rx, tx))
    }

    fn failed(&self, step: c::pxtr_step, ret: i32) -> Error {
        let (step, remedy) = match step {
            c::pxtr_step_PXTR_STEP_INFO => ("reading its capabilities", "is the device still there?"),
            c::pxtr_step_PXTR_STEP_CONFIGURE => {
                ("configuring queues and offloads", "lower queues or mtu to what the driver supports")
            }
            c::pxtr_step_PXTR_STEP_MTU => ("setting the MTU", "lower mtu; a kernel interface may cap it"),
            c::pxtr_step_PXTR_STEP_DESCRIPTORS => ("sizing its rings", "lower the number of descriptors"),
            c::pxtr_step_PXTR_STEP_RX_QUEUE => {
                ("setting up a receive queue", "raise mbufs and memory, or lower queues; see the line above")
            }
            c::pxtr_step_PXTR_STEP_TX_QUEUE => {
                ("setting up a transmit queue", "raise memory, or lower queues; see the line above")
            }
            _ => ("starting", "is the kernel interface up, or the NIC bound to vfio-pci? see the line above"),
        };
        Error::PortStep {
            device: self.device.name.clone(),
            driver: self.capabilities.driver.clone(),
            step,
            errno: Errno::of(ret),
            remedy,
        }
    }
}

/// What to check when a device is not there.
fn remedy(kind: device::Device) -> &'static str {
    use device::Device as D;
    match kind {
        D::Pci => {
            "check the address with `dpdk-devbind.py --status-dev net` and bind it with \
             `dpdk-devbind.py --bind=vfio-pci ADDRESS`"
        }
        D::AfPacket => {
            "check that the interface exists in this network namespace (ip link), that it is up, and that \
             the process has CAP_NET_RAW and CAP_NET_ADMIN"
        }
        D::AfXdp => {
            "check that the interface exists and is up (ip link), has as many queues as configured \
             (ethtool -l), and that the process has CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF"
        }
        D::Tap => {
            "check that /dev/net/tun exists, that no interface of this name is there (ip link), and that \
             the process has CAP_NET_ADMIN"
        }
        D::Memif => "check that the socket's directory exists and that no other server listens on it",
        D::Pcap => "check that the files exist and are readable, or that the interface is up",
        D::Ring | D::Null => "check the arguments; the lines of DPDK above name the wrong one",
    }
}

/// A running port: its state and its counters. Its queues are elsewhere.
#[derive(Clone, Debug)]
pub struct Port {
    device: Arc<Device>,
    capabilities: Capabilities,
    mtu: u16,
}

impl Port {
    /// DPDK's name of it: PCI address or vdev.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.device.name
    }

    /// DPDK's number of it, as in [`crate::Mbuf::port`].
    #[must_use]
    pub fn number(&self) -> u16 {
        self.device.number
    }

    /// What it offers.
    #[must_use]
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// IP MTU as configured, bytes.
    #[must_use]
    pub fn mtu(&self) -> u16 {
        self.mtu
    }

    /// Multicast frames are needed for ND and routing protocols. A driver that can not filter receives
    /// everything anyway; one that only knows promiscuous gets that.
    fn receive_what_is_wanted(&self, promiscuous: bool) {
        let _control = lock(&self.device.control);
        // SAFETY: the port runs.
        let multicast = unsafe { c::pxtr_port_all_multicast(self.device.number, 1) } == 0;
        if promiscuous || !multicast {
            // SAFETY: the port runs.
            unsafe { c::pxtr_port_promiscuous(self.device.number, 1) };
        }
    }

    fn read<T>(&self, what: &'static str, call: impl FnOnce(u16) -> (i32, T)) -> Result<T, Error> {
        let _control = lock(&self.device.control);
        let (ret, value) = call(self.device.number);
        if ret < 0 {
            return Err(Error::PortRead { device: self.device.name.clone(), what, errno: Errno::of(ret) });
        }
        Ok(value)
    }

    /// Its MAC address.
    ///
    /// # Errors
    /// The device is gone.
    pub fn mac(&self) -> Result<[u8; 6], Error> {
        self.read("the MAC address", |port| {
            let mut mac = [0; 6];
            // SAFETY: six bytes for the answer.
            (unsafe { c::pxtr_port_mac(port, mac.as_mut_ptr()) }, mac)
        })
    }

    /// State of its link.
    ///
    /// # Errors
    /// The device is gone.
    pub fn link(&self) -> Result<Link, Error> {
        self.read("the link", |port| {
            let mut link = c::pxtr_link { speed_mbps: 0, up: 0, full_duplex: 0 };
            // SAFETY: a place for the answer.
            (unsafe { c::pxtr_port_link(port, &mut link) }, Link::of(link))
        })
    }

    /// Its counters.
    ///
    /// # Errors
    /// The device is gone, or counts nothing.
    pub fn stats(&self) -> Result<PortStats, Error> {
        self.read("the counters", |port| {
            // SAFETY: an all-zero pxtr_stats is valid: numbers only.
            let mut stats: c::pxtr_stats = unsafe { std::mem::zeroed() };
            // SAFETY: a place for the answer.
            (unsafe { c::pxtr_port_stats(port, &mut stats) }, PortStats::of(stats))
        })
    }

    /// All its counters by the driver's names.
    ///
    /// # Errors
    /// The device is gone.
    pub fn xstats(&self) -> Result<Vec<XStat>, Error> {
        self.read("the extended counters", |port| {
            // SAFETY: length 0 writes nothing and asks how many there are.
            let count = unsafe { c::pxtr_port_xstats(port, std::ptr::null_mut(), 0) };
            if count <= 0 {
                return (count, Vec::new());
            }
            let empty = c::pxtr_xstat { name: [0; 64], value: 0 };
            let mut raw = vec![empty; count as usize];
            // SAFETY: room for `count` of them.
            let got = unsafe { c::pxtr_port_xstats(port, raw.as_mut_ptr(), count as u32) };
            raw.truncate(usize::try_from(got).unwrap_or(0));
            (got, raw.iter().map(XStat::of).collect())
        })
    }
}
