//! Map-Referral (RFC 8111 section 6.4).

use super::{Address, LocatorRecord};

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
