//! LISP-SEC from the ITR's Map-Request to its Map-Reply (RFC 9303 section 6), and what must fail.

use crate::bytes::exact;
use pxtr_control::codec::lisp_sec::{AES_KEY_WRAP_128, HMAC_SHA1_96, HMAC_SHA256_128, NULL_KEY_WRAP_128};
use pxtr_control::codec::lisp_sec_keys::{KDF_HKDF_SHA1_128, KDF_HKDF_SHA256};
use pxtr_control::codec::{
    DecodeError, Ecm, EcmAd, EidAd, EidRecord, InnerHeader, LocatorRecord, MapReply, MapRequest, Message,
    Otk, ReplyAd, SecError, sign_reply, verify_reply,
};
use pxtr_control::engine::config::Secret;
use pxtr_control::engine::event::{EidPrefix, Iid};
use std::net::IpAddr;

const NONCE: u64 = 0x0123_4567_89AB_CDEF;

fn prefix(iid: u32, text: &str) -> EidPrefix {
    EidPrefix { iid: Iid(iid), prefix: text.parse().unwrap() }
}

fn secret() -> Secret {
    Secret::new(b"between ITR and Map-Resolver".to_vec())
}

/// The ECM of an ITR: what its Map-Resolver decodes.
fn ecm_of_an_itr(ad: EcmAd) -> EcmAd {
    let rloc: IpAddr = "192.0.2.1".parse().unwrap();
    let request = MapRequest::new(NONCE, prefix(7, "10.1.2.3/32"), vec![rloc.into()]);
    let inner = InnerHeader::new(rloc, 50000, "10.1.2.3".parse().unwrap());
    let payload = Message::MapRequest(request).to_bytes().unwrap();
    let ecm = Ecm { security: Some(ad), ..Ecm::new(inner, payload) };
    match exact(&Message::Ecm(ecm).to_bytes().unwrap()) {
        Message::Ecm(ecm) => ecm.security.unwrap(),
        other => panic!("{other:?}"),
    }
}

/// The Map-Reply of an ETR that got the MS-OTK, signed.
fn reply_of_an_etr(eid_ad: EidAd, hmac_id: u16, ms_otk: &Otk) -> Vec<u8> {
    let mut record = EidRecord::new(prefix(7, "10.1.2.0/24"), 1440);
    record.authoritative = true;
    record.locators = vec![LocatorRecord::new("198.51.100.1".parse().unwrap(), 1, 100)];
    let security = Some(ReplyAd::unsigned(eid_ad, hmac_id).unwrap());
    let reply = MapReply { security, ..MapReply::new(NONCE, vec![record]) };
    let mut bytes = Message::MapReply(reply).to_bytes().unwrap();
    sign_reply(&mut bytes, ms_otk).unwrap();
    bytes
}

#[test]
fn from_itr_to_map_server_to_etr_and_back() {
    for kdf_id in [0, KDF_HKDF_SHA1_128, KDF_HKDF_SHA256] {
        for hmac_id in [HMAC_SHA1_96, HMAC_SHA256_128] {
            let itr_otk = Otk::new([0x5A; 16]);
            let ad = EcmAd::wrap(&itr_otk, NONCE, 3, &secret(), hmac_id, EidAd::request(kdf_id)).unwrap();
            let at_resolver = ecm_of_an_itr(ad);
            assert_eq!(at_resolver.wrap_id, AES_KEY_WRAP_128);
            assert_eq!((at_resolver.key_id, at_resolver.eid_ad.kdf_id()), (3, kdf_id));
            let at_server = at_resolver.unwrap_otk(NONCE, &secret(), false).unwrap();
            assert_eq!(at_server, itr_otk);

            let eids = [prefix(7, "10.1.2.0/24"), prefix(0, "2001:db8::/32")];
            let eid_ad = EidAd::sign(kdf_id, hmac_id, true, &eids, &at_server).unwrap();
            let ms_otk = at_server.derive_ms_otk(kdf_id).unwrap();
            assert_ne!(ms_otk, itr_otk);
            let reply = reply_of_an_etr(eid_ad, hmac_id, &ms_otk);
            exact(&reply);

            let signed = verify_reply(&reply, &itr_otk).unwrap();
            assert_eq!((signed.etr_cant_sign, signed.hmac_id), (true, hmac_id));
            assert_eq!(signed.prefixes, eids);
        }
    }
}

