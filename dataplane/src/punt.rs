//! The *punt*: what a worker tells control. One bounded SPSC ring of events per worker.
//!
//! Packets for the kernel do not travel here but over the host path as mbufs. A full ring loses the
//! event and counts it: every event is a hint that recurs while its cause lasts.

use crate::echo::EchoSaid;
use crate::trust::Said;
use crate::types::{MacAddr, PortId, RlocId, VrfId};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// An event for control.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Punt {
    /// A packet wants an EID that has no mapping. Sent once per held EID, again each second while
    /// packets still arrive.
    Miss {
        /// VRF.
        vrf: VrfId,
        /// Destination EID.
        eid: IpAddr,
        /// Inner source of the first packet (budgets are fair by source, R-021).
        source: IpAddr,
    },
    /// A packet wants a neighbour that is not resolved.
    NeighbourMiss {
        /// Egress port.
        port: PortId,
        /// Who is sought.
        neighbour: IpAddr,
    },
    /// An RLOC slot in state `Resolving` has packets waiting.
    RlocWanted(RlocId),
    /// The core says that a packet to this RLOC was too big, and it is believed. At
    /// most once a second for an RLOC and value.
    PathMtu {
        /// The RLOC.
        rloc: IpAddr,
        /// Largest outer IP packet, bytes.
        mtu: u16,
    },
    /// The core says that this RLOC can not be reached: a hint. At most once a second.
    RlocUnreachable {
        /// The RLOC.
        rloc: IpAddr,
    },
    /// A host speaks whose address lies in a dynamic-EID prefix of the port, and it is not live
    /// there; or somebody else uses the address of a live one. At most once a second.
    DynamicEid {
        /// VRF.
        vrf: VrfId,
        /// Its address.
        eid: IpAddr,
        /// Where it is.
        port: PortId,
        /// Its Ethernet address.
        mac: MacAddr,
        /// What showed it.
        seen: Seen,
        /// Another Ethernet address holds the EID at this site.
        claim: bool,
    },
    /// An encapsulated packet came for a host that is away: who sent it does not know that yet
    /// . At most once a second for a host and sender.
    AwayHit {
        /// VRF.
        vrf: VrfId,
        /// The host.
        eid: IpAddr,
        /// Outer source of the packet.
        rloc: IpAddr,
    },
    /// The LISP header of a trusted router says something that is news (RFC 9302). At most once a second
    /// for an EID and what is said of it.
    Header {
        /// VRF.
        vrf: VrfId,
        /// The EID that it is about: the inner source or destination.
        eid: IpAddr,
        /// Outer source of the packet.
        rloc: IpAddr,
        /// What it says.
        said: Said,
    },
    /// The LISP header of a trusted router asks for an echo, or has the one that is awaited, or has it not
    /// (RFC 9300 section 10.1). At most ten times a second for a router and each of these.
    Echo {
        /// Outer source of the packet.
        rloc: IpAddr,
        /// What it says.
        said: EchoSaid,
    },
}

/// What showed a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Seen {
    /// An IP packet.
    Data,
    /// ARP.
    Arp,
    /// Neighbour discovery.
    Nd,
}
