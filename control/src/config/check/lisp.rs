//! Addresses and mappings of `[lisp]`.

use super::super::error::Problems;
use super::super::file::{LispTable, LocatorTable};
use super::super::leaf::{At, Key, Word};
use super::super::words::Name;
use super::all::{Cx, unique};
use super::dynamic;
use super::via::{self, Whole};
use ipnet::IpNet;
use std::net::IpAddr;

/// A locator count travels in 8 bits.
const MAX_LOCATORS: usize = 255;
/// a Map-Request carries up to 32 ITR-RLOCs.
const MAX_RLOCS: usize = 32;

pub(super) fn check(cx: &Cx<'_>, problems: &mut Problems) {
    let Some(lisp) = cx.file.lisp.get() else { return };
    own_rlocs(cx, lisp, problems);
    addresses("lisp.map_resolvers", &lisp.map_resolvers, problems);
    if let Some(table) = cx.file.map_resolver.get() {
        addresses("map_resolver.forward_to", &table.forward_to, problems);
        for server in table.forward_to.items().iter().filter(|server| is_own(lisp, server.0)) {
            problems.at(
                server.span(),
                format!(
                    "map_resolver.forward_to = {} is our own; a Map-Server in this daemon is asked anyway",
                    server.0
                ),
            );
        }
    }
    if lisp.xtr_id.get().is_none()
        && !problems.was_bad("lisp.xtr_id")
        && let Some(span) = lisp.site_id.span()
    {
        problems.at(span, "lisp.site_id has no effect without lisp.xtr_id; give both");
    }
    let servers = lisp.map_server.items().iter().filter_map(|ms| ms.address.at());
    unique(
        "lisp.map_server",
        servers.clone().map(|a| (a.0, a.span())),
        "give each Map-Server once",
        problems,
    );
    for address in servers {
        usable("lisp.map_server.address", address, problems);
    }
    let routers = lisp.first_hop_router.items().iter().filter_map(|router| router.address.at());
    unique("lisp.first_hop_router", routers.map(|a| (a.0, a.span())), "give each router once", problems);
    locators("lisp.use_petr", lisp, &lisp.use_petr, problems);
    via::none("lisp.use_petr", &lisp.use_petr, problems);
    reachable(lisp, "lisp.use_petr", &lisp.use_petr, problems);
    for petr in lisp.use_petr.items() {
        if let Some(rloc) = petr.rloc.at().filter(|rloc| is_own(lisp, rloc.0)) {
            problems.at(
                rloc.span(),
                format!("lisp.use_petr.rloc = {} is our own; give the address of another router", rloc.0),
            );
        }
    }
    database(lisp, problems);
    dynamic::check(cx, lisp, problems);
    statics(lisp, problems);
}

fn own_rlocs(cx: &Cx<'_>, lisp: &LispTable, problems: &mut Problems) {
    addresses("lisp.rlocs", &lisp.rlocs, problems);
    let Some(rlocs) = lisp.rlocs.at() else { return };
    if rlocs.is_empty() && !problems.was_bad("lisp.rlocs") {
        problems.at(
            rlocs.span(),
            "lisp.rlocs is empty; give the addresses by which other LISP routers know this one",
        );
    }
    if rlocs.len() > MAX_RLOCS {
        problems
            .at(rlocs.span(), format!("lisp.rlocs has {} elements; give at most {MAX_RLOCS}", rlocs.len()));
    }
    for rloc in rlocs.iter().filter(|rloc| cx.forwards() && rloc.0.is_loopback()) {
        problems.at(
            rloc.span(),
            format!(
                "lisp.rlocs = {} is a loopback address; give one of an underlay port's host interface",
                rloc.0
            ),
        );
    }
}

/// Addresses of a list: usable, each once.
pub(super) fn addresses(path: &str, list: &Key<Vec<At<Word<IpAddr>>>>, problems: &mut Problems) {
    let items = list.items().iter().map(|address| (address.0, address.span()));
    unique(path, items, "give each address once", problems);
    for address in list.items() {
        usable(path, address, problems);
    }
}

/// An address that packets can be sent to and come from.
pub(super) fn usable(path: &str, address: &At<Word<IpAddr>>, problems: &mut Problems) {
    let kind = match address.0 {
        ip if ip.is_unspecified() => "the unspecified address",
        ip if ip.is_multicast() => "a multicast address",
        IpAddr::V4(v4) if v4.is_broadcast() => "the broadcast address",
        IpAddr::V4(v4) if v4.octets()[0] == 0 || v4.octets()[0] >= 240 => "a reserved address",
        IpAddr::V4(v4) if v4.is_link_local() => "a link-local address",
        IpAddr::V6(v6) if v6.is_unicast_link_local() => "a link-local address",
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => "an IPv4-mapped address",
        _ => return,
    };
    problems.at(
        address.span(),
        format!("{path} = {} is {kind}; give a unicast address that is routed in the underlay", address.0),
    );
}

pub(super) fn is_own(lisp: &LispTable, rloc: IpAddr) -> bool {
    lisp.rlocs.items().iter().any(|own| own.0 == rloc)
}

