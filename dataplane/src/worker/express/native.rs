//! A plain packet on its native way: the last step of both express ways.

use crate::buffer::PacketBuf;
use crate::feed::Adjacency;
use crate::path::ip;
use crate::replica::Replica;
use crate::types::{PortId, VrfId};
use crate::wire::ethernet::{self, Ethernet};

/// Where the answer of a FIB lookup leads: the next hop's port, addresses and MTU, if it is there.
#[inline(always)]
pub(super) fn next_hop(tables: &Replica, vrf: VrfId, word: u32, hash: u32) -> Option<Hop> {
    let hop = tables.route(vrf, word)?.next_hop(hash)?;
    match tables.adjacency(hop) {
        Adjacency::Ready { port, source_mac: source, mac: destination, mtu } => {
            Some(Hop { port, mtu, ethernet: Ethernet { destination, source, ethertype: 0 } })
        }
        Adjacency::Resolving { .. } | Adjacency::Failed => None,
    }
}

/// A next hop.
#[derive(Clone, Copy)]
pub(super) struct Hop {
    pub(super) port: PortId,
    /// Largest IP packet.
    pub(super) mtu: u16,
    ethernet: Ethernet,
}

impl Hop {
    /// Takes one off the TTL and writes the Ethernet header. `frame` begins with the room for it.
    #[inline(always)]
    pub(super) fn write<B: PacketBuf>(&self, buf: &mut B, v6: bool) {
        let ethertype = if v6 { ethernet::IPV6 } else { ethernet::IPV4 };
        let data = buf.data_mut();
        ip::decrement_ttl(data, v6);
        Ethernet { ethertype, ..self.ethernet }.write(data);
    }
}
