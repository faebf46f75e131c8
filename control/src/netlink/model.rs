//! The words of the kernel view. Plain values, comparable, no I/O.

use ipnet::IpNet;
use pxtr_dataplane::types::MacAddr;
use std::net::IpAddr;

/// Kernel routing table `main`.
pub const TABLE_MAIN: u64 = 254;
/// Kernel routing table `local`: our own addresses, broadcasts, anycasts.
pub const TABLE_LOCAL: u64 = 255;

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Interface index.
    pub index: u32,
    /// Interface name.
    pub name: String,
    /// Ethernet address; `None` for interfaces that have none.
    pub mac: Option<MacAddr>,
    /// IP MTU, bytes.
    pub mtu: u32,
    /// Administratively up.
    pub up: bool,
    /// Has a carrier.
    pub running: bool,
}

/// An address of our own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Interface index.
    pub link: u32,
    /// The address.
    pub addr: IpAddr,
    /// Length of its on-link prefix.
    pub prefix_len: u8,
    /// Global scope: may be the source of a packet that is routed.
    pub global: bool,
    /// Primary, and past duplicate address detection.
    pub preferred: bool,
}

/// What tells routes for the same destination apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RouteKey {
    /// Kernel routing table, in the numbers of [`super::table_in`].
    pub table: u64,
    /// Destination.
    pub prefix: IpNet,
    /// Priority; the lowest wins.
    pub metric: u32,
    /// IPv6 keeps one route per interface for the same prefix and metric when there is no gateway:
    /// its interface index. 0 otherwise.
    pub device: u32,
}

/// A way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextHop {
    /// Interface index.
    pub link: u32,
    /// Gateway, possibly of the other family (RTA_VIA); `None`: the destination is on the link.
    pub gateway: Option<IpAddr>,
    /// Relative share, 1..=256.
    pub weight: u16,
}

/// What a route does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteKind {
    /// Send it out. Only next hops that are alive; may be empty.
    Unicast(Vec<NextHop>),
    /// Deliver to ourselves; on this interface.
    Local(u32),
    /// A broadcast address of this interface.
    Broadcast(u32),
    /// Drop in silence.
    Blackhole,
    /// Drop, host or net unreachable.
    Unreachable,
    /// Drop, administratively prohibited.
    Prohibit,
}

/// A kernel route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Identity.
    pub key: RouteKey,
    /// What it does.
    pub kind: RouteKind,
    /// Made by the kernel itself from an interface address (connected route).
    pub connected: bool,
    /// Path MTU set on the route, bytes.
    pub mtu: Option<u32>,
}

/// How far the kernel knows a neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NeighbourState {
    /// Somebody wrote its address down; it is never confirmed.
    Static(MacAddr),
    /// Its address is known and was confirmed lately, or is being confirmed.
    Valid(MacAddr),
    /// Its address is known but was not confirmed for a while.
    Stale(MacAddr),
    /// Being asked for.
    Incomplete,
    /// It did not answer.
    Failed,
}

impl NeighbourState {
    /// The Ethernet address, if there is one to send to.
    #[must_use]
    pub fn mac(self) -> Option<MacAddr> {
        match self {
            Self::Static(mac) | Self::Valid(mac) | Self::Stale(mac) => Some(mac),
            Self::Incomplete | Self::Failed => None,
        }
    }
}

/// A neighbour on an Ethernet link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// Interface index.
    pub link: u32,
    /// Its address.
    pub addr: IpAddr,
    /// How far it is known.
    pub state: NeighbourState,
}

/// One message of the kernel, in our words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Update {
    /// Interface made or changed.
    LinkSet(Link),
    /// Interface gone.
    LinkDel(u32),
    /// Address added or changed.
    AddressSet(Address),
    /// Address gone.
    AddressDel {
        /// Interface index.
        link: u32,
        /// The address.
        addr: IpAddr,
    },
    /// Route added or changed.
    RouteSet {
        /// The route.
        route: Route,
        /// It takes the place of whatever had its table, prefix and metric (NLM_F_REPLACE).
        replace: bool,
    },
    /// Route gone, or (IPv6 multipath) these next hops of it.
    RouteDel(Route),
    /// Neighbour learnt or changed.
    NeighbourSet(Neighbour),
    /// Neighbour forgotten.
    NeighbourDel {
        /// Interface index.
        link: u32,
        /// Its address.
        addr: IpAddr,
    },
}
