//! What the engine did, in the words that cases expect it in.

use super::message::{Known, REFERRALS};
use super::secure;
use super::words::{show_action, show_address, show_eid, show_records, show_socket};
use pxtr_control::codec::{
    Address, AuthData, MapAction, MapNotify, MapReferral, MapRequest, Message, XtrSiteId, auth,
};
use pxtr_control::engine::config::Secret;
use pxtr_control::engine::event::{Action, Forwarding, Place, Seal};
use pxtr_dataplane::echo::EchoMark;
use pxtr_dataplane::trust::Marks;

/// An action in one line of words; `None`: a word to the operator.
pub fn show(known: &mut Known, action: &Action) -> Option<String> {
    Some(match action {
        Action::Notice(_) => return None,
        Action::Send { source, to, payload, .. } => {
            let from = source.map_or("kernel".into(), |ip| ip.to_string());
            format!("-> {} from={from} {}", show_socket(*to), message(known, payload))
        }
        Action::Install { eid, forwarding } => {
            format!("=> install {} {}", show_eid(eid), show_forwarding(forwarding))
        }
        Action::Withdraw(eid) => format!("=> withdraw {}", show_eid(eid)),
        Action::LocatorState { rloc, up } => format!("=> {} {rloc}", if *up { "up" } else { "down" }),
        Action::Abandon { iid, eid } if iid.0 == 0 => format!("=> abandon {eid}"),
        Action::Abandon { iid, eid } => format!("=> abandon {eid}%{}", iid.0),
        Action::Host { eid, place } => format!("=> host {} {}", show_eid(eid), show_place(place)),
        Action::ProbeHost { eid, .. } => format!("=> probe-host {}", show_eid(eid)),
        Action::Marks { eid, marks: Marks { version, status: None, .. } } => {
            format!("=> version {} {}", version.get(), show_eid(eid))
        }
        Action::Marks { eid, marks: Marks { status: Some(status), .. } } => {
            let width = (u32::BITS - status.known.leading_zeros()) as usize;
            format!("=> status {:0width$b} {}", status.bits, show_eid(eid))
        }
        Action::Seal { rloc, seal: Seal::Key(key) } => format!("=> seal {rloc} key-id={}", key.id()),
        Action::Seal { rloc, seal: Seal::Failed } => format!("=> no-key {rloc}"),
        Action::Seal { rloc, seal: Seal::Forget } => format!("=> unseal {rloc}"),
        Action::OpenKeys { source, keys } => format!("=> keys {source} {}", keys.len()),
        Action::Echo { rloc, mark, awaited } => {
            let mark = match mark {
                Some(EchoMark::Ask(nonce)) => format!("ask nonce={}", nonce.get()),
                Some(EchoMark::Give(nonce)) => format!("give nonce={}", nonce.get()),
                None => "nothing".to_owned(),
            };
            format!("=> echo {rloc} {mark}{}", if awaited.is_some() { " awaited" } else { "" })
        }
        Action::Outdated(list) => format!("=> outdated {}", list.len()),
    })
}

fn show_forwarding(forwarding: &Forwarding) -> String {
    let action = match forwarding {
        Forwarding::Encapsulate(locators) => {
            let shown = locators.iter().map(|l| format!("{}/{}/{}", l.rloc, l.priority, l.weight));
            return format!("rlocs={}", shown.collect::<Vec<_>>().join(","));
        }
        Forwarding::NoAction => MapAction::NoAction,
        Forwarding::NativelyForward => MapAction::NativelyForward,
        Forwarding::SendMapRequest => MapAction::SendMapRequest,
        Forwarding::DropNoReason => MapAction::DropNoReason,
        Forwarding::DropPolicyDenied => MapAction::DropPolicyDenied,
        Forwarding::DropAuthFailure => MapAction::DropAuthFailure,
    };
    format!("act={}", show_action(action))
}

fn show_place(place: &Place) -> String {
    match place {
        Place::Here { .. } => "here".into(),
        Place::Behind { router } => format!("behind={router}"),
        Place::Away { forward: true } => "away".into(),
        Place::Away { forward: false } => "away-dropped".into(),
        Place::Gone => "gone".into(),
    }
}

