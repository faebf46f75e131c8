//! Routes to hosts of dynamic-EID prefixes: the only routes that we make.

use super::space::{split_link, split_table};
use netlink_packet_route::AddressFamily;
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use std::net::IpAddr;

/// Their protocol number in the kernel, as `ip route show proto 99` takes it. Nobody else's in
/// /etc/iproute2/rt_protos.
pub const PROTOCOL: u8 = 99;

/// A route to one host, which is on the link or behind a router on the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostRoute {
    /// It is to be there; else not.
    pub present: bool,
    /// Kernel routing table, in the numbers of [`super::table_in`].
    pub table: u64,
    /// Interface index.
    pub link: u32,
    /// The host.
    pub addr: IpAddr,
    /// The router, of the host's address family; `None`: the host is on the link.
    pub via: Option<IpAddr>,
}

pub(super) fn message(route: HostRoute) -> RouteMessage {
    let (table, link) = (split_table(route.table).1, split_link(route.link).1);
    let mut message = RouteMessage::default();
    let (family, length, destination) = match route.addr {
        IpAddr::V4(addr) => (AddressFamily::Inet, 32, RouteAddress::Inet(addr)),
        IpAddr::V6(addr) => (AddressFamily::Inet6, 128, RouteAddress::Inet6(addr)),
    };
    message.header.address_family = family;
    message.header.destination_prefix_length = length;
    message.header.protocol = RouteProtocol::Other(PROTOCOL);
    let on_link = route.addr.is_ipv4() && route.via.is_none();
    message.header.scope = if on_link { RouteScope::Link } else { RouteScope::Universe };
    message.header.kind = RouteType::Unicast;
    message.header.table = u8::try_from(table).unwrap_or_default();
    message.attributes.push(RouteAttribute::Destination(destination));
    message.attributes.push(RouteAttribute::Oif(link));
    message.attributes.extend(route.via.map(|via| RouteAttribute::Gateway(via.into())));
    message.attributes.push(RouteAttribute::Table(table));
    message
}
