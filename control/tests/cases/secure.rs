//! LISP-SEC in cases (RFC 9303): one-time keys are known by the nonce of their Map-Request.

use super::message::{Known, Words, bytes};
use super::words::{Read, eid, number};
use pxtr_control::codec::{
    EcmAd, EidAd, EidRecord, MapReply, Message, Otk, ReplyAd, sign_reply, verify_reply,
};
use pxtr_control::engine::config::Secret;

/// HKDF-SHA256.
const KDF: u16 = 2;
/// The one-time key of those who ask.
const ASKED: [u8; 16] = [5; 16];
/// That of a forger.
const GUESSED: [u8; 16] = [7; 16];

fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes().to_vec())
}

fn told<T, E: ToString>(result: Result<T, E>) -> Read<T> {
    result.map_err(|error| error.to_string())
}

/// "sec=KEY/HMAC-ID": what an ECM carries; "plain=HMAC-ID": with an unwrapped key.
pub fn demand(known: &mut Known, w: &mut Words<'_>, nonce: u64) -> Read<Option<EcmAd>> {
    if let Some(hmac) = w.take("plain") {
        return Ok(Some(EcmAd::plain(&Otk::new(ASKED), 1, number(hmac)? as u16, EidAd::request(KDF))));
    }
    let Some(word) = w.take("sec") else { return Ok(None) };
    let (key, hmac) = word.split_once('/').ok_or("sec=KEY/HMAC-ID")?;
    let otk = Otk::new(ASKED);
    let ad = told(EcmAd::wrap(&otk, nonce, 1, &secret(key), number(hmac)? as u16, EidAd::request(KDF)))?;
    known.otks.insert(nonce, otk);
    Ok(Some(ad))
}

/// The same, as it was sent; the key is remembered.
pub fn show_demand(known: &mut Known, ad: &EcmAd, nonce: u64) -> String {
    let unwrap = |key: &String| Some((key.clone(), ad.unwrap_otk(nonce, &secret(key), false).ok()?));
    match known.keys.iter().find_map(unwrap) {
        Some((key, otk)) => {
            known.otks.insert(nonce, otk);
            format!("sec={key}/{}", ad.requested_hmac_id)
        }
        None => "sec=?".into(),
    }
}

/// "signed=HMAC-ID", "forged=HMAC-ID" by who does not know the key; "vouch=EID,EID" for what the
/// Map-Server vouches, else for the records; "cant-sign".
pub fn reply(known: &Known, w: &mut Words<'_>, mut reply: MapReply) -> Read<Vec<u8>> {
    let (signed, forged) = (w.take("signed"), w.take("forged"));
    let Some(hmac) = signed.or(forged) else { return bytes(&Message::MapReply(reply)) };
    let hmac = number(hmac)? as u16;
    let otk = match forged {
        Some(_) => Otk::new(GUESSED),
        None => known.otks.get(&reply.nonce).ok_or("no one-time key goes with this nonce")?.clone(),
    };
    let prefixes = match w.take("vouch") {
        Some(list) => list.split(',').map(eid).collect::<Read<_>>()?,
        None => reply.records.iter().filter_map(EidRecord::eid_prefix).collect::<Vec<_>>(),
    };
    let eid_ad = told(EidAd::sign(KDF, hmac, w.flag("cant-sign"), &prefixes, &otk))?;
    reply.security = Some(told(ReplyAd::unsigned(eid_ad, hmac))?);
    let mut payload = bytes(&Message::MapReply(reply))?;
    told(sign_reply(&mut payload, &told(otk.derive_ms_otk(KDF))?))?;
    Ok(payload)
}

/// The same, as it was sent.
pub fn show_reply(known: &Known, reply: &MapReply, payload: &[u8]) -> Option<String> {
    reply.security.as_ref()?;
    let verified = known.otks.get(&reply.nonce).map(|otk| verify_reply(payload, otk));
    Some(match verified {
        Some(Ok(signed)) if signed.etr_cant_sign => format!("signed={} cant-sign", signed.hmac_id),
        Some(Ok(signed)) => format!("signed={}", signed.hmac_id),
        _ => "signed=?".into(),
    })
}
