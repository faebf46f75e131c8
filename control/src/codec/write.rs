//! Appending to a message: network order, counts that must fit.

use super::EncodeError;

/// What a message is written to. A plain vector, so that callers can reuse one.
pub(super) trait Put {
    fn put_u8(&mut self, v: u8);
    fn put_u16(&mut self, v: u16);
    fn put_u32(&mut self, v: u32);
    fn put_u64(&mut self, v: u64);
    fn put(&mut self, bytes: &[u8]);
    /// Writes `v` over the two bytes at `at`, which were written before.
    fn patch_u16(&mut self, at: usize, v: u16);
}

impl Put for Vec<u8> {
    fn put_u8(&mut self, v: u8) {
        self.push(v);
    }
    fn put_u16(&mut self, v: u16) {
        self.extend_from_slice(&v.to_be_bytes());
    }
    fn put_u32(&mut self, v: u32) {
        self.extend_from_slice(&v.to_be_bytes());
    }
    fn put_u64(&mut self, v: u64) {
        self.extend_from_slice(&v.to_be_bytes());
    }
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
    fn patch_u16(&mut self, at: usize, v: u16) {
        if let Some(field) = self.get_mut(at..).and_then(|tail| tail.first_chunk_mut::<2>()) {
            *field = v.to_be_bytes();
        }
    }
}

/// `n` as a count of at most `max` in a field of one byte.
pub(super) fn count(n: usize, max: usize, what: &'static str) -> Result<u8, EncodeError> {
    match u8::try_from(n) {
        Ok(v) if n <= max => Ok(v),
        _ => Err(EncodeError::TooLarge { what, value: n }),
    }
}

/// `n` as a length in a field of two bytes.
pub(super) fn length(n: usize, what: &'static str) -> Result<u16, EncodeError> {
    u16::try_from(n).map_err(|_| EncodeError::TooLarge { what, value: n })
}

/// `v` in a field of `bits` bits.
pub(super) fn fits(v: u32, bits: u32, what: &'static str) -> Result<u32, EncodeError> {
    if v.checked_shr(bits).unwrap_or(0) == 0 {
        Ok(v)
    } else {
        Err(EncodeError::TooLarge { what, value: usize::try_from(v).unwrap_or(usize::MAX) })
    }
}
