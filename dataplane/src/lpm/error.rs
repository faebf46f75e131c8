//! Why an update was refused.

use thiserror::Error;

/// Why a prefix could not be stored. The table is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LpmError {
    /// The prefix is longer than an address.
    #[error("prefix length {length} is beyond {max} bits")]
    Length {
        /// As given.
        length: u8,
        /// Bits of an address of this family.
        max: u8,
    },
    /// The value is the one that means "no match".
    #[error("value {0:#x} is reserved for \"no match\"")]
    ReservedValue(u32),
    /// The table's 32-bit indices are used up (some 4 billion records).
    #[error("the table can not address more records")]
    Full,
}
