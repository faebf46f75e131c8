//! LISP-SEC Authentication Data: layout (RFC 9303 sections 6.1 to 6.3). The cryptography is in
//! [`super::lisp_sec_keys`].

use super::read::Reader;
use super::record::check_record_count;
use super::write::{Put, count, length};
use super::{Address, DecodeError, EncodeError, MAX_RECORDS};
use crate::engine::event::EidPrefix;

/// HMAC ID: HMAC-SHA-1-96, tag of 12 bytes.
pub const HMAC_SHA1_96: u16 = 1;
/// HMAC ID: HMAC-SHA-256-128, tag of 16 bytes.
pub const HMAC_SHA256_128: u16 = 2;
/// Wrap ID: the OTK is plain.
pub const NULL_KEY_WRAP_128: u8 = 1;
/// Wrap ID: AES key wrap under a key made by HKDF-SHA256.
pub const AES_KEY_WRAP_128: u8 = 2;

const AD_TYPE: u8 = 1;
/// Preamble and OTK (TRAP 22: without itself, Key ID and wrap ID).
const OTK_LEN: u16 = 24;
/// The same with them, as some read it.
const OTK_LEN_OTHER: u16 = 28;
/// EID-AD of an ITR: its length field and the KDF ID.
const EID_AD_MIN: usize = 4;
const E_BIT: u8 = 0x80;

/// Bytes of the tag of an HMAC ID.
pub(super) const fn tag_len(hmac_id: u16) -> Result<usize, DecodeError> {
    match hmac_id {
        HMAC_SHA1_96 => Ok(12),
        HMAC_SHA256_128 => Ok(16),
        other => Err(DecodeError::UnknownHmacId(other)),
    }
}

/// Authentication Data of an ECM.
///
/// ```text
/// |   AD Type     |   Unassigned  |        Requested HMAC ID      |
/// |              OTK Length       |     Key ID    |  OTK Wrap. ID |
/// |                    One-Time-Key Preamble (8)                  |
/// |                      One-Time-Key (16)                        |
/// |                    EID-AD, see EidAd                          |
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct EcmAd {
    /// Requested HMAC ID: 0 no preference, 1 HMAC-SHA-1-96, 2 HMAC-SHA-256-128.
    pub requested_hmac_id: u16,
    /// Which secret wraps the OTK.
    pub key_id: u8,
    /// OTK wrap ID: 1 none, 2 AES-KEY-WRAP-128+HKDF-SHA256.
    pub wrap_id: u8,
    /// Preamble: high 64 bits of the wrap's output, zero when not wrapped.
    pub preamble: [u8; 8],
    /// One-time key, wrapped or plain.
    pub otk: [u8; 16],
    /// EID Authentication Data.
    pub eid_ad: EidAd,
}

impl std::fmt::Debug for EcmAd {
    /// Without the key, which may be plain.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EcmAd")
            .field("requested_hmac_id", &self.requested_hmac_id)
            .field("key_id", &self.key_id)
            .field("wrap_id", &self.wrap_id)
            .field("eid_ad", &self.eid_ad)
            .finish_non_exhaustive()
    }
}

/// EID Authentication Data as it stands on the wire, its length field included, already checked.
///
/// Kept as bytes, because every node must pass on exactly what its HMAC covers.
///
/// ```text
/// |         EID-AD Length         |           KDF ID              |
/// | Record Count  |E| Unassigned  |         EID HMAC ID           |
/// |  Unassigned   | EID mask-len  |        EID-Prefix-AFI         |
/// |                       EID-Prefix ...                          |
/// |                          EID HMAC                             |
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EidAd {
    pub(super) wire: Vec<u8>,
}

/// The part of an EID-AD that a Map-Server adds: which EID-prefixes the reply may speak for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedEids {
    /// E: the ETR can not sign.
    pub etr_cant_sign: bool,
    /// EID HMAC ID.
    pub hmac_id: u16,
    /// EID-prefixes; those that are none of IP are left out.
    pub prefixes: Vec<EidPrefix>,
}

/// Authentication Data of a Map-Reply.
///
/// ```text
/// |   AD Type     |                Unassigned                     |
/// |                    EID-AD, see EidAd                          |
/// |         PKT-AD Length         |         PKT HMAC ID           |
/// |                          PKT HMAC                             |
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplyAd {
    /// EID Authentication Data, as the Map-Server made it.
    pub eid_ad: EidAd,
    /// PKT HMAC ID.
    pub pkt_hmac_id: u16,
    /// PKT HMAC over the whole Map-Reply.
    pub pkt_hmac: Vec<u8>,
}

