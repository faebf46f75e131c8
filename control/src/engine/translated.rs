//! Where a NAT lets packets through to a router behind it, in the shape of an RLOC.
//!
//! Two routers behind one NAT differ in the port only, so the port is part of what an RLOC is to us. All
//! that knows RLOCs (locator-sets, their state, the slots of the data plane) knows them by address; so
//! these get one, out of the prefix that leads nowhere (100::/64, RFC 6666): the NAT's address and the two
//! ports are written into it. None comes in from the network, none goes out.

use ipnet::Ipv4Net;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

/// 100::/64 (RFC 6666).
const PREFIX: u64 = 0x0100_0000_0000_0000;

/// What a NAT gave to a router behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Translated {
    /// The NAT's address.
    pub address: Ipv4Addr,
    /// UDP port of the NAT that leads to port 4341 of the router.
    pub port: u16,
    /// Our UDP port that the router has spoken to: what comes from others is not let through.
    pub from: u16,
}

impl Translated {
    /// In the shape of an RLOC.
    #[must_use]
    pub fn rloc(self) -> IpAddr {
        let low = u64::from(self.address.to_bits()) << 32 | u64::from(self.port) << 16 | u64::from(self.from);
        Ipv6Addr::from_bits(u128::from(PREFIX) << 64 | u128::from(low)).into()
    }

    /// What an RLOC stands for, if it is one of these.
    #[must_use]
    pub fn of(rloc: IpAddr) -> Option<Self> {
        let IpAddr::V6(rloc) = rloc else { return None };
        let bits = rloc.to_bits();
        let low = bits as u64;
        ((bits >> 64) as u64 == PREFIX).then(|| Self {
            address: Ipv4Addr::from_bits((low >> 32) as u32),
            port: (low >> 16) as u16,
            from: low as u16,
        })
    }

    /// The address that packets for an RLOC go to.
    #[must_use]
    pub fn real(rloc: IpAddr) -> IpAddr {
        Self::of(rloc).map_or(rloc, |through| through.address.into())
    }

    /// The RLOCs whose NAT has an address in the prefix.
    #[must_use]
    pub fn inside(prefix: Ipv4Net) -> RangeInclusive<IpAddr> {
        let end = |address, port| Self { address, port, from: port }.rloc();
        end(prefix.network(), 0)..=end(prefix.broadcast(), u16::MAX)
    }
}

impl fmt::Display for Translated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.address, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r204_an_rloc_behind_a_nat_is_its_address_and_ports_and_no_other_address_is_one() {
        let one = Translated { address: Ipv4Addr::new(203, 0, 113, 7), port: 40_001, from: 4342 };
        assert_eq!(one.rloc().to_string(), "100::cb00:7107:9c41:10f6");
        assert_eq!(Translated::of(one.rloc()), Some(one));
        assert_eq!(
            (one.to_string().as_str(), Translated::real(one.rloc())),
            ("203.0.113.7:40001", one.address.into())
        );
        for other in ["203.0.113.7", "2001:db8::1", "100:0:0:1::1", "::ffff:203.0.113.7"] {
            let other: IpAddr = other.parse().unwrap();
            assert_eq!((Translated::of(other), Translated::real(other)), (None, other));
        }
        let inside = Translated::inside("203.0.113.0/24".parse().unwrap());
        assert!(inside.contains(&one.rloc()));
        assert!(!Translated::inside("203.0.112.0/24".parse().unwrap()).contains(&one.rloc()));
        assert!(Translated::inside(Ipv4Net::default()).contains(&one.rloc()));
    }
}
