//! Messages as other routers send them, from their words.

use super::secure;
use super::words::{Read, eid, ip, is_record, locators, number, records, socket};
use pxtr_control::codec::{
    Address, AuthData, Ecm, InnerHeader, MapNotify, MapReferral, MapRegister, MapReply, MapRequest,
    MapRequestRecord, Message, Otk, ReferralAction, ReferralRecord, XtrSiteId, auth,
};
use pxtr_control::engine::config::{AuthAlgorithm, Secret};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// What a case has learnt from what the engine said.
#[derive(Default)]
pub struct Known {
    /// Secrets that may have been used.
    pub keys: Vec<String>,
    /// Nonces by name.
    pub nonces: BTreeMap<String, u64>,
    /// One-time keys of LISP-SEC by nonce.
    pub otks: BTreeMap<u64, Otk>,
}

impl Known {
    /// "7", "$q", "$q+1".
    pub fn number(&self, word: &str) -> Read<u64> {
        let Some(name) = word.strip_prefix('$') else { return number(word) };
        let (name, plus) = name.split_once('+').unwrap_or((name, "0"));
        let nonce = self.nonces.get(name).ok_or_else(|| format!("${name} was not seen"))?;
        Ok(nonce.wrapping_add(number(plus)?))
    }
}

/// Words with a name, and those that stand alone.
pub struct Words<'a> {
    keyed: BTreeMap<&'a str, &'a str>,
    flags: Vec<&'a str>,
}

impl<'a> Words<'a> {
    pub fn new(words: &[&'a str]) -> Self {
        let keyed = words.iter().filter_map(|word| word.split_once('=')).collect();
        Self { keyed, flags: words.iter().filter(|word| !word.contains('=')).copied().collect() }
    }

    pub fn take(&mut self, key: &str) -> Option<&'a str> {
        self.keyed.remove(key)
    }

    pub fn need(&mut self, key: &str) -> Read<&'a str> {
        self.take(key).ok_or_else(|| format!("{key}= is missing"))
    }

    pub fn flag(&mut self, flag: &str) -> bool {
        let before = self.flags.len();
        self.flags.retain(|f| *f != flag);
        self.flags.len() < before
    }

    /// Nothing may be left over: it would be a mistake that nobody sees.
    pub fn end(self) -> Read<()> {
        let keyed = self.keyed.iter().map(|(key, value)| format!("{key}={value}"));
        let left: Vec<String> = self.flags.iter().map(|f| (*f).to_owned()).chain(keyed).collect();
        if left.is_empty() { Ok(()) } else { Err(format!("not understood: {}", left.join(" "))) }
    }
}

/// A datagram's payload.
pub fn build(known: &mut Known, words: &[&str]) -> Read<Vec<u8>> {
    let (kind, rest) = words.split_first().ok_or("a message is missing")?;
    let first = rest.iter().position(|word| is_record(word)).unwrap_or(rest.len());
    let (head, tail) = rest.split_at(first);
    match *kind {
        "ecm" => ecm(known, rest),
        "map-request" => map_request(known, rest),
        "map-reply" => map_reply(known, Words::new(head), tail),
        "map-register" => map_register(known, Words::new(head), tail),
        "map-notify" => map_notify(known, Words::new(head), tail, Message::MapNotify),
        "map-notify-ack" => map_notify(known, Words::new(head), tail, Message::MapNotifyAck),
        "map-referral" => map_referral(known, Words::new(head), tail),
        "bytes" => {
            rest.iter().map(|hex| u8::from_str_radix(hex, 16).map_err(|_| format!("{hex}?"))).collect()
        }
        other => Err(format!("{other} is no message")),
    }
}

pub fn bytes(message: &Message) -> Read<Vec<u8>> {
    message.to_bytes().map_err(|error| error.to_string())
}

fn nonce(known: &Known, words: &mut Words<'_>) -> Read<u64> {
    words.take("nonce").map_or(Ok(1), |word| known.number(word))
}

/// "9/1": xTR-ID and Site-ID.
fn xtr(words: &mut Words<'_>) -> Read<Option<XtrSiteId>> {
    let Some(word) = words.take("xtr") else { return Ok(None) };
    let (id, site) = word.split_once('/').ok_or("xtr=ID/SITE")?;
    Ok(Some(XtrSiteId { xtr_id: u128::from(number(id)?).to_be_bytes(), site_id: number(site)? }))
}

fn map_request(known: &Known, words: &[&str]) -> Read<Vec<u8>> {
    let (eids, head): (Vec<&str>, Vec<&str>) = words.iter().partition(|word| is_record(word));
    let mut w = Words::new(&head);
    let itr_rlocs = w.take("itr").into_iter().flat_map(|list| list.split(','));
    let itr_rlocs =
        itr_rlocs.map(|word| if word == "none" { Ok(Address::None) } else { ip(word).map(Address::Ip) });
    let subscribe = w.flag("subscribe");
    let record = |word: &&str| Ok(MapRequestRecord { subscribe, ..MapRequestRecord::new(eid(word)?) });
    let source = w.take("source").map(eid).transpose()?;
    let request = MapRequest {
        authoritative: w.flag("authoritative"),
        probe: w.flag("probe"),
        smr: w.flag("smr"),
        pitr: w.flag("pitr"),
        smr_invoked: w.flag("smr-invoked"),
        local_xtr: false,
        no_reply: w.flag("no-reply"),
        nonce: nonce(known, &mut w)?,
        source_eid: source.map_or(Address::None, |s| Address::from_eid(s.iid, s.prefix.network())),
        itr_rlocs: itr_rlocs.collect::<Read<_>>()?,
        records: eids.iter().map(record).collect::<Read<_>>()?,
        map_data: None,
        xtr: xtr(&mut w)?,
    };
    w.end()?;
    bytes(&Message::MapRequest(request))
}

