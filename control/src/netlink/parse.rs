//! rtnetlink messages to [`Update`]s. What the data plane can not use becomes `None`.

use super::model::{Address, Link, Neighbour, NeighbourState, NextHop, Route, RouteKey, RouteKind, Update};
use ipnet::IpNet;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{AddressAttribute, AddressFlags, AddressMessage, AddressScope};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkLayerType, LinkMessage};
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState as Nud,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteMessage, RouteMetric, RouteNextHop, RouteNextHopFlags,
    RouteProtocol, RouteType, RouteVia,
};
use netlink_packet_route::{AddressFamily, route::RouteHeader};
use pxtr_dataplane::types::MacAddr;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What `message` says; `replace` is its NLM_F_REPLACE flag. `None`: nothing that concerns us.
pub(super) fn update(message: &RouteNetlinkMessage, replace: bool) -> Option<Update> {
    match message {
        RouteNetlinkMessage::NewLink(m) => link(m).map(Update::LinkSet),
        RouteNetlinkMessage::DelLink(m) if is_device(m) => Some(Update::LinkDel(m.header.index)),
        RouteNetlinkMessage::NewAddress(m) => address(m).map(Update::AddressSet),
        RouteNetlinkMessage::DelAddress(m) => {
            address(m).map(|a| Update::AddressDel { link: a.link, addr: a.addr })
        }
        RouteNetlinkMessage::NewRoute(m) => route(m).map(|route| Update::RouteSet { route, replace }),
        RouteNetlinkMessage::DelRoute(m) => route(m).map(Update::RouteDel),
        RouteNetlinkMessage::NewNeighbour(m) => neighbour(m).map(Update::NeighbourSet),
        RouteNetlinkMessage::DelNeighbour(m) => {
            neighbour(m).map(|n| Update::NeighbourDel { link: n.link, addr: n.addr })
        }
        _ => None,
    }
}

/// Bridges send RTM_NEWLINK and RTM_DELLINK with family `bridge` about their members: not a device
/// that comes or goes.
fn is_device(m: &LinkMessage) -> bool {
    m.header.interface_family == AddressFamily::Unspec
}

fn link(m: &LinkMessage) -> Option<Link> {
    if !is_device(m) {
        return None;
    }
    let mut out = Link {
        index: m.header.index,
        name: String::new(),
        mac: None,
        mtu: 0,
        up: m.header.flags.contains(LinkFlags::Up),
        running: m.header.flags.contains(LinkFlags::LowerUp),
    };
    for attribute in &m.attributes {
        match attribute {
            LinkAttribute::IfName(name) => out.name.clone_from(name),
            LinkAttribute::Mtu(mtu) => out.mtu = *mtu,
            LinkAttribute::Address(bytes) if m.header.link_layer_type == LinkLayerType::Ether => {
                out.mac = mac(bytes);
            }
            _ => {}
        }
    }
    (!out.name.is_empty()).then_some(out)
}

fn mac(bytes: &[u8]) -> Option<MacAddr> {
    <[u8; 6]>::try_from(bytes).ok().map(MacAddr)
}

fn address(m: &AddressMessage) -> Option<Address> {
    // IFA_LOCAL is ours; on a point-to-point link IFA_ADDRESS is the peer's. IPv6 sends only
    // IFA_ADDRESS unless there is a peer.
    let (mut local, mut any) = (None, None);
    let mut flags = AddressFlags::from_bits_retain(u32::from(m.header.flags.bits()));
    for attribute in &m.attributes {
        match attribute {
            AddressAttribute::Local(a) => local = Some(*a),
            AddressAttribute::Address(a) => any = Some(*a),
            AddressAttribute::Flags(f) => flags = *f,
            _ => {}
        }
    }
    let addr = local.or(any)?;
    let unusable = AddressFlags::Tentative | AddressFlags::Dadfailed | AddressFlags::Deprecated;
    // IFA_F_SECONDARY on IPv6 marks a privacy address (IFA_F_TEMPORARY): also not for us.
    Some(Address {
        link: m.header.index,
        addr,
        prefix_len: m.header.prefix_len,
        global: m.header.scope == AddressScope::Universe,
        preferred: !flags.intersects(unusable | AddressFlags::Secondary),
    })
}

fn route(m: &RouteMessage) -> Option<Route> {
    let h = &m.header;
    // Routes that depend on more than the destination are policy routing: not followed.
    if h.tos != 0 || h.source_prefix_length != 0 || h.flags.contains(RouteFlags::Cloned) {
        return None;
    }
    let parts = RouteParts::read(m);
    let prefix = prefix(h, parts.destination)?;
    if never_routed(&prefix) {
        return None;
    }
    let kind = match h.kind {
        // An encapsulating route (MPLS, SRv6, ...) is not something the data plane can do; and
        // going round it by a less specific route would be wrong.
        RouteType::Unicast if parts.encapsulated => RouteKind::Unreachable,
        RouteType::Unicast => RouteKind::Unicast(parts.hops(h)),
        RouteType::Local | RouteType::Anycast => RouteKind::Local(parts.oif),
        RouteType::Broadcast => RouteKind::Broadcast(parts.oif),
        RouteType::BlackHole => RouteKind::Blackhole,
        RouteType::Unreachable => RouteKind::Unreachable,
        RouteType::Prohibit => RouteKind::Prohibit,
        _ => return None,
    };
    let device = match (&prefix, &kind) {
        (IpNet::V6(_), RouteKind::Unicast(_)) if parts.gateway.is_none() && !parts.multipath => parts.oif,
        (IpNet::V6(_), RouteKind::Local(link)) => *link,
        _ => 0,
    };
    Some(Route {
        key: RouteKey { table: parts.table.into(), prefix, metric: parts.metric, device },
        kind,
        connected: h.protocol == RouteProtocol::Kernel,
        mtu: parts.mtu,
    })
}

