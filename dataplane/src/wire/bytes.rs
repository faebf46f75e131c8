//! Reads and writes at an offset: one bounds check for a whole header.

/// `N` bytes at `offset`, or `None` if the data ends before.
#[inline(always)]
pub fn chunk<const N: usize>(data: &[u8], offset: usize) -> Option<&[u8; N]> {
    data.get(offset..)?.first_chunk()
}

/// The same, writable.
#[inline(always)]
pub fn chunk_mut<const N: usize>(data: &mut [u8], offset: usize) -> Option<&mut [u8; N]> {
    data.get_mut(offset..)?.first_chunk_mut()
}

/// Big-endian 16 bits at `offset`.
#[inline(always)]
pub fn be16(data: &[u8], offset: usize) -> Option<u16> {
    chunk(data, offset).map(|b| u16::from_be_bytes(*b))
}

/// Big-endian 32 bits at `offset`.
#[inline(always)]
pub fn be32(data: &[u8], offset: usize) -> Option<u32> {
    chunk(data, offset).map(|b| u32::from_be_bytes(*b))
}

/// Writes bytes at `offset`; `false` and no change if they do not fit.
#[inline(always)]
pub fn put<const N: usize>(data: &mut [u8], offset: usize, value: [u8; N]) -> bool {
    match chunk_mut::<N>(data, offset) {
        Some(room) => {
            *room = value;
            true
        }
        None => false,
    }
}

/// Writes bytes at an offset that is known to lie inside: no check is left at run time.
#[inline(always)]
pub fn set<const AT: usize, const N: usize, const LEN: usize>(header: &mut [u8; LEN], value: [u8; N]) {
    const { assert!(AT + N <= LEN) };
    if let Some(room) = chunk_mut::<N>(header, AT) {
        *room = value;
    }
}
