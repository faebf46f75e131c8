//! LISP-SEC: one-time keys and what is computed with them (RFC 9303 sections 6.4 to 6.9).
//!
//! The ITR makes an OTK per Map-Request and sends it wrapped to its Map-Resolver, the Map-Server
//! signs the EID-prefixes with it and hands a key derived from it to the ETR, the ETR signs the
//! Map-Reply with that. RFC 9303 leaves inputs of the derivations open; our reading is in
//! `derive_key` and nowhere else.

use super::auth::hmac;
use super::lisp_sec::{AES_KEY_WRAP_128, HMAC_SHA1_96, NULL_KEY_WRAP_128, tag_len};
use super::read::Reader;
use super::{DecodeError, EcmAd, EidAd, EidRecord, EncodeError, ReplyAd};
use crate::engine::config::Secret;
use crate::engine::event::EidPrefix;
use aes_kw::{KeyInit, KwAes128};
use hkdf::Hkdf;
use hmac::Hmac;
use sha1::Sha1;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// KDF ID: HKDF-SHA1-128.
pub const KDF_HKDF_SHA1_128: u16 = 1;
/// KDF ID: HKDF-SHA256.
pub const KDF_HKDF_SHA256: u16 = 2;

/// Why LISP-SEC data could not be made or is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SecError {
    /// Message or authentication data malformed.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// Does not fit its fields.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// OTK wrap ID we do not know, or NULL-KEY-WRAP where it is not allowed.
    #[error("OTK wrap ID {0} is not accepted")]
    WrapId(u8),
    /// KDF ID we do not know.
    #[error("KDF ID {0} is not known")]
    KdfId(u16),
    /// The OTK does not unwrap under this key: discard the message.
    #[error("the one-time key does not unwrap")]
    Unwrap,
    /// There is no authentication data to check.
    #[error("no LISP-SEC authentication data")]
    Missing,
    /// EID HMAC wrong.
    #[error("the EID HMAC does not match")]
    EidMismatch,
    /// PKT HMAC wrong.
    #[error("the PKT HMAC does not match")]
    PktMismatch,
}

impl SecError {
    /// Short constant name, for counters.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Decode(_) => "lisp_sec_malformed",
            Self::Encode(_) => "lisp_sec_encode",
            Self::WrapId(_) => "lisp_sec_wrap_id",
            Self::KdfId(_) => "lisp_sec_kdf_id",
            Self::Unwrap => "lisp_sec_unwrap",
            Self::Missing => "lisp_sec_missing",
            Self::EidMismatch => "lisp_sec_eid_hmac",
            Self::PktMismatch => "lisp_sec_pkt_hmac",
        }
    }
}

/// A one-time key of 128 bits. Never printed, wiped when dropped.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Otk([u8; 16]);

impl Otk {
    /// From random bytes, or from another node.
    #[must_use]
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// MS-OTK from ITR-OTK: what the ETR signs with, which tells it nothing of the ITR-OTK.
    ///
    /// # Errors
    /// [`SecError::KdfId`].
    pub fn derive_ms_otk(&self, kdf_id: u16) -> Result<Self, SecError> {
        Ok(Self(*derive_key(kdf_id, &self.0)?))
    }
}

impl std::fmt::Debug for Otk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Otk(..)")
    }
}

/// 16 bytes by HKDF from the input keying material; salt and info are empty, by our reading.
fn derive_key(kdf_id: u16, ikm: &[u8]) -> Result<Zeroizing<[u8; 16]>, SecError> {
    let mut key = Zeroizing::new([0; 16]);
    match kdf_id {
        KDF_HKDF_SHA1_128 => Hkdf::<Sha1>::new(None, ikm).expand(b"", &mut *key),
        // 0 = no preference: the one that everybody has.
        0 | KDF_HKDF_SHA256 => Hkdf::<Sha256>::new(None, ikm).expand(b"", &mut *key),
        other => return Err(SecError::KdfId(other)),
    }
    .map_err(|_| SecError::KdfId(kdf_id))?;
    Ok(key)
}

