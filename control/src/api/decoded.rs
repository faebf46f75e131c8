//! From a control message to what people read.

use super::request::Direction;
use super::types::{DebugMessage, DecodedAuth, DecodedLocator, DecodedMessage, DecodedRecord};
use crate::codec::{
    Address, AuthData, Ecm, EidRecord, ElpHop, Info, Lcaf, LocatorRecord, MapAction, MapNotify, MapReferral,
    MapRegister, MapReply, MapRequest, Message, ReferralAction, XtrSiteId,
};
use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

/// What is known of a datagram beside its bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Envelope {
    pub(super) unix_ms: u64,
    pub(super) direction: Direction,
    pub(super) peer: SocketAddr,
    pub(super) local: Option<IpAddr>,
    pub(super) left_out: u64,
}

/// A datagram as `debug lisp` shows it.
pub(super) fn debug_message(envelope: Envelope, payload: &[u8]) -> DebugMessage {
    let (message, error) = match Message::decode(payload) {
        Ok(message) => (Some(decoded(&message)), None),
        Err(error) => (None, Some(error.to_string())),
    };
    let Envelope { unix_ms, direction, peer, local, left_out } = envelope;
    DebugMessage { unix_ms, direction, peer, local, bytes: payload.len(), left_out, message, error }
}

/// A control message in words, without secrets.
#[must_use]
pub fn decoded(message: &Message) -> DecodedMessage {
    match message {
        Message::MapRequest(m) => map_request(m),
        Message::MapReply(m) => map_reply(m),
        Message::MapRegister(m) => map_register(m),
        Message::MapNotify(m) => map_notify("map-notify", m),
        Message::MapNotifyAck(m) => map_notify("map-notify-ack", m),
        Message::MapReferral(m) => map_referral(m),
        Message::InfoRequest(m) => info("info-request", m),
        Message::InfoReply(m) => info("info-reply", m),
        Message::Ecm(m) => ecm(m),
    }
}

fn message(kind: &str, nonce: Option<u64>, flags: &[(bool, &str)]) -> DecodedMessage {
    DecodedMessage {
        kind: kind.to_owned(),
        nonce: nonce.map(|nonce| format!("{nonce:016x}")),
        flags: flags.iter().filter(|(on, _)| *on).map(|(_, word)| (*word).to_owned()).collect(),
        ..DecodedMessage::default()
    }
}

fn map_request(m: &MapRequest) -> DecodedMessage {
    let flags = [
        (m.authoritative, "authoritative"),
        (m.map_data.is_some(), "map-data"),
        (m.probe, "probe"),
        (m.smr, "smr"),
        (m.pitr, "pitr"),
        (m.smr_invoked, "smr-invoked"),
        (m.local_xtr, "local-xtr"),
        (m.no_reply, "no-reply"),
    ];
    let asked = |r: &crate::codec::MapRequestRecord| DecodedRecord {
        subscribe: r.subscribe,
        ..record(&r.eid, r.mask_len)
    };
    DecodedMessage {
        source_eid: (m.source_eid != Address::None).then(|| address(&m.source_eid)),
        itr_rlocs: m.itr_rlocs.iter().map(address).collect(),
        records: m.records.iter().map(asked).chain(m.map_data.iter().map(eid_record)).collect(),
        xtr_id: xtr_id(m.xtr.as_ref()),
        ..message("map-request", Some(m.nonce), &flags)
    }
}

fn map_reply(m: &MapReply) -> DecodedMessage {
    let flags = [(m.probe, "probe"), (m.echo_nonce, "echo-nonce")];
    DecodedMessage {
        records: m.records.iter().map(eid_record).collect(),
        lisp_sec: m.security.is_some(),
        ..message("map-reply", Some(m.nonce), &flags)
    }
}

fn map_register(m: &MapRegister) -> DecodedMessage {
    let flags = [
        (m.proxy_reply, "proxy-reply"),
        (m.lisp_sec, "lisp-sec"),
        (m.eid_notify, "eid-notify"),
        (m.use_ttl, "use-ttl"),
        (m.merge, "merge"),
        (m.want_map_notify, "want-map-notify"),
    ];
    DecodedMessage {
        auth: Some(auth(&m.auth)),
        records: m.records.iter().map(eid_record).collect(),
        xtr_id: xtr_id(m.xtr.as_ref()),
        ..message("map-register", Some(m.nonce), &flags)
    }
}

fn map_notify(kind: &str, m: &MapNotify) -> DecodedMessage {
    DecodedMessage {
        auth: Some(auth(&m.auth)),
        records: m.records.iter().map(eid_record).collect(),
        xtr_id: xtr_id(m.xtr.as_ref()),
        ..message(kind, Some(m.nonce), &[])
    }
}

fn map_referral(m: &MapReferral) -> DecodedMessage {
    let one = |r: &crate::codec::ReferralRecord| DecodedRecord {
        ttl_minutes: Some(r.ttl_minutes),
        action: Some(referral_action(r.action)),
        authoritative: r.authoritative,
        locators: r.referrals.iter().map(locator).collect(),
        ..record(&r.eid, r.mask_len)
    };
    let incomplete = m.records.iter().any(|r| r.incomplete);
    DecodedMessage {
        records: m.records.iter().map(one).collect(),
        ..message("map-referral", Some(m.nonce), &[(incomplete, "incomplete")])
    }
}

