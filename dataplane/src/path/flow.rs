//! Flow hash: which packets belong together (R-081 to R-083, RFC 9300 section 12).
//!
//! One 32-bit hash per packet serves two choices that must not depend on each other: its high bits
//! choose a locator or next hop (scaled), its low bits give source port and flow label. It is keyed
//! with a secret, so that nobody outside can aim flows at one link (RFC 6438 section 5).

use crate::lpm::Key6;
use crate::wire::{bytes, proto};

/// First outer source port: 49152, so that it never meets 4341 or 4342.
pub const FIRST_SOURCE_PORT: u16 = 0xC000;

/// The secret key of the hash, 256 random bits per process; the same in all workers, so that a
/// flow keeps its way when the NIC moves it to another queue.
#[derive(Clone, Copy)]
pub struct FlowKey([u64; 4], FlowFields);

/// What tells flows apart besides addresses and ports. The default: nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlowFields {
    /// The key of GRE packets (RFC 2890).
    pub gre_key: bool,
    /// The SPI of ESP packets (RFC 4303).
    pub esp_spi: bool,
}

impl std::fmt::Debug for FlowKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FlowKey(secret)")
    }
}

/// The 128-bit product of two numbers, folded: every input bit reaches every output bit.
#[inline(always)]
const fn mix(a: u64, b: u64) -> u64 {
    let product = a as u128 * b as u128;
    (product >> 64) as u64 ^ product as u64
}

/// A permutation of the 64-bit numbers in which every input bit reaches every output bit (the
/// finaliser of SplitMix64).
const fn stir(word: u64, place: u64) -> u64 {
    let word = word.wrapping_add(place.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let word = (word ^ word >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let word = (word ^ word >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ word >> 31
}

impl FlowKey {
    /// A key of these bits. They are stirred first: a word with few bits set would make a weak
    /// multiplier.
    pub const fn new(secret: [u64; 4]) -> Self {
        let [a, b, c, d] = secret;
        let fields = FlowFields { gre_key: false, esp_spi: false };
        Self([stir(a, 1), stir(b, 2), stir(c, 3), stir(d, 4)], fields)
    }

    /// The same, with these fields.
    #[must_use]
    pub const fn with(self, fields: FlowFields) -> Self {
        Self(self.0, fields)
    }

    /// Packets of this protocol have something else than ports in their flow.
    #[inline(always)]
    pub const fn looks_into(&self, protocol: u8) -> bool {
        (self.1.gre_key && protocol == proto::GRE) || (self.1.esp_spi && protocol == proto::ESP)
    }

    /// Hash of an IPv4 flow. `transport` is 0 when the flow is known by its addresses only, else
    /// protocol and ports as made by [`transport`].
    #[inline(always)]
    pub const fn ipv4(&self, source: u32, destination: u32, transport: u64) -> u32 {
        let [a, b, c, _] = self.0;
        let addresses = (source as u64) << 32 | destination as u64;
        finish(mix(mix(addresses ^ a, b | 1) ^ transport, c | 1))
    }

    /// Hash of an IPv6 flow.
    #[inline(always)]
    pub const fn ipv6(&self, source: Key6, destination: Key6, transport: u64) -> u32 {
        let [a, b, c, d] = self.0;
        let sources = mix(source.high ^ a, source.low ^ b);
        let destinations = mix(destination.high ^ c, destination.low ^ d);
        finish(mix(mix(sources ^ b, destinations ^ a) ^ transport, c | 1))
    }
}

#[inline(always)]
const fn finish(hash: u64) -> u32 {
    (hash >> 32) as u32 ^ hash as u32
}

/// Protocol and ports as one number, never 0 for a protocol with ports.
#[inline(always)]
pub const fn transport(protocol: u8, ports: u32) -> u64 {
    (protocol as u64) << 32 | ports as u64
}

/// What besides the addresses makes the flow: nothing for fragments, for protocols without ports,
/// and when the ports can not be read: all fragments of a datagram must take one way.
#[inline(always)]
pub const fn input(protocol: u8, ports: u32, fragment: bool) -> u64 {
    if fragment || ports == 0 { 0 } else { transport(protocol, ports) }
}

/// Key of a GRE packet or SPI of an ESP packet, by what follows the IP header; 0: there is none.
pub fn tunnel_word(protocol: u8, header: &[u8]) -> u32 {
    const CHECKSUM: u16 = 0x8000;
    const KEY: u16 = 0x2000;
    const VERSION: u16 = 0x0007;
    let word = match (protocol, bytes::be16(header, 0)) {
        (proto::ESP, _) => bytes::be32(header, 0),
        // Version 1 (PPTP) has the payload's length where version 0 has half of the key.
        (proto::GRE, Some(flags)) if flags & KEY != 0 && flags & VERSION == 0 => {
            bytes::be32(header, if flags & CHECKSUM != 0 { 8 } else { 4 })
        }
        _ => None,
    };
    word.unwrap_or(0)
}

/// Outer UDP source port: 14 bits of the hash, 49152 to 65535.
#[inline(always)]
pub const fn source_port(hash: u32) -> u16 {
    FIRST_SOURCE_PORT | (hash & 0x3FFF) as u16
}

/// Outer IPv6 flow label: 20 bits of the hash (RFC 6438 section 3).
#[inline(always)]
pub const fn flow_label(hash: u32) -> u32 {
    hash & 0x000F_FFFF
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    const KEY: FlowKey = FlowKey::new([1, 2, 3, 4]);

    #[test]
    fn flows_spread_over_source_ports_r083() {
        let port = |n: u32| source_port(KEY.ipv4(0x0a00_0001, 0x0a04_0001, transport(17, 0x3039_0000 + n)));
        let ports: HashSet<u16> = (0..1000).map(port).collect();
        assert!(ports.len() > 940, "{} different ports for 1000 flows", ports.len());
        assert!(ports.iter().all(|p| *p >= FIRST_SOURCE_PORT));
        let hash6 = |n: u64| KEY.ipv6(Key6 { high: 1, low: n }, Key6 { high: 2, low: 3 }, 0);
        let ports: HashSet<u16> = (0..1000).map(|n| source_port(hash6(n))).collect();
        assert!(ports.len() > 940);
    }

    /// The bits that choose a locator and those that choose a port must be independent, else a
    /// link-aggregation group behind us sees few ports per locator.
    #[test]
    fn high_and_low_bits_are_both_even_and_independent_r081() {
        let mut cells = [[0u32; 16]; 16];
        for n in 0..65_536u32 {
            let hash = KEY.ipv4(0xc000_0200 + (n >> 8), 0xc633_6400 + (n & 0xff), 0);
            cells[(hash >> 28) as usize][(hash & 15) as usize] += 1;
        }
        for count in cells.as_flattened() {
            assert!((180..=340).contains(count), "cell of {count}, 256 expected");
        }
    }

    #[test]
    fn the_key_matters_and_is_not_printed() {
        let other = FlowKey::new([1, 2, 3, 5 << 60]);
        assert_ne!(
            KEY.ipv6(Key6::default(), Key6::default(), 3),
            other.ipv6(Key6::default(), Key6::default(), 3)
        );
        let other = FlowKey::new([5, 2, 3, 4]);
        assert_ne!(KEY.ipv4(1, 2, 3), other.ipv4(1, 2, 3));
        assert_eq!(format!("{other:?}"), "FlowKey(secret)");
    }
}