#[test]
fn no_bit_of_a_protected_reply_can_be_changed() {
    let itr_otk = Otk::new([0x5A; 16]);
    let eids = [prefix(7, "10.1.2.0/24")];
    let eid_ad = EidAd::sign(2, HMAC_SHA256_128, false, &eids, &itr_otk).unwrap();
    let reply = reply_of_an_etr(eid_ad, HMAC_SHA256_128, &itr_otk.derive_ms_otk(2).unwrap());
    for bit in 0..reply.len() * 8 {
        let mut forged = reply.clone();
        forged[bit / 8] ^= 0x80 >> (bit % 8);
        assert!(verify_reply(&forged, &itr_otk).is_err(), "bit {bit}");
    }
    // Bytes behind it are covered too.
    assert_eq!(verify_reply(&[reply.as_slice(), &[0]].concat(), &itr_otk), Err(SecError::PktMismatch));
}

#[test]
fn an_etr_can_not_widen_what_the_map_server_vouched_for() {
    let itr_otk = Otk::new([0x5A; 16]);
    let ms_otk = itr_otk.derive_ms_otk(2).unwrap();
    // The ETR knows MS-OTK only, and signs an EID-AD of its own with it.
    let claimed = EidAd::sign(2, HMAC_SHA256_128, false, &[prefix(7, "10.0.0.0/8")], &ms_otk).unwrap();
    let reply = reply_of_an_etr(claimed, HMAC_SHA256_128, &ms_otk);
    assert_eq!(verify_reply(&reply, &itr_otk), Err(SecError::EidMismatch));
    // It signs a reply with something else.
    let eid_ad = EidAd::sign(2, HMAC_SHA256_128, false, &[prefix(7, "10.1.2.0/24")], &itr_otk).unwrap();
    let reply = reply_of_an_etr(eid_ad, HMAC_SHA256_128, &itr_otk);
    assert_eq!(verify_reply(&reply, &itr_otk), Err(SecError::PktMismatch));
}

#[test]
fn every_lisp_sec_error_is_reached() {
    let otk = Otk::new([1; 16]);
    let ad = EcmAd::wrap(&otk, NONCE, 1, &secret(), 2, EidAd::request(2)).unwrap();
    // Another key, another nonce, a changed wrap.
    let other = Secret::new(b"another".to_vec());
    assert_eq!(ad.unwrap_otk(NONCE, &other, false), Err(SecError::Unwrap));
    assert_eq!(ad.unwrap_otk(NONCE + 1, &secret(), false), Err(SecError::Unwrap));
    let mut changed = ad.clone();
    changed.otk[15] ^= 1;
    assert_eq!(changed.unwrap_otk(NONCE, &secret(), false), Err(SecError::Unwrap));
    // a plain key only where that is allowed.
    let plain = EcmAd::plain(&otk, 1, 2, EidAd::request(2));
    assert_eq!(plain.unwrap_otk(NONCE, &secret(), true), Ok(otk.clone()));
    let refused = plain.unwrap_otk(NONCE, &secret(), false);
    assert_eq!(refused, Err(SecError::WrapId(NULL_KEY_WRAP_128)));
    let unknown = EcmAd { wrap_id: 9, ..plain };
    assert_eq!(unknown.unwrap_otk(NONCE, &secret(), true), Err(SecError::WrapId(9)));

    assert_eq!(otk.derive_ms_otk(9), Err(SecError::KdfId(9)));
    assert_eq!(EidAd::request(2).verify(&otk), Err(SecError::Missing));
    let unknown_hmac = Err(SecError::Decode(DecodeError::UnknownHmacId(9)));
    assert_eq!(EidAd::sign(2, 9, false, &[], &otk), unknown_hmac);
    let many = vec![prefix(0, "10.0.0.0/8"); 65];
    assert!(matches!(EidAd::sign(2, 2, false, &many, &otk), Err(SecError::Encode(_))));

    let bare = Message::MapReply(MapReply::new(NONCE, Vec::new())).to_bytes().unwrap();
    assert_eq!(verify_reply(&bare, &otk), Err(SecError::Missing));
    let request_only = reply_of_an_etr(EidAd::request(2), 2, &otk);
    assert_eq!(verify_reply(&request_only, &otk), Err(SecError::Missing));
    let cut = verify_reply(&request_only[..request_only.len() - 1], &otk);
    assert_eq!(cut, Err(SecError::Decode(DecodeError::Truncated("PKT HMAC"))));
}

#[test]
fn keys_are_never_printed() {
    let otk = Otk::new([0xAB; 16]);
    let plain = EcmAd::plain(&otk, 1, 2, EidAd::request(2));
    for text in [format!("{otk:?}"), format!("{plain:?}"), format!("{:?}", secret())] {
        assert!(!text.contains("171") && !text.contains("ab, ab"), "{text}");
    }
}
