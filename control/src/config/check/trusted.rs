//! `[trusted]`.

use super::super::error::Problems;
use super::super::file::TrustedTable;
use super::admission::prefixes;
use super::all::{Cx, overlap};
use ipnet::IpNet;
use std::net::IpAddr;
use std::ops::Range;

/// They are tried in turn for each packet.
const MAX_PREFIXES: usize = 16;

pub(super) fn check(cx: &Cx<'_>, problems: &mut Problems) {
    let table = cx.file.trusted.get();
    if let Some(table) = table {
        prefixes("trusted.rlocs", &table.rlocs, MAX_PREFIXES, problems);
        if let Some(on) = table.echo_nonce.at().filter(|on| ***on) {
            echo_nonce(cx, table, on.span(), problems);
        }
    }
    let versioning = table.is_some_and(|table| table.map_versioning.get() == Some(&true));
    if versioning || problems.was_bad("trusted.map_versioning") {
        return;
    }
    let mappings = cx.file.lisp.get().map_or(&[][..], |lisp| lisp.database.items());
    for version in mappings.iter().filter_map(|mapping| mapping.map_version.at()) {
        if version.get::<u16>() > 0 {
            problems.at(
                version.span(),
                "lisp.database.map_version has no effect; set trusted.map_versioning = true or remove it",
            );
        }
    }
}

/// What has no place beside echoed nonces, and what they need (RFC 9300 sections 5.3 and 10.1; R-094).
fn echo_nonce(cx: &Cx<'_>, table: &TrustedTable, span: Range<usize>, problems: &mut Problems) {
    let path = "trusted.echo_nonce";
    let mut clashes = |with: &str| problems.at(span.clone(), format!("{path} {with}"));
    if table.map_versioning.get() == Some(&true) {
        clashes("shares its place in the LISP header with trusted.map_versioning; set one of them to false");
    }
    if cx.file.admission.get().is_some_and(|admission| admission.nonces.is_given()) {
        clashes("shares its place in the LISP header with admission.nonces; remove one of them");
    }
    if cx
        .file
        .limits
        .get()
        .is_some_and(|limits| limits.probe_interval_ms.get().is_some_and(|ms| ms.get::<u32>() == 0))
    {
        clashes("needs RLOC-probes to take locators up again; set limits.probe_interval_ms to 50 or more");
    }
    if (!cx.roles.xtr || cx.roles.pitr || cx.roles.petr) && !problems.was_bad("lisp.roles") {
        problems.at(
            span,
            format!("{path} works between site routers; give role \"xtr\" without \"pitr\" and \"petr\""),
        );
    }
    let paths = cx.file.lisp.get().map_or(&[][..], |lisp| lisp.path.items());
    for gpe in paths.iter().filter_map(|path| {
        let is_trusted =
            |prefix: &IpNet| table.rlocs.items().iter().any(|trusted| overlap(&trusted.0.0, prefix));
        let concerned = path.rlocs.items().iter().any(|prefix| is_trusted(&prefix.0.0));
        path.gpe.at().filter(|gpe| ***gpe && concerned)
    }) {
        problems.at(
            gpe.span(),
            format!(
                "lisp.path.gpe is for RLOCs of trusted.rlocs: it leaves {path} no place; remove one of them"
            ),
        );
    }
    let trusted = |rloc: &IpAddr| table.rlocs.items().iter().any(|prefix| prefix.0.0.contains(rloc));
    let nonces = cx.file.lisp.get().map_or(&[][..], |lisp| lisp.peer_nonces.items());
    for rloc in nonces.iter().filter_map(|table| table.rloc.at()).filter(|rloc| trusted(&rloc.0)) {
        problems.at(
            rloc.span(),
            format!(
                "lisp.peer_nonces.rloc = {} is in trusted.rlocs: {path} would take the nonce's place; remove one of them",
                rloc.0
            ),
        );
    }
}
