//! What the roles need, and what is there for a role that is off.

use super::super::error::Problems;
use super::super::file::LispTable;
use super::super::words::RoleWord;
use super::all::{Cx, quoted, unique};
use std::ops::Range;

pub(super) fn check(cx: &Cx<'_>, problems: &mut Problems) {
    let Some(lisp) = cx.file.lisp.get() else { return };
    let Some(roles) = lisp.roles.at() else { return };
    if problems.was_bad("lisp.roles") {
        return;
    }
    if roles.is_empty() {
        problems.at(
            roles.span(),
            "lisp.roles is empty; give one or more of \"pitr\", \"petr\", \"xtr\", \"map-server\", \"map-resolver\", \"ddt-node\"",
        );
        return;
    }
    let words = roles.iter().map(|role| (quoted(role.0.as_str()), role.span()));
    unique("lisp.roles", words, "give each role once", problems);
    let place = |wanted: RoleWord| {
        roles.iter().find(|role| role.0 == wanted).map_or_else(|| roles.span(), super::super::leaf::At::span)
    };
    if cx.roles.pitr {
        pitr(cx, lisp, &place(RoleWord::Pitr), problems);
    }
    if cx.roles.fhr {
        fhr(cx, lisp, &place(RoleWord::Fhr), problems);
    } else if cx.roles.xtr {
        xtr(lisp, &place(RoleWord::Xtr), problems);
    } else {
        without_xtr(lisp, problems);
    }
    identity(cx, lisp, problems);
    map_server(cx, &place(RoleWord::MapServer), problems);
    map_resolver(cx, &place(RoleWord::MapResolver), problems);
    if cx.forwards() {
        forwarding(cx, &roles.span(), problems);
    }
    if !cx.file.port.items().is_empty() && no_cores(cx) && !bad(&["workers", "workers.cores"], problems) {
        let span = cx.file.workers.span().or_else(|| cx.file.port.span()).unwrap_or_default();
        problems.at(span, "workers.cores is empty; give the CPU cores for the workers that serve the ports");
    }
}

/// Whether a value of one of these keys was bad: it can not be said that there is none.
fn bad(paths: &[&str], problems: &Problems) -> bool {
    paths.iter().any(|path| problems.was_bad(path))
}

fn no_cores(cx: &Cx<'_>) -> bool {
    cx.file.workers.get().is_none_or(|workers| workers.cores.items().is_empty())
}

fn pitr(cx: &Cx<'_>, lisp: &LispTable, place: &Range<usize>, problems: &mut Problems) {
    if cx.file.vrf.items().iter().all(|vrf| vrf.eid_space.items().is_empty())
        && !bad(&["vrf", "vrf.eid_space"], problems)
    {
        problems.at(
            place.clone(),
            "role \"pitr\" attracts nothing; give the EID prefixes to attract in vrf.eid_space",
        );
    }
    if lisp.map_resolvers.items().is_empty()
        && lisp.static_mapping.items().is_empty()
        && !bad(&["lisp.map_resolvers", "lisp.static_mapping"], problems)
    {
        problems.at(
            place.clone(),
            "role \"pitr\" can look nothing up; give the addresses of Map-Resolvers in lisp.map_resolvers or mappings \
             in [[lisp.static_mapping]]",
        );
    }
}

fn xtr(lisp: &LispTable, place: &Range<usize>, problems: &mut Problems) {
    let site = !lisp.database.items().is_empty() || !lisp.dynamic_eid.items().is_empty();
    if !site && !bad(&["lisp.database", "lisp.dynamic_eid"], problems) {
        problems.at(
            place.clone(),
            "role \"xtr\" has no site; give its EID prefixes and locators in [[lisp.database]]",
        );
    }
    let ways = [
        lisp.map_resolvers.items().is_empty(),
        lisp.static_mapping.items().is_empty(),
        lisp.use_petr.items().is_empty(),
    ];
    if ways.iter().all(|empty| *empty)
        && !bad(&["lisp.map_resolvers", "lisp.static_mapping", "lisp.use_petr"], problems)
    {
        problems.at(
            place.clone(),
            "role \"xtr\" can reach no other site; give the addresses of Map-Resolvers in lisp.map_resolvers",
        );
    }
}

/// A First-Hop Router has no mappings of its own: its site's xTRs speak for its hosts.
fn fhr(cx: &Cx<'_>, lisp: &LispTable, place: &Range<usize>, problems: &mut Problems) {
    let roles = cx.roles;
    if roles.pitr || roles.petr || roles.xtr || roles.map_server || roles.map_resolver {
        problems.at(
            place.clone(),
            "role \"fhr\" is for a router without other roles; remove it, an xTR finds hosts itself",
        );
    }
    for (path, list, what) in [
        (
            "lisp.dynamic_eid",
            lisp.dynamic_eid.items().is_empty(),
            "no hosts to look for; give their prefixes in",
        ),
        (
            "lisp.map_server",
            lisp.map_server.items().is_empty(),
            "nobody to tell; give the xTRs of the site in",
        ),
    ] {
        if list && !problems.was_bad(path) {
            problems.at(place.clone(), format!("role \"fhr\" has {what} [[{path}]]"));
        }
    }
    let keys = [
        ("lisp.database", lisp.database.span()),
        ("lisp.use_petr", lisp.use_petr.span()),
        ("lisp.first_hop_router", lisp.first_hop_router.span()),
    ];
    for (path, span) in keys.into_iter().filter_map(|(path, span)| Some((path, span?))) {
        problems.at(span, format!("{path} has no effect with role \"fhr\"; remove it"));
    }
}

