//! What control holds of a running port.

use super::config::{PortLaunch, SubInterfaceLaunch};
use crate::host::{HostCounts, HostStats};
use crate::types::{MacAddr, PortId};
use dpdk_sys::{Capabilities, Link, Port, PortStats, XStat};
use std::sync::Arc;

/// A running port, or a sub-interface of one. The device is closed when this and the workers' queues are gone.
#[derive(Clone, Debug)]
pub struct PortHandle {
    id: PortId,
    name: String,
    mac: MacAddr,
    host: Option<(String, Arc<HostStats>)>,
    port: Port,
    parent: Option<PortId>,
    mtu: u16,
}

impl PortHandle {
    pub(super) fn new(
        launch: &PortLaunch,
        port: Port,
        mac: MacAddr,
        host: Option<(String, Arc<HostStats>)>,
    ) -> Self {
        let mtu = port.mtu();
        Self { id: launch.id, name: launch.name.clone(), mac, host, port, parent: None, mtu }
    }

    /// `port` and `mac` are its parent's.
    pub(super) fn of_subinterface(
        sub: &SubInterfaceLaunch,
        port: Port,
        mac: MacAddr,
        host: Option<(String, Arc<HostStats>)>,
    ) -> Self {
        let parent = Some(sub.parent);
        Self { id: sub.id, name: sub.name.clone(), mac, host, port, parent, mtu: sub.mtu }
    }

    /// The port that a sub-interface shares; `None`: it is a port.
    #[must_use]
    pub fn parent(&self) -> Option<PortId> {
        self.parent
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> PortId {
        self.id
    }

    /// The operator's name of it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// DPDK's name of the device.
    #[must_use]
    pub fn device(&self) -> &str {
        self.port.name()
    }

    /// Driver, offloads and limits of the device.
    #[must_use]
    pub fn capabilities(&self) -> &Capabilities {
        self.port.capabilities()
    }

    /// Its MAC address, which its host interface has too.
    #[must_use]
    pub fn mac(&self) -> MacAddr {
        self.mac
    }

    /// IP MTU, bytes.
    #[must_use]
    pub fn mtu(&self) -> u16 {
        self.mtu
    }

    /// Name of the kernel's face of it.
    #[must_use]
    pub fn host_interface(&self) -> Option<&str> {
        self.host.as_ref().map(|(name, _)| name.as_str())
    }

    /// What went between workers and kernel.
    #[must_use]
    pub fn host_counts(&self) -> Option<HostCounts> {
        self.host.as_ref().map(|(_, stats)| stats.read())
    }

    /// State of its link, or its parent's.
    ///
    /// # Errors
    /// The device is gone.
    pub fn link(&self) -> Result<Link, dpdk_sys::Error> {
        self.port.link()
    }

    /// Its counters, or its parent's.
    ///
    /// # Errors
    /// The device is gone.
    pub fn stats(&self) -> Result<PortStats, dpdk_sys::Error> {
        self.port.stats()
    }

    /// All its counters, or its parent's, by the driver's names.
    ///
    /// # Errors
    /// The device is gone.
    pub fn xstats(&self) -> Result<Vec<XStat>, dpdk_sys::Error> {
        self.port.xstats()
    }
}
