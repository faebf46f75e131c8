//! Hosts of dynamic-EID prefixes: what the data plane and the kernel are told of where they are
//!

use super::core::{Feeder, Refused};
use super::entries::Held;
use super::fib::Rib;
use super::output::{Ask, Probe};
use crate::engine::event::{EidPrefix, Place, Time};
use crate::netlink::{HostRoute, KernelView};
use ipnet::IpNet;
use pxtr_dataplane::feed::{Delta, MapAction, Route};
use pxtr_dataplane::types::{PortId, VrfId};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Where hosts are, as the engine last said.
pub(super) type Places = BTreeMap<(VrfId, IpAddr), Place>;

impl Feeder {
    /// A host came, went away, or is forgotten.
    pub(super) fn on_host(
        &mut self,
        now: Time,
        view: &KernelView,
        eid: EidPrefix,
        place: Place,
    ) -> Result<(), Refused> {
        let vrf = self.vrf(eid.iid.0)?.id;
        let (addr, key) = (eid.prefix.addr(), (vrf, eid.prefix));
        let former = self.places.remove(&(vrf, addr));
        match place {
            Place::Here { .. } | Place::Behind { .. } => {
                if !self.entries.has_room(key) {
                    return Err(Refused::Entries);
                }
                self.lead_to(vrf, addr, place);
                self.out.delta(Delta::LocalEidSet { vrf, prefix: eid.prefix });
                if let Some((entry, held)) = self.bind(key, Held::Nothing, true) {
                    let action = MapAction::LocalSite;
                    self.out.delta(Delta::MapSet { vrf, prefix: eid.prefix, entry, action });
                    self.let_go(now, view, held);
                }
            }
            Place::Away { forward } => {
                self.disown(key, former);
                self.out.delta(Delta::AwayEidSet { vrf, eid: addr, forward });
            }
            Place::Gone => {
                self.disown(key, former);
                if former.is_some() {
                    self.out.delta(Delta::LocalEidDel { vrf, prefix: eid.prefix });
                }
            }
        }
        if !is_ours(place) {
            self.lead_away(vrf, addr, former);
        }
        self.route(vrf, addr, former, place);
        if place != Place::Gone {
            self.places.insert((vrf, addr), place);
        }
        Ok(())
    }

    /// The entry that says that a host is here goes; the engine may put its own there.
    fn disown(&mut self, key: (VrfId, IpNet), former: Option<Place>) {
        if former.is_some_and(is_ours) {
            self.out.delta(Delta::MapDel { vrf: key.0, prefix: key.1 });
            self.entries.remove(key, self.out.sequence());
        }
    }

    /// What comes for the host from now on waits for the kernel to find it. Without this it would take
    /// the site's default route until the kernel has said that the route to the host is there.
    fn lead_to(&mut self, vrf: VrfId, addr: IpAddr, place: Place) {
        // A route to a host behind a router may be there before us, by a routing protocol.
        let behind = matches!(place, Place::Behind { .. });
        let routed = behind && self.fib.get(vrf, IpNet::from(addr)).is_some();
        let port = self.port_towards(vrf, place).filter(|port| !routed && !self.is_on_link(vrf, addr, *port));
        if let Some(port) = port {
            let (prefix, route) = (IpNet::from(addr), Route::Glean(port));
            self.out.delta(Delta::RouteSet { vrf, prefix, route });
        }
    }

    /// Takes that back where the kernel never had the route; otherwise it goes with the kernel's.
    fn lead_away(&mut self, vrf: VrfId, addr: IpAddr, former: Option<Place>) {
        let port = former.and_then(|place| self.port_towards(vrf, place));
        let routed = self.fib.get(vrf, IpNet::from(addr)).is_some();
        if port.is_some_and(|port| !routed && !self.is_on_link(vrf, addr, port)) {
            self.out.delta(Delta::RouteDel { vrf, prefix: IpNet::from(addr) });
        }
    }

    /// The port by which a host of our site is reached. A First-Hop Router that is not on a link of
    /// ours has to tell its hosts by a routing protocol.
    fn port_towards(&self, vrf: VrfId, place: Place) -> Option<PortId> {
        match place {
            Place::Here { port } => Some(port),
            Place::Behind { router } => match self.fib.lookup(vrf, router)?.1 {
                Rib::Connected(port) => Some(*port),
                _ => None,
            },
            Place::Away { .. } | Place::Gone => None,
        }
    }

    fn is_on_link(&self, vrf: VrfId, addr: IpAddr, port: PortId) -> bool {
        matches!(self.fib.lookup(vrf, addr), Some((_, Rib::Connected(p))) if *p == port)
    }

    /// The kernel's route follows the host, and ARP or neighbour discovery finds it.
    fn route(&mut self, vrf: VrfId, addr: IpAddr, former: Option<Place>, place: Place) {
        let table = self.spec.vrf(vrf).map_or(0, |v| v.table);
        let way = |place: Place, feeder: &Self| {
            let link = feeder.ports.link(feeder.port_towards(vrf, place)?)?;
            let via = match place {
                Place::Behind { router } => Some(router).filter(|r| r.is_ipv4() == addr.is_ipv4()),
                _ => None,
            };
            (via.is_some() || matches!(place, Place::Here { .. })).then_some((link, via))
        };
        let (before, after) = (former.and_then(|place| way(place, self)), way(place, self));
        if before != after {
            let gone = before.map(|(link, via)| HostRoute { present: false, table, link, addr, via });
            self.out.host_routes.extend(gone);
        }
        if let Some((link, via)) = after {
            self.out.host_routes.push(HostRoute { present: true, table, link, addr, via });
            self.out.asks.push(Ask { link, addr: via.unwrap_or(addr) });
        }
    }

    /// The engine wants to know whether a host is there.
    pub(super) fn on_probe(&mut self, eid: EidPrefix, port: PortId) {
        if let Some(link) = self.ports.link(port) {
            self.out.asks.push(Ask { link, addr: eid.prefix.addr() });
            self.out.probes.push(Probe { eid, link });
        }
    }

    /// A new engine knows of no hosts: they are found again by what they send.
    pub(super) fn forget_places(&mut self, now: Time, view: &KernelView) {
        for (vrf, addr) in self.places.keys().copied().collect::<Vec<_>>() {
            let Some(iid) = self.spec.vrf(vrf).map(|v| v.iid) else { continue };
            let eid = EidPrefix { iid, prefix: IpNet::from(addr) };
            // Forgetting needs no room.
            let _ = self.on_host(now, view, eid, Place::Gone);
        }
    }
}

/// A host at this place is an EID of our site.
fn is_ours(place: Place) -> bool {
    matches!(place, Place::Here { .. } | Place::Behind { .. })
}
