//! Map-Request (RFC 9301 section 5.2, RFC 9437 section 4).

use super::read::Reader;
use super::record::check_record_count;
use super::write::{Put, count};
use super::{Address, DecodeError, EidRecord, EncodeError, MAX_ITR_RLOCS, MAX_RECORDS};
use crate::engine::event::EidPrefix;

/// Type 1.
///
/// ```text
/// |Type=1 |A|M|P|S|p|s|R|I|  Rsvd   |L|D|   IRC   | Record Count  |
/// |                         Nonce (8 bytes)                       |
/// |         Source-EID-AFI        |   Source EID Address  ...     |
/// |         ITR-RLOC-AFI 1        |    ITR-RLOC Address 1  ...    |
/// |N|  Reserved   | EID mask-len  |        EID-Prefix-AFI         |
/// |                       EID-Prefix  ...                         |
/// |          EID-record with RLOC-records if M=1                  |
/// |          xTR-ID (16), Site-ID (8) if I=1                      |
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MapRequest {
    /// A: the site itself must answer.
    pub authoritative: bool,
    /// P: RLOC-probe.
    pub probe: bool,
    /// S: Solicit-Map-Request.
    pub smr: bool,
    /// p: the sender is a PITR (R-014).
    pub pitr: bool,
    /// s: invoked by an SMR.
    pub smr_invoked: bool,
    /// L: the sender is in the locator-set of its site.
    pub local_xtr: bool,
    /// D: do not send a Map-Reply.
    pub no_reply: bool,
    /// Random.
    pub nonce: u64,
    /// EID of the packet's source, or none.
    pub source_eid: Address,
    /// Where the answer may go: 1..=32; those of unknown kind are left out. `Address::None` alone:
    /// unsubscribe.
    pub itr_rlocs: Vec<Address>,
    /// What is asked for: senders put exactly one (R-052).
    pub records: Vec<MapRequestRecord>,
    /// Mapping of the source EID (M bit), to be verified before use (R-049).
    pub map_data: Option<EidRecord>,
    /// xTR-ID and Site-ID (I bit).
    pub xtr: Option<XtrSiteId>,
}

/// An EID-prefix asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MapRequestRecord {
    /// N: subscribe (RFC 9437).
    pub subscribe: bool,
    /// Bits of the (inner) address that count.
    pub mask_len: u8,
    /// EID, host bits zero.
    pub eid: Address,
}

/// Who an xTR is: the 24 bytes behind the records when I=1 (RFC 9301 section 5.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct XtrSiteId {
    /// xTR-ID, unique within the site.
    pub xtr_id: [u8; 16],
    /// Site-ID.
    pub site_id: u64,
}

const TYPE: u32 = 0x1000_0000;
const A: u32 = 0x0800_0000;
const M: u32 = 0x0400_0000;
const P: u32 = 0x0200_0000;
const S: u32 = 0x0100_0000;
const PITR: u32 = 0x0080_0000;
const SMR_INVOKED: u32 = 0x0040_0000;
const I: u32 = 0x0010_0000;
const L: u32 = 0x0000_4000;
const D: u32 = 0x0000_2000;
const IRC_SHIFT: u32 = 8;
const IRC_MASK: u32 = 0x1F;
const N: u8 = 0x80;

