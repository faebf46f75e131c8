//! An RLOC's slot: the outer headers in pieces, and what went there.

use super::options;
use crate::echo::EchoMark;
use crate::feed::{RlocOptions, RlocRewrite};
use crate::types::{MacAddr, PortId};
use crate::wire::{checksum, ethernet, ipv4, ipv6, lisp, proto, udp};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering::Relaxed};
use thiserror::Error;
use zerocopy::FromZeros;

/// Why no outer header can be made of a rewrite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TemplateError {
    /// An IPv4 source for an IPv6 destination or the reverse.
    #[error("outer source {0} and destination {1} are of different families")]
    Family(IpAddr, IpAddr),
}

/// One RLOC: what is the same in the outer headers of all packets to it, and its counters.
///
/// ```text
/// 0          14                     34/54       42/62      50/70
/// | Ethernet | IPv4 (20) | IPv6 (40) | UDP (8)  | LISP (8) |
/// ```
///
/// Kept are those parts that differ from RLOC to RLOC; `path/pitr.rs` puts them together with those that are
/// always the same, and those of the packet. IPv4 goes with DF=1 and ID 0 (R-118, RFC 6864 section 4.1), UDP
/// with checksum 0 (R-134), LISP with L and V zero (R-006), N where a nonce was agreed upon (R-032), N and E
/// for echoes (R-094).
///
/// Two cache lines, of which plain packets with an IPv4 outer header read and write the first alone. Everything
/// is written by the worker that owns the table; control sees the counters. A slot of zeros is an RLOC that is
/// down.
#[derive(Default, FromZeros)]
#[repr(C, align(64))]
pub struct RlocSlot {
    /// Addresses of the Ethernet header but for the first four bytes.
    back: AtomicU64,
    /// IPv4 source and destination.
    addresses_v4: AtomicU64,
    /// LISP header: flags and nonce.
    lisp: AtomicU64,
    packets: AtomicU64,
    bytes: AtomicU64,
    /// The first four bytes of the Ethernet header.
    front: AtomicU32,
    /// Sum of the outer IPv4 header without what depends on the packet, folded, not complemented; as it lies
    /// in memory, read as little-endian.
    checksum: AtomicU16,
    /// Largest IP packet that only needs an IPv4 outer header in front; 0: none does.
    room_v4: AtomicU16,
    /// The same for an IPv6 outer header.
    room_v6: AtomicU16,
    port: AtomicU16,
    mtu: AtomicU16,
    options: AtomicU16,
    state: AtomicU8,
    // The second cache line.
    /// IPv6 source and destination.
    addresses_v6: [AtomicU64; 4],
    /// The nonce of an echo.
    echo: AtomicU32,
    /// Outer source and destination port, where a NAT wants them.
    ports: AtomicU32,
}

/// What is known of the way to an RLOC. Zero: nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum State {
    Down,
    Resolving,
    ReadyV4,
    ReadyV6,
}

impl State {
    const ALL: [Self; 4] = [Self::Down, Self::Resolving, Self::ReadyV4, Self::ReadyV6];
}

/// Bytes that go in front of the IP packet, Ethernet included.
const LENGTH_V4: u16 = RlocSlot::LENGTH_V4 as u16;
const LENGTH_V6: u16 = RlocSlot::LENGTH_V6 as u16;

impl RlocSlot {
    /// Bytes of the headers when the outer family is IPv4.
    pub const LENGTH_V4: usize = ethernet::LEN + ipv4::MIN_LEN + udp::LEN + lisp::LEN;
    /// Bytes of the headers when the outer family is IPv6.
    pub const LENGTH_V6: usize = ethernet::LEN + ipv6::LEN + udp::LEN + lisp::LEN;