/// Key that wraps the OTK of the Map-Request with this nonce (RFC 9303 section 6.5).
fn wrap_cipher(nonce: u64, secret: &Secret) -> Result<KwAes128, SecError> {
    let ikm = Zeroizing::new([&nonce.to_be_bytes(), b"OTK-Key-Wrap".as_slice(), secret.expose()].concat());
    let key = derive_key(KDF_HKDF_SHA256, &ikm)?;
    KwAes128::new_from_slice(key.as_slice()).map_err(|_| SecError::Unwrap)
}

impl EcmAd {
    /// Authentication Data for an ECM that carries `otk`, wrapped for who shares `secret`.
    ///
    /// # Errors
    /// None that its arguments can cause.
    pub fn wrap(
        otk: &Otk,
        nonce: u64,
        key_id: u8,
        secret: &Secret,
        requested_hmac_id: u16,
        eid_ad: EidAd,
    ) -> Result<Self, SecError> {
        let mut wrapped = [0; 24];
        wrap_cipher(nonce, secret)?.wrap_key(&otk.0, &mut wrapped).map_err(|_| SecError::Unwrap)?;
        let (preamble, otk) = wrapped.split_first_chunk::<8>().ok_or(SecError::Unwrap)?;
        Ok(Self {
            requested_hmac_id,
            key_id,
            wrap_id: AES_KEY_WRAP_128,
            preamble: *preamble,
            otk: *otk.first_chunk().ok_or(SecError::Unwrap)?,
            eid_ad,
        })
    }

    /// The same with the OTK in clear, which is only allowed under DTLS.
    #[must_use]
    pub const fn plain(otk: &Otk, key_id: u8, requested_hmac_id: u16, eid_ad: EidAd) -> Self {
        Self { requested_hmac_id, key_id, wrap_id: NULL_KEY_WRAP_128, preamble: [0; 8], otk: otk.0, eid_ad }
    }

    /// The OTK of the ECM whose Map-Request has this nonce.
    ///
    /// # Errors
    /// Wrap ID not accepted (a plain OTK needs `plain_allowed`), or wrong key.
    pub fn unwrap_otk(&self, nonce: u64, secret: &Secret, plain_allowed: bool) -> Result<Otk, SecError> {
        match self.wrap_id {
            NULL_KEY_WRAP_128 if plain_allowed => Ok(Otk(self.otk)),
            AES_KEY_WRAP_128 => {
                let wrapped = [self.preamble.as_slice(), &self.otk].concat();
                let mut otk = Otk([0; 16]);
                wrap_cipher(nonce, secret)?.unwrap_key(&wrapped, &mut otk.0).map_err(|_| SecError::Unwrap)?;
                Ok(otk)
            }
            other => Err(SecError::WrapId(other)),
        }
    }
}

impl EidAd {
    /// The Map-Server's: vouches for `prefixes` with the OTK of the ITR.
    ///
    /// # Errors
    /// HMAC ID unknown, or too many prefixes.
    pub fn sign(
        kdf_id: u16,
        hmac_id: u16,
        etr_cant_sign: bool,
        prefixes: &[EidPrefix],
        itr_otk: &Otk,
    ) -> Result<Self, SecError> {
        let mut ad = Self::unsigned(kdf_id, hmac_id, etr_cant_sign, prefixes, tag_len(hmac_id)?)?;
        let tag = ad.tag(itr_otk)?.ok_or(SecError::Missing)?;
        let at = ad.wire.len() - tag.len();
        if let Some(field) = ad.wire.get_mut(at..) {
            field.copy_from_slice(&tag);
        }
        Ok(ad)
    }

    /// Checks the EID HMAC, at the ITR.
    ///
    /// # Errors
    /// [`SecError::EidMismatch`], or nothing is signed.
    pub fn verify(&self, itr_otk: &Otk) -> Result<(), SecError> {
        let tag = self.tag(itr_otk)?.ok_or(SecError::Missing)?;
        let sent = self.wire.get(self.wire.len() - tag.len()..).unwrap_or_default();
        if bool::from(tag.ct_eq(sent)) { Ok(()) } else { Err(SecError::EidMismatch) }
    }