impl MapRequest {
    /// A request for one EID-prefix, all bits clear.
    #[must_use]
    pub fn new(nonce: u64, eid: EidPrefix, itr_rlocs: Vec<Address>) -> Self {
        Self {
            authoritative: false,
            probe: false,
            smr: false,
            pitr: false,
            smr_invoked: false,
            local_xtr: false,
            no_reply: false,
            nonce,
            source_eid: Address::None,
            itr_rlocs,
            records: vec![MapRequestRecord::new(eid)],
            map_data: None,
            xtr: None,
        }
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let r = &mut Reader::new(bytes);
        let w0 = r.u32("Map-Request header")?;
        let nonce = r.u64("nonce")?;
        let source_eid = Address::decode_source_eid(r)?;
        let itr_rlocs = decode_itr_rlocs(r, w0 >> IRC_SHIFT & IRC_MASK)?;
        let record_count = check_record_count(w0.to_be_bytes()[3])?;
        let mut records = Vec::with_capacity(record_count.min(r.rest().len() / 4));
        for _ in 0..record_count {
            records.push(MapRequestRecord::decode(r)?);
        }
        let map_data = if w0 & M != 0 { Some(EidRecord::decode(r)?) } else { None };
        let xtr = if w0 & I != 0 { Some(XtrSiteId::decode(r)?) } else { None };
        Ok(Self {
            authoritative: w0 & A != 0,
            probe: w0 & P != 0,
            smr: w0 & S != 0,
            pitr: w0 & PITR != 0,
            smr_invoked: w0 & SMR_INVOKED != 0,
            local_xtr: w0 & L != 0,
            no_reply: w0 & D != 0,
            nonce,
            source_eid,
            itr_rlocs,
            records,
            map_data,
            xtr,
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let record_count = count(self.records.len(), MAX_RECORDS, "records")?;
        // TRAP 14: the field holds one less than there are.
        let irc = count(self.itr_rlocs.len(), MAX_ITR_RLOCS, "ITR-RLOCs")?
            .checked_sub(1)
            .ok_or(EncodeError::NoItrRloc)?;
        let mut w0 = TYPE | u32::from(irc) << IRC_SHIFT | u32::from(record_count);
        for (on, bit) in [
            (self.authoritative, A),
            (self.map_data.is_some(), M),
            (self.probe, P),
            (self.smr, S),
            (self.pitr, PITR),
            (self.smr_invoked, SMR_INVOKED),
            (self.xtr.is_some(), I),
            (self.local_xtr, L),
            (self.no_reply, D),
        ] {
            w0 |= if on { bit } else { 0 };
        }
        out.put_u32(w0);
        out.put_u64(self.nonce);
        self.source_eid.encode(out)?;
        self.itr_rlocs.iter().try_for_each(|rloc| rloc.encode(out))?;
        self.records.iter().try_for_each(|record| record.encode(out))?;
        if let Some(map_data) = &self.map_data {
            map_data.encode(out)?;
        }
        if let Some(xtr) = &self.xtr {
            xtr.encode(out);
        }
        Ok(())
    }
}

/// The ITR-RLOCs, `irc` being one less than there are (TRAP 14). Those of unknown kind are left
/// out; if none remains there is nowhere to answer.
fn decode_itr_rlocs(r: &mut Reader<'_>, irc: u32) -> Result<Vec<Address>, DecodeError> {
    let mut itr_rlocs = Vec::new();
    for _ in 0..=irc {
        let rloc = Address::decode(r)?;
        if rloc.unknown_lcaf().is_none() {
            itr_rlocs.push(rloc);
        }
    }
    if itr_rlocs.is_empty() { Err(DecodeError::NoItrRloc) } else { Ok(itr_rlocs) }
}

impl MapRequestRecord {
    /// Without subscription.
    #[must_use]
    pub fn new(eid: EidPrefix) -> Self {
        Self {
            subscribe: false,
            mask_len: eid.prefix.prefix_len(),
            eid: Address::from_eid(eid.iid, eid.prefix.network()),
        }
    }

    /// The EID-prefix in canonical form (TRAP 10, 11); `None` if it is none of IP.
    #[must_use]
    pub fn eid_prefix(&self) -> Option<EidPrefix> {
        self.eid.eid_prefix(self.mask_len)
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let [flags, mask_len] = r.array("Map-Request record")?;
        Ok(Self { subscribe: flags & N != 0, mask_len, eid: Address::decode_eid(r, mask_len)? })
    }

    fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.put(&[if self.subscribe { N } else { 0 }, self.mask_len]);
        self.eid.encode_eid(self.mask_len, out)
    }
}

impl XtrSiteId {
    /// Bytes on the wire.
    pub const LEN: usize = 24;

    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        // TRAP 15: malformed if it is not there.
        let left = r.rest().len();
        let mut read = || Ok(Self { xtr_id: r.array("xTR-ID")?, site_id: r.u64("Site-ID")? });
        read().map_err(|_: DecodeError| DecodeError::NoXtrId(left))
    }

    /// From the end of a message whose records end where `r` stands: lispers.net puts bytes
    /// between the two (wire.md 9).
    pub(super) fn decode_at_end(r: &Reader<'_>) -> Result<Self, DecodeError> {
        let rest = r.rest();
        let tail = rest.len().checked_sub(Self::LEN).ok_or(DecodeError::NoXtrId(rest.len()))?;
        Self::decode(&mut Reader::new(rest.get(tail..).unwrap_or_default()))
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.put(&self.xtr_id);
        out.put_u64(self.site_id);
    }
}
