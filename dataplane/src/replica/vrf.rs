//! One VRF of a replica.

use crate::admission::VrfAdmission;
use crate::feed::VrfSpec;
use crate::fib::Fib;
use crate::lpm::{Lpm4, Lpm6, LpmError};
use crate::policer::VrfPolicers;
use crate::types::VrfId;
use dpdk_sys::{Lone, Supply};
use ipnet::IpNet;
use std::net::IpAddr;

/// VRFs with numbers from this one on are thrifty with memory: what one has for speed is much when there are
/// a thousand of them.
const THRIFTY_FROM: u16 = 32;

/// A set of prefixes of both families with a value each.
#[derive(Debug)]
pub(super) struct Prefixes {
    pub(super) v4: Lpm4,
    pub(super) v6: Lpm6,
}

impl Prefixes {
    pub(super) fn new(supply: &Supply) -> Self {
        Self { v4: Lpm4::supplied(supply), v6: Lpm6::supplied(supply) }
    }

    fn of(supply: &Supply, vrf: VrfId) -> Self {
        match vrf.0 < THRIFTY_FROM {
            true => Self::new(supply),
            false => Self { v4: Lpm4::thrifty(supply), v6: Lpm6::thrifty(supply) },
        }
    }

    pub(super) fn insert(&mut self, prefix: IpNet, value: u32) -> Result<Option<u32>, LpmError> {
        match prefix {
            IpNet::V4(p) => self.v4.insert(p.network().into(), p.prefix_len(), value),
            IpNet::V6(p) => self.v6.insert(p.network().into(), p.prefix_len(), value),
        }
    }

    pub(super) fn remove(&mut self, prefix: IpNet) -> Option<u32> {
        match prefix {
            IpNet::V4(p) => self.v4.remove(p.network().into(), p.prefix_len()),
            IpNet::V6(p) => self.v6.remove(p.network().into(), p.prefix_len()),
        }
    }

    pub(super) fn get(&self, prefix: IpNet) -> Option<u32> {
        match prefix {
            IpNet::V4(p) => self.v4.get(p.network().into(), p.prefix_len()),
            IpNet::V6(p) => self.v6.get(p.network().into(), p.prefix_len()),
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.v4.memory_bytes() + self.v6.memory_bytes()
    }

    #[inline]
    pub(super) fn lookup(&self, addr: IpAddr) -> Option<u32> {
        match addr {
            IpAddr::V4(addr) => self.v4.lookup(addr.into()),
            IpAddr::V6(addr) => self.v6.lookup(addr.into()),
        }
    }
}

/// The same for what most VRFs have none of: no memory before the first.
#[derive(Debug)]
pub(super) struct Few(Option<Lone<Prefixes>>, Supply);

impl Few {
    fn new(supply: &Supply) -> Self {
        Self(None, supply.clone())
    }

    pub(super) fn insert(&mut self, prefix: IpNet, value: u32) -> Result<Option<u32>, LpmError> {
        let Self(prefixes, supply) = self;
        prefixes.get_or_insert_with(|| Lone::new(supply, Prefixes::new(supply))).insert(prefix, value)
    }

    pub(super) fn remove(&mut self, prefix: IpNet) -> Option<u32> {
        self.0.as_mut()?.remove(prefix)
    }

    pub(super) fn get(&self, prefix: IpNet) -> Option<u32> {
        self.0.as_ref()?.get(prefix)
    }

    #[inline]
    pub(super) fn lookup(&self, addr: IpAddr) -> Option<u32> {
        self.0.as_ref()?.lookup(addr)
    }

    fn memory_bytes(&self) -> usize {
        self.0.as_deref().map_or(0, Prefixes::memory_bytes)
    }
}

/// What the site has to do with an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum LocalEid {
    /// Inside an EID-prefix of ours.
    Site = 0,
    /// An EID of ours by itself: a live dynamic EID.
    Host = 1,
    /// A host of ours that is at another site, what comes for it goes there.
    Away = 2,
    /// The same, what comes for it is dropped.
    AwayDrop = 3,
}

impl LocalEid {
    /// What a local EID-prefix says of the addresses in it.
    pub(super) fn of(prefix: IpNet) -> Self {
        if prefix.prefix_len() == prefix.max_prefix_len() { Self::Host } else { Self::Site }
    }

    #[inline]
    pub(super) const fn from_word(word: u32) -> Self {
        match word {
            1 => Self::Host,
            2 => Self::Away,
            3 => Self::AwayDrop,
            _ => Self::Site,
        }
    }

    /// At another site.
    #[inline]
    #[must_use]
    pub const fn is_away(self) -> bool {
        matches!(self, Self::Away | Self::AwayDrop)
    }
}

/// One VRF: its properties and its kinds of prefixes.
#[derive(Debug)]
pub(super) struct Vrf {
    pub(super) spec: VrfSpec,
    /// EID-prefix to entry slot.
    pub(super) map_cache: Prefixes,
    /// EID-prefixes of our own site, and hosts of it that are away: [`LocalEid`] as a number.
    pub(super) local_eids: Few,
    pub(super) admission: VrfAdmission,
    /// EID-prefixes of the LISP sites that may send to us: the site's number.
    pub(super) sites: Few,
    /// What holds its packets to a rate.
    pub(super) policers: Option<Box<VrfPolicers>>,
    pub(super) fib: Fib,
}

impl Vrf {
    /// See [`Lpm4::tidy`].
    pub(super) fn tidy(&mut self) -> bool {
        self.map_cache.v4.tidy() || self.map_cache.v6.tidy() || self.fib.tidy()
    }

    pub(super) fn new(supply: &Supply, id: VrfId, spec: VrfSpec, max_groups: u32) -> Self {
        Self {
            spec,
            map_cache: Prefixes::of(supply, id),
            local_eids: Few::new(supply),
            admission: VrfAdmission::default(),
            sites: Few::new(supply),
            policers: None,
            fib: Fib::new(supply, max_groups),
        }
    }

    /// Bytes taken from the heap.
    pub(super) fn memory_bytes(&self) -> usize {
        self.map_cache.memory_bytes() - size_of::<Prefixes>()
            + self.local_eids.memory_bytes()
            + self.sites.memory_bytes()
            + self.fib.memory_bytes()
            - (size_of::<Lpm4>() + size_of::<Lpm6>())
    }
}