fn without_xtr(lisp: &LispTable, problems: &mut Problems) {
    let keys = [
        ("lisp.database", lisp.database.span()),
        ("lisp.dynamic_eid", lisp.dynamic_eid.span()),
        ("lisp.first_hop_router", lisp.first_hop_router.span()),
        ("lisp.map_server", lisp.map_server.span()),
        ("lisp.use_petr", lisp.use_petr.span()),
    ];
    for (path, span) in keys {
        if let Some(span) = span {
            problems.at(span, format!("{path} has no effect; add role \"xtr\" or remove it"));
        }
    }
}

/// What tells an xTR from others is for its registrations and its subscriptions.
fn identity(cx: &Cx<'_>, lisp: &LispTable, problems: &mut Problems) {
    let looks_up = cx.roles.xtr || cx.roles.pitr;
    match lisp.pubsub.span() {
        Some(span) if !looks_up => {
            problems.at(span, "lisp.pubsub has no effect; add role \"pitr\" or \"xtr\", or remove it");
        }
        Some(span) if lisp.xtr_id.get().is_none() && !problems.was_bad("lisp.xtr_id") => {
            problems.at(span, "lisp.pubsub needs an identity; give lisp.xtr_id");
        }
        _ => {}
    }
    if cx.roles.xtr || cx.roles.fhr || lisp.pubsub.is_given() {
        return;
    }
    for (path, span) in [("lisp.xtr_id", lisp.xtr_id.span()), ("lisp.site_id", lisp.site_id.span())] {
        if let Some(span) = span {
            problems
                .at(span, format!("{path} has no effect; add role \"xtr\" or [lisp.pubsub], or remove it"));
        }
    }
}

fn map_server(cx: &Cx<'_>, place: &Range<usize>, problems: &mut Problems) {
    let sites = cx.file.map_server.get().map_or(0, |ms| ms.site.items().len());
    match (cx.roles.map_server, cx.file.map_server.span()) {
        (true, _) if sites == 0 && !bad(&["map_server", "map_server.site"], problems) => problems.at(
            place.clone(),
            "role \"map-server\" has nobody to serve; give the sites that may register in [[map_server.site]]",
        ),
        (false, Some(span)) => {
            problems.at(span, "map_server has no effect; add role \"map-server\" or remove it");
        }
        _ => {}
    }
}

fn map_resolver(cx: &Cx<'_>, place: &Range<usize>, problems: &mut Problems) {
    let table = cx.file.map_resolver.get();
    let asks = table.is_some_and(|table| {
        let tree = !table.ddt_roots.items().is_empty() || !table.ddt_hint.items().is_empty();
        tree || !table.forward_to.items().is_empty()
    });
    let unsure = bad(
        &["map_resolver", "map_resolver.forward_to", "map_resolver.ddt_roots", "map_resolver.ddt_hint"],
        problems,
    );
    match (cx.roles.map_resolver, cx.file.map_resolver.span()) {
        (true, _) if !asks && !cx.roles.map_server && !unsure => problems.at(
            place.clone(),
            "role \"map-resolver\" has nobody to ask; give the addresses of Map-Servers in map_resolver.forward_to, \
             the roots of the Delegated Database Tree in map_resolver.ddt_roots, or add role \"map-server\"",
        ),
        (false, Some(span)) => {
            problems.at(span, "map_resolver has no effect; add role \"map-resolver\" or remove it");
        }
        _ => {}
    }
}

fn forwarding(cx: &Cx<'_>, place: &Range<usize>, problems: &mut Problems) {
    let ports = cx.file.port.items();
    if bad(&["port"], problems) {
        return;
    }
    if ports.is_empty() {
        problems.at(
            place.clone(),
            "roles that forward packets need ports; give the NIC ports in [[port]] and cores in workers.cores",
        );
        return;
    }
    if ports.iter().all(|port| port.underlay.get() != Some(&true)) && !bad(&["port.underlay"], problems) {
        problems.at(
            place.clone(),
            "roles that forward packets need a port towards the locators; set underlay = true in a [[port]]",
        );
    }
    if ports.iter().all(|port| port.native.get() != Some(&true)) && !bad(&["port.native"], problems) {
        problems.at(
            place.clone(),
            "roles that forward packets need a port towards the hosts; set native = true in a [[port]]",
        );
    }
}
