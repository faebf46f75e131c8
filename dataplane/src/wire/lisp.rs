//! LISP data header (RFC 9300 section 5.3), 8 bytes:
//! flags N L E V I R KK | nonce or map-versions 24 | Instance-ID 24 and LSBs 8, or LSBs 32.

use super::bytes::chunk;
use crate::trust::{MapVersion, Status};
use crate::types::InstanceId;

/// Bytes of the header.
pub const LEN: usize = 8;
/// UDP port of LISP data.
pub const DATA_PORT: u16 = 4341;
/// UDP port of LISP control.
pub const CONTROL_PORT: u16 = 4342;
/// Instance-ID of LISP data that holds a control message for a router behind a NAT
/// (draft-ermagan-lisp-nat-traversal-19 section 5.4).
pub const CONTROL_INSTANCE: InstanceId = InstanceId(0xFF_FFFF);
/// N: a nonce is present.
pub const FLAG_NONCE: u8 = 0x80;
/// E: the nonce is to be echoed (RFC 9300 section 10.1).
pub const FLAG_ECHO: u8 = 0x20;
/// L: Locator-Status-Bits are present.
pub const FLAG_STATUS: u8 = 0x40;
/// V: Map-Versions are present (RFC 9302).
pub const FLAG_VERSIONS: u8 = 0x10;
/// I: an Instance-ID is present.
pub const FLAG_INSTANCE: u8 = 0x08;
/// P: byte 3 names what follows (LISP-GPE, RFC 9305); reserved where that was not agreed upon.
pub const FLAG_PROTOCOL: u8 = 0x04;
/// Next Protocol of LISP-GPE: IPv4 (RFC 9305 section 3).
const PROTOCOL_IPV4: u8 = 1;
/// The same for IPv6.
const PROTOCOL_IPV6: u8 = 2;
/// KK: key-id of the encryption key (RFC 8061), 0 = clear.
pub const MASK_KEY: u8 = 0x03;

/// What the path needs of the header.
///
/// On the public Internet N, L, E and V are never acted on (RFC 9300 section 4.1, R-006): N counts only
/// where nonces were agreed upon (RFC 8060 section 5.3, R-032) or are echoed, E, V and L only of trusted routers
/// (RFC 9300 section 10, RFC 9302). N and V both set is a nonce. P is reserved and ignored, and the
/// version nibble of the inner packet decides (wire.md TRAP 7), unless LISP-GPE was agreed upon with somebody
/// (RFC 9305).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lisp {
    /// Instance-ID; 0 when I=0. With I=1 the low 8 bits (LSBs) are not part of it.
    pub instance: InstanceId,
    /// Key-id, 0 to 3.
    pub key: u8,
    /// Flags and nonce as they are.
    first: u32,
    /// Instance-ID and Locator-Status-Bits as they are.
    second: u32,
}

impl Lisp {
    /// Reads the header at `offset`; `None` if the bytes end before.
    #[inline(always)]
    pub fn parse(data: &[u8], offset: usize) -> Option<Self> {
        let h: &[u8; LEN] = chunk(data, offset)?;
        let instance = if h[0] & FLAG_INSTANCE == 0 { 0 } else { u32::from_be_bytes([0, h[4], h[5], h[6]]) };
        let first = u32::from_be_bytes([h[0], h[1], h[2], h[3]]);
        let second = u32::from_be_bytes([h[4], h[5], h[6], h[7]]);
        Some(Self { instance: InstanceId(instance), key: h[0] & MASK_KEY, first, second })
    }

    /// The nonce of 24 bits, if there is one.
    #[inline(always)]
    pub const fn nonce(self) -> Option<u32> {
        let nonce = self.first >> 24 & FLAG_NONCE as u32 != 0;
        if nonce { Some(self.first & 0x00FF_FFFF) } else { None }
    }

    /// The nonce is to be echoed. Without a nonce E says nothing.
    #[inline(always)]
    pub const fn asks_echo(self) -> bool {
        const BOTH: u8 = FLAG_NONCE | FLAG_ECHO;
        (self.first >> 24) as u8 & BOTH == BOTH
    }

