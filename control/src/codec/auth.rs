//! Authentication of Map-Register, Map-Notify, Map-Notify-Ack (RFC 9301 sections 5.6, 5.7) and
//! Info messages: a MAC over the raw bytes.
//!
//! All four carry Key ID, Algorithm ID, length and tag from byte 12 on. The MAC is computed with
//! the tag zero and its length final (TRAP 19): signing therefore starts from an encoded message
//! that already has its tag's room.
//!
//! Algorithm 3 derives a key per message. RFC 9301 leaves two inputs of HKDF open; our reading
//! stands in `HKDF_INFO` and `HKDF_KEY_LEN` and nowhere else.

use super::read::Reader;
use super::{DecodeError, EidRecord};
use crate::engine::config::{AuthAlgorithm, Secret};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::Zeroizing;

/// HKDF "info" of algorithm 3: empty.
const HKDF_INFO: &[u8] = b"";
/// Bytes of the per-message key of algorithm 3.
const HKDF_KEY_LEN: usize = 32;
/// Where Key ID stands.
const AUTH_AT: usize = 12;
/// Where the tag starts.
const TAG_AT: usize = 16;
/// Longest tag of any algorithm; zeros of that length stand in for it.
const ZEROS: [u8; 32] = [0; 32];

/// Why a message is not authentic, or could not be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AuthError {
    /// Not one of the message types that carry a MAC.
    #[error("message type {0} carries no authentication")]
    NotAuthenticated(u8),
    /// Too short for its own authentication field.
    #[error("message ends inside its authentication data")]
    Truncated,
    /// Algorithm ID 0 or one we do not know.
    #[error("authentication algorithm {0} is not accepted")]
    Algorithm(u8),
    /// A tag length that the algorithm does not have (TRAP 19).
    #[error("tag of {len} bytes for algorithm {algorithm_id}")]
    TagLength {
        /// Algorithm ID.
        algorithm_id: u8,
        /// Bytes.
        len: usize,
    },
    /// The tag is not that of this message under this key.
    #[error("the tag does not match")]
    Mismatch,
}

impl AuthError {
    /// Short constant name, for counters.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::NotAuthenticated(_) => "auth_type",
            Self::Truncated => "auth_truncated",
            Self::Algorithm(_) => "auth_algorithm",
            Self::TagLength { .. } => "auth_tag_length",
            Self::Mismatch => "auth_mismatch",
        }
    }
}

/// What the MAC was found to cover (TRAP 19).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// The whole message.
    Whole,
    /// All but xTR-ID and Site-ID, as RFC 9301 section 5.6 has it to the letter: those two are
    /// only claimed.
    WithoutXtrId,
}

/// The authentication fields of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Key ID: which secret to try.
    pub key_id: u8,
    /// Algorithm.
    pub algorithm: AuthAlgorithm,
    /// Bytes of the tag.
    pub tag_len: usize,
}

/// Algorithm ID on the wire.
#[must_use]
pub const fn algorithm_id(algorithm: AuthAlgorithm) -> u8 {
    match algorithm {
        AuthAlgorithm::HmacSha1 => 1,
        AuthAlgorithm::HmacSha256 => 2,
        AuthAlgorithm::HmacSha256Hkdf => 3,
    }
}

/// The algorithm of Info messages for who uses this one elsewhere: they are from before algorithm 3.
#[must_use]
pub const fn for_info(algorithm: AuthAlgorithm) -> AuthAlgorithm {
    match algorithm {
        AuthAlgorithm::HmacSha256Hkdf => AuthAlgorithm::HmacSha256,
        other => other,
    }
}

/// Bytes of the tag that we send: what is deployed for 1 and 2, what the RFC says for 3.
#[must_use]
pub const fn tag_len(algorithm: AuthAlgorithm) -> usize {
    match algorithm {
        AuthAlgorithm::HmacSha1 => 20,
        AuthAlgorithm::HmacSha256 => 32,
        AuthAlgorithm::HmacSha256Hkdf => 16,
    }
}

/// Tag lengths accepted: truncated as in the RFC, or full as deployed.
const fn accepts(algorithm: AuthAlgorithm, len: usize) -> bool {
    match algorithm {
        AuthAlgorithm::HmacSha1 => matches!(len, 12 | 20),
        AuthAlgorithm::HmacSha256 | AuthAlgorithm::HmacSha256Hkdf => matches!(len, 16 | 32),
    }
}

/// Reads the authentication fields, to choose a key.
///
/// # Errors
/// The message can not be verified, whatever the key.
pub fn header(message: &[u8]) -> Result<Header, AuthError> {
    let first = *message.first().ok_or(AuthError::Truncated)?;
    if !matches!(first >> 4, 3 | 4 | 5 | 7) {
        return Err(AuthError::NotAuthenticated(first >> 4));
    }
    let fields = message.get(AUTH_AT..).and_then(|m| m.first_chunk::<4>()).ok_or(AuthError::Truncated)?;
    let [key_id, algorithm_id, high, low] = *fields;
    let tag_len = usize::from(u16::from_be_bytes([high, low]));
    let algorithm = match algorithm_id {
        1 => AuthAlgorithm::HmacSha1,
        2 => AuthAlgorithm::HmacSha256,
        // Info messages are from before algorithm 3: no salt is defined for them.
        3 if first >> 4 != 7 => AuthAlgorithm::HmacSha256Hkdf,
        other => return Err(AuthError::Algorithm(other)),
    };
    if !accepts(algorithm, tag_len) {
        return Err(AuthError::TagLength { algorithm_id, len: tag_len });
    }
    if message.len() < TAG_AT + tag_len {
        return Err(AuthError::Truncated);
    }
    Ok(Header { key_id, algorithm, tag_len })
}

