//! What LISP headers say of mappings, where their senders are trusted: Map-Versions (RFC 9302) and
//! Locator-Status-Bits (RFC 9300 section 10). Off by default: on the
//! Internet nobody is (R-006; RFC 9302 section 8, RFC 9300 section 4.1). Part of the [`feed`](crate::feed) and of the
//! [`punt`](crate::punt); what is made of it is in `path/trust.rs`.

use crate::types::VrfId;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Whose headers are heeded, and which parts of them. The default: nobody's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// RLOCs of those who are trusted. A handful of prefixes: they are tried in turn.
    pub rlocs: Box<[IpNet]>,
    /// Map-Versions (V bit; RFC 9302).
    pub map_versions: bool,
    /// Echo-nonce (N and E bits; RFC 9300 section 10.1). Not together with Map-Versions: they share their place.
    pub echo_nonce: bool,
    /// Locator-Status-Bits (L bit; RFC 9300 section 10).
    pub status_bits: bool,
}

impl Trust {
    /// Something is heeded.
    #[must_use]
    pub const fn any(&self) -> bool {
        self.marks() || self.echo_nonce
    }

    /// Something is said of mappings.
    #[must_use]
    pub const fn marks(&self) -> bool {
        self.map_versions || self.status_bits
    }

    /// The router with this RLOC is trusted.
    #[must_use]
    pub fn has(&self, rloc: IpAddr) -> bool {
        self.rlocs.iter().any(|prefix| prefix.contains(&rloc))
    }
}

/// Version of a mapping, 12 bits; 0 is none (RFC 9302 section 6: the Null Map-Version).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MapVersion(u16);

/// How one Map-Version stands to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// They are equal.
    Same,
    /// It came after the other.
    Newer,
    /// It came before the other.
    Older,
}

impl MapVersion {
    /// No version.
    pub const NONE: Self = Self(0);
    /// The last one before the count begins again.
    pub const MAX: u16 = 0x0FFF;

    /// The low 12 bits.
    #[must_use]
    pub const fn new(bits: u16) -> Self {
        Self(bits & Self::MAX)
    }

    /// As a number below 4096.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// The mapping has no version.
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// The one after it: after 4095 comes 1.
    #[must_use]
    pub const fn next(self) -> Self {
        if self.0 == Self::MAX { Self(1) } else { Self(self.0 + 1) }
    }

    /// How it stands to another one (RFC 9302 section 6); neither is [`MapVersion::NONE`].
    #[must_use]
    pub const fn against(self, other: Self) -> Age {
        const HALF: u16 = 2048;
        let (this, other) = (self.0, other.0);
        if this == other {
            Age::Same
        } else if (this > other && this - other <= HALF) || (other > this && other - this > HALF) {
            Age::Newer
        } else {
            Age::Older
        }
    }
}

/// Which locators of a mapping are up: bit i is the state of the i-th locator in the order of Map-Replies
/// (RFC 9300 sections 5.3 and 10).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Status {
    /// 1: up.
    pub bits: u32,
    /// The bits that mean something: there is a locator, and a place for its bit in the header.
    pub known: u32,
}

impl Status {
    /// The bits that both have and that differ.
    #[must_use]
    pub const fn against(self, other: Self) -> u32 {
        (self.bits ^ other.bits) & self.known & other.known
    }
}

/// What is said of a mapping in LISP headers: of one of ours, or of one in the map-cache. The default: nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marks {
    /// Its version.
    pub version: MapVersion,
    /// Of one of ours: whoever has an older version should have forgotten it, the TTL is over.
    pub expired: bool,
    /// The state of its locators: of one of ours, what we say of them; else what was heard of them last.
    /// `None`: nothing is said, or listened to.
    pub status: Option<Status>,
}

/// Somebody who goes on with an old version of a mapping of ours although he was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outdated {
    /// His RLOC.
    pub rloc: IpAddr,
    /// VRF of the mapping.
    pub vrf: VrfId,
    /// Its EID-prefix.
    pub prefix: IpNet,
}

/// What a LISP header said that control is to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Said {
    /// The sender has an old version of our mapping of the destination.
    DestinationOlder(MapVersion),
    /// The sender has a version of our mapping of the destination that we do not know. The packet was dropped.
    DestinationNewer(MapVersion),
    /// The mapping of the source has a newer version than the one in the map-cache.
    SourceNewer(MapVersion),
    /// The locators of the source are in another state than was heard last.
    SourceStatus(Status),
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The whole circle: half of the others are newer, half are older (RFC 9302 section 6).
    #[test]
    fn versions_go_round_without_zero_r099() {
        let version = MapVersion::new;
        assert_eq!(version(4095).next(), version(1));
        assert_eq!(version(7).next(), version(8));
        assert_eq!(MapVersion::new(0xF007).get(), 7);
        assert!(MapVersion::NONE.is_none() && MapVersion::default() == MapVersion::NONE);
        for (one, other, age) in [
            (5, 5, Age::Same),
            (6, 5, Age::Newer),
            (5, 6, Age::Older),
            (2049, 1, Age::Newer),
            (2050, 1, Age::Older),
            (1, 4095, Age::Newer),
            (4095, 1, Age::Older),
            (1, 2050, Age::Newer),
            (1, 2049, Age::Older),
        ] {
            assert_eq!(version(one).against(version(other)), age, "{one} against {other}");
        }
        for one in 1..=MapVersion::MAX {
            assert_eq!(version(one).next().against(version(one)), Age::Newer, "{one}");
        }
    }

    #[test]
    fn bits_of_locators_that_there_are_not_do_not_differ_r095() {
        let two = Status { bits: 0b11, known: 0b11 };
        let heard = |bits| Status { bits, known: 0xFF };
        assert_eq!(two.against(heard(0xFF)), 0);
        assert_eq!(two.against(heard(0xFD)), 0b10);
        assert_eq!(two.against(heard(0)), 0b11);
        let many = Status { bits: !0, known: !0 };
        assert_eq!(many.against(heard(0)), 0xFF, "a header with an Instance-ID has eight bits");
    }

    #[test]
    fn nobody_is_trusted_by_default_r006() {
        let nobody = Trust::default();
        let rloc = "203.0.113.4".parse().unwrap();
        assert!(!nobody.any() && !nobody.has(rloc));
        let trust = Trust { rlocs: Box::new(["203.0.113.0/24".parse().unwrap()]), ..nobody };
        assert!(trust.has(rloc) && !trust.has("203.0.114.4".parse().unwrap()));
    }
}
