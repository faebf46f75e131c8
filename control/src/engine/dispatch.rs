//! From a datagram to the state machine that owns its message type.

use super::counters::Counter;
use super::cx::{Cx, Handled, InnerAddresses, Meta};
use super::itr::Itr;
use super::role_set::RoleSet;
use crate::codec::{DATA_PORT, Ecm, InnerHeader, Message, decode_in_data};
use std::net::SocketAddr;

/// Decodes a datagram and hands it to whoever takes it; what nobody takes is counted.
pub fn datagram(
    cx: &mut Cx<'_>,
    itr: &mut Itr,
    roles: &mut RoleSet,
    (from, to): (SocketAddr, SocketAddr),
    payload: &[u8],
) {
    cx.count(Counter::DatagramsReceived);
    let meta = Meta { from, to, inner: None };
    if to.port() == DATA_PORT {
        return in_data(cx, roles, &meta, payload);
    }
    let message = match Message::decode(payload) {
        Ok(message) => message,
        Err(error) => return cx.notice(Counter::DecodeErrors, format_args!("{from}: {error}")),
    };
    let is_itr = cx.config.looks_up();
    let handled = match message {
        // SMRs are plain messages (RFC 9301 section 6.1).
        Message::MapRequest(m) if m.smr && is_itr => {
            itr.on_smr(cx, &m);
            Handled::Yes
        }
        // an SMR is never answered, and no other role has a use for it.
        Message::MapRequest(m) if m.smr => Handled::No,
        Message::MapRequest(m) => first(roles, |role| role.on_map_request(cx, &meta, &m)),
        // only an ITR has asked for one.
        Message::MapReply(m) if is_itr => {
            itr.on_map_reply(cx, payload, &m);
            Handled::Yes
        }
        Message::MapRegister(m) => first(roles, |role| role.on_map_register(cx, &meta, payload, &m)),
        Message::MapNotify(m) if is_itr && itr.on_map_notify(cx, &meta, payload, &m) == Handled::Yes => {
            Handled::Yes
        }
        Message::MapNotify(m) => first(roles, |role| role.on_map_notify(cx, &meta, payload, &m)),
        Message::MapNotifyAck(m) => first(roles, |role| role.on_map_notify_ack(cx, &meta, payload, &m)),
        Message::MapReferral(m) => first(roles, |role| role.on_map_referral(cx, &meta, &m)),
        Message::InfoRequest(m) => first(roles, |role| role.on_info_request(cx, &meta, payload, &m)),
        Message::InfoReply(m) => first(roles, |role| role.on_info_reply(cx, &meta, payload, &m)),
        Message::Ecm(ecm) => encapsulated(cx, roles, &meta, &ecm),
        _ => Handled::No,
    };
    if handled == Handled::No {
        cx.count(Counter::MessagesNotForUs);
    }
}

/// What came in an ECM (RFC 9301 section 5.8). Probes and SMRs never do; Map-Registers and
/// Map-Notifies do between an RTR and those that it stands between.
fn encapsulated(cx: &mut Cx<'_>, roles: &mut RoleSet, meta: &Meta, ecm: &Ecm) -> Handled {
    let meta = &Meta { inner: Some(addresses(&ecm.inner)), ..*meta };
    match Message::decode(&ecm.payload) {
        Ok(Message::MapRequest(m)) if !m.probe && !m.smr => {
            first(roles, |role| role.on_encapsulated_map_request(cx, meta, ecm, &m))
        }
        Ok(Message::MapRegister(m)) => {
            first(roles, |role| role.on_encapsulated_map_register(cx, meta, ecm, &m))
        }
        Ok(Message::MapNotify(m)) => first(roles, |role| role.on_encapsulated_map_notify(cx, meta, ecm, &m)),
        Ok(_) => Handled::No,
        Err(error) => {
            cx.notice(Counter::DecodeErrors, format_args!("{} in ECM: {error}", meta.from));
            Handled::Yes
        }
    }
}

/// What came to the data port: a Map-Notify that an RTR sent on through our NAT, and nothing else.
/// Its sender is the Map-Server that the inner header names; who it really is, the MAC shows.
fn in_data(cx: &mut Cx<'_>, roles: &mut RoleSet, meta: &Meta, payload: &[u8]) {
    let decoded = decode_in_data(payload).and_then(|(inner, raw)| Ok((inner, raw, Message::decode(raw)?)));
    match decoded {
        Ok((inner, raw, Message::MapNotify(notify))) => {
            let InnerAddresses { source, destination } = addresses(&inner);
            let meta = Meta { from: source, to: destination, inner: None };
            if first(roles, |role| role.on_map_notify(cx, &meta, raw, &notify)) == Handled::No {
                cx.count(Counter::MessagesNotForUs);
            }
        }
        Ok(_) => cx.count(Counter::MessagesNotForUs),
        Err(error) => cx.notice(Counter::DecodeErrors, format_args!("{} to 4341: {error}", meta.from)),
    }
}

fn addresses(inner: &InnerHeader) -> InnerAddresses {
    InnerAddresses {
        source: SocketAddr::new(inner.source, inner.source_port),
        destination: SocketAddr::new(inner.destination, inner.destination_port),
    }
}

fn first(roles: &mut RoleSet, mut offer: impl FnMut(&mut dyn super::Role) -> Handled) -> Handled {
    for role in roles.each() {
        if offer(role) == Handled::Yes {
            return Handled::Yes;
        }
    }
    Handled::No
}
