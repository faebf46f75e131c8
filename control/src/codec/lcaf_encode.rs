//! LCAF to bytes (RFC 8060 section 4).

use super::write::{Put, count, fits, length};
use super::{Address, EncodeError, Lcaf, MAX_LCAF_DEPTH, MAX_LCAF_ENTRIES};

impl Lcaf {
    /// From behind the AFI. `depth`: LCAFs around this one.
    pub(super) fn encode(&self, out: &mut Vec<u8>, depth: usize) -> Result<(), EncodeError> {
        if depth >= MAX_LCAF_DEPTH {
            return Err(EncodeError::LcafTooDeep);
        }
        let rsvd2 = match self {
            Self::InstanceId { iid_mask_len, address: Address::None, .. } => *iid_mask_len,
            Self::Json { binary, .. } => u8::from(*binary),
            Self::Unknown { rsvd2, .. } => *rsvd2,
            _ => 0,
        };
        out.put(&[0, 0, self.lcaf_type(), rsvd2]);
        let at = out.len();
        out.put_u16(0);
        self.encode_body(out, depth + 1)?;
        // TRAP 9: bytes behind the field itself.
        let body = out.len().saturating_sub(at + 2);
        out.patch_u16(at, length(body, "LCAF length")?);
        Ok(())
    }

    fn encode_body(&self, out: &mut Vec<u8>, depth: usize) -> Result<(), EncodeError> {
        match self {
            Self::Null => Ok(()),
            Self::AfiList(list) => encode_list(list, out, |a, out| a.encode_nested(out, depth)),
            Self::InstanceId { iid: word, address, .. }
            | Self::AsNumber { asn: word, address }
            | Self::EncapFormat { formats: word, address } => {
                out.put_u32(*word);
                address.encode_nested(out, depth)
            }
            Self::ApplicationData { tos, protocol, local_ports, remote_ports, address } => {
                out.put_u32(fits(*tos, 24, "TOS or flow label")? << 8 | u32::from(*protocol));
                for port in [local_ports.0, local_ports.1, remote_ports.0, remote_ports.1] {
                    out.put_u16(port);
                }
                address.encode_nested(out, depth)
            }
            Self::Geo { coordinates, address } => {
                out.put(coordinates);
                address.encode_nested(out, depth)
            }
            Self::NatTraversal { ms_port, etr_port, global_etr, ms, private_etr, rtrs } => {
                out.put_u16(*ms_port);
                out.put_u16(*etr_port);
                for address in [global_etr, ms, private_etr] {
                    address.encode_nested(out, depth)?;
                }
                encode_list(rtrs, out, |a, out| a.encode_nested(out, depth))
            }
            Self::NonceLocator { nonce, address } => {
                out.put_u32(fits(*nonce, 24, "nonce of a locator")?);
                address.encode_nested(out, depth)
            }
            Self::Multicast { iid, source_mask_len, group_mask_len, source, group } => {
                out.put_u32(*iid);
                encode_pair([*source_mask_len, *group_mask_len], [source, group], out, depth)
            }
            Self::SourceDest { source_mask_len, dest_mask_len, source, dest } => {
                encode_pair([*source_mask_len, *dest_mask_len], [source, dest], out, depth)
            }
            Self::Elp(hops) => encode_list(hops, out, |hop, out| {
                let flags = u16::from(hop.lookup) << 2 | u16::from(hop.probe) << 1 | u16::from(hop.strict);
                out.put_u16(flags);
                hop.address.encode_nested(out, depth)
            }),
            Self::Rle(entries) => encode_list(entries, out, |entry, out| {
                out.put_u32(u32::from(entry.level));
                entry.address.encode_nested(out, depth)
            }),
            Self::SecurityKey { cipher_suite, revoke, keys, address } => {
                let key_count = count(keys.len(), MAX_LCAF_ENTRIES, "key count")?;
                out.put(&[key_count, 0, *cipher_suite, u8::from(*revoke)]);
                for key in keys {
                    out.put_u16(length(key.len(), "key length")?);
                    out.put(key);
                }
                address.encode_nested(out, depth)
            }
            Self::Json { json, address, .. } => {
                out.put_u16(length(json.len(), "JSON length")?);
                out.put(json);
                address.encode_nested(out, depth)
            }
            Self::KeyValue { key, value } => {
                key.encode_nested(out, depth)?;
                value.encode_nested(out, depth)
            }
            Self::Unknown { body, .. } => {
                out.put(body);
                Ok(())
            }
        }
    }
}

fn encode_list<T>(
    entries: &[T],
    out: &mut Vec<u8>,
    mut one: impl FnMut(&T, &mut Vec<u8>) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    count(entries.len(), MAX_LCAF_ENTRIES, "entries of an LCAF")?;
    entries.iter().try_for_each(|entry| one(entry, out))
}

/// Two prefixes: reserved (2), mask-lens (1 + 1), addresses. Types 9 and 12.
fn encode_pair(
    mask_lens: [u8; 2],
    addresses: [&Address; 2],
    out: &mut Vec<u8>,
    depth: usize,
) -> Result<(), EncodeError> {
    for (mask_len, address) in mask_lens.iter().zip(addresses) {
        match address.mask_bits() {
            Some(address_bits) if *mask_len > address_bits => {
                return Err(EncodeError::MaskLen { mask_len: *mask_len, address_bits });
            }
            _ => {}
        }
    }
    out.put_u16(0);
    out.put(&mask_lens);
    addresses.iter().try_for_each(|a| a.encode_nested(out, depth))
}
