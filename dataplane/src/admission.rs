//! Who may send us LISP data, and in whose name: what control tells the workers about it (R-025, R-029,
//! R-032; RFC 6832 section 6.1). Part of the [`feed`](crate::feed); the checks are in `path/admission.rs`.

use ipnet::IpNet;
use std::fmt;

/// A nonce agreed upon with those who may send us LISP data (RFC 8060 section 5.3): 24 bits, a secret
/// of sorts, so that it shows nowhere.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Nonce(u32);

impl Nonce {
    /// The low 24 bits.
    #[must_use]
    pub const fn new(bits: u32) -> Self {
        Self(bits & 0x00FF_FFFF)
    }

    /// As a number below 2^24.
    #[inline(always)]
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonce(..)")
    }
}

/// What becomes of packets whose inner source is held to its mapping, while that is not known yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownSources {
    /// They wait, as the first packets to a new destination do, and within the same bounds.
    #[default]
    Wait,
    /// They are dropped.
    Drop,
    /// They are taken.
    Admit,
}

/// What is asked of every LISP data packet. The default: nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admission {
    /// The outer source must lie in a prefix given by
    /// [`Delta::OuterSourceSet`](crate::feed::Delta::OuterSourceSet).
    pub outer_sources: bool,
    /// The LISP header must have one of these; empty: it may have any or none. A handful: two while one
    /// takes the place of another.
    pub nonces: Box<[Nonce]>,
    /// Clear text from outer sources in these is dropped. A handful: they are tried in turn.
    pub encrypted: Box<[IpNet]>,
    /// Of packets whose inner source has no mapping yet.
    pub unknown: UnknownSources,
}

/// What is asked of the inner sources of a VRF. The default: nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VrfAdmission {
    /// They must lie in an EID-prefix given by [`Delta::SiteSet`](crate::feed::Delta::SiteSet).
    pub sites: bool,
    /// They must be mapped to the outer source, by the map-cache or by the rules of their site.
    pub strict: bool,
}

impl VrfAdmission {
    /// Something is asked.
    #[must_use]
    pub const fn any(self) -> bool {
        self.sites || self.strict
    }
}

/// What is asked of packets from a LISP site.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SiteRules {
    /// Their outer source lies in one of these; empty: it may be any that is admitted at all. A handful:
    /// they are tried in turn.
    pub outer_sources: Box<[IpNet]>,
    /// Else their inner source must be mapped to it.
    pub strict: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_has_24_bits_and_does_not_show_r032() {
        let nonce = Nonce::new(0xFFAB_CDEF);
        assert_eq!(nonce.get(), 0x00AB_CDEF);
        let nonces = Box::new([nonce]);
        let admission = Admission { outer_sources: true, nonces, ..Admission::default() };
        assert_eq!(
            format!("{admission:?}"),
            "Admission { outer_sources: true, nonces: [Nonce(..)], encrypted: [], unknown: Wait }"
        );
    }
}
