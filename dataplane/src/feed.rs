//! The *feed*: what control tells a worker. One bounded SPSC ring of [`Delta`]s per worker.
//!
//! Every worker gets every delta, in the same order, and applies up to K of them between bursts to
//! its own replica. Large parts travel boxed: the worker swaps the box into its table and sends the
//! old one back over the return ring, so that it neither allocates nor frees.
//!
//! Written by control, read by the worker that owns the ring end.

use crate::admission::{Admission, Nonce, SiteRules, VrfAdmission};
use crate::crypt::{Key, PeerKeys};
use crate::echo::{Awaited, EchoMark};
use crate::policer::VrfPolicers;
use crate::trust::{Marks, Outdated, Trust};
use crate::types::{
    AdjacencyId, EntryId, InstanceId, LocatorSetId, MacAddr, PeerId, PortId, RlocId, SiteId, VrfId,
};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where a map-cache entry sends its packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// One usable locator: straight to its slot.
    Rloc(RlocId),
    /// Several usable locators of the best priority: by flow hash into the set's bucket table.
    Set(LocatorSetId),
}

/// What a map-cache entry does with a packet (RFC 9301 section 5.4, ACT).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapAction {
    /// Positive mapping: encapsulate.
    Encapsulate(Target),
    /// ACT 0 (No-Action), or a positive mapping of which no locator is usable: drop; the reason
    /// says which. `unreachable` asks for an ICMP host unreachable.
    NoLocator {
        /// Tell the source.
        unreachable: bool,
    },
    /// ACT 1: leave LISP and route natively.
    NativelyForward,
    /// ACT 2, and the prefixes of EID space that a proxy attracts: every packet that matches asks
    /// the control plane.
    SendMapRequest,
    /// ACT 3: drop, ICMP net unreachable.
    DropNoReason,
    /// ACT 4: drop, ICMP administratively prohibited.
    DropPolicyDenied,
    /// ACT 5: drop, ICMP administratively prohibited.
    DropAuthFailure,
    /// A prefix of our own site (ETR database): route natively in the VRF.
    LocalSite,
}

/// The outer rewrite of an RLOC: headers as they go on the wire, flow-dependent fields zero.
///
/// Layout of `header`: Ethernet (14) | IPv4 (20) or IPv6 (40) | UDP (8) | LISP (8).
/// The worker fills in: outer total/payload length, IPv4 header checksum, TTL/Hop Limit, DSCP/ECN,
/// IPv6 flow label, UDP source port and length, and the LISP I bit with the VRF's Instance-ID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RlocRewrite {
    /// Our RLOC, outer source.
    pub source: IpAddr,
    /// The RLOC itself.
    pub destination: IpAddr,
    /// Port the packet leaves from.
    pub port: PortId,
    /// Our MAC address on that port.
    pub source_mac: MacAddr,
    /// The underlay next hop's MAC address.
    pub next_hop_mac: MacAddr,
    /// Largest outer IP packet towards it, bytes: min(port MTU, path MTU).
    pub mtu: u16,
    /// What is special about the way there.
    pub options: RlocOptions,
    /// The nonce agreed upon with it, for the LISP header (RFC 8060 section 5.3).
    pub nonce: Option<Nonce>,
}

/// What the operator chose for the way to an RLOC. The default: nothing special.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RlocOptions {
    /// Its decapsulator does not know RFC 6040: the outer header says Not-ECT ("compatibility mode",
    /// RFC 6040 section 4.3; R-110).
    pub ecn_compatible: bool,
    /// Outer UDP checksums are computed; else zero.
    pub udp_checksum: bool,
    /// Routers may fragment outer IPv4 packets: DF=0, as far as there are identifications.
    pub may_fragment: bool,
    /// It is trusted, and gets the Map-Versions of source and destination (RFC 9302). Not together with a
    /// nonce: there is room for one of them.
    pub map_versions: bool,
    /// It is trusted, and gets the Locator-Status-Bits of the source (RFC 9300 section 10).
    pub status_bits: bool,
    /// The outer UDP ports, where the way leads through a NAT; else 4341, from a port by flow.
    pub ports: Option<OuterPorts>,
    /// A nonce for its sake, if echoes are asked for or given; in place of one that was agreed upon.
    pub echo: Option<EchoMark>,
    /// Packets are encrypted, with the key of [`Delta::SealKey`]; they wait while there is none.
    pub encrypted: bool,
    /// LISP-GPE: the header names what follows (RFC 9305). Encrypted packets go without, and nonce and versions
    /// have no room beside it.
    pub gpe: bool,
}

