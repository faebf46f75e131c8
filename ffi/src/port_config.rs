//! What a port is asked to do, and what it can.

use crate::bindings as c;
use crate::device::FRAME_OVERHEAD;
use crate::error::Error;
use crate::pool::Pool;

/// How to set a port up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortConfig {
    /// Receive queues.
    pub rx_queues: u16,
    /// Transmit queues.
    pub tx_queues: u16,
    /// Descriptors per receive queue; adjusted to what the device allows.
    pub rx_descriptors: u16,
    /// Descriptors per transmit queue; adjusted to what the device allows.
    pub tx_descriptors: u16,
    /// IP MTU, bytes.
    pub mtu: u16,
    /// Receive frames for any MAC address. Multicast is received always.
    pub promiscuous: bool,
    /// Let the device check IPv4, UDP and TCP checksums where it can.
    pub rx_checksum: bool,
    /// Let the device fill in IPv4 header checksums where it can.
    pub tx_ip_checksum: bool,
}

impl Default for PortConfig {
    fn default() -> Self {
        Self {
            rx_queues: 1,
            tx_queues: 1,
            rx_descriptors: 1024,
            tx_descriptors: 1024,
            mtu: 1500,
            promiscuous: false,
            rx_checksum: true,
            tx_ip_checksum: true,
        }
    }
}

/// What a device offers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Driver, as in `net_ixgbe`.
    pub driver: String,
    /// NUMA node it hangs on, where known.
    pub numa_node: Option<u32>,
    /// Most receive queues.
    pub max_rx_queues: u16,
    /// Most transmit queues.
    pub max_tx_queues: u16,
    /// Smallest IP MTU.
    pub min_mtu: u16,
    /// Largest IP MTU; 65535: the driver does not say.
    pub max_mtu: u16,
    /// Spreads flows over receive queues.
    pub rss: bool,
    /// Checks IPv4 header checksums.
    pub rx_ip_checksum: bool,
    /// Checks UDP and TCP checksums.
    pub rx_l4_checksum: bool,
    /// Receives frames into chains of mbufs.
    pub rx_scatter: bool,
    /// Fills in IPv4 header checksums.
    pub tx_ip_checksum: bool,
    /// Sends chains of mbufs.
    pub tx_multi_segs: bool,
}

impl Capabilities {
    pub(crate) fn of(info: &c::pxtr_port_info) -> Self {
        let driver = info.driver.iter().take_while(|b| **b != 0).map(|b| *b as u8 as char).collect();
        Self {
            driver,
            numa_node: u32::try_from(info.socket).ok(),
            max_rx_queues: info.max_rx_queues,
            max_tx_queues: info.max_tx_queues,
            min_mtu: info.min_mtu,
            max_mtu: info.max_mtu,
            rss: info.rss != 0,
            rx_ip_checksum: info.rx_ip_checksum != 0,
            rx_l4_checksum: info.rx_l4_checksum != 0,
            rx_scatter: info.rx_scatter != 0,
            tx_ip_checksum: info.tx_ip_checksum != 0,
            tx_multi_segs: info.tx_multi_segs != 0,
        }
    }

    /// These drivers get their packets spread by the other side: the kernel's fanout, the peer's own
    /// queues, separate files.
    fn spreads_elsewhere(&self) -> bool {
        ["net_af_packet", "net_af_xdp", "net_memif", "net_ring", "net_null", "net_pcap"]
            .contains(&self.driver.as_str())
    }

    /// What to ask DPDK for, checked against what the device can.
    pub(crate) fn plan(
        &self,
        device: &str,
        config: &PortConfig,
        pool: &Pool,
    ) -> Result<c::pxtr_port_conf, Error> {
        let limit = |what, wanted: u16, limit: u16| Error::Limit {
            device: device.into(),
            driver: self.driver.clone(),
            what,
            wanted: wanted.into(),
            limit: limit.into(),
        };
        if config.rx_queues == 0 || config.rx_queues > self.max_rx_queues {
            return Err(limit("receive queues", config.rx_queues, self.max_rx_queues));
        }
        if config.tx_queues == 0 || config.tx_queues > self.max_tx_queues {
            return Err(limit("transmit queues", config.tx_queues, self.max_tx_queues));
        }
        if config.mtu < self.min_mtu {
            return Err(limit("bytes of MTU at least", config.mtu, self.min_mtu));
        }
        if config.mtu > self.max_mtu {
            return Err(limit("bytes of MTU at most", config.mtu, self.max_mtu));
        }
        let rss = config.rx_queues > 1 && self.rss && !self.spreads_elsewhere();
        if config.rx_queues > 1 && !rss && !self.spreads_elsewhere() {
            let (device, driver) = (device.to_owned(), self.driver.clone());
            return Err(Error::NoRss { device, driver, queues: config.rx_queues });
        }
        let needed = u32::from(config.mtu) + FRAME_OVERHEAD;
        let room = u32::from(pool.frame_room());
        let chained = needed > room;
        if chained && !(self.rx_scatter && self.tx_multi_segs) {
            return Err(Error::DataRoom { device: device.into(), mtu: config.mtu, needed, room });
        }
        Ok(c::pxtr_port_conf {
            rx_queues: config.rx_queues,
            tx_queues: config.tx_queues,
            rx_descriptors: config.rx_descriptors,
            tx_descriptors: config.tx_descriptors,
            mtu: config.mtu,
            rss: rss.into(),
            rx_ip_checksum: (config.rx_checksum && self.rx_ip_checksum).into(),
            rx_l4_checksum: (config.rx_checksum && self.rx_l4_checksum).into(),
            rx_scatter: chained.into(),
            tx_ip_checksum: (config.tx_ip_checksum && self.tx_ip_checksum).into(),
            tx_multi_segs: chained.into(),
        })
    }
}