    /// The Map-Versions of source and destination, if they are there (RFC 9302 section 6).
    #[inline(always)]
    pub const fn versions(self) -> Option<(MapVersion, MapVersion)> {
        let flags = (self.first >> 24) as u8;
        if flags & (FLAG_NONCE | FLAG_VERSIONS) != FLAG_VERSIONS {
            return None;
        }
        Some((MapVersion::new((self.first >> 12) as u16), MapVersion::new(self.first as u16)))
    }

    /// The Locator-Status-Bits of the source, if they are there: 8 beside an Instance-ID, else 32 (RFC 9300
    /// section 5.3).
    #[inline(always)]
    pub const fn status(self) -> Option<Status> {
        let flags = (self.first >> 24) as u8;
        if flags & FLAG_STATUS == 0 {
            return None;
        }
        let known = if flags & FLAG_INSTANCE == 0 { u32::MAX } else { 0xFF };
        Some(Status { bits: self.second & known, known })
    }

    /// A header with the Locator-Status-Bits of the source, as many as there is room for.
    pub const fn with_status(header: [u8; LEN], status: Status) -> [u8; LEN] {
        let [flags, a, b, c, d, e, f, _] = header;
        let [s, t, u, v] = (status.bits & status.known).to_be_bytes();
        if flags & FLAG_INSTANCE == 0 {
            [flags | FLAG_STATUS, a, b, c, s, t, u, v]
        } else {
            [flags | FLAG_STATUS, a, b, c, d, e, f, v]
        }
    }

    /// It is encrypted or, where that means something, LISP-GPE: nothing for the express way.
    #[inline(always)]
    pub const fn is_special(self) -> bool {
        self.first >> 24 & (MASK_KEY | FLAG_PROTOCOL) as u32 != 0
    }

    /// P: what follows is named.
    #[inline(always)]
    pub const fn is_gpe(self) -> bool {
        self.first >> 24 & FLAG_PROTOCOL as u32 != 0
    }

    /// The IP version that the Next Protocol of LISP-GPE names; `None`: it is not IP.
    pub const fn named_version(self) -> Option<u8> {
        match self.first as u8 {
            PROTOCOL_IPV4 => Some(4),
            PROTOCOL_IPV6 => Some(6),
            _ => None,
        }
    }

    /// The same without what P takes the place of: nonce, echo request and versions (RFC 9305 section 3).
    pub const fn without_nonce(self) -> Self {
        let left = (FLAG_STATUS | FLAG_INSTANCE | MASK_KEY) as u32;
        Self { first: self.first & left << 24, ..self }
    }

    /// The first word of LISP-GPE in front of an IP packet, from flags as they would be without: nonce, echo
    /// request and versions go (RFC 9305 section 3).
    pub const fn gpe(flags: u8, v6: bool) -> [u8; 4] {
        let protocol = if v6 { PROTOCOL_IPV6 } else { PROTOCOL_IPV4 };
        [flags & (FLAG_STATUS | FLAG_INSTANCE) | FLAG_PROTOCOL, 0, 0, protocol]
    }

    /// A header without a nonce, with the Map-Versions of source and destination.
    pub const fn with_versions(header: [u8; LEN], source: MapVersion, destination: MapVersion) -> [u8; LEN] {
        let [flags, _, _, _, rest @ ..] = header;
        let versions = (source.get() as u32) << 12 | destination.get() as u32;
        let [_, a, b, c] = versions.to_be_bytes();
        let [d, e, f, g] = rest;
        [flags | FLAG_VERSIONS, a, b, c, d, e, f, g]
    }