fn map_reply(known: &Known, mut w: Words<'_>, tail: &[&str]) -> Read<Vec<u8>> {
    let nonce = nonce(known, &mut w)?;
    let reply = MapReply {
        probe: w.flag("probe"),
        echo_nonce: w.flag("echo"),
        ..MapReply::new(nonce, records(tail)?)
    };
    secure::reply(known, &mut w, reply).and_then(|payload| w.end().map(|()| payload))
}

fn auth_data(w: &mut Words<'_>) -> Read<(AuthData, Secret)> {
    let algorithm = match w.take("alg") {
        None => AuthAlgorithm::HmacSha256,
        Some("sha1") => AuthAlgorithm::HmacSha1,
        Some("hkdf") => AuthAlgorithm::HmacSha256Hkdf,
        Some(other) => return Err(format!("alg={other} is none")),
    };
    let id = w.take("id").map_or(Ok(1), number)? as u8;
    let secret = Secret::new(w.need("key")?.as_bytes().to_vec());
    Ok((AuthData::unsigned(id, auth::algorithm_id(algorithm), auth::tag_len(algorithm)), secret))
}

fn signed(message: &Message, secret: &Secret) -> Read<Vec<u8>> {
    let mut payload = bytes(message)?;
    auth::sign(&mut payload, secret).map_err(|error| error.to_string())?;
    Ok(payload)
}

fn map_register(known: &Known, mut w: Words<'_>, tail: &[&str]) -> Read<Vec<u8>> {
    let (auth, secret) = auth_data(&mut w)?;
    let register = MapRegister {
        proxy_reply: w.flag("proxy"),
        lisp_sec: w.flag("lisp-sec"),
        eid_notify: w.flag("eid-notify"),
        use_ttl: w.flag("use-ttl"),
        merge: w.flag("merge"),
        want_map_notify: w.flag("want-notify"),
        nonce: nonce(known, &mut w)?,
        auth,
        records: records(tail)?,
        xtr: xtr(&mut w)?,
    };
    w.end()?;
    signed(&Message::MapRegister(register), &secret)
}

fn map_notify(
    known: &Known,
    mut w: Words<'_>,
    tail: &[&str],
    kind: fn(MapNotify) -> Message,
) -> Read<Vec<u8>> {
    let (auth, secret) = auth_data(&mut w)?;
    let notify = MapNotify { nonce: nonce(known, &mut w)?, auth, records: records(tail)?, xtr: None };
    w.end()?;
    signed(&kind(notify), &secret)
}

/// How referrals are written; others do not come up.
pub const REFERRALS: [(ReferralAction, &str); 6] = [
    (ReferralAction::NodeReferral, "node-referral"),
    (ReferralAction::MsReferral, "ms-referral"),
    (ReferralAction::MsAck, "ms-ack"),
    (ReferralAction::MsNotRegistered, "ms-not-registered"),
    (ReferralAction::DelegationHole, "delegation-hole"),
    (ReferralAction::NotAuthoritative, "not-authoritative"),
];

fn map_referral(known: &Known, mut w: Words<'_>, tail: &[&str]) -> Read<Vec<u8>> {
    let [prefix] = tail else { return Err("one EID-prefix, last".into()) };
    let prefix = eid(prefix)?;
    let name = w.need("act")?;
    let action = REFERRALS.iter().find(|(_, word)| *word == name).ok_or_else(|| format!("act={name}?"))?;
    let record = ReferralRecord {
        ttl_minutes: w.take("ttl").map_or(Ok(1440), number)? as u32,
        mask_len: prefix.prefix.prefix_len(),
        action: action.0,
        authoritative: true,
        incomplete: w.flag("incomplete"),
        map_version: 0,
        eid: Address::from_eid(prefix.iid, prefix.prefix.network()),
        referrals: w.take("to").map_or(Ok(Vec::new()), locators)?,
        signatures: Vec::new(),
    };
    let nonce = nonce(known, &mut w)?;
    w.end()?;
    bytes(&Message::MapReferral(MapReferral { nonce, records: vec![record] }))
}

/// "ecm [inner=SOURCE] [ddt] [sec=KEY/HMAC] MESSAGE": the inner destination is what is asked for.
fn ecm(known: &mut Known, words: &[&str]) -> Read<Vec<u8>> {
    let kinds = ["map-request", "map-register", "map-reply"];
    let at = words.iter().position(|word| kinds.contains(word)).ok_or("an ECM of what?")?;
    let (head, inner) = words.split_at(at);
    let mut w = Words::new(head);
    let payload = build(known, inner)?;
    let Ok(Message::MapRequest(request)) = Message::decode(&payload) else {
        return Err("an ECM of a Map-Request".into());
    };
    let destination = request.records.first().and_then(|r| r.eid.eid()).ok_or("an EID")?.1;
    let default = if destination.is_ipv4() { "198.51.100.1:40000" } else { "[2001:db8:1::1]:40000" };
    let source: SocketAddr = socket(w.take("inner").unwrap_or(default))?;
    let inner = InnerHeader::new(source.ip(), source.port(), destination);
    let security = secure::demand(known, &mut w, request.nonce)?;
    let ecm = Ecm { ddt: w.flag("ddt"), security, ..Ecm::new(inner, payload) };
    w.end()?;
    bytes(&Message::Ecm(ecm))
}
