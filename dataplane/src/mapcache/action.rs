//! [`MapAction`] as one 32-bit word: one more than an RLOC's number, or, with the highest bit, a locator-set's
//! number or a kind.

use crate::feed::{MapAction, Target};
use crate::types::{LocatorSetId, RlocId};

/// RLOCs have numbers below this.
pub(super) const RLOCS: u32 = SET - 1;
/// With the number of a locator-set.
const SET: u32 = 1 << 31;
const LAST_SET: u32 = KIND - 1;
const SETS: u32 = KIND - SET;
/// With one of those below.
const KIND: u32 = 0b11 << 30;

const NO_LOCATOR: u32 = KIND;
const NO_LOCATOR_UNREACHABLE: u32 = KIND + 1;
const NATIVELY_FORWARD: u32 = KIND + 2;
const SEND_MAP_REQUEST: u32 = KIND + 3;
const DROP_NO_REASON: u32 = KIND + 4;
const DROP_POLICY_DENIED: u32 = KIND + 5;
const DROP_AUTH_FAILURE: u32 = KIND + 6;
const LOCAL_SITE: u32 = KIND + 7;

/// The action as a word. Never 0, which is a vacant slot. A number beyond what fits becomes the highest one,
/// which no slot has either.
#[inline]
pub(super) const fn pack(action: MapAction) -> u32 {
    match action {
        MapAction::Encapsulate(Target::Rloc(RlocId(rloc))) => 1 + if rloc < RLOCS { rloc } else { RLOCS - 1 },
        MapAction::Encapsulate(Target::Set(LocatorSetId(set))) => {
            SET + if set < SETS { set } else { SETS - 1 }
        }
        MapAction::NoLocator { unreachable: false } => NO_LOCATOR,
        MapAction::NoLocator { unreachable: true } => NO_LOCATOR_UNREACHABLE,
        MapAction::NativelyForward => NATIVELY_FORWARD,
        MapAction::SendMapRequest => SEND_MAP_REQUEST,
        MapAction::DropNoReason => DROP_NO_REASON,
        MapAction::DropPolicyDenied => DROP_POLICY_DENIED,
        MapAction::DropAuthFailure => DROP_AUTH_FAILURE,
        MapAction::LocalSite => LOCAL_SITE,
    }
}

/// The number of the RLOC, if that is the target: else a number that no slot has. One subtraction, so that
/// whoever looks into a table by it makes one comparison in all.
#[inline(always)]
pub(super) const fn rloc_index(word: u32) -> usize {
    word.wrapping_sub(1) as usize
}

/// Whether the action is [`MapAction::SendMapRequest`].
#[inline(always)]
pub(super) const fn is_unresolved(word: u32) -> bool {
    word == SEND_MAP_REQUEST
}

/// The word as an action. A vacant slot has no locator.
#[inline]
pub(super) const fn unpack(word: u32) -> MapAction {
    match word {
        1..SET => MapAction::Encapsulate(Target::Rloc(RlocId(word - 1))),
        SET..=LAST_SET => MapAction::Encapsulate(Target::Set(LocatorSetId(word - SET))),
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
            MapAction::Encapsulate(Target::Rloc(RlocId(RLOCS - 1))),
            MapAction::Encapsulate(Target::Set(LocatorSetId(0))),
            MapAction::Encapsulate(Target::Set(LocatorSetId(SETS - 1))),
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
                _ => assert!(index >= RLOCS as usize, "{action:?}"),
            }
        }
        assert!(rloc_index(0) >= RLOCS as usize);
        assert_eq!(unpack(0), MapAction::NoLocator { unreachable: false });
        assert_eq!(unpack(u32::MAX), MapAction::NoLocator { unreachable: false });
    }

    #[test]
    fn absurd_numbers_lead_nowhere() {
        let rloc = |n| MapAction::Encapsulate(Target::Rloc(RlocId(n)));
        let set = |n| MapAction::Encapsulate(Target::Set(LocatorSetId(n)));
        for n in [RLOCS, u32::MAX] {
            assert_eq!(unpack(pack(rloc(n))), rloc(RLOCS - 1));
        }
        for n in [SETS, u32::MAX] {
            assert_eq!(unpack(pack(set(n))), set(SETS - 1));
        }
    }
}
