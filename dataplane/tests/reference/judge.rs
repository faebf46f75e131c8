//! The way of a packet by the rules (requirements.md), one rule after the other, nothing clever.

use super::outer;
use super::read::{self, ICMP, ICMPV6, Kind, LISP_CONTROL, LISP_DATA, Packet, UDP, kind};
use super::tell;
use super::world::World;
use pxtr_dataplane::feed::*;
use pxtr_dataplane::punt::Punt;
use pxtr_dataplane::types::*;
use pxtr_dataplane::verdict::{DropReason, HoldKey, Notice};
use std::net::IpAddr;

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Sent,
    Kernel,
    Waits,
    Dropped(DropReason),
}

/// A fate, and all that comes with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub fate: Option<Fate>,
    /// Frames sent, in order: the packet or its pieces, or what its source is told.
    pub sent: Vec<(PortId, Vec<u8>)>,
    /// What is waited for, and the question to control.
    pub asks: Vec<(HoldKey, Punt)>,
    pub counts: Counts,
}

/// What is counted besides fates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub encapsulated: u64,
    pub decapsulated: u64,
    pub forwarded: u64,
    /// Pieces beyond the first one.
    pub fragments: u64,
    pub ecn_strange: u64,
    /// ICMP errors that were made.
    pub told: u64,
    /// Those that rules forbid.
    pub untold: u64,
    /// Those that did not get away, and those that wait.
    pub lost: u64,
    pub own_wait: u64,
}

/// Rules that are not written down here: reassembly, errors of the core, identifications of outer packets.
/// They have tests of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beyond(pub &'static str);

type Judged<T> = Result<T, Beyond>;

/// How a packet came to be routed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// As it is, from this Ethernet address.
    Native([u8; 6]),
    /// Out of LISP.
    Decapsulated,
    /// We made it.
    Own,
}

/// What besides the packet decides.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    pub vrf: VrfId,
    pub port: PortId,
    pub origin: Origin,
}

/// What is to be done with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Kernel,
    Wait(HoldKey),
    Drop(DropReason, Option<Notice>),
    Encapsulate(RlocId),
    /// `away`: not to where it came from.
    Forward(AdjacencyId, bool),
}

const fn silent(reason: DropReason) -> End {
    End::Drop(reason, None)
}

const fn told(reason: DropReason, notice: Notice) -> End {
    End::Drop(reason, Some(notice))
}

/// Judges one frame.
pub fn judge(world: &World, port: PortId, frame: &[u8]) -> Judged<Outcome> {
    let mut judge = Judge { world, out: Outcome::default() };
    judge.frame(port, frame)?;
    assert!(judge.out.fate.is_some(), "every packet has a fate");
    Ok(judge.out)
}

/// One packet's outcome in the making.
pub struct Judge<'a> {
    pub world: &'a World,
    pub out: Outcome,
}

