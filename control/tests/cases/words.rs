//! The words of which messages and actions are written: EID-prefixes, locators, records.

use pxtr_control::codec::{Address, EidRecord, LocatorRecord, MapAction};
use pxtr_control::engine::event::{EidPrefix, Iid};
use std::net::{IpAddr, SocketAddr};

/// What can not be read says why.
pub type Read<T> = Result<T, String>;

const ACTIONS: [(MapAction, &str); 6] = [
    (MapAction::NoAction, "no-action"),
    (MapAction::NativelyForward, "natively-forward"),
    (MapAction::SendMapRequest, "send-map-request"),
    (MapAction::DropNoReason, "drop-no-reason"),
    (MapAction::DropPolicyDenied, "drop-policy-denied"),
    (MapAction::DropAuthFailure, "drop-auth-failure"),
];

pub fn action(word: &str) -> Read<MapAction> {
    let found = ACTIONS.iter().find(|(_, name)| *name == word);
    found.map(|(action, _)| *action).ok_or_else(|| format!("{word} is no action"))
}

pub fn show_action(action: MapAction) -> &'static str {
    ACTIONS.iter().find(|(a, _)| *a == action).map_or("?", |(_, name)| name)
}

pub fn ip(word: &str) -> Read<IpAddr> {
    word.parse().map_err(|_| format!("{word} is no address"))
}

pub fn number(word: &str) -> Read<u64> {
    word.parse().map_err(|_| format!("{word} is no number"))
}

/// "192.0.2.1", port 4342; "192.0.2.1:40000", "[2001:db8::1]:40000".
pub fn socket(word: &str) -> Read<SocketAddr> {
    let with_port = word.parse().map_err(|_| format!("{word} is no address with port"));
    word.parse::<IpAddr>().map_or(with_port, |ip| Ok(SocketAddr::new(ip, 4342)))
}

pub fn show_socket(at: SocketAddr) -> String {
    if at.port() == 4342 { at.ip().to_string() } else { at.to_string() }
}

/// "10.0.0.0/8", "10.0.0.1" for a host, "10.0.0.0/8%7" in instance 7.
pub fn eid(word: &str) -> Read<EidPrefix> {
    let (prefix, iid) = word.split_once('%').unwrap_or((word, "0"));
    let host = || prefix.parse::<IpAddr>().map(ipnet::IpNet::from);
    let prefix = prefix.parse().or_else(|_| host()).map_err(|_| format!("{word} is no EID-prefix"))?;
    Ok(EidPrefix { iid: Iid(number(iid)? as u32), prefix })
}

pub fn show_eid(eid: &EidPrefix) -> String {
    if eid.iid.0 == 0 { eid.prefix.to_string() } else { format!("{}%{}", eid.prefix, eid.iid.0) }
}

/// RLOC/priority/weight, then L, p, and ! where R is 0; the RLOC "unknown" is of a kind that is no address.
fn locator(word: &str) -> Read<LocatorRecord> {
    let wrong = || format!("{word} is no locator");
    let mut parts = word.rsplitn(3, '/');
    let (last, priority, rloc) = (parts.next(), parts.next(), parts.next());
    let last = last.ok_or_else(wrong)?;
    let weight = last.trim_end_matches(['L', 'p', '!']);
    let flag = |c: char| last[weight.len()..].contains(c);
    let byte = |text: &str| text.parse::<u8>().map_err(|_| wrong());
    let (rloc, priority) = (rloc.ok_or_else(wrong)?, byte(priority.ok_or_else(wrong)?)?);
    let unknown = rloc == "unknown";
    let mut locator =
        LocatorRecord::new(ip(if unknown { "192.0.2.0" } else { rloc })?, priority, byte(weight)?);
    if unknown {
        locator.address = Address::Name(Box::from(*b"router"));
    }
    (locator.local, locator.probed, locator.reachable) = (flag('L'), flag('p'), !flag('!'));
    Ok(locator)
}

fn show_locator(l: &LocatorRecord) -> String {
    let rloc = l.address.rloc().map_or("?".into(), |ip| ip.to_string());
    let flags = [(l.local, "L"), (l.probed, "p"), (!l.reachable, "!")];
    let flags: String = flags.iter().filter(|(on, _)| *on).map(|(_, flag)| *flag).collect();
    format!("{rloc}/{}/{}{flags}", l.priority, l.weight)
}

pub fn locators(list: &str) -> Read<Vec<LocatorRecord>> {
    list.split(',').map(locator).collect()
}

/// The start of a record.
pub fn is_record(word: &str) -> bool {
    word.contains('/') && !word.contains('=') && eid(word).is_ok()
}

/// Records: an EID-prefix each, then ttl=, act=, rlocs=, auth.
pub fn records(words: &[&str]) -> Read<Vec<EidRecord>> {
    let mut records: Vec<EidRecord> = Vec::new();
    for word in words {
        if is_record(word) {
            records.push(EidRecord::new(eid(word)?, 1440));
            continue;
        }
        let record = records.last_mut().ok_or_else(|| format!("{word} belongs to no record"))?;
        match word.split_once('=') {
            Some(("ttl", minutes)) => record.ttl_minutes = number(minutes)? as u32,
            Some(("act", name)) => record.action = action(name)?,
            Some(("rlocs", list)) => record.locators = locators(list)?,
            None if *word == "auth" => record.authoritative = true,
            _ => return Err(format!("{word} is no word of a record")),
        }
    }
    Ok(records)
}

pub fn show_records(records: &[EidRecord]) -> Vec<String> {
    let mut words = Vec::new();
    for record in records {
        words.push(record.eid_prefix().map_or("?".into(), |eid| show_eid(&eid)));
        words.push(format!("ttl={}", record.ttl_minutes));
        if record.authoritative {
            words.push("auth".into());
        }
        let locators: Vec<String> = record.locators.iter().map(show_locator).collect();
        words.push(match locators.as_slice() {
            [] => format!("act={}", show_action(record.action)),
            list => format!("rlocs={}", list.join(",")),
        });
    }
    words
}

/// The EID that an address names.
pub fn show_address(address: &Address) -> String {
    match address.eid() {
        Some((iid, ip)) if iid.0 == 0 => ip.to_string(),
        Some((iid, ip)) => format!("{ip}%{}", iid.0),
        None => "none".into(),
    }
}
