//! Building the Map-Requests that an ITR sends (RFC 9301 sections 5.2, 5.3, 5.8).

use super::counters::Counter;
use super::cx::{CONTROL_PORT, Cx};
use super::event::EidPrefix;
use super::subscriptions;
use crate::codec::{Address, Ecm, EcmAd, InnerHeader, MapRequest, Message, XtrSiteId};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Inner TTL of an ECM: any value from 32 on will do (wire.md 10).
const INNER_TTL: u8 = 64;
/// Inner source when there is no better one: the IPv4 dummy address (RFC 7600), which is valid as
/// a source and belongs to nobody.
const DUMMY_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 0, 8));
/// The same for IPv6: an address of the discard prefix (RFC 6666).
const DUMMY_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 1));

/// What a Map-Request through the mapping system is about.
#[derive(Clone, Debug)]
pub struct Lookup {
    /// EID-prefix asked for.
    pub eid: EidPrefix,
    /// Source of the packet that wants it, if there is one.
    pub packet_source: Option<IpAddr>,
    /// s bit: an SMR made us ask.
    pub smr_invoked: bool,
    /// Who subscribes to the answer (RFC 9437); `None`: nobody.
    pub subscriber: Option<XtrSiteId>,
    /// LISP-SEC.
    pub security: Option<EcmAd>,
}

/// A message as bytes; a defect of ours is counted, not sent.
pub fn encode(cx: &mut Cx<'_>, message: &Message) -> Option<Vec<u8>> {
    match message.to_bytes() {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            cx.notice(Counter::EncodeErrors, error);
            None
        }
    }
}

/// Sends a Map-Request in an ECM to a Map-Resolver. False when it could not be built.
pub fn to_map_resolver(cx: &mut Cx<'_>, resolver: IpAddr, nonce: u64, lookup: &Lookup) -> bool {
    let request = MapRequest {
        smr_invoked: lookup.smr_invoked,
        source_eid: source_eid(cx, lookup),
        ..MapRequest::new(nonce, lookup.eid, itr_rlocs(cx))
    };
    in_ecm(cx, resolver, lookup, request)
}

/// Ends a subscription: a Map-Request that subscribes, with an ITR-RLOC that is none (RFC 9437
/// section 5).
pub fn unsubscribe(cx: &mut Cx<'_>, resolver: IpAddr, nonce: u64, eid: EidPrefix) -> bool {
    let subscriber = subscriptions::identity(cx.config);
    let lookup = Lookup { eid, packet_source: None, smr_invoked: false, subscriber, security: None };
    in_ecm(cx, resolver, &lookup, MapRequest::new(nonce, eid, vec![Address::None]))
}

fn in_ecm(cx: &mut Cx<'_>, resolver: IpAddr, lookup: &Lookup, mut request: MapRequest) -> bool {
    request.pitr = cx.config.roles.pitr;
    request.xtr = lookup.subscriber;
    request.records.iter_mut().for_each(|record| record.subscribe = lookup.subscriber.is_some());
    let Some(payload) = encode(cx, &Message::MapRequest(request)) else { return false };
    let destination = lookup.eid.prefix.network();
    let ecm = Ecm {
        ddt: false,
        for_rtr: false,
        relayed_by_rtr: false,
        security: lookup.security.clone(),
        inner: InnerHeader {
            source: inner_source(cx, lookup),
            destination,
            // The reply comes to this port (TRAP 17): our one control socket.
            source_port: CONTROL_PORT,
            destination_port: CONTROL_PORT,
            ttl: INNER_TTL,
            checksum: true,
        },
        payload,
    };
    let Some(bytes) = encode(cx, &Message::Ecm(ecm)) else { return false };
    cx.send(SocketAddr::new(resolver, CONTROL_PORT), bytes);
    true
}

/// One ITR-RLOC per family that we can receive on.
pub fn itr_rlocs(cx: &Cx<'_>) -> Vec<Address> {
    let first = |v4: bool| cx.config.rlocs.iter().copied().find(|r| r.is_ipv4() == v4);
    first(true).into_iter().chain(first(false)).map(Address::Ip).collect()
}

/// Source-EID: the source of the packet when we serve a site; none at a proxy, whose sources are no
/// EIDs, and none for refreshes (RFC 9301 section 5.2).
fn source_eid(cx: &Cx<'_>, lookup: &Lookup) -> Address {
    let is_ours = |source: IpAddr| {
        let ours = |m: &super::config::DatabaseMapping| {
            m.eid.iid == lookup.eid.iid && m.eid.prefix.contains(&source)
        };
        cx.config.database.iter().any(ours)
    };
    match lookup.packet_source {
        Some(source) if is_ours(source) => Address::from_eid(lookup.eid.iid, source),
        _ => Address::None,
    }
}

/// Inner source of an ECM, which must be of the EID's family (wire.md 10). Nobody answers to it:
/// the reply goes to an ITR-RLOC. Our RLOC of that family, if there is one; else the source of the
/// packet that wants the EID; else an EID of our own site; else an address that is nobody's, which
/// peers that check the inner header still accept as a source (unlike the unspecified address).
fn inner_source(cx: &Cx<'_>, lookup: &Lookup) -> IpAddr {
    let v4 = lookup.eid.prefix.network().is_ipv4();
    let fits = |ip: &IpAddr| ip.is_ipv4() == v4;
    let of_site = || {
        let ours = cx.config.database.iter().filter(|m| m.eid.iid == lookup.eid.iid);
        ours.map(|m| m.eid.prefix.network()).find(fits)
    };
    cx.rloc_like(lookup.eid.prefix.network())
        .or(lookup.packet_source.filter(fits))
        .or_else(of_site)
        .unwrap_or(if v4 { DUMMY_V4 } else { DUMMY_V6 })
}
