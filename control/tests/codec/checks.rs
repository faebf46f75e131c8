//! What must hold for any bytes at all, one function per decoder. Used by the fuzz targets
//! (`control/fuzz`) and, on their seeds and regressions, by the tests.
//!
//! Each function panics when it does not hold.

use pxtr_control::codec::auth::{self, Coverage};
use pxtr_control::codec::{Message, Otk, SecError, sign_reply, verify_reply};
use pxtr_control::engine::config::Secret;

/// Longer than any UDP payload: lengths of that size do not occur.
const MAX_LEN: usize = 65_507;

/// Decoding does not panic; what decodes encodes, to bytes that decode to the same and are a fixed
/// point; encoding does not make it larger than what it needs on one datagram.
pub fn message(bytes: &[u8]) {
    if bytes.len() > MAX_LEN {
        return;
    }
    let Ok(first) = Message::decode(bytes) else { return };
    let encoded = first.to_bytes().unwrap_or_else(|error| panic!("{error}: {first:?}"));
    assert!(encoded.len() <= bytes.len(), "{} bytes from {}", encoded.len(), bytes.len());
    let second = Message::decode(&encoded).unwrap_or_else(|error| panic!("{error}: {first:?}"));
    assert_eq!(first, second);
    assert_eq!(second.to_bytes().as_ref(), Ok(&encoded));
    if let Message::Ecm(ecm) = &first {
        message(&ecm.payload);
    }
}

/// [`message`] for an ECM. The fuzzer can not guess checksums: they are put right first.
pub fn ecm(bytes: &[u8]) {
    let mut bytes = bytes.to_vec();
    let Some(first) = bytes.first_mut() else { return };
    *first = 0x80 | *first & 0x0F;
    let inner = 4 + if *first & 0x08 != 0 { authentication_data_len(&bytes) } else { 0 };
    put_checksums_right(bytes.get_mut(inner..).unwrap_or_default());
    message(&bytes);
}

/// LISP-SEC Authentication Data of an ECM: 32 bytes, then the EID-AD by its own length.
fn authentication_data_len(bytes: &[u8]) -> usize {
    let length = bytes.get(4 + 32..).and_then(|ad| ad.first_chunk::<2>());
    length.map_or(0, |length| 32 + usize::from(u16::from_be_bytes(*length)))
}

/// IPv4 header checksum computed, UDP checksum 0.
fn put_checksums_right(packet: &mut [u8]) {
    let udp = match packet.first().map(|first| first >> 4) {
        Some(4) => {
            let header_len = usize::from(packet[0] & 0x0F) * 4;
            let Some(header) = packet.get_mut(..header_len.max(20)) else { return };
            header[10..12].fill(0);
            let mut sum: u32 =
                header.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
            while sum > 0xFFFF {
                sum = (sum & 0xFFFF) + (sum >> 16);
            }
            let sum = !u16::try_from(sum).unwrap();
            header[10..12].copy_from_slice(&sum.to_be_bytes());
            header_len
        }
        _ => 40,
    };
    if let Some(checksum) = packet.get_mut(udp + 6..udp + 8) {
        checksum.fill(0);
    }
}

/// [`message`] with the bytes as LCAF in each place that can hold one: ITR-RLOC, EID, locator,
/// last slot of an Info-Reply.
pub fn lcaf(bytes: &[u8]) {
    const LCAF: [u8; 2] = [0x40, 0x03];
    const NONCE: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];
    const ASKED: [u8; 8] = [0, 32, 0, 1, 10, 1, 2, 3];
    let of = |parts: &[&[u8]]| message(&parts.concat());
    of(&[&[0x10, 0, 0, 1], &NONCE, &[0, 0], &LCAF, bytes, &ASKED]);
    of(&[&[0x10, 0, 0, 1], &NONCE, &[0, 0, 0, 1, 192, 0, 2, 1, 0, 24], &LCAF, bytes]);
    let head = [0, 0, 5, 160, 1, 24, 0x10, 0, 0, 0, 0, 1, 10, 1, 2, 0, 1, 100, 255, 0, 0, 5];
    of(&[&[0x20, 0, 0, 1], &NONCE, &head, &LCAF, bytes]);
    of(&[&[0x78, 0, 0, 0], &NONCE, &[0; 12], &LCAF, bytes]);
}

/// Nothing verifies that was not signed; what can be signed verifies, and only under its key.
pub fn auth(bytes: &[u8]) {
    let secret = Secret::new(b"fuzz".to_vec());
    let other = Secret::new(b"zzuf".to_vec());
    assert!(auth::verify(bytes, &secret).is_err(), "a forgery verifies");
    let mut signed = bytes.to_vec();
    if auth::sign(&mut signed, &secret).is_err() {
        assert_eq!(signed, bytes, "changed, but not signed");
        return;
    }
    assert_eq!(auth::verify(&signed, &secret), Ok(Coverage::Whole));
    assert!(auth::verify(&signed, &other).is_err());
    assert_eq!(auth::header(&signed), auth::header(bytes));
    // Signing writes the tag and nothing else.
    let tag = 16..16 + auth::header(bytes).map_or(0, |header| header.tag_len);
    for (at, (before, after)) in bytes.iter().zip(&signed).enumerate() {
        assert!(tag.contains(&at) || before == after, "byte {at}");
    }
}

/// The bytes as Authentication Data behind a Map-Reply without records, and in an ECM.
pub fn lisp_sec(bytes: &[u8]) {
    const INNER: [u8; 28] = [
        0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 10, 1, 2, 3, 0x10, 0xF6, 0x10, 0xF6, 0, 8, 0,
        0,
    ];
    let otk = Otk::new([7; 16]);
    ecm(&[&[0x88, 0, 0, 0], bytes, &INNER].concat());

    let mut reply = [&[0x22, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8], bytes].concat();
    message(&reply);
    assert!(verify_reply(&reply, &otk).is_err(), "a forgery verifies");
    let Ok(Message::MapReply(decoded)) = Message::decode(&reply) else {
        assert!(sign_reply(&mut reply, &otk).is_err(), "no reply, but signed");
        return;
    };
    let Some(ad) = decoded.security else { return };
    // With the key that its receiver would derive, the reply as a whole is right: what is wrong is
    // what the Map-Server signed, or that it signed nothing.
    let Ok(ms_otk) = otk.derive_ms_otk(ad.eid_ad.kdf_id()) else { return };
    sign_reply(&mut reply, &ms_otk).unwrap();
    let expected = if ad.eid_ad.signed().is_some() { SecError::EidMismatch } else { SecError::Missing };
    assert_eq!(verify_reply(&reply, &otk), Err(expected));
}
