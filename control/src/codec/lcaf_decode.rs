//! LCAF from bytes (RFC 8060 section 4).

use super::lcaf::lcaf_type as ty;
use super::read::Reader;
use super::{Address, DecodeError, ElpHop, Lcaf, MAX_LCAF_DEPTH, MAX_LCAF_ENTRIES, RleEntry};

/// Reads the body of one LCAF: knows how deep it is and turns "ends too early" into the error
/// that names the LCAF.
struct Body<'a> {
    r: Reader<'a>,
    lcaf_type: u8,
    depth: usize,
}

impl Lcaf {
    /// From behind the AFI. `depth`: LCAFs around this one.
    pub(super) fn decode(r: &mut Reader<'_>, depth: usize) -> Result<Self, DecodeError> {
        if depth >= MAX_LCAF_DEPTH {
            return Err(DecodeError::LcafTooDeep);
        }
        let [_rsvd1, _flags, lcaf_type, rsvd2] = r.array("LCAF header")?;
        // TRAP 9: Length counts the bytes behind itself. Whatever is read of them, the next
        // field starts behind them.
        let length = usize::from(r.u16("LCAF length")?);
        let body = r.take(length, "LCAF body")?;
        Self::decode_body(body, lcaf_type, rsvd2, depth)
    }

    /// A NAT-Traversal LCAF at the end of an Info-Reply: lispers.net writes a fixed Length of 16
    /// and more fields than that (wire.md 13), so all of the message counts as its body.
    pub(super) fn decode_nat_to_end(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let [_rsvd1, _flags, lcaf_type, rsvd2] = r.array("LCAF header")?;
        let length = usize::from(r.u16("LCAF length")?);
        let rest = r.rest();
        let body = rest.get(..length).ok_or(DecodeError::Truncated("LCAF body"))?;
        match Self::decode_body(body, lcaf_type, rsvd2, 0) {
            Err(DecodeError::LcafOverrun { lcaf_type: ty::NAT_TRAVERSAL }) => {
                Self::decode_body(rest, lcaf_type, rsvd2, 0)
            }
            other => other,
        }
    }

    fn decode_body(bytes: &[u8], lcaf_type: u8, rsvd2: u8, depth: usize) -> Result<Self, DecodeError> {
        let mut body = Body { r: Reader::new(bytes), lcaf_type, depth: depth + 1 };
        body.decode(rsvd2).map_err(|error| match error {
            DecodeError::Truncated(_) | DecodeError::UnterminatedName => {
                DecodeError::LcafOverrun { lcaf_type }
            }
            other => other,
        })
    }
}

