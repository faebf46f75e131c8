//! The first step of the way out: which packets are plain, and what is to be known of them.

use super::outbound::{Lane, Outbound};
use super::plain::{self, OwnMac};
use crate::buffer::PacketBuf;
use crate::feed::PortSpec;
use crate::io::{BURST, PacketBurst};
use crate::lpm::{Key4, Key6};
use crate::path::flow::{self, FlowKey};
use crate::replica::Replica;
use crate::wire::bytes::{be32, chunk};
use crate::wire::{ethernet, ipv4, ipv6, lisp, proto};

/// Bytes that a plain frame has at least: to the ports.
const LEN_V4: usize = ethernet::LEN + ipv4::MIN_LEN + 4;
const LEN_V6: usize = ethernet::LEN + ipv6::LEN + 4;

/// What packets of a burst are compared with.
struct Door<'a> {
    tables: &'a Replica,
    key: &'a FlowKey,
    mac: OwnMac,
    own4: u32,
    own6: Key6,
    underlay: bool,
}

impl Outbound {
    /// Finds the plain packets and gathers their keys.
    #[inline(never)]
    pub(super) fn look<P: PacketBurst>(
        &mut self,
        (tables, key): (&Replica, &FlowKey),
        burst: &P,
        port: &PortSpec,
    ) {
        self.v4.clear();
        self.v6.clear();
        let door = Door {
            tables,
            key,
            mac: OwnMac::new(port.mac.0),
            own4: port.ipv4.map_or(0, |own| own.to_bits()),
            own6: port.ipv6.map_or(Key6::default(), Key6::from),
            underlay: port.underlay,
        };
        for at in 0..burst.len().min(BURST) {
            let Some(buf) = burst.get(at) else { break };
            let data = buf.data();
            let Some(h) = data.first_chunk::<LEN_V4>() else { continue };
            match door.mac.ethertype(h) {
                ethernet::IPV4 => {
                    if let Some((destination, lane)) = door.look_v4(buf, h) {
                        self.v4.add(destination, Lane { at: at as u8, ..lane });
                    }
                }
                ethernet::IPV6 => {
                    if let Some(h) = data.first_chunk()
                        && let Some((destination, lane)) = door.look_v6(buf, h)
                    {
                        self.v6.add(destination, Lane { at: at as u8, ..lane });
                    }
                }
                _ => {}
            }
        }
    }
}

impl Door<'_> {
    #[inline(always)]
    fn look_v4<B: PacketBuf>(&self, buf: &B, h: &[u8; LEN_V4]) -> Option<(Key4, Lane)> {
        let available = buf.total_len().wrapping_sub(ethernet::LEN);
        let ip = plain::v4(chunk(h, ethernet::LEN)?, available, || buf.ip_checksum_known_good())?;
        let ports = plain::ports(ip.protocol, be32(h, LEN_V4 - 4)?, self.key)?;
        let destination = Key4(ip.destination);
        if ip.source == self.own4 || ip.ttl <= 1 || is_lisp(ip.protocol, ports) {
            return None;
        }
        if self.underlay && self.tables.is_local_rloc4(destination) {
            return None;
        }
        let hash = self.key.ipv4(ip.source, ip.destination, flow::input(ip.protocol, ports, false));
        Some((destination, Lane { hash, len: ip.len, tos: ip.tos, ttl: ip.ttl, at: 0 }))
    }

    #[inline(always)]
    fn look_v6<B: PacketBuf>(&self, buf: &B, h: &[u8; LEN_V6]) -> Option<(Key6, Lane)> {
        let available = buf.total_len().wrapping_sub(ethernet::LEN);
        let ip = plain::v6(chunk(h, ethernet::LEN)?, available)?;
        let ports = plain::ports(ip.protocol, be32(h, LEN_V6 - 4)?, self.key)?;
        if ip.source == self.own6 || ip.ttl <= 1 || is_lisp(ip.protocol, ports) {
            return None;
        }
        if self.underlay && self.tables.is_local_rloc6(ip.destination) {
            return None;
        }
        let hash = self.key.ipv6(ip.source, ip.destination, flow::input(ip.protocol, ports, false));
        Some((ip.destination, Lane { hash, len: ip.len, tos: ip.tos, ttl: ip.ttl, at: 0 }))
    }
}

/// LISP data, perhaps nested: not plain.
#[inline(always)]
fn is_lisp(protocol: u8, ports: u32) -> bool {
    ports as u16 == lisp::DATA_PORT && protocol == proto::UDP
}
