//! The first bytes of a burst's frames side by side: who they are for, and what is in them.

use super::columns::{Column, Pairs, pair, read, word, write};
use super::head_v4::Heads;
use crate::io::BURST;
use crate::wire::ethernet;

/// The first bytes of a burst's frames.
#[derive(Debug)]
pub(super) struct Frames {
    /// From the first byte on: whom it is for.
    to: Pairs,
    /// The end of who sent it, and the EtherType.
    kind: Column,
    /// Whole length.
    total: Column,
    pub(super) heads: Heads,
}

impl Frames {
    pub(super) const fn new() -> Self {
        Self { to: [[0; 2]; BURST], kind: [0; BURST], total: [0; BURST], heads: Heads::new() }
    }

    /// Takes those of packet `at`, of `total` bytes in all.
    #[inline(always)]
    pub(super) fn put<const N: usize>(&mut self, at: usize, h: &[u8; N], total: usize) {
        write(&mut self.to, at, pair(h, 0));
        write(&mut self.kind, at, word(h, ethernet::LEN - 4));
        write(&mut self.total, at, total as u32);
        self.heads.put(at, h, ethernet::LEN);
    }

    /// The first bytes of whom it is for; the last ones, and the EtherType: see [`OwnMac::frames`].
    #[inline(always)]
    pub(super) fn kind(&self, at: usize) -> (u32, u32) {
        let [to, rest] = read(&self.to, at);
        (to, rest & 0xFFFF | read(&self.kind, at) & 0xFFFF_0000)
    }

    /// Bytes behind the Ethernet header.
    #[inline(always)]
    pub(super) fn available(&self, at: usize) -> u32 {
        read(&self.total, at).wrapping_sub(ethernet::LEN as u32)
    }
}

/// A port's Ethernet address as words.
#[derive(Clone, Copy)]
pub(super) struct OwnMac([u32; 2]);

impl OwnMac {
    pub(super) const fn new([a, b, c, d, e, f]: [u8; 6]) -> Self {
        Self([u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, 0, 0])])
    }

    /// What [`Frames::kind`] is of frames of this EtherType for this port alone.
    #[inline(always)]
    pub(super) const fn frames(self, ethertype: u16) -> [u32; 2] {
        let Self([mac, tail]) = self;
        [mac, tail | (ethertype.swap_bytes() as u32) << 16]
    }
}