impl Body<'_> {
    fn decode(&mut self, rsvd2: u8) -> Result<Lcaf, DecodeError> {
        Ok(match self.lcaf_type {
            ty::NULL => Lcaf::Null,
            ty::AFI_LIST => Lcaf::AfiList(self.list(Self::address)?),
            ty::INSTANCE_ID => self.instance_id(rsvd2)?,
            ty::AS_NUMBER => Lcaf::AsNumber { asn: self.r.u32("")?, address: self.address()? },
            ty::APPLICATION_DATA => self.application_data()?,
            ty::GEO => Lcaf::Geo { coordinates: self.r.array("")?, address: self.address()? },
            ty::NAT_TRAVERSAL => self.nat_traversal()?,
            ty::NONCE_LOCATOR => {
                Lcaf::NonceLocator { nonce: self.r.u32("")? & 0x00FF_FFFF, address: self.address()? }
            }
            ty::MULTICAST => self.multicast()?,
            ty::ELP => Lcaf::Elp(self.list(Self::elp_hop)?),
            ty::SECURITY_KEY => self.security_key()?,
            ty::SOURCE_DEST => self.source_dest()?,
            ty::RLE => Lcaf::Rle(self.list(Self::rle_entry)?),
            ty::JSON => self.json(rsvd2)?,
            ty::KEY_VALUE => Lcaf::KeyValue { key: self.address()?, value: self.address()? },
            ty::ENCAP_FORMAT => Lcaf::EncapFormat { formats: self.r.u32("")?, address: self.address()? },
            ty::VENDOR => {
                // RFC 9306 section 3: unknown organisation, the message MUST be dropped.
                return Err(DecodeError::UnknownVendor { oui: self.r.u32("")? & 0x00FF_FFFF });
            }
            lcaf_type => Lcaf::Unknown { lcaf_type, rsvd2, body: self.r.rest().into() },
        })
    }

    fn address(&mut self) -> Result<Address, DecodeError> {
        Address::decode_nested(&mut self.r, self.depth)
    }

    /// Entries until the Length is used up.
    fn list<T>(
        &mut self,
        mut entry: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        let mut entries = Vec::new();
        while !self.r.is_empty() {
            if entries.len() == MAX_LCAF_ENTRIES {
                return Err(DecodeError::LcafTooLong { lcaf_type: self.lcaf_type });
            }
            entries.push(entry(self)?);
        }
        Ok(entries)
    }

    /// A mask-len and the address it belongs to must agree.
    fn check_mask(mask_len: u8, address: &Address) -> Result<(), DecodeError> {
        match address.mask_bits() {
            Some(address_bits) if mask_len > address_bits => {
                Err(DecodeError::MaskLen { mask_len, address_bits })
            }
            _ => Ok(()),
        }
    }

    fn instance_id(&mut self, rsvd2: u8) -> Result<Lcaf, DecodeError> {
        let iid = self.r.u32("")?;
        let address = self.address()?;
        // The IID mask-len counts only where there is no address: a range of instances.
        let iid_mask_len = if address == Address::None { rsvd2 } else { 0 };
        if iid_mask_len > 32 {
            return Err(DecodeError::MaskLen { mask_len: iid_mask_len, address_bits: 32 });
        }
        Ok(Lcaf::InstanceId { iid, iid_mask_len, address })
    }

    fn application_data(&mut self) -> Result<Lcaf, DecodeError> {
        let [a, b, c, protocol] = self.r.array("")?;
        Ok(Lcaf::ApplicationData {
            tos: u32::from_be_bytes([0, a, b, c]),
            protocol,
            local_ports: (self.r.u16("")?, self.r.u16("")?),
            remote_ports: (self.r.u16("")?, self.r.u16("")?),
            address: self.address()?,
        })
    }

    fn nat_traversal(&mut self) -> Result<Lcaf, DecodeError> {
        Ok(Lcaf::NatTraversal {
            ms_port: self.r.u16("")?,
            etr_port: self.r.u16("")?,
            global_etr: self.address()?,
            ms: self.address()?,
            private_etr: self.address()?,
            rtrs: self.list(Self::address)?,
        })
    }

    fn multicast(&mut self) -> Result<Lcaf, DecodeError> {
        let iid = self.r.u32("")?;
        let [_, _, source_mask_len, group_mask_len] = self.r.array("")?;
        let (source, group) = (self.address()?, self.address()?);
        Self::check_mask(source_mask_len, &source)?;
        Self::check_mask(group_mask_len, &group)?;
        Ok(Lcaf::Multicast { iid, source_mask_len, group_mask_len, source, group })
    }

    fn source_dest(&mut self) -> Result<Lcaf, DecodeError> {
        let [_, _, source_mask_len, dest_mask_len] = self.r.array("")?;
        let (source, dest) = (self.address()?, self.address()?);
        Self::check_mask(source_mask_len, &source)?;
        Self::check_mask(dest_mask_len, &dest)?;
        Ok(Lcaf::SourceDest { source_mask_len, dest_mask_len, source, dest })
    }

    fn elp_hop(&mut self) -> Result<ElpHop, DecodeError> {
        let flags = self.r.u16("")?;
        Ok(ElpHop {
            lookup: flags & 0x0004 != 0,
            probe: flags & 0x0002 != 0,
            strict: flags & 0x0001 != 0,
            address: self.address()?,
        })
    }

    fn rle_entry(&mut self) -> Result<RleEntry, DecodeError> {
        let [_, _, _, level] = self.r.array("")?;
        Ok(RleEntry { level, address: self.address()? })
    }

    fn security_key(&mut self) -> Result<Lcaf, DecodeError> {
        let [key_count, _, cipher_suite, flags] = self.r.array("")?;
        if usize::from(key_count) > MAX_LCAF_ENTRIES {
            return Err(DecodeError::LcafTooLong { lcaf_type: self.lcaf_type });
        }
        let mut keys = Vec::new();
        for _ in 0..key_count {
            let length = usize::from(self.r.u16("")?);
            keys.push(self.r.take(length, "")?.into());
        }
        Ok(Lcaf::SecurityKey { cipher_suite, revoke: flags & 0x01 != 0, keys, address: self.address()? })
    }

    fn json(&mut self, rsvd2: u8) -> Result<Lcaf, DecodeError> {
        let length = usize::from(self.r.u16("")?);
        let json = self.r.take(length, "")?.into();
        Ok(Lcaf::Json { binary: rsvd2 & 0x01 != 0, json, address: self.address()? })
    }
}
