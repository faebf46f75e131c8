//! `[admission]`, the nonces for other routers, and the Instance-IDs of ports.

use super::super::error::Problems;
use super::super::file::{AdmissionTable, AdmittedSiteTable, LispTable, PortTable};
use super::super::leaf::{At, Key, Word};
use super::super::words::{Name, Prefix};
use super::all::{Cx, overlap, quoted, unique};
use super::lisp::{eid_at, is_own, usable};
use pxtr_dataplane::replica::ReplicaLimits;
use std::collections::HashSet;

/// The outer sources of a site, and the nonces, are tried in turn for each packet.
const MAX_SITE_SOURCES: usize = 64;
const MAX_NONCES: usize = 8;

pub(super) fn check(cx: &Cx<'_>, problems: &mut Problems) {
    if let Some(table) = cx.file.admission.at() {
        let roles = cx.file.lisp.get().is_some_and(|lisp| !lisp.roles.items().is_empty());
        if roles && !(cx.roles.petr || cx.roles.xtr || problems.was_bad("lisp.roles")) {
            problems.at(table.span(), "admission has no effect; add role \"petr\" or \"xtr\", or remove it");
        }
        senders(table, problems);
        sites(table, problems);
    }
    if let Some(lisp) = cx.file.lisp.get() {
        peer_nonces(cx, lisp, problems);
    }
    for port in cx.file.port.items() {
        instances(cx, port, problems);
    }
    strict(cx, problems);
}

/// Mappings of inner sources must be there to be found.
fn strict(cx: &Cx<'_>, problems: &mut Problems) {
    let vrfs = cx.file.vrf.items();
    let find = |name: &Key<Word<Name>>| match name.get() {
        Some(name) => vrfs.iter().find(|vrf| vrf.name.get() == Some(name)),
        None => vrfs.first(),
    };
    let of_vrfs = vrfs.iter().map(|vrf| (Some(vrf), &vrf.strict_inner_source, "vrf.strict_inner_source"));
    let sites = cx.file.admission.get().map_or(&[][..], |table| table.site.items()).iter();
    let of_sites = sites.map(|site| (find(&site.vrf), &site.strict, "admission.site.strict"));
    for (vrf, key, path) in of_vrfs.chain(of_sites) {
        let Some(on) = key.at().filter(|on| ***on) else { continue };
        if !(cx.roles.petr || cx.roles.xtr) {
            // Of sites it has been said.
            if cx.forwards() && path.starts_with("vrf") && !problems.was_bad("lisp.roles") {
                problems.at(
                    on.span(),
                    format!("{path} has no effect; add role \"petr\" or \"xtr\", or remove it"),
                );
            }
            continue;
        }
        let space = vrf.is_some_and(|vrf| !vrf.eid_space.items().is_empty());
        if !(space || cx.roles.xtr || problems.was_bad("vrf.eid_space") || problems.was_bad("vrf")) {
            problems.at(
                on.span(),
                format!("{path} can look nothing up; give the EID prefixes of the sites in vrf.eid_space"),
            );
        }
        let lisp = cx.file.lisp.get();
        let asks = lisp.is_none_or(|lisp| {
            !(lisp.map_resolvers.items().is_empty() && lisp.static_mapping.items().is_empty())
        });
        if !(asks || problems.was_bad("lisp.map_resolvers") || problems.was_bad("lisp.static_mapping")) {
            problems.at(
                on.span(),
                format!(
                    "{path} can look nothing up; give the addresses of Map-Resolvers in lisp.map_resolvers"
                ),
            );
        }
    }
}

fn senders(table: &AdmissionTable, problems: &mut Problems) {
    let limits = ReplicaLimits::default();
    prefixes("admission.outer_sources", &table.outer_sources, limits.outer_sources as usize, problems);
    let mut seen = HashSet::new();
    // A nonce is a secret: which one it is that repeats is said by its line.
    for nonce in table.nonces.items() {
        if !seen.insert(nonce.0.0) {
            problems.at(nonce.span(), "admission.nonces has the same nonce twice; give each once");
        }
    }
    bounded("admission.nonces", &table.nonces, MAX_NONCES, problems);
}

/// A list with something in it, and not too much.
fn bounded<T>(path: &str, list: &Key<Vec<T>>, most: usize, problems: &mut Problems) {
    let Some(at) = list.at() else { return };
    if at.is_empty() && !problems.was_bad(path) {
        problems.at(at.span(), format!("{path} is empty: nobody could send; give one at least or remove it"));
    }
    if at.len() > most {
        problems.at(at.span(), format!("{path} has {} elements; give at most {most}", at.len()));
    }
}

