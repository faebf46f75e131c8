//! Headers of a burst side by side: one word of every packet in a column.
//!
//! What is to be known of each packet of a burst is the same: so it is found out by plain loops over arrays of
//! fixed length, without branches, which the compiler turns into instructions for eight packets at a time. The
//! words stand as they lie in memory; numbers of them are made where their order matters. Whatever does not
//! fit such a loop is left out of the set of plain packets, and so to the stages of `burst`.

use crate::io::BURST;
use crate::wire::bytes::chunk;
use dpdk_sys::GROUP;

/// A word of each packet.
pub(super) type Column = [u32; BURST];

/// A row of words of each packet, side by side.
pub(super) type Rows = [Column; GROUP];

/// None yet.
pub(super) const NO_ROWS: Rows = [[0; BURST]; GROUP];

/// Packets of a small burst: for these loops go no further. One instruction does for so many.
pub(super) const FEW: usize = GROUP;

/// Groups of so many packets, one behind the other, in which all of a burst are.
#[inline(always)]
pub(super) fn groups(count: usize) -> impl Iterator<Item = usize> {
    (0..count.div_ceil(FEW).min(BURST / FEW)).map(|group| group * FEW)
}

/// The packets of such a group. For loops that are functions of their own: the compiler makes vectors of so many
/// packets of them.
#[inline(always)]
pub(super) fn group(first: usize) -> impl Iterator<Item = usize> {
    let first = first & (BURST - FEW);
    (0..FEW).map(move |lane| first + lane)
}

/// A set of packets by number, as what a column says of each.
#[allow(clippy::indexing_slicing, reason = "worked out by the compiler")]
const BITS: Column = {
    let mut bits = [0; BURST];
    let mut at = 0;
    while at < BURST {
        bits[at] = 1 << at;
        at += 1;
    }
    bits
};

/// The bit of a packet in a set, if it belongs there.
#[inline(always)]
pub(super) fn bit(at: usize, belongs: bool) -> u32 {
    read(&BITS, at) & mask(belongs)
}

/// All ones or none.
#[inline(always)]
pub(super) fn mask(all: bool) -> u32 {
    u32::from(all).wrapping_neg()
}

/// What a column has for packet `at`: in a loop over all packets there is no check left.
#[inline(always)]
pub(super) fn read<T: Copy + Default>(column: &[T; BURST], at: usize) -> T {
    column.get(at).copied().unwrap_or_default()
}

/// The same, to be written.
#[inline(always)]
pub(super) fn write<T>(column: &mut [T; BURST], at: usize, value: T) {
    if let Some(place) = column.get_mut(at) {
        *place = value;
    }
}

/// A word as it lies in memory.
#[inline(always)]
pub(super) fn word<const N: usize>(bytes: &[u8; N], at: usize) -> u32 {
    chunk(bytes, at).map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_set_for_what_belongs() {
        assert_eq!((bit(31, true), bit(0, true), bit(5, false)), (1 << 31, 1, 0));
        assert_eq!((mask(true), mask(false)), (u32::MAX, 0));
    }
}
