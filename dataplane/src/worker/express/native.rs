//! A plain packet on its native way: the last step of both express ways.

use crate::feed::Adjacency;
use crate::fib::RouteRef;
use crate::replica::Replica;
use crate::types::{MacAddr, PortId, VrfId};
use crate::wire::bytes::set;
use crate::wire::ethernet;

/// Bytes of a frame up to the checksum of its IPv4 header.
const HEAD: usize = ethernet::LEN + 12;

/// Where answers of FIB lookups in one VRF lead. The last one is remembered: many prefixes share few
/// next hops.
pub(super) struct Hops<'a> {
    tables: &'a Replica,
    vrf: VrfId,
    word: u32,
    hop: Option<Hop>,
}

impl<'a> Hops<'a> {
    pub(super) const fn new(tables: &'a Replica, vrf: VrfId) -> Self {
        Self { tables, vrf, word: crate::lpm::NO_MATCH, hop: None }
    }

    /// The next hop's port, addresses and MTU, if it is there. `hash`: that of the flow, for routes
    /// with several next hops.
    #[inline(always)]
    pub(super) fn get(&mut self, word: u32, hash: impl FnOnce() -> Option<u32>) -> Option<Hop> {
        if word == self.word { self.hop } else { self.find(word, hash) }
    }

    #[inline(never)]
    fn find(&mut self, word: u32, hash: impl FnOnce() -> Option<u32>) -> Option<Hop> {
        let hit = self.tables.route(self.vrf, word)?;
        if let RouteRef::Multipath(_) = hit.route {
            return self.hop_of(hit.next_hop(hash()?)?);
        }
        let hop = hit.next_hop(0).and_then(|adjacency| self.hop_of(adjacency));
        (self.word, self.hop) = (word, hop);
        hop
    }

    fn hop_of(&self, adjacency: crate::types::AdjacencyId) -> Option<Hop> {
        match self.tables.adjacency(adjacency) {
            Adjacency::Ready { port, source_mac: MacAddr(s), mac: MacAddr(d), mtu } => {
                let addresses = [d[0], d[1], d[2], d[3], d[4], d[5], s[0], s[1], s[2], s[3], s[4], s[5]];
                Some(Hop { port, mtu, addresses })
            }
            Adjacency::Resolving { .. } | Adjacency::Failed => None,
        }
    }
}

/// A next hop.
#[derive(Clone, Copy)]
pub(super) struct Hop {
    pub(super) port: PortId,
    /// Largest IP packet.
    pub(super) mtu: u16,
    addresses: [u8; 12],
}

impl Hop {
    /// Writes the Ethernet header of an IP packet.
    #[inline(always)]
    pub(super) fn write<const V6: bool>(&self, room: &mut [u8; ethernet::LEN]) {
        let [t0, t1] = if V6 { ethernet::IPV6 } else { ethernet::IPV4 }.to_be_bytes();
        let [a, b, c, d, e, f, g, h, i, j, k, l] = self.addresses;
        *room = [a, b, c, d, e, f, g, h, i, j, k, l, t0, t1];
    }

    /// The same for a packet that begins behind it, and of its header the first two bytes (those of word `first`),
    /// and the word with the TTL or Hop Limit. A word's lowest byte is its first.
    #[inline(always)]
    pub(super) fn write_with<const V6: bool>(&self, room: &mut [u8; HEAD], first: u32, word: u32) {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = self.addresses;
        let [t0, t1] = if V6 { ethernet::IPV6 } else { ethernet::IPV4 }.to_be_bytes();
        let end = u64::from_le_bytes([i, j, k, l, t0, t1, 0, 0]) | u64::from(first) << 48;
        set::<0, 8, _>(room, [a, b, c, d, e, f, g, h]);
        set::<8, 8, _>(room, end.to_le_bytes());
        if V6 {
            set::<{ ethernet::LEN + 4 }, 4, _>(room, word.to_le_bytes());
        } else {
            set::<{ ethernet::LEN + 8 }, 4, _>(room, word.to_le_bytes());
        }
    }
}
