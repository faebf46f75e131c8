//! A message in one line, to compare with what is known of it.

use pxtr_control::codec::{
    Address, AuthData, EidRecord, Info, Lcaf, LocatorRecord, MapNotify, MapRegister, MapReply, MapRequest,
    Message,
};
use std::fmt::Write;

pub fn describe(message: &Message) -> String {
    match message {
        Message::MapRequest(m) => map_request(m),
        Message::MapReply(m) => map_reply(m),
        Message::MapRegister(m) => map_register(m),
        Message::MapNotify(m) => map_notify("notify", m),
        Message::MapNotifyAck(m) => map_notify("notify-ack", m),
        Message::InfoRequest(m) => info("info-request", m),
        Message::InfoReply(m) => info("info-reply", m),
        Message::Ecm(ecm) => {
            let inner = &ecm.inner;
            let flags = flags(&[
                (ecm.ddt, "D"),
                (ecm.for_rtr, "R"),
                (ecm.relayed_by_rtr, "N"),
                (!inner.checksum, "zero-checksum"),
            ]);
            format!(
                "ecm{flags} {} {} > {} {} ttl {}: {}",
                inner.source,
                inner.source_port,
                inner.destination,
                inner.destination_port,
                inner.ttl,
                describe(&Message::decode(&ecm.payload).unwrap())
            )
        }
        Message::MapReferral(_) => "referral".to_owned(),
    }
}

fn flags(all: &[(bool, &str)]) -> String {
    all.iter().filter(|(on, _)| *on).fold(String::new(), |mut text, (_, name)| {
        let _ = write!(text, " {name}");
        text
    })
}

fn map_request(m: &MapRequest) -> String {
    let flags = flags(&[
        (m.authoritative, "A"),
        (m.map_data.is_some(), "M"),
        (m.probe, "P"),
        (m.smr, "S"),
        (m.pitr, "p"),
        (m.smr_invoked, "s"),
        (m.xtr.is_some(), "I"),
        (m.local_xtr, "L"),
        (m.no_reply, "D"),
    ]);
    let mut text = format!("request{flags} {:016x} from {} via", m.nonce, address(&m.source_eid));
    for rloc in &m.itr_rlocs {
        let _ = write!(text, " {}", address(rloc));
    }
    for record in &m.records {
        let subscribe = if record.subscribe { " N" } else { "" };
        let _ = write!(text, " for {}/{}{subscribe}", address(&record.eid), record.mask_len);
    }
    text
}

fn map_reply(m: &MapReply) -> String {
    let flags = flags(&[(m.probe, "P"), (m.echo_nonce, "E"), (m.security.is_some(), "S")]);
    format!("reply{flags} {:016x}{}", m.nonce, records(&m.records))
}

fn map_register(m: &MapRegister) -> String {
    let flags = flags(&[
        (m.proxy_reply, "P"),
        (m.lisp_sec, "S"),
        (m.xtr.is_some(), "I"),
        (m.eid_notify, "E"),
        (m.use_ttl, "T"),
        (m.merge, "a"),
        (m.want_map_notify, "M"),
    ]);
    format!("register{flags} {:016x} {}{}", m.nonce, auth(&m.auth), records(&m.records))
}

fn map_notify(name: &str, m: &MapNotify) -> String {
    let flags = flags(&[(m.xtr.is_some(), "I")]);
    format!("{name}{flags} {:016x} {}{}", m.nonce, auth(&m.auth), records(&m.records))
}

fn info(name: &str, m: &Info) -> String {
    format!(
        "{name} {:016x} {} ttl {} {}/{} {}",
        m.nonce,
        auth(&m.auth),
        m.ttl_minutes,
        address(&m.eid),
        m.mask_len,
        address(&m.body)
    )
}

fn auth(auth: &AuthData) -> String {
    format!("key {} algorithm {} tag {}", auth.key_id, auth.algorithm_id, auth.tag.len())
}

fn records(records: &[EidRecord]) -> String {
    records.iter().fold(String::new(), |text, r| {
        let a = if r.authoritative { " A" } else { "" };
        let action = if r.is_negative() { format!(" {:?}", r.action) } else { String::new() };
        let mut text = format!("{text} [{}/{} ttl {}{a}{action}", address(&r.eid), r.mask_len, r.ttl_minutes);
        for l in &r.locators {
            let _ = write!(text, ", {}", locator(l));
        }
        text + "]"
    })
}

fn locator(l: &LocatorRecord) -> String {
    let flags = flags(&[(l.local, "L"), (l.probed, "p"), (l.reachable, "R")]);
    format!("{} {}/{} {}/{}{flags}", address(&l.address), l.priority, l.weight, l.m_priority, l.m_weight)
}

fn address(a: &Address) -> String {
    match a {
        Address::None => "none".to_owned(),
        Address::Ip(ip) => ip.to_string(),
        Address::Name(name) => format!("{:?}", String::from_utf8_lossy(name)),
        Address::Mac(mac) => format!("{mac:02x?}"),
        Address::Lcaf(lcaf) => match &**lcaf {
            Lcaf::InstanceId { iid, address: a, .. } => format!("[{iid}]{}", address(a)),
            Lcaf::AfiList(list) => {
                format!("list({})", list.iter().map(address).collect::<Vec<_>>().join(" "))
            }
            Lcaf::NatTraversal { ms_port, etr_port, global_etr, ms, private_etr, rtrs } => format!(
                "nat({ms_port} {etr_port} global {} ms {} private {} rtrs {})",
                address(global_etr),
                address(ms),
                address(private_etr),
                rtrs.iter().map(address).collect::<Vec<_>>().join(" ")
            ),
            other => format!("{other:?}"),
        },
    }
}
