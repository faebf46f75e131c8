//! Native forwarding: TTL, MTU, Ethernet rewrite.

use super::ip::{self, Ip};
use super::mtu;
use super::route::{Context, Origin};
use crate::buffer::PacketBuf;
use crate::types::{MacAddr, PortId};
use crate::verdict::{DropReason, Notice, Verdict};
use crate::wire::ethernet::{self, Ethernet};

/// A resolved Ethernet next hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextHop {
    /// Egress port.
    pub port: PortId,
    /// Our MAC address there.
    pub source_mac: MacAddr,
    /// Its MAC address.
    pub mac: MacAddr,
    /// IP MTU of the port.
    pub mtu: u16,
}

/// Rewrites the frame for its next hop. `away`: refuse to send it back to the neighbour it came
/// from. Unless it is ready to be sent afterwards, the packet is as it was.
#[inline(always)]
pub fn forward<B: PacketBuf>(buf: &mut B, ip: &Ip, cx: Context, away: bool, hop: &NextHop) -> Verdict {
    if away && is_back(buf.data(), cx, hop) {
        return Verdict::Drop(DropReason::NativeLoop, Some(Notice::NetUnreachable));
    }
    if ip.len > u32::from(hop.mtu) {
        return mtu::too_big(ip, hop.mtu);
    }
    let framed = ethernet::LEN + ip.len as usize;
    if buf.total_len() != framed && !buf.truncate(framed) {
        return Verdict::Drop(DropReason::HeadersSplit, None);
    }
    let data = buf.data_mut();
    if cx.origin != Origin::Own
        && let Some(packet) = data.get_mut(ethernet::LEN..)
    {
        ip::decrement_ttl(packet, ip.is_v6());
    }
    let ethertype = if ip.is_v6() { ethernet::IPV6 } else { ethernet::IPV4 };
    Ethernet { destination: hop.mac, source: hop.source_mac, ethertype }.write(data);
    Verdict::Forwarded(hop.port)
}

/// The next hop is the neighbour that sent the frame.
#[cold]
fn is_back(frame: &[u8], cx: Context, hop: &NextHop) -> bool {
    cx.origin == Origin::Native
        && hop.port == cx.port
        && Ethernet::parse(frame).is_some_and(|header| header.source == hop.mac)
}
