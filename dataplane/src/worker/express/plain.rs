//! Which packets are plain: those that `path/classify.rs` would let pass without a second look.

use crate::lpm::Key6;
use crate::path::address::{self, Kind};
use crate::path::flow::FlowKey;
use crate::wire::{ethernet, ipv4, ipv6, proto};

/// An IPv4 header without options, of no fragment, with ordinary addresses.
#[derive(Clone, Copy)]
pub(super) struct Plain4 {
    pub(super) source: u32,
    pub(super) destination: u32,
    pub(super) len: u16,
    pub(super) protocol: u8,
    pub(super) ttl: u8,
    pub(super) tos: u8,
}

/// An IPv6 header without extension headers, with ordinary addresses.
#[derive(Clone, Copy)]
pub(super) struct Plain6 {
    pub(super) source: Key6,
    pub(super) destination: Key6,
    /// Of the whole packet.
    pub(super) len: u16,
    pub(super) protocol: u8,
    pub(super) ttl: u8,
    pub(super) tos: u8,
}

/// The frame is for this port alone. Returns its EtherType.
#[inline(always)]
pub(super) fn addressed(h: &[u8; ethernet::LEN], mac: [u8; 6]) -> Option<u16> {
    let [d0, d1, d2, d3, d4, d5, .., t0, t1] = *h;
    ([d0, d1, d2, d3, d4, d5] == mac).then_some(u16::from_be_bytes([t0, t1]))
}

/// `available`: bytes that the packet can have; the four behind the header must be among them.
#[inline(always)]
pub(super) fn v4(h: &[u8; ipv4::MIN_LEN], available: usize, checksum_known_good: bool) -> Option<Plain4> {
    let len = u16::from_be_bytes([h[2], h[3]]);
    let fragment = u16::from_be_bytes([h[6], h[7]]) & (ipv4::MORE_FRAGMENTS | ipv4::OFFSET_MASK);
    let (source, destination) =
        (u32::from_be_bytes([h[12], h[13], h[14], h[15]]), u32::from_be_bytes([h[16], h[17], h[18], h[19]]));
    let fits = usize::from(len) >= ipv4::MIN_LEN + 4 && usize::from(len) <= available;
    let ordinary =
        address::kind_v4(source) == Kind::Unicast && address::kind_v4(destination) == Kind::Unicast;
    if h[0] != 0x45 || fragment != 0 || !fits || !ordinary {
        return None;
    }
    if !checksum_known_good && !ipv4::header_sum_is_right(h) {
        return None;
    }
    Some(Plain4 { source, destination, len, protocol: h[9], ttl: h[8], tos: h[1] })
}

/// `available` as in [`v4`].
#[inline(always)]
pub(super) fn v6(h: &[u8; ipv6::LEN], available: usize) -> Option<Plain6> {
    let payload = usize::from(u16::from_be_bytes([h[4], h[5]]));
    let len = ipv6::LEN + payload;
    let halves = |at: usize| {
        let half = |at: usize| h.get(at..at + 8)?.first_chunk().map(|b| u64::from_be_bytes(*b));
        Some(Key6 { high: half(at)?, low: half(at + 8)? })
    };
    let (source, destination) = (halves(8)?, halves(24)?);
    let ordinary =
        address::kind_v6(source) == Kind::Unicast && address::kind_v6(destination) == Kind::Unicast;
    if h[0] >> 4 != 6 || payload < 4 || len > available.min(65_535) || !ordinary || ipv6::is_extension(h[6]) {
        return None;
    }
    let (tos, len) = (h[0] << 4 | h[1] >> 4, len as u16);
    Some(Plain6 { source, destination, len, protocol: h[6], ttl: h[7], tos })
}

/// The word behind the header, if it is ports; `None`: the flow is more than that.
#[inline(always)]
pub(super) fn ports(protocol: u8, word: [u8; 4], key: &FlowKey) -> Option<u32> {
    match protocol {
        proto::UDP | proto::TCP | proto::SCTP => Some(u32::from_be_bytes(word)),
        _ if key.looks_into(protocol) => None,
        _ => Some(0),
    }
}
