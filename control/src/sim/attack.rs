//! What the hostile node sends.

use super::network::Datagram;
use super::scenario::{Attack, Shape};
use super::topology::{self, HOSTILE, ROGUE_KEY};
use crate::codec::{
    Address, AuthData, CONTROL_PORT, Ecm, EidRecord, InnerHeader, LocatorRecord, MapNotify, MapRegister,
    MapReply, MapRequest, Message, auth,
};
use crate::engine::Rng;
use crate::engine::config::{AuthAlgorithm, Secret};
use crate::engine::event::EidPrefix;
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

/// One datagram of an attack on the node that has `target`; `kept` is what the hostile node has read.
pub(super) fn datagram(
    rng: &mut Rng,
    shape: &Shape,
    attack: Attack,
    target: IpAddr,
    kept: &VecDeque<Datagram>,
) -> Option<Datagram> {
    let from = SocketAddr::new(HOSTILE, CONTROL_PORT);
    let to = SocketAddr::new(target, CONTROL_PORT);
    let eid = topology::prefix(shape, usize::from(pick(rng, shape.prefixes)));
    let read = kept.get(usize::try_from(rng.below(kept.len() as u64)).unwrap_or(0));
    let own = |message: Message| Some(Datagram { from, to, payload: message.to_bytes().ok()? });
    match attack {
        Attack::Garbage => Some(Datagram { from, to, payload: garbage(rng) }),
        Attack::Mutate => read.map(|d| Datagram { from, payload: mutated(rng, &d.payload), ..d.clone() }),
        Attack::Replay => read.map(|d| Datagram { from, ..d.clone() }),
        Attack::ReplaySpoofed => read.cloned(),
        Attack::ForgedReply => own(Message::MapReply(MapReply {
            probe: rng.below(2) == 0,
            echo_nonce: false,
            nonce: rng.nonce(),
            records: (0..usize::from(shape.prefixes)).map(|n| claim(topology::prefix(shape, n))).collect(),
            security: None,
        })),
        Attack::Smr => own(Message::MapRequest(MapRequest {
            smr: true,
            source_eid: Address::from_eid(eid.iid, eid.prefix.network()),
            ..request(rng, eid)
        })),
        Attack::Request => {
            let payload = Message::MapRequest(request(rng, eid)).to_bytes().ok()?;
            let destination = eid.prefix.network();
            let source = if destination.is_ipv4() { HOSTILE } else { destination };
            own(Message::Ecm(Ecm::new(InnerHeader::new(source, CONTROL_PORT, destination), payload)))
        }
        Attack::Probe => own(Message::MapRequest(MapRequest { probe: true, ..request(rng, eid) })),
        Attack::RegisterBadMac => register(rng, eid, b"a guess", from, to),
        Attack::RegisterForeignKey => register(rng, eid, ROGUE_KEY, from, to),
        Attack::NotifyBadMac => {
            let auth = unsigned();
            let notify = MapNotify { nonce: rng.nonce(), auth, records: vec![claim(eid)], xtr: None };
            signed(Message::MapNotify(notify), b"a guess", from, to)
        }
    }
}

fn pick(rng: &mut Rng, bound: u8) -> u8 {
    u8::try_from(rng.below(u64::from(bound))).unwrap_or(0)
}

fn garbage(rng: &mut Rng) -> Vec<u8> {
    let mut bytes = vec![0; 4 + usize::try_from(rng.below(200)).unwrap_or(0)];
    rng.fill(&mut bytes);
    bytes
}

fn mutated(rng: &mut Rng, payload: &[u8]) -> Vec<u8> {
    let mut bytes = payload.to_vec();
    for _ in 0..=rng.below(4) {
        let at = usize::try_from(rng.below(bytes.len() as u64)).unwrap_or(0);
        let bit = 1u8 << rng.below(8);
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= bit;
        }
    }
    // Who changes an answer and keeps its nonce is on the path: against that there is LISP-SEC only.
    let is_reply = payload.first().is_some_and(|first| first >> 4 == 2);
    if is_reply && bytes.get(4..12) == payload.get(4..12) {
        bytes.iter_mut().skip(11).take(1).for_each(|byte| *byte ^= 1);
    }
    bytes
}

fn claim(eid: EidPrefix) -> EidRecord {
    let locators = vec![LocatorRecord::new(HOSTILE, 0, 100)];
    EidRecord { locators, authoritative: true, ..EidRecord::new(eid, 1440) }
}

fn request(rng: &mut Rng, eid: EidPrefix) -> MapRequest {
    MapRequest::new(rng.nonce(), eid, vec![Address::Ip(HOSTILE)])
}

fn unsigned() -> AuthData {
    let algorithm = AuthAlgorithm::HmacSha256;
    AuthData::unsigned(1, auth::algorithm_id(algorithm), auth::tag_len(algorithm))
}

fn register(rng: &mut Rng, eid: EidPrefix, key: &[u8], from: SocketAddr, to: SocketAddr) -> Option<Datagram> {
    let register = MapRegister {
        proxy_reply: true,
        lisp_sec: false,
        eid_notify: false,
        use_ttl: false,
        merge: rng.below(2) == 0,
        want_map_notify: true,
        nonce: rng.nonce(),
        auth: unsigned(),
        records: vec![claim(eid)],
        xtr: None,
    };
    signed(Message::MapRegister(register), key, from, to)
}

fn signed(message: Message, key: &[u8], from: SocketAddr, to: SocketAddr) -> Option<Datagram> {
    let mut payload = message.to_bytes().ok()?;
    auth::sign(&mut payload, &Secret::new(key.to_vec())).ok()?;
    Some(Datagram { from, to, payload })
}
