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
pub struct FlowKey {
    /// Of hashes that are worked out one at a time.
    long: [u64; 4],
    /// Of [`FlowKey::flow_v4`] and [`FlowKey::flow_v6`].
    v4: Factors<2>,
    v6: Factors<8>,
    fields: FlowFields,
}

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

/// A secret odd number.
const fn factor(secret: u64, place: u64) -> u32 {
    (stir(secret, place) >> 32) as u32 | 1
}

/// The secret of a hash of 32-bit numbers alone, so that eight packets are hashed at a time where there are so
/// many.
///
/// Two sums of odd multiples, of all words as they are read and from their other end: a product says
/// little about the high bits of a word, and what is high in one is low in the other. One sum is stirred,
/// the other added, and that stirred again.
#[derive(Clone, Copy)]
struct Factors<const N: usize> {
    there: [u32; N],
    back: [u32; N],
    ports: [u32; 2],
    last: u32,
}

impl<const N: usize> Factors<N> {
    #[inline(always)]
    fn hash(&self, words: &[u32; N], protocol: u32, ports: u32) -> u32 {
        let (mut there, mut back) = (0u32, 0u32);
        // By reference: two words in an array are handed on as one of 64 bits, with which no loop is at ease.
        for (word, (a, b)) in words.iter().zip(self.there.iter().zip(&self.back)) {
            there = there.wrapping_add(a.wrapping_mul(*word));
            back = back.wrapping_add(b.wrapping_mul(word.swap_bytes()));
        }
        // Ports of UDP are others than those of TCP; no ports are none.
        let [a, b] = self.ports;
        there = there.wrapping_add((a ^ protocol << 8).wrapping_mul(ports));
        back = back.wrapping_add((b ^ protocol << 8).wrapping_mul(ports.swap_bytes()));
        let hash = (there ^ there >> 16).wrapping_mul(0x85EB_CA6B).wrapping_add(back);
        let hash = (hash ^ hash >> 15).wrapping_mul(0xC2B2_AE35).wrapping_add(self.last);
        hash ^ hash >> 16
    }
}

impl FlowKey {
    /// A key of these bits. They are stirred first: a word with few bits set would make a weak
    /// multiplier.
    pub const fn new(secret: [u64; 4]) -> Self {
        let [a, b, c, d] = secret;
        let fields = FlowFields { gre_key: false, esp_spi: false };
        let long = [stir(a, 1), stir(b, 2), stir(c, 3), stir(d, 4)];
        let v4 = Factors {
            there: [factor(a, 5), factor(b, 6)],
            back: [factor(c, 7), factor(d, 8)],
            ports: [factor(a, 9), factor(b, 10)],
            last: factor(c, 11),
        };
        let v6 = Factors {
            there: [
                factor(a, 12),
                factor(b, 13),
                factor(c, 14),
                factor(d, 15),
                factor(a, 16),
                factor(b, 17),
                factor(c, 18),
                factor(d, 19),
            ],
            back: [
                factor(a, 20),
                factor(b, 21),
                factor(c, 22),
                factor(d, 23),
                factor(a, 24),
                factor(b, 25),
                factor(c, 26),
                factor(d, 27),
            ],
            ports: [factor(a, 28), factor(b, 29)],
            last: factor(c, 30),
        };
        Self { long, v4, v6, fields }
    }

    /// The same, with these fields.
    #[must_use]
    pub const fn with(self, fields: FlowFields) -> Self {
        Self { fields, ..self }
    }

    /// Packets of this protocol have something else than ports in their flow.
    #[inline(always)]
    pub const fn looks_into(&self, protocol: u8) -> bool {
        (self.fields.gre_key && protocol == proto::GRE) || (self.fields.esp_spi && protocol == proto::ESP)
    }

    /// Hash of an IPv4 flow. `ports`: those, or what else tells flows apart. 0 when the flow is known by its
    /// addresses only: of fragments, all of which must take one way, of protocols without ports, and when the
    /// ports can not be read.
    #[inline(always)]
    pub fn flow_v4(&self, source: u32, destination: u32, protocol: u32, ports: u32) -> u32 {
        self.v4.hash(&[source, destination], protocol, ports)
    }

    /// Hash of an IPv6 flow. `ports` as in [`FlowKey::flow_v4`].
    #[inline(always)]
    pub fn flow_v6(&self, source: Key6, destination: Key6, protocol: u32, ports: u32) -> u32 {
        let words = |key: Key6| [key.high >> 32, key.high, key.low >> 32, key.low].map(|word| word as u32);
        let ([a, b, c, d], [e, f, g, h]) = (words(source), words(destination));
        self.flow_v6_of([a, b, c, d, e, f, g, h], protocol, ports)
    }

