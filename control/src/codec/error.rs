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
    /// Shared Extension message (RFC 9304) with a sub-type we do not know.
    #[error("shared extension sub-type {0} is not known")]
    UnknownSubType(u16),
    /// AFI of unknown length (RFC 9301 section 5.1: drop the message).
    #[error("AFI {0} is not known, the rest can not be read")]
    UnknownAfi(u16),
    /// Distinguished name without NUL.
    #[error("distinguished name without its NUL")]
    UnterminatedName,
    /// LCAFs too deep.
    #[error("LCAFs nested deeper than {}", super::MAX_LCAF_DEPTH)]
    LcafTooDeep,
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
            Self::LcafOverrun { .. } => "lcaf_overrun",
            Self::UnknownVendor { .. } => "unknown_vendor",
            Self::UnknownEid { .. } => "unknown_eid",
            Self::MaskLen { .. } => "mask_len",
            Self::TooManyRecords(_) => "too_many_records",
            Self::TooManyLocators(_) => "too_many_locators",
        }
    }
}

/// Why a message could not be put into bytes: it holds what its fields can not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum EncodeError {
    /// A count or length does not fit its field.
    #[error("{what}: {value} does not fit its field")]
    TooLarge {
        /// Field.
        what: &'static str,
        /// Value.
        value: usize,
    },
    /// A Map-Request needs at least one ITR-RLOC (TRAP 14).
    #[error("Map-Request without ITR-RLOC")]
    NoItrRloc,
    /// Inner source and destination of an ECM are of different families.
    #[error("inner addresses of different families")]
    MixedFamilies,
    /// Map data (M) is limited to one record, and a name must not hold a NUL.
    #[error("distinguished name with a NUL inside")]
    NulInName,
}
