//! Hexadecimal in tests.

use pxtr_control::codec::Message;

/// Bytes of hexadecimal text; blanks are for the reader.
pub fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    assert!(digits.len().is_multiple_of(2), "odd number of digits in {text}");
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// Lower-case hexadecimal.
pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Decodes, encodes, and demands the same bytes.
pub fn exact(bytes: &[u8]) -> Message {
    let message = Message::decode(bytes).unwrap();
    assert_eq!(to_hex(&message.to_bytes().unwrap()), to_hex(bytes));
    message
}