/// Tells a secret from another one, in what is kept on disk: 32 bits of a digest, of no use to who
/// wants to know the secret.
#[must_use]
pub fn fingerprint(secret: &Secret) -> u32 {
    let digest = hmac::<Hmac<Sha256>>(secret.expose(), &[b"which secret this is"]).unwrap_or_default();
    digest.first_chunk().map_or(0, |first| u32::from_be_bytes(*first))
}

/// Computes the MAC of an encoded message and writes it where its tag is.
///
/// # Errors
/// The message has no authentication fields that fit its algorithm.
pub fn sign(message: &mut [u8], secret: &Secret) -> Result<(), AuthError> {
    let header = header(message)?;
    let full = mac(message, header, secret)?;
    let tag = message.get_mut(TAG_AT..TAG_AT + header.tag_len).ok_or(AuthError::Truncated)?;
    tag.copy_from_slice(full.get(..header.tag_len).ok_or(AuthError::Truncated)?);
    Ok(())
}

/// Verifies the MAC of a message as received: over all of it, else over the range that RFC 9301
/// section 5.6 names (TRAP 19). Constant time in the comparison.
///
/// # Errors
/// The message must be dropped.
pub fn verify(message: &[u8], secret: &Secret) -> Result<Coverage, AuthError> {
    let header = header(message)?;
    if matches(message, message, header, secret)? {
        return Ok(Coverage::Whole);
    }
    match rfc_range(message) {
        Some(range) if matches(message, range, header, secret)? => Ok(Coverage::WithoutXtrId),
        _ => Err(AuthError::Mismatch),
    }
}

/// Whether the tag in `message` is the MAC of `range`, a beginning of it.
fn matches(message: &[u8], range: &[u8], header: Header, secret: &Secret) -> Result<bool, AuthError> {
    let full = mac(range, header, secret)?;
    let tag = message.get(TAG_AT..TAG_AT + header.tag_len).ok_or(AuthError::Truncated)?;
    Ok(full.get(..header.tag_len).is_some_and(|ours| bool::from(ours.ct_eq(tag))))
}

/// MAC of `range` with its tag taken as zero, not truncated.
fn mac(range: &[u8], header: Header, secret: &Secret) -> Result<Vec<u8>, AuthError> {
    let before = range.get(..TAG_AT).ok_or(AuthError::Truncated)?;
    let zeros = ZEROS.get(..header.tag_len).ok_or(AuthError::Truncated)?;
    let after = range.get(TAG_AT + header.tag_len..).ok_or(AuthError::Truncated)?;
    let parts = [before, zeros, after];
    match header.algorithm {
        AuthAlgorithm::HmacSha1 => hmac::<Hmac<Sha1>>(secret.expose(), &parts),
        AuthAlgorithm::HmacSha256 => hmac::<Hmac<Sha256>>(secret.expose(), &parts),
        AuthAlgorithm::HmacSha256Hkdf => hmac::<Hmac<Sha256>>(&*message_key(range, secret)?, &parts),
    }
}

/// HMAC over the parts one after the other.
pub(super) fn hmac<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Result<Vec<u8>, AuthError> {
    // An HMAC key may have any length: never an error.
    let mut mac = <M as KeyInit>::new_from_slice(key).map_err(|_| AuthError::Mismatch)?;
    parts.iter().for_each(|part| mac.update(part));
    Ok(mac.finalize().into_bytes().to_vec())
}

/// Per-message key of algorithm 3 (RFC 9301 section 5.6): IKM = nonce | PSK, salt by message type.
fn message_key(message: &[u8], secret: &Secret) -> Result<Zeroizing<[u8; HKDF_KEY_LEN]>, AuthError> {
    let message_type = message.first().ok_or(AuthError::Truncated)? >> 4;
    let salt: &[u8] = match message_type {
        3 => b"Map-Register Authentication",
        4 => b"Map-Notify Authentication",
        5 => b"Map-Notify-Ack Authentication",
        other => return Err(AuthError::NotAuthenticated(other)),
    };
    let nonce = message.get(4..AUTH_AT).ok_or(AuthError::Truncated)?;
    let ikm = Zeroizing::new([nonce, secret.expose()].concat());
    let mut key = Zeroizing::new([0; HKDF_KEY_LEN]);
    Hkdf::<Sha256>::new(Some(salt), &ikm)
        .expand(HKDF_INFO, &mut *key)
        .map_err(|_| AuthError::Algorithm(3))?;
    Ok(key)
}

/// "From the type field through the last RLOC-record": only where that is less than the message
/// because xTR-ID and Site-ID follow. Any other trailing bytes are covered by the MAC or forged.
fn rfc_range(message: &[u8]) -> Option<&[u8]> {
    let r = &mut Reader::new(message);
    let [first, _, _, record_count] = r.array("").ok()?;
    let has_xtr_id = match first >> 4 {
        3 => first & 0x02 != 0,
        4 | 5 => first & 0x08 != 0,
        _ => false,
    };
    if !has_xtr_id {
        return None;
    }
    let skip = |r: &mut Reader<'_>| -> Result<usize, DecodeError> {
        r.u64("")?;
        super::AuthData::decode(r)?;
        EidRecord::decode_all(r, record_count)?;
        Ok(r.rest().len())
    };
    let left = skip(r).ok()?;
    (left == super::XtrSiteId::LEN).then(|| message.get(..message.len() - left)).flatten()
}