impl EcmAd {
    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let [ad_type, _] = r.array("AD type")?;
        if ad_type != AD_TYPE {
            return Err(DecodeError::UnknownAdType(ad_type));
        }
        let requested_hmac_id = r.u16("requested HMAC ID")?;
        let otk_len = r.u16("OTK length")?;
        if otk_len != OTK_LEN && otk_len != OTK_LEN_OTHER {
            return Err(DecodeError::SecLength { what: "OTK", value: otk_len.into() });
        }
        let [key_id, wrap_id] = r.array("OTK Key ID")?;
        Ok(Self {
            requested_hmac_id,
            key_id,
            wrap_id,
            preamble: r.array("OTK preamble")?,
            otk: r.array("OTK")?,
            eid_ad: EidAd::decode(r)?,
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.put(&[AD_TYPE, 0]);
        out.put_u16(self.requested_hmac_id);
        out.put_u16(OTK_LEN);
        out.put(&[self.key_id, self.wrap_id]);
        out.put(&self.preamble);
        out.put(&self.otk);
        out.put(&self.eid_ad.wire);
    }
}

impl EidAd {
    /// That of an ITR: no more than the KDF it wants.
    #[must_use]
    pub fn request(kdf_id: u16) -> Self {
        let [high, low] = kdf_id.to_be_bytes();
        Self { wire: vec![0, 4, high, low] }
    }

    /// That of a Map-Server, the EID HMAC still zero.
    pub(super) fn unsigned(
        kdf_id: u16,
        hmac_id: u16,
        etr_cant_sign: bool,
        prefixes: &[EidPrefix],
        tag_len: usize,
    ) -> Result<Self, EncodeError> {
        let mut wire = Vec::with_capacity(64);
        wire.put_u16(0);
        wire.put_u16(kdf_id);
        wire.put_u8(count(prefixes.len(), MAX_RECORDS, "EID-AD records")?);
        wire.put_u8(if etr_cant_sign { E_BIT } else { 0 });
        wire.put_u16(hmac_id);
        for eid in prefixes {
            wire.put(&[0, eid.prefix.prefix_len()]);
            Address::from_eid(eid.iid, eid.prefix.network()).encode(&mut wire)?;
        }
        wire.resize(wire.len() + tag_len, 0);
        let len = length(wire.len(), "EID-AD length")?;
        wire.patch_u16(0, len);
        Ok(Self { wire })
    }

    /// KDF ID: 0 no preference, 1 HKDF-SHA1-128, 2 HKDF-SHA256.
    #[must_use]
    pub fn kdf_id(&self) -> u16 {
        self.wire.get(2..).and_then(|kdf| kdf.first_chunk()).map_or(0, |kdf| u16::from_be_bytes(*kdf))
    }

    /// What the Map-Server vouches for; `None` in a request of an ITR.
    #[must_use]
    pub fn signed(&self) -> Option<SignedEids> {
        self.parse().ok()?.map(|(eids, _)| eids)
    }

    /// The signed part and where its HMAC starts in `wire`.
    pub(super) fn parse(&self) -> Result<Option<(SignedEids, usize)>, DecodeError> {
        let r = &mut Reader::new(&self.wire);
        r.u32("EID-AD")?;
        if r.is_empty() {
            return Ok(None);
        }
        let [record_count, flags] = r.array("EID-AD record count")?;
        let hmac_id = r.u16("EID HMAC ID")?;
        let tag_len = tag_len(hmac_id)?;
        let mut prefixes = Vec::new();
        for _ in 0..check_record_count(record_count)? {
            let [_, mask_len] = r.array("EID-AD mask-len")?;
            prefixes.extend(Address::decode_eid(r, mask_len)?.eid_prefix(mask_len));
        }
        let left = r.rest().len();
        if left != tag_len {
            return Err(DecodeError::SecLength { what: "EID HMAC", value: left });
        }
        let signed = SignedEids { etr_cant_sign: flags & E_BIT != 0, hmac_id, prefixes };
        Ok(Some((signed, self.wire.len() - left)))
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        // TRAP 22: this length includes itself.
        let len = usize::from(r.clone().u16("EID-AD length")?);
        if len < EID_AD_MIN {
            return Err(DecodeError::SecLength { what: "EID-AD", value: len });
        }
        let ad = Self { wire: r.take(len, "EID-AD")?.to_vec() };
        ad.parse()?;
        Ok(ad)
    }
}

impl ReplyAd {
    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let [ad_type, _, _, _] = r.array("AD type")?;
        if ad_type != AD_TYPE {
            return Err(DecodeError::UnknownAdType(ad_type));
        }
        let eid_ad = EidAd::decode(r)?;
        let len = usize::from(r.u16("PKT-AD length")?);
        let pkt_hmac_id = r.u16("PKT HMAC ID")?;
        let tag_len = tag_len(pkt_hmac_id)?;
        // TRAP 22: the RFC does not say what this length counts.
        if len != tag_len && len != tag_len + 4 {
            return Err(DecodeError::SecLength { what: "PKT-AD", value: len });
        }
        Ok(Self { eid_ad, pkt_hmac_id, pkt_hmac: r.take(tag_len, "PKT HMAC")?.to_vec() })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.put(&[AD_TYPE, 0, 0, 0]);
        out.put(&self.eid_ad.wire);
        out.put_u16(length(self.pkt_hmac.len() + 4, "PKT-AD length")?);
        out.put_u16(self.pkt_hmac_id);
        out.put(&self.pkt_hmac);
        Ok(())
    }
}
