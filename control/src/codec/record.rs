//! EID-records and RLOC-records: the mapping itself (RFC 9301 section 5.4).

use super::read::Reader;
use super::write::{Put, count, fits};
use super::{Address, DecodeError, EncodeError, MAX_LOCATORS, MAX_RECORDS, is_martian};
use crate::engine::event::EidPrefix;
use std::net::IpAddr;

/// What to do with packets for an EID-prefix without locators: ACT (RFC 9301 section 5.4, RFC
/// 9437 for Map-Notify). The unassigned values 6 and 7 are taken as 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MapAction {
    /// 0: entry is kept, nothing is encapsulated.
    #[default]
    NoAction = 0,
    /// 1: forward natively.
    NativelyForward = 1,
    /// 2: packets that match trigger a Map-Request.
    SendMapRequest = 2,
    /// 3: drop, no reason given.
    DropNoReason = 3,
    /// 4: drop, policy denied.
    DropPolicyDenied = 4,
    /// 5: drop, authentication failure.
    DropAuthFailure = 5,
}

impl MapAction {
    /// From the three bits of ACT.
    #[must_use]
    pub const fn from_bits(act: u8) -> Self {
        match act {
            1 => Self::NativelyForward,
            2 => Self::SendMapRequest,
            3 => Self::DropNoReason,
            4 => Self::DropPolicyDenied,
            5 => Self::DropAuthFailure,
            _ => Self::NoAction,
        }
    }
}

/// An EID-prefix and its locator-set.
///
/// ```text
/// |                          Record TTL                           |
/// | Locator Count | EID mask-len  | ACT |A|      Reserved         |
/// | Rsvd  |  Map-Version Number   |       EID-Prefix-AFI          |
/// |                          EID-Prefix ...                       |
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EidRecord {
    /// Life of the mapping in minutes. 0: remove at once; `u32::MAX`: the receiver decides.
    pub ttl_minutes: u32,
    /// Bits of the (inner) address that count (TRAP 10).
    pub mask_len: u8,
    /// ACT; [`MapAction::NoAction`] whenever a locator counts.
    pub action: MapAction,
    /// A: from an ETR of the site. A proxy must send 0.
    pub authoritative: bool,
    /// Map-Version, 12 bits; 0 = none (RFC 9302).
    pub map_version: u16,
    /// EID, host bits zero.
    pub eid: Address,
    /// Locators in wire order: the ordinal numbers the Locator-Status-Bits.
    pub locators: Vec<LocatorRecord>,
}

/// A locator of a mapping.
///
/// ```text
/// |  Priority     |    Weight     |  M Priority   |   M Weight    |
/// |        Unused Flags     |L|p|R|           Loc-AFI             |
/// |                             Locator ...                       |
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LocatorRecord {
    /// Lower is better; 255 = not for unicast.
    pub priority: u8,
    /// Relative share among equal priority, no percentage (TRAP 13).
    pub weight: u8,
    /// Multicast priority; 255 = not for multicast.
    pub m_priority: u8,
    /// Multicast weight.
    pub m_weight: u8,
    /// L: it is the replying ETR's own.
    pub local: bool,
    /// p: it is the locator that was probed.
    pub probed: bool,
    /// R: the sender has a route to it. R=0 in a Map-Reply: must not be encapsulated to.
    pub reachable: bool,
    /// The locator.
    pub address: Address,
}

const ACT_SHIFT: u16 = 13;
const FLAG_A: u16 = 0x1000;
const FLAG_LOCAL: u16 = 0x0004;
const FLAG_PROBED: u16 = 0x0002;
const FLAG_REACHABLE: u16 = 0x0001;

impl EidRecord {
    /// A record without locators: negative if it is sent like that.
    #[must_use]
    pub fn new(eid: EidPrefix, ttl_minutes: u32) -> Self {
        Self {
            ttl_minutes,
            mask_len: eid.prefix.prefix_len(),
            action: MapAction::NoAction,
            authoritative: false,
            map_version: 0,
            eid: Address::from_eid(eid.iid, eid.prefix.network()),
            locators: Vec::new(),
        }
    }

    /// The EID-prefix in canonical form (TRAP 10, 11); `None` if it is none of IP.
    #[must_use]
    pub fn eid_prefix(&self) -> Option<EidPrefix> {
        self.eid.eid_prefix(self.mask_len)
    }

    /// No locator is left when those that must be ignored are (RFC 9306 section 3): ACT counts.
    #[must_use]
    pub fn is_negative(&self) -> bool {
        self.locators.iter().all(|l| l.address.is_ignored_locator())
    }

