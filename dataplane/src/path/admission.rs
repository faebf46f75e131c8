//! Who may send us LISP data, and in whose name (R-025, R-029, R-032; RFC 6832 section 6.1, RFC 8060
//! section 5.3). A few bounded lookups, made only where something is configured.

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

/// The inner source is an EID of a site that is known here, and the outer source one of this site's
///
#[inline]
pub fn inner(vrf: VrfId, source: IpAddr, outer: IpAddr, tables: &Replica) -> Result<(), DropReason> {
    if !tables.vrf_admission(vrf).sites {
        return Ok(());
    }
    let Some(site) = tables.site(vrf, source) else { return Err(DropReason::InnerSourceNotSite) };
    let bound = tables.guard().rules(site).map_or(&[][..], |rules| &rules.outer_sources);
    match bound.is_empty() || bound.iter().any(|prefix| prefix.contains(&outer)) {
        true => Ok(()),
        false => Err(DropReason::InnerSourceNotBound),
    }
}
