//! Serde form of byte strings in event logs: lower-case hexadecimal.

use serde::{Deserialize, Deserializer, Serializer, de::Error};
use std::fmt::Write;

/// Bytes to hexadecimal.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
    let mut text = String::with_capacity(bytes.len() * 2);
    for b in bytes {
        let _ = write!(text, "{b:02x}");
    }
    to.serialize_str(&text)
}

/// Hexadecimal to bytes.
///
/// # Errors
/// An odd number of digits, or something that is no digit.
pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(from)?;
    if text.len() % 2 != 0 || !text.is_ascii() {
        return Err(D::Error::custom("odd number of hexadecimal digits"));
    }
    (0..text.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&text[i..i + 2], 16).map_err(D::Error::custom))
        .collect()
}
