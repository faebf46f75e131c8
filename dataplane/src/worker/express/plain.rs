//! Which packets are plain: those that `path/classify.rs` would let pass without a second look.
//!
//! Headers are read as a few wide words from arrays of known length: one bounds check a packet.

use crate::lpm::Key6;
use crate::path::address::{self, Kind};
use crate::path::flow::FlowKey;
use crate::wire::bytes::{be32, chunk};
use crate::wire::{ipv4, ipv6, proto};

/// An IPv4 header without options, of no fragment, with ordinary addresses.
#[derive(Clone, Copy)]
pub(super) struct Plain4 {
    pub(super) source: u32,
    pub(super) destination: u32,
    pub(super) protocol: u8,
    pub(super) ttl: u8,
    pub(super) tos: u8,
}

/// An IPv6 header without extension headers, with ordinary addresses.
#[derive(Clone, Copy)]
pub(super) struct Plain6 {
    pub(super) source: Key6,
    pub(super) destination: Key6,
    pub(super) protocol: u8,
    pub(super) ttl: u8,
    pub(super) tos: u8,
}

/// By first byte of an IPv4 address: not 0 where some that begin so are not ordinary.
#[allow(clippy::indexing_slicing, reason = "worked out by the compiler")]
const DOUBTFUL: [u8; 256] = {
    let mut table = [0; 256];
    let mut first = 0;
    while first < 256 {
        table[first] = (first == 0 || first == 127 || first == 169 || first >= 224) as u8;
        first += 1;
    }
    table
};

/// Both are ordinary unicast addresses.
#[inline(always)]
fn are_unicast_v4(source: u32, destination: u32) -> bool {
    let doubt = |addr: u32| DOUBTFUL.get((addr >> 24) as usize).copied().unwrap_or(1);
    doubt(source) | doubt(destination) == 0 || exactly_v4(source, destination)
}

#[cold]
fn exactly_v4(source: u32, destination: u32) -> bool {
    address::kind_v4(source) == Kind::Unicast && address::kind_v4(destination) == Kind::Unicast
}

/// `available`: bytes that the packet can have; the four behind the header must be among them.
#[inline(always)]
pub(super) fn v4(h: &[u8; ipv4::MIN_LEN], available: usize, known_good: impl Fn() -> bool) -> Option<Plain4> {
    const FRAGMENT: u32 = (ipv4::MORE_FRAGMENTS | ipv4::OFFSET_MASK) as u32;
    let word = |at: usize| be32(h, at).unwrap_or(0);
    let (first, second, third, source, destination) = (word(0), word(4), word(8), word(12), word(16));
    let len = first as u16;
    let fits = usize::from(len) >= ipv4::MIN_LEN + 4 && usize::from(len) <= available;
    if first >> 24 != 0x45 || second & FRAGMENT != 0 || !fits || !are_unicast_v4(source, destination) {
        return None;
    }
    // The sum of a right header is all ones when folded: a multiple of that, and never zero.
    let sum = [first, second, third, source, destination].map(u64::from).iter().sum::<u64>();
    if !sum.is_multiple_of(0xFFFF) && !known_good() {
        return None;
    }
    let (protocol, ttl, tos) = ((third >> 16) as u8, (third >> 24) as u8, (first >> 16) as u8);
    Some(Plain4 { source, destination, protocol, ttl, tos })
}

/// `available` as in [`v4`].
#[inline(always)]
pub(super) fn v6(h: &[u8; ipv6::LEN], available: usize) -> Option<Plain6> {
    let half = |at: usize| chunk(h, at).map_or(0, |b| u64::from_be_bytes(*b));
    let first = half(0);
    let payload = (first >> 16 & 0xFFFF) as usize;
    let len = ipv6::LEN + payload;
    let source = Key6 { high: half(8), low: half(16) };
    let destination = Key6 { high: half(24), low: half(32) };
    let ordinary =
        address::kind_v6(source) == Kind::Unicast && address::kind_v6(destination) == Kind::Unicast;
    let protocol = (first >> 8) as u8;
    let fits = payload >= 4 && len <= available.min(65_535);
    if first >> 60 != 6 || !fits || !ordinary || ipv6::is_extension(protocol) {
        return None;
    }
    let (ttl, tos) = (first as u8, (first >> 52) as u8);
    Some(Plain6 { source, destination, protocol, ttl, tos })
}

/// By protocol: all ones where the word behind the header is ports.
#[allow(clippy::indexing_slicing, reason = "worked out by the compiler")]
const PORTS: [u32; 256] = {
    let mut table = [0; 256];
    table[proto::UDP as usize] = u32::MAX;
    table[proto::TCP as usize] = u32::MAX;
    table[proto::SCTP as usize] = u32::MAX;
    table
};

/// The word behind the header, if it is ports; `None`: the flow is more than that.
#[inline(always)]
pub(super) fn ports(protocol: u8, word: u32, key: &FlowKey) -> Option<u32> {
    let mask = PORTS.get(usize::from(protocol)).copied().unwrap_or(0);
    let more = mask == 0 && key.looks_into(protocol);
    (!more).then_some(word & mask)
}