fn info(kind: &str, m: &Info) -> DecodedMessage {
    let mut records = Vec::new();
    if m.eid != Address::None {
        records.push(DecodedRecord { ttl_minutes: Some(m.ttl_minutes), ..record(&m.eid, m.mask_len) });
    }
    let body = (m.body != Address::None).then(|| address(&m.body));
    DecodedMessage {
        auth: Some(auth(&m.auth)),
        source_eid: body,
        records,
        ..message(kind, Some(m.nonce), &[])
    }
}

fn ecm(m: &Ecm) -> DecodedMessage {
    let flags = [(m.ddt, "ddt"), (m.for_rtr, "for-rtr"), (m.relayed_by_rtr, "relayed-by-rtr")];
    let inner = &m.inner;
    DecodedMessage {
        lisp_sec: m.security.is_some(),
        inner: Some((
            SocketAddr::new(inner.source, inner.source_port),
            SocketAddr::new(inner.destination, inner.destination_port),
        )),
        encapsulated: Some(Box::new(match Message::decode(&m.payload) {
            Ok(inner) => decoded(&inner),
            Err(error) => message(&format!("undecodable ({error})"), None, &[]),
        })),
        ..message("ecm", None, &flags)
    }
}

fn auth(data: &AuthData) -> DecodedAuth {
    DecodedAuth { key_id: data.key_id, algorithm_id: data.algorithm_id, bytes: data.tag.len() }
}

fn xtr_id(xtr: Option<&XtrSiteId>) -> Option<String> {
    xtr.map(|xtr| hex(&xtr.xtr_id))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn record(eid: &Address, mask_len: u8) -> DecodedRecord {
    let prefix = eid.eid_prefix(mask_len);
    DecodedRecord {
        instance_id: prefix.map_or(0, |p| p.iid.0),
        eid_prefix: prefix.map(|p| p.prefix),
        eid: prefix.is_none().then(|| address(eid)),
        ttl_minutes: None,
        action: None,
        authoritative: false,
        subscribe: false,
        locators: Vec::new(),
    }
}

pub(super) fn eid_record(r: &EidRecord) -> DecodedRecord {
    DecodedRecord {
        ttl_minutes: Some(r.ttl_minutes),
        action: r.locators.is_empty().then(|| map_action(r.action).to_owned()),
        authoritative: r.authoritative,
        locators: r.locators.iter().map(locator).collect(),
        ..record(&r.eid, r.mask_len)
    }
}

fn locator(l: &LocatorRecord) -> DecodedLocator {
    DecodedLocator {
        locator: address(&l.address),
        rloc: l.address.etr(),
        priority: l.priority,
        weight: l.weight,
        local: l.local,
        probed: l.probed,
        reachable: l.reachable,
    }
}

fn map_action(action: MapAction) -> &'static str {
    match action {
        MapAction::NoAction => "no-action",
        MapAction::NativelyForward => "natively-forward",
        MapAction::SendMapRequest => "send-map-request",
        MapAction::DropNoReason => "drop-no-reason",
        MapAction::DropPolicyDenied => "drop-policy-denied",
        MapAction::DropAuthFailure => "drop-auth-failure",
    }
}

fn referral_action(action: ReferralAction) -> String {
    match action {
        ReferralAction::NodeReferral => "node-referral".to_owned(),
        ReferralAction::MsReferral => "ms-referral".to_owned(),
        ReferralAction::MsAck => "ms-ack".to_owned(),
        ReferralAction::MsNotRegistered => "ms-not-registered".to_owned(),
        ReferralAction::DelegationHole => "delegation-hole".to_owned(),
        ReferralAction::NotAuthoritative => "not-authoritative".to_owned(),
        ReferralAction::Unassigned(bits) => format!("action-{bits}"),
    }
}

/// A hop of an explicit path, with its bits L, P and S.
fn hop(hop: &ElpHop) -> String {
    let bits = [(hop.lookup, 'L'), (hop.probe, 'P'), (hop.strict, 'S')];
    let bits: String = bits.iter().filter(|(on, _)| *on).map(|(_, bit)| *bit).collect();
    format!("{}({bits})", address(&hop.address))
}

/// An address as text. Names come from outside: what a terminal would act on is escaped.
fn address(address_: &Address) -> String {
    match address_ {
        Address::None => "-".to_owned(),
        Address::Ip(ip) => ip.to_string(),
        Address::Mac(mac) => hex(mac),
        Address::Name(name) => format!("\"{}\"", name.escape_ascii()),
        Address::Lcaf(lcaf) => match lcaf.as_ref() {
            Lcaf::InstanceId { iid, address: inner, .. } => format!("[{iid}]{}", address(inner)),
            Lcaf::NatTraversal { ms_port, etr_port, global_etr, private_etr, rtrs, .. } => {
                let rtrs: Vec<_> = rtrs.iter().map(address).collect();
                let (global, private) = (address(global_etr), address(private_etr));
                format!(
                    "nat(ms port {ms_port}, etr {global} port {etr_port}, private {private}, rtrs {})",
                    rtrs.join(" ")
                )
            }
            Lcaf::Elp(hops) => hops.iter().map(hop).collect::<Vec<_>>().join(" > "),
            other => match address_.rloc() {
                Some(rloc) => format!("lcaf-{}({rloc})", other.lcaf_type()),
                None => format!("lcaf-{}", other.lcaf_type()),
            },
        },
    }
}
