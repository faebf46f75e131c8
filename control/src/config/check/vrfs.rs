//! `[[vrf]]`, and every Instance-ID and VRF name of the file.

use super::super::error::Problems;
use super::super::leaf::{At, Key, Word};
use super::super::schema::nearest;
use super::super::words::Name;
use super::all::{Cx, quoted, unique};
use super::paths;
use crate::netlink::MAX_SPACES;
use pxtr_dataplane::types::InstanceId;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

pub(super) fn check(cx: &Cx<'_>, problems: &mut Problems) {
    let vrfs = cx.file.vrf.items();
    let names = vrfs.iter().filter_map(|vrf| vrf.name.at()).map(|name| (quoted(&name.0.0), name.span()));
    unique("vrf.name", names, "give each VRF its own name", problems);
    let ids = vrfs.iter().filter_map(|vrf| vrf.instance_id.at()).map(|id| (id.get::<u32>(), id.span()));
    unique("vrf.instance_id", ids, "give each VRF its own Instance-ID", problems);
    instance_ids(cx, problems);
    if cx.forwards() {
        tables(cx, problems);
        underlay_at_home(cx, problems);
    }
    for vrf in vrfs {
        let space = vrf.eid_space.items().iter().map(|prefix| (prefix.0.0, prefix.span()));
        unique("vrf.eid_space", space, "give each prefix once", problems);
        if let Some(span) = vrf.eid_space.span()
            && !vrf.eid_space.items().is_empty()
            && !(cx.roles.pitr
                || cx.roles.xtr
                || (cx.roles.petr && cx.is_strict())
                || problems.was_bad("lisp.roles"))
        {
            problems.at(span, "vrf.eid_space has no effect; add role \"pitr\" or remove it");
        }
    }
    if !problems.was_bad("vrf") {
        for (path, name) in names_used(cx) {
            known(cx, path, name, problems);
        }
    }
}

/// Every Instance-ID of the file with its path: VRFs first.
fn ids(cx: &Cx<'_>) -> Vec<(&'static str, u32, Range<usize>)> {
    let mut ids = Vec::new();
    for vrf in cx.file.vrf.items() {
        ids.extend(vrf.instance_id.at().map(|id| ("vrf.instance_id", id.get(), id.span())));
    }
    for site in cx.file.map_server.get().map_or(&[][..], |ms| ms.site.items()) {
        for prefix in site.eid_prefixes.items() {
            let path = "map_server.site.eid_prefixes.instance_id";
            ids.extend(prefix.instance_id.at().map(|id| (path, id.get(), id.span())));
        }
    }
    for policy in cx.file.map_server.get().map_or(&[][..], |ms| ms.policy.items()) {
        let path = "map_server.policy.instance_id";
        ids.extend(policy.instance_id.at().map(|id| (path, id.get(), id.span())));
    }
    ids
}

/// TRAP 10: the data header carries the low 24 bits only, so two IIDs must differ there.
fn instance_ids(cx: &Cx<'_>, problems: &mut Problems) {
    let mut by_low: HashMap<u32, u32> = HashMap::new();
    for (path, id, span) in ids(cx) {
        let low = id & InstanceId::MAX;
        if low == InstanceId::MAX {
            problems.at(
                span,
                format!("{path} = {id} is reserved for NAT traversal in its low 24 bits; give another one"),
            );
            continue;
        }
        let first = *by_low.entry(low).or_insert(id);
        if first != id {
            problems.at(
                span,
                format!(
                    "{path} = {id} has the same low 24 bits as {first}, which is all that data packets carry; give one \
                     that differs there"
                ),
            );
        }
    }
}

/// Two VRFs on one kernel table would be one tenant.
fn tables(cx: &Cx<'_>, problems: &mut Problems) {
    let mut seen = HashSet::new();
    if problems.was_bad("vrf.table") {
        return;
    }
    for vrf in cx.file.vrf.items() {
        let table = vrf.table.get().map_or(254, |table| table.get::<u32>());
        let netns = vrf.netns.get().map(|name| name.0.0.as_str());
        let span = vrf.table.span().unwrap_or_else(|| vrf.span());
        if !seen.insert((netns, table)) && !problems.was_bad("vrf.netns") {
            problems.at(
                span,
                format!(
                    "vrf.table = {table} is used by another VRF; give each VRF its own routing table or netns"
                ),
            );
        }
        if let (Some(at), true) = (vrf.netns.at(), seen.len() >= MAX_SPACES) {
            problems.at(
                at.span(),
                format!("vrf.netns is that of more than {} VRFs; give some of them a table", MAX_SPACES - 1),
            );
        }
        if table == 255 {
            let span = vrf.table.span().unwrap_or_else(|| vrf.span());
            problems.at(span, "vrf.table = 255 is the kernel's table \"local\"; give another one");
        }
    }
}

/// Our own sockets are in our own namespace, and so must the underlay's addresses be.
fn underlay_at_home(cx: &Cx<'_>, problems: &mut Problems) {
    if let Some(netns) = paths::underlay(cx).and_then(|vrf| vrf.netns.span()) {
        problems.at(netns, "vrf.netns can not be the underlay's; put the underlay into a VRF without netns");
    }
}

/// Every use of a VRF's name with its path.
fn names_used<'f>(cx: &Cx<'f>) -> Vec<(&'static str, &'f At<Word<Name>>)> {
    let mut used = Vec::new();
    let mut note = |path, key: &'f Key<Word<Name>>| used.extend(key.at().map(|name| (path, name)));
    for port in cx.file.port.items() {
        note("port.vrf", &port.vrf);
    }
    for site in cx.file.admission.get().map_or(&[][..], |table| table.site.items()) {
        note("admission.site.vrf", &site.vrf);
    }
    for policer in cx.file.policer.items() {
        note("policer.vrf", &policer.vrf);
    }
    if let Some(lisp) = cx.file.lisp.get() {
        for mapping in lisp.database.items() {
            note("lisp.database.vrf", &mapping.vrf);
        }
        for range in lisp.dynamic_eid.items() {
            note("lisp.dynamic_eid.vrf", &range.vrf);
        }
        for mapping in lisp.static_mapping.items() {
            note("lisp.static_mapping.vrf", &mapping.vrf);
        }
    }
    used
}

fn known(cx: &Cx<'_>, path: &str, name: &At<Word<Name>>, problems: &mut Problems) {
    let vrfs = cx.file.vrf.items();
    // A VRF whose name was missing or bad may be the one that is meant.
    if vrfs.iter().any(|vrf| vrf.name.get().is_none_or(|known| known == &**name)) {
        return;
    }
    let wanted = name.0.0.as_str();
    if vrfs.is_empty() && wanted == "default" {
        return;
    }
    let names = || vrfs.iter().filter_map(|vrf| vrf.name.get()).map(|name| name.0.0.as_str());
    let remedy = match nearest(wanted, names()) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => "add a [[vrf]] of that name".to_owned(),
    };
    problems.at(name.span(), format!("{path} = \"{wanted}\" is no VRF of this file; {remedy}"));
}