/// The attributes of a route message that count.
struct RouteParts<'a> {
    table: u32,
    metric: u32,
    oif: u32,
    destination: Option<IpAddr>,
    gateway: Option<IpAddr>,
    legs: &'a [RouteNextHop],
    multipath: bool,
    mtu: Option<u32>,
    encapsulated: bool,
}

impl<'a> RouteParts<'a> {
    fn read(m: &'a RouteMessage) -> Self {
        let mut out = Self {
            table: u32::from(m.header.table),
            metric: 0,
            oif: 0,
            destination: None,
            gateway: None,
            legs: &[],
            multipath: false,
            mtu: None,
            encapsulated: false,
        };
        for attribute in &m.attributes {
            match attribute {
                RouteAttribute::Table(t) => out.table = *t,
                RouteAttribute::Priority(p) => out.metric = *p,
                RouteAttribute::Oif(i) => out.oif = *i,
                RouteAttribute::Destination(a) => out.destination = plain(a),
                RouteAttribute::MultiPath(legs) => {
                    out.legs = legs;
                    out.multipath = true;
                    out.encapsulated |= legs.iter().any(|l| is_encapsulated(&l.attributes));
                }
                RouteAttribute::Metrics(metrics) => {
                    out.mtu = metrics.iter().find_map(|m| match m {
                        RouteMetric::Mtu(v) if *v > 0 => Some(*v),
                        _ => None,
                    });
                }
                RouteAttribute::EncapType(_) => out.encapsulated = true,
                other => out.gateway = out.gateway.or_else(|| gateway(other)),
            }
        }
        out
    }

    /// Next hops that are alive.
    fn hops(&self, header: &RouteHeader) -> Vec<NextHop> {
        if self.multipath {
            let dead = RouteNextHopFlags::Dead | RouteNextHopFlags::Linkdown;
            return self
                .legs
                .iter()
                .filter(|leg| !leg.flags.intersects(dead))
                .map(|leg| NextHop {
                    link: leg.interface_index,
                    gateway: leg.attributes.iter().find_map(gateway),
                    weight: u16::from(leg.hops) + 1,
                })
                .collect();
        }
        if header.flags.intersects(RouteFlags::Dead | RouteFlags::Linkdown) {
            return Vec::new();
        }
        vec![NextHop { link: self.oif, gateway: self.gateway, weight: 1 }]
    }
}

fn is_encapsulated(attributes: &[RouteAttribute]) -> bool {
    attributes.iter().any(|a| matches!(a, RouteAttribute::EncapType(_)))
}

fn gateway(attribute: &RouteAttribute) -> Option<IpAddr> {
    match attribute {
        RouteAttribute::Gateway(a) => plain(a),
        RouteAttribute::Via(RouteVia::Inet(a)) => Some(IpAddr::V4(*a)),
        RouteAttribute::Via(RouteVia::Inet6(a)) => Some(IpAddr::V6(*a)),
        _ => None,
    }
}

fn plain(a: &RouteAddress) -> Option<IpAddr> {
    match a {
        RouteAddress::Inet(a) => Some(IpAddr::V4(*a)),
        RouteAddress::Inet6(a) => Some(IpAddr::V6(*a)),
        _ => None,
    }
}

fn prefix(header: &RouteHeader, destination: Option<IpAddr>) -> Option<IpNet> {
    let addr = match (header.address_family, destination) {
        (AddressFamily::Inet | AddressFamily::Inet6, Some(addr)) => addr,
        (AddressFamily::Inet, None) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        (AddressFamily::Inet6, None) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        _ => return None,
    };
    IpNet::new(addr, header.destination_prefix_length).ok().map(|net| net.trunc())
}

/// Link-local and multicast destinations are never forwarded by the FIB (RFC 4291 section 2.5.6).
fn never_routed(prefix: &IpNet) -> bool {
    match prefix.addr() {
        IpAddr::V4(a) => prefix.prefix_len() >= 4 && a.is_multicast(),
        IpAddr::V6(a) => {
            prefix.prefix_len() >= 8 && a.is_multicast()
                || prefix.prefix_len() >= 10 && a.is_unicast_link_local()
        }
    }
}

fn neighbour(m: &NeighbourMessage) -> Option<Neighbour> {
    if m.header.flags.contains(NeighbourFlags::Proxy) {
        return None;
    }
    let (mut addr, mut lladdr) = (None, None);
    for attribute in &m.attributes {
        match attribute {
            NeighbourAttribute::Destination(NeighbourAddress::Inet(a)) => addr = Some(IpAddr::V4(*a)),
            NeighbourAttribute::Destination(NeighbourAddress::Inet6(a)) => addr = Some(IpAddr::V6(*a)),
            NeighbourAttribute::LinkLayerAddress(bytes) => lladdr = mac(bytes),
            _ => {}
        }
    }
    let addr = addr.filter(|a| !a.is_multicast() && !a.is_unspecified())?;
    let state = match (m.header.state, lladdr) {
        (Nud::Stale, Some(mac)) => NeighbourState::Stale(mac),
        (Nud::Permanent | Nud::Noarp, Some(mac)) => NeighbourState::Static(mac),
        (Nud::Reachable | Nud::Delay | Nud::Probe, Some(mac)) => NeighbourState::Valid(mac),
        (Nud::Failed, _) => NeighbourState::Failed,
        _ => NeighbourState::Incomplete,
    };
    Some(Neighbour { link: m.header.ifindex, addr, state })
}