    /// EID HMAC: from the length field on, itself zero (wire.md 11 on RFC 9303 section 6.9).
    fn tag(&self, itr_otk: &Otk) -> Result<Option<Vec<u8>>, SecError> {
        let Some((signed, at)) = self.parse()? else { return Ok(None) };
        hmac_with_hole(signed.hmac_id, itr_otk, &self.wire, at).map(Some)
    }
}

/// HMAC over `bytes` with the tag that starts at `at` taken as zero.
fn hmac_with_hole(hmac_id: u16, otk: &Otk, bytes: &[u8], at: usize) -> Result<Vec<u8>, SecError> {
    let len = tag_len(hmac_id)?;
    let cut = SecError::Decode(DecodeError::Truncated("LISP-SEC HMAC"));
    let (before, rest) = bytes.split_at_checked(at).ok_or(cut)?;
    let after = rest.get(len..).ok_or(cut)?;
    let parts = [before, [0; 16].get(..len).ok_or(cut)?, after];
    let full = match hmac_id {
        HMAC_SHA1_96 => hmac::<Hmac<Sha1>>(&otk.0, &parts),
        _ => hmac::<Hmac<Sha256>>(&otk.0, &parts),
    };
    let mut tag = full.map_err(|_| cut)?;
    tag.truncate(len);
    Ok(tag)
}

impl ReplyAd {
    /// To be signed by [`sign_reply`] once the Map-Reply is encoded.
    ///
    /// # Errors
    /// HMAC ID unknown.
    pub fn unsigned(eid_ad: EidAd, pkt_hmac_id: u16) -> Result<Self, SecError> {
        Ok(Self { eid_ad, pkt_hmac_id, pkt_hmac: vec![0; tag_len(pkt_hmac_id)?] })
    }
}

/// Writes the PKT HMAC into an encoded Map-Reply (ETR, or Map-Server for a proxy reply).
///
/// # Errors
/// The bytes are no Map-Reply with Authentication Data.
pub fn sign_reply(message: &mut [u8], ms_otk: &Otk) -> Result<(), SecError> {
    let (ad, at) = find_pkt_hmac(message)?;
    let tag = hmac_with_hole(ad.pkt_hmac_id, ms_otk, message, at)?;
    if let Some(field) = message.get_mut(at..at + tag.len()) {
        field.copy_from_slice(&tag);
    }
    Ok(())
}

/// Checks a received Map-Reply against the OTK of its request, and returns what the Map-Server
/// vouches for. A record outside of these prefixes is an over-claim, for the caller to discard.
///
/// # Errors
/// The Map-Reply must be discarded.
pub fn verify_reply(message: &[u8], itr_otk: &Otk) -> Result<super::lisp_sec::SignedEids, SecError> {
    let (ad, at) = find_pkt_hmac(message)?;
    ad.eid_ad.verify(itr_otk)?;
    let ms_otk = itr_otk.derive_ms_otk(ad.eid_ad.kdf_id())?;
    let tag = hmac_with_hole(ad.pkt_hmac_id, &ms_otk, message, at)?;
    if !bool::from(tag.ct_eq(&ad.pkt_hmac)) {
        return Err(SecError::PktMismatch);
    }
    ad.eid_ad.signed().ok_or(SecError::Missing)
}

/// The Authentication Data of a Map-Reply and where its PKT HMAC starts.
fn find_pkt_hmac(message: &[u8]) -> Result<(ReplyAd, usize), SecError> {
    let r = &mut Reader::new(message);
    let [first, _, _, record_count] = r.array("Map-Reply header")?;
    if first >> 4 != 2 || first & 0x02 == 0 {
        return Err(SecError::Missing);
    }
    r.u64("nonce")?;
    EidRecord::decode_all(r, record_count)?;
    let ad = ReplyAd::decode(r)?;
    let at = message.len() - r.rest().len() - ad.pkt_hmac.len();
    Ok((ad, at))
}
