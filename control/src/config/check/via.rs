//! Explicit paths of locators: `via` and `strict` (RFC 8060 section 4.6).

use super::super::error::Problems;
use super::super::file::{LispTable, LocatorTable};
use super::super::leaf::{At, Key};
use super::all::unique;
use super::lisp::{is_own, usable};
use std::fmt;
use std::net::IpAddr;

/// Routers in front of the ETR: each costs all packets a re-encapsulation.
const MAX_HOPS: usize = 15;

/// A locator as it is printed: its address, and the path to it.
#[derive(PartialEq, Eq, Hash)]
pub(super) struct Whole {
    rloc: IpAddr,
    via: Vec<IpAddr>,
}

impl Whole {
    pub(super) fn of(table: &LocatorTable) -> Option<Self> {
        Some(Self { rloc: table.rloc.get()?.0, via: table.via.items().iter().map(|hop| hop.0).collect() })
    }
}

impl fmt::Display for Whole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hops = self.via.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ");
        write!(f, "{}{}{hops}", self.rloc, if hops.is_empty() { "" } else { " via " })
    }
}

/// The paths of a list of locators.
pub(super) fn check(
    path: &str,
    lisp: &LispTable,
    list: &Key<Vec<At<LocatorTable>>>,
    problems: &mut Problems,
) {
    let (key, strict) = (format!("{path}.via"), format!("{path}.strict"));
    for locator in list.items() {
        let hops = locator.via.items();
        unique(
            &key,
            hops.iter().map(|hop| (hop.0, hop.span())),
            "a path that comes back is a loop",
            problems,
        );
        for hop in hops {
            usable(&key, hop, problems);
            if locator.rloc.get().is_some_and(|rloc| rloc.0 == hop.0) {
                problems.at(
                    hop.span(),
                    format!("{key} = {} is the locator itself; give the routers in front of it", hop.0),
                );
            }
        }
        let ours = |ip: IpAddr| usize::from(is_own(lisp, ip));
        let times = hops.iter().map(|hop| ours(hop.0)).sum::<usize>()
            + locator.rloc.get().map_or(0, |rloc| ours(rloc.0));
        if let Some(span) = locator.via.span() {
            let itself = hops.iter().any(|hop| locator.rloc.get().is_some_and(|rloc| rloc.0 == hop.0));
            if times > 1 && !itself && !problems.was_bad(&key) {
                problems.at(
                    span.clone(),
                    format!("{key} and {path}.rloc have this router twice; a path that comes back is a loop"),
                );
            }
            if hops.len() > MAX_HOPS {
                problems.at(span, format!("{key} has {} routers; give at most {MAX_HOPS}", hops.len()));
            }
        }
        if let Some(span) = locator.strict.span()
            && hops.is_empty()
            && !problems.was_bad(&key)
        {
            problems.at(span, format!("{strict} has no effect without {key}; remove it"));
        }
    }
}

/// Where a path makes no sense.
pub(super) fn none(path: &str, list: &Key<Vec<At<LocatorTable>>>, problems: &mut Problems) {
    for span in list.items().iter().filter_map(|locator| locator.via.span()) {
        problems.at(
            span,
            format!("{path}.via has no effect: routers on the way would not know of it; remove it"),
        );
    }
}
