//! Who speaks, and whether he may: sources of native frames on ports with rules (R-185; the strict
//! reverse path of RFC 3704 section 2.2, the loose one of section 2.5; R-151).

use super::classify::Class;
use super::ip::Ip;
use crate::feed::{Adjacency, Reject, SourceRules};
use crate::fib::RouteRef;
use crate::punt::Seen;
use crate::replica::{LocalEid, Replica};
use crate::types::{AdjacencyId, MacAddr, PortId, VrfId};
use crate::wire::{arp, bytes, ethernet, proto};
use std::net::{IpAddr, Ipv6Addr};

/// Offset of the ICMPv6 message of neighbour discovery: no extension header comes before it.
const ND_AT: usize = ethernet::LEN + 40;
/// ICMPv6 type of a neighbour advertisement (RFC 4861 section 4.4).
const ADVERTISEMENT: u8 = 136;

/// Who sent a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Speaker {
    /// His address.
    pub addr: IpAddr,
    /// His Ethernet address.
    pub mac: MacAddr,
    /// How he showed himself.
    pub seen: Seen,
}

/// What the rules of a port say of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// He may speak.
    Fine,
    /// A dynamic EID that is not live on this port.
    Appeared,
    /// The address of a live dynamic EID, but another Ethernet address.
    Claimed,
    /// The reverse path leads elsewhere, or there is none.
    Foreign,
}

/// The sender of a native frame; `None`: nobody, or it is dropped for another reason anyway.
pub fn speaker(frame: &[u8], class: Class, ip: &Ip) -> Option<Speaker> {
    let header = ethernet::Ethernet::parse(frame)?;
    let mac = header.source;
    match class {
        Class::Ip if ip.link_local_source => None,
        // A neighbour advertisement to one host says the same as one to all.
        Class::Ip if ip.protocol == proto::ICMPV6 => {
            let nd = discovery(frame).map(|addr| Speaker { addr, mac, seen: Seen::Nd });
            Some(nd.unwrap_or(Speaker { addr: ip.addrs.source(), mac, seen: Seen::Data }))
        }
        Class::Ip => Some(Speaker { addr: ip.addrs.source(), mac, seen: Seen::Data }),
        Class::Host => match header.ethertype {
            ethernet::ARP => {
                let arp = arp::Arp::parse(frame, ethernet::LEN)?;
                // A probe (RFC 5227) has no sender yet.
                let known = !arp.sender.is_unspecified();
                known.then_some(Speaker { addr: arp.sender.into(), mac: arp.sender_mac, seen: Seen::Arp })
            }
            ethernet::IPV6 => discovery(frame).map(|addr| Speaker { addr, mac, seen: Seen::Nd }),
            _ => None,
        },
        Class::Lisp | Class::Fragment | Class::CoreError | Class::Drop(_) => None,
    }
}

/// Whom a message of neighbour discovery shows: the target of an advertisement, the source of the
/// others. Whether the message is valid is for the kernel to say; hop limit 255 shows that it comes
/// from this link (RFC 4861 section 11.2).
fn discovery(frame: &[u8]) -> Option<IpAddr> {
    let header: &[u8; 40] = bytes::chunk(frame, ethernet::LEN)?;
    let (next, hop_limit, kind) = (header[6], header[7], *frame.get(ND_AT)?);
    if next != proto::ICMPV6 || hop_limit != 255 || !(133..=136).contains(&kind) {
        return None;
    }
    let at = if kind == ADVERTISEMENT { ND_AT + 8 } else { ethernet::LEN + 8 };
    let addr = Ipv6Addr::from(*bytes::chunk::<16>(frame, at)?);
    let host = !(addr.is_unspecified() || addr.is_unicast_link_local() || addr.is_multicast());
    host.then_some(IpAddr::V6(addr))
}

/// What the rules of the port say of him.
pub fn judge(
    who: &Speaker,
    (port, vrf): (PortId, VrfId),
    rules: &SourceRules,
    tables: &Replica,
) -> Judgement {
    if !rules.is_dynamic(who.addr) {
        let refused = || {
            let strict = rules.strict && !leads_back(who.addr, port, vrf, tables);
            strict || (rules.loose && !is_known(who.addr, vrf, tables))
        };
        let checked = (rules.strict || rules.loose) && !rules.is_behind(who.addr);
        return if checked && refused() { Judgement::Foreign } else { Judgement::Fine };
    }
    if tables.local_eid(vrf, who.addr) != Some(LocalEid::Host) {
        // The anycast gateway: another site's router has our address, and is no host.
        let gateway = tables.fib_lookup(vrf, who.addr).is_some_and(|hit| hit.route == RouteRef::Local);
        return if gateway { Judgement::Fine } else { Judgement::Appeared };
    }
    match holder(who.addr, vrf, tables) {
        Some((_, mac)) if mac != who.mac => Judgement::Claimed,
        Some((at, _)) if at != port => Judgement::Appeared,
        // Live, and nobody has resolved him yet: the first one who speaks is believed.
        Some(_) | None => Judgement::Fine,
    }
}

/// Port and Ethernet address of a host, where the FIB has them.
fn holder(addr: IpAddr, vrf: VrfId, tables: &Replica) -> Option<(PortId, MacAddr)> {
    let RouteRef::Via(adjacency) = tables.fib_lookup(vrf, addr)?.route else { return None };
    match tables.adjacency(adjacency) {
        Adjacency::Ready { port, mac, .. } => Some((port, mac)),
        Adjacency::Resolving { .. } | Adjacency::Failed => None,
    }
}

/// Packets to the address would go somewhere: there is a route that the operator or a routing protocol made
/// for it (the default route is for everybody), or it is an EID.
fn is_known(addr: IpAddr, vrf: VrfId, tables: &Replica) -> bool {
    let routed = tables.fib_lookup(vrf, addr).is_some_and(|hit| match hit.route {
        RouteRef::Glean(_) | RouteRef::Via(_) | RouteRef::Multipath(_) => !hit.default,
        // A neighbour that did not answer a moment ago.
        RouteRef::Reject(Reject::HostUnreachable) => true,
        RouteRef::Local | RouteRef::Reject(_) => false,
    });
    routed || tables.map_lookup(vrf, addr).is_some()
}

/// Packets to the address would leave by this port.
fn leads_back(addr: IpAddr, port: PortId, vrf: VrfId, tables: &Replica) -> bool {
    let by = |adjacency: AdjacencyId| match tables.adjacency(adjacency) {
        Adjacency::Ready { port: at, .. } | Adjacency::Resolving { port: at, .. } => at == port,
        Adjacency::Failed => true,
    };
    match tables.fib_lookup(vrf, addr).map(|hit| hit.route) {
        Some(RouteRef::Glean(at)) => at == port,
        Some(RouteRef::Via(adjacency)) => by(adjacency),
        Some(RouteRef::Multipath(all)) => all.iter().any(|adjacency| by(*adjacency)),
        // A neighbour that did not answer a moment ago.
        Some(RouteRef::Reject(Reject::HostUnreachable)) => true,
        Some(RouteRef::Local | RouteRef::Reject(_)) | None => false,
    }
}