impl Judge<'_> {
    fn settle(&mut self, fate: Fate) -> Judged<()> {
        self.out.fate = Some(fate);
        Ok(())
    }

    fn dropped(&mut self, reason: DropReason) -> Judged<()> {
        self.settle(Fate::Dropped(reason))
    }

    fn frame(&mut self, id: PortId, frame: &[u8]) -> Judged<()> {
        let Some(port) = self.world.port(id) else { return self.dropped(DropReason::PortNotConfigured) };
        if self.world.vrf(port.vrf).is_none() {
            return self.dropped(DropReason::VrfUnknown);
        }
        if frame.len() < 14 {
            return self.dropped(DropReason::FrameTooShort);
        }
        let to_us_alone = frame[..6] == port.mac.0;
        if !to_us_alone && frame[0] & 1 == 0 {
            return self.dropped(DropReason::NotOurMac);
        }
        let read = match read::be16(frame, 12) {
            0x0800 => read::read_v4(&frame[14..]),
            0x86DD => read::read_v6(&frame[14..]),
            // ARP about IPv4 over Ethernet (RFC 826): request or reply.
            0x0806 => {
                let body = &frame[14..];
                let sane = body.len() >= 28 && body[..7] == [0, 1, 8, 0, 6, 4, 0] && matches!(body[7], 1 | 2);
                return self.settle(if sane {
                    Fate::Kernel
                } else {
                    Fate::Dropped(DropReason::ArpMalformed)
                });
            }
            0x8100 | 0x88A8 => return self.dropped(DropReason::VlanTagged),
            // Slow protocols, LLDP, and LLC (spanning tree, IS-IS) speak to groups.
            0x8809 | 0x88CC | 0..0x0600 if !to_us_alone => return self.settle(Fate::Kernel),
            _ => return self.dropped(DropReason::EthertypeUnknown),
        };
        match read {
            Ok(packet) => {
                let from = frame[6..12].try_into().unwrap();
                let cx = Context { vrf: port.vrf, port: id, origin: Origin::Native(from) };
                self.packet(packet, cx, port, to_us_alone)
            }
            Err(malformed) => self.dropped(malformed.outside()),
        }
    }

    /// Addresses first, then what is for us by its kind.
    fn packet(&mut self, packet: Packet, cx: Context, port: &PortSpec, to_us_alone: bool) -> Judged<()> {
        let (source, destination) = (kind(packet.source), kind(packet.destination));
        match destination {
            Kind::LinkMulticast | Kind::Broadcast => return self.settle(Fate::Kernel),
            Kind::Multicast => return self.dropped(DropReason::Multicast),
            Kind::Martian => return self.dropped(DropReason::MartianDestination),
            // RFC 1812 section 5.3.4.
            _ if !to_us_alone => return self.dropped(DropReason::LinkBroadcast),
            Kind::LinkLocal => return self.settle(Fate::Kernel),
            Kind::Unicast => {}
        }
        let own = match packet.source {
            IpAddr::V4(source) => port.ipv4 == Some(source),
            IpAddr::V6(source) => port.ipv6 == Some(source),
        };
        match source {
            _ if own => return self.dropped(DropReason::OwnSource),
            Kind::Unicast => {}
            // no RLOC is link-local.
            Kind::LinkLocal if packet.is_udp_to(LISP_DATA) => {
                return self.dropped(DropReason::LinkLocalSource);
            }
            Kind::LinkLocal => return self.native(packet, cx, port, true),
            _ => return self.dropped(DropReason::MartianSource),
        }
        if !self.world.is_local_rloc(packet.destination) {
            return self.native(packet, cx, port, false);
        }
        if packet.protocol == UDP && packet.fragment {
            return self.fragment_for_us(packet, cx, port);
        }
        //
        if packet.is_udp_to(LISP_DATA) {
            return match port.underlay {
                false => self.dropped(DropReason::LispNotUnderlay),
                true if self.world.is_local_rloc(packet.source) => self.dropped(DropReason::OwnSource),
                true => self.lisp(packet, cx, port),
            };
        }
        let error = match packet.protocol {
            ICMP => packet.first_byte().is_some_and(|kind| [3, 4, 11, 12].contains(&kind)),
            ICMPV6 => packet.first_byte().is_some_and(|kind| kind < 128),
            _ => false,
        };
        if error && !packet.fragment && port.underlay {
            return Err(Beyond("an error of the core"));
        }
        self.native(packet, cx, port, false)
    }

    ///
    fn fragment_for_us(&mut self, packet: Packet, cx: Context, port: &PortSpec) -> Judged<()> {
        // Port 0 is nobody's (RFC 768): a header that names none says no more than one that is cut off.
        if packet.ports.is_none_or(|ports| ports == (0, 0)) && !packet.later_fragment {
            return self.dropped(DropReason::FragmentTiny);
        }
        match port.underlay {
            true if self.world.is_local_rloc(packet.source) => self.dropped(DropReason::OwnSource),
            true => Err(Beyond("reassembly")),
            false if packet.is_udp_to(LISP_DATA) => self.dropped(DropReason::LispNotUnderlay),
            false => self.native(packet, cx, port, false),
        }
    }

    fn lisp(&mut self, outer: Packet, cx: Context, port: &PortSpec) -> Judged<()> {
        match outer::decapsulate(self.world, &outer, port) {
            Ok(opened) => {
                self.out.counts.decapsulated += 1;
                self.out.counts.ecn_strange += u64::from(opened.ecn_strange);
                let cx = Context { vrf: opened.vrf, origin: Origin::Decapsulated, ..cx };
                let end = self.decapsulated(&opened.packet, cx);
                self.carry_out(opened.packet, cx, end)
            }
            Err(outer::Refused::Drop(reason)) => self.dropped(reason),
            Err(outer::Refused::Wait(vrf, eid)) => {
                let punt = Punt::Miss { vrf, eid, source: outer.source };
                self.out.asks.push((HoldKey::Eid(Eid { vrf, addr: eid }), punt));
                self.settle(Fate::Waits)
            }
        }
    }

    fn native(&mut self, packet: Packet, cx: Context, port: &PortSpec, link_local: bool) -> Judged<()> {
        let end = match self.by_routes(&packet, cx, false) {
            // What arrives where nothing is forwarded may be for us all the same.
            End::Kernel if !port.native || link_local => End::Kernel,
            _ if !port.native => silent(DropReason::NativeNotAllowed),
            _ if link_local => silent(DropReason::LinkLocalSource),
            by_routes => match self.world.mapping(cx.vrf, packet.destination) {
                Some(entry) if self.is_candidate(&packet, cx) => self.by_mapping(&packet, cx, entry),
                _ => by_routes,
            },
        };
        let end = self.alive(&packet, end);
        self.carry_out(packet, cx, end)
    }

    /// a PITR takes packets of any source, an ITR those from inside to outside.
    fn is_candidate(&self, packet: &Packet, cx: Context) -> bool {
        let Some(vrf) = self.world.vrf(cx.vrf) else { return false };
        vrf.pitr || vrf.xtr && self.world.is_local_eid(cx.vrf, packet.source) && self.is_remote(packet, cx)
    }

    fn is_remote(&self, packet: &Packet, cx: Context) -> bool {
        let route = self.world.route(cx.vrf, packet.destination);
        let known = route.is_some_and(|(prefix, _)| prefix.prefix_len() > 0);
        !self.world.is_local_eid(cx.vrf, packet.destination) && !known
    }

    /// the decrement comes first, but not for what is for ourselves or dropped anyway.
    fn alive(&self, packet: &Packet, end: End) -> End {
        match end {
            End::Kernel | End::Drop(..) => end,
            _ if packet.ttl <= 1 => told(DropReason::TtlExpired, Notice::TimeExceeded),
            _ => end,
        }
    }

    ///
    fn decapsulated(&self, packet: &Packet, cx: Context) -> End {
        let vrf = self.world.vrf(cx.vrf).unwrap();
        let end = if vrf.xtr && self.world.is_local_eid(cx.vrf, packet.destination) {
            self.by_routes(packet, cx, false)
        } else {
            match self.world.mapping(cx.vrf, packet.destination) {
                Some(entry) if is_eid(entry.1) && vrf.rtr => self.by_mapping(packet, cx, entry),
                Some(entry) if is_eid(entry.1) && vrf.pitr => {
                    told(DropReason::InnerIsEid, Notice::NetUnreachable)
                }
                _ if vrf.petr => self.by_routes(packet, cx, false),
                _ => told(DropReason::InnerNotLocal, Notice::NetUnreachable),
            }
        };
        self.alive(packet, end)
    }

    /// what we say to an EID goes through the map-cache.
    fn own(&self, packet: &Packet, cx: Context) -> End {
        let vrf = self.world.vrf(cx.vrf).unwrap();
        let lisp = vrf.pitr || vrf.rtr || vrf.xtr && self.is_remote(packet, cx);
        match self.world.mapping(cx.vrf, packet.destination) {
            Some(entry) if lisp => self.by_mapping(packet, cx, entry),
            _ => self.by_routes(packet, cx, false),
        }
    }

    /// RFC 9301 section 5.4.
    fn by_mapping(&self, packet: &Packet, cx: Context, (_, action): (EntryId, MapAction)) -> End {
        let by_routes = self.by_routes(packet, cx, false);
        match action {
            MapAction::Encapsulate(Target::Rloc(rloc)) => End::Encapsulate(rloc),
            MapAction::Encapsulate(Target::Set(set)) => {
                let buckets = &self.world.sets[set.0 as usize];
                let at = (u64::from(packet.flow_hash(self.world)) * buckets.len() as u64) >> 32;
                End::Encapsulate(buckets[at as usize])
            }
            MapAction::LocalSite => by_routes,
            // over a route that does not lead back; the aggregate's blackhole is none.
            MapAction::NativelyForward => match self.by_routes(packet, cx, true) {
                End::Drop(reason @ DropReason::RouteBlackhole, None) => told(reason, Notice::NetUnreachable),
                end => end,
            },
            // our own addresses are no EIDs.
            MapAction::SendMapRequest if self.is_ours(packet, cx) => by_routes,
            MapAction::SendMapRequest if self.world.is_local_rloc(packet.destination) => {
                silent(DropReason::RlocIsDestination)
            }
            MapAction::SendMapRequest => {
                End::Wait(HoldKey::Eid(Eid { vrf: cx.vrf, addr: packet.destination }))
            }
            MapAction::DropNoReason => told(DropReason::MapDrop, Notice::NetUnreachable),
            MapAction::DropPolicyDenied => told(DropReason::MapPolicyDenied, Notice::Prohibited),
            MapAction::DropAuthFailure => told(DropReason::MapAuthFailure, Notice::Prohibited),
            MapAction::NoLocator { unreachable: true } => {
                told(DropReason::MapNoLocator, Notice::HostUnreachable)
            }
            MapAction::NoLocator { unreachable: false } => silent(DropReason::MapNoAction),
        }
    }

    fn is_ours(&self, packet: &Packet, cx: Context) -> bool {
        let route = self.world.route(cx.vrf, packet.destination);
        route.is_some_and(|(_, route)| *route == Route::Local)
    }

    ///
    fn by_routes(&self, packet: &Packet, cx: Context, away: bool) -> End {
        let Some((_, route)) = self.world.route(cx.vrf, packet.destination) else {
            return told(DropReason::NoRoute, Notice::NetUnreachable);
        };
        match route {
            Route::Local => self.for_us(packet, cx),
            Route::Via(adjacency) => End::Forward(*adjacency, away),
            Route::Multipath(hops) => {
                let at = (u64::from(packet.flow_hash(self.world)) * hops.len() as u64) >> 32;
                End::Forward(hops[at as usize], away)
            }
            Route::Glean(port) => End::Wait(HoldKey::Neighbour(*port, packet.destination)),
            Route::Reject(Reject::Blackhole) => silent(DropReason::RouteBlackhole),
            Route::Reject(Reject::NetUnreachable) => {
                told(DropReason::RouteUnreachable, Notice::NetUnreachable)
            }
            Route::Reject(Reject::HostUnreachable) => {
                told(DropReason::HostUnreachable, Notice::HostUnreachable)
            }
            Route::Reject(Reject::Prohibited) => told(DropReason::RouteProhibited, Notice::Prohibited),
        }
    }

    ///
    fn for_us(&self, packet: &Packet, cx: Context) -> End {
        let underlay = self.world.port(cx.port).is_some_and(|port| port.underlay);
        match cx.origin {
            Origin::Decapsulated | Origin::Own => silent(DropReason::InnerOwnDestination),
            Origin::Native(_) if underlay => End::Kernel,
            _ if packet.is_udp_from_or_to(LISP_CONTROL) => silent(DropReason::ControlNotUnderlay),
            _ if packet.is_udp_from_or_to(LISP_DATA) => silent(DropReason::LispNotUnderlay),
            _ => End::Kernel,
        }
    }

    fn carry_out(&mut self, packet: Packet, cx: Context, end: End) -> Judged<()> {
        let own = cx.origin == Origin::Own;
        match end {
            End::Kernel => self.settle(Fate::Kernel),
            End::Wait(key) => self.wait(&packet, cx, key),
            End::Drop(_, notice) if own => {
                self.out.counts.lost += 1;
                self.out.counts.untold += u64::from(notice.is_some());
                Ok(())
            }
            End::Drop(reason, None) => self.dropped(reason),
            End::Drop(reason, Some(notice)) => {
                self.dropped(reason)?;
                self.tell(&packet, cx, notice)
            }
            End::Encapsulate(rloc) => match self.world.rlocs[rloc.0 as usize].clone() {
                RlocState::Ready(rewrite) => self.encapsulate(packet, cx, &rewrite),
                RlocState::Resolving => self.wait(&packet, cx, HoldKey::Rloc(rloc)),
                RlocState::Down => {
                    self.carry_out(packet, cx, told(DropReason::RlocDown, Notice::HostUnreachable))
                }
            },
            End::Forward(adjacency, away) => self.forward(packet, cx, adjacency, away),
        }
    }

    fn wait(&mut self, packet: &Packet, cx: Context, key: HoldKey) -> Judged<()> {
        let punt = match key {
            HoldKey::Eid(eid) => Some(Punt::Miss { vrf: eid.vrf, eid: eid.addr, source: packet.source }),
            HoldKey::Rloc(rloc) => Some(Punt::RlocWanted(rloc)),
            HoldKey::Neighbour(port, neighbour) => Some(Punt::NeighbourMiss { port, neighbour }),
            HoldKey::Adjacency(id) => match self.world.adjacency(id) {
                Adjacency::Resolving { port, neighbour } => Some(Punt::NeighbourMiss { port, neighbour }),
                _ => None,
            },
        };
        self.out.asks.extend(punt.map(|punt| (key, punt)));
        if cx.origin == Origin::Own {
            self.out.counts.own_wait += 1;
            return Ok(());
        }
        self.settle(Fate::Waits)
    }

    fn tell(&mut self, about: &Packet, cx: Context, notice: Notice) -> Judged<()> {
        match tell::error(self.world, about, cx, notice) {
            None => {
                self.out.counts.untold += 1;
                Ok(())
            }
            Some(packet) => {
                self.out.counts.told += 1;
                let cx = Context { origin: Origin::Own, ..cx };
                let end = self.own(&packet, cx);
                self.carry_out(packet, cx, end)
            }
        }
    }

    fn forward(&mut self, mut packet: Packet, cx: Context, id: AdjacencyId, away: bool) -> Judged<()> {
        let (port, source_mac, mac, mtu) = match self.world.adjacency(id) {
            Adjacency::Ready { port, source_mac, mac, mtu } => (port, source_mac, mac, mtu),
            Adjacency::Resolving { .. } => return self.wait(&packet, cx, HoldKey::Adjacency(id)),
            Adjacency::Failed => {
                let end = told(DropReason::HostUnreachable, Notice::HostUnreachable);
                return self.carry_out(packet, cx, end);
            }
        };
        //
        if away && port == cx.port && cx.origin == Origin::Native(mac.0) {
            let end = told(DropReason::NativeLoop, Notice::NetUnreachable);
            return self.carry_out(packet, cx, end);
        }
        if cx.origin != Origin::Own {
            packet.mark(packet.ttl - 1, packet.tos);
        }
        let pieces = if packet.bytes.len() <= usize::from(mtu) {
            vec![packet.bytes.clone()]
        } else {
            match outer::too_big(&packet, mtu) {
                // There is no IPv6 link that does not carry 1280 bytes.
                _ if packet.v6 && packet.bytes.len() <= 1280 => {
                    return self.carry_out(packet, cx, silent(DropReason::NotFragmentable));
                }
                Ok(pieces) => pieces,
                Err((reason, notice)) => {
                    packet.mark(packet.ttl + 1, packet.tos);
                    return self.carry_out(packet, cx, End::Drop(reason, notice));
                }
            }
        };
        let ethertype: [u8; 2] = if packet.v6 { [0x86, 0xDD] } else { [0x08, 0x00] };
        self.out.counts.forwarded += pieces.len() as u64;
        self.send(cx, port, pieces, |piece| [&mac.0[..], &source_mac.0, &ethertype, piece].concat())
    }

    fn encapsulate(&mut self, mut packet: Packet, cx: Context, rewrite: &RlocRewrite) -> Judged<()> {
        //
        if outer::is_nested(&packet) {
            return self.carry_out(packet, cx, silent(DropReason::NestedLisp));
        }
        let overhead = if rewrite.destination.is_ipv4() { 36 } else { 56 };
        let room = usize::from(rewrite.mtu) - overhead;
        if packet.v6 && packet.bytes.len() > room && packet.bytes.len() <= 1280 {
            return Err(Beyond("outer fragments (R-117)"));
        }
        let hash = packet.flow_hash(self.world);
        if cx.origin != Origin::Own {
            packet.mark(packet.ttl - 1, packet.tos);
        }
        let pieces = if packet.bytes.len() <= room {
            vec![packet.bytes.clone()]
        } else {
            match outer::too_big(&packet, room as u16) {
                Ok(pieces) => pieces,
                Err((reason, notice)) => {
                    packet.mark(packet.ttl + 1, packet.tos);
                    return self.carry_out(packet, cx, End::Drop(reason, notice));
                }
            }
        };
        let longest = pieces.iter().map(Vec::len).max().unwrap_or(0);
        if rewrite.options.may_fragment && overhead == 36 && longest + 36 > 576 {
            return Err(Beyond("identifications of outer packets (R-118)"));
        }
        let vrf = self.world.vrf(cx.vrf).unwrap();
        self.out.counts.encapsulated += pieces.len() as u64;
        let headers = outer::Headers { rewrite, vrf, hash, ttl: packet.ttl, tos: packet.tos };
        self.send(cx, rewrite.port, pieces, |piece| headers.in_front_of(piece))
    }

    /// Sends a packet or its pieces; the first one has the fate.
    fn send(
        &mut self,
        cx: Context,
        port: PortId,
        pieces: Vec<Vec<u8>>,
        frame: impl Fn(&[u8]) -> Vec<u8>,
    ) -> Judged<()> {
        self.out.counts.fragments += pieces.len() as u64 - 1;
        self.out.sent.extend(pieces.iter().map(|piece| (port, frame(piece))));
        if cx.origin == Origin::Own { Ok(()) } else { self.settle(Fate::Sent) }
    }
}

/// The mapping is one of an EID of another site.
fn is_eid(action: MapAction) -> bool {
    !matches!(action, MapAction::LocalSite | MapAction::NativelyForward)
}
