//! What can be wrong with a message.

use thiserror::Error;

/// Why a message was not decoded. Each has a stable [`DecodeError::name`] for the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The message ends before a field does.
    #[error("message ends inside {0}")]
    Truncated(&'static str),
    /// Message type that nobody assigned, or that we do not speak.
    #[error("message type {0} is not known")]
    UnknownType(u8),
    /// Shared Extension message (RFC 9304): no sub-type is known here.
    #[error("shared extension sub-type {0} is not known")]
    UnknownSubType(u16),
    /// AFI of unknown length (RFC 9301 section 5.1: drop the message).
    #[error("AFI {0} is not known, the rest can not be read")]
    UnknownAfi(u16),
    /// Distinguished name without NUL.
    #[error("distinguished name without its NUL")]
    UnterminatedName,
    /// LCAFs too deep.
    #[error("LCAFs nested deeper than {max}", max = super::MAX_LCAF_DEPTH)]
    LcafTooDeep,
    /// An LCAF lists more than we are ready to look at.
    #[error("LCAF type {lcaf_type} lists more than {max} entries", max = super::MAX_LCAF_ENTRIES)]
    LcafTooLong {
        /// LCAF type.
        lcaf_type: u8,
    },
    /// An LCAF's fields run past its Length.
    #[error("LCAF type {lcaf_type}: fields run past its length")]
    LcafOverrun {
        /// LCAF type.
        lcaf_type: u8,
    },
    /// Vendor LCAF of an organisation we do not know (RFC 9306 section 3: drop the message).
    #[error("vendor LCAF of unknown OUI {oui:06x}")]
    UnknownVendor {
        /// OUI.
        oui: u32,
    },
    /// An EID that is an LCAF of unknown type (RFC 9306 section 3: drop the message).
    #[error("EID is an LCAF of unknown type {lcaf_type}")]
    UnknownEid {
        /// LCAF type.
        lcaf_type: u8,
    },
    /// mask-len longer than the address.
    #[error("mask-len {mask_len} for an address of {address_bits} bits")]
    MaskLen {
        /// mask-len.
        mask_len: u8,
        /// Bits of the address.
        address_bits: u8,
    },
    /// More records than we are ready to look at.
    #[error("{0} records, at most {max} are accepted", max = super::MAX_RECORDS)]
    TooManyRecords(usize),
    /// More locators than we are ready to look at.
    #[error("{0} locators in a record, at most {max} are accepted", max = super::MAX_LOCATORS)]
    TooManyLocators(usize),
    /// A Map-Request all of whose ITR-RLOCs are of unknown kind: nowhere to answer (TRAP 14).
    #[error("Map-Request without an ITR-RLOC that can be read")]
    NoItrRloc,
    /// I=1, but no room for xTR-ID and Site-ID behind the records (TRAP 15).
    #[error("I bit set, but {0} bytes are left for xTR-ID and Site-ID, not 24")]
    NoXtrId(usize),
    /// What follows the ECM header is neither IPv4 nor IPv6.
    #[error("inner packet of an ECM has IP version {0}")]
    InnerVersion(u8),
    /// Inner IP header that contradicts itself or its surroundings.
    #[error("inner IP header: {0}")]
    InnerHeader(&'static str),
    /// Inner packet is not UDP.
    #[error("inner packet of an ECM has IP protocol {0}, not UDP")]
    InnerProtocol(u8),
    /// Inner packet is a fragment.
    #[error("inner packet of an ECM is a fragment")]
    InnerFragment,
    /// Inner UDP checksum is there and wrong.
    #[error("inner UDP checksum is wrong")]
    InnerChecksum,
    /// Neither inner port is 4342, or one is 4341.
    #[error("inner UDP ports {source_port} and {destination_port} are not those of control messages")]
    InnerPorts {
        /// Source port.
        source_port: u16,
        /// Destination port.
        destination_port: u16,
    },
    /// An ECM in an ECM (TRAP 21).
    #[error("ECM inside an ECM")]
    NestedEcm,
    /// LISP-SEC Authentication Data of a type other than 1.
    #[error("authentication data of type {0} is not known")]
    UnknownAdType(u8),
    /// A length inside LISP-SEC Authentication Data is not one of those allowed (TRAP 22).
    #[error("LISP-SEC {what}: length {value}")]
    SecLength {
        /// Field.
        what: &'static str,
        /// Value.
        value: usize,
    },
    /// LISP-SEC HMAC ID without known tag length.
    #[error("LISP-SEC HMAC ID {0} is not known")]
    UnknownHmacId(u16),
}

impl DecodeError {
    /// Short constant name, for counters.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Truncated(_) => "truncated",
            Self::UnknownType(_) => "unknown_type",
            Self::UnknownSubType(_) => "unknown_sub_type",
            Self::UnknownAfi(_) => "unknown_afi",
            Self::UnterminatedName => "unterminated_name",
            Self::LcafTooDeep => "lcaf_too_deep",
            Self::LcafTooLong { .. } => "lcaf_too_long",
            Self::LcafOverrun { .. } => "lcaf_overrun",
            Self::UnknownVendor { .. } => "unknown_vendor",
            Self::UnknownEid { .. } => "unknown_eid",
            Self::MaskLen { .. } => "mask_len",
            Self::TooManyRecords(_) => "too_many_records",
            Self::TooManyLocators(_) => "too_many_locators",
            Self::NoItrRloc => "no_itr_rloc",
            Self::NoXtrId(_) => "no_xtr_id",
            Self::InnerVersion(_) => "inner_version",
            Self::InnerHeader(_) => "inner_header",
            Self::InnerProtocol(_) => "inner_protocol",
            Self::InnerFragment => "inner_fragment",
            Self::InnerChecksum => "inner_checksum",
            Self::InnerPorts { .. } => "inner_ports",
            Self::NestedEcm => "nested_ecm",
            Self::UnknownAdType(_) => "unknown_ad_type",
            Self::SecLength { .. } => "lisp_sec_length",
            Self::UnknownHmacId(_) => "unknown_hmac_id",
        }
    }
}

/// Why a message could not be put into bytes: it holds what its fields can not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum EncodeError {
    /// A count, length or value does not fit its field.
    #[error("{what}: {value} does not fit its field")]
    TooLarge {
        /// Field.
        what: &'static str,
        /// Value.
        value: usize,
    },
    /// mask-len longer than the address.
    #[error("mask-len {mask_len} for an address of {address_bits} bits")]
    MaskLen {
        /// mask-len.
        mask_len: u8,
        /// Bits of the address.
        address_bits: u8,
    },
    /// LCAFs too deep for any receiver with our limit.
    #[error("LCAFs nested deeper than {max}", max = super::MAX_LCAF_DEPTH)]
    LcafTooDeep,
    /// A Map-Request needs at least one ITR-RLOC (TRAP 14).
    #[error("Map-Request without ITR-RLOC")]
    NoItrRloc,
    /// Inner source and destination of an ECM are of different families.
    #[error("inner addresses of different families")]
    MixedFamilies,
    /// A distinguished name ends at its first NUL.
    #[error("distinguished name with a NUL inside")]
    NulInName,
}
