//! Where an IP packet goes: map-cache first, then the native FIB (R-001, R-008, R-009, R-024,
//! Reads tables only, writes nothing but entry counters.

use super::ip::Ip;
use crate::feed::{MapAction, PortSpec, Reject, Target, VrfSpec};
use crate::fib::{RouteHit, RouteRef};
use crate::replica::{LocalEid, Replica};
use crate::types::{AdjacencyId, EntryId, PortId, RlocId, VrfId};
use crate::verdict::{DropReason, Notice, Wait};
use crate::wire::lisp;

/// How a packet came to be here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Received as it is.
    Native,
    /// Out of a LISP packet to one of our RLOCs.
    Decapsulated,
    /// Made by us: an ICMP error.
    Own,
    /// A LISP packet to one of our RLOCs that is not stripped yet: it waits until its inner source is known
    ///
    Encapsulated,
}

/// What besides its bytes decides the way of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// The VRF it is routed in.
    pub vrf: VrfId,
    /// The port it arrived on (for our own: that of the packet it is about).
    pub port: PortId,
    /// How it came to be here.
    pub origin: Origin,
}

/// What is to be done with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send it to this RLOC.
    Encapsulate(RlocId),
    /// Send it to an Ethernet next hop.
    Forward {
        /// Which one.
        adjacency: AdjacencyId,
        /// It must not be the neighbour that the packet came from.
        away: bool,
    },
    /// It is for us: to the kernel.
    Host,
    /// Hold it.
    Await(Wait),
    /// Drop it, and perhaps tell its source.
    Refuse(DropReason, Option<Notice>),
}

/// A drop that nobody is told of.
const fn silent(reason: DropReason) -> Step {
    Step::Refuse(reason, None)
}

/// A drop that the source is told of.
const fn told(reason: DropReason, notice: Notice) -> Step {
    Step::Refuse(reason, Some(notice))
}

/// The map-cache's word on a destination: filled in by whoever looks it up first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mapping {
    /// Not looked up.
    Unknown,
    /// No EID as far as we know.
    Absent,
    /// This entry.
    Entry(EntryId),
}

impl Mapping {
    /// The entry of the packet's destination, looked up if it has not been.
    #[inline(always)]
    fn resolve(&mut self, ip: &Ip, cx: Context, tables: &Replica) -> Option<EntryId> {
        if *self == Self::Unknown {
            let found = tables.map_lookup(cx.vrf, ip.addrs.destination());
            *self = found.map_or(Self::Absent, Self::Entry);
        }
        match *self {
            Self::Entry(entry) => Some(entry),
            Self::Unknown | Self::Absent => None,
        }
    }
}

/// Decides. `mapping` may hold the result of a lookup done for a whole burst, and afterwards holds
/// the entry that a [`Step::Encapsulate`] came from.
#[inline(always)]
pub fn decide(ip: &Ip, cx: Context, mapping: &mut Mapping, tables: &Replica) -> Step {
    let Some(vrf) = tables.vrf(cx.vrf) else { return silent(DropReason::VrfUnknown) };
    match cx.origin {
        Origin::Native => match tables.port(cx.port) {
            Some(port) => decide_native(ip, cx, mapping, port, vrf, tables),
            None => silent(DropReason::PortNotConfigured),
        },
        Origin::Decapsulated => alive(ip, decapsulated(ip, cx, mapping, vrf, tables)),
        Origin::Own => own(ip, cx, mapping, vrf, tables),
        Origin::Encapsulated => silent(DropReason::InnerSourceUnknown),
    }
}

/// Decides about a packet received without encapsulation, when port and VRF are at hand.
#[inline(always)]
pub fn decide_native(
    ip: &Ip,
    cx: Context,
    mapping: &mut Mapping,
    port: &PortSpec,
    vrf: &VrfSpec,
    tables: &Replica,
) -> Step {
    if !port.native || ip.link_local_source {
        return only_for_us(ip, cx, port.native, tables);
    }
    let is_candidate = vrf.pitr || (vrf.xtr && is_candidate(ip, cx, port, tables));
    if is_candidate && let Some(entry) = mapping.resolve(ip, cx, tables) {
        return alive(ip, by_mapping(ip, cx, entry, tables));
    }
    alive(ip, via_fib(ip, cx, false, tables))
}

/// The forwarding decrement comes before encapsulation and before waiting; a packet
/// for ourselves is not subject to it.
#[inline(always)]
fn alive(ip: &Ip, step: Step) -> Step {
    match step {
        Step::Host | Step::Refuse(..) => step,
        _ if ip.ttl <= 1 => told(DropReason::TtlExpired, Notice::TimeExceeded),
        _ => step,
    }
}