/// Outer UDP ports that a NAT lets through to the router behind it, or keeps open for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OuterPorts {
    /// Ours: that which the router behind the NAT has spoken to.
    pub source: u16,
    /// That which the NAT gave to port 4341 of the router behind it.
    pub destination: u16,
}

impl RlocOptions {
    /// There are none.
    #[inline]
    #[must_use]
    pub fn is_plain(self) -> bool {
        self == Self::default()
    }
}

/// State of an RLOC slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RlocState {
    /// Known how to reach it.
    Ready(Box<RlocRewrite>),
    /// The underlay next hop is being resolved: hold packets meanwhile.
    Resolving,
    /// No underlay route, or declared down: drop, ICMP host unreachable.
    Down,
}

/// A VRF's fixed properties. The default: no role at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VrfSpec {
    /// Instance-ID in the data header; 0 = default instance, I=0.
    pub instance_id: InstanceId,
    /// PITR: packets of any source to EID space are encapsulated.
    pub pitr: bool,
    /// PETR: decapsulated packets for destinations outside our own site are routed natively.
    pub petr: bool,
    /// Site router: packets whose source is a local EID are encapsulated, decapsulation
    /// only to local EIDs unless `petr`.
    pub xtr: bool,
    /// Copy outer DSCP to inner on decapsulation; default keep inner.
    pub decap_copy_dscp: bool,
    /// DSCP of outer headers, 0 to 63; `None`: that of the inner packet.
    pub encap_dscp: Option<u8>,
    /// TCP connections through LISP are held to IP packets of so many bytes.
    pub clamp_mss_to_mtu: Option<u16>,
    /// Re-encapsulate a decapsulated packet whose destination is again an EID.
    pub rtr: bool,
}

/// What the native FIB says of a destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// One of our own addresses: to the kernel.
    Local,
    /// Through a next hop (gateway, or the destination itself as resolved neighbour).
    Via(AdjacencyId),
    /// Several equal next hops: by flow hash.
    Multipath(Box<[AdjacencyId]>),
    /// Directly connected, neighbour not known: hold, ask for it.
    Glean(PortId),
    /// Kernel route of type `unreachable`/`blackhole`/`prohibit`, or a connected neighbour that
    /// failed to resolve (`HostUnreachable`).
    Reject(Reject),
}

/// Why a route rejects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reject {
    /// Drop in silence.
    Blackhole,
    /// ICMP net unreachable / no route.
    NetUnreachable,
    /// ICMP host unreachable / address unreachable.
    HostUnreachable,
    /// ICMP administratively prohibited.
    Prohibited,
}

/// State of an Ethernet next hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adjacency {
    /// Ready to send.
    Ready {
        /// Egress port.
        port: PortId,
        /// Our MAC address there.
        source_mac: MacAddr,
        /// The neighbour's.
        mac: MacAddr,
        /// IP MTU of the port.
        mtu: u16,
    },
    /// Being resolved: hold packets; `neighbour` is who the kernel must ask for.
    Resolving {
        /// Egress port.
        port: PortId,
        /// Next-hop address.
        neighbour: IpAddr,
    },
    /// Resolution failed.
    Failed,
}

