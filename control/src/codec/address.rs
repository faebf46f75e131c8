//! Addresses as LISP carries them: a 16-bit AFI, then what that AFI says (RFC 9301 section 5.1).

use super::read::Reader;
use super::write::Put;
use super::{DecodeError, ElpHop, EncodeError, Lcaf};
use crate::engine::event::{EidPrefix, Iid};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const AFI_NONE: u16 = 0;
const AFI_IPV4: u16 = 1;
const AFI_IPV6: u16 = 2;
const AFI_MAC: u16 = 6;
const AFI_NAME: u16 = 17;
const AFI_LCAF: u16 = 16387;
/// MAC address as VPP sends it.
const AFI_MAC_EUI48: u16 = 16389;

/// An AFI-encoded address. An AFI not in this list has no known length: the message is dropped.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// AFI 0: no address. Source-EID of refreshes and RLOC-probes; unsubscription (RFC 9437).
    None,
    /// AFI 1 or 2.
    Ip(IpAddr),
    /// AFI 6 (also accepted as 16389, which VPP sends).
    Mac([u8; 6]),
    /// AFI 17: distinguished name (RFC 9735), without its NUL.
    Name(Box<[u8]>),
    /// AFI 16387: LISP Canonical Address Format (RFC 8060).
    Lcaf(Box<Lcaf>),
}

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Self {
        Self::Ip(ip)
    }
}

impl Address {
    /// An EID as it is sent: bare for the default instance, else in an Instance-ID LCAF (TRAP 11).
    #[must_use]
    pub fn from_eid(iid: Iid, ip: IpAddr) -> Self {
        if iid.0 == 0 {
            return Self::Ip(ip);
        }
        Self::Lcaf(Box::new(Lcaf::InstanceId { iid: iid.0, iid_mask_len: 0, address: Self::Ip(ip) }))
    }

    /// The instance and IP address that this names as an EID. "LCAF Instance-ID 0" and the bare
    /// address are the same (TRAP 11). `None`: no address, or a kind that is no IP EID.
    #[must_use]
    pub fn eid(&self) -> Option<(Iid, IpAddr)> {
        match self {
            Self::Ip(ip) => Some((Iid(0), *ip)),
            Self::Lcaf(lcaf) => match **lcaf {
                Lcaf::InstanceId { iid, address: Self::Ip(ip), .. } => Some((Iid(iid), ip)),
                _ => None,
            },
            _ => None,
        }
    }

    /// The EID-prefix that this makes with `mask_len` bits of the inner address (TRAP 10).
    #[must_use]
    pub fn eid_prefix(&self, mask_len: u8) -> Option<EidPrefix> {
        let (iid, ip) = self.eid()?;
        let prefix = IpNet::new(ip, mask_len).ok()?.trunc();
        Some(EidPrefix { iid, prefix })
    }

    /// The IP address to encapsulate to when this is a locator.
    ///
    /// AFI-List: its first usable entry. Wrappers that only add information: the address inside.
    /// Those that would need a feature we do not have (replication lists, other instances, encapsulations other
    /// than LISP): none. An explicit path is no RLOC either (TRAP 12): see [`Self::path`].
    #[must_use]
    pub fn rloc(&self) -> Option<IpAddr> {
        match self {
            Self::Ip(ip) => Some(*ip),
            Self::Lcaf(lcaf) => lcaf.rloc(),
            Self::None | Self::Mac(_) | Self::Name(_) => None,
        }
    }

    /// The hops of an explicit locator path (RFC 8060 section 4.6), when this locator is one.
    #[must_use]
    pub fn path(&self) -> Option<&[ElpHop]> {
        match self {
            Self::Lcaf(lcaf) => lcaf.path(),
            _ => None,
        }
    }

    /// The ETR that this locator stands for: its RLOC, or the end of its path.
    #[must_use]
    pub fn etr(&self) -> Option<IpAddr> {
        self.rloc().or_else(|| self.path()?.last()?.address.rloc())
    }

    /// An LCAF locator that must be ignored because it is unknown or its feature is not supported
    /// (RFC 9306 section 3, RFC 8060 section 5.4).
    #[must_use]
    pub fn is_ignored_locator(&self) -> bool {
        matches!(self, Self::Lcaf(_)) && self.rloc().is_none() && self.path().is_none()
    }

    /// The LCAF type when nothing in this address is of a known kind.
    pub(super) fn unknown_lcaf(&self) -> Option<u8> {
        match self {
            Self::Lcaf(lcaf) => lcaf.unknown(),
            _ => None,
        }
    }