    /// Puts the locators into the order in which they must be sent: IPv4 before IPv6, ascending,
    /// LCAFs last (R-046).
    pub fn sort_locators(&mut self) {
        self.locators.sort_by_key(|l| l.address.sort_key());
    }

    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let head = RecordHead::decode(r)?;
        let eid = Address::decode_eid(r, head.mask_len)?;
        let locators = LocatorRecord::decode_set(r, head.locator_count)?;
        let mut record = Self {
            ttl_minutes: head.ttl_minutes,
            mask_len: head.mask_len,
            action: MapAction::NoAction,
            authoritative: head.authoritative(),
            map_version: head.map_version(),
            eid,
            locators,
        };
        // wire.md 5.1: ACT is ignored when there are locators.
        if record.is_negative() {
            record.action = MapAction::from_bits(head.act());
        }
        Ok(record)
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let act = if self.is_negative() { self.action as u16 } else { 0 };
        let head = RecordHead {
            ttl_minutes: self.ttl_minutes,
            locator_count: count(self.locators.len(), MAX_LOCATORS, "locators of a record")?,
            mask_len: self.mask_len,
            flags: act << ACT_SHIFT | if self.authoritative { FLAG_A } else { 0 },
            version: fits12(self.map_version)?,
        };
        head.encode(out);
        self.eid.encode_eid(self.mask_len, out)?;
        self.locators.iter().try_for_each(|locator| locator.encode(out))
    }

    /// `count` records one after the other.
    pub(super) fn decode_all(r: &mut Reader<'_>, count: u8) -> Result<Vec<Self>, DecodeError> {
        let count = check_record_count(count)?;
        let mut records = Vec::with_capacity(count.min(r.rest().len() / RecordHead::MIN_LEN));
        for _ in 0..count {
            records.push(Self::decode(r)?);
        }
        Ok(records)
    }

    /// Locators worth encapsulating to, before reachability is known: with a usable address, R=1,
    /// and a priority other than 255 (wire.md 5.2).
    pub fn usable_locators(&self) -> impl Iterator<Item = (&LocatorRecord, IpAddr)> {
        self.locators
            .iter()
            .filter(|l| l.reachable && l.priority != LocatorRecord::UNUSABLE)
            .filter_map(|l| Some((l, l.rloc()?)))
    }
}

/// `count` of a message's header, capped: work per message is bounded.
pub(super) fn check_record_count(count: u8) -> Result<usize, DecodeError> {
    let count = usize::from(count);
    if count > MAX_RECORDS { Err(DecodeError::TooManyRecords(count)) } else { Ok(count) }
}

/// A Map-Version has 12 bits.
pub(super) fn fits12(version: u16) -> Result<u16, EncodeError> {
    fits(version.into(), 12, "Map-Version").map(|_| version)
}

/// The first 10 bytes of a record, shared by EID-records and referrals.
pub(super) struct RecordHead {
    pub(super) ttl_minutes: u32,
    pub(super) locator_count: u8,
    pub(super) mask_len: u8,
    /// ACT, A, I, reserved.
    pub(super) flags: u16,
    /// Reserved or signature count, Map-Version.
    pub(super) version: u16,
}

impl RecordHead {
    /// With the EID's AFI.
    pub(super) const MIN_LEN: usize = 12;

    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            ttl_minutes: r.u32("record TTL")?,
            locator_count: r.u8("locator count")?,
            mask_len: r.u8("EID mask-len")?,
            flags: r.u16("record flags")?,
            version: r.u16("Map-Version")?,
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.put_u32(self.ttl_minutes);
        out.put_u8(self.locator_count);
        out.put_u8(self.mask_len);
        out.put_u16(self.flags);
        out.put_u16(self.version);
    }

    pub(super) const fn act(&self) -> u8 {
        // Three bits: always fits.
        (self.flags >> ACT_SHIFT) as u8
    }

    pub(super) const fn authoritative(&self) -> bool {
        self.flags & FLAG_A != 0
    }

    pub(super) const fn map_version(&self) -> u16 {
        self.version & 0x0FFF
    }
}

impl LocatorRecord {
    /// Priority of a locator that must not be used for unicast.
    pub const UNUSABLE: u8 = 255;

    /// A unicast locator with R=1, as an ETR or a Map-Server sends it.
    #[must_use]
    pub const fn new(rloc: IpAddr, priority: u8, weight: u8) -> Self {
        Self {
            priority,
            weight,
            m_priority: Self::UNUSABLE,
            m_weight: 0,
            local: false,
            probed: false,
            reachable: true,
            address: Address::Ip(rloc),
        }
    }

    /// The address to encapsulate to, martians left out; see [`Address::rloc`].
    #[must_use]
    pub fn rloc(&self) -> Option<IpAddr> {
        self.address.rloc().filter(|ip| !is_martian(*ip))
    }

    /// The ETR that it stands for, martians left out; see [`Address::etr`].
    #[must_use]
    pub fn etr(&self) -> Option<IpAddr> {
        self.address.etr().filter(|ip| !is_martian(*ip))
    }

    pub(super) fn decode_set(r: &mut Reader<'_>, count: u8) -> Result<Vec<Self>, DecodeError> {
        let count = usize::from(count);
        if count > MAX_LOCATORS {
            return Err(DecodeError::TooManyLocators(count));
        }
        let mut locators = Vec::with_capacity(count.min(r.rest().len() / 8));
        for _ in 0..count {
            locators.push(Self::decode(r)?);
        }
        Ok(locators)
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let [priority, weight, m_priority, m_weight] = r.array("locator priorities")?;
        let flags = r.u16("locator flags")?;
        Ok(Self {
            priority,
            weight,
            m_priority,
            m_weight,
            local: flags & FLAG_LOCAL != 0,
            probed: flags & FLAG_PROBED != 0,
            reachable: flags & FLAG_REACHABLE != 0,
            address: Address::decode(r)?,
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.put(&[self.priority, self.weight, self.m_priority, self.m_weight]);
        let mut flags = 0;
        for (on, flag) in
            [(self.local, FLAG_LOCAL), (self.probed, FLAG_PROBED), (self.reachable, FLAG_REACHABLE)]
        {
            flags |= if on { flag } else { 0 };
        }
        out.put_u16(flags);
        self.address.encode(out)
    }
}
