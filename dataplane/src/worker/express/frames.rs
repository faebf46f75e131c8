//! The first bytes of a burst's frames side by side: who they are for, and what is in them.

use super::columns::{Column, FEW, NO_ROWS, Rows, mask, read, write};
use super::head_v4::Head;
use crate::buffer::PacketBuf;
use crate::io::{BURST, PacketBurst};
use crate::wire::bytes::chunk;
use crate::wire::ethernet;
use dpdk_sys::ROW;

/// Where the row begins that has the EtherType as its first word, then the header behind it.
const BEGIN: usize = ethernet::LEN - 4;
/// Bytes of a frame that are needed.
pub(super) const LEN: usize = BEGIN + ROW;

/// The beginnings of eight packets.
pub(super) type Heads<'a, const N: usize> = [&'a [u8; N]; FEW];

/// The first bytes of a burst's frames.
#[derive(Debug)]
pub(super) struct Frames {
    rows: Rows,
    /// Whole length.
    total: Column,
}

impl Frames {
    pub(super) const fn new() -> Self {
        Self { rows: NO_ROWS, total: [0; BURST] }
    }

    /// The beginnings of the eight packets from `first` on, and which of the burst are long enough: the others, and those
    /// that are not there, look as if they were `blank`. Takes their lengths. `GROWS`: headers may be prepended.
    #[inline(always)]
    pub(super) fn heads<'a, const N: usize, const GROWS: bool, P: PacketBurst>(
        &mut self,
        burst: &'a P,
        first: usize,
        blank: &'a [u8; N],
    ) -> (Heads<'a, N>, u32) {
        let (mut heads, mut whole) = ([blank; FEW], 0);
        for (lane, head) in heads.iter_mut().enumerate() {
            let at = (first + lane) % BURST;
            let Some(buf) = burst.get(at) else { break };
            write(&mut self.total, at, buf.total_len() as u32);
            if GROWS {
                // It comes while packets are looked up.
                buf.prefetch_headroom();
            }
            if let Some(bytes) = buf.data().first_chunk() {
                (*head, whole) = (bytes, whole | 1 << at);
            }
        }
        (heads, whole)
    }

    /// Takes the first bytes of eight packets. Returns what is not the same in all and in `blank`, of the first eight.
    #[inline(always)]
    pub(super) fn take<const N: usize>(
        &mut self,
        heads: &Heads<'_, N>,
        first: usize,
        blank: &[u8; N],
    ) -> u64 {
        take_rows::<BEGIN, N>(heads, &mut self.rows, first);
        let start = |head: &[u8; N]| chunk(head, 0).map_or(0, |bytes| u64::from_le_bytes(*bytes));
        heads.iter().fold(0, |differs, head| differs | (start(head) ^ start(blank)))
    }

    /// The EtherType of packet `at`: see [`ethertype`].
    #[inline(always)]
    pub(super) fn kind(&self, at: usize) -> u32 {
        let Self { rows: [kind, ..], .. } = self;
        read(kind, at) & 0xFFFF_0000
    }

    /// The first six words behind the Ethernet header.
    #[inline(always)]
    pub(super) fn words(&self, at: usize) -> [u32; 6] {
        let Self { rows: [_, a, b, c, d, e, f, _], .. } = self;
        [read(a, at), read(b, at), read(c, at), read(d, at), read(e, at), read(f, at)]
    }

    /// The word behind these.
    #[inline(always)]
    pub(super) fn next(&self, at: usize) -> u32 {
        let Self { rows: [.., next], .. } = self;
        read(next, at)
    }

    #[inline(always)]
    pub(super) fn head(&self, at: usize) -> Head {
        Head::of(self.words(at))
    }

    /// Bytes behind the Ethernet header.
    #[inline(always)]
    pub(super) fn available(&self, at: usize) -> u32 {
        read(&self.total, at).wrapping_sub(ethernet::LEN as u32)
    }
}

/// Takes the rows that begin at this offset of eight packets.
#[inline(always)]
pub(super) fn take_rows<const AT: usize, const N: usize>(
    heads: &Heads<'_, N>,
    rows: &mut Rows,
    first: usize,
) {
    const { assert!(AT + ROW <= N) };
    dpdk_sys::columns(&heads.map(|head| chunk(head, AT).unwrap_or(&[0; ROW])), rows, first);
}

/// What [`Frames::kind`] is of this EtherType.
#[inline(always)]
pub(super) const fn ethertype(number: u16) -> u32 {
    (number.swap_bytes() as u32) << 16
}

/// A port's Ethernet address.
#[derive(Clone, Copy)]
pub(super) struct OwnMac([u8; 6]);

impl OwnMac {
    pub(super) const fn new(address: [u8; 6]) -> Self {
        Self(address)
    }

    /// What a frame is taken for that is not there: for us, and of no EtherType.
    #[inline(always)]
    pub(super) fn blank<const N: usize>(self) -> [u8; N] {
        let mut blank = [0; N];
        blank.iter_mut().zip(self.0).for_each(|(byte, own)| *byte = own);
        blank
    }

    /// Which packets are for us. `differs`: what [`Frames::take`] said of all of them.
    #[inline(always)]
    pub(super) fn set<P: PacketBurst>(self, burst: &P, differs: u64) -> u32 {
        if differs << 16 == 0 { u32::MAX } else { self.pick(burst) }
    }

    #[cold]
    #[inline(never)]
    fn pick<P: PacketBurst>(self, burst: &P) -> u32 {
        let is_ours = |at: usize| burst.get(at).is_some_and(|buf| buf.data().starts_with(&self.0));
        (0..BURST).fold(0, |set, at| set | mask(is_ours(at)) & 1 << at)
    }
}