/// A packet that may reach the kernel and nothing else.
#[cold]
fn only_for_us(ip: &Ip, cx: Context, native: bool, tables: &Replica) -> Step {
    match via_fib(ip, cx, false, tables) {
        Step::Host => Step::Host,
        _ if !native => silent(DropReason::NativeNotAllowed),
        _ => silent(DropReason::LinkLocalSource),
    }
}

/// from a local EID, to what is neither local nor known to the FIB but by a default route.
/// A host in a dynamic-EID prefix of the port is an EID of ours before control knows it,
/// whether we or a First-Hop Router have to find it.
fn is_candidate(ip: &Ip, cx: Context, port: &PortSpec, tables: &Replica) -> bool {
    let source = ip.addrs.source();
    let ours = tables.is_local_eid(cx.vrf, source)
        || port.sources.as_ref().is_some_and(|rules| rules.is_dynamic(source) || rules.is_behind(source));
    ours && is_remote(ip, cx, tables)
}

fn is_remote(ip: &Ip, cx: Context, tables: &Replica) -> bool {
    let destination = ip.addrs.destination();
    match tables.local_eid(cx.vrf, destination) {
        Some(LocalEid::Site | LocalEid::Host) => false,
        Some(LocalEid::Away | LocalEid::AwayDrop) => true,
        None => tables.fib_lookup(cx.vrf, destination).is_none_or(|hit| hit.default),
    }
}

/// A packet out of a LISP packet.
fn decapsulated(ip: &Ip, cx: Context, mapping: &mut Mapping, vrf: &VrfSpec, tables: &Replica) -> Step {
    let destination = ip.addrs.destination();
    if vrf.xtr {
        match tables.local_eid(cx.vrf, destination) {
            Some(LocalEid::Site | LocalEid::Host) => return via_fib(ip, cx, false, tables),
            Some(LocalEid::Away) => return to_new_site(ip, cx, mapping, tables),
            Some(LocalEid::AwayDrop) => return told(DropReason::EidAway, Notice::HostUnreachable),
            None => {}
        }
    }
    // A PETR that is PITR in the same VRF sees EIDs in its map-cache: it re-encapsulates if it is
    // an RTR, else it refuses them, for a native route may lead them back to us.
    if vrf.rtr || vrf.pitr {
        match mapping.resolve(ip, cx, tables).map(|entry| (entry, tables.entry(entry))) {
            None | Some((_, MapAction::LocalSite | MapAction::NativelyForward)) => {}
            Some((entry, _)) if vrf.rtr => return by_mapping(ip, cx, entry, tables),
            Some(_) => return told(DropReason::InnerIsEid, Notice::NetUnreachable),
        }
    }
    if vrf.petr {
        via_fib(ip, cx, false, tables)
    } else {
        //
        told(DropReason::InnerNotLocal, Notice::NetUnreachable)
    }
}

/// A packet for a host of ours that moved away: on to where it is, as an RTR does.
fn to_new_site(ip: &Ip, cx: Context, mapping: &mut Mapping, tables: &Replica) -> Step {
    match mapping.resolve(ip, cx, tables) {
        // The site's own prefix decides only until the host's entry is there.
        Some(entry) if tables.entry(entry) != MapAction::LocalSite => by_mapping(ip, cx, entry, tables),
        _ => Step::Await(Wait::Mapping),
    }
}

/// A packet of our own: to EIDs through the map-cache, never natively.
fn own(ip: &Ip, cx: Context, mapping: &mut Mapping, vrf: &VrfSpec, tables: &Replica) -> Step {
    let by_map_cache = vrf.pitr || vrf.rtr || (vrf.xtr && is_remote(ip, cx, tables));
    match mapping.resolve(ip, cx, tables) {
        Some(entry) if by_map_cache => by_mapping(ip, cx, entry, tables),
        _ => via_fib(ip, cx, false, tables),
    }
}

/// What a map-cache entry says (R-001, R-012, R-068; RFC 9301 section 5.4).
#[inline(always)]
fn by_mapping(ip: &Ip, cx: Context, entry: EntryId, tables: &Replica) -> Step {
    match tables.entry(entry) {
        MapAction::Encapsulate(Target::Rloc(rloc)) => Step::Encapsulate(rloc),
        MapAction::Encapsulate(Target::Set(set)) => match tables.set_pick(set, ip.hash) {
            Some(rloc) => Step::Encapsulate(rloc),
            None => told(DropReason::MapNoLocator, Notice::HostUnreachable),
        },
        other => by_action(ip, cx, entry, other, tables),
    }
}