    /// Makes the headers. Counters go on.
    ///
    /// # Errors
    /// The two addresses are of different families; nothing has changed then.
    pub fn build(&self, rewrite: &RlocRewrite) -> Result<(), TemplateError> {
        let RlocRewrite { mtu, port, options, .. } = *rewrite;
        let plain = |headers: u16| {
            if options.is_plain() { mtu.saturating_sub(headers - ethernet::LEN as u16) } else { 0 }
        };
        let (state, room) = match (rewrite.source, rewrite.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                self.set_v4(source, destination);
                (State::ReadyV4, (plain(LENGTH_V4), 0))
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                self.set_v6(source, destination);
                (State::ReadyV6, (0, plain(LENGTH_V6)))
            }
            (source, destination) => return Err(TemplateError::Family(source, destination)),
        };
        self.set_front(rewrite);
        self.lisp.store(u64::from_ne_bytes(lisp_header(rewrite)), Relaxed);
        self.mtu.store(mtu, Relaxed);
        self.port.store(port.0, Relaxed);
        self.set_options(options);
        self.room_v4.store(room.0, Relaxed);
        self.room_v6.store(room.1, Relaxed);
        self.state.store(state as u8, Relaxed);
        Ok(())
    }

    /// There are no headers (any more).
    pub(super) fn close(&self, resolving: bool) {
        self.room_v4.store(0, Relaxed);
        self.room_v6.store(0, Relaxed);
        self.state.store(if resolving { State::Resolving } else { State::Down } as u8, Relaxed);
    }

    fn set_front(&self, rewrite: &RlocRewrite) {
        let (MacAddr([a, b, c, d, e, f]), MacAddr([g, h, i, j, k, l])) =
            (rewrite.next_hop_mac, rewrite.source_mac);
        self.front.store(u32::from_ne_bytes([a, b, c, d]), Relaxed);
        self.back.store(u64::from_ne_bytes([e, f, g, h, i, j, k, l]), Relaxed);
    }

    fn set_v4(&self, source: Ipv4Addr, destination: Ipv4Addr) {
        let addresses = u64::from(source.to_bits()) << 32 | u64::from(destination.to_bits());
        self.addresses_v4.store(addresses.to_be(), Relaxed);
        let fixed = [0x45, 0, 0, 0, 0, 0, 0x40, 0, 0, proto::UDP];
        let sum = checksum::add(checksum::add(0, &fixed), &addresses.to_be_bytes());
        self.checksum.store(checksum::fold(sum).swap_bytes(), Relaxed);
    }

    fn set_v6(&self, source: Ipv6Addr, destination: Ipv6Addr) {
        let half = |addr: Ipv6Addr, at: u32| (addr.to_bits() >> at) as u64;
        let halves = [half(source, 64), half(source, 0), half(destination, 64), half(destination, 0)];
        for (place, half) in self.addresses_v6.iter().zip(halves) {
            place.store(half.to_be(), Relaxed);
        }
    }

    fn set_options(&self, options: RlocOptions) {
        let (word, ports, echo) = options::pack(options);
        self.options.store(word, Relaxed);
        self.ports.store(ports, Relaxed);
        self.echo.store(echo, Relaxed);
    }

    #[inline(always)]
    pub(super) fn state(&self) -> State {
        State::ALL.get(usize::from(self.state.load(Relaxed))).copied().unwrap_or(State::Down)
    }

    /// The outer family is IPv6.
    #[inline(always)]
    #[must_use]
    pub fn is_ipv6(&self) -> bool {
        self.state() == State::ReadyV6
    }

    /// The addresses of the Ethernet header, 4 and 8 bytes, as they lie in memory.
    #[inline(always)]
    pub(crate) fn addresses_mac(&self) -> (u32, u64) {
        (self.front.load(Relaxed), self.back.load(Relaxed))
    }

    /// Source and destination where the outer family is IPv4: 8 bytes, as they lie in memory.
    #[inline(always)]
    pub(crate) fn addresses_v4(&self) -> u64 {
        self.addresses_v4.load(Relaxed)
    }

    /// Source and destination where the outer family is IPv6: 32 bytes, as they lie in memory.
    #[inline(always)]
    pub(crate) fn addresses_v6(&self) -> [u64; 4] {
        let [a, b, c, d] = &self.addresses_v6;
        [a.load(Relaxed), b.load(Relaxed), c.load(Relaxed), d.load(Relaxed)]
    }

    /// Flags and nonce of the LISP header, the rest zero.
    #[inline(always)]
    #[must_use]
    pub fn lisp(&self) -> [u8; lisp::LEN] {
        self.lisp.load(Relaxed).to_ne_bytes()
    }

    /// Sum of the 16-bit words of the outer IPv4 header with total length, TOS and TTL zero: folded, not
    /// complemented, as it lies in memory, read as little-endian.
    #[inline(always)]
    #[must_use]
    pub fn checksum_partial(&self) -> u16 {
        self.checksum.load(Relaxed)
    }

    /// Largest outer IP packet, bytes.
    #[inline(always)]
    #[must_use]
    pub fn mtu(&self) -> u16 {
        self.mtu.load(Relaxed)
    }

    /// Largest IP packet that fits behind an IPv4 outer header and needs nothing else: 0 where the way has
    /// options, the outer family is IPv6, or there is no way.
    #[inline(always)]
    #[must_use]
    pub fn room_v4(&self) -> u16 {
        self.room_v4.load(Relaxed)
    }

    /// The same for an IPv6 outer header.
    #[inline(always)]
    #[must_use]
    pub fn room_v6(&self) -> u16 {
        self.room_v6.load(Relaxed)
    }

    /// What is special about the way, if anything is.
    #[inline]
    #[must_use]
    pub fn options(&self) -> Option<RlocOptions> {
        let word = self.options.load(Relaxed);
        (word != 0).then(|| options::unpack(word, self.ports.load(Relaxed), self.echo.load(Relaxed)))
    }

    /// Port the packet leaves from.
    #[inline(always)]
    #[must_use]
    pub fn port(&self) -> PortId {
        PortId(self.port.load(Relaxed))
    }

    /// The RLOC, outer destination.
    #[must_use]
    pub fn destination(&self) -> IpAddr {
        if self.is_ipv6() {
            let [_, _, high, low] = self.addresses_v6().map(|half| u128::from(u64::from_be(half)));
            Ipv6Addr::from_bits(high << 64 | low).into()
        } else {
            Ipv4Addr::from_bits(u64::from_be(self.addresses_v4()) as u32).into()
        }
    }

    /// Asks for the second cache line: what an IPv6 outer header needs besides.
    #[inline(always)]
    pub(crate) fn prefetch_v6(&self) {
        dpdk_sys::prefetch(&self.addresses_v6);
    }

    /// Counts packets of that many outer bytes in all. Only the worker that owns the table may.
    #[inline(always)]
    pub(crate) fn count(&self, packets: u64, bytes: u64) {
        self.packets.store(self.packets.load(Relaxed).wrapping_add(packets), Relaxed);
        self.bytes.store(self.bytes.load(Relaxed).wrapping_add(bytes), Relaxed);
    }

    /// Packets and outer bytes (outer IP header to end) sent to this slot, ever. A slot that gets
    /// another RLOC goes on counting: control takes differences.
    #[must_use]
    pub fn counters(&self) -> (u64, u64) {
        (self.packets.load(Relaxed), self.bytes.load(Relaxed))
    }
}

