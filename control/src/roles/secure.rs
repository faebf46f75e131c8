//! LISP-SEC at those who answer Map-Requests or pass them on (RFC 9303 sections 6.6 to 6.8).

use crate::codec::lisp_sec::{HMAC_SHA1_96, HMAC_SHA256_128};
use crate::codec::lisp_sec_keys::{KDF_HKDF_SHA256, Otk, SecError};
use crate::codec::{Ecm, EcmAd, EidAd, EidRecord, ReplyAd};
use crate::engine::config::Key;
use crate::engine::event::EidPrefix;
use crate::engine::{Counter, Cx, Meta};

/// What an ITR, or who forwards for it, wants of the answer.
pub(super) struct Demand {
    otk: Otk,
    requested_hmac_id: u16,
    kdf_id: u16,
    /// The EID-AD as it came; at an ETR the Map-Server's.
    eid_ad: EidAd,
}

/// What makes a Map-Reply authentic.
pub(super) struct Signer {
    otk: Otk,
    ad: ReplyAd,
}

/// Unwraps the one-time key of an ECM (RFC 9303 section 6.5). `Ok(None)`: there is none. A plain one
/// is as bad as a wrong one: there is no DTLS here.
pub(super) fn demand<'k>(
    cx: &mut Cx<'_>,
    meta: &Meta,
    keys: impl Iterator<Item = &'k Key>,
    ecm: &Ecm,
    nonce: u64,
) -> Result<Option<Demand>, ()> {
    let Some(ad) = &ecm.security else { return Ok(None) };
    let mut error = SecError::Unwrap;
    for key in keys.filter(|key| key.id == ad.key_id) {
        match ad.unwrap_otk(nonce, &key.secret, false) {
            Ok(otk) => {
                return Ok(Some(Demand {
                    otk,
                    requested_hmac_id: ad.requested_hmac_id,
                    kdf_id: ad.eid_ad.kdf_id(),
                    eid_ad: ad.eid_ad.clone(),
                }));
            }
            Err(why) => error = why,
        }
    }
    cx.notice(Counter::LispSecRequestsRefused, format_args!("Map-Request from {}: {error}", meta.from));
    Err(())
}

impl Demand {
    /// The algorithm wanted, or the one that everybody has.
    fn hmac_id(&self) -> u16 {
        match self.requested_hmac_id {
            known @ (HMAC_SHA1_96 | HMAC_SHA256_128) => known,
            _ => HMAC_SHA256_128,
        }
    }

    fn vouch(&self, prefixes: &[EidPrefix], etr_cant_sign: bool) -> Result<EidAd, SecError> {
        let kdf_id = if self.kdf_id == 0 { KDF_HKDF_SHA256 } else { self.kdf_id };
        EidAd::sign(kdf_id, self.hmac_id(), etr_cant_sign, prefixes, &self.otk)
    }

    /// Map-Server: for an answer in the ETRs' place (RFC 9303 section 6.7), about these records.
    pub(super) fn answer(&self, records: &[EidRecord], etr_cant_sign: bool) -> Result<Signer, SecError> {
        let prefixes: Vec<EidPrefix> = records.iter().filter_map(EidRecord::eid_prefix).collect();
        let eid_ad = self.vouch(&prefixes, etr_cant_sign)?;
        let otk = self.otk.derive_ms_otk(eid_ad.kdf_id())?;
        Ok(Signer { otk, ad: ReplyAd::unsigned(eid_ad, self.hmac_id())? })
    }

    /// Map-Server: for the ETR that is to answer, which learns nothing of the ITR's key.
    pub(super) fn for_etr(
        &self,
        nonce: u64,
        key: &Key,
        prefix: EidPrefix,
        etr_cant_sign: bool,
    ) -> Result<EcmAd, SecError> {
        let eid_ad = self.vouch(&[prefix], etr_cant_sign)?;
        let otk = self.otk.derive_ms_otk(eid_ad.kdf_id())?;
        EcmAd::wrap(&otk, nonce, key.id, &key.secret, self.hmac_id(), eid_ad)
    }

    /// Map-Resolver: for the Map-Server, under the secret shared with it.
    pub(super) fn for_map_server(&self, nonce: u64, key: &Key) -> Result<EcmAd, SecError> {
        EcmAd::wrap(&self.otk, nonce, key.id, &key.secret, self.requested_hmac_id, self.eid_ad.clone())
    }

    /// ETR: the key is the Map-Server's, and what that vouches for is copied (RFC 9303 section 6.8).
    pub(super) fn etr(self) -> Result<Signer, SecError> {
        let hmac_id = self.hmac_id();
        Ok(Signer { otk: self.otk, ad: ReplyAd::unsigned(self.eid_ad, hmac_id)? })
    }
}

impl Signer {
    /// The authentication data that the Map-Reply is encoded with, and the key that signs it then.
    pub(super) fn into_parts(self) -> (ReplyAd, Otk) {
        (self.ad, self.otk)
    }
}