    /// The header we send: all flags but I clear, eight zero bytes for the default
    /// instance (wire.md TRAP 11).
    pub const fn header(instance: InstanceId) -> [u8; LEN] {
        let i = instance.0.to_be_bytes();
        let flags = if instance.0 == 0 { 0 } else { FLAG_INSTANCE };
        [flags, 0, 0, 0, i[1], i[2], i[3], 0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of wire.md section 15.
    #[test]
    fn data_headers_are_read_and_written() {
        let vector = [0x08, 0, 0, 0, 0, 0, 0x65, 0];
        assert_eq!(Lisp::header(InstanceId(101)), vector);
        let read = Lisp::parse(&vector, 0).map(|h| (h.instance, h.key, h.nonce()));
        assert_eq!(read, Some((InstanceId(101), 0, None)));
        assert_eq!(Lisp::header(InstanceId(0)), [0; 8]);
        let lsb = [0x48, 0, 0, 0, 0, 0, 0x65, 0x03];
        assert_eq!(Lisp::parse(&lsb, 0).map(|h| h.instance), Some(InstanceId(101)));
        let echo = [0xa0, 0xab, 0xcd, 0xef, 0, 0, 0, 0];
        assert_eq!(
            Lisp::parse(&echo, 0).map(|h| (h.instance, h.nonce(), h.asks_echo())),
            Some((InstanceId(0), Some(0xab_cdef), true))
        );
        let asks = |flags| Lisp::parse(&[flags, 0xab, 0xcd, 0xef, 0, 0, 0, 0], 0).map(Lisp::asks_echo);
        assert_eq!((asks(0x20), asks(0x80)), (Some(false), Some(false)), "E without N, N without E");
        let lsbs_without_instance = [0x40, 0, 0, 0, 1, 2, 3, 4];
        assert_eq!(Lisp::parse(&lsbs_without_instance, 0).map(|h| h.instance), Some(InstanceId(0)));
        assert_eq!(Lisp::parse(&[0x03, 0, 0, 0, 0, 0, 0, 0], 0).map(|h| h.key), Some(3));
        assert_eq!(Lisp::parse(&vector, 1), None);
        let versions = [0x10, 0x00, 0x10, 0x02, 0, 0, 0, 0];
        let pair = (MapVersion::new(1), MapVersion::new(2));
        assert_eq!(Lisp::with_versions([0; 8], pair.0, pair.1), versions);
        assert_eq!(Lisp::parse(&versions, 0).and_then(Lisp::versions), Some(pair));
        assert_eq!(Lisp::with_versions(vector, pair.0, pair.1), [0x18, 0x00, 0x10, 0x02, 0, 0, 0x65, 0]);
        // the bits share the second word with the Instance-ID.
        let up = |bits, known| Some(Status { bits, known });
        assert_eq!(Lisp::parse(&lsb, 0).and_then(Lisp::status), up(3, 0xFF));
        assert_eq!(Lisp::parse(&lsbs_without_instance, 0).and_then(Lisp::status), up(0x0102_0304, u32::MAX));
        assert_eq!(Lisp::parse(&vector, 0).and_then(Lisp::status), None);
        let status = Status { bits: 0x0102_0304, known: u32::MAX };
        assert_eq!(Lisp::with_status([0; 8], status), lsbs_without_instance);
        assert_eq!(Lisp::with_status(vector, Status { bits: 3, known: 3 }), lsb);
        assert_eq!(Lisp::with_status(versions, status), [0x50, 0x00, 0x10, 0x02, 1, 2, 3, 4]);
        // RFC 9305 section 3, figure 1: P, and IPv6 follows; the Instance-ID stays.
        assert_eq!(Lisp::gpe(0x08, true), [0x0C, 0, 0, 2]);
        assert_eq!(Lisp::gpe(0xB0, false), [0x04, 0, 0, 1], "N, E and V go");
        let gpe = Lisp::parse(&[0x9C, 9, 9, 2, 0, 0, 0x65, 0], 0);
        assert_eq!(gpe.map(|h| (h.is_gpe(), h.named_version())), Some((true, Some(6))));
        let cleared = gpe.map(Lisp::without_nonce);
        assert_eq!(
            cleared.map(|h| (h.nonce(), h.versions(), h.instance)),
            Some((None, None, InstanceId(101)))
        );
        // N and V both set is a nonce.
        let both = Lisp::parse(&[0x90, 0x00, 0x10, 0x02, 0, 0, 0, 0], 0);
        assert_eq!(both.map(|h| (h.nonce(), h.versions())), Some((Some(0x1002), None)));
    }
}