/// A port as the path sees it. The default accepts nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortSpec {
    /// VRF of native packets that arrive here.
    pub vrf: VrfId,
    /// LISP data to our RLOCs is accepted here.
    pub underlay: bool,
    /// Native packets are accepted here.
    pub native: bool,
    /// Our MAC address.
    pub mac: MacAddr,
    /// IP MTU, bytes.
    pub mtu: u16,
    /// Source of ICMP errors that answer packets received here; `None`: no IPv4 address yet.
    pub ipv4: Option<Ipv4Addr>,
    /// The same for IPv6 (a global address; never link-local).
    pub ipv6: Option<Ipv6Addr>,
    /// What the operator chose.
    pub policy: PortPolicy,
    /// Rules for the sources of native packets; `None`: any source.
    pub sources: Option<Box<SourceRules>>,
    /// VRFs whose Instance-IDs LISP data may have that arrives here, in ascending order; `None`: all
    ///
    pub instances: Option<Box<[VrfId]>>,
}

impl PortSpec {
    /// LISP data for this VRF may arrive here.
    #[inline(always)]
    #[must_use]
    pub fn admits(&self, vrf: VrfId) -> bool {
        self.instances.as_ref().is_none_or(|list| list.binary_search(&vrf).is_ok())
    }
}

/// Choices of the operator that only the path cares for. The default: all off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortPolicy {
    /// Stateful path MTU (RFC 9300 section 7.2): believe the core when it says that a packet of ours
    /// was too big. Else the port's MTU is all there is (section 7.1, stateless).
    pub learn_path_mtu: bool,
    /// Pass Time Exceeded from the core on to the inner source.
    pub relay_time_exceeded: bool,
    /// LISP data with the Instance-ID that is reserved for it holds control messages for a router behind
    /// a NAT: they go to the kernel.
    pub control_in_data: bool,
}

/// Which sources a port accepts, and which of them are hosts that move.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceRules {
    /// Dynamic-EID prefixes of the port, host bits zero: a host in them that is not live yet is
    /// reported, and is an EID of ours from its first packet on. A handful: they are tried in turn.
    pub dynamic: Box<[IpNet]>,
    /// Strict reverse path: other sources are dropped unless the FIB leads back to them by this port.
    pub strict: bool,
    /// Loose reverse path: other sources are dropped unless there is a route to them, the default route
    /// apart, or a map-cache entry.
    pub loose: bool,
    /// Drop what carries the address of a live host and comes from another Ethernet address; it is
    /// reported in either case.
    pub refuse_claims: bool,
    /// Prefixes whose hosts First-Hop Routers behind this port tell of: EIDs of ours from
    /// their first packet on, but not looked for here. Their routers speak to us by control messages.
    pub behind: Box<[IpNet]>,
}

impl SourceRules {
    /// The address lies in a dynamic-EID prefix of the port.
    #[must_use]
    pub fn is_dynamic(&self, addr: IpAddr) -> bool {
        self.dynamic.iter().any(|prefix| prefix.contains(&addr))
    }

    /// The address may be that of a host behind a First-Hop Router of the port.
    #[must_use]
    pub fn is_behind(&self, addr: IpAddr) -> bool {
        self.behind.iter().any(|prefix| prefix.contains(&addr))
    }
}

