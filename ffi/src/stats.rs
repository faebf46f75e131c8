//! What a port counts.

use crate::bindings as c;

/// State of the link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Up.
    pub up: bool,
    /// Mbit/s; `None`: not known.
    pub speed_mbps: Option<u32>,
    /// Full duplex.
    pub full_duplex: bool,
}

impl Link {
    pub(crate) fn of(link: c::pxtr_link) -> Self {
        Self {
            up: link.up != 0,
            speed_mbps: (link.speed_mbps != 0).then_some(link.speed_mbps),
            full_duplex: link.full_duplex != 0,
        }
    }
}

/// Counters of a port since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortStats {
    /// Frames received.
    pub rx_packets: u64,
    /// Frames sent.
    pub tx_packets: u64,
    /// Bytes received, without CRC.
    pub rx_bytes: u64,
    /// Bytes sent, without CRC.
    pub tx_bytes: u64,
    /// Frames the device dropped because no descriptor was free.
    pub rx_missed: u64,
    /// Frames received with an error.
    pub rx_errors: u64,
    /// Frames that could not be sent.
    pub tx_errors: u64,
    /// Times that no mbuf was free for a received frame.
    pub rx_no_mbuf: u64,
}

impl PortStats {
    pub(crate) fn of(stats: c::pxtr_stats) -> Self {
        Self {
            rx_packets: stats.rx_packets,
            tx_packets: stats.tx_packets,
            rx_bytes: stats.rx_bytes,
            tx_bytes: stats.tx_bytes,
            rx_missed: stats.rx_missed,
            rx_errors: stats.rx_errors,
            tx_errors: stats.tx_errors,
            rx_no_mbuf: stats.rx_no_mbuf,
        }
    }
}

/// A counter that is particular to the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XStat {
    /// The driver's name for it.
    pub name: String,
    /// Its value.
    pub value: u64,
}

impl XStat {
    pub(crate) fn of(xstat: &c::pxtr_xstat) -> Self {
        let name = xstat.name.iter().take_while(|b| **b != 0).map(|b| *b as u8 as char).collect();
        Self { name, value: xstat.value }
    }
}
