//! Our ports as the kernel shows them: interface index, MAC, MTU, addresses.

use super::output::Output;
use super::spec::{FeederSpec, PortFeed};
use crate::netlink::KernelView;
use pxtr_dataplane::feed::{Delta, PortSpec};
use pxtr_dataplane::types::{MacAddr, PortId, VrfId};
use std::net::IpAddr;

#[derive(Debug)]
struct Port {
    feed: PortFeed,
    link: Option<u32>,
    /// The cable is in, as the device says.
    cable: bool,
    told: PortSpec,
}

/// What a change of an interface meant for a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PortChange {
    /// Its interface came, went, or is another one: every route and neighbour counts anew.
    Link,
    /// MAC or MTU: its next hops and RLOCs must be told.
    Rewrite(PortId),
    /// Addresses.
    Addresses,
}

/// All ports.
#[derive(Debug)]
pub(super) struct Ports {
    ports: Vec<Port>,
}

impl Ports {
    pub(super) fn new(spec: &FeederSpec) -> Self {
        let port = |feed: &PortFeed| Port {
            told: PortSpec {
                vrf: feed.vrf,
                underlay: feed.underlay,
                native: feed.native,
                mac: feed.mac,
                mtu: feed.mtu,
                ipv4: None,
                ipv6: None,
                policy: feed.policy,
                sources: feed.sources.clone().map(Box::new),
                instances: feed.instances.clone().map(Into::into),
            },
            feed: feed.clone(),
            link: None,
            cable: true,
        };
        Self { ports: spec.ports.iter().map(port).collect() }
    }

    /// Tells the workers of every port.
    pub(super) fn start(&self, out: &mut Output) {
        for port in &self.ports {
            out.delta(Delta::PortSet(port.feed.id, Box::new(port.told.clone())));
        }
    }

    /// Takes over flags and VRFs of a new configuration. Returns the ports that changed.
    pub(super) fn reconfigure(&mut self, spec: &FeederSpec, out: &mut Output) -> Vec<PortId> {
        let mut changed = Vec::new();
        for port in &mut self.ports {
            let Some(feed) = spec.port(port.feed.id) else { continue };
            if *feed == port.feed {
                continue;
            }
            changed.push(feed.id);
            port.feed = feed.clone();
            let flags = (feed.vrf, feed.underlay, feed.native);
            (port.told.vrf, port.told.underlay, port.told.native) = flags;
            port.told.policy = feed.policy;
            port.told.sources = feed.sources.clone().map(Box::new);
            port.told.instances = feed.instances.clone().map(Into::into);
            out.delta(Delta::PortSet(feed.id, Box::new(port.told.clone())));
        }
        changed
    }

    /// An interface or its addresses changed.
    pub(super) fn update(&mut self, view: &KernelView, out: &mut Output) -> Vec<PortChange> {
        let mut changes = Vec::new();
        for port in &mut self.ports {
            let link = view.link_by_name(port.feed.space, &port.feed.host_interface);
            let index = link.map(|l| l.index);
            if index != port.link {
                port.link = index;
                changes.push(PortChange::Link);
            }
            let mut new = port.told.clone();
            if let Some(link) = link {
                new.mac = link.mac.unwrap_or(port.feed.mac);
                new.mtu = u16::try_from(link.mtu).unwrap_or(u16::MAX).min(port.feed.mtu);
                (new.ipv4, new.ipv6) = icmp_sources(view, link.index);
            }
            if new == port.told {
                continue;
            }
            if (new.mac, new.mtu) != (port.told.mac, port.told.mtu) {
                changes.push(PortChange::Rewrite(port.feed.id));
            }
            if (new.ipv4, new.ipv6) != (port.told.ipv4, port.told.ipv6) {
                changes.push(PortChange::Addresses);
            }
            port.told = new;
            out.delta(Delta::PortSet(port.feed.id, Box::new(port.told.clone())));
        }
        changes
    }

    /// The port of an interface.
    pub(super) fn of_link(&self, link: u32) -> Option<&PortFeed> {
        self.ports.iter().find(|p| p.link == Some(link)).map(|p| &p.feed)
    }

    /// The device of a port says whether its cable is in. True: that is news.
    pub(super) fn set_cable(&mut self, port: PortId, cable: bool) -> bool {
        let port = self.ports.iter_mut().find(|p| p.feed.id == port);
        port.is_some_and(|port| std::mem::replace(&mut port.cable, cable) != cable)
    }

    /// Can anybody be reached through this port?
    pub(super) fn has_cable(&self, port: PortId) -> bool {
        self.get(port).is_some_and(|p| p.cable)
    }

    /// The interface of a port.
    pub(super) fn link(&self, port: PortId) -> Option<u32> {
        self.get(port)?.link
    }

    /// VRF of native packets of a port.
    pub(super) fn vrf(&self, port: PortId) -> Option<VrfId> {
        self.get(port).map(|p| p.feed.vrf)
    }

    /// May LISP data be sent on this port?
    pub(super) fn is_underlay(&self, port: PortId) -> bool {
        self.get(port).is_some_and(|p| p.feed.underlay)
    }

    pub(super) fn mac(&self, port: PortId) -> MacAddr {
        self.get(port).map(|p| p.told.mac).unwrap_or_default()
    }

    pub(super) fn mtu(&self, port: PortId) -> u16 {
        self.get(port).map(|p| p.told.mtu).unwrap_or_default()
    }

    fn get(&self, port: PortId) -> Option<&Port> {
        self.ports.iter().find(|p| p.feed.id == port)
    }
}

/// Sources of ICMP errors: the first preferred global address of each family.
fn icmp_sources(view: &KernelView, link: u32) -> (Option<std::net::Ipv4Addr>, Option<std::net::Ipv6Addr>) {
    let (mut v4, mut v6) = (None, None);
    for address in view.addresses(link).filter(|a| a.global && a.preferred) {
        match address.addr {
            IpAddr::V4(a) => v4 = v4.or(Some(a)),
            IpAddr::V6(a) => v6 = v6.or(Some(a)),
        }
    }
    (v4, v6)
}
