//! The Delegated Database Tree: `[ddt_node]`, and the roots and hints of `[map_resolver]`.

use super::super::error::Problems;
use super::super::file::{DelegationTable, EidTable};
use super::super::leaf::{At, Bounded, Key, Word};
use super::super::words::{Prefix, RoleWord};
use super::all::{Cx, unique};
use super::lisp::addresses;
use ipnet::IpNet;
use std::fmt;
use std::ops::Range;

pub(super) fn check(cx: &Cx<'_>, problems: &mut Problems) {
    node(cx, problems);
    let Some(resolver) = cx.file.map_resolver.get() else { return };
    addresses("map_resolver.ddt_roots", &resolver.ddt_roots, problems);
    delegations("map_resolver.ddt_hint", resolver.ddt_hint.items(), problems);
    let roots = resolver.ddt_roots.items().first().map(At::span);
    let tree = roots.or_else(|| resolver.ddt_hint.items().first().map(At::span));
    if let Some(span) = tree.filter(|_| !resolver.forward_to.items().is_empty()) {
        problems.at(
            span,
            "map_resolver.ddt_roots and ddt_hint have no effect beside forward_to; give one or the other",
        );
    }
}

fn node(cx: &Cx<'_>, problems: &mut Problems) {
    let table = cx.file.ddt_node.get();
    let roles = cx.file.lisp.get().map(|lisp| lisp.roles.items()).unwrap_or_default();
    let role = roles.iter().find(|role| role.0 == RoleWord::DdtNode);
    match (role, table) {
        (Some(role), None) => problems.at(
            role.span(),
            "role \"ddt-node\" refers to nobody; give who answers for which EID prefix in [[ddt_node.delegation]]",
        ),
        (None, Some(_)) => {
            let span = cx.file.ddt_node.span().unwrap_or_default();
            problems.at(span, "ddt_node has no effect; add role \"ddt-node\" or remove it");
        }
        _ => {}
    }
    let Some(table) = table else { return };
    delegations("ddt_node.delegation", table.delegation.items(), problems);
    let own = table.authoritative.items();
    let eids = own.iter().filter_map(|t: &At<EidTable>| eid(&t.prefix, &t.instance_id));
    unique("ddt_node.authoritative", eids, "give each EID prefix once", problems);
    let around = |inner: &Eid| {
        let outer = own.iter().filter_map(|t| eid(&t.prefix, &t.instance_id));
        outer.into_iter().any(|(outer, _)| outer.0 == inner.0 && outer.1.contains(&inner.1))
    };
    for delegation in table.delegation.items() {
        let Some((eid, span)) = eid(&delegation.prefix, &delegation.instance_id) else { continue };
        if !own.is_empty() && !around(&eid) {
            problems.at(
                span,
                format!("ddt_node.delegation {eid} is in none of ddt_node.authoritative; add it there"),
            );
        }
    }
}

fn delegations(path: &str, tables: &[At<DelegationTable>], problems: &mut Problems) {
    let eids = tables.iter().filter_map(|table| eid(&table.prefix, &table.instance_id));
    unique(&format!("{path}.prefix"), eids, "give each EID prefix once", problems);
    for table in tables {
        addresses(&format!("{path}.nodes"), &table.nodes, problems);
        addresses(&format!("{path}.map_servers"), &table.map_servers, problems);
        let bad = ["nodes", "map_servers"].iter().any(|key| problems.was_bad(&format!("{path}.{key}")));
        if !bad && table.nodes.items().is_empty() == table.map_servers.items().is_empty() {
            problems.at(table.span(), format!("{path} needs who answers; give nodes or map_servers"));
        }
    }
}

/// Instance-ID and prefix.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Eid(u32, IpNet);

impl fmt::Display for Eid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => write!(f, "{}", self.1),
            iid => write!(f, "{} of instance {iid}", self.1),
        }
    }
}

fn eid(prefix: &Key<Word<Prefix>>, iid: &Key<Bounded<0, 4_294_967_295>>) -> Option<(Eid, Range<usize>)> {
    let at = prefix.at()?;
    Some((Eid(iid.get().map_or(0, |id| id.get()), at.0.0), at.span()))
}