pub(super) fn prefixes(path: &str, list: &Key<Vec<At<Word<Prefix>>>>, most: usize, problems: &mut Problems) {
    bounded(path, list, most, problems);
    let items = list.items().iter().map(|prefix| (prefix.0.0, prefix.span()));
    unique(path, items, "give each prefix once", problems);
}

fn sites(table: &AdmissionTable, problems: &mut Problems) {
    let sites = table.site.items();
    let limits = ReplicaLimits::default();
    let names = sites.iter().filter_map(|site| site.name.at()).map(|name| (quoted(&name.0.0), name.span()));
    unique("admission.site.name", names, "give each site its own name", problems);
    let eids = sites
        .iter()
        .flat_map(|site| site.eid_prefixes.items().iter().map(|prefix| eid_at(&site.vrf, prefix)));
    unique("admission.site.eid_prefixes", eids, "give each prefix to one site", problems);
    let (count, all) = (sites.iter().map(|site| site.eid_prefixes.items().len()).sum::<usize>(), sites.len());
    let span = || table.site.span().unwrap_or_default();
    if all > limits.sites as usize {
        problems
            .at(span(), format!("admission.site: {all} sites are too many; give at most {}", limits.sites));
    }
    if count > limits.site_prefixes as usize {
        problems.at(
            span(),
            format!(
                "admission.site.eid_prefixes: {count} prefixes in all are too many; give at most {}",
                limits.site_prefixes
            ),
        );
    }
    for site in sites {
        bounded("admission.site.eid_prefixes", &site.eid_prefixes, usize::MAX, problems);
        prefixes("admission.site.outer_sources", &site.outer_sources, MAX_SITE_SOURCES, problems);
        reach(table, site, problems);
    }
}

/// A site bound to outer sources that may not send at all would be shut out by mistake.
fn reach(table: &AdmissionTable, site: &AdmittedSiteTable, problems: &mut Problems) {
    let all = table.outer_sources.items();
    if all.is_empty() || problems.was_bad("admission.outer_sources") {
        return;
    }
    for prefix in site.outer_sources.items() {
        if !all.iter().any(|general| overlap(&general.0.0, &prefix.0.0)) {
            problems.at(
                prefix.span(),
                format!(
                    "admission.site.outer_sources = {} is outside admission.outer_sources; add it there, too",
                    prefix.0.0
                ),
            );
        }
    }
}

fn peer_nonces(cx: &Cx<'_>, lisp: &LispTable, problems: &mut Problems) {
    let path = "lisp.peer_nonces";
    let rlocs = || lisp.peer_nonces.items().iter().filter_map(|table| table.rloc.at());
    unique(path, rlocs().map(|rloc| (rloc.0, rloc.span())), "give each RLOC once", problems);
    for rloc in rlocs() {
        usable("lisp.peer_nonces.rloc", rloc, problems);
        if is_own(lisp, rloc.0) {
            problems.at(
                rloc.span(),
                format!(
                    "{path}.rloc = {} is our own; give what others must send in admission.nonces",
                    rloc.0
                ),
            );
        }
    }
    if let Some(span) = lisp.peer_nonces.span()
        && !(cx.roles.pitr || cx.roles.xtr || problems.was_bad("lisp.roles"))
    {
        problems.at(span, format!("{path} has no effect; add role \"pitr\" or \"xtr\", or remove it"));
    }
}

fn instances(cx: &Cx<'_>, port: &PortTable, problems: &mut Problems) {
    let path = "port.instance_ids";
    let Some(list) = port.instance_ids.at() else { return };
    if port.underlay.get() != Some(&true) && !problems.was_bad("port.underlay") {
        problems.at(list.span(), format!("{path} has no effect; set underlay = true there or remove it"));
    }
    if list.is_empty() && !problems.was_bad(path) {
        problems.at(
            list.span(),
            format!("{path} is empty: no LISP data could arrive; give one at least or remove it"),
        );
    }
    unique(path, list.iter().map(|id| (id.get::<u32>(), id.span())), "give each Instance-ID once", problems);
    let vrfs = cx.file.vrf.items();
    // A VRF whose Instance-ID was missing or bad may be the one that is meant.
    let known = |id: u32| vrfs.iter().any(|vrf| vrf.instance_id.get().is_none_or(|it| it.get::<u32>() == id));
    for id in list.iter() {
        let number: u32 = id.get();
        if !(known(number) || (vrfs.is_empty() && number == 0) || problems.was_bad("vrf")) {
            problems.at(
                id.span(),
                format!(
                    "{path} = {number} is that of no VRF of this file; add a [[vrf]] with it or remove it"
                ),
            );
        }
    }
}