/// The locators of one mapping.
pub(super) fn locators(
    path: &str,
    lisp: &LispTable,
    list: &Key<Vec<At<LocatorTable>>>,
    problems: &mut Problems,
) {
    let rlocs = || list.items().iter().filter_map(|locator| locator.rloc.at());
    let whole = list.items().iter().filter_map(|l| Some((Whole::of(l)?, l.rloc.at()?.span())));
    unique(path, whole, "give each locator once", problems);
    via::check(path, lisp, list, problems);
    for rloc in rlocs() {
        usable(&format!("{path}.rloc"), rloc, problems);
    }
    if let Some(at) = list.at().filter(|at| at.len() > MAX_LOCATORS) {
        problems.at(at.span(), format!("{path} has {} locators; give at most {MAX_LOCATORS}", at.len()));
    }
}

/// At least one locator must be of a family that we have an RLOC of, or nothing can be sent there.
fn reachable(lisp: &LispTable, path: &str, list: &Key<Vec<At<LocatorTable>>>, problems: &mut Problems) {
    let own = lisp.rlocs.items();
    let theirs = || list.items().iter().filter_map(|locator| locator.rloc.get());
    let Some(span) = list.span() else { return };
    if own.is_empty() || problems.was_bad("lisp.rlocs") || theirs().next().is_none() {
        return;
    }
    if !theirs().any(|rloc| own.iter().any(|own| own.is_ipv4() == rloc.is_ipv4())) {
        let family = if own.iter().any(|own| own.is_ipv4()) { "IPv4" } else { "IPv6" };
        problems.at(
            span,
            format!(
                "{path} has no {family} locator, but lisp.rlocs has no other family; give an {family} locator"
            ),
        );
    }
}

fn database(lisp: &LispTable, problems: &mut Problems) {
    let path = "lisp.database.locators";
    unique(
        "lisp.database.eid_prefix",
        lisp.database.items().iter().filter_map(|m| eid(&m.vrf, &m.eid_prefix)),
        "give each EID prefix once",
        problems,
    );
    for mapping in lisp.database.items() {
        let Some(list) = mapping.locators.at() else { continue };
        locators(path, lisp, &mapping.locators, problems);
        let bad = ["lisp.rlocs", path, "lisp.database.locators.rloc"].iter().any(|key| problems.was_bad(key));
        if !bad && !lisp.rlocs.items().is_empty() && !list.iter().any(|l| has_own(lisp, l)) {
            problems.at(
                list.span(),
                format!("{path} has none of lisp.rlocs; give the locators of this router too"),
            );
        }
    }
}

pub(super) fn has_own(lisp: &LispTable, locator: &LocatorTable) -> bool {
    locator.rloc.get().is_some_and(|rloc| is_own(lisp, rloc.0))
}

fn statics(lisp: &LispTable, problems: &mut Problems) {
    let path = "lisp.static_mapping";
    unique(
        "lisp.static_mapping.eid_prefix",
        lisp.static_mapping.items().iter().filter_map(|m| eid(&m.vrf, &m.eid_prefix)),
        "give each EID prefix once",
        problems,
    );
    for mapping in lisp.static_mapping.items() {
        let list = &format!("{path}.locators");
        locators(list, lisp, &mapping.locators, problems);
        reachable(lisp, list, &mapping.locators, problems);
        match (mapping.locators.items().is_empty(), mapping.action.at()) {
            (false, Some(action)) => {
                problems.at(action.span(), format!("{path} has locators and an action; give one of them"));
            }
            (true, None) => problems
                .at(mapping.span(), format!("{path} has neither locators nor an action; give one of them")),
            _ => {}
        }
        for rloc in mapping.locators.items().iter().filter_map(|l| l.rloc.at()).filter(|r| is_own(lisp, r.0))
        {
            problems.at(
                rloc.span(),
                format!("{list}.rloc = {} is our own; give the address of another router", rloc.0),
            );
        }
    }
}

/// An EID-prefix as it is printed: with its VRF when that is named.
pub(super) fn eid(
    vrf: &Key<Word<Name>>,
    prefix: &Key<Word<super::super::words::Prefix>>,
) -> Option<(Eid, std::ops::Range<usize>)> {
    Some(eid_at(vrf, prefix.at()?))
}

/// The same for a prefix that is there.
pub(super) fn eid_at(
    vrf: &Key<Word<Name>>,
    prefix: &At<Word<super::super::words::Prefix>>,
) -> (Eid, std::ops::Range<usize>) {
    (Eid { vrf: vrf.get().map(|name| name.0.0.clone()), prefix: prefix.0.0 }, prefix.span())
}

#[derive(PartialEq, Eq, Hash)]
pub(super) struct Eid {
    vrf: Option<String>,
    prefix: IpNet,
}

impl std::fmt::Display for Eid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.vrf {
            Some(vrf) => write!(f, "{} of VRF \"{vrf}\"", self.prefix),
            None => write!(f, "{}", self.prefix),
        }
    }
}
