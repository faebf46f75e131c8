//! The *punt*: what a worker tells control. One bounded SPSC ring of events per worker.
//!
//! Packets for the kernel do not travel here but over the host path as mbufs. A full ring loses the
//! event and counts it: every event is a hint that recurs while its cause lasts.

use crate::types::{PortId, RlocId, VrfId};
use std::net::IpAddr;

/// An event for control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
}
