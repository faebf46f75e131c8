//! NAT traversal: an xTR behind a NAT, and the RTR in front of it.

use super::super::error::Problems;
use super::super::leaf::At;
use super::all::Cx;
use super::lisp::addresses;

pub(super) fn check(cx: &Cx<'_>, problems: &mut Problems) {
    behind(cx, problems);
    rtr(cx, problems);
    if let Some(server) = cx.file.map_server.get() {
        addresses("map_server.rtr_rlocs", &server.rtr_rlocs, problems);
    }
}

/// What an xTR needs that may be behind a NAT.
fn behind(cx: &Cx<'_>, problems: &mut Problems) {
    let Some(lisp) = cx.file.lisp.get() else { return };
    let Some(place) = lisp.nat_traversal.at().filter(|on| ***on).map(At::span) else { return };
    if !cx.roles.xtr {
        problems.at(place, "lisp.nat_traversal has no effect; add role \"xtr\" or remove it");
        return;
    }
    if lisp.xtr_id.get().is_none() && !problems.was_bad("lisp.xtr_id") {
        problems.at(place.clone(), "lisp.nat_traversal needs an identity; give lisp.xtr_id");
    }
    let bad = problems.was_bad("lisp.rlocs") || problems.was_bad("lisp.map_server.address");
    let mut servers = lisp.map_server.items().iter().filter_map(|server| server.address.get());
    let no_rloc = !lisp.rlocs.items().iter().any(|rloc| rloc.0.is_ipv4());
    if !bad && (no_rloc || lisp.map_server.items().is_empty() || servers.any(|server| server.0.is_ipv6())) {
        problems.at(
            place.clone(),
            "lisp.nat_traversal goes by IPv4; give an IPv4 address in lisp.rlocs and in each [[lisp.map_server]]",
        );
    }
    if let Some(span) = lisp.dynamic_eid.items().first().map(At::span) {
        problems.at(span, "lisp.dynamic_eid does not work with nat_traversal; remove one or the other");
    }
}

/// What an RTR needs.
fn rtr(cx: &Cx<'_>, problems: &mut Problems) {
    let Some(table) = cx.file.rtr.get() else { return };
    if !(cx.roles.pitr && cx.roles.petr) {
        let span = cx.file.rtr.span().unwrap_or_default();
        problems.at(span, "rtr has no effect; add roles \"pitr\" and \"petr\" or remove it");
    }
    addresses("rtr.map_servers", &table.map_servers, problems);
    let own = cx.file.lisp.get().map(|lisp| lisp.rlocs.items()).unwrap_or_default();
    for server in table.map_servers.items() {
        if own.iter().any(|rloc| rloc.0 == server.0) {
            problems.at(
                server.span(),
                format!(
                    "rtr.map_servers = {} is this router; an RTR can not be its own Map-Server",
                    server.0
                ),
            );
        }
    }
}
