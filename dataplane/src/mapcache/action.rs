//! [`MapAction`] as one 64-bit word: kind in the upper half, slot number in the lower.

use crate::feed::{MapAction, Target};
use crate::types::{LocatorSetId, RlocId};

const RLOC: u32 = 1;
const SET: u32 = 2;
const NO_LOCATOR: u32 = 3;
const NO_LOCATOR_UNREACHABLE: u32 = 4;
const NATIVELY_FORWARD: u32 = 5;
const SEND_MAP_REQUEST: u32 = 6;
const DROP_NO_REASON: u32 = 7;
const DROP_POLICY_DENIED: u32 = 8;
const DROP_AUTH_FAILURE: u32 = 9;
const LOCAL_SITE: u32 = 10;

/// The action as a word. Never 0, which is a vacant slot.
#[inline]
pub(super) fn pack(action: MapAction) -> u64 {
    let (kind, slot) = match action {
        MapAction::Encapsulate(Target::Rloc(rloc)) => (RLOC, rloc.0),
        MapAction::Encapsulate(Target::Set(set)) => (SET, set.0),
        MapAction::NoLocator { unreachable: false } => (NO_LOCATOR, 0),
        MapAction::NoLocator { unreachable: true } => (NO_LOCATOR_UNREACHABLE, 0),
        MapAction::NativelyForward => (NATIVELY_FORWARD, 0),
        MapAction::SendMapRequest => (SEND_MAP_REQUEST, 0),
        MapAction::DropNoReason => (DROP_NO_REASON, 0),
        MapAction::DropPolicyDenied => (DROP_POLICY_DENIED, 0),
        MapAction::DropAuthFailure => (DROP_AUTH_FAILURE, 0),
        MapAction::LocalSite => (LOCAL_SITE, 0),
    };
    u64::from(kind) << 32 | u64::from(slot)
}

/// The number of the RLOC, if that is the target: else a number that no slot has. One subtraction, so that
/// whoever looks into a table by it makes one comparison in all.
#[inline(always)]
pub(super) fn rloc_index(word: u64) -> usize {
    usize::try_from(word.wrapping_sub(u64::from(RLOC) << 32)).unwrap_or(usize::MAX)
}

/// Whether the action is [`MapAction::SendMapRequest`].
#[inline(always)]
pub(super) const fn is_unresolved(word: u64) -> bool {
    word >> 32 == SEND_MAP_REQUEST as u64
}

/// The word as an action. A vacant slot has no locator.
#[inline]
pub(super) fn unpack(word: u64) -> MapAction {
    let slot = word as u32;
    match (word >> 32) as u32 {
        RLOC => MapAction::Encapsulate(Target::Rloc(RlocId(slot))),
        SET => MapAction::Encapsulate(Target::Set(LocatorSetId(slot))),
        NO_LOCATOR_UNREACHABLE => MapAction::NoLocator { unreachable: true },
        NATIVELY_FORWARD => MapAction::NativelyForward,
        SEND_MAP_REQUEST => MapAction::SendMapRequest,
        DROP_NO_REASON => MapAction::DropNoReason,
        DROP_POLICY_DENIED => MapAction::DropPolicyDenied,
        DROP_AUTH_FAILURE => MapAction::DropAuthFailure,
        LOCAL_SITE => MapAction::LocalSite,
        _ => MapAction::NoLocator { unreachable: false },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_survives_packing() {
        let actions = [
            MapAction::Encapsulate(Target::Rloc(RlocId(0))),
            MapAction::Encapsulate(Target::Rloc(RlocId(u32::MAX))),
            MapAction::Encapsulate(Target::Set(LocatorSetId(77))),
            MapAction::NoLocator { unreachable: false },
            MapAction::NoLocator { unreachable: true },
            MapAction::NativelyForward,
            MapAction::SendMapRequest,
            MapAction::DropNoReason,
            MapAction::DropPolicyDenied,
            MapAction::DropAuthFailure,
            MapAction::LocalSite,
        ];
        for action in actions {
            assert_ne!(pack(action), 0);
            assert_eq!(unpack(pack(action)), action);
            assert_eq!(is_unresolved(pack(action)), action == MapAction::SendMapRequest);
            let index = rloc_index(pack(action));
            match action {
                MapAction::Encapsulate(Target::Rloc(rloc)) => assert_eq!(index, rloc.0 as usize),
                _ => assert!(index > u32::MAX as usize, "{action:?}"),
            }
        }
        assert!(rloc_index(0) > u32::MAX as usize);
        assert_eq!(unpack(0), MapAction::NoLocator { unreachable: false });
        assert_eq!(unpack(u64::MAX), MapAction::NoLocator { unreachable: false });
    }
}
