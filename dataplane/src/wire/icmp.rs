//! ICMP (RFC 792, RFC 1812 section 5.2.7) and ICMPv6 (RFC 4443) types and codes, and which of them
//! are errors.

/// Bytes of an error's header, both families: type 1 | code 1 | checksum 2 | 4 by type.
pub const ERROR_LEN: usize = 8;

/// ICMP for IPv4.
pub mod v4 {
    /// Destination Unreachable.
    pub const UNREACHABLE: u8 = 3;
    /// Time Exceeded.
    pub const TIME_EXCEEDED: u8 = 11;
    /// Code of Time Exceeded: fragment reassembly.
    pub const REASSEMBLY: u8 = 1;
    /// Code of Unreachable: network.
    pub const NET: u8 = 0;
    /// Code of Unreachable: host.
    pub const HOST: u8 = 1;
    /// Code of Unreachable: fragmentation needed and DF set.
    pub const FRAGMENTATION_NEEDED: u8 = 4;
    /// Code of Unreachable: communication administratively prohibited.
    pub const PROHIBITED: u8 = 13;

    /// Whether a message of this type reports an error: source quench, redirect, parameter
    /// problem and unknown types included, since an error about an unknown type may loop.
    pub const fn is_error(kind: u8) -> bool {
        // Echo, router and timestamp messages, information, address mask, and RFC 8335's.
        !matches!(kind, 0 | 8 | 9 | 10 | 13..=18 | 42 | 43)
    }
}

/// ICMP for IPv6.
pub mod v6 {
    /// Destination Unreachable.
    pub const UNREACHABLE: u8 = 1;
    /// Packet Too Big.
    pub const PACKET_TOO_BIG: u8 = 2;
    /// Time Exceeded.
    pub const TIME_EXCEEDED: u8 = 3;
    /// Code of Time Exceeded: fragment reassembly.
    pub const REASSEMBLY: u8 = 1;
    /// Redirect (RFC 4861).
    pub const REDIRECT: u8 = 137;
    /// Code of Unreachable: no route.
    pub const NO_ROUTE: u8 = 0;
    /// Code of Unreachable: administratively prohibited.
    pub const PROHIBITED: u8 = 1;
    /// Code of Unreachable: address.
    pub const ADDRESS: u8 = 3;

    /// Whether no error may be sent about a message of this type (RFC 4443 section 2.4 e.1, e.2).
    pub const fn is_error(kind: u8) -> bool {
        kind < 128 || kind == REDIRECT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_no_errors_and_errors_are() {
        assert!(!v4::is_error(8) && !v4::is_error(0) && !v4::is_error(13));
        assert!(
            v4::is_error(3) && v4::is_error(11) && v4::is_error(5) && v4::is_error(12) && v4::is_error(200)
        );
        assert!(!v6::is_error(128) && !v6::is_error(129) && !v6::is_error(135));
        assert!(v6::is_error(1) && v6::is_error(2) && v6::is_error(127) && v6::is_error(137));
    }
}
