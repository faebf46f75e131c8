//! RLOCs shared with other proxies, and `[[lisp.path]]`.

use super::super::error::Problems;
use super::super::file::{LispTable, VrfTable};
use super::super::leaf::{At, Key, Word};
use super::all::{Cx, overlap, unique};
use super::lisp::{addresses, is_own};
use ipnet::IpNet;
use std::net::IpAddr;

pub(super) fn check(cx: &Cx<'_>, problems: &mut Problems) {
    let Some(lisp) = cx.file.lisp.get() else { return };
    anycast(cx, lisp, problems);
    paths(lisp, problems);
    encryption(lisp, problems);
    outside_eid_space(cx, lisp, problems);
}

/// Answers to what comes from a shared address would go to another proxy.
fn anycast(cx: &Cx<'_>, lisp: &LispTable, problems: &mut Problems) {
    addresses("lisp.anycast_rlocs", &lisp.anycast_rlocs, problems);
    for shared in lisp.anycast_rlocs.items() {
        let own = lisp.rlocs.items();
        if is_own(lisp, shared.0) {
            problems.at(
                shared.span(),
                format!(
                    "lisp.anycast_rlocs = {} is in lisp.rlocs, too, which are this router's alone; keep it in one \
                     of them",
                    shared.0
                ),
            );
        } else if !own.is_empty()
            && !problems.was_bad("lisp.rlocs")
            && !own.iter().any(|own| own.is_ipv4() == shared.is_ipv4())
        {
            let family = if shared.is_ipv4() { "IPv4" } else { "IPv6" };
            problems.at(
                shared.span(),
                format!(
                    "lisp.anycast_rlocs = {} has no {family} address beside it in lisp.rlocs; give one of this \
                     router's alone, for probes",
                    shared.0
                ),
            );
        }
    }
    if let Some(span) = lisp.anycast_rlocs.span()
        && !lisp.anycast_rlocs.items().is_empty()
        && !(cx.roles.pitr || problems.was_bad("lisp.roles"))
    {
        problems.at(span, "lisp.anycast_rlocs has no effect; add role \"pitr\" or remove it");
    }
}

fn paths(lisp: &LispTable, problems: &mut Problems) {
    let tables = lisp.path.items();
    let prefixes =
        tables.iter().flat_map(|path| path.rlocs.items()).map(|prefix| (prefix.0.0, prefix.span()));
    unique("lisp.path.rlocs", prefixes, "give each prefix once", problems);
    for path in tables {
        if let Some(rlocs) = path.rlocs.at()
            && rlocs.is_empty()
            && !problems.was_bad("lisp.path.rlocs")
        {
            problems.at(
                rlocs.span(),
                "lisp.path.rlocs is empty; give the prefixes of the RLOCs that it is about",
            );
        }
        if path.dont_fragment.get() == Some(&false)
            && let Some(span) = path.dont_fragment.span()
            && !path.rlocs.items().is_empty()
            && path.rlocs.items().iter().all(|prefix| prefix.0.0.addr().is_ipv6())
        {
            problems.at(
                span,
                "lisp.path.dont_fragment has no effect on IPv6, which routers never fragment; remove it or give \
                 IPv4 prefixes",
            );
        }
    }
    no_nonce_with_gpe(lisp, problems);
}

/// RFC 9305 section 3: what LISP-GPE names stands where a nonce would.
fn no_nonce_with_gpe(lisp: &LispTable, problems: &mut Problems) {
    let paths =
        || lisp.path.items().iter().flat_map(|path| path.rlocs.items().iter().map(move |p| (p.0.0, path)));
    for rloc in lisp.peer_nonces.items().iter().filter_map(|peer| peer.rloc.at()) {
        let around = paths().filter(|(prefix, _)| prefix.contains(&rloc.0));
        let path = around.max_by_key(|(prefix, _)| prefix.prefix_len());
        if path.is_some_and(|(_, path)| path.gpe.get() == Some(&true)) {
            problems.at(
                rloc.span(),
                format!(
                    "lisp.peer_nonces.rloc = {} is spoken LISP-GPE to (lisp.path.gpe), which has no nonce; give \
                     one of them",
                    rloc.0
                ),
            );
        }
    }
}

/// Each RLOC has one rule, and keys belong to one router.
fn encryption(lisp: &LispTable, problems: &mut Problems) {
    let tables = lisp.encryption.items();
    let prefixes: Vec<_> = tables
        .iter()
        .flat_map(|table| table.rlocs.items())
        .map(|prefix| (prefix.0.0, prefix.span()))
        .collect();
    for (at, (prefix, span)) in prefixes.iter().enumerate() {
        if let Some((other, _)) = prefixes.iter().take(at).find(|(other, _)| overlap(other, prefix)) {
            problems.at(
                span.clone(),
                format!(
                    "lisp.encryption.rlocs = {prefix} overlaps {other}; give prefixes that share no RLOC"
                ),
            );
        }
    }
    for table in tables {
        if let Some(rlocs) = table.rlocs.at()
            && rlocs.is_empty()
            && !problems.was_bad("lisp.encryption.rlocs")
        {
            let text = "lisp.encryption.rlocs is empty; give the prefixes of the RLOCs that it is about";
            problems.at(rlocs.span(), text);
        }
        if let Some(suites) = table.suites.at()
            && suites.is_empty()
            && !problems.was_bad("lisp.encryption.suites")
        {
            problems.at(suites.span(), "lisp.encryption.suites is empty; give a cipher suite or remove it");
        }
    }
    if let (false, Some(shared)) = (tables.is_empty(), lisp.anycast_rlocs.items().first()) {
        let text = "lisp.anycast_rlocs does not go with lisp.encryption: keys belong to one router; remove one of them";
        problems.at(shared.span(), text);
    }
}

/// RLOCs are never looked up: one in the EID space of the underlay's VRF is not used, for
/// packets to it would come back to us.
fn outside_eid_space(cx: &Cx<'_>, lisp: &LispTable, problems: &mut Problems) {
    let Some(space) = underlay(cx).map(|vrf| &vrf.eid_space) else { return };
    let mut check = |path: &str, rloc: &Key<Word<IpAddr>>| {
        if let Some(rloc) = rloc.at()
            && let Some(prefix) = containing(space, rloc.0)
        {
            problems.at(
                rloc.span(),
                format!(
                    "{path}.rloc = {} lies in EID space {prefix} and would not be used; give an address of the \
                     underlay",
                    rloc.0
                ),
            );
        }
    };
    for petr in lisp.use_petr.items() {
        check("lisp.use_petr", &petr.rloc);
    }
    for mapping in lisp.static_mapping.items() {
        for locator in mapping.locators.items() {
            check("lisp.static_mapping.locators", &locator.rloc);
        }
    }
}

fn containing(space: &Key<Vec<At<Word<super::super::words::Prefix>>>>, addr: IpAddr) -> Option<IpNet> {
    space.items().iter().map(|prefix| prefix.0.0).find(|prefix| prefix.contains(&addr))
}

/// The VRF that the underlay is routed in.
pub(super) fn underlay<'f>(cx: &Cx<'f>) -> Option<&'f At<VrfTable>> {
    let vrfs = cx.file.vrf.items();
    let port = cx.file.port.items().iter().find(|port| port.underlay.get() == Some(&true))?;
    match port.vrf.get() {
        Some(name) => vrfs.iter().find(|vrf| vrf.name.get() == Some(name)),
        None => vrfs.first(),
    }
}
