//! The link of each port, passed on to its host interface: when the cable is out, the kernel's routes
//! through it must go, as they would on an interface of its own.

use crate::netlink::{Netlink, Space};
use pxtr_dataplane::launch::PortHandle;
use pxtr_dataplane::types::PortId;

/// What was told of one port.
#[derive(Debug)]
struct Port {
    id: PortId,
    name: String,
    host: String,
    /// Network namespace of that interface.
    space: Space,
    /// Kernel interface behind the device; its carrier is the port's, and the driver does not tell.
    backing: Option<String>,
    up: bool,
}

/// The links of all ports that have a host interface.
#[derive(Debug)]
pub(super) struct Carrier {
    ports: Vec<Port>,
}

impl Carrier {
    /// `ports`: number, name, host interface with its namespace, interface behind the device. Host
    /// interfaces start with a carrier.
    pub(super) fn new(
        ports: impl Iterator<Item = (PortId, String, (Space, String), Option<String>)>,
    ) -> Self {
        let port = |(id, name, (space, host), backing)| Port { id, name, host, space, backing, up: true };
        Self { ports: ports.map(port).collect() }
    }

    /// Is the link of this port up, as far as is known?
    pub(super) fn is_up(&self, id: PortId) -> Option<bool> {
        self.ports.iter().find(|p| p.id == id).map(|p| p.up)
    }

    /// Looks at every link and tells the kernel of changes. Returns each change, with a sentence.
    pub(super) fn update(
        &mut self,
        handles: &[PortHandle],
        netlink: &Netlink,
    ) -> Vec<(PortId, bool, String)> {
        let mut changes = Vec::new();
        for port in &mut self.ports {
            let view = netlink.view();
            let up = match &port.backing {
                Some(backing) => view.link_by_name(0, backing).is_some_and(|l| l.running),
                None => {
                    let handle = handles.iter().find(|h| h.id() == port.id);
                    handle.and_then(|h| h.link().ok()).is_none_or(|link| link.up)
                }
            };
            let Some(host) = view.link_by_name(port.space, &port.host) else { continue };
            if up == port.up {
                continue;
            }
            port.up = up;
            let word = if up { "up" } else { "down" };
            let said = match netlink.set_carrier(host.index, up) {
                Ok(()) => format!("the link of port {} is {word}", port.name),
                Err(e) => format!("the link of port {} is {word}; interface {}: {e}", port.name, port.host),
            };
            changes.push((port.id, up, said));
        }
        changes
    }
}
