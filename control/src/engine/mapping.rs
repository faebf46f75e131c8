//! The words of the map-cache: what a mapping says, and where it came from.

use super::config::ConfiguredLocator;
use super::event::{Forwarding, Locator};
use crate::codec;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::sync::Arc;

/// What to do with packets for an EID-prefix (RFC 9301 section 5.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// Positive mapping.
    Encapsulate,
    /// ACT 0.
    NoAction,
    /// ACT 1.
    NativelyForward,
    /// ACT 2, and attracted EID space.
    SendMapRequest,
    /// ACT 3.
    DropNoReason,
    /// ACT 4.
    DropPolicyDenied,
    /// ACT 5.
    DropAuthFailure,
}

impl Act {
    /// What the data plane is told when there is no locator-set; an empty set when there should be
    /// one.
    #[must_use]
    pub fn forwarding(self) -> Forwarding {
        match self {
            Self::Encapsulate => Forwarding::Encapsulate(Vec::new()),
            Self::NoAction => Forwarding::NoAction,
            Self::NativelyForward => Forwarding::NativelyForward,
            Self::SendMapRequest => Forwarding::SendMapRequest,
            Self::DropNoReason => Forwarding::DropNoReason,
            Self::DropPolicyDenied => Forwarding::DropPolicyDenied,
            Self::DropAuthFailure => Forwarding::DropAuthFailure,
        }
    }
}

impl From<codec::MapAction> for Act {
    fn from(action: codec::MapAction) -> Self {
        match action {
            codec::MapAction::NoAction => Self::NoAction,
            codec::MapAction::NativelyForward => Self::NativelyForward,
            codec::MapAction::SendMapRequest => Self::SendMapRequest,
            codec::MapAction::DropNoReason => Self::DropNoReason,
            codec::MapAction::DropPolicyDenied => Self::DropPolicyDenied,
            codec::MapAction::DropAuthFailure => Self::DropAuthFailure,
        }
    }
}

impl From<&Forwarding> for Act {
    fn from(forwarding: &Forwarding) -> Self {
        match forwarding {
            Forwarding::Encapsulate(_) => Self::Encapsulate,
            Forwarding::NoAction => Self::NoAction,
            Forwarding::NativelyForward => Self::NativelyForward,
            Forwarding::SendMapRequest => Self::SendMapRequest,
            Forwarding::DropNoReason => Self::DropNoReason,
            Forwarding::DropPolicyDenied => Self::DropPolicyDenied,
            Forwarding::DropAuthFailure => Self::DropAuthFailure,
        }
    }
}

/// Where an entry came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// Configured EID space: every packet asks.
    EidSpace,
    /// Configured mapping: never replaced, never evicted.
    Static,
    /// Through a NAT, or to the RTR in front of ours: stands as long as that is so.
    Nat,
    /// Map-Reply.
    MapReply,
    /// A more-specific mapping that ended while a learnt less-specific one stays: its EIDs ask
    /// again instead of falling to the wrong site.
    Hole,
}

impl Origin {
    /// Not from the configuration: counted, bounded, evicted, cleared.
    #[must_use]
    pub const fn is_learnt(self) -> bool {
        matches!(self, Self::MapReply | Self::Hole)
    }
}

/// A locator as the mapping has it, usable or not.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MappedLocator {
    /// RLOC, priority, weight.
    pub locator: Locator,
    /// R bit: the site says it can be reached.
    pub reachable: bool,
    /// It may be probed.
    pub probe: bool,
    /// The whole path that it is a hop of.
    pub path: Option<Arc<[IpAddr]>>,
    /// Its place among the locators of the Map-Reply, those that are ignored included: it numbers the
    /// Locator-Status-Bits (RFC 9300 section 5.3). Of no matter for a hop of a path.
    pub ordinal: u8,
}

impl MappedLocator {
    /// A locator that is no hop of a path.
    #[must_use]
    pub const fn new(locator: Locator, reachable: bool) -> Self {
        Self { locator, reachable, probe: true, path: None, ordinal: 0 }
    }

    /// By this locator the RLOC may be probed (RFC 8060 section 4.6, P bit).
    pub(super) fn lets_probe(&self, rloc: IpAddr) -> bool {
        self.probe && self.is_eligible() && self.locator.rloc == rloc
    }

    /// It may carry traffic when its RLOC is up (R-078: not 255, R set).
    #[must_use]
    pub const fn is_eligible(&self) -> bool {
        self.reachable && self.locator.priority != u8::MAX
    }
}

impl From<&ConfiguredLocator> for MappedLocator {
    /// Without a path, if there is one.
    fn from(l: &ConfiguredLocator) -> Self {
        Self::new(Locator::new(l.rloc, l.priority, l.weight), true)
    }
}
