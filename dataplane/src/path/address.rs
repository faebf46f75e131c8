//! Addresses that are not ordinary unicast ones (R-011, R-033, R-150, R-158; RFC 6890).

use crate::lpm::Key6;

/// What kind of address it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One host somewhere: may be source and destination.
    Unicast,
    /// Link-local unicast: 169.254.0.0/16, fe80::/10.
    LinkLocal,
    /// Multicast that never leaves the link: 224.0.0.0/24, ff02::/16 and the same scope with flags.
    LinkMulticast,
    /// Other multicast.
    Multicast,
    /// 255.255.255.255.
    Broadcast,
    /// Never seen on a wire: 0.0.0.0/8, 127.0.0.0/8, 240.0.0.0/4, ::, ::1, ::ffff:0:0/96, and the
    /// interface-local multicast ff01::/16 (and ff00::/16, reserved), with any flags.
    Martian,
}

/// Kind of an IPv4 address.
#[inline(always)]
pub const fn kind_v4(addr: u32) -> Kind {
    // One comparison settles nearly every address: 1.0.0.0 to 223.255.255.255.
    let high = addr >> 24;
    if high.wrapping_sub(1) < 223 && high != 127 && addr >> 16 != 0xA9FE {
        return Kind::Unicast;
    }
    match high {
        224 if addr >> 8 == 0x00E0_0000 => Kind::LinkMulticast,
        224..=239 => Kind::Multicast,
        169 => Kind::LinkLocal,
        _ if addr == u32::MAX => Kind::Broadcast,
        _ => Kind::Martian,
    }
}

/// Kind of an IPv6 address.
#[inline(always)]
pub const fn kind_v6(addr: Key6) -> Kind {
    // Only addresses that begin with 00, fe or ff can be special.
    if (addr.high >> 56).wrapping_sub(1) < 0xFD {
        return Kind::Unicast;
    }
    match (addr.high >> 48) as u16 {
        // The scope is the low half of the second byte, the high half are flags (RFC 4291 section 2.7).
        group @ 0xFF00.. => match group & 0x000F {
            0 | 1 => Kind::Martian,
            2 => Kind::LinkMulticast,
            _ => Kind::Multicast,
        },
        0xFE80..=0xFEBF => Kind::LinkLocal,
        // ::, ::1 and the IPv4-mapped ::ffff:0:0/96; the translation prefixes 64:ff9b::/96 and
        // 64:ff9b:1::/48 are ordinary here.
        0 if addr.high == 0 && (addr.low <= 1 || addr.low >> 32 == 0xFFFF) => Kind::Martian,
        _ => Kind::Unicast,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    #[test]
    fn ipv4_kinds_r150() {
        let kind = |text: &str| kind_v4(text.parse::<Ipv4Addr>().unwrap().to_bits());
        for text in [
            "1.0.0.0",
            "10.0.0.1",
            "126.255.255.255",
            "128.0.0.1",
            "169.253.1.1",
            "169.255.0.0",
            "223.255.255.255",
        ] {
            assert_eq!(kind(text), Kind::Unicast, "{text}");
        }
        for text in ["0.0.0.0", "0.1.2.3", "127.0.0.1", "240.0.0.1", "255.255.255.254"] {
            assert_eq!(kind(text), Kind::Martian, "{text}");
        }
        assert_eq!(kind("169.254.3.4"), Kind::LinkLocal);
        assert_eq!(kind("224.0.0.5"), Kind::LinkMulticast);
        assert_eq!(kind("224.0.1.1"), Kind::Multicast);
        assert_eq!(kind("239.255.255.255"), Kind::Multicast);
        assert_eq!(kind("255.255.255.255"), Kind::Broadcast);
    }

    #[test]
    fn ipv6_kinds_r150_r158() {
        let kind = |text: &str| kind_v6(text.parse::<Ipv6Addr>().unwrap().into());
        for text in ["2001:db8::1", "64:ff9b::c000:201", "fc00::1", "fec0::1", "::2", "fd00::", "100::1"] {
            assert_eq!(kind(text), Kind::Unicast, "{text}");
        }
        for text in ["::", "::1", "::ffff:192.0.2.1", "ff01::1", "ff00::"] {
            assert_eq!(kind(text), Kind::Martian, "{text}");
        }
        assert_eq!(kind("fe80::1"), Kind::LinkLocal);
        assert_eq!(kind("febf::1"), Kind::LinkLocal);
        assert_eq!(kind("ff02::1:ff00:1"), Kind::LinkMulticast);
        assert_eq!(kind("ff12::1"), Kind::LinkMulticast, "transient");
        assert_eq!(kind("ff32::8000:1"), Kind::LinkMulticast, "source-specific");
        assert_eq!(kind("ff11::1"), Kind::Martian);
        assert_eq!(kind("ff05::2"), Kind::Multicast);
        assert_eq!(kind("ff3e::1"), Kind::Multicast);
    }
}
