//! LISP Canonical Address Format (RFC 8060, RFC 9306).
//!
//! ```text
//!  0                   1                   2                   3
//! |           AFI = 16387         |     Rsvd1     |     Flags     |
//! |    Type       |     Rsvd2     |            Length             |
//! ```
//! Length counts the bytes after itself (TRAP 9).

use super::Address;
use std::net::IpAddr;

/// What an LCAF says, by its Type.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Lcaf {
    /// 0: no body.
    Null,
    /// 1: addresses without order.
    AfiList(Vec<Address>),
    /// 2: Instance-ID.
    InstanceId {
        /// Instance-ID, 32 bits.
        iid: u32,
        /// With `Address::None`: number of high-order bits of `iid` that count (an IID range).
        /// Otherwise 0.
        iid_mask_len: u8,
        /// The address in that instance.
        address: Address,
    },
    /// 3: AS number.
    AsNumber {
        /// AS number.
        asn: u32,
        /// Address.
        address: Address,
    },
    /// 4: application data.
    ApplicationData {
        /// TOS, traffic class or flow label: 24 bits.
        tos: u32,
        /// IP protocol.
        protocol: u8,
        /// Local port range, low and high.
        local_ports: (u16, u16),
        /// Remote port range, low and high.
        remote_ports: (u16, u16),
        /// Address.
        address: Address,
    },
    /// 5: geo coordinates.
    Geo {
        /// Latitude, longitude and altitude, not interpreted.
        coordinates: [u8; 12],
        /// Address.
        address: Address,
    },
    /// 7: NAT traversal.
    NatTraversal {
        /// UDP port of the Map-Server.
        ms_port: u16,
        /// UDP port of the ETR as the Map-Server saw it.
        etr_port: u16,
        /// Global (translated) ETR RLOC.
        global_etr: Address,
        /// RLOC of the Map-Server.
        ms: Address,
        /// Private ETR RLOC.
        private_etr: Address,
        /// RLOCs of RTRs.
        rtrs: Vec<Address>,
    },
    /// 8: nonce that the encapsulator must use.
    NonceLocator {
        /// 24 bits.
        nonce: u32,
        /// Address.
        address: Address,
    },
    /// 9: multicast (S,G).
    Multicast {
        /// Instance-ID.
        iid: u32,
        /// Mask length of the source.
        source_mask_len: u8,
        /// Mask length of the group.
        group_mask_len: u8,
        /// Source.
        source: Address,
        /// Group.
        group: Address,
    },
    /// 10: explicit locator path.
    Elp(Vec<ElpHop>),
    /// 11: security key (RFC 8061).
    SecurityKey {
        /// Cipher suite.
        cipher_suite: u8,
        /// R bit: the key is revoked.
        revoke: bool,
        /// Keys, key-ids 1.. in order.
        keys: Vec<Box<[u8]>>,
        /// The locator.
        address: Address,
    },
    /// 12: source and destination prefix.
    SourceDest {
        /// Mask length of the source.
        source_mask_len: u8,
        /// Mask length of the destination.
        dest_mask_len: u8,
        /// Source.
        source: Address,
        /// Destination.
        dest: Address,
    },
    /// 13: replication list.
    Rle(Vec<RleEntry>),
    /// 14: JSON, not parsed.
    Json {
        /// B bit: binary encoding.
        binary: bool,
        /// The text.
        json: Box<[u8]>,
        /// Address.
        address: Address,
    },
    /// 15: key and value.
    KeyValue {
        /// Key.
        key: Address,
        /// Value.
        value: Address,
    },
    /// 16: encapsulations that the locator understands.
    EncapFormat {
        /// Bit set; 0x01 = LISP on UDP 4341.
        formats: u32,
        /// Address.
        address: Address,
    },
    /// Anything else, type 6 (opaque key) included: skipped by its Length (RFC 9306 section 3).
    Unknown {
        /// Type.
        lcaf_type: u8,
        /// The type-specific byte Rsvd2.
        rsvd2: u8,
        /// Body.
        body: Box<[u8]>,
    },
}

/// Types, by number.
pub(super) mod lcaf_type {
    pub const NULL: u8 = 0;
    pub const AFI_LIST: u8 = 1;
    pub const INSTANCE_ID: u8 = 2;
    pub const AS_NUMBER: u8 = 3;
    pub const APPLICATION_DATA: u8 = 4;
    pub const GEO: u8 = 5;
    pub const NAT_TRAVERSAL: u8 = 7;
    pub const NONCE_LOCATOR: u8 = 8;
    pub const MULTICAST: u8 = 9;
    pub const ELP: u8 = 10;
    pub const SECURITY_KEY: u8 = 11;
    pub const SOURCE_DEST: u8 = 12;
    pub const RLE: u8 = 13;
    pub const JSON: u8 = 14;
    pub const KEY_VALUE: u8 = 15;
    pub const ENCAP_FORMAT: u8 = 16;
    pub const VENDOR: u8 = 255;
}

