//! Which locators of our own site are up, for our Locator-Status-Bits (RFC 9300 section 10; R-095): those of this
//! router while the port that has the address has its link, those of the site's other routers while the
//! underlay has a way to them. An operator who wants more of a way than a default route has the site's routing
//! say which router is there (RFC 9300 section 10), and an `unreachable` route below it.

use super::core::Feeder;
use super::fib::Rib;
use super::hops::HopState;
use crate::engine::event::Event;
use crate::netlink::{KernelView, NeighbourState};
use pxtr_dataplane::types::{AdjacencyId, PortId};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Those that the engine was told are down.
#[derive(Debug, Default)]
pub(super) struct SiteLocators {
    down: BTreeSet<IpAddr>,
}

impl Feeder {
    /// Tells the engine which locators came up or went down. Nothing is to be done unless their state is said
    /// to anybody.
    pub(super) fn watch_site(&mut self, view: &KernelView) {
        if self.spec.site_locators.is_empty() && self.site_locators.down.is_empty() {
            return;
        }
        let up = |rloc: &&IpAddr| !self.is_up(view, **rloc);
        let down: BTreeSet<IpAddr> = self.spec.site_locators.iter().filter(up).copied().collect();
        let before = std::mem::replace(&mut self.site_locators.down, down);
        for rloc in before.symmetric_difference(&self.site_locators.down) {
            self.out.events.push(Event::SiteLocator { rloc: *rloc, up: before.contains(rloc) });
        }
    }

    fn is_up(&self, view: &KernelView, rloc: IpAddr) -> bool {
        if !self.spec.is_local_rloc(rloc) {
            return self.has_way(view, rloc);
        }
        let has = |link: u32| view.addresses(link).any(|address| address.addr == rloc);
        let of_port = self.spec.ports.iter().find(|port| self.ports.link(port.id).is_some_and(has));
        match of_port {
            Some(port) => self.has_link(view, port.id),
            // The kernel has it elsewhere: it is good for all ports of the underlay.
            None => self.spec.ports.iter().any(|port| port.underlay && self.has_link(view, port.id)),
        }
    }

    /// The device of the port has a link, and the operator leaves its interface up.
    fn has_link(&self, view: &KernelView, port: PortId) -> bool {
        let interface = self.ports.link(port).and_then(|link| view.link(link));
        self.ports.has_cable(port) && interface.is_some_and(|interface| interface.up)
    }

    /// The underlay leads to another router of the site.
    fn has_way(&self, view: &KernelView, rloc: IpAddr) -> bool {
        let Some(vrf) = self.spec.underlay() else { return false };
        let alive = |id: &AdjacencyId| self.hops.get(*id).is_some_and(|hop| hop.state != HopState::Failed);
        match self.fib.lookup(vrf.id, rloc) {
            None | Some((_, Rib::Local | Rib::Reject(_))) => false,
            Some((_, Rib::Via(hop))) => alive(hop),
            Some((_, Rib::Multi(hops))) => hops.iter().any(alive),
            Some((_, Rib::Connected(port))) => {
                let link = self.ports.link(*port);
                let state = link.and_then(|link| view.neighbour(link, rloc));
                self.has_link(view, *port) && !state.is_some_and(|state| state == NeighbourState::Failed)
            }
        }
    }
}