/// The actions that do not encapsulate. They count on the entry here; a positive entry counts when
/// the packet has really been sent.
fn by_action(ip: &Ip, cx: Context, entry: EntryId, action: MapAction, tables: &Replica) -> Step {
    tables.count(entry, u64::from(ip.len));
    match action {
        MapAction::LocalSite => via_fib(ip, cx, false, tables),
        MapAction::NativelyForward => match via_fib(ip, cx, true, tables) {
            // The blackhole that anchors the aggregate we attract traffic with is no way out.
            // What else is silent stays so.
            Step::Refuse(reason @ DropReason::RouteBlackhole, None) => told(reason, Notice::NetUnreachable),
            step => step,
        },
        // Our own addresses and those of other RLOCs of ours are never EIDs.
        MapAction::SendMapRequest if is_ours(ip, cx, tables) => for_us(ip, cx, tables),
        MapAction::SendMapRequest if tables.is_local_rloc(ip.addrs.destination()) => {
            silent(DropReason::RlocIsDestination)
        }
        MapAction::SendMapRequest => Step::Await(Wait::Mapping),
        MapAction::DropNoReason => told(DropReason::MapDrop, Notice::NetUnreachable),
        MapAction::DropPolicyDenied => told(DropReason::MapPolicyDenied, Notice::Prohibited),
        MapAction::DropAuthFailure => told(DropReason::MapAuthFailure, Notice::Prohibited),
        MapAction::NoLocator { unreachable: true } => told(DropReason::MapNoLocator, Notice::HostUnreachable),
        MapAction::NoLocator { unreachable: false } | MapAction::Encapsulate(_) => {
            silent(DropReason::MapNoAction)
        }
    }
}

/// To one of our own addresses, whoever asks.
fn is_ours(ip: &Ip, cx: Context, tables: &Replica) -> bool {
    let hit = tables.fib_lookup(cx.vrf, ip.addrs.destination());
    hit.is_some_and(|hit| hit.route == RouteRef::Local)
}

/// What the native FIB says.
#[inline(always)]
fn via_fib(ip: &Ip, cx: Context, away: bool, tables: &Replica) -> Step {
    let Some(hit) = tables.fib_lookup(cx.vrf, ip.addrs.destination()) else {
        return told(DropReason::NoRoute, Notice::NetUnreachable);
    };
    match hit.next_hop(ip.hash) {
        Some(adjacency) => Step::Forward { adjacency, away },
        None => not_forwarded(ip, cx, hit, tables),
    }
}

fn not_forwarded(ip: &Ip, cx: Context, hit: RouteHit<'_>, tables: &Replica) -> Step {
    match hit.route {
        RouteRef::Local => for_us(ip, cx, tables),
        RouteRef::Glean(port) => Step::Await(Wait::Neighbour(port)),
        RouteRef::Reject(Reject::Blackhole) => silent(DropReason::RouteBlackhole),
        RouteRef::Reject(Reject::NetUnreachable) => {
            told(DropReason::RouteUnreachable, Notice::NetUnreachable)
        }
        RouteRef::Reject(Reject::HostUnreachable) => {
            told(DropReason::HostUnreachable, Notice::HostUnreachable)
        }
        RouteRef::Reject(Reject::Prohibited) => told(DropReason::RouteProhibited, Notice::Prohibited),
        RouteRef::Via(_) | RouteRef::Multipath(_) => silent(DropReason::NoRoute),
    }
}

/// To one of our own addresses.
fn for_us(ip: &Ip, cx: Context, tables: &Replica) -> Step {
    // Out of an encapsulation nobody reaches our own services, and we do not write to
    // ourselves.
    if cx.origin != Origin::Native {
        return silent(DropReason::InnerOwnDestination);
    }
    if let Some(port) = tables.port(cx.port).filter(|port| !port.underlay) {
        let routers = port.sources.as_ref().is_some_and(|rules| !rules.behind.is_empty());
        if ip.is_udp_port(lisp::CONTROL_PORT) && !routers {
            return silent(DropReason::ControlNotUnderlay);
        }
        if ip.is_udp_port(lisp::DATA_PORT) {
            return silent(DropReason::LispNotUnderlay);
        }
    }
    Step::Host
}