    /// What locators are sorted by (RFC 9301 section 5.5): AFI, LCAF type, address.
    #[must_use]
    pub fn sort_key(&self) -> (u16, u8, u128) {
        match self {
            Self::None => (AFI_NONE, 0, 0),
            Self::Ip(IpAddr::V4(ip)) => (AFI_IPV4, 0, u128::from(ip.to_bits())),
            Self::Ip(IpAddr::V6(ip)) => (AFI_IPV6, 0, ip.to_bits()),
            Self::Mac(_) => (AFI_MAC, 0, 0),
            Self::Name(_) => (AFI_NAME, 0, 0),
            Self::Lcaf(lcaf) => (AFI_LCAF, lcaf.lcaf_type(), 0),
        }
    }

    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::decode_nested(r, 0)
    }

    /// `depth`: LCAFs around this address.
    pub(super) fn decode_nested(r: &mut Reader<'_>, depth: usize) -> Result<Self, DecodeError> {
        match r.u16("AFI")? {
            AFI_NONE => Ok(Self::None),
            AFI_IPV4 => Ok(Self::Ip(Ipv4Addr::from(r.array::<4>("IPv4 address")?).into())),
            AFI_IPV6 => Ok(Self::Ip(Ipv6Addr::from(r.array::<16>("IPv6 address")?).into())),
            AFI_MAC | AFI_MAC_EUI48 => Ok(Self::Mac(r.array("MAC address")?)),
            AFI_NAME => {
                let len = r.rest().iter().position(|&b| b == 0).ok_or(DecodeError::UnterminatedName)?;
                let name = r.take(len, "distinguished name")?.into();
                r.u8("distinguished name")?;
                Ok(Self::Name(name))
            }
            AFI_LCAF => Ok(Self::Lcaf(Box::new(Lcaf::decode(r, depth)?))),
            // RFC 9301 section 5.1: the message MUST be dropped.
            afi => Err(DecodeError::UnknownAfi(afi)),
        }
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.encode_nested(out, 0)
    }

    pub(super) fn encode_nested(&self, out: &mut Vec<u8>, depth: usize) -> Result<(), EncodeError> {
        match self {
            Self::None => out.put_u16(AFI_NONE),
            Self::Ip(IpAddr::V4(ip)) => {
                out.put_u16(AFI_IPV4);
                out.put(&ip.octets());
            }
            Self::Ip(IpAddr::V6(ip)) => {
                out.put_u16(AFI_IPV6);
                out.put(&ip.octets());
            }
            Self::Mac(mac) => {
                out.put_u16(AFI_MAC);
                out.put(mac);
            }
            Self::Name(name) => {
                if name.contains(&0) {
                    return Err(EncodeError::NulInName);
                }
                out.put_u16(AFI_NAME);
                out.put(name);
                out.put_u8(0);
            }
            Self::Lcaf(lcaf) => {
                out.put_u16(AFI_LCAF);
                lcaf.encode(out, depth)?;
            }
        }
        Ok(())
    }

    /// Bits a mask-len may count: `None` where no rule is known.
    pub(super) fn mask_bits(&self) -> Option<u8> {
        match self {
            Self::Ip(IpAddr::V4(_)) => Some(32),
            Self::Ip(IpAddr::V6(_)) => Some(128),
            Self::Mac(_) => Some(48),
            // TRAP 10: the mask-len counts bits of the inner address only.
            Self::Lcaf(lcaf) => match &**lcaf {
                Lcaf::InstanceId { address, .. } if !matches!(address, Self::None) => address.mask_bits(),
                _ => None,
            },
            Self::None | Self::Name(_) => None,
        }
    }

    /// Clears the bits behind `mask_len`, on receipt and on sending.
    pub(super) fn mask(&mut self, mask_len: u8) {
        match self {
            Self::Ip(ip) => *ip = masked(*ip, mask_len),
            Self::Lcaf(lcaf) => {
                if let Lcaf::InstanceId { address: Self::Ip(ip), .. } = &mut **lcaf {
                    *ip = masked(*ip, mask_len);
                }
            }
            Self::None | Self::Mac(_) | Self::Name(_) => {}
        }
    }

    /// An EID without mask-len: RFC 9306 section 3, the message MUST be dropped if it is of unknown
    /// kind.
    pub(super) fn decode_source_eid(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let eid = Self::decode(r)?;
        match eid.unknown_lcaf() {
            Some(lcaf_type) => Err(DecodeError::UnknownEid { lcaf_type }),
            None => Ok(eid),
        }
    }

    /// The EID-Prefix of a record, host bits cleared. The mask-len comes earlier in the record.
    pub(super) fn decode_eid(r: &mut Reader<'_>, mask_len: u8) -> Result<Self, DecodeError> {
        let mut eid = Self::decode_source_eid(r)?;
        match eid.mask_bits() {
            Some(address_bits) if mask_len > address_bits => {
                return Err(DecodeError::MaskLen { mask_len, address_bits });
            }
            _ => eid.mask(mask_len),
        }
        Ok(eid)
    }

    /// The EID-Prefix of a record, host bits cleared (wire.md 5.1).
    pub(super) fn encode_eid(&self, mask_len: u8, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        match self.mask_bits() {
            Some(address_bits) if mask_len > address_bits => {
                return Err(EncodeError::MaskLen { mask_len, address_bits });
            }
            _ => {}
        }
        match self {
            Self::Ip(ip) => Self::Ip(masked(*ip, mask_len)).encode(out),
            Self::Lcaf(_) => {
                let mut eid = self.clone();
                eid.mask(mask_len);
                eid.encode(out)
            }
            Self::None | Self::Mac(_) | Self::Name(_) => self.encode(out),
        }
    }
}

fn masked(ip: IpAddr, mask_len: u8) -> IpAddr {
    IpNet::new(ip, mask_len).map_or(ip, |net| net.network())
}