/// Not derived: there may be a nonce, which shows nowhere.
impl fmt::Debug for RlocSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = (self.state(), self.destination(), self.counters());
        f.debug_tuple("RlocSlot").field(&shown).finish()
    }
}

/// The LISP header of an RLOC: flags and nonce.
fn lisp_header(rewrite: &RlocRewrite) -> [u8; lisp::LEN] {
    let (flags, nonce) = match (rewrite.options.echo, rewrite.nonce) {
        (Some(EchoMark::Ask(nonce)), _) => (lisp::FLAG_NONCE | lisp::FLAG_ECHO, nonce.get()),
        (Some(EchoMark::Give(nonce)), _) => (lisp::FLAG_NONCE, nonce.get()),
        (None, Some(nonce)) => (lisp::FLAG_NONCE, nonce.get()),
        (None, None) => (0, 0),
    };
    ((u64::from(flags) << 24 | u64::from(nonce)) << 32).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::echo::EchoNonce;
    use crate::feed::OuterPorts;

    fn rewrite(source: &str, destination: &str) -> RlocRewrite {
        RlocRewrite {
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
            port: PortId(3),
            source_mac: MacAddr([2, 0, 0, 0, 0, 1]),
            next_hop_mac: MacAddr([2, 0, 0, 0, 0, 2]),
            mtu: 1500,
            options: RlocOptions::default(),
            nonce: None,
        }
    }

    fn built(rewrite: &RlocRewrite) -> RlocSlot {
        let slot = RlocSlot::default();
        slot.build(rewrite).unwrap();
        slot
    }

    #[test]
    fn a_way_is_what_it_was_made_of() {
        let slot = built(&rewrite("192.0.2.1", "203.0.113.9"));
        assert_eq!((slot.mtu(), slot.port(), slot.is_ipv6()), (1500, PortId(3), false));
        assert_eq!((slot.room_v4(), slot.room_v6(), slot.options()), (1464, 0, None));
        assert_eq!(slot.destination(), IpAddr::from([203, 0, 113, 9]));
        slot.build(&rewrite("2001:db8::1", "2001:db8:f::2")).unwrap();
        assert_eq!((slot.room_v4(), slot.room_v6(), slot.is_ipv6()), (0, 1444, true));
        assert_eq!(slot.destination().to_string(), "2001:db8:f::2");
        slot.close(false);
        assert_eq!((slot.room_v4(), slot.room_v6()), (0, 0));
    }

    #[test]
    fn plain_ipv4_lies_in_one_cache_line() {
        assert_eq!((size_of::<RlocSlot>(), align_of::<RlocSlot>()), (128, 64));
        assert_eq!(std::mem::offset_of!(RlocSlot, addresses_v6), 64);
    }

    #[test]
    fn a_way_with_options_has_no_plain_packets_and_keeps_them() {
        let (plain, nonce) = (RlocOptions::default(), EchoNonce::new(0x00AB_CDEF));
        let ports = Some(OuterPorts { source: 40_001, destination: 0 });
        for options in [
            RlocOptions { ecn_compatible: true, ..plain },
            RlocOptions { udp_checksum: true, ..plain },
            RlocOptions { may_fragment: true, ..plain },
            RlocOptions { map_versions: true, status_bits: true, ..plain },
            RlocOptions { ports, ..plain },
            RlocOptions { echo: Some(EchoMark::Ask(nonce)), encrypted: true, ..plain },
            RlocOptions { echo: Some(EchoMark::Give(EchoNonce::new(0))), ..plain },
            RlocOptions { gpe: true, ..plain },
        ] {
            let slot = built(&RlocRewrite { options, ..rewrite("192.0.2.1", "203.0.113.9") });
            assert_eq!((slot.mtu(), slot.room_v4(), slot.options()), (1500, 0, Some(options)));
            slot.build(&rewrite("192.0.2.1", "203.0.113.9")).unwrap();
            assert_eq!((slot.room_v4(), slot.options()), (1464, None));
        }
    }

    #[test]
    fn families_do_not_mix() {
        let error = RlocSlot::default().build(&rewrite("192.0.2.1", "2001:db8::1")).unwrap_err();
        assert!(matches!(error, TemplateError::Family(..)));
    }

    #[test]
    fn a_nonce_is_not_shown() {
        let nonce = Some(crate::admission::Nonce::new(0x0012_3456));
        let slot = built(&RlocRewrite { nonce, ..rewrite("192.0.2.1", "203.0.113.9") });
        assert_eq!(slot.lisp(), [0x80, 0x12, 0x34, 0x56, 0, 0, 0, 0]);
        assert_eq!(format!("{slot:?}"), "RlocSlot((ReadyV4, 203.0.113.9, (0, 0)))");
    }
}
