//! Messages as other routers would send them.

use crate::node::{eid, ip, secret};
use pxtr_control::codec::auth;
use pxtr_control::codec::{
    Address, AuthData, Ecm, EidRecord, InnerHeader, LocatorRecord, MapAction, MapNotify, MapRegister,
    MapRequest, MapRequestRecord, Message, XtrSiteId,
};
use pxtr_control::engine::config::AuthAlgorithm;
use std::net::IpAddr;

/// A Map-Request for an EID-prefix.
pub fn request(prefix: &str, itr_rlocs: &[&str]) -> MapRequest {
    let asked = eid(prefix);
    MapRequest {
        authoritative: false,
        probe: false,
        smr: false,
        pitr: true,
        smr_invoked: false,
        local_xtr: false,
        no_reply: false,
        nonce: 0x0102_0304_0506_0708,
        source_eid: Address::None,
        itr_rlocs: itr_rlocs.iter().map(|r| Address::Ip(ip(r))).collect(),
        records: vec![MapRequestRecord {
            subscribe: false,
            mask_len: asked.prefix.prefix_len(),
            eid: Address::from_eid(asked.iid, asked.prefix.network()),
        }],
        map_data: None,
        xtr: None,
    }
}

/// The same with P=1.
pub fn probe(prefix: &str, itr_rlocs: &[&str]) -> MapRequest {
    MapRequest { probe: true, pitr: false, ..request(prefix, itr_rlocs) }
}

pub fn bytes(message: Message) -> Vec<u8> {
    message.to_bytes().expect("a message of the test")
}

/// In an ECM whose inner source port is 40000.
pub fn in_ecm(request: &MapRequest) -> Vec<u8> {
    let payload = bytes(Message::MapRequest(request.clone()));
    let destination = request.records.first().and_then(|r| r.eid.eid()).map_or(ip("0.0.0.0"), |(_, ip)| ip);
    let source: IpAddr = ip(if destination.is_ipv4() { "198.51.100.1" } else { "2001:db8:1::1" });
    bytes(Message::Ecm(Ecm::new(InnerHeader::new(source, 40_000, destination), payload)))
}

/// A locator of a Map-Register: L and R set.
pub fn rloc(address: &str, priority: u8) -> LocatorRecord {
    LocatorRecord {
        priority,
        weight: 100,
        m_priority: 255,
        m_weight: 0,
        local: true,
        probed: false,
        reachable: true,
        address: Address::Ip(ip(address)),
    }
}

/// A record of a Map-Register.
pub fn record(prefix: &str, locators: &[LocatorRecord]) -> EidRecord {
    let eid = eid(prefix);
    EidRecord {
        ttl_minutes: 1440,
        mask_len: eid.prefix.prefix_len(),
        action: MapAction::NoAction,
        authoritative: true,
        map_version: 0,
        eid: Address::from_eid(eid.iid, eid.prefix.network()),
        locators: locators.to_vec(),
    }
}

/// A Map-Register with M=1 under key 1.
pub fn register(nonce: u64, records: Vec<EidRecord>) -> MapRegister {
    MapRegister {
        proxy_reply: false,
        lisp_sec: false,
        eid_notify: false,
        use_ttl: false,
        merge: false,
        want_map_notify: true,
        nonce,
        auth: unsigned(AuthAlgorithm::HmacSha256),
        records,
        xtr: None,
    }
}

pub fn unsigned(algorithm: AuthAlgorithm) -> AuthData {
    AuthData::unsigned(1, auth::algorithm_id(algorithm), auth::tag_len(algorithm))
}

pub fn xtr_id(last: u8) -> Option<XtrSiteId> {
    let mut xtr_id = [0; 16];
    xtr_id[15] = last;
    Some(XtrSiteId { xtr_id, site_id: 1 })
}

/// With the MAC of `key`.
pub fn signed(message: Message, key: &str) -> Vec<u8> {
    let mut payload = bytes(message);
    auth::sign(&mut payload, &secret(key)).expect("room for a tag");
    payload
}

pub fn signed_register(register: &MapRegister, key: &str) -> Vec<u8> {
    signed(Message::MapRegister(register.clone()), key)
}

/// The Map-Notify of a Map-Server.
pub fn notify(nonce: u64, algorithm: AuthAlgorithm, records: Vec<EidRecord>, key: &str) -> Vec<u8> {
    let notify = MapNotify { nonce, auth: unsigned(algorithm), records, xtr: None };
    signed(Message::MapNotify(notify), key)
}

/// True when the MAC is that of `key`.
pub fn is_signed(payload: &[u8], key: &str) -> bool {
    auth::verify(payload, &secret(key)).is_ok()
}

/// Prefixes and locators of a record, for comparison: "10.0.0.0/8 -> 192.0.2.1 192.0.2.2".
pub fn show(record: &EidRecord) -> String {
    let prefix = record.eid.eid_prefix(record.mask_len).map_or("-".into(), |e| match e.iid.0 {
        0 => e.prefix.to_string(),
        iid => format!("{iid} {}", e.prefix),
    });
    let locators: Vec<String> =
        record.locators.iter().map(|l| l.address.rloc().map_or("-".into(), |ip| ip.to_string())).collect();
    format!("{prefix} -> {}", locators.join(" "))
}

pub fn show_all(records: &[EidRecord]) -> Vec<String> {
    records.iter().map(show).collect()
}