/// One change. Order matters: what is referred to is sent before what refers to it.
/// `Clone`, because every worker gets its own copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delta {
    /// Create or change a VRF.
    VrfSet(VrfId, VrfSpec),
    /// Create or change a port.
    PortSet(PortId, Box<PortSpec>),
    /// Our own RLOCs: outer destinations that are decapsulated. Replaces the former list.
    LocalRlocs(Box<[IpAddr]>),
    /// Install or replace a map-cache entry. An entry's slot stays with its prefix.
    MapSet {
        /// VRF.
        vrf: VrfId,
        /// EID-prefix, host bits zero.
        prefix: IpNet,
        /// Slot (counters live there).
        entry: EntryId,
        /// What it does.
        action: MapAction,
    },
    /// Remove a map-cache entry.
    MapDel {
        /// VRF.
        vrf: VrfId,
        /// EID-prefix.
        prefix: IpNet,
    },
    /// Change an RLOC slot.
    RlocSet(RlocId, RlocState),
    /// Change a locator-set's bucket table: RLOC by bucket, 1 to 1024 of them.
    LocatorSetSet(LocatorSetId, Box<[RlocId]>),
    /// Install or replace a native route.
    RouteSet {
        /// VRF.
        vrf: VrfId,
        /// Destination.
        prefix: IpNet,
        /// Where to.
        route: Route,
    },
    /// Remove a native route.
    RouteDel {
        /// VRF.
        vrf: VrfId,
        /// Destination.
        prefix: IpNet,
    },
    /// Change an adjacency.
    AdjacencySet(AdjacencyId, Adjacency),
    /// Local EID-prefix of an xTR: sources in it are encapsulated, destinations in it delivered.
    LocalEidSet {
        /// VRF.
        vrf: VrfId,
        /// EID-prefix of our site.
        prefix: IpNet,
    },
    /// A host of ours that lives at another site now: it is no local EID, and what still comes for
    /// it out of an encapsulation goes on to where the map-cache says. Takes the place of a
    /// local EID of the same length, and the other way round.
    AwayEidSet {
        /// VRF.
        vrf: VrfId,
        /// The host.
        eid: IpAddr,
        /// Re-encapsulate; else drop.
        forward: bool,
    },
    /// Remove a local EID-prefix, or a host that is away.
    LocalEidDel {
        /// VRF.
        vrf: VrfId,
        /// EID-prefix of our site.
        prefix: IpNet,
    },
    /// What is asked of all LISP data. Sent after what it refers to.
    Admission(Box<Admission>),
    /// Add a prefix of outer sources.
    OuterSourceSet(IpNet),
    /// Remove a prefix of outer sources.
    OuterSourceDel(IpNet),
    /// What is asked of the packets of a site.
    SiteRulesSet(SiteId, Box<SiteRules>),
    /// EID-prefix of a LISP site whose packets we take, or another site for it.
    SiteSet {
        /// VRF.
        vrf: VrfId,
        /// EID-prefix, host bits zero.
        prefix: IpNet,
        /// Whose it is.
        site: SiteId,
    },
    /// Remove an EID-prefix of a LISP site.
    SiteDel {
        /// VRF.
        vrf: VrfId,
        /// EID-prefix.
        prefix: IpNet,
    },
    /// The RLOCs of the mapping behind an entry, whether they are up or not: its outer sources, where inner
    /// sources are held to mappings. Sent before the entry.
    EntryRlocs(EntryId, Box<[IpAddr]>),
    /// Whose headers are heeded.
    Trust(Box<Trust>),
    /// With whom LISP-GPE was agreed upon, by outer source: of the prefixes that hold it the longest says. Empty:
    /// with nobody, and its bit means nothing. A handful: they are tried in turn.
    GpePeers(Box<[(IpNet, bool)]>),
    /// What is said of the mapping behind an entry, in LISP headers. Where anybody's are heeded, it is sent for
    /// each slot that gets a prefix.
    EntryMarks(EntryId, Marks),
    /// Those who go on with an old version of a mapping of ours although they were told. Replaces the former
    /// list; a handful: they are tried in turn.
    Outdated(Box<[Outdated]>),
    /// Those whose echo is awaited, by ascending RLOC. Replaces the former list.
    Awaited(Box<[Awaited]>),
    /// What is asked of the inner sources of a VRF. Sent after what it refers to.
    VrfAdmission(VrfId, VrfAdmission),
    /// The policers of a VRF, in place of the former ones; `None`: it has none.
    Policers(VrfId, Option<Box<VrfPolicers>>),
    /// The key that packets to this RLOC are encrypted with (RFC 8061), in place of the former one. Sent
    /// before the slot whose options ask for it.
    SealKey {
        /// Slot.
        rloc: RlocId,
        /// The RLOC itself.
        destination: IpAddr,
        /// `None`: there is none any more.
        key: Option<Key>,
    },
    /// Keys of packets from this outer source; `None`: there are none any more, and the number is free.
    PeerKeys {
        /// Its number.
        peer: PeerId,
        /// Its RLOC.
        source: IpAddr,
        /// Replace the former ones.
        keys: Option<Box<PeerKeys>>,
    },
    /// Let go of the packets held for an EID without a new entry: control gave up on it. They are
    /// dropped as `ResolutionFailed`.
    Abandon {
        /// VRF.
        vrf: VrfId,
        /// Destination EID.
        eid: IpAddr,
    },
}
