//! What LISP headers of trusted routers say, heard and said (R-094, R-095, R-097 to R-099; RFC 9300 section 10,
//! RFC 9302 sections 6 and 7).
//! Reads tables only.

use super::ip::Ip;
use crate::echo::{EchoNonce, EchoSaid};
use crate::feed::{MapAction, RlocOptions, VrfSpec};
use crate::replica::Replica;
use crate::trust::{Age, MapVersion, Marks, Said, Status};
use crate::types::{EntryId, VrfId};
use crate::verdict::DropReason;
use crate::wire::lisp::{self, Lisp};
use std::net::IpAddr;

/// Holds what came out of a LISP packet to what its header says of mappings. `tell` is called with what
/// control is to know, and the EID that it is about.
pub fn hear(
    lisp: Lisp,
    (vrf, inner): (VrfId, &Ip),
    rloc: IpAddr,
    tables: &Replica,
    mut tell: impl FnMut(IpAddr, Said),
) -> Result<(), DropReason> {
    let trust = tables.guard().trust();
    if !trust.has(rloc) {
        return Ok(());
    }
    let source = (vrf, inner.addrs.source());
    let mut age = Age::Same;
    if trust.map_versions
        && let Some((version, destination)) = lisp.versions()
    {
        destination_version(destination, (vrf, inner.addrs.destination()), rloc, tables, &mut tell)?;
        age = source_version(version, source, tables, &mut tell)?;
    }
    // The bits of another version may be about other locators (RFC 9300 section 13.1).
    if trust.status_bits
        && age == Age::Same
        && let Some(status) = lisp.status()
    {
        source_status(status, source, tables, &mut tell);
    }
    Ok(())
}

/// What the header says of echoes (RFC 9300 section 10.1; R-094). A nonce that nobody asked for says nothing,
/// and neither does the lack of an echo in a packet that asks for one itself: who does so may have put off to
/// give ours.
pub fn echo(lisp: Lisp, rloc: IpAddr, tables: &Replica) -> Option<EchoSaid> {
    let guard = tables.guard();
    if !(guard.trust().echo_nonce && guard.trust().has(rloc)) {
        return None;
    }
    match lisp.nonce().map(EchoNonce::new) {
        Some(nonce) if lisp.asks_echo() => Some(EchoSaid::Wanted(nonce)),
        Some(nonce) => guard.awaited(rloc).filter(|awaited| *awaited == nonce).map(EchoSaid::Given),
        None => guard.awaited(rloc).map(EchoSaid::Missing),
    }
}

/// RFC 9300 section 10: only of a source whose mapping is in the map-cache.
fn source_status(
    heard: Status,
    (vrf, eid): (VrfId, IpAddr),
    tables: &Replica,
    tell: &mut impl FnMut(IpAddr, Said),
) {
    let Some(entry) = tables.map_lookup(vrf, eid) else { return };
    let Some(last) = tables.marks(entry).status else { return };
    if last.against(heard) != 0 && tables.entry(entry) != MapAction::LocalSite {
        // What is the same to control is told once.
        let known = last.known & heard.known;
        tell(eid, Said::SourceStatus(Status { bits: heard.bits & known, known }));
    }
}

/// RFC 9302 section 7.1. Of EIDs that are not ours we have no version to compare with: a PETR looks at
/// the source only.
fn destination_version(
    version: MapVersion,
    (vrf, eid): (VrfId, IpAddr),
    rloc: IpAddr,
    tables: &Replica,
    tell: &mut impl FnMut(IpAddr, Said),
) -> Result<(), DropReason> {
    let Some(own) = own(vrf, eid, tables) else { return Ok(()) };
    if own.version.is_none() || version.is_none() {
        return Err(DropReason::MapVersionNone);
    }
    match version.against(own.version) {
        Age::Same => Ok(()),
        Age::Newer => {
            tell(eid, Said::DestinationNewer(version));
            Err(DropReason::MapVersionNewer)
        }
        Age::Older if own.expired || tables.guard().is_outdated(rloc, vrf, eid) => {
            Err(DropReason::MapVersionOlder)
        }
        Age::Older => {
            tell(eid, Said::DestinationOlder(version));
            Ok(())
        }
    }
}

/// RFC 9302 section 7.2: only of a source whose mapping is in the map-cache. Else the versions are as good as
/// the same.
fn source_version(
    version: MapVersion,
    (vrf, eid): (VrfId, IpAddr),
    tables: &Replica,
    tell: &mut impl FnMut(IpAddr, Said),
) -> Result<Age, DropReason> {
    let Some(entry) = tables.map_lookup(vrf, eid).filter(|_| !version.is_none()) else {
        return Ok(Age::Same);
    };
    let cached = tables.marks(entry).version;
    if cached.is_none() || tables.entry(entry) == MapAction::LocalSite {
        return Ok(Age::Same);
    }
    match version.against(cached) {
        Age::Same => Ok(Age::Same),
        Age::Newer => {
            tell(eid, Said::SourceNewer(version));
            Ok(Age::Newer)
        }
        Age::Older => Err(DropReason::MapVersionSourceOlder),
    }
}

/// The marks of the mapping of ours that an address lies in; `None`: it is no EID of our site.
fn own(vrf: VrfId, eid: IpAddr, tables: &Replica) -> Option<Marks> {
    let entry = tables.map_lookup(vrf, eid).filter(|entry| tables.entry(*entry) == MapAction::LocalSite)?;
    Some(tables.marks(entry))
}

/// The LISP header of a packet to a trusted router, by this entry: with Map-Versions if the mapping of its
/// destination has one, with the state of the source's locators if that is said. A source that
/// is no EID of ours, at a PITR, has neither.
pub fn header(
    inner: &Ip,
    (id, vrf): (VrfId, &VrfSpec),
    entry: Option<EntryId>,
    options: RlocOptions,
    tables: &Replica,
) -> [u8; lisp::LEN] {
    let source = own(id, inner.addrs.source(), tables).unwrap_or_default();
    let mut header = Lisp::header(vrf.instance_id);
    if options.map_versions {
        let destination = entry.map_or(MapVersion::NONE, |entry| tables.marks(entry).version);
        if !destination.is_none() {
            header = Lisp::with_versions(header, source.version, destination);
        }
    }
    match source.status.filter(|_| options.status_bits) {
        Some(status) => Lisp::with_status(header, status),
        None => header,
    }
}