    /// The same, of the words of both addresses.
    #[inline(always)]
    pub fn flow_v6_of(&self, addresses: [u32; 8], protocol: u32, ports: u32) -> u32 {
        self.v6.hash(&addresses, protocol, ports)
    }

    /// Hash of two IPv4 addresses and another number, for tables.
    #[inline(always)]
    pub const fn ipv4(&self, source: u32, destination: u32, number: u64) -> u32 {
        let [a, b, c, _] = self.long;
        let addresses = (source as u64) << 32 | destination as u64;
        finish(mix(mix(addresses ^ a, b | 1) ^ number, c | 1))
    }

    /// The same of IPv6 addresses.
    #[inline(always)]
    pub const fn ipv6(&self, source: Key6, destination: Key6, number: u64) -> u32 {
        let [a, b, c, d] = self.long;
        let sources = mix(source.high ^ a, source.low ^ b);
        let destinations = mix(destination.high ^ c, destination.low ^ d);
        finish(mix(mix(sources ^ b, destinations ^ a) ^ number, c | 1))
    }
}

#[inline(always)]
const fn finish(hash: u64) -> u32 {
    (hash >> 32) as u32 ^ hash as u32
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
        let port = |n: u32| source_port(KEY.flow_v4(0x0a00_0001, 0x0a04_0001, 17, 0x3039_0000 + n));
        let ports: HashSet<u16> = (0..1000).map(port).collect();
        assert!(ports.len() > 940, "{} different ports for 1000 flows", ports.len());
        assert!(ports.iter().all(|p| *p >= FIRST_SOURCE_PORT));
        let hash6 = |n: u64| KEY.flow_v6(Key6 { high: 1, low: n }, Key6 { high: 2, low: 3 }, 17, 0);
        let ports: HashSet<u16> = (0..1000).map(|n| source_port(hash6(n))).collect();
        assert!(ports.len() > 940);
    }

    /// The bits that choose a locator and those that choose a port must be independent, else a
    /// link-aggregation group behind us sees few ports per locator.
    #[test]
    fn high_and_low_bits_are_both_even_and_independent_r081() {
        /// Source, destination, ports, protocol.
        type Flow = fn(u32) -> [u32; 4];
        let flows: [(&str, Flow); 4] = [
            ("hosts", |n| [0xc000_0200 + (n >> 8), 0xc633_6400 + (n & 0xff), 0, 0]),
            ("networks", |n| [0xc000_0201, 0x0a00_0001 + (n << 8), 0x0050_c000, 6]),
            ("ports", |n| [0xc000_0201, 0xc633_6401, n << 16 | 443, 17]),
            ("both", |n| [0xc000_0200 + (n >> 8), 0xc633_6401, 0x1f90_8000 + (n & 0xff), 6]),
        ];
        for key in [KEY, FlowKey::new([0; 4]), FlowKey::new([u64::MAX, 9 << 40, 0, 1 << 63])] {
            for (name, words) in flows {
                let mut cells = [[0u32; 16]; 16];
                for n in 0..65_536 {
                    let hash = flow(words(n), &key);
                    cells[(hash >> 28) as usize][(hash & 15) as usize] += 1;
                }
                for count in cells.as_flattened() {
                    assert!((180..=340).contains(count), "{name}: cell of {count}, 256 expected");
                }
            }
        }
    }

    fn flow(words: [u32; 4], key: &FlowKey) -> u32 {
        let [source, destination, ports, protocol] = words;
        key.flow_v4(source, destination, protocol & 0xFF, ports)
    }

    /// Numbers that look like nothing in particular.
    fn scatter(n: u64) -> [u32; 4] {
        let (a, b) = (stir(n, 77), stir(n, 78));
        [(a >> 32) as u32, a as u32, (b >> 32) as u32 | 1 << 16, b as u32]
    }

    /// The IPv6 flow of so many words of addresses, and the ports and protocol of another.
    fn flow_v6(words: [u32; 8], other: [u32; 4], key: &FlowKey) -> u32 {
        let [.., ports, protocol] = other;
        key.flow_v6_of(words, protocol & 0xFF, ports)
    }

    fn scatter_v6(n: u64) -> [u32; 8] {
        let ([a, b, c, d], [e, f, g, h]) = (scatter(n ^ 1 << 40), scatter(n ^ 1 << 41));
        [a, b, c, d, e, f, g, h]
    }

    #[test]
    fn every_bit_of_an_ipv6_flow_reaches_every_bit_of_the_hash_r081() {
        const SAMPLES: u32 = 4096;
        for bit in 0..256 {
            let mut turned = [0u32; 32];
            for n in 0..u64::from(SAMPLES) {
                let key = FlowKey::new([n, n >> 3, 1 << (n & 63), !n]);
                let words = scatter_v6(n);
                let mut other = words;
                other[bit / 32] ^= 1 << (bit % 32);
                let change = flow_v6(words, scatter(n), &key) ^ flow_v6(other, scatter(n), &key);
                for (at, count) in turned.iter_mut().enumerate() {
                    *count += change >> at & 1;
                }
            }
            for (at, count) in turned.into_iter().enumerate() {
                let share = f64::from(count) / f64::from(SAMPLES);
                assert!((0.45..=0.55).contains(&share), "bit {bit} turns bit {at} over {share} of the time");
            }
        }
    }

    #[test]
    fn high_and_low_bits_of_ipv6_flows_are_even_and_independent_r081() {
        type Flow = fn(u32) -> ([u32; 8], u32);
        let flows: [(&str, Flow); 3] = [
            ("hosts", |n| ([0x2001_0db8, 0, 0, n >> 8, 0x2001_0db8, 1, 0, n & 0xff], 0)),
            ("networks", |n| ([0x2001_0db8, 0, 0, 1, 0x2a00 << 16 | n, 0, 0, 1], 0x1bb << 16 | 0xc000)),
            ("ports", |n| ([0x2001_0db8, 0, 0, 1, 0x2001_0db8, 1, 0, 2], n << 16 | 443)),
        ];
        for key in [KEY, FlowKey::new([0; 4])] {
            for (name, words) in flows {
                let mut cells = [[0u32; 16]; 16];
                for n in 0..65_536 {
                    let (words, ports) = words(n);
                    let hash = key.flow_v6_of(words, 17, ports);
                    cells[(hash >> 28) as usize][(hash & 15) as usize] += 1;
                }
                for count in cells.as_flattened() {
                    assert!((180..=340).contains(count), "{name}: cell of {count}, 256 expected");
                }
            }
        }
    }

    /// Any bit of a packet turns each bit of the hash over as often as not.
    #[test]
    fn every_bit_of_the_flow_reaches_every_bit_of_the_hash_r081() {
        const SAMPLES: u32 = 4096;
        for bit in 0..104 {
            let mut turned = [0u32; 32];
            for n in 0..u64::from(SAMPLES) {
                let key = FlowKey::new([n, n >> 3, 1 << (n & 63), !n]);
                let words = scatter(n);
                let mut other = words;
                other[bit / 32] ^= 1 << (bit % 32);
                let change = flow(words, &key) ^ flow(other, &key);
                for (at, count) in turned.iter_mut().enumerate() {
                    *count += change >> at & 1;
                }
            }
            for (at, count) in turned.into_iter().enumerate() {
                let share = f64::from(count) / f64::from(SAMPLES);
                assert!((0.45..=0.55).contains(&share), "bit {bit} turns bit {at} over {share} of the time");
            }
        }
    }

    /// RFC 6438 section 5: nobody who does not know the key can tell two flows with one hash. Here: who
    /// changes any two bits of a packet, which in a product alone would cancel each other out at times.
    #[test]
    fn no_change_of_two_bits_leaves_the_hash_as_it_is_r081() {
        for n in 0..24 {
            let (key, words) = (FlowKey::new([n, 3, 5, n << 32]), scatter(n));
            let hash = flow(words, &key);
            for first in 0..104 {
                for second in 0..first {
                    let mut other = words;
                    other[first / 32] ^= 1 << (first % 32);
                    other[second / 32] ^= 1 << (second % 32);
                    assert_ne!(flow(other, &key), hash, "bits {first} and {second}");
                }
            }
        }
    }

    #[test]
    fn a_flow_without_ports_is_its_addresses_r081() {
        assert_eq!(KEY.flow_v4(1, 2, 17, 0), KEY.flow_v4(1, 2, 6, 0));
        assert_ne!(KEY.flow_v4(1, 2, 17, 5), KEY.flow_v4(1, 2, 6, 5));
        let (one, two) = (Key6 { high: 1, low: 1 }, Key6 { high: 1, low: 2 });
        assert_eq!(KEY.flow_v6(one, two, 17, 0), KEY.flow_v6(one, two, 6, 0));
        assert_ne!(KEY.flow_v6(one, two, 17, 5), KEY.flow_v6(one, two, 6, 5));
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
        assert_ne!(KEY.flow_v4(1, 2, 17, 3), other.flow_v4(1, 2, 17, 3));
        assert_eq!(format!("{other:?}"), "FlowKey(secret)");
    }
}
