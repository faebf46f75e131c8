//! What came of a delta.

use crate::admission::{Admission, SiteRules};
use crate::crypt::{Key, PeerKeys};
use crate::echo::Awaited;
use crate::feed::{Delta, PortSpec, RlocRewrite};
use crate::policer::VrfPolicers;
use crate::trust::{Outdated, Trust};
use crate::types::{
    AdjacencyId, Eid, EntryId, InstanceId, LocatorSetId, PeerId, PortId, RlocId, SiteId, VrfId,
};
use ipnet::IpNet;
use std::net::IpAddr;
use thiserror::Error;

/// What came of a delta.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "retired memory goes back to control, touched packets are released"]
pub struct Applied {
    /// Done, or why not.
    pub outcome: Result<(), Ignored>,
    /// Whom it may concern: held packets that wait for this can be tried again.
    pub touched: Option<Touched>,
    /// Memory that the replica no longer needs; the worker sends it back rather than free it.
    pub retired: Option<Retired>,
}

/// What changed, in terms of what a held packet may wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touched {
    /// Map-cache entry of an EID-prefix: set or removed.
    Mapping {
        /// VRF.
        vrf: VrfId,
        /// EID-prefix.
        prefix: IpNet,
    },
    /// Native route: set or removed.
    Route {
        /// VRF.
        vrf: VrfId,
        /// Destination.
        prefix: IpNet,
    },
    /// RLOC slot.
    Rloc(RlocId),
    /// Ethernet next hop.
    Adjacency(AdjacencyId),
    /// Control gave up on this EID: drop what is held for it.
    Abandon(Eid),
}

/// Memory on its way back to control, which frees it.
#[derive(Debug, PartialEq, Eq)]
pub enum Retired {
    /// Port.
    Port(Box<PortSpec>),
    /// List of our RLOCs.
    LocalRlocs(Box<[IpAddr]>),
    /// Rewrite that an RLOC slot was built from.
    Rewrite(Box<RlocRewrite>),
    /// Bucket table.
    Buckets(Box<[RlocId]>),
    /// Multipath group.
    Paths(Box<[AdjacencyId]>),
    /// What is asked of all LISP data.
    Admission(Box<Admission>),
    /// RLOCs of a mapping.
    EntryRlocs(Box<[IpAddr]>),
    /// What is asked of a site.
    SiteRules(Box<SiteRules>),
    /// Whose headers are heeded.
    Trust(Box<Trust>),
    /// Those with old versions of our mappings.
    Outdated(Box<[Outdated]>),
    /// Those whose echo is awaited.
    Awaited(Box<[Awaited]>),
    /// With whom LISP-GPE was agreed upon.
    GpePeers(Box<[(IpNet, bool)]>),
    /// Key of an RLOC.
    SealKey(Key),
    /// Policers of a VRF.
    Policers(Box<VrfPolicers>),
    /// Keys of a peer.
    PeerKeys(Box<PeerKeys>),
}

impl Retired {
    /// The boxed part of a delta that was not used.
    pub(super) fn of(delta: Delta) -> Option<Self> {
        match delta {
            Delta::PortSet(_, spec) => Some(Self::Port(spec)),
            Delta::LocalRlocs(list) => Some(Self::LocalRlocs(list)),
            Delta::RlocSet(_, crate::feed::RlocState::Ready(rewrite)) => Some(Self::Rewrite(rewrite)),
            Delta::LocatorSetSet(_, buckets) => Some(Self::Buckets(buckets)),
            Delta::RouteSet { route: crate::feed::Route::Multipath(paths), .. } => Some(Self::Paths(paths)),
            Delta::Admission(admission) => Some(Self::Admission(admission)),
            Delta::EntryRlocs(_, rlocs) => Some(Self::EntryRlocs(rlocs)),
            Delta::SiteRulesSet(_, rules) => Some(Self::SiteRules(rules)),
            Delta::Trust(trust) => Some(Self::Trust(trust)),
            Delta::Outdated(list) => Some(Self::Outdated(list)),
            Delta::Awaited(list) => Some(Self::Awaited(list)),
            Delta::GpePeers(list) => Some(Self::GpePeers(list)),
            _ => None,
        }
    }
}

/// Why a delta was ignored. The replica is as it was, unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Ignored {
    /// No such VRF, or its number is beyond the limit.
    #[error("unknown VRF {}", .0.0)]
    Vrf(VrfId),
    /// Another VRF has this Instance-ID.
    #[error("instance-id {} belongs to another VRF", .0.0)]
    InstanceTaken(InstanceId),
    /// An Instance-ID that does not fit the data header or is reserved.
    #[error("instance-id {:#x} is out of range", .0.0)]
    InstanceRange(InstanceId),
    /// Port number beyond the limit.
    #[error("port {} is beyond the limit", .0.0)]
    Port(PortId),
    /// Entry slot beyond the limit.
    #[error("entry slot {} is beyond the limit", .0.0)]
    Entry(EntryId),
    /// RLOC slot beyond the limit.
    #[error("RLOC slot {} is beyond the limit", .0.0)]
    Rloc(RlocId),
    /// No headers can be built from a rewrite: the slot is down now.
    #[error("rewrite of RLOC slot {} mixes address families", .0.0)]
    Rewrite(RlocId),
    /// Set slot beyond the limit, or a number of buckets outside 1 to 1024.
    #[error("locator-set slot {} or its size is out of range", .0.0)]
    LocatorSet(LocatorSetId),
    /// Adjacency slot beyond the limit.
    #[error("adjacency slot {} is beyond the limit", .0.0)]
    Adjacency(AdjacencyId),
    /// A prefix table of this VRF is full.
    #[error("a prefix table of VRF {} is full", .0.0)]
    TableFull(VrfId),
    /// A route that can not be stored: no or too many next hops, or too many multipath routes.
    #[error("a route of VRF {} can not be stored", .0.0)]
    Route(VrfId),
    /// More of our own RLOCs than the limit.
    #[error("{0} RLOCs of our own are too many")]
    LocalRlocs(usize),
    /// Number of a LISP site beyond the limit.
    #[error("site {} is beyond the limit", .0.0)]
    Site(SiteId),
    /// A prefix of outer sources is one too many, or not there.
    #[error("prefix {0} of outer sources is one too many, or not there")]
    OuterSource(IpNet),
    /// Number of a peer beyond the limit.
    #[error("peer {} is beyond the limit", .0.0)]
    Peer(PeerId),
    /// A prefix that was to be removed is not there.
    #[error("a prefix to be removed from VRF {} is not there", .0.0)]
    Absent(VrfId),
}
