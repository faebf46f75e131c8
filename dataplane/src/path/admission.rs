//! Who may send us LISP data, and in whose name (R-025, R-029, R-032, R-040; RFC 6832 section 6.1,
//! RFC 8060 section 5.3). A few bounded lookups, made only where something is configured.

use crate::feed::MapAction;
use crate::replica::Replica;
use crate::types::VrfId;
use crate::verdict::DropReason;
use crate::wire::lisp::Lisp;
use std::net::IpAddr;

/// The outer source is one of those that may send to us.
#[inline]
pub fn outer(source: IpAddr, tables: &Replica) -> Result<(), DropReason> {
    match tables.guard().is_outer_source(source) {
        true => Ok(()),
        false => Err(DropReason::OuterSourceNotAdmitted),
    }
}

/// The LISP header has a nonce that was agreed upon, if any was. N and V both set: it is a nonce
///
#[inline]
pub fn header(lisp: Lisp, tables: &Replica) -> Result<(), DropReason> {
    let nonces = tables.guard().nonces();
    let agreed = |nonce| nonces.iter().any(|agreed| agreed.get() == nonce);
    match nonces.is_empty() || lisp.nonce().is_some_and(agreed) {
        true => Ok(()),
        false => Err(DropReason::NonceNotAgreed),
    }
}

/// Clear text is taken from this outer source.
#[inline]
pub fn clear_text(source: IpAddr, tables: &Replica) -> Result<(), DropReason> {
    match tables.guard().is_encrypted(source) {
        false => Ok(()),
        true => Err(DropReason::LispClearText),
    }
}

/// Whether an inner source may be behind an outer one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// It may.
    Yes,
    /// Its mapping must be asked for first.
    NotYet,
}

/// The inner source is an EID of a site that is known here, and the outer source one of this site's
/// by its rules, or where that is asked for by the mapping of the EID.
#[inline]
pub fn inner(vrf: VrfId, source: IpAddr, outer: IpAddr, tables: &Replica) -> Result<Known, DropReason> {
    let mut strict = tables.vrf_admission(vrf).strict;
    if tables.vrf_admission(vrf).sites {
        let site = tables.site(vrf, source).ok_or(DropReason::InnerSourceNotSite)?;
        if let Some(rules) = tables.guard().rules(site) {
            strict |= rules.strict;
            if rules.outer_sources.iter().any(|prefix| prefix.contains(&outer)) {
                return Ok(Known::Yes);
            }
            if !(strict || rules.outer_sources.is_empty()) {
                return Err(DropReason::InnerSourceNotBound);
            }
        }
    }
    if strict { mapped(vrf, source, outer, tables) } else { Ok(Known::Yes) }
}

/// The inner source is mapped to the outer one (R-040, RFC 9300 section 16).
fn mapped(vrf: VrfId, source: IpAddr, outer: IpAddr, tables: &Replica) -> Result<Known, DropReason> {
    let Some(entry) = tables.map_lookup(vrf, source) else { return Err(DropReason::InnerSourceNotMapped) };
    match tables.entry(entry) {
        MapAction::SendMapRequest => Ok(Known::NotYet),
        MapAction::Encapsulate(_) | MapAction::NoLocator { .. }
            if tables.entry_rlocs(entry).contains(&outer) =>
        {
            Ok(Known::Yes)
        }
        _ => Err(DropReason::InnerSourceNotMapped),
    }
}