fn message(known: &mut Known, payload: &[u8]) -> String {
    match Message::decode(payload) {
        Ok(Message::Ecm(ecm)) => {
            let mut words =
                vec!["ecm".to_owned(), format!("inner={}:{}", ecm.inner.source, ecm.inner.source_port)];
            words.extend(ecm.ddt.then(|| "ddt".into()));
            if let (Some(ad), Ok(Message::MapRequest(request))) =
                (&ecm.security, Message::decode(&ecm.payload))
            {
                words.push(secure::show_demand(known, ad, request.nonce));
            }
            words.push(message(known, &ecm.payload));
            words.join(" ")
        }
        Ok(Message::MapRequest(request)) => map_request(&request),
        Ok(Message::MapReply(reply)) => {
            let mut words = vec!["map-reply".to_owned(), format!("nonce={}", reply.nonce)];
            words.extend(on(&[(reply.probe, "probe"), (reply.echo_nonce, "echo")]));
            words.extend(secure::show_reply(known, &reply, payload));
            words.extend(show_records(&reply.records));
            words.join(" ")
        }
        Ok(Message::MapRegister(m)) => {
            let flags = [
                (m.proxy_reply, "proxy"),
                (m.lisp_sec, "lisp-sec"),
                (m.eid_notify, "eid-notify"),
                (m.use_ttl, "use-ttl"),
                (m.merge, "merge"),
                (m.want_map_notify, "want-notify"),
            ];
            let mut words = signed(known, "map-register", m.nonce, &m.auth, payload);
            words.extend(on(&flags));
            words.extend(m.xtr.map(show_xtr));
            words.extend(show_records(&m.records));
            words.join(" ")
        }
        Ok(Message::MapNotify(m)) => map_notify(known, "map-notify", &m, payload),
        Ok(Message::MapNotifyAck(m)) => map_notify(known, "map-notify-ack", &m, payload),
        Ok(Message::MapReferral(m)) => map_referral(&m),
        other => format!("{other:?}"),
    }
}

fn on(flags: &[(bool, &str)]) -> Vec<String> {
    flags.iter().filter(|(on, _)| *on).map(|(_, word)| (*word).to_owned()).collect()
}

fn show_xtr(xtr: XtrSiteId) -> String {
    format!("xtr={}/{}", u128::from_be_bytes(xtr.xtr_id), xtr.site_id)
}

fn map_request(m: &MapRequest) -> String {
    let mut words = vec!["map-request".to_owned(), format!("nonce={}", m.nonce)];
    words.extend(m.records.iter().map(|r| r.eid_prefix().map_or("?".into(), |eid| show_eid(&eid))));
    let itr: Vec<String> = m.itr_rlocs.iter().map(show_address).collect();
    words.push(format!("itr={}", itr.join(",")));
    words.extend(on(&[
        (m.authoritative, "authoritative"),
        (m.probe, "probe"),
        (m.smr, "smr"),
        (m.pitr, "pitr"),
        (m.smr_invoked, "smr-invoked"),
        (m.no_reply, "no-reply"),
        (m.records.iter().any(|r| r.subscribe), "subscribe"),
    ]));
    if m.source_eid != Address::None {
        words.push(format!("source={}", show_address(&m.source_eid)));
    }
    words.extend(m.xtr.map(show_xtr));
    words.join(" ")
}

/// Name, nonce and by whose key it is signed.
fn signed(known: &Known, name: &str, nonce: u64, data: &AuthData, payload: &[u8]) -> Vec<String> {
    let verifies = |key: &&String| auth::verify(payload, &Secret::new(key.as_bytes().to_vec())).is_ok();
    let key = known.keys.iter().find(verifies).map_or("?", String::as_str);
    let mut words = vec![name.to_owned(), format!("nonce={nonce}"), format!("key={key}")];
    match data.algorithm_id {
        1 => words.push("alg=sha1".into()),
        3 => words.push("alg=hkdf".into()),
        _ => {}
    }
    if data.key_id != 1 {
        words.push(format!("id={}", data.key_id));
    }
    words
}

fn map_notify(known: &Known, name: &str, m: &MapNotify, payload: &[u8]) -> String {
    let mut words = signed(known, name, m.nonce, &m.auth, payload);
    words.extend(show_records(&m.records));
    words.join(" ")
}

fn map_referral(m: &MapReferral) -> String {
    let mut words = vec!["map-referral".to_owned(), format!("nonce={}", m.nonce)];
    for r in &m.records {
        let name = REFERRALS.iter().find(|(action, _)| *action == r.action).map_or("?", |(_, name)| name);
        words.push(format!("act={name}"));
        words.push(format!("ttl={}", r.ttl_minutes));
        let to: Vec<String> =
            r.referrals.iter().map(|l| l.address.rloc().map_or("?".into(), |ip| ip.to_string())).collect();
        if !to.is_empty() {
            words.push(format!("to={}", to.join(",")));
        }
        words.extend(on(&[(r.incomplete, "incomplete")]));
        words.push(r.eid.eid_prefix(r.mask_len).map_or("?".into(), |eid| show_eid(&eid)));
    }
    words.join(" ")
}