impl Lcaf {
    /// Encapsulation Format: the locator understands LISP on UDP 4341.
    pub const FORMAT_LISP: u32 = 0x01;

    /// Type as on the wire.
    #[must_use]
    pub const fn lcaf_type(&self) -> u8 {
        match self {
            Self::Null => lcaf_type::NULL,
            Self::AfiList(_) => lcaf_type::AFI_LIST,
            Self::InstanceId { .. } => lcaf_type::INSTANCE_ID,
            Self::AsNumber { .. } => lcaf_type::AS_NUMBER,
            Self::ApplicationData { .. } => lcaf_type::APPLICATION_DATA,
            Self::Geo { .. } => lcaf_type::GEO,
            Self::NatTraversal { .. } => lcaf_type::NAT_TRAVERSAL,
            Self::NonceLocator { .. } => lcaf_type::NONCE_LOCATOR,
            Self::Multicast { .. } => lcaf_type::MULTICAST,
            Self::Elp(_) => lcaf_type::ELP,
            Self::SecurityKey { .. } => lcaf_type::SECURITY_KEY,
            Self::SourceDest { .. } => lcaf_type::SOURCE_DEST,
            Self::Rle(_) => lcaf_type::RLE,
            Self::Json { .. } => lcaf_type::JSON,
            Self::KeyValue { .. } => lcaf_type::KEY_VALUE,
            Self::EncapFormat { .. } => lcaf_type::ENCAP_FORMAT,
            Self::Unknown { lcaf_type, .. } => *lcaf_type,
        }
    }

    /// See [`Address::rloc`].
    pub(super) fn rloc(&self) -> Option<IpAddr> {
        match self {
            Self::AfiList(list) => list.iter().filter_map(Address::rloc).find(|ip| !super::is_martian(*ip)),
            // These say something about the locator, which is usable without knowing it. Type 8
            // names a nonce that its PETR may insist on (R-032); without it we can only try.
            Self::AsNumber { address, .. }
            | Self::Geo { address, .. }
            | Self::NonceLocator { address, .. }
            | Self::SecurityKey { address, .. }
            | Self::Json { address, .. } => address.rloc(),
            // An RLOC of another instance is not reached by our underlay.
            Self::InstanceId { iid, address, .. } => address.rloc().filter(|_| *iid == 0),
            // RFC 8060 section 5.9 (encapsulation format): no LISP to where LISP is not listed.
            Self::EncapFormat { formats, address } => {
                address.rloc().filter(|_| formats & Self::FORMAT_LISP != 0)
            }
            // TRAP 12: a path or a replication list is no RLOC by its first entry. A locator for
            // some applications only must not get all traffic. The others name no locator.
            Self::Elp(_)
            | Self::Rle(_)
            | Self::ApplicationData { .. }
            | Self::NatTraversal { .. }
            | Self::Multicast { .. }
            | Self::SourceDest { .. }
            | Self::KeyValue { .. }
            | Self::Null
            | Self::Unknown { .. } => None,
        }
    }

    /// See [`Address::path`].
    pub(super) fn path(&self) -> Option<&[ElpHop]> {
        match self {
            Self::Elp(hops) => Some(hops),
            Self::AsNumber { address, .. }
            | Self::Geo { address, .. }
            | Self::NonceLocator { address, .. }
            | Self::SecurityKey { address, .. }
            | Self::Json { address, .. } => address.path(),
            _ => None,
        }
    }

    /// The type, when nothing in here is of a known kind.
    pub(super) fn unknown(&self) -> Option<u8> {
        match self {
            Self::Unknown { lcaf_type, .. } => Some(*lcaf_type),
            Self::InstanceId { address, .. } => address.unknown_lcaf(),
            Self::AfiList(list) => {
                let (first, rest) = list.split_first()?;
                let first = first.unknown_lcaf()?;
                rest.iter().all(|a| a.unknown_lcaf().is_some()).then_some(first)
            }
            _ => None,
        }
    }
}

/// A hop of an explicit locator path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ElpHop {
    /// L: look the hop up first.
    pub lookup: bool,
    /// P: the hop may be RLOC-probed.
    pub probe: bool,
    /// S: the hop must be used.
    pub strict: bool,
    /// The hop.
    pub address: Address,
}

/// An entry of a replication list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RleEntry {
    /// Level.
    pub level: u8,
    /// The replicator.
    pub address: Address,
}
