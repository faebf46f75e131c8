//! Map-Referral (RFC 8111 section 6.4).

use super::read::Reader;
use super::record::{RecordHead, check_record_count, fits12};
use super::write::{Put, count, length};
use super::{Address, DecodeError, EncodeError, LocatorRecord, MAX_LOCATORS, MAX_RECORDS};
use crate::engine::event::EidPrefix;

/// Type 6.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MapReferral {
    /// That of the Map-Request.
    pub nonce: u64,
    /// Referrals.
    pub records: Vec<ReferralRecord>,
}

/// What a referral says: another table than [`super::MapAction`] (TRAP 23).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReferralAction {
    /// 0: ask these DDT nodes.
    NodeReferral,
    /// 1: ask these Map-Servers.
    MsReferral,
    /// 2: a Map-Server has forwarded the request.
    MsAck,
    /// 3: the Map-Server has no registration.
    MsNotRegistered,
    /// 4: nobody is responsible.
    DelegationHole,
    /// 5: the node asked is not responsible.
    NotAuthoritative,
    /// 6 or 7.
    Unassigned(u8),
}

/// A referral; laid out as an EID-record with the I bit (0x0800) and, in the four bits before the
/// Map-Version, the number of signatures.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ReferralRecord {
    /// Minutes.
    pub ttl_minutes: u32,
    /// Bits of the (inner) address that count.
    pub mask_len: u8,
    /// ACT.
    pub action: ReferralAction,
    /// A.
    pub authoritative: bool,
    /// I: the referral set is incomplete and must not be cached.
    pub incomplete: bool,
    /// Map-Version, 12 bits.
    pub map_version: u16,
    /// EID, host bits zero.
    pub eid: Address,
    /// The nodes or Map-Servers to ask.
    pub referrals: Vec<LocatorRecord>,
    /// Signatures, at most 15; not verified here.
    pub signatures: Vec<ReferralSignature>,
}

/// A signature of a referral record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ReferralSignature {
    /// TTL that was signed, minutes.
    pub original_ttl_minutes: u32,
    /// Not valid after, Unix seconds.
    pub expiration_unix_s: u32,
    /// Not valid before, Unix seconds.
    pub inception_unix_s: u32,
    /// Which key.
    pub key_tag: u16,
    /// 2 = RSA-SHA256.
    pub algorithm: u8,
    /// The signature.
    pub signature: Box<[u8]>,
}

const TYPE: u32 = 0x6000_0000;
const ACT_SHIFT: u16 = 13;
const FLAG_A: u16 = 0x1000;
const FLAG_I: u16 = 0x0800;
/// SigCnt has four bits.
const MAX_SIGNATURES: usize = 15;

impl MapReferral {
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let r = &mut Reader::new(bytes);
        let w0 = r.u32("Map-Referral header")?;
        let nonce = r.u64("nonce")?;
        let record_count = check_record_count(w0.to_be_bytes()[3])?;
        let mut records = Vec::with_capacity(record_count.min(r.rest().len() / RecordHead::MIN_LEN));
        for _ in 0..record_count {
            records.push(ReferralRecord::decode(r)?);
        }
        Ok(Self { nonce, records })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.put_u32(TYPE | u32::from(count(self.records.len(), MAX_RECORDS, "records")?));
        out.put_u64(self.nonce);
        self.records.iter().try_for_each(|record| record.encode(out))
    }
}

impl ReferralAction {
    /// From the three bits of ACT.
    #[must_use]
    pub const fn from_bits(act: u8) -> Self {
        match act & 7 {
            0 => Self::NodeReferral,
            1 => Self::MsReferral,
            2 => Self::MsAck,
            3 => Self::MsNotRegistered,
            4 => Self::DelegationHole,
            5 => Self::NotAuthoritative,
            other => Self::Unassigned(other),
        }
    }

    /// The three bits.
    #[must_use]
    pub const fn bits(self) -> u8 {
        match self {
            Self::NodeReferral => 0,
            Self::MsReferral => 1,
            Self::MsAck => 2,
            Self::MsNotRegistered => 3,
            Self::DelegationHole => 4,
            Self::NotAuthoritative => 5,
            Self::Unassigned(other) => other & 7,
        }
    }

    /// TTL that goes with it, minutes (RFC 8111 section 6.4.1).
    #[must_use]
    pub const fn ttl_minutes(self) -> u32 {
        match self {
            Self::NodeReferral | Self::MsReferral | Self::MsAck => 1440,
            Self::MsNotRegistered => 1,
            Self::DelegationHole => 15,
            Self::NotAuthoritative | Self::Unassigned(_) => 0,
        }
    }
}

impl ReferralRecord {
    /// The EID-prefix in canonical form (TRAP 10, 11); `None` if it is none of IP.
    #[must_use]
    pub fn eid_prefix(&self) -> Option<EidPrefix> {
        self.eid.eid_prefix(self.mask_len)
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let head = RecordHead::decode(r)?;
        let eid = Address::decode_eid(r, head.mask_len)?;
        let referrals = LocatorRecord::decode_set(r, head.locator_count)?;
        let signature_count = usize::from(head.version >> 12);
        let mut signatures = Vec::with_capacity(signature_count);
        for _ in 0..signature_count {
            signatures.push(ReferralSignature::decode(r)?);
        }
        Ok(Self {
            ttl_minutes: head.ttl_minutes,
            mask_len: head.mask_len,
            action: ReferralAction::from_bits(head.act()),
            authoritative: head.authoritative(),
            incomplete: head.flags & FLAG_I != 0,
            map_version: head.map_version(),
            eid,
            referrals,
            signatures,
        })
    }

    fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let signature_count = count(self.signatures.len(), MAX_SIGNATURES, "signatures")?;
        let mut flags = u16::from(self.action.bits()) << ACT_SHIFT;
        flags |= if self.authoritative { FLAG_A } else { 0 };
        flags |= if self.incomplete { FLAG_I } else { 0 };
        let head = RecordHead {
            ttl_minutes: self.ttl_minutes,
            locator_count: count(self.referrals.len(), MAX_LOCATORS, "referrals")?,
            mask_len: self.mask_len,
            flags,
            version: u16::from(signature_count) << 12 | fits12(self.map_version)?,
        };
        head.encode(out);
        self.eid.encode_eid(self.mask_len, out)?;
        self.referrals.iter().try_for_each(|referral| referral.encode(out))?;
        self.signatures.iter().try_for_each(|signature| signature.encode(out))
    }
}

impl ReferralSignature {
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let what = "referral signature";
        let (original_ttl_minutes, expiration_unix_s, inception_unix_s) =
            (r.u32(what)?, r.u32(what)?, r.u32(what)?);
        let (key_tag, len) = (r.u16(what)?, usize::from(r.u16(what)?));
        let [algorithm, _, _, _] = r.array(what)?;
        let signature = r.take(len, what)?.into();
        Ok(Self { original_ttl_minutes, expiration_unix_s, inception_unix_s, key_tag, algorithm, signature })
    }

    fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.put_u32(self.original_ttl_minutes);
        out.put_u32(self.expiration_unix_s);
        out.put_u32(self.inception_unix_s);
        out.put_u16(self.key_tag);
        out.put_u16(length(self.signature.len(), "signature length")?);
        out.put(&[self.algorithm, 0, 0, 0]);
        out.put(&self.signature);
        Ok(())
    }
}
